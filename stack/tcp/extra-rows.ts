import { assert } from '../base/assert.js';
import { RowPool } from '../memory/row-pool.js';
import type { TcpContext } from './context.js';
import { Mark } from './mark-pool.js';
import { Cold } from './tcb.js';

/**
 * Segment path. What few connections have (user options of RFC 9293 §3.9.1 that are rarely set, marks of single writes):
 * a small row beside the cold row. Cold.EXTRA is its offset; 0: there is none, and that is the one thing which all
 * other connections look at.
 */
export const enum Extra {
  /** Marks in the send queue, first and last; 0: none (send-marks.ts). */
  MARK_HEAD = 0,
  MARK_TAIL = 1,
  /** Bits of ExtraBit. */
  BITS = 2,
  /** TCP_NOTSENT_LOWAT, bytes; 0: no limit. */
  NOTSENT_LOWAT = 3,
  /** TCP_RTO_MAX_MS, TCP_RTO_MIN_US and TCP_DELACK_MAX_US, ms; 0: the stack's. */
  RTO_MAX_MS = 4,
  RTO_MIN_MS = 5,
  DELACK_MAX_MS = 6,
  /** From here on: what alone is no reason to keep the row. */
  KEPT = 7,
  /** Where the last of Linux's buffers begins, and SND.UNA plus the queue when PSH was last marked: sequence numbers. */
  TAIL_SEQ = 7,
  PUSHED_SEQ = 8,
  /** How many marks there are. */
  MARK_COUNT = 9,
  /** The right edge of the window before it shrank, a sequence number: with ExtraBit.EDGE. */
  RCV_EDGE = 10,
  SIZE = 12,
}

export const enum ExtraBit {
  /** The last write said that more follows (MSG_MORE): the end of the queue gets no PSH. */
  UNPUSHED = 1 << 0,
  /** Flag.CORK is that write's, and not the program's. */
  HELD = 1 << 1,
  /** The window's edge is remembered (window.ts). */
  EDGE = 1 << 2,
}

export class ExtraPool {
  readonly rows: Int32Array;
  readonly #pool: RowPool;

  /** One for each cold row, so that none is ever missing. Memory that is not touched costs nothing. */
  constructor(max: number) {
    this.rows = new Int32Array((max + 2) * Extra.SIZE);
    this.#pool = new RowPool(max + 2);
    // Offset zero is "none".
    this.#pool.take();
  }

  get count(): number {
    return this.#pool.used - 1;
  }

  /** A zeroed row. */
  take(): number {
    const row = this.#pool.take();
    assert(row > 0, 'there is an extra row for each cold row');
    const at = row * Extra.SIZE;
    this.rows.fill(0, at, at + Extra.SIZE);
    return at;
  }

  give(at: number): void {
    this.#pool.give((at / Extra.SIZE) | 0);
  }
}

/** The extra row of the connection with cold row `k`, taken if it has none. */
export function extraRow(tcp: TcpContext, k: number): number {
  const had = tcp.cold[k + Cold.EXTRA];
  if (had !== 0) return had;
  const at = tcp.extras.take();
  tcp.cold[k + Cold.EXTRA] = at;
  return at;
}

/** A word of the extra row; 0 where there is none. */
export function extraOf(tcp: TcpContext, k: number, word: Extra): number {
  const at = tcp.cold[k + Cold.EXTRA];
  return at === 0 ? 0 : tcp.extras.rows[at + word];
}

/** The row goes back if it says nothing any more. */
export function leaveExtraRow(tcp: TcpContext, k: number): void {
  const at = tcp.cold[k + Cold.EXTRA];
  if (at === 0) return;
  for (let word = 0; word < Extra.KEPT; word++) if (tcp.extras.rows[at + word] !== 0) return;
  tcp.cold[k + Cold.EXTRA] = 0;
  tcp.extras.give(at);
}

/** The first mark of the send queue is behind SND.NXT, or given up with the connection. */
export function dropFirstMark(tcp: TcpContext, extra: number): void {
  const { rows } = tcp.extras;
  const at = rows[extra + Extra.MARK_HEAD];
  const next = tcp.marks.rows[at + Mark.NEXT];
  rows[extra + Extra.MARK_HEAD] = next;
  if (next === 0) rows[extra + Extra.MARK_TAIL] = 0;
  rows[extra + Extra.MARK_COUNT] -= 1;
  tcp.marks.give(at);
}

/** The connection is over. Control path. */
export function freeExtraRow(tcp: TcpContext, k: number): void {
  const extra = tcp.cold[k + Cold.EXTRA];
  if (extra === 0) return;
  while (tcp.extras.rows[extra + Extra.MARK_HEAD] !== 0) dropFirstMark(tcp, extra);
  tcp.cold[k + Cold.EXTRA] = 0;
  tcp.extras.give(extra);
}
