import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';

/** xoshiro128** and splitmix32 as their papers put them, in BigInt: slow, and written apart from ours. */
function reference(seed: number): () => number {
  const u32 = (x: bigint) => x & 0xffffffffn;
  const rotl = (x: bigint, k: bigint) => u32(x << k) | (x >> (32n - k));
  let counter = BigInt(seed >>> 0);
  const state = [0, 1, 2, 3].map(() => {
    counter = u32(counter + 0x9e3779b9n);
    let z = counter;
    z = u32((z ^ (z >> 16n)) * 0x21f0aaadn);
    z = u32((z ^ (z >> 15n)) * 0x735a2d97n);
    return z ^ (z >> 15n);
  });
  return () => {
    const result = u32(rotl(u32(state[1] * 5n), 7n) * 9n);
    const shifted = u32(state[1] << 9n);
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotl(state[3], 11n);
    return Number(result) | 0;
  };
}

t.test('several seeds → the numbers of xoshiro128** over splitmix32', (t) => {
  for (const seed of [0, 1, 42, -1, 0x7fffffff, 0x80000000]) {
    const ours = new Prng(seed);
    const theirs = reference(seed);
    let different = 0;
    for (let i = 0; i < 1000; i++) if (ours.next() !== theirs()) different += 1;
    t.equal(different, 0, `seed ${seed}`);
  }
  t.end();
});

t.test('the same seed twice → the same numbers; a neighbouring seed → others', (t) => {
  const [a, b, c] = [new Prng(7), new Prng(7), new Prng(8)];
  let equalToOther = 0;
  for (let i = 0; i < 1000; i++) {
    const x = a.next();
    t.equal(x, b.next());
    if (x === c.next()) equalToOther += 1;
  }
  t.ok(equalToOther < 3);
  t.end();
});

t.test('below, any n → in range, and every value about as often as the others', (t) => {
  const prng = new Prng(1);
  for (const n of [1, 2, 3, 7, 10, 100]) {
    const counts = new Int32Array(n);
    const draws = 20000 * Math.min(n, 10);
    for (let i = 0; i < draws; i++) counts[prng.below(n)] += 1;
    const expected = draws / n;
    let chiSquared = 0;
    for (const count of counts) chiSquared += (count - expected) ** 2 / expected;
    // Mean n - 1, standard deviation sqrt(2(n - 1)): six of those is never, unless something is wrong.
    t.ok(chiSquared <= n - 1 + 6 * Math.sqrt(2 * n), `n = ${n}: χ² ${chiSquared}`);
  }
  t.end();
});

t.test('below, n just above 2^31 → not twice as often below as above the middle', (t) => {
  // A bare remainder would give every number below 2^30 two chances.
  const prng = new Prng(3);
  const n = 3 * 2 ** 30;
  let low = 0;
  let outside = 0;
  for (let i = 0; i < 30000; i++) {
    const x = prng.below(n);
    if (x < 0 || x >= n) outside += 1;
    if (x < 2 ** 30) low += 1;
  }
  t.equal(outside, 0);
  t.ok(Math.abs(low - 10000) < 500, `${low} of 30000 in the lower third`);
  t.equal(new Prng(9).below(2 ** 32), new Prng(9).next() >>> 0);
  t.end();
});

t.test('fraction → in [0, 1), mean one half', (t) => {
  const prng = new Prng(5);
  let sum = 0;
  let least = 1;
  let most = 0;
  for (let i = 0; i < 100000; i++) {
    const x = prng.fraction();
    sum += x;
    least = Math.min(least, x);
    most = Math.max(most, x);
  }
  t.ok(least >= 0 && least < 0.001);
  t.ok(most < 1 && most > 0.999);
  t.ok(Math.abs(sum / 100000 - 0.5) < 0.005);
  t.end();
});
