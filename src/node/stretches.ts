import { setImmediateOutside } from '../host/context.js';

/**
 * A program may rely on its ticks and promises to run between two callbacks of one socket: libuv has Node run them after each. In a turn
 * of ours several callbacks come in one go, and Node may run ticks only after the last. So a channel remembers in which stretch of
 * JavaScript it has called back, and puts off what must not follow in the same one: see `Channels`.
 */
export class Stretches {
  /** The number of the stretch of JavaScript between two runs of ticks. */
  #now = 1;
  #ticking = false;
  #later: number[] = [];
  readonly #look: (rows: readonly number[]) => void;

  /** `look` is called with the rows that were put off, once ticks and promises have run. */
  constructor(look: (rows: readonly number[]) => void) {
    this.#look = look;
  }

  get now(): number {
    return this.#now;
  }

  /**
   * Something is about to be reported that something else may follow; returns the stretch this happens in. Without such reports nobody looks
   * when a stretch ends, and it goes on.
   */
  reported(): number {
    if (!this.#ticking) {
      this.#ticking = true;
      process.nextTick(this.#onTick);
    }
    return this.#now;
  }

  /** An immediate: Node runs ticks and promises before it. */
  later(row: number): void {
    this.#later.push(row);
    if (this.#later.length === 1) setImmediateOutside(this.#onImmediate);
  }

  readonly #onTick = (): void => {
    this.#ticking = false;
    this.#next();
  };
  readonly #onImmediate = (): void => {
    const rows = this.#later;
    this.#later = [];
    // An immediate is a stretch of its own.
    this.#next();
    this.#look(rows);
  };
  #next(): void {
    this.#now = (this.#now + 1) & 0x3fffffff;
  }
}
