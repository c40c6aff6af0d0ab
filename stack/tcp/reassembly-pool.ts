import { RowPool } from '../memory/row-pool.js';

/**
 * Segment path. Runs of bytes that came out of order: a record for each run, its bytes in a queue of the arena. The records of a connection
 * are a list (the segments held back by RFC 9293 §3.10.7.4, seventh check) sorted by sequence number; neighbours that touch are merged, so in practice there is one for each gap.
 */
export const enum Run {
  SEQ = 0,
  /** One past the last. */
  END = 1,
  QUEUE = 2,
  /** What the segments it came in take of the receive buffer. */
  MEM = 3,
  /** The next record's offset on each level of the list (run-list.ts); zero: none. */
  NEXT = 4,
  SIZE = 8,
}

export class ReassemblyPool {
  readonly rows: Int32Array;
  readonly #pool: RowPool;

  constructor(max: number) {
    this.rows = new Int32Array((max + 1) * Run.SIZE);
    this.#pool = new RowPool(max + 1);
    // Offset zero is "none".
    this.#pool.take();
  }

  get count(): number {
    return this.#pool.used - 1;
  }
  get highWater(): number {
    return this.#pool.highWater - 1;
  }

  /** The offset of a record, or 0 when all are taken. */
  take(): number {
    const row = this.#pool.take();
    return row < 0 ? 0 : row * Run.SIZE;
  }

  give(at: number): void {
    this.#pool.give((at / Run.SIZE) | 0);
  }
}
