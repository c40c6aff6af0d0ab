import t from 'tap';
import { keyedHash, keyedHash4 } from '../../../stack/base/keyed-hash.js';
import { Prng } from '../../../stack/base/prng.js';

t.test('the key and messages of the reference implementation → its HalfSipHash-2-4 results', (t) => {
  // Key 00 01 … 07; message 00 01 … of 12 and of 16 bytes; results 57 f0 87 2f and d9 b5 ac 84, all little-endian.
  const [w0, w1, w2, w3] = [0x03020100, 0x07060504, 0x0b0a0908, 0x0f0e0d0c];
  t.equal(keyedHash(w0, w1, w0, w1, w2), 0x2f87f057);
  t.equal(keyedHash4(w0, w1, w0, w1, w2, w3), 0x84acb5d9 | 0);
  t.end();
});

t.test('one bit of input or key flipped → half the bits of the result flip', (t) => {
  const prng = new Prng(1);
  const flips = new Float64Array(160);
  const trials = 400;
  for (let trial = 0; trial < trials; trial++) {
    const words = [prng.next(), prng.next(), prng.next(), prng.next(), prng.next()];
    const before = keyedHash(words[0], words[1], words[2], words[3], words[4]);
    for (let bit = 0; bit < 160; bit++) {
      const changed = words.slice();
      changed[bit >> 5] ^= 1 << (bit & 31);
      let difference = before ^ keyedHash(changed[0], changed[1], changed[2], changed[3], changed[4]);
      for (; difference !== 0; difference &= difference - 1) flips[bit] += 1;
    }
  }
  // 400 trials of 32 bits: mean 16, standard error 0.14.
  for (const each of flips) t.ok(Math.abs(each / trials - 16) < 0.8, `${each / trials}`);
  t.end();
});

t.test('neighbouring ports and addresses → spread evenly over a table', (t) => {
  const buckets = new Int32Array(1024);
  for (let host = 0; host < 16; host++) {
    for (let port = 0; port < 4096; port++) {
      buckets[keyedHash(11, 22, 0x0a000001 + host, 0x0a0000fe, (port << 16) | 80) & 1023] += 1;
    }
  }
  let chiSquared = 0;
  for (const count of buckets) chiSquared += (count - 64) ** 2 / 64;
  t.ok(chiSquared < 1023 + 6 * Math.sqrt(2046), `χ² ${chiSquared}`);
  t.end();
});

t.test('three words, four words with a zero → different: the length is part of what is hashed', (t) => {
  t.not(keyedHash(1, 2, 3, 4, 5), keyedHash4(1, 2, 3, 4, 5, 0));
  t.end();
});

t.test('a number and the int32 of the same bits → the same hash', (t) => {
  t.equal(
    keyedHash(0xfffffffe, 0x80000000, 0xdeadbeef, 0xc0a80001, 1),
    keyedHash(-2, 0x80000000 | 0, 0xdeadbeef | 0, 0xc0a80001 | 0, 1),
  );
  t.end();
});
