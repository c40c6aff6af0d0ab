import t, { type Test } from 'tap';
import { KeyHash, keyedHash } from '../../../stack/base/keyed-hash.js';
import { Prng } from '../../../stack/base/prng.js';
import { HashIndex } from '../../../stack/memory/hash-index.js';

const STRIDE = 4;

function setKey(keys: Int32Array, row: number, a: number, b: number, c: number): void {
  keys[row * STRIDE] = a;
  keys[row * STRIDE + 1] = b;
  keys[row * STRIDE + 2] = c;
}

t.test('a key never inserted → -1', (t) => {
  const index = new HashIndex(new Int32Array(STRIDE * 10), STRIDE, new KeyHash(1, 2));
  t.equal(index.find(0, 0, 0), -1, 'not even the key of untouched rows');
  t.equal(index.size, 0);
  t.end();
});

t.test('keys that differ in one int only → each its own row', (t) => {
  const keys = new Int32Array(STRIDE * 10);
  const index = new HashIndex(keys, STRIDE, new KeyHash(1, 2));
  setKey(keys, 0, 5, 6, 7);
  setKey(keys, 1, 4, 6, 7);
  setKey(keys, 2, 5, 5, 7);
  setKey(keys, 3, 5, 6, -7);
  for (let row = 0; row < 4; row++) index.insert(row);
  t.equal(index.find(5, 6, 7), 0);
  t.equal(index.find(4, 6, 7), 1);
  t.equal(index.find(5, 5, 7), 2);
  t.equal(index.find(5, 6, -7), 3);
  index.remove(0);
  t.equal(index.find(5, 6, 7), -1);
  t.equal(index.find(5, 6, -7), 3);
  t.end();
});

t.test('a row that is not in, taken out → stops the program', (t) => {
  const keys = new Int32Array(STRIDE * 10);
  const index = new HashIndex(keys, STRIDE, new KeyHash(1, 2));
  t.throws(() => index.remove(3), /in it/);
  setKey(keys, 3, 1, 2, 3);
  index.insert(3);
  setKey(keys, 3, 9, 9, 9);
  t.throws(() => index.remove(3), /in it/, 'nor under another key');
  setKey(keys, 3, 1, 2, 3);
  index.remove(3);
  t.throws(() => index.remove(3), /in it/);
  t.end();
});

t.test('a row put in twice → stops the program', (t) => {
  const keys = new Int32Array(STRIDE * 10);
  const index = new HashIndex(keys, STRIDE, new KeyHash(1, 2));
  setKey(keys, 4, 1, 2, 3);
  index.insert(4);
  t.throws(() => index.insert(4), /twice/);
  t.end();
});

t.test('another secret → another order of slots, the same answers', (t) => {
  const keys = new Int32Array(STRIDE * 500);
  for (let row = 0; row < 500; row++) setKey(keys, row, 0x0a000001, row, 443);
  for (let secret = 0; secret < 5; secret++) {
    const index = new HashIndex(keys, STRIDE, new KeyHash(secret, ~secret));
    for (let row = 0; row < 500; row++) index.insert(row);
    for (let row = 0; row < 500; row++) if (index.find(0x0a000001, row, 443) !== row) t.fail(`row ${row} is lost`);
  }
  t.end();
});

t.test('growing and shrinking → every key is found at every step of the way', (t) => {
  const rows = 3000;
  const keys = new Int32Array(STRIDE * rows);
  const index = new HashIndex(keys, STRIDE, new KeyHash(3, 4));
  let lost = 0;
  for (let row = 0; row < rows; row++) {
    setKey(keys, row, row * 65_536, 80, 1);
    index.insert(row);
    // While a table moves, the look-ups of every row so far; otherwise a sample.
    const step = row > 570 && row < 720 ? 1 : 97;
    for (let other = 0; other <= row; other += step) if (index.find(other * 65_536, 80, 1) !== other) lost += 1;
  }
  t.equal(index.capacity, 8192);
  for (let row = 0; row < rows; row++) {
    index.remove(row);
    const step = row > 2000 && row < 2200 ? 1 : 97;
    for (let other = 0; other < rows; other += step) {
      if (index.find(other * 65_536, 80, 1) !== (other <= row ? -1 : other)) lost += 1;
    }
  }
  t.equal(lost, 0);
  t.equal(index.size, 0);
  for (let i = 0; i < 3000; i++) {
    index.insert(7);
    index.remove(7);
  }
  t.equal(index.capacity, 1024, 'a table emptied gives its memory back, a few slots at a time');
  t.end();
});

interface Shape {
  readonly rows: number;
  readonly firstRow?: number;
  readonly stride?: number;
  /** The int of the key that tells keys apart; the others are alike. */
  readonly differs?: 0 | 1 | 2;
}

