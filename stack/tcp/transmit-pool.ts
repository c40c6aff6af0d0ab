import { seqLt } from '../base/seq.js';
import { RowPool } from '../memory/row-pool.js';

/**
 * Segment path. A record for each segment that was sent and is not yet acknowledged: what RFC 6675 §3 calls the scoreboard, with the time of sending that RACK (RFC 8985 §5.1)
 * and the round-trip measurement need. A segment is one record and one packet in all counts, as with Linux. The records of a connection are a list in order of
 * sequence numbers (transmit-queue.ts), and those that may still arrive are another, in order of sending.
 */
export const enum Sent {
  SEQ = 0,
  /** One past the last, the FIN counted. */
  END = 1,
  /** When it was last sent, µs modulo 2^32. */
  AT_US = 2,
  /** Bits of SentFlag. */
  FLAGS = 3,
  /** The next in sequence; zero: none. */
  NEXT = 4,
  /** Its neighbours in the order of sending, while it is SentFlag.TIMED. */
  EARLIER = 5,
  LATER = 6,
  /** Of a SACKed one: a later record up to which all are SACKed; zero: not known. */
  RUN_END = 7,
  /** Of every 64th: the next such, so that one far behind is found in a few steps. */
  EXPRESS = 8,
  /** Packets delivered when it was sent, when that had last changed, and when the flight it belongs to began (delivery-rate.ts). */
  DELIVERED = 9,
  DELIVERED_AT_US = 10,
  FIRST_AT_US = 11,
  SIZE = 12,
}

export const enum SentFlag {
  /** Told of in a SACK block. */
  SACKED = 1 << 0,
  /** Taken for lost. */
  LOST = 1 << 1,
  /** Sent again, and that transmission is on its way. */
  RETRANS = 1 << 2,
  /** Was sent more than once: says nothing about the round trip (Karn). */
  EVER_RETRANS = 1 << 3,
  /** It carries PSH, or FIN. */
  PUSH = 1 << 4,
  FIN = 1 << 5,
  /** The program had no more to send when it went. */
  APP_LIMITED = 1 << 6,
  /** It stands in the order of sending: neither SACKed nor waiting to be sent again. */
  TIMED = 1 << 7,
  /** Its delivery has not yet been counted in the rate. */
  RATED = 1 << 8,
  /** The program ended a record here (MSG_EOR): what follows is never sent in one segment with it. */
  RECORD_END = 1 << 9,
  /** A burst ended here (burst.ts). */
  BURST_END = 1 << 10,
  /** Sent more than once, in flight or not. */
  RETRANSMITTED = RETRANS | EVER_RETRANS,
}

/** Whether a segment sent at `atUs` and ending at `end` left after another: by time, and of those sent together by sequence (RFC 8985 §6.2). */
export function sentAfter(atUs: number, end: number, otherAtUs: number, otherEnd: number): boolean {
  return seqLt(otherAtUs, atUs) || (otherAtUs === atUs && seqLt(otherEnd, end));
}

export class TransmitPool {
  readonly rows: Int32Array;
  readonly #pool: RowPool;

  constructor(max: number) {
    this.rows = new Int32Array((max + 1) * Sent.SIZE);
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
  get free(): number {
    return this.#pool.max - this.#pool.used;
  }

  /** The offset of a record, or 0 when all are taken. */
  take(): number {
    const row = this.#pool.take();
    return row < 0 ? 0 : row * Sent.SIZE;
  }

  give(at: number): void {
    this.#pool.give((at / Sent.SIZE) | 0);
  }
}
