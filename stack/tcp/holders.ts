import { assert } from '../base/assert.js';
import type { ByteArena } from '../memory/byte-arena.js';
import { Cold } from './tcb.js';

/**
 * Segment path. Who holds how much of the stream buffers and of the runs out of order, so that the largest holder is found without looking at
 * the others (docs/memory.md). A connection stands in a list with all that hold about as much: 4 to 7 chunks, 8 to 15, and so on. It
 * joins at the end and moves only when its amount leaves these bounds, so the front of a list has held that much for longest. No RFC has a
 * rule for it: RFC 9293 §3.8.6 bounds a window, and not the sum of all of them.
 */

/** The row beside each cold row, which has no word left. */
const enum Hold {
  /** Whole chunks: of both queues, and of what came out of order. */
  CHUNKS = 0,
  /** Neighbours in its list, as places of rows; zero: none. */
  BEFORE = 1,
  AFTER = 2,
  /** The list of Lists it stands in plus one; zero: none. */
  LIST = 3,
  /** The same by runs out of order. */
  RUNS_BEFORE = 4,
  RUNS_AFTER = 5,
  RUNS_LIST = 6,
  /** The connection's place in `hot`. */
  OWNER = 7,
  /** When the program last read, or when the receive queue began to fill, ms. */
  READ_AT = 8,
  SIZE = 9,
}

/** Amounts below 2^32 fall into this many lists. */
const LISTS = 32;

/** Lists by amount, linked through three words of the rows. */
class Lists {
  readonly #rows: Int32Array;
  readonly #before: number;
  readonly #heads = new Int32Array(LISTS);
  readonly #tails = new Int32Array(LISTS);
  /** A bit for each list that is not empty. */
  #taken = 0;

  constructor(rows: Int32Array, before: number) {
    this.#rows = rows;
    this.#before = before;
  }

  /** The list with the largest amounts that is not above `list`; -1: none. */
  largest(list: number): number {
    return 31 - Math.clz32(this.#taken & (list === 31 ? -1 : (2 << list) - 1));
  }

  first(list: number): number {
    return this.#heads[list];
  }

  /** The row at `at` stands in the list for `amount` from now on, in none for 0. */
  place(at: number, amount: number): void {
    const list = 32 - Math.clz32(amount);
    const old = this.#rows[at + this.#before + 2];
    if (list === old) return;
    if (old !== 0) this.#leave(at, old - 1);
    this.#rows[at + this.#before + 2] = list;
    if (list !== 0) this.#join(at, list - 1);
  }

  /** To the end of its list. */
  postpone(at: number): void {
    const list = this.#rows[at + this.#before + 2] - 1;
    this.#leave(at, list);
    this.#join(at, list);
  }

  #join(at: number, list: number): void {
    const rows = this.#rows;
    const tail = this.#tails[list];
    rows[at + this.#before] = tail;
    rows[at + this.#before + 1] = 0;
    if (tail !== 0) rows[tail + this.#before + 1] = at;
    else this.#heads[list] = at;
    this.#tails[list] = at;
    this.#taken |= 1 << list;
  }

  #leave(at: number, list: number): void {
    const rows = this.#rows;
    const before = rows[at + this.#before];
    const after = rows[at + this.#before + 1];
    if (before !== 0) rows[before + this.#before + 1] = after;
    else this.#heads[list] = after;
    if (after !== 0) rows[after + this.#before] = before;
    else this.#tails[list] = before;
    if (this.#heads[list] === 0) this.#taken &= ~(1 << list);
  }
}

/** Who holds less stands in no list: short messages come and go without any list changing. */
const LISTED_FROM = 4;

function listed(chunks: number): number {
  return chunks < LISTED_FROM ? 0 : chunks;
}

export class Holders {
  readonly #rows: Int32Array;
  readonly #arena: ByteArena;
  readonly chunks: Lists;
  readonly orphans: Lists;
  readonly runs: Lists;
  /** What all queues held when it was last laid to somebody's account. */
  #settled = 0;

  constructor(activeMax: number, arena: ByteArena) {
    this.#rows = new Int32Array((activeMax + 1) * Hold.SIZE);
    this.#arena = arena;
    this.chunks = new Lists(this.#rows, Hold.BEFORE);
    // An orphan stands here instead of there.
    this.orphans = new Lists(this.#rows, Hold.BEFORE);
    this.runs = new Lists(this.#rows, Hold.RUNS_BEFORE);
  }

  /** The place of the row beside cold row `k`, and back. */
  placeOf(k: number): number {
    return ((k / Cold.SIZE) | 0) * Hold.SIZE;
  }
  coldOf(at: number): number {
    return ((at / Hold.SIZE) | 0) * Cold.SIZE;
  }

  /** The cold row is the connection's from now on. */
  begin(k: number, c: number, nowMs: number): void {
    const at = this.placeOf(k);
    this.#rows[at + Hold.OWNER] = c;
    this.#rows[at + Hold.READ_AT] = nowMs;
  }

  ownerOf(k: number): number {
    return this.#rows[this.placeOf(k) + Hold.OWNER];
  }

  /** The program has read, or there is something to read for the first time. */
  noteRead(k: number, nowMs: number): void {
    this.#rows[this.placeOf(k) + Hold.READ_AT] = nowMs;
  }

  readAt(k: number): number {
    return this.#rows[this.placeOf(k) + Hold.READ_AT];
  }

  chunksOf(k: number): number {
    return this.#rows[this.placeOf(k) + Hold.CHUNKS];
  }

  /** Chunks were taken or given since the last account. */
  get unsettled(): boolean {
    return this.#arena.queued !== this.#settled;
  }

  /** All of that was the doing of the connection with cold row `k`. */
  settle(k: number, orphan: boolean): void {
    const change = this.#arena.queued - this.#settled;
    if (change === 0) return;
    this.#settled += change;
    const at = this.placeOf(k);
    const chunks = this.#rows[at + Hold.CHUNKS] + change;
    assert(chunks >= 0, 'nobody gives back more chunks than it holds');
    this.#rows[at + Hold.CHUNKS] = chunks;
    (orphan ? this.orphans : this.chunks).place(at, listed(chunks));
  }

  /** That was the doing of nobody whose account is kept. */
  disregard(): void {
    this.#settled = this.#arena.queued;
  }

  /** From the lists of those with an owner to those without. */
  becomeOrphan(k: number): void {
    const at = this.placeOf(k);
    this.chunks.place(at, 0);
    this.orphans.place(at, listed(this.#rows[at + Hold.CHUNKS]));
  }

  /** The connection is over: whatever it held is freed now, or was left to nobody. */
  end(k: number, orphan: boolean): void {
    const at = this.placeOf(k);
    (orphan ? this.orphans : this.chunks).place(at, 0);
    this.runs.place(at, 0);
    this.#rows[at + Hold.CHUNKS] = 0;
  }
}
