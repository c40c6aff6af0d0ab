import type { Context } from './context.js';
import { TokenBucket } from './token-bucket.js';

/** How often TCP may answer strangers. ICMP's and ARP's limits are with those who answer. */
export class AnswerLimits {
  readonly #ctx: Context;
  readonly #resets: TokenBucket;
  readonly #synAnswers: TokenBucket;

  constructor(ctx: Context) {
    const { clock, prng, limits } = ctx;
    this.#ctx = ctx;
    this.#resets = new TokenBucket(clock, prng, limits.resetsPerSecond, limits.resetsBurst);
    this.#synAnswers = new TokenBucket(clock, prng, limits.synAnswersPerSecond, limits.synAnswersBurst);
  }

  /** May a RST be sent to a segment that belongs to no connection? Counts it when not. */
  mayReset(): boolean {
    if (this.#resets.take()) return true;
    this.#ctx.stats.tcpOutRstsRateLimited += 1;
    return false;
  }

  /** May a SYN be answered? Counts it when not. */
  mayAnswerSyn(): boolean {
    if (this.#synAnswers.take()) return true;
    this.#ctx.stats.tcpSynRateLimited += 1;
    return false;
  }
  /** The one who sent a SYN has become a connection: only the others count. */
  synWasHonest(): void {
    this.#synAnswers.giveBack();
  }
}