/** Random inserts, removals and look-ups beside a Map, drifting between few and many. */
function fuzz(t: Test, seed: number, steps: number, shape: Shape): number {
  const { rows, firstRow = 0, stride = 4, differs } = shape;
  const part = (name: number, which: 0 | 1 | 2): number => {
    if (differs !== undefined) return which === differs ? name : 7;
    return which === 0 ? name & 0xf : which === 1 ? name >>> 4 : -name;
  };
  const prng = new Prng(seed);
  const keys = new Int32Array((firstRow + rows) * stride);
  const index = new HashIndex(keys, stride, new KeyHash(prng.next(), prng.next()));
  const model = new Map<number, number>();
  const used: number[] = [];
  const free: number[] = [];
  for (let i = 0; i < rows; i++) free.push(firstRow + i);
  const keysMax = rows * 2;
  let growing = true;
  let digest = 0;
  let capacityMax = 0;
  for (let step = 0; step < steps; step++) {
    if (free.length === 0) growing = false;
    if (used.length < rows >>> 6) growing = true;
    if ((prng.below(3) !== 0) === growing && free.length > 0) {
      const name = prng.below(keysMax);
      if (!model.has(name)) {
        const row = free.pop() ?? -1;
        keys[row * stride] = part(name, 0);
        keys[row * stride + 1] = part(name, 1);
        keys[row * stride + 2] = part(name, 2);
        index.insert(row);
        model.set(name, row);
        used.push(name);
      }
    } else if (used.length > 0) {
      const at = prng.below(used.length);
      const name = used[at];
      used[at] = used[used.length - 1];
      used.pop();
      const row = model.get(name) ?? -1;
      index.remove(row);
      // The row is somebody else's at once.
      keys[row * stride] = prng.next();
      model.delete(name);
      free.push(row);
    }
    for (let i = 0; i < 4; i++) {
      const name = prng.below(keysMax);
      const found = index.find(part(name, 0), part(name, 1), part(name, 2));
      digest = (Math.imul(digest, 31) + found) | 0;
      if (found !== (model.get(name) ?? -1)) {
        t.fail(`seed ${seed}, step ${step}: key ${name} gives row ${found}`);
        return digest;
      }
    }
    if (index.size !== model.size) {
      t.fail(`seed ${seed}, step ${step}: size ${index.size} beside ${model.size}`);
      return digest;
    }
    capacityMax = Math.max(capacityMax, index.capacity);
  }
  for (const [name, row] of model) {
    if (index.find(part(name, 0), part(name, 1), part(name, 2)) !== row) t.fail(`seed ${seed}: key ${name} is lost`);
  }
  t.ok(index.size * 16 <= index.capacity * 9, 'never fuller than it may be');
  t.ok(capacityMax >= rows, 'it grew');
  return digest;
}

t.test('random inserts, removals, look-ups → as a Map', (t) => {
  fuzz(t, 1, 200_000, { rows: 20_000 });
  fuzz(t, 2, 100_000, { rows: 3000, stride: 3 });
  t.end();
});

t.test('row numbers that leave few hash bits in a slot → as a Map', (t) => {
  // Eight hash bits: many a slot of another key must be told by its row.
  for (const differs of [0, 1, 2] as const) {
    fuzz(t, 3, 40_000, { rows: 8000, firstRow: 0x7f_f000, stride: 3, differs });
  }
  t.end();
});

t.test('the same seed twice → the same answers', (t) => {
  t.equal(fuzz(t, 4, 8000, { rows: 2000 }), fuzz(t, 4, 8000, { rows: 2000 }));
  t.end();
});

t.test('tables that share a hash → each finds its own rows, whoever was asked last', (t) => {
  const hash = new KeyHash(5, 6);
  const tables = [1, 2, 3].map((by) => {
    const keys = new Int32Array(STRIDE * 50);
    const index = new HashIndex(keys, STRIDE, hash);
    for (let row = 0; row < 50; row++) {
      setKey(keys, row, row * by, by, 80);
      index.insert(row);
    }
    return { by, index };
  });
  for (let row = 0; row < 50; row++)
    for (const { by, index } of tables) t.equal(index.find(row * by, by, 80), row, `row ${row} of table ${by}`);
  t.end();
});

t.test('KeyHash → what keyedHash says, for a key that was asked for before and for one that was not', (t) => {
  const hash = new KeyHash(7, 8);
  const keys = [
    [0, 0, 0],
    [1, 2, 3],
    [1, 2, 3],
    [1, 2, 4],
    [9, 2, 4],
    [9, 1, 4],
    [0, 0, 0],
  ];
  for (const [a, b, c] of keys) t.equal(hash.of(a, b, c), keyedHash(7, 8, a, b, c), `${a} ${b} ${c}`);
  t.end();
});
