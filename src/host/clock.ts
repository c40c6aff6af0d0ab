import type { Us } from '../../stack/base/units.js';
import type { TimeSource } from '../../stack/time/clock.js';

/** Where a host has the time from. */
export interface HostClock extends TimeSource {}

/**
 * The process's monotonic clock. `performance.now()` and not `process.hrtime()`: both read CLOCK_MONOTONIC, but the one
 * returns a double and the other an array or a BigInt, and a turn allocates nothing. Its double has a resolution better than
 * a microsecond for the first 200 years.
 */
export const monotonicClock: HostClock = {
  now(): Us {
    return Math.floor(performance.now() * 1000) as Us;
  },
};

/** A clock that stands still until it is set: time in a `VirtualWorld`. */
export class VirtualClock implements HostClock {
  #now: number;
  constructor(startUs = 0) {
    this.#now = startUs;
  }
  now(): Us {
    return this.#now as Us;
  }
  set(us: number): void {
    if (us > this.#now) this.#now = us;
  }
}
