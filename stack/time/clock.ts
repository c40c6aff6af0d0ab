import { assert } from '../base/assert.js';
import type { Us } from '../base/units.js';

/** Where whoever drives a stack has the time from. */
export interface TimeSource {
  /** Microseconds, never going back; the origin does not matter. */
  now(): Us;
}

/**
 * The stack's only notion of time: what its driver says it is. It stands still while frames are processed, timers expire and
 * segments are sent, so that each of these happens at one instant, and a recording replays to the same bytes.
 *
 * Between turns a program calls the stack whenever it likes: seconds or hours after the last turn. A clock that stands still
 * would stamp such a call with the time of that turn. So the driver lends its source for as long as nobody takes a turn
 * (`follow`), and whatever reads the clock then asks that source. A call that needs no time costs nothing.
 */
export class Clock {
  #us: Us;
  #ms: number;
  #us32: number;
  /** Asked at each reading; null while the clock stands still. */
  #source: TimeSource | null = null;

  constructor(now: Us = 0 as Us) {
    this.#us = now;
    this.#ms = Math.floor(now / 1000) | 0;
    this.#us32 = now | 0;
  }

  /** Microseconds, exact, below 2^53. */
  get us(): Us {
    if (this.#source !== null) this.#ask();
    return this.#us;
  }
  /** Whole milliseconds modulo 2^32, as an int32: for timers and RFC 7323 timestamps; compare by signed difference. */
  get ms(): number {
    if (this.#source !== null) this.#ask();
    return this.#ms;
  }
  /** Microseconds modulo 2^32, as an int32: for round-trip times, which are far below the 35 minutes half of it is. */
  get us32(): number {
    if (this.#source !== null) this.#ask();
    return this.#us32;
  }

  /** It is `now`, and stays so until the next `advance` or `follow`. */
  advance(now: Us): void {
    this.#source = null;
    this.#set(now);
  }

  /** From here to the next `advance` the time is what `source` says. */
  follow(source: TimeSource): void {
    this.#source = source;
  }

  /** Apart, so that the getters are small enough to be inlined everywhere. */
  #ask(): void {
    if (this.#source !== null) this.#set(this.#source.now());
  }

  #set(now: Us): void {
    assert(now >= this.#us, 'time does not go back');
    this.#us = now;
    this.#ms = Math.floor(now / 1000) | 0;
    this.#us32 = now | 0;
  }
}
