import t, { type Test } from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { ByteArena } from '../../../stack/memory/byte-arena.js';

/** Bytes that tell where they came from: a stream's n-th byte depends on n and on the stream. */
function pattern(count: number, seed: number): Uint8Array {
  const bytes = new Uint8Array(count);
  for (let i = 0; i < count; i++) bytes[i] = (i * 7 + (i >>> 8) * 13 + seed * 31) & 0xff;
  return bytes;
}

function contents(arena: ByteArena, queue: number): Uint8Array {
  const out = new Uint8Array(arena.length(queue));
  arena.copyOut(queue, 0, out, 0, out.length);
  return out;
}

t.test('an empty queue → 0, no bytes, no chunks', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 4 });
  t.equal(arena.length(0), 0);
  t.equal(arena.frontLength(0), 0);
  t.equal(arena.append(0, new Uint8Array(8), 0, 0), 0);
  t.equal(arena.moved, 0);
  t.equal(arena.read(0, new Uint8Array(8), 0, 8), 0);
  t.equal(arena.moved, 0);
  t.equal(arena.drop(0, 0), 0);
  t.equal(arena.truncate(0, 5), 0);
  t.equal(arena.concat(0, 0), 0);
  arena.free(0);
  t.equal(arena.chunksFree, 4);
  t.end();
});

t.test('small writes, one after another → share chunks', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 8 });
  const source = pattern(128, 1);
  let queue = 0;
  for (let i = 0; i < 128; i++) queue = arena.append(queue, source, i, 1);
  t.equal(arena.chunksFree, 6);
  t.same(contents(arena, queue), source);
  t.end();
});

t.test('append beyond the memory there is → takes what fits and says how much', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 3 });
  const source = pattern(300, 2);
  let queue = arena.append(0, source, 0, 10);
  queue = arena.append(queue, source, 10, 290);
  t.equal(arena.moved, 182);
  t.equal(arena.length(queue), 192);
  t.equal(arena.chunksFree, 0);
  t.same(contents(arena, queue), source.subarray(0, 192));
  t.equal(arena.append(0, source, 0, 1), 0, 'a new queue finds nothing');
  t.equal(arena.moved, 0);
  t.equal(arena.append(queue, source, 0, 5), queue, 'nor does the full one');
  t.equal(arena.moved, 0);
  queue = arena.drop(queue, 64);
  queue = arena.append(queue, source, 192, 100);
  t.equal(arena.moved, 64, 'a dropped chunk is used again');
  t.same(contents(arena, queue), source.subarray(64, 256));
  t.end();
});

t.test('drop to the last byte → the queue is 0 and its memory free', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 8 });
  const queue = arena.append(0, pattern(300, 3), 0, 300);
  const rest = arena.drop(queue, 299);
  t.equal(arena.length(rest), 1);
  t.equal(arena.chunksFree, 7);
  t.equal(arena.bytes[arena.frontAt(rest)], pattern(300, 3)[299]);
  t.equal(arena.drop(rest, 1), 0);
  t.equal(arena.chunksFree, 8);
  t.end();
});

t.test('the front run, chunk by chunk → the stream', (t) => {
  const arena = new ByteArena({ chunkBytes: 128, chunksMax: 16 });
  const source = pattern(1000, 4);
  let queue = arena.append(0, source, 0, 1000);
  queue = arena.drop(queue, 37);
  let at = 37;
  while (queue !== 0) {
    const from = arena.frontAt(queue);
    const n = arena.frontLength(queue);
    t.same(arena.bytes.subarray(from, from + n), source.subarray(at, at + n));
    at += n;
    queue = arena.drop(queue, n);
  }
  t.equal(at, 1000);
  t.end();
});

t.test('single bytes out of order, joined → one chunk, not one each', (t) => {
  const arena = new ByteArena({ chunkBytes: 256, chunksMax: 300 });
  const source = pattern(256, 5);
  const pieces: number[] = [];
  for (let i = 0; i < 256; i++) pieces.push(arena.append(0, source, i, 1));
  t.equal(arena.chunksFree, 300 - 256);
  while (pieces.length > 1) {
    const joined: number[] = [];
    for (let i = 0; i < pieces.length; i += 2) joined.push(arena.concat(pieces[i], pieces[i + 1]));
    pieces.splice(0, pieces.length, ...joined);
  }
  t.equal(arena.chunksFree, 299);
  t.same(contents(arena, pieces[0]), source);
  t.end();
});

t.test('a partly read chunk and a small one, joined → the bytes slide down and share it', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 4 });
  const source = pattern(100, 6);
  const front = arena.drop(arena.append(0, source, 0, 60), 50);
  const queue = arena.concat(front, arena.append(0, source, 60, 40));
  t.equal(arena.chunksFree, 3);
  t.same(contents(arena, queue), source.subarray(50, 100));
  t.end();
});

