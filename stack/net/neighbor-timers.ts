import { TimerWheel } from '../time/timer-wheel.js';
import type { Context } from './context.js';

const enum Bit {
  /** The row is among those that the next flush looks at. */
  LISTED = 1,
  /** Its timer came up late, and waits for one more turn. */
  PUT_OFF = 2,
}

/** One timer for each neighbour. What waits for an answer counts from when the question is sent (docs/decisions/time.md). */
export class NeighborTimers {
  readonly #ctx: Context;
  readonly #wheel: TimerWheel;
  readonly #bits: Uint8Array;
  /** Timers armed since the last flush for the answer to what it sends: the rows, and how long each waits, ms; 0: no more. */
  readonly #unsent: Int32Array;
  readonly #unsentMs: Int32Array;
  #unsentCount = 0;

  constructor(ctx: Context, max: number) {
    this.#ctx = ctx;
    this.#wheel = new TimerWheel(max, ctx.clock.ms);
    this.#bits = new Uint8Array(max);
    this.#unsent = new Int32Array(max);
    this.#unsentMs = new Int32Array(max);
  }

  arm(row: number, ms: number): void {
    this.#unsentMs[row] = 0;
    this.#bits[row] &= ~Bit.PUT_OFF;
    this.#wheel.arm(row, (this.#ctx.clock.ms + ms) | 0);
  }

  /**
   * Arms the timer for the answer to what the next flush sends. It counts from then: a program may call long before (RFC 4861 §7.2.2 and
   * §7.3.3; RFC 1122 §2.3.2.1: one request a second at most).
   */
  armAtFlush(row: number, ms: number): void {
    this.arm(row, ms);
    this.#unsentMs[row] = ms;
    if ((this.#bits[row] & Bit.LISTED) !== 0) return;
    this.#bits[row] |= Bit.LISTED;
    this.#unsent[this.#unsentCount++] = row;
  }

  cancel(row: number): void {
    this.#unsentMs[row] = 0;
    this.#wheel.cancel(row);
  }

  /** A flush has sent what the timers wait for the answer to. */
  sent(): void {
    for (let i = 0; i < this.#unsentCount; i++) {
      const row = this.#unsent[i];
      this.#bits[row] &= ~Bit.LISTED;
      if (this.#unsentMs[row] !== 0) this.arm(row, this.#unsentMs[row]);
    }
    this.#unsentCount = 0;
  }

  /** A row whose time has come, or -1. A timer whose question no flush has sent yet goes on waiting. */
  expire(): number {
    const now = this.#ctx.clock.ms;
    let row = this.#wheel.expire(now);
    for (; row >= 0 && this.#unsentMs[row] !== 0; row = this.#wheel.expire(now)) {
      this.#wheel.arm(row, (now + this.#unsentMs[row]) | 0);
    }
    return row;
  }

  /**
   * For a question that nobody has answered. A timer that comes up late waits for one more turn: nobody has listened so long, and with both
   * hosts in one process the answer is ours to give. True when the row that has just expired is to wait.
   */
  putOff(row: number): boolean {
    const now = this.#ctx.clock.ms;
    if (((now - this.#wheel.deadlineOf(row)) | 0) <= 0 || (this.#bits[row] & Bit.PUT_OFF) !== 0) return false;
    this.#wheel.arm(row, now);
    this.#bits[row] |= Bit.PUT_OFF;
    return true;
  }

  msToNext(): number {
    return this.#wheel.msToNext(this.#ctx.clock.ms);
  }
}
