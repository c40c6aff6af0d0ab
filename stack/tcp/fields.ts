import { Tally, Tcb } from './tcb.js';

/**
 * Control path. What is said of each word of a connection's rows (tcb.ts; RFC 9293 §3.3.1): what it means, whose it is,
 * and what becomes of it while an idle connection has no cold row. Data, so that sleep (sleep.ts), tests and whoever
 * prints a row read one table. It is checked against the enums by the compiler (a name is missing) and by a test (a
 * number is wrong, words overlap or belong to nobody).
 */

/** What a word means, and with it its unit. */
export type FieldKind =
  /** A sequence number. */
  | 'seq'
  /** A moment: ms or µs of the stack's clock, 32 bits. */
  | 'atMs'
  | 'atUs'
  /** A span of time. */
  | 'ms'
  | 'us'
  /** … in 1/8 µs (SRTT) and 1/4 µs (RTTVAR), as RFC 6298's shifts want them. */
  | 'us8'
  | 'us4'
  | 'bytes'
  | 'packets'
  /** How often. */
  | 'count'
  /** Bytes a second, unsigned. */
  | 'rate'
  /** n of 256. */
  | 'of256'
  /** 0 or 1. */
  | 'flag'
  /** Several bits, named by an enum. */
  | 'bits'
  /** One of an enum. */
  | 'code'
  /** The offset of a record in a pool; 0: none. */
  | 'record'
  /** A queue of the arena; 0: empty. */
  | 'queue'
  /** The low half of a 64-bit counter. */
  | 'low'
  /** Words of a module's own. */
  | 'private';

/**
 * What becomes of a word when the cold row goes, and why that is right.
 *
 * `kept`: it follows from what the hot row keeps; a row that wakes up holds the same, and a row in which it does not
 * follow stays. `tally`: kept in the tally, where there is one. `forbids`: nobody else keeps it; the cold row stays
 * unless the word is what a fresh row would hold. `path`: the same, but after `pathMemoryMs` of silence, or when cold
 * rows are scarce, it may go: what it says is about the path, and may be past. `lost`: a fresh row may hold something
 * else, and no segment and no answer shows it.
 */
export interface SleepRule {
  readonly rule: 'kept' | 'tally' | 'forbids' | 'path' | 'lost';
  /** Where it is kept, what would be lost, or why nothing is. */
  readonly why: string;
  /** Not compared with a fresh row's: sleep.ts has a condition of its own for it. */
  readonly judged?: true;
}

export interface Field {
  /** Offset of the first word, and how many there are. */
  readonly at: number;
  readonly words: number;
  readonly kind: FieldKind;
  /** The file of this folder, without `.ts`, that decides what is in it. */
  readonly owner: string;
  /** RFC and section it comes from; or what has it instead. */
  readonly source: string;
  readonly sleep: SleepRule;
}

export const kept = (why: string): SleepRule => ({ rule: 'kept', why });
export const tally = (why: string): SleepRule => ({ rule: 'tally', why });
export const forbids = (why: string): SleepRule => ({ rule: 'forbids', why });
export const path = (why: string): SleepRule => ({ rule: 'path', why });
export const lost = (why: string): SleepRule => ({ rule: 'lost', why });
export const judged = (rule: SleepRule): SleepRule => ({ ...rule, judged: true });

/** Control path. */
export function field(at: number, kind: FieldKind, owner: string, source: string, sleep: SleepRule, words = 1): Field {
  return { at, words, kind, owner, source, sleep };
}

// The hot row and the tally stay while a connection sleeps; `sleep` says what they hold meanwhile. The cold row has a
// file of its own.

const STAYS = kept('it stays as it is');
const EMPTY = kept('0 at rest');
const IN_USE = kept('it stays as it is; its high half is lent to sleep.ts while that is 0');

export const HOT_FIELDS = {
  STATE: field(Tcb.STATE, 'bits', 'state', 'RFC 9293 §3.3.2', STAYS),
  SND_UNA: field(Tcb.SND_UNA, 'seq', 'ack', 'RFC 9293 §3.3.1', STAYS),
  SND_NXT: field(Tcb.SND_NXT, 'seq', 'output', 'RFC 9293 §3.3.1', kept('SND.UNA: all is acknowledged')),
  SND_WND: field(Tcb.SND_WND, 'bytes', 'ack', 'RFC 9293 §3.3.1', STAYS),
  RCV_NXT: field(Tcb.RCV_NXT, 'seq', 'receive', 'RFC 9293 §3.3.1', STAYS),
  RCV_WND: field(Tcb.RCV_WND, 'bytes', 'window', 'RFC 9293 §3.3.1', STAYS),
  SRTT: field(Tcb.SRTT, 'us8', 'rtt', 'RFC 6298 §2', STAYS),
  RTTVAR: field(Tcb.RTTVAR, 'us4', 'rtt', 'RFC 6298 §2', STAYS),
  CWND: field(Tcb.CWND, 'bytes', 'window-growth', 'RFC 5681 §2', kept('as many segments, of the peer’s MSS')),
  SSTHRESH: field(Tcb.SSTHRESH, 'bytes', 'window-growth', 'RFC 5681 §2', kept('as many segments, of the peer’s MSS')),
  LAST_ACTIVITY: field(Tcb.LAST_ACTIVITY, 'atMs', 'keepalive', 'RFC 9293 §3.8.4', STAYS),
  MSS_AND_SHIFTS: field(
    Tcb.MSS_AND_SHIFTS,
    'bits',
    'options',
    'RFC 9293 §3.7.1',
    kept('PEER_MSS in the place of the MSS, and above the shifts what ack-memory.ts and sleep.ts keep'),
  ),
  SND_QUEUE: field(Tcb.SND_QUEUE, 'queue', 'user-calls', 'RFC 9293 §3.3.1', EMPTY),
  RCV_QUEUE: field(Tcb.RCV_QUEUE, 'queue', 'receive', 'RFC 9293 §3.3.1', EMPTY),
  COLD: field(Tcb.COLD, 'record', 'connection-table', 'ours', lost('0: that is what sleep is')),
  TS_RECENT: field(Tcb.TS_RECENT, 'ms', 'paws', 'RFC 7323 §4.3', STAYS),
} as const satisfies Readonly<Record<Exclude<keyof typeof Tcb, 'SIZE' | 'SHIFT'>, Field>>;

