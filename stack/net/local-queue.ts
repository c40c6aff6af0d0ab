import type { PoolReport } from '../memory/pool-report.js';
import { Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';

/**
 * Datagrams from ourselves to ourselves. They wait, bounded, for `Network.deliverLocal`: delivered at once they would re-enter the
 * transport that is sending, and two ends in one stack could send to each other for ever within one call.
 */
export class LocalQueue {
  readonly #ctx: Context;
  readonly #offsets: Int32Array;
  readonly #lengths: Int32Array;
  #head = 0;
  #count = 0;
  #highWater = 0;
  #refused = 0;

  constructor(ctx: Context) {
    this.#ctx = ctx;
    this.#offsets = new Int32Array(ctx.limits.localQueueFrames);
    this.#lengths = new Int32Array(ctx.limits.localQueueFrames);
  }
  get length(): number {
    return this.#count;
  }
  get room(): number {
    return this.#offsets.length - this.#count;
  }
  /** Control path. */
  report(): PoolReport {
    return {
      name: 'net.localQueue',
      unit: 'frames',
      used: this.#count,
      limit: this.#offsets.length,
      reserve: 0,
      highWater: this.#highWater,
      refused: this.#refused,
      evicted: 0,
    };
  }
  /** Takes the slot that `at`, the IP header, lies in. */
  push(at: number, length: number): Verdict {
    if (this.#count === this.#offsets.length) {
      this.#ctx.slab.give(at);
      this.#refused += 1;
      this.#ctx.stats.ipOutDiscards += 1;
      return Verdict.NO_BUFFER;
    }
    const i = (this.#head + this.#count) % this.#offsets.length;
    this.#offsets[i] = at;
    this.#lengths[i] = length;
    this.#count += 1;
    if (this.#count > this.#highWater) this.#highWater = this.#count;
    this.#ctx.stats.ipLoopback += 1;
    return Verdict.OK;
  }
  /** Offset and length of the oldest; `shift` takes it off, and its slot is the caller's. */
  headAt(): number {
    return this.#offsets[this.#head];
  }
  headLength(): number {
    return this.#lengths[this.#head];
  }
  shift(): void {
    this.#head = (this.#head + 1) % this.#offsets.length;
    this.#count -= 1;
  }
}
