import t, { type Test } from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { type Peer, type PeerOptions, pattern, patternAt } from './peer.js';
import { established } from './states.js';

/** Bytes out of order: every way two pieces can lie to each other, random orders against a model, and the limits. */

/** [from, to) of the peer's stream, counted from zero. */
function inject(peer: Peer, from: number, to: number): Verdict {
  return peer.inject({ seq: 1 + from, data: to - from });
}
function kept(peer: Peer): number {
  return peer.tcp.info(peer.id).outOfOrderBytes;
}
function whole(peer: Peer, length: number): void {
  sameBytes(peer.t, peer.read(), pattern(length), `${length} bytes, each in its place`);
  peer.t.equal(peer.tcp.context.reassembly.count, 0);
  peer.t.equal(kept(peer), 0);
}

// Against a run [100, 200): before, touching, overlapping, inside, around, behind.
const PIECES: readonly (readonly [string, number, number, number, Verdict])[] = [
  ['in front of it, apart', 20, 50, 130, Verdict.OUT_OF_ORDER],
  ['in front of it, touching', 50, 100, 150, Verdict.OUT_OF_ORDER],
  ['over its front', 50, 150, 150, Verdict.OUT_OF_ORDER],
  ['over its front by all but a byte', 50, 199, 150, Verdict.OUT_OF_ORDER],
  ['up to its end', 50, 200, 150, Verdict.OUT_OF_ORDER],
  ['around it', 50, 250, 200, Verdict.OUT_OF_ORDER],
  ['its front', 100, 150, 100, Verdict.TCP_DUPLICATE],
  ['exactly it', 100, 200, 100, Verdict.TCP_DUPLICATE],
  ['its front and more', 100, 250, 150, Verdict.OUT_OF_ORDER],
  ['inside', 120, 180, 100, Verdict.TCP_DUPLICATE],
  ['its end', 150, 200, 100, Verdict.TCP_DUPLICATE],
  ['over its end', 150, 250, 150, Verdict.OUT_OF_ORDER],
  ['behind it, touching', 200, 250, 150, Verdict.OUT_OF_ORDER],
  ['behind it, apart', 220, 250, 130, Verdict.OUT_OF_ORDER],
];
for (const [what, from, to, bytes, verdict] of PIECES) {
  t.test(`a run kept, a piece ${what} → each byte once`, (t) => {
    const peer = established(t);
    inject(peer, 100, 200);
    t.equal(inject(peer, from, to), verdict);
    t.equal(kept(peer), bytes);
    inject(peer, 0, 300);
    whole(peer, 300);
    t.end();
  });
}

// Against three runs [100, 200), [300, 400), [500, 600).
for (const [what, from, to, runs] of [
  ['that fills the first gap', 200, 300, 2],
  ['that overlaps both sides of a gap', 150, 350, 2],
  ['over everything', 50, 650, 1],
  ['from inside the first to inside the last', 150, 550, 1],
  ['from the end of the first to the begin of the last', 200, 500, 1],
  ['over the two last', 250, 700, 2],
] as const) {
  t.test(`three runs kept, a piece ${what} → ${runs} left`, (t) => {
    const peer = established(t);
    for (const at of [500, 100, 300]) inject(peer, at, at + 100);
    inject(peer, from, to);
    t.equal(peer.tcp.context.reassembly.count, runs);
    inject(peer, 0, 700);
    whole(peer, 700);
    t.end();
  });
}

t.test('runs kept, a piece in order that reaches into them → delivered up to the next gap', (t) => {
  const peer = established(t);
  inject(peer, 100, 200);
  inject(peer, 250, 300);
  inject(peer, 0, 150);
  sameBytes(t, peer.read(), pattern(200), 'byte for byte');
  peer.expect({ ack: 1 });
  inject(peer, 200, 250);
  sameBytes(t, peer.read(), pattern(100, 200), 'byte for byte');
  t.end();
});

t.test('runs kept, a piece in order that swallows them all → delivered, the runs are given back', (t) => {
  const peer = established(t);
  for (const at of [100, 300, 500]) inject(peer, at, at + 50);
  inject(peer, 0, 1000);
  whole(peer, 1000);
  t.end();
});

/** The model: which bytes have come. */
class Model {
  readonly has: Uint8Array;
  constructor(readonly length: number) {
    this.has = new Uint8Array(length);
  }
  take(from: number, to: number): void {
    this.has.fill(1, from, Math.min(to, this.length));
  }
  get next(): number {
    const gap = this.has.indexOf(0);
    return gap < 0 ? this.length : gap;
  }
}

