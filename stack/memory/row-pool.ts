import { assert } from '../base/assert.js';

/** The end of the free list. 0 is what untouched memory reads as, and means "taken, or never used". */
const END = -1;

/**
 * Row numbers 0…max-1 of a table laid out at its limit. Freed rows are used again before new ones, the last freed first, so a
 * table's resident memory follows the largest number of rows ever used at once.
 */
export class RowPool {
  readonly max: number;
  /** For a free row the next free one plus 1, or END; touched for rows given back only. */
  readonly #next: Int32Array;
  #free = END;
  #highWater = 0;
  #used = 0;

  constructor(max: number) {
    assert(Number.isInteger(max) && max >= 1 && max <= 0x7ffffffe, 'a pool has between 1 and 2^31 - 2 rows');
    this.max = max;
    this.#next = new Int32Array(max);
  }

  get used(): number {
    return this.#used;
  }

  /** Rows below were used at least once. */
  get highWater(): number {
    return this.#highWater;
  }

  /** A row, or -1 when all are taken. What was last in it is still there. */
  take(): number {
    let row = this.#free;
    if (row !== END) {
      row -= 1;
      this.#free = this.#next[row];
      this.#next[row] = 0;
    } else {
      if (this.#highWater === this.max) return -1;
      row = this.#highWater;
      this.#highWater += 1;
    }
    this.#used += 1;
    return row;
  }

  give(row: number): void {
    assert(this.isTaken(row), 'a row given back was taken, and is given back once');
    this.#next[row] = this.#free;
    this.#free = row + 1;
    this.#used -= 1;
  }

  isTaken(row: number): boolean {
    return row >= 0 && row < this.#highWater && this.#next[row] === 0;
  }
}
