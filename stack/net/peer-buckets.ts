import type { Clock } from '../time/clock.js';

/** Peers are told apart by a hash of that many values: two of one value share its tokens. 8 KiB. */
const PEERS = 1024;

/** A rate for each of many peers, as `TokenBucket` is one for all. A peer without a history has all its tokens, so nothing needs to be made for it. */
export class PeerBuckets {
  readonly #clock: Clock;
  readonly #perSecond: number;
  readonly #burst: number;
  /** Thousandths of a token that are missing, and since when they come back. */
  readonly #missing = new Int32Array(PEERS);
  readonly #sinceMs = new Int32Array(PEERS);

  constructor(clock: Clock, perSecond: number, burst: number) {
    this.#clock = clock;
    this.#perSecond = perSecond;
    this.#burst = burst * 1000;
  }

  has(hash: number): boolean {
    const i = hash & (PEERS - 1);
    const now = this.#clock.ms;
    const elapsed = (now - this.#sinceMs[i]) | 0;
    this.#sinceMs[i] = now;
    // A clock that went round counts as a long silence.
    if (elapsed < 0) this.#missing[i] = 0;
    else if (elapsed > 0) this.#missing[i] = Math.max(0, this.#missing[i] - elapsed * this.#perSecond);
    return this.#missing[i] + 1000 <= this.#burst;
  }
  take(hash: number): void {
    this.#missing[hash & (PEERS - 1)] += 1000;
  }
}
