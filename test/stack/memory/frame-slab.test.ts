import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';

t.test('all slots taken → -1, until one is given back by any offset in it', (t) => {
  const slab = new FrameSlab({ slotBytes: 512, slots: 3 });
  const slots = [slab.take(), slab.take(), slab.take()];
  t.same(slots, [0, 512, 1024]);
  t.equal(slab.take(), -1);
  t.equal(slab.freeCount, 0);
  slab.give(512 + 300);
  t.equal(slab.freeCount, 1);
  t.equal(slab.take(), 512);
  t.end();
});

t.test('a slot given back twice, or never taken → stops the program', (t) => {
  const slab = new FrameSlab({ slotBytes: 512, slots: 4 });
  t.throws(() => slab.give(0), /once/);
  const first = slab.take();
  slab.take();
  slab.give(first);
  t.throws(() => slab.give(first), /once/, 'though another is still out');
  t.throws(() => slab.give(-1), /once/);
  t.throws(() => slab.give(4 * 512), /once/);
  t.end();
});

t.test('a slot taken again → its note is clear', (t) => {
  const slab = new FrameSlab({ slotBytes: 512, slots: 2, noteInts: 4 });
  const slot = slab.take();
  const other = slab.take();
  slab.notes?.fill(7);
  slab.give(slot + 100);
  t.equal(slab.take(), slot);
  const row = slab.noteRow(slot + 511);
  t.same(slab.notes?.slice(row, row + 4), new Int32Array(4));
  t.equal(slab.notes?.[slab.noteRow(other)], 7, 'and the other slot keeps its own');
  t.end();
});

t.test('places in a slot → where it begins and the room left', (t) => {
  const slab = new FrameSlab({ slotBytes: 2048, slots: 4 });
  t.equal(slab.slotOf(2048 + 5), 2048);
  t.equal(slab.roomFrom(2048 + 5), 2043);
  t.equal(slab.roomFrom(2048), 2048);
  t.equal(slab.frameBytesMax, 2048 - slab.headroom);
  t.end();
});

t.test('memory of somebody else → used, and refused when too small', (t) => {
  const memory = new SharedArrayBuffer(4 * 512);
  const slab = new FrameSlab({ slotBytes: 512, slots: 4, memory });
  slab.bytes[513] = 9;
  t.equal(new Uint8Array(memory)[513], 9);
  t.throws(() => new FrameSlab({ slotBytes: 512, slots: 5, memory }), /every slot/);
  t.throws(() => new FrameSlab({ slotBytes: 1000 }), /power of two/);
  t.throws(() => new FrameSlab({ slotBytes: 256 }), /power of two/);
  t.end();
});

t.test('random taking and giving → no slot twice', (t) => {
  const prng = new Prng(5);
  const slab = new FrameSlab({ slotBytes: 512, slots: 100 });
  const taken: number[] = [];
  const isTaken = new Set<number>();
  for (let step = 0; step < 50_000; step++) {
    if (prng.below(2) === 0) {
      const slot = slab.take();
      if (slot === -1) {
        if (taken.length !== 100) t.fail('refused before it was empty');
        continue;
      }
      if (isTaken.has(slot) || slot % 512 !== 0 || slot >= 51_200) t.fail(`slot ${slot}`);
      isTaken.add(slot);
      taken.push(slot);
    } else if (taken.length > 0) {
      const at = prng.below(taken.length);
      const slot = taken[at];
      taken[at] = taken[taken.length - 1];
      taken.pop();
      isTaken.delete(slot);
      slab.give(slot + prng.below(512));
    }
    if (slab.freeCount !== 100 - taken.length) t.fail('the count is wrong');
  }
  t.end();
});

t.test('frames to send have taken all they may → those that come in still find slots', (t) => {
  const slab = new FrameSlab({ slots: 80, slotBytes: 512 });
  t.equal(slab.receiveReserve, 10);
  const sent: number[] = [];
  for (let slot = slab.takeToSend(); slot >= 0; slot = slab.takeToSend()) sent.push(slot);
  t.equal(sent.length, 70);
  t.equal(slab.freeToSend, 0);
  const received: number[] = [];
  for (let slot = slab.take(); slot >= 0; slot = slab.take()) received.push(slot);
  t.equal(received.length, 10);
  t.equal(slab.takeToSend(), -1);
  const { used, limit, reserve, highWater, refused } = slab.report();
  t.same({ used, limit, reserve, highWater, refused }, { used: 80, limit: 80, reserve: 10, highWater: 80, refused: 3 });
  for (const slot of [...sent, ...received]) slab.give(slot);
  t.equal(slab.report().used, 0);
  t.equal(new FrameSlab({ slots: 4096 }).receiveReserve, 64);
  t.end();
});
