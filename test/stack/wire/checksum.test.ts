import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { finish, fold, intact, sum, sumAtOdd, update16, update32 } from '../../../stack/wire/checksum.js';
import { bytesOf, viewOf } from './frames.js';

/** RFC 1071 §1, pair by pair, folding every carry as it comes. */
function reference(view: DataView, at: number, length: number): number {
  let total = 0;
  for (let i = 0; i < length; i += 2) {
    total += (view.getUint8(at + i) << 8) | (i + 1 < length ? view.getUint8(at + i + 1) : 0);
    if (total > 0xffff) total -= 0xffff;
  }
  return total;
}

t.test('the example of RFC 1071 §3 → ddf2', (t) => {
  const view = viewOf('0001f203f4f5f6f7');
  t.equal(sum(view, 0, 8), 0xddf2);
  t.equal(finish(sum(view, 0, 8)), 0x220d);
  t.end();
});

t.test(
  'the example of RFC 1071 §3 in pieces of odd length → ddf2, when the second is summed as one that begins odd',
  (t) => {
    const view = viewOf('0001f203f4f5f6f7');
    t.equal(fold(sum(view, 0, 3) + sumAtOdd(view, 3, 5)), 0xddf2);
    t.end();
  },
);

t.test('a header from a textbook, its checksum in place → intact; without it → that checksum', (t) => {
  const view = viewOf('45000073000040004011b861c0a80001c0a800c7');
  t.ok(intact(sum(view, 0, 20)));
  view.setUint16(10, 0);
  t.equal(finish(sum(view, 0, 20)), 0xb861);
  t.end();
});

t.test('every length to 200 at every alignment to 8 → the same as pair by pair', (t) => {
  const prng = new Prng(1);
  const view = new DataView(new ArrayBuffer(256));
  for (let i = 0; i < 256; i++) view.setUint8(i, prng.below(256));
  for (let at = 0; at < 8; at++) {
    for (let length = 0; length <= 200; length++) {
      t.equal(fold(sum(view, at, length)) % 0xffff, reference(view, at, length) % 0xffff, `${length} at ${at}`);
    }
  }
  t.end();
});

t.test('any data cut anywhere → the parts add up to the whole', (t) => {
  const prng = new Prng(2);
  const view = new DataView(new ArrayBuffer(2048));
  for (let i = 0; i < 2048; i++) view.setUint8(i, prng.below(256));
  for (let trial = 0; trial < 2000; trial++) {
    const at = prng.below(500);
    const length = prng.below(1500);
    const cut = prng.below(length + 1);
    const tail = (cut & 1) === 0 ? sum(view, at + cut, length - cut) : sumAtOdd(view, at + cut, length - cut);
    t.equal(finish(sum(view, at, cut) + tail), finish(sum(view, at, length)));
  }
  t.end();
});

t.test('the longest datagram, all ones → all ones; all zeros → zero, and not intact', (t) => {
  const view = new DataView(new ArrayBuffer(65535));
  t.equal(sum(view, 0, 65535), 0);
  t.notOk(intact(sum(view, 0, 65535)));
  for (let i = 0; i < 65535; i++) view.setUint8(i, 0xff);
  t.equal(sum(view, 0, 65534), 0xffff);
  t.equal(fold(sum(view, 0, 65535)), 0xff00);
  t.end();
});

t.test('the example of RFC 1624 §4, where RFC 1141 gives ffff → 0000', (t) => {
  t.equal(update16(0xdd2f, 0x5555, 0x3285), 0x0000);
  t.end();
});

t.test('any word of any header changed → the same as computing the checksum anew', (t) => {
  const prng = new Prng(3);
  const view = new DataView(new ArrayBuffer(20));
  for (let trial = 0; trial < 20000; trial++) {
    for (let i = 0; i < 20; i += 4) view.setInt32(i, prng.next());
    // Words of all ones and all zeros are where one's complement has two zeros.
    if (prng.below(4) === 0) view.setUint16(4, prng.below(2) * 0xffff);
    view.setUint16(10, 0);
    const before = finish(sum(view, 0, 20));
    const old = view.getUint16(4);
    const oldPair = view.getInt32(12);
    const changed = prng.below(4) === 0 ? prng.below(2) * 0xffff : prng.below(65536);
    view.setUint16(4, changed);
    const after16 = finish(sum(view, 0, 20));
    t.equal(update16(before, old, changed), after16) || t.comment(bytesOf(view));
    const changedPair = prng.next();
    view.setInt32(12, changedPair);
    t.equal(update32(after16, oldPair, changedPair), finish(sum(view, 0, 20)));
  }
  t.end();
});
