import t, { type Test } from 'tap';
import { TcpOption } from '../../../stack/tcp/socket-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import type { Peer } from './peer.js';
import { handshakeBegins, listening } from './states.js';

/** TCP_DEFER_ACCEPT and TCP_SYNCNT of a listener; the accept queue's ways out. */

function deferring(t: Test, seconds: number): Peer {
  const options = new Map([[TcpOption.DEFER_ACCEPT_SECONDS as string, seconds]]);
  const peer = listening(t, { listen: { options } });
  handshakeBegins(peer);
  return peer;
}

t.test('SYN-RECEIVED, deferring, ACK without data → left aside, and nothing is asked again; data → accepted', (t) => {
  const peer = deferring(t, 10);
  t.equal(peer.ack(), Verdict.TCP_DEFERRED);
  peer.advanceMs(2000);
  peer.expectNothing();
  t.equal(peer.tcp.accept(peer.listener), 0);
  t.equal(peer.data(5), Verdict.OK);
  peer.accept();
  peer.expectState('ESTABLISHED');
  t.equal(peer.read().length, 5);
  t.equal(peer.stack.net.stats.tcpDeferAcceptDrops, 1);
  t.end();
});

t.test('SYN-RECEIVED, deferring, the period ends → SYN,ACK once more, and its ACK is enough', (t) => {
  const peer = deferring(t, 3);
  peer.ack();
  t.equal(peer.untilSent(), 3000);
  peer.expect({ flags: 'S.', seq: 0, ack: 1 });
  t.equal(peer.ack(), Verdict.OK);
  peer.accept();
  peer.expectState('ESTABLISHED');
  t.end();
});

t.test('SYN-RECEIVED, deferring longer than the SYN,ACK is repeated, ACKed → kept for the whole period', (t) => {
  const peer = deferring(t, 200);
  peer.ack();
  peer.advanceMs(100_000);
  t.equal(peer.tcp.counts.halfOpen, 1);
  peer.advanceMs(400_000);
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

t.test('SYN-RECEIVED, the listener’s SYN_RETRIES → that many repetitions', (t) => {
  const options = new Map([[TcpOption.SYN_RETRIES as string, 2]]);
  const peer = listening(t, { listen: { options } });
  handshakeBegins(peer);
  peer.advanceMs(60_000);
  t.equal(peer.drain().length, 2);
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});

t.test('SYN-RECEIVED, accept queue full, abortOnOverflow → RST for the ACK', (t) => {
  const peer = listening(t, { listen: { backlog: 0 }, tcp: { abortOnOverflow: true } });
  handshakeBegins(peer);
  const iss = peer.stackIss;
  peer.peerPort += 1;
  handshakeBegins(peer);
  peer.ack();
  peer.peerPort -= 1;
  peer.stackIss = iss;
  t.equal(peer.ack(), Verdict.TCP_ACCEPT_QUEUE_FULL);
  peer.expect({ flags: 'R', seq: 1 });
  t.equal(peer.tcp.counts.halfOpen, 0);
  t.end();
});