function shuffled(t: Test, seed: number, options: PeerOptions): void {
  const prng = new Prng(seed);
  const length = 20_000;
  const peer = established(t, { ...options, listen: { receiveBytes: 40_000 } });
  const model = new Model(length);
  let read = 0;
  for (let i = 0; i < 4000 && model.next < length; i++) {
    const from = Math.min(length - 1, prng.below(3) === 0 ? model.next : model.next + prng.below(6000));
    const back = prng.below(4) === 0 ? prng.below(Math.min(from, 800) + 1) : 0;
    const to = Math.min(length, from + 1 + prng.below(1400));
    const verdict = inject(peer, from - back, to);
    const lost = verdict === Verdict.TCP_REASSEMBLY_LIMIT || verdict === Verdict.TCP_MEMORY;
    if (!lost) model.take(from - back, to);
    const info = peer.tcp.info(peer.id);
    if (((info.rcvNxt - peer.peerIss - 1) | 0) !== model.next) {
      t.fail(
        `seed ${seed}, step ${i}: RCV.NXT is ${(info.rcvNxt - peer.peerIss - 1) | 0}, the model says ${model.next}`,
      );
      return;
    }
    for (const segment of peer.drain()) {
      for (const [left, right] of segment.options.sack ?? []) {
        if (right <= segment.ack) continue;
        const all = model.has.subarray(left - 1, right - 1).every((byte) => byte === 1);
        if (!all) t.fail(`seed ${seed}, step ${i}: ${segment.line} tells of bytes that never came`);
      }
    }
    const got = peer.read(prng.below(3000));
    for (let j = 0; j < got.length; j++) {
      if (got[j] !== patternAt(read + j)) {
        t.fail(`seed ${seed}, step ${i}: byte ${read + j} is wrong`);
        return;
      }
    }
    read += got.length;
    peer.drain();
  }
  read += peer.read().length;
  t.equal(model.next, length, `seed ${seed}: all came in the end`);
  t.equal(read, length);
  t.equal(peer.tcp.context.reassembly.count, 0);
  peer.abort();
  peer.expectAllFreed();
}

t.test('any order, any overlaps → the stream of the model', (t) => {
  for (let seed = 1; seed <= 25; seed++) shuffled(t, seed, { syn: { mss: 1460, sackOk: seed % 2 === 0 } });
  t.end();
});

t.test('any order, few runs allowed → the same, later', (t) => {
  for (let seed = 1; seed <= 10; seed++) shuffled(t, seed, { tcp: { outOfOrderPerConnection: 2 } });
  for (let seed = 1; seed <= 10; seed++) shuffled(t, seed, { tcp: { outOfOrderMax: 3 } });
  t.end();
});

t.test('more gaps than a connection may have → dropped and acknowledged; the others are kept', (t) => {
  const peer = established(t, { tcp: { outOfOrderPerConnection: 4 } });
  for (let i = 1; i <= 10; i++) {
    t.equal(inject(peer, i * 200, i * 200 + 100), i <= 4 ? Verdict.OUT_OF_ORDER : Verdict.TCP_REASSEMBLY_LIMIT);
    peer.expect({ flags: '.', ack: 1 });
  }
  t.equal(kept(peer), 400);
  inject(peer, 0, 1200);
  whole(peer, 1200);
  t.end();
});

t.test('beyond the window → not kept; beginning in it → kept whole, as Linux', (t) => {
  const peer = established(t, { listen: { receiveBytes: 11_680 } });
  t.equal(inject(peer, 5841, 5900), Verdict.TCP_SEQUENCE);
  t.equal(inject(peer, 5840, 5900), Verdict.TCP_SEQUENCE, 'at its edge nothing of it is in the window');
  t.equal(inject(peer, 5839, 5900), Verdict.OUT_OF_ORDER);
  t.equal(kept(peer), 61);
  t.end();
});

t.test('runs kept, aborted, reset or closed → given back', (t) => {
  for (const end of ['abort', 'reset', 'close'] as const) {
    const peer = established(t);
    for (let i = 1; i < 10; i++) inject(peer, i * 200, i * 200 + 100);
    if (end === 'abort') peer.abort();
    else if (end === 'reset') {
      peer.inject({ flags: 'R' });
      peer.close();
    } else {
      peer.close();
      peer.ack();
      inject(peer, 0, 10);
    }
    peer.drain();
    peer.expectAllFreed();
  }
  t.end();
});

t.test('bytes that came out of order → are counted as received once they are in order', (t) => {
  const peer = established(t);
  peer.inject({ seq: 501, data: 500 });
  t.equal(peer.tcp.info(peer.id).bytesReceived, 0);
  peer.inject({ seq: 1, data: 500 });
  t.equal(peer.tcp.info(peer.id).bytesReceived, 1000);
  t.end();
});
