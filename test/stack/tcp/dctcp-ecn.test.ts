import t, { type Test } from 'tap';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import type { Peer } from './peer.js';
import { listening } from './states.js';

/** DCTCP on the wire, RFC 8257: marks are echoed one by one, and answered by their share. */

const NOT_ECT = 0;
const ECT0 = 2;
const CE = 3;
const MSS = 1000;

function agreed(t: Test, limits: Partial<TcpLimits> = {}): Peer {
  const peer = listening(t, { tcp: { congestion: 'dctcp', ecn: 0, ...limits }, syn: { mss: MSS } });
  peer.inject({ flags: 'SEW', ecn: ECT0, options: peer.synOptions });
  peer.nxt = 1;
  peer.expect({ flags: 'S.E', ecn: ECT0 });
  peer.ack();
  peer.accept();
  return peer;
}

t.test('ESTABLISHED with DCTCP → every segment is ECN-capable: data, ACKs, retransmissions, FIN (§3.6, Linux)', (t) => {
  const peer = agreed(t);
  peer.data(MSS);
  peer.expect({ flags: '.', ecn: ECT0 });
  peer.write(MSS);
  peer.expect({ length: MSS, ecn: ECT0 });
  peer.untilSent();
  peer.expect({ seq: 1, length: MSS, ecn: ECT0 });
  peer.ack();
  peer.shutdown();
  peer.expect({ flags: 'F.', ecn: ECT0 });
  t.end();
});

t.test('LISTEN with DCTCP, a SYN that does not ask → nothing is ECN-capable: it is Reno', (t) => {
  const peer = listening(t, { tcp: { congestion: 'dctcp' }, syn: { mss: MSS } });
  peer.inject({ flags: 'S', options: peer.synOptions });
  peer.nxt = 1;
  peer.expect({ flags: 'S.', ecn: NOT_ECT });
  peer.ack();
  peer.accept();
  peer.write(MSS);
  peer.expect({ length: MSS, ecn: NOT_ECT });
  t.end();
});

t.test(
  'the field changes while an ACK waits → that one goes first, with the state before; the new one at once (§3.2)',
  (t) => {
    const peer = agreed(t, { quickAcks: 0 });
    peer.data(10, { ecn: ECT0 });
    peer.expectNothing('an ACK is pending');
    peer.data(10, { ecn: CE });
    peer.expect({ flags: '.', ack: 11 }, 'what came unmarked');
    peer.expect({ flags: '.E', ack: 21 }, 'the mark, at once');
    peer.data(10, { ecn: CE });
    peer.expectNothing('no change: it may wait');
    peer.data(10, { ecn: ECT0 });
    peer.expect({ flags: '.E', ack: 31 }, 'both marks are told');
    peer.expect({ flags: '.', ack: 41 });
    t.end();
  },
);

t.test('CWR with marked data → the echo goes on with the next mark, without another change', (t) => {
  const peer = agreed(t, { quickAcks: 0 });
  peer.data(10, { ecn: CE });
  peer.expect({ flags: '.E', ack: 11 });
  peer.data(10, { flags: 'P.W', ecn: CE });
  peer.expect({ flags: '.E', ack: 21 });
  peer.expectNothing();
  t.end();
});

t.test('every ACK says ECE, window after window → cwnd is halved in each, as alpha stays at one', (t) => {
  const peer = agreed(t);
  peer.write(100 * MSS);
  peer.drain();
  peer.inject({ flags: '.E', ack: 1 + MSS });
  t.same([peer.tcp.info(peer.id).caState, peer.tcp.info(peer.id).sndSsthreshBytes], ['cwr', 5 * MSS]);
  t.end();
});

t.test('one mark in a window after many without → cwnd gives way by less than a tenth', (t) => {
  const peer = agreed(t);
  for (let round = 0; round < 60; round++) {
    peer.write(10 * MSS);
    peer.drain();
    peer.ack();
  }
  const before = peer.tcp.info(peer.id).sndCwnd;
  peer.write(10 * MSS);
  peer.drain();
  peer.inject({ flags: '.E', ack: peer.rcvNxt - 9 * MSS });
  const { sndSsthreshBytes, deliveredCe } = peer.tcp.info(peer.id);
  t.ok(sndSsthreshBytes >= 0.9 * before * MSS, `${sndSsthreshBytes} of ${before * MSS}`);
  t.equal(deliveredCe, 1);
  t.end();
});
