import { RowPool } from '../memory/row-pool.js';

/** Segment path. Places in send queues where a record ends, or PSH is to be said (RFC 9293 §3.9.1.2): send-marks.ts. */

/** A place in the send queue. They are lists, in order. */
export const enum Mark {
  /** The sequence number of the byte behind it. */
  END = 0,
  /** Bits of SentFlag: PUSH, RECORD_END. */
  BITS = 1,
  NEXT = 2,
  SIZE = 4,
}

export class MarkPool {
  readonly rows: Int32Array;
  readonly #pool: RowPool;

  constructor(max: number) {
    this.rows = new Int32Array((max + 1) * Mark.SIZE);
    this.#pool = new RowPool(max + 1);
    this.#pool.take();
  }

  get count(): number {
    return this.#pool.used - 1;
  }
  get highWater(): number {
    return this.#pool.highWater - 1;
  }
  get free(): number {
    return this.#pool.max - this.#pool.used;
  }

  /** The offset of a mark, or 0 when all are taken. */
  take(): number {
    const row = this.#pool.take();
    return row < 0 ? 0 : row * Mark.SIZE;
  }

  give(at: number): void {
    this.#pool.give((at / Mark.SIZE) | 0);
  }
}
