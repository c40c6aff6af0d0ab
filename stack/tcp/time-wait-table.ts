import type { KeyHash } from '../base/keyed-hash.js';
import { HashIndex } from '../memory/hash-index.js';
import { RowPool } from '../memory/row-pool.js';

/**
 * Connections in TIME-WAIT (RFC 9293 §3.6.1): 52 bytes instead of a full row. All wait equally long, so they stand in a
 * queue by age and need no timer each; one that is restarted moves to the end.
 */
export const enum Wait {
  // The key, as in a name row.
  LOCAL = 0,
  REMOTE = 1,
  PORTS = 2,
  SND_NXT = 3,
  RCV_NXT = 4,
  RCV_WND = 5,
  TS_RECENT = 6,
  /** When TS.Recent was noted, ms, with WaitFlag.TIMESTAMPS. */
  FLAGS = 7,
  DEADLINE = 8,
  OLDER = 9,
  NEWER = 10,
  /** When an ACK was last sent from here, ms: at most one for each interval. */
  ANSWERED_AT = 11,
  /** Type of service of our segments. */
  TOS = 12,
  SIZE = 13,
}

export const enum WaitFlag {
  TIMESTAMPS = 1,
  ANSWERED = 2,
  /** Rcv.Wind.Shift in bits 8–11. */
  SHIFT_BIT = 8,
}

export class TimeWaitTable {
  readonly rows: Int32Array;
  readonly index: HashIndex;
  readonly #pool: RowPool;
  #oldest = 0;
  #newest = 0;

  constructor(max: number, hash: KeyHash) {
    this.rows = new Int32Array(max * Wait.SIZE);
    this.index = new HashIndex(this.rows, Wait.SIZE, hash);
    this.#pool = new RowPool(max);
  }

  get count(): number {
    return this.#pool.used;
  }

  get highWater(): number {
    return this.#pool.highWater;
  }
  get full(): boolean {
    return this.#pool.used >= this.#pool.max;
  }

  find(local: number, remote: number, ports: number): number {
    return this.index.find(local, remote, ports);
  }

  /** A zeroed row under this key, last in the queue. When the table is full the oldest ends early. */
  take(local: number, remote: number, ports: number): number {
    let row = this.#pool.take();
    if (row < 0) {
      this.give(this.#oldest - 1);
      row = this.#pool.take();
    }
    const rows = this.rows;
    const at = row * Wait.SIZE;
    rows.fill(0, at, at + Wait.SIZE);
    rows[at + Wait.LOCAL] = local;
    rows[at + Wait.REMOTE] = remote;
    rows[at + Wait.PORTS] = ports;
    this.#append(row);
    this.index.insert(row);
    return row;
  }

  give(row: number): void {
    this.#unlink(row);
    this.index.remove(row);
    this.#pool.give(row);
  }

  /** The 2MSL wait begins again. */
  restart(row: number, deadlineMs: number): void {
    this.#unlink(row);
    this.#append(row);
    this.rows[row * Wait.SIZE + Wait.DEADLINE] = deadlineMs;
  }

  /** The row that ends first, or -1. */
  oldest(): number {
    return this.#oldest - 1;
  }

  #append(row: number): void {
    const rows = this.rows;
    const at = row * Wait.SIZE;
    rows[at + Wait.OLDER] = this.#newest;
    rows[at + Wait.NEWER] = 0;
    if (this.#newest !== 0) rows[(this.#newest - 1) * Wait.SIZE + Wait.NEWER] = row + 1;
    else this.#oldest = row + 1;
    this.#newest = row + 1;
  }

  #unlink(row: number): void {
    const rows = this.rows;
    const at = row * Wait.SIZE;
    const older = rows[at + Wait.OLDER];
    const newer = rows[at + Wait.NEWER];
    if (older !== 0) rows[(older - 1) * Wait.SIZE + Wait.NEWER] = newer;
    else this.#oldest = newer;
    if (newer !== 0) rows[(newer - 1) * Wait.SIZE + Wait.OLDER] = older;
    else this.#newest = older;
  }
}