t.test('retransmission and new data read in turn, over a thousand chunks → the same bytes', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 1200 });
  const source = pattern(64 * 1000, 7);
  let queue = arena.append(0, source, 0, source.length);
  const into = new Uint8Array(100);
  let low = 0;
  let high = 40_000;
  let dropped = 0;
  while (high + 100 <= source.length - dropped) {
    arena.copyOut(queue, low, into, 0, 100);
    t.ok(same(into, source, dropped + low, 100), 'what is sent again');
    arena.copyOut(queue, high, into, 0, 100);
    t.ok(same(into, source, dropped + high, 100), 'what is new');
    low += 150;
    high += 100;
    if (low > 3000) {
      queue = arena.drop(queue, 2345);
      dropped += 2345;
      low -= 2345;
      high -= 2345;
    }
  }
  t.end();
});

t.test('a name that is dead → stops the program', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 8 });
  const source = pattern(200, 8);
  const queue = arena.append(0, source, 0, 200);
  arena.free(queue);
  t.throws(() => arena.free(queue), /head/);
  t.throws(() => arena.length(queue), /head/);
  t.throws(() => arena.append(queue, source, 0, 1), /head/);
  const first = arena.append(0, source, 0, 64);
  const second = arena.append(0, source, 0, 64);
  t.equal(arena.concat(first, second), first);
  t.throws(() => arena.drop(second, 1), /head/, 'a queue that went into another has no name of its own');
  t.throws(() => arena.concat(first, first), /itself/);
  t.throws(() => arena.copyOut(first, 100, new Uint8Array(64), 0, 64), /lie in the queue/);
  t.throws(() => arena.drop(first, 129), /no more/);
  t.throws(() => arena.append(0, source, 190, 20), /source/);
  t.throws(() => arena.copyOut(first, 0, new Uint8Array(10), 5, 6), /target/);
  t.end();
});

t.test('layouts that cannot be → refused when made', (t) => {
  t.throws(() => new ByteArena({ chunkBytes: 100 }), /power of two/);
  t.throws(() => new ByteArena({ chunkBytes: 65_536 }), /power of two/);
  t.throws(() => new ByteArena({ chunksMax: 0 }), /at least one/);
  t.throws(() => new ByteArena({ chunkBytes: 4096, chunksMax: 524_288 }), /int32/);
  t.end();
});

interface Queue {
  name: number;
  bytes: Uint8Array;
}

function same(a: Uint8Array, b: Uint8Array, from: number, count: number): boolean {
  for (let i = 0; i < count; i++) if (a[i] !== b[from + i]) return false;
  return true;
}

/** Runs random operations beside plain arrays; a digest of all that was seen is the result. */
function fuzz(t: Test, seed: number, steps: number, chunkBytes: number, chunksMax: number, slices = false): number {
  const prng = new Prng(seed);
  const arena = new ByteArena({ chunkBytes, chunksMax, slices });
  const queues: Queue[] = [];
  for (let i = 0; i < 12; i++) queues.push({ name: 0, bytes: new Uint8Array(0) });
  const source = new Uint8Array(chunkBytes * 8);
  const into = new Uint8Array(chunkBytes * chunksMax + 16);
  let digest = 0;
  let exhausted = 0;
  let wrong = 0;
  for (let step = 0; step < steps; step++) {
    const queue = queues[prng.below(queues.length)];
    const held = queue.bytes.length;
    const size = prng.below(4) === 0 ? prng.below(source.length) : prng.below(40);
    switch (prng.below(12)) {
      case 0:
      case 1:
      case 2:
      case 3: {
        const from = prng.below(source.length - size + 1);
        for (let i = 0; i < size; i++) source[from + i] = prng.next();
        queue.name = arena.append(queue.name, source, from, size);
        if (arena.moved < size) {
          exhausted += 1;
          if (arena.chunksFree !== 0) wrong += 1;
        }
        const bytes = new Uint8Array(held + arena.moved);
        bytes.set(queue.bytes);
        bytes.set(source.subarray(from, from + arena.moved), held);
        queue.bytes = bytes;
        break;
      }
      case 4:
      case 5: {
        const n = Math.min(size, held);
        queue.name = arena.drop(queue.name, n);
        queue.bytes = queue.bytes.slice(n);
        break;
      }
      case 6: {
        queue.name = arena.read(queue.name, into, 3, size);
        if (arena.moved !== Math.min(size, held)) wrong += 1;
        if (!same(queue.bytes, into.subarray(3), 0, arena.moved)) wrong += 1;
        queue.bytes = queue.bytes.slice(arena.moved);
        break;
      }
      case 7: {
        const length = prng.below(held + 10);
        queue.name = arena.truncate(queue.name, length);
        queue.bytes = queue.bytes.slice(0, length);
        break;
      }
      case 8: {
        const other = queues[prng.below(queues.length)];
        if (other === queue) break;
        queue.name = arena.concat(queue.name, other.name);
        const bytes = new Uint8Array(held + other.bytes.length);
        bytes.set(queue.bytes);
        bytes.set(other.bytes, held);
        queue.bytes = bytes;
        other.name = 0;
        other.bytes = new Uint8Array(0);
        break;
      }
      case 9: {
        if (prng.below(20) !== 0) break;
        arena.free(queue.name);
        queue.name = 0;
        queue.bytes = new Uint8Array(0);
        break;
      }
      default: {
        const offset = prng.below(held + 1);
        const n = Math.min(size, held - offset);
        into[5 + n] = 0xa5;
        into[4] = 0x5a;
        arena.copyOut(queue.name, offset, into, 5, n);
        if (!same(into.subarray(5), queue.bytes, offset, n)) wrong += 1;
        if (into[4] !== 0x5a || into[5 + n] !== 0xa5) wrong += 1;
      }
    }
    if (arena.length(queue.name) !== queue.bytes.length) wrong += 1;
    if ((queue.name === 0) !== (queue.bytes.length === 0)) wrong += 1;
    if (step % 64 === 0 && arena.queued !== queues.reduce((sum, { name }) => sum + arena.chunksOf(name), 0)) wrong += 1;
    if (step % 16 === 0) {
      arena.copyOut(queue.name, 0, into, 0, queue.bytes.length);
      if (!same(into, queue.bytes, 0, queue.bytes.length)) wrong += 1;
      for (let i = 0; i < queue.bytes.length; i++) digest = (Math.imul(digest, 31) + into[i]) | 0;
    }
    digest = (Math.imul(digest, 31) + queue.name + arena.chunksFree) | 0;
    if (wrong !== 0) {
      t.fail(`seed ${seed}, step ${step}: the arena and the model differ`);
      return digest;
    }
  }
  t.ok(exhausted > 0, 'the memory ran out now and then');
  for (const queue of queues) arena.free(queue.name);
  t.equal(arena.chunksFree, chunksMax, 'nothing was lost');
  t.same([arena.queued, arena.slices.used], [0, 0], 'nor is anything still counted');
  t.equal(arena.chunksHighWater, chunksMax);
  return digest;
}

