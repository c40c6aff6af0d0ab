/**
 * The stack's randomness: xoshiro128** (Blackman and Vigna, 2018), its state spread from one seed by splitmix32. The same
 * seed gives the same numbers on every machine, which is what makes a run repeatable. It is not a cipher: whatever a peer
 * must not guess (initial sequence numbers, ports, hash secrets) is keyed from a seed of the operating system's entropy,
 * and never shows this generator's output itself.
 */
export class Prng {
  #a: number;
  #b: number;
  #c: number;
  #d: number;

  /** Any number; its lower 32 bits count. */
  constructor(seed: number) {
    const gamma = 0x9e3779b9;
    this.#a = mix(seed + gamma);
    this.#b = mix(seed + 2 * gamma);
    this.#c = mix(seed + 3 * gamma);
    this.#d = mix(seed + 4 * gamma);
    // `mix` is a bijection and its four arguments differ, so at most one word is zero: never the forbidden all-zero state.
  }

  /** Uniform over all int32. */
  next(): number {
    const b = this.#b;
    const scrambled = Math.imul(b, 5);
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9);
    this.#c ^= this.#a;
    this.#d ^= b;
    this.#b ^= this.#c;
    this.#a ^= this.#d;
    this.#c ^= b << 9;
    this.#d = (this.#d << 11) | (this.#d >>> 21);
    return result;
  }

  /**
   * Uniform over 0 … n - 1, for 1 ≤ n ≤ 2^32, without the bias of a remainder: numbers from the incomplete last
   * stretch of n are thrown back. At most every second one is, and for small n next to none.
   */
  below(n: number): number {
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % n);
    let x = this.next() >>> 0;
    while (x >= limit) x = this.next() >>> 0;
    return x % n;
  }

  /** Uniform over [0, 1), in steps of 2^-32: fine enough for a probability of loss or a jitter. */
  fraction(): number {
    return (this.next() >>> 0) / 0x1_0000_0000;
  }
}

/** The output function of splitmix32: every bit of the result depends on every bit of `x`. */
function mix(x: number): number {
  x = Math.imul(x ^ (x >>> 16), 0x21f0aaad);
  x = Math.imul(x ^ (x >>> 15), 0x735a2d97);
  return x ^ (x >>> 15);
}
