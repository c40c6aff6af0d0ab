import { setImmediateOutside, setTimeoutOutside } from './context.js';

/** The longest wait `setTimeout` knows; the deadline is looked at again then. */
const WAIT_MS_MAX = 0x7fffffff;

/**
 * One timer for a moving deadline. A deadline that moves later, as retransmission time-outs do with every acknowledgment,
 * costs nothing: the timer that stands fires too early, finds nothing due, and is set again. Only one that moves earlier
 * makes a new timer, a few hundred nanoseconds; delayed ACKs cause that about once every 40 ms.
 *
 * A deadline does not keep the process alive: what does is the host's to decide. An immediate does, for the moment it takes:
 * the event loop would go to sleep on one that does not.
 */
export class Alarm {
  readonly #callback: () => void;
  #timer: NodeJS.Timeout | null = null;
  #immediate: NodeJS.Immediate | null = null;
  /** When the timer will fire, µs. */
  #at = Infinity;

  constructor(callback: () => void) {
    this.#callback = callback;
  }

  /** When it fires next, µs; `Infinity` when it does not. */
  get at(): number {
    return this.#at;
  }

  /** Fires no later than a millisecond after `deadlineUs`, perhaps earlier. */
  set(deadlineUs: number, nowUs: number): void {
    if (deadlineUs >= this.#at) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#at = Infinity;
    const waitMs = Math.ceil((deadlineUs - nowUs) / 1000);
    if (waitMs <= 0) {
      this.soon();
      return;
    }
    this.#at = deadlineUs;
    this.#timer = setTimeoutOutside(this.#fire, Math.min(waitMs, WAIT_MS_MAX));
    this.#timer.unref();
  }

  /** Fires once the event loop has looked at its other descriptors. */
  soon(): void {
    if (this.#immediate !== null) return;
    this.#immediate = setImmediateOutside(this.#fireNow);
  }

  clear(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#immediate !== null) clearImmediate(this.#immediate);
    this.#timer = null;
    this.#immediate = null;
    this.#at = Infinity;
  }

  readonly #fire = (): void => {
    this.#timer = null;
    this.#at = Infinity;
    this.#callback();
  };
  readonly #fireNow = (): void => {
    this.#immediate = null;
    this.#callback();
  };
}