t.test('two hundred thousand random operations → as plain arrays', (t) => {
  fuzz(t, 1, 100_000, 64, 120);
  fuzz(t, 2, 60_000, 128, 80);
  fuzz(t, 3, 40_000, 4096, 12);
  fuzz(t, 6, 100_000, 64, 80, true);
  fuzz(t, 7, 60_000, 512, 20, true);
  fuzz(t, 8, 40_000, 4096, 12, true);
  t.end();
});

t.test('the same seed twice → the same names and bytes', (t) => {
  t.equal(fuzz(t, 4, 5000, 64, 100), fuzz(t, 4, 5000, 64, 100));
  t.not(fuzz(t, 4, 5000, 64, 100), fuzz(t, 5, 5000, 64, 100));
  t.end();
});

t.test('a thousand queues of one byte, with slices → sixteen share a chunk, and give it back with the last', (t) => {
  const arena = new ByteArena({ chunkBytes: 4096, chunksMax: 100, slices: true });
  const source = pattern(600, 3);
  const queues = Array.from({ length: 1000 }, (_, i) => arena.append(0, source, i % 600, 1));
  t.equal(new Set(queues).size, 1000);
  // As long as a sixteenth of the chunks is not used each takes one.
  t.equal(arena.chunksFree, 100 - 6 - 63);
  t.same([arena.queued, arena.slices.used], [6, 994]);
  queues.forEach((queue, i) => {
    t.equal(arena.bytes[arena.frontAt(queue)], source[i % 600]);
  });
  const grown = arena.append(queues[7] as number, source, 0, 600);
  t.same(
    contents(arena, grown),
    Uint8Array.from([source[7] as number, ...source]),
    'a queue that grows goes on in a chunk',
  );
  t.equal(arena.queued, 7);
  for (const queue of queues) if (queue !== grown) arena.free(queue);
  t.equal(arena.chunksFree, 98);
  arena.free(grown);
  t.equal(arena.chunksFree, 100);
  t.equal(arena.slices.highWater, 994);
  t.throws(() => arena.free(queues[8] as number), 'a slice is given back once');
  t.end();
});

t.test('slices, out of chunks → the last free slices go on serving; then nothing', (t) => {
  const arena = new ByteArena({ chunkBytes: 64, chunksMax: 2, slices: true });
  const source = pattern(64, 4);
  const whole = arena.append(0, source, 0, 64);
  const short = Array.from({ length: 17 }, () => arena.append(0, source, 0, 4));
  t.equal(short.filter((queue) => queue !== 0).length, 16);
  t.equal(arena.moved, 0);
  arena.free(whole);
  t.not(arena.append(0, source, 0, 4), 0);
  t.end();
});
