import t from 'tap';
import { established, listening, opened, synSent } from './states.js';

/** MSS, RFC 9293 §3.7.1 and RFC 6691; initial window, RFC 6928. */

function lengths(peer: ReturnType<typeof established>): number[] {
  return peer.drain().map((segment) => segment.length);
}

t.test('SYN without MSS → 536 is assumed (MUST-15)', (t) => {
  const peer = established(t, { syn: {} });
  peer.write(1000);
  t.same(lengths(peer), [536, 464]);
  t.end();
});

t.test('SYN with an MSS → no segment is larger', (t) => {
  for (const mss of [536, 1000, 1459, 1460]) {
    const peer = established(t, { syn: { mss } });
    peer.write(2 * mss);
    t.same(lengths(peer), [mss, mss]);
  }
  t.end();
});

t.test('SYN with an MSS beyond our MTU → the MTU decides', (t) => {
  const peer = established(t, { syn: { mss: 9000 }, mtu: 1000 });
  peer.write(1920);
  t.same(lengths(peer), [960, 960]);
  t.end();
});

t.test('SYN with an absurdly small MSS → 48, so that options leave room for data; with 0, as without', (t) => {
  const none = established(t, { syn: { mss: 0 } });
  none.write(600);
  t.same(lengths(none), [536, 64]);
  for (const mss of [1, 47]) {
    const peer = established(t, { syn: { mss, ts: [1, 0], sackOk: true } });
    peer.write(100);
    t.same(lengths(peer), [36, 36, 28], `MSS ${mss}`);
  }
  t.end();
});

t.test('options in a segment → are subtracted from the MSS, not added to the datagram (RFC 6691 §2)', (t) => {
  const peer = established(t, { syn: { mss: 1460, ts: [1, 0], sackOk: true } });
  peer.write(2896);
  t.same(lengths(peer), [1448, 1448]);
  // A gap, so that SACK blocks ride on the data.
  peer.inject({ seq: 101, data: 10 });
  peer.drain();
  peer.ack();
  peer.write(3000);
  const sent = peer.drain();
  t.equal(sent[0]?.length, 1448 - 12, 'one block and its padding less');
  t.equal(sent[0]?.datagram.length, 1500);
  t.end();
});

t.test('our SYN and SYN,ACK → offer the MTU less 40', (t) => {
  const calling = synSent(t, { mtu: 1400 });
  calling.untilSent();
  t.equal(calling.expect({ flags: 'S' }).options.mss, 1360);
  const called = listening(t, { mtu: 576 });
  called.inject({ flags: 'S', options: { mss: 1460 } });
  t.equal(called.expect({ flags: 'S.' }).options.mss, 536);
  t.end();
});

t.test('initial window → ten segments, at most 14600 bytes, but two segments in any case (RFC 6928)', (t) => {
  for (const [mss, segments] of [
    [536, 10],
    [1000, 10],
    [1460, 10],
    [2920, 5],
    [4000, 3],
    [8960, 2],
  ] as const) {
    const peer = established(t, { syn: { mss }, mtu: mss + 40, slotBytes: 16_384 });
    peer.write(60_000);
    t.same(lengths(peer), new Array(segments).fill(mss), `MSS ${mss}`);
  }
  t.end();
});

t.test('initial window, active OPEN → the same', (t) => {
  const peer = opened(t);
  peer.write(60_000);
  t.equal(lengths(peer).length, 10);
  t.end();
});
