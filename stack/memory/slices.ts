import { assert } from '../base/assert.js';
import { FREE, Row, SLICED } from './chunk-row.js';

/**
 * A queue that begins with few bytes gets a slice, the sixteenth part of a chunk: 256 bytes hold a short request or one byte that nobody
 * reads, and a hundred thousand such queues then take 32 MiB instead of 512.
 */
export const SLICES_SHIFT = 4;
export const SLICES_IN_CHUNK = 1 << SLICES_SHIFT;
const ALL_SLICES_FREE = (1 << SLICES_IN_CHUNK) - 1;

/** The row of a chunk that is cut into slices. Row.LENGTH is SLICED. */
const enum Cut {
  /** Neighbours in the list of those with a free slice; zero: none. */
  AFTER = 0,
  BEFORE = 3,
  /** A bit for each free slice. */
  FREE_SLICES = 4,
}

/** Which slices of which chunks are free. Slices have rows of their own, behind those of the chunks: slice s of chunk c is number first + 16c + s. */
export class Slices {
  used = 0;
  /** The most ever used at once. */
  highWater = 0;
  readonly #rows: Int32Array;
  readonly #first: number;
  /** Chunks with a free slice. */
  #partlyFree = 0;

  constructor(rows: Int32Array, first: number) {
    this.#rows = rows;
    this.#first = first;
  }

  /** A slice of a chunk that is cut already; 0 when none is free. */
  take(): number {
    const chunk = this.#partlyFree;
    if (chunk === 0) return 0;
    const rows = this.#rows;
    const row = chunk << Row.SHIFT;
    const free = rows[row + Cut.FREE_SLICES];
    const rest = free & (free - 1);
    rows[row + Cut.FREE_SLICES] = rest;
    if (rest === 0) this.#leave(chunk);
    this.used += 1;
    if (this.used > this.highWater) this.highWater = this.used;
    const slice = this.#first + (chunk << SLICES_SHIFT) + (31 - Math.clz32(free ^ rest));
    rows[(slice << Row.SHIFT) + Row.NEXT] = 0;
    rows[(slice << Row.SHIFT) + Row.LENGTH] = 0;
    return slice;
  }

  /** Cuts a chunk that no queue holds, and takes the first slice of it. */
  cut(chunk: number): number {
    const row = chunk << Row.SHIFT;
    this.#rows[row + Row.LENGTH] = SLICED;
    this.#rows[row + Cut.FREE_SLICES] = ALL_SLICES_FREE;
    this.#join(chunk);
    return this.take();
  }

  /** Gives a slice back. Returns its chunk when that was the last of it: the chunk is whole again, and the caller's. */
  give(slice: number): number {
    const rows = this.#rows;
    const number = slice - this.#first;
    const chunk = number >>> SLICES_SHIFT;
    const row = chunk << Row.SHIFT;
    const bit = 1 << (number & (SLICES_IN_CHUNK - 1));
    const free = rows[row + Cut.FREE_SLICES];
    assert(rows[row + Row.LENGTH] === SLICED && (free & bit) === 0, 'no slice is given back twice');
    rows[(slice << Row.SHIFT) + Row.LENGTH] = FREE;
    rows[row + Cut.FREE_SLICES] = free | bit;
    this.used -= 1;
    if (free === 0) this.#join(chunk);
    if ((free | bit) !== ALL_SLICES_FREE) return 0;
    this.#leave(chunk);
    return chunk;
  }

  #join(chunk: number): void {
    const rows = this.#rows;
    const row = chunk << Row.SHIFT;
    const after = this.#partlyFree;
    rows[row + Cut.BEFORE] = 0;
    rows[row + Cut.AFTER] = after;
    if (after !== 0) rows[(after << Row.SHIFT) + Cut.BEFORE] = chunk;
    this.#partlyFree = chunk;
  }

  #leave(chunk: number): void {
    const rows = this.#rows;
    const before = rows[(chunk << Row.SHIFT) + Cut.BEFORE];
    const after = rows[(chunk << Row.SHIFT) + Cut.AFTER];
    if (before !== 0) rows[(before << Row.SHIFT) + Cut.AFTER] = after;
    else this.#partlyFree = after;
    if (after !== 0) rows[(after << Row.SHIFT) + Cut.BEFORE] = before;
  }
}