export const TALLY_FIELDS = {
  BYTES_SENT: field(Tally.BYTES_SENT, 'low', 'emit', 'tcpi_bytes_sent', IN_USE, 2),
  BYTES_ACKED: field(Tally.BYTES_ACKED, 'low', 'tally', 'tcpi_bytes_acked', IN_USE, 2),
  BYTES_RECEIVED: field(Tally.BYTES_RECEIVED, 'low', 'receive', 'tcpi_bytes_received', IN_USE, 2),
  BYTES_RETRANSMITTED: field(Tally.BYTES_RETRANSMITTED, 'low', 'retransmit', 'tcpi_bytes_retrans', IN_USE, 2),
  SEGS_OUT: field(Tally.SEGS_OUT, 'count', 'emit', 'tcpi_segs_out', STAYS),
  SEGS_IN: field(Tally.SEGS_IN, 'count', 'segment-arrives', 'tcpi_segs_in', STAYS),
  DATA_SEGS_OUT: field(Tally.DATA_SEGS_OUT, 'count', 'emit', 'tcpi_data_segs_out', STAYS),
  DATA_SEGS_IN: field(Tally.DATA_SEGS_IN, 'count', 'receive', 'tcpi_data_segs_in', STAYS),
  RETRANSMITTED: field(Tally.RETRANSMITTED, 'packets', 'retransmit', 'tcpi_total_retrans', STAYS),
  OOO_SEGS_IN: field(Tally.OOO_SEGS_IN, 'count', 'receive', 'tcpi_rcv_ooopack', STAYS),
  DSACK_DUPLICATES: field(Tally.DSACK_DUPLICATES, 'packets', 'sack-blocks', 'tcpi_dsack_dups', STAYS),
  LAST_DATA_SENT: field(Tally.LAST_DATA_SENT, 'atMs', 'emit', 'tcpi_last_data_sent', STAYS),
  LAST_DATA_RECEIVED: field(Tally.LAST_DATA_RECEIVED, 'atMs', 'receive', 'tcpi_last_data_recv', STAYS),
  LAST_ACK_RECEIVED: field(Tally.LAST_ACK_RECEIVED, 'atMs', 'ack', 'tcpi_last_ack_recv', STAYS),
  RTO_TIME_MS: field(Tally.RTO_TIME_MS, 'ms', 'tally', 'tcpi_total_rto_time', STAYS),
  MIN_RTT_US: field(Tally.MIN_RTT_US, 'us', 'rtt', 'tcpi_min_rtt', STAYS),
  RTO_COUNTS: field(Tally.RTO_COUNTS, 'bits', 'tally', 'tcpi_total_rto, tcpi_total_rto_recoveries', STAYS),
  DELIVERED_CE: field(Tally.DELIVERED_CE, 'packets', 'tally', 'tcpi_delivered_ce', STAYS),
  DELIVERED: field(Tally.DELIVERED, 'packets', 'scoreboard', 'tcpi_delivered', STAYS),
  REORDERINGS: field(Tally.REORDERINGS, 'count', 'scoreboard', 'tcpi_reord_seen', STAYS),
  ISS: field(
    Tally.ISS,
    'seq',
    'syn-received',
    'RFC 9293 §3.4',
    kept('SND.UNA and BYTES_ACKED give it; lent to sleep.ts'),
  ),
  IRS: field(Tally.IRS, 'seq', 'syn-received', 'RFC 9293 §3.4', kept('RCV.NXT and BYTES_RECEIVED give it; lent')),
  BUSY_US: field(Tally.BUSY_US, 'low', 'tally', 'tcpi_busy_time', IN_USE, 2),
  PEER_WINDOW_US: field(Tally.PEER_WINDOW_US, 'low', 'tally', 'tcpi_rwnd_limited', IN_USE, 2),
  SEND_BUFFER_US: field(Tally.SEND_BUFFER_US, 'low', 'tally', 'tcpi_sndbuf_limited', IN_USE, 2),
} as const satisfies Readonly<Record<Exclude<keyof typeof Tally, 'SIZE'>, Field>>;
