/**
 * SipHash-2-4 (Aumasson and Bernstein) of eight bytes, with its full key of 128 bits and result of 64: for what leaves the host as a proof, where the short hash of
 * `keyed-hash.ts` would not do. The words are 64 bits wide and JavaScript's integers 32, so each is a pair, low half first.
 */

/** v0 to v3. One record: nothing here calls anything. */
const v = new Int32Array(8);

/** `key`: four words, little-endian, from `at` on. `low` and `high`: the message's eight bytes, little-endian. The result is written to `into[0]` (low half) and `into[1]`. */
export function sipHash8(key: Int32Array, at: number, low: number, high: number, into: Int32Array): void {
  v[0] = key[at] ^ 0x70736575;
  v[1] = key[at + 1] ^ 0x736f6d65;
  v[2] = key[at + 2] ^ 0x6e646f6d;
  v[3] = key[at + 3] ^ 0x646f7261;
  v[4] = key[at] ^ 0x6e657261;
  v[5] = key[at + 1] ^ 0x6c796765;
  v[6] = key[at + 2] ^ 0x79746573;
  v[7] = key[at + 3] ^ 0x74656462;
  absorb(low, high);
  // The last block: no bytes left, and the length on top.
  absorb(0, 8 << 24);
  v[4] ^= 0xff;
  for (let i = 0; i < 4; i++) round();
  into[0] = v[0] ^ v[2] ^ v[4] ^ v[6];
  into[1] = v[1] ^ v[3] ^ v[5] ^ v[7];
}

function absorb(low: number, high: number): void {
  v[6] ^= low;
  v[7] ^= high;
  round();
  round();
  v[0] ^= low;
  v[1] ^= high;
}

function round(): void {
  add(0, 2);
  rotate(2, 13);
  mix(2, 0);
  swap(0);
  add(4, 6);
  rotate(6, 16);
  mix(6, 4);
  add(0, 6);
  rotate(6, 21);
  mix(6, 0);
  add(4, 2);
  rotate(2, 17);
  mix(2, 4);
  swap(4);
}

function add(to: number, from: number): void {
  const low = (v[to] >>> 0) + (v[from] >>> 0);
  v[to + 1] = (v[to + 1] + v[from + 1] + (low > 0xffff_ffff ? 1 : 0)) | 0;
  v[to] = low | 0;
}

/** To the left, by fewer than 32 bits. */
function rotate(at: number, bits: number): void {
  const low = v[at];
  const high = v[at + 1];
  v[at] = (low << bits) | (high >>> (32 - bits));
  v[at + 1] = (high << bits) | (low >>> (32 - bits));
}

function mix(to: number, from: number): void {
  v[to] ^= v[from];
  v[to + 1] ^= v[from + 1];
}

/** To the left by 32 bits. */
function swap(at: number): void {
  const low = v[at];
  v[at] = v[at + 1];
  v[at + 1] = low;
}
