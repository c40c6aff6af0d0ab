import type { Prng } from '../base/prng.js';
import type { Clock } from '../time/clock.js';

/** Tokens at the bottom of the bucket that are given out by chance. */
const BLUR = 3;

/**
 * RFC 1812 §4.3.2.8: a rate limit that lets a short burst pass. The last few tokens are given out by chance: a limit that is exact and
 * shared by all can be counted from outside, to learn which ports are in use (CVE-2020-25705; Linux blurs it the same way).
 */
export class TokenBucket {
  readonly #clock: Clock;
  readonly #prng: Prng;
  readonly #perSecond: number;
  readonly #creditMax: number;
  /** In thousandths of a token: what a millisecond brings is a whole number of them. */
  #credit: number;
  #creditMs: number;

  constructor(clock: Clock, prng: Prng, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#prng = prng;
    this.#perSecond = perSecond;
    this.#creditMax = burst * 1000;
    this.#credit = this.#creditMax;
    this.#creditMs = clock.ms;
  }

  /** Takes a token; false when there is none. */
  take(): boolean {
    const now = this.#clock.ms;
    const elapsed = (now - this.#creditMs) | 0;
    if (elapsed > 0) {
      this.#creditMs = now;
      this.#credit = Math.min(this.#creditMax, this.#credit + elapsed * this.#perSecond);
    }
    if (this.#credit < 1000 + this.#prng.below(BLUR * 1000)) return false;
    this.#credit -= 1000;
    return true;
  }

  /** One that was taken counts no longer. */
  giveBack(): void {
    this.#credit = Math.min(this.#creditMax, this.#credit + 1000);
  }
}
