import t, { type Test } from 'tap';
import type { Peer, PeerOptions } from './peer.js';
import { established } from './states.js';

/** SACK compression as Linux has it: while there is a gap, one ACK for several segments behind it. */

const SIZE = 1000;

/** Past the ACKs that go at once anyway, with SACK and a round trip of 100 ms as the receiver sees it. */
function sacking(t: Test, options: PeerOptions = {}): Peer {
  const peer = established(t, { syn: { mss: 1460, sackOk: true, wscale: 0, ts: [1, 0] }, ...options });
  peer.write(10);
  peer.advanceMs(100);
  peer.ack();
  for (let i = 0; i < 60; i++) {
    peer.tsEcho = (peer.tsEcho - 10) | 0;
    peer.data(SIZE);
    peer.read();
    peer.drain();
    peer.advanceMs(10);
  }
  peer.advanceMs(60);
  peer.drain();
  return peer;
}

function ahead(peer: Peer, from: number, to: number): void {
  for (let i = from; i < to; i++) peer.inject({ seq: peer.nxt + i * SIZE, data: SIZE });
}

t.test(
  'ESTABLISHED, segments behind a gap → three duplicate ACKs at once, then one for many after a millisecond',
  (t) => {
    const peer = sacking(t);
    ahead(peer, 1, 4);
    t.equal(peer.drain().length, 3);
    ahead(peer, 4, 10);
    peer.expectNothing();
    t.equal(peer.untilSent(), 1);
    const { options } = peer.expect({ flags: '.', ack: peer.nxt });
    t.same(options.sack, [[peer.nxt + SIZE, peer.nxt + 10 * SIZE]]);
    t.equal(peer.stack.net.stats.tcpAcksCompressed, 5, 'six were held back, one of them is this');
    t.end();
  },
);

t.test('ESTABLISHED, more than 44 held back → an ACK without waiting', (t) => {
  const peer = sacking(t, { listen: { receiveBytes: 1 << 20 } });
  ahead(peer, 1, 4);
  peer.drain();
  ahead(peer, 4, 48);
  peer.expectNothing();
  ahead(peer, 48, 49);
  peer.expect({ flags: '.', ack: peer.nxt });
  t.end();
});

t.test('ESTABLISHED, an ACK is held back and the gap is filled → at once', (t) => {
  const peer = sacking(t);
  ahead(peer, 1, 6);
  peer.drain();
  ahead(peer, 0, 1);
  peer.expect({ flags: '.', ack: peer.nxt + 6 * SIZE });
  peer.advanceMs(100);
  peer.expectNothing();
  t.end();
});

t.test('ESTABLISHED, an ACK is held back and RCV.NXT moves up to the next gap → three at once again', (t) => {
  const peer = sacking(t);
  ahead(peer, 1, 5);
  ahead(peer, 7, 8);
  peer.advanceMs(5);
  peer.drain();
  ahead(peer, 0, 1);
  peer.expect({ ack: peer.nxt + 5 * SIZE });
  ahead(peer, 8, 11);
  t.equal(peer.drain().length, 2);
  t.end();
});

t.test(
  'ESTABLISHED, an ACK is held back and a third gap comes → it goes as it was, for the option has little room',
  (t) => {
    const peer = sacking(t);
    ahead(peer, 1, 2);
    ahead(peer, 3, 4);
    ahead(peer, 5, 6);
    peer.drain();
    ahead(peer, 6, 7);
    peer.expectNothing();
    ahead(peer, 8, 9);
    const { options } = peer.expect({ flags: '.' });
    t.same(options.sack?.[0], [peer.nxt + 5 * SIZE, peer.nxt + 7 * SIZE], 'without the new one');
    t.end();
  },
);

t.test('ESTABLISHED without SACK → every duplicate ACK goes: the peer counts them', (t) => {
  const peer = sacking(t, { syn: { mss: 1460, wscale: 0, ts: [1, 0] } });
  ahead(peer, 1, 20);
  t.equal(peer.drain().length, 19);
  t.end();
});

t.test('compressedAcksMax 0 → every duplicate ACK goes', (t) => {
  const peer = sacking(t, { tcp: { compressedAcksMax: 0 } });
  ahead(peer, 1, 20);
  t.equal(peer.drain().length, 19);
  t.end();
});
