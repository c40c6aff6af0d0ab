import t, { type Test } from 'tap';
import { type Peer, type PeerOptions } from './peer.js';
import { established } from './states.js';

/** Selective acknowledgments as a receiver sends them: RFC 2018 §4 and, for duplicates, RFC 2883. */

const SIZE = 100;

function sacking(t: Test, options: PeerOptions = {}): Peer {
  return established(t, { syn: { mss: 1460, sackOk: true }, ...options });
}
/** Segment number `n` of the peer's stream, counted from zero. */
function inject(peer: Peer, n: number, count = 1): void {
  peer.inject({ seq: 1 + n * SIZE, data: count * SIZE });
}
/** Blocks of the next ACK, in segment numbers. */
function blocks(peer: Peer): (readonly [number, number])[] {
  const { options } = peer.expect({ flags: '.' });
  return (options.sack ?? []).map(([left, right]) => [(left - 1) / SIZE, (right - 1) / SIZE] as const);
}

t.test('ESTABLISHED, a segment beyond a gap → its block; more of it → the block grows', (t) => {
  const peer = sacking(t);
  inject(peer, 1);
  t.same(blocks(peer), [[1, 2]]);
  inject(peer, 2);
  t.same(blocks(peer), [[1, 3]]);
  inject(peer, 5);
  t.same(blocks(peer), [
    [5, 6],
    [1, 3],
  ]);
  t.end();
});

t.test('ESTABLISHED, many gaps → the block that changed first, then the most recent ones (RFC 2018 §4)', (t) => {
  const peer = sacking(t);
  for (const n of [1, 3, 5, 7]) inject(peer, n);
  const told = [0, 1, 2, 3].map(() => blocks(peer));
  t.same(told[3], [
    [7, 8],
    [5, 6],
    [3, 4],
    [1, 2],
  ]);
  inject(peer, 9);
  t.same(blocks(peer), [
    [9, 10],
    [7, 8],
    [5, 6],
    [3, 4],
  ]);
  inject(peer, 2);
  // Four are kept: the run that began at 1 was forgotten, and what is new of it is told anew (as Linux).
  t.same(blocks(peer), [
    [2, 4],
    [9, 10],
    [7, 8],
    [5, 6],
  ]);
  t.end();
});

t.test('ESTABLISHED with timestamps → three blocks at most, for that is what fits', (t) => {
  const peer = sacking(t, { syn: { mss: 1460, sackOk: true, ts: [1, 0] } });
  for (const n of [1, 3, 5, 7]) inject(peer, n);
  for (let i = 0; i < 3; i++) peer.expect({});
  t.same(blocks(peer), [
    [7, 8],
    [5, 6],
    [3, 4],
  ]);
  t.end();
});

t.test('ESTABLISHED, a gap filled → its block goes; the rest stays', (t) => {
  const peer = sacking(t);
  for (const n of [1, 3]) inject(peer, n);
  peer.drain();
  inject(peer, 0);
  const ack = peer.expect({ ack: 1 + 2 * SIZE });
  t.same(ack.options.sack, [[1 + 3 * SIZE, 1 + 4 * SIZE]]);
  inject(peer, 2);
  t.same(peer.expect({ ack: 1 + 4 * SIZE }).options, {});
  t.end();
});

t.test('ESTABLISHED, every ACK while there is a gap → carries the blocks, those with data too', (t) => {
  const peer = sacking(t);
  inject(peer, 1);
  peer.drain();
  peer.write(10);
  t.same(peer.expect({ length: 10 }).options.sack, [[1 + SIZE, 1 + 2 * SIZE]]);
  t.end();
});

t.test('ESTABLISHED, a duplicate of what was delivered → D-SACK, once (RFC 2883 §4.1)', (t) => {
  const peer = sacking(t);
  inject(peer, 0, 3);
  peer.drain();
  inject(peer, 1);
  t.same(blocks(peer), [[1, 2]]);
  peer.inject({ seq: 1 + 3 * SIZE, data: SIZE });
  t.same(blocks(peer), [], 'told once');
  t.end();
});

t.test('ESTABLISHED, a segment half of which is old → D-SACK of that half', (t) => {
  const peer = sacking(t);
  inject(peer, 0, 2);
  peer.drain();
  inject(peer, 1, 2);
  t.same(blocks(peer), [[1, 2]]);
  t.end();
});

t.test(
  'ESTABLISHED, a duplicate of what is kept out of order → D-SACK, then the block it lies in (RFC 2883 §4.2)',
  (t) => {
    const peer = sacking(t);
    inject(peer, 2, 3);
    peer.drain();
    inject(peer, 3);
    t.same(blocks(peer), [
      [3, 4],
      [2, 5],
    ]);
    t.end();
  },
);

t.test(
  'ESTABLISHED, the ACKs for a segment were lost and it comes again beyond a gap → D-SACK first, then the blocks',
  (t) => {
    const peer = sacking(t);
    inject(peer, 0);
    inject(peer, 2);
    peer.drain();
    inject(peer, 0);
    t.same(blocks(peer), [
      [0, 1],
      [2, 3],
    ]);
    t.end();
  },
);

t.test('ESTABLISHED, SACK not agreed → no blocks, whatever comes', (t) => {
  const peer = established(t);
  inject(peer, 1);
  inject(peer, 1);
  inject(peer, 0);
  inject(peer, 0);
  for (const segment of peer.drain()) t.same(segment.options, {});
  t.end();
});
