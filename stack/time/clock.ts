import { assert } from '../base/assert.js';
import type { Us } from '../base/units.js';

/**
 * The stack's only notion of time: what it was last told. It stands still while a turn runs, so everything done in one turn
 * happens at one instant, and a recording replays to the same bytes.
 */
export class Clock {
  #us: Us;
  #ms: number;
  #us32: number;

  constructor(now: Us = 0 as Us) {
    this.#us = now;
    this.#ms = Math.floor(now / 1000) | 0;
    this.#us32 = now | 0;
  }

  /** Microseconds, exact, below 2^53. */
  get us(): Us {
    return this.#us;
  }
  /** Whole milliseconds modulo 2^32, as an int32: for timers and RFC 7323 timestamps; compare by signed difference. */
  get ms(): number {
    return this.#ms;
  }
  /** Microseconds modulo 2^32, as an int32: for round-trip times, which are far below the 35 minutes half of it is. */
  get us32(): number {
    return this.#us32;
  }

  advance(now: Us): void {
    assert(now >= this.#us, 'time does not go back');
    this.#us = now;
    this.#ms = Math.floor(now / 1000) | 0;
    this.#us32 = now | 0;
  }
}
