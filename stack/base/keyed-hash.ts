/**
 * HalfSipHash-2-4 (Aumasson and Bernstein's SipHash on 32-bit words) of a few whole words, with a 64-bit key and a 32-bit
 * result. A peer chooses the words (its address and port) but does not know the key, so it can neither aim many
 * connections at one bucket nor predict what is derived from them. 64 bits of key are short for a signature and
 * right for a table that lives as long as the process.
 */

/** Of 12 bytes: `a`, `b`, `c`, each little-endian. */
export function keyedHash(secret0: number, secret1: number, a: number, b: number, c: number): number {
  return halfSipHash(secret0, secret1, a, b, c, 0, 12);
}

/**
 * The hash of three words, which knows the last ones it was asked for. A segment looks for its connection in up to three
 * tables and may then enter one or leave one: under one key that is one hash. So is the next segment of the same
 * connection.
 */
export class KeyHash {
  readonly #secret0: number;
  readonly #secret1: number;
  #a = 0;
  #b = 0;
  #c = 0;
  #hash: number;

  constructor(secret0: number, secret1: number) {
    this.#secret0 = secret0;
    this.#secret1 = secret1;
    this.#hash = keyedHash(secret0, secret1, 0, 0, 0);
  }

  /** The same as `keyedHash`. */
  of(a: number, b: number, c: number): number {
    if (a !== this.#a || b !== this.#b || c !== this.#c) this.#renew(a, b, c);
    return this.#hash;
  }

  #renew(a: number, b: number, c: number): void {
    this.#a = a;
    this.#b = b;
    this.#c = c;
    this.#hash = keyedHash(this.#secret0, this.#secret1, a, b, c);
  }
}

/** Of 16 bytes. */
export function keyedHash4(secret0: number, secret1: number, a: number, b: number, c: number, d: number): number {
  return halfSipHash(secret0, secret1, a, b, c, d, 16);
}

function halfSipHash(
  secret0: number,
  secret1: number,
  a: number,
  b: number,
  c: number,
  d: number,
  bytes: number,
): number {
  let v0 = secret0 | 0;
  let v1 = secret1 | 0;
  let v2 = secret0 ^ 0x6c796765;
  let v3 = secret1 ^ 0x74656462;
  const words = bytes >>> 2;
  // The message, then the block of its length, then the finalization: the same round, so one loop over all of them.
  for (let i = 0; i <= words + 1; i++) {
    let m = 0;
    let rounds = 2;
    if (i < words) {
      m = i === 0 ? a : i === 1 ? b : i === 2 ? c : d;
    } else if (i === words) {
      m = bytes << 24;
    } else {
      v2 ^= 0xff;
      rounds = 4;
    }
    v3 ^= m;
    for (let round = 0; round < rounds; round++) {
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
    }
    v0 ^= m;
  }
  return v1 ^ v3;
}
