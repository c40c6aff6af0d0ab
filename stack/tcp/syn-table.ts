import type { KeyHash } from '../base/keyed-hash.js';
import { HashIndex } from '../memory/hash-index.js';
import { RowPool } from '../memory/row-pool.js';
import { TimerWheel } from '../time/timer-wheel.js';

/**
 * Half-open connections from LISTEN: SYN-RECEIVED without a full row (RFC 4987 §3.4, "SYN cache"). 16 int32 each, in the
 * order they came, so that when the table is full the oldest gives way (§3.5) and a flood costs no memory.
 */
export const enum Syn {
  // The key, as in a name row.
  LOCAL = 0,
  REMOTE = 1,
  PORTS = 2,
  /** How often the timer has run out: the wait doubles by it, and it decides when to give up. */
  TIMEOUTS = 3,
  ISS = 4,
  IRS = 5,
  /** The window of the SYN, never scaled (RFC 7323 §2.2). */
  SND_WND = 6,
  /** The peer's MSS, bits 0–15; its shift 16–19; ours 20–23; SynOption bits from 24. */
  OPTIONS = 7,
  /** TSval of the SYN. */
  TS_RECENT = 8,
  /** SYN-ACKs sent beyond the first, for whatever reason. */
  RETRANSMITS = 9,
  /** When the first SYN-ACK went out, µs: the first round-trip sample, if none was repeated. */
  SENT_AT_US = 10,
  /** Neighbours in order of age, row + 1; zero: none. */
  OLDER = 11,
  NEWER = 12,
  /** Type of service of the last SYN, bits 0–7; SynEcn bits above; from 14, how many ms after the first the last SYN-ACK went out. */
  TOS = 13,
  /** Right edge we promised: window in the SYN-ACK. */
  RCV_WND = 14,
  /** When something that needed an answer last got one, ms; valid with SynOption.ANSWERED. */
  ANSWERED_AT = 15,
  SIZE = 16,
}

export const enum SynOption {
  TIMESTAMPS = 1 << 24,
  SACK = 1 << 25,
  WINDOW_SCALE = 1 << 26,
  ECN = 1 << 27,
  /** The handshake's ACK has come and was left aside: for want of room in the accept queue, or of data (TCP_DEFER_ACCEPT). */
  ACKED = 1 << 28,
  ANSWERED = 1 << 29,
  /** The timer came up late, and was put off to the next turn. */
  PUT_OFF = 1 << 30,
}

/** What SynOption.ECN stands for. */
export const enum SynEcn {
  /** RFC 9768 and not RFC 3168. */
  ACCURATE = 1 << 8,
  /** Our SYN-ACK was lost again and again, and goes without AE, CWR and ECE. */
  WITHHELD = 1 << 9,
  /** A repeated SYN came without them. */
  DISTRUSTED = 1 << 10,
  /** Which kinds of SYN have come: that of RFC 3168 (011), and one that asks for AccECN. */
  SAW_CLASSIC = 1 << 11,
  SAW_ACCURATE = 1 << 12,
  /** A pure ACK was left aside (TCP_DEFER_ACCEPT), and the three bits it had. */
  ACE_KEPT = 1 << 13,
  ACE_SHIFT = 14,
  LAST_SENT_BIT = 17,
}

export class SynTable {
  readonly rows: Int32Array;
  readonly index: HashIndex;
  readonly wheel: TimerWheel;
  readonly #pool: RowPool;
  readonly #max: number;
  #oldest = 0;
  #newest = 0;

  constructor(max: number, hash: KeyHash, nowMs: number) {
    this.rows = new Int32Array(max * Syn.SIZE);
    this.index = new HashIndex(this.rows, Syn.SIZE, hash);
    this.wheel = new TimerWheel(max, nowMs);
    this.#pool = new RowPool(max);
    this.#max = max;
  }

  get count(): number {
    return this.#pool.used;
  }

  get highWater(): number {
    return this.#pool.highWater;
  }

  get full(): boolean {
    return this.#pool.used >= this.#max;
  }

  find(local: number, remote: number, ports: number): number {
    return this.index.find(local, remote, ports);
  }

  /** A zeroed row under this key, the newest; -1 when the table is full. */
  take(local: number, remote: number, ports: number): number {
    const row = this.#pool.take();
    if (row < 0) return -1;
    const rows = this.rows;
    const at = row * Syn.SIZE;
    for (let i = at; i < at + Syn.SIZE; i++) rows[i] = 0;
    rows[at + Syn.LOCAL] = local;
    rows[at + Syn.REMOTE] = remote;
    rows[at + Syn.PORTS] = ports;
    rows[at + Syn.OLDER] = this.#newest;
    if (this.#newest !== 0) rows[(this.#newest - 1) * Syn.SIZE + Syn.NEWER] = row + 1;
    else this.#oldest = row + 1;
    this.#newest = row + 1;
    this.index.insert(row);
    return row;
  }

  give(row: number): void {
    const rows = this.rows;
    const at = row * Syn.SIZE;
    const older = rows[at + Syn.OLDER];
    const newer = rows[at + Syn.NEWER];
    if (older !== 0) rows[(older - 1) * Syn.SIZE + Syn.NEWER] = newer;
    else this.#oldest = newer;
    if (newer !== 0) rows[(newer - 1) * Syn.SIZE + Syn.OLDER] = older;
    else this.#newest = older;
    this.index.remove(row);
    this.wheel.cancel(row);
    this.#pool.give(row);
  }

  /** The row that has waited longest, or -1. */
  oldest(): number {
    return this.#oldest - 1;
  }

  /** The row that came after, or -1. */
  newer(row: number): number {
    return this.rows[row * Syn.SIZE + Syn.NEWER] - 1;
  }
}
