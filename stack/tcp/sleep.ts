import { keepAcks, recallAcks } from './ack-memory.js';
import { AckBit } from './cold-bits.js';
import { COLD_FIELDS } from './cold-fields.js';
import { beginCongestionControl, CC_WORDS, congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { restartIsDue } from './cwnd-validation.js';
import type { Field } from './fields.js';
import { timestampOffset } from './isn.js';
import { NO_RTT, recallMinRtt } from './min-rtt.js';
import { sleepingMss, wakingMss } from './options.js';
import { departureIsPast, paces, restingDeparture, UNPACED_SEGMENTS } from './pacing.js';
import { settleReduction } from './prr.js';
import { recallReceiveSpace } from './receive-space.js';
import { recallVariance } from './rtt.js';
import { RecoveryBit } from './scoreboard.js';
import { State } from './state.js';
import { Cold, Custom, Flag, Name, Tally, Tcb } from './tcb.js';

/**
 * Segment path. What becomes of the variables of RFC 9293 §3.3.1 while a connection is idle, and that nobody can tell:
 * an idle connection gives its cold row back (docs/decisions/sleep.md), and gets another when it wakes up. Each word of
 * the cold row is kept elsewhere, forbids sleep, or may be lost; cold-fields.ts says which, and why.
 *
 * The rule is checked each time and not believed: before the row goes, a spare one is filled as that of the woken
 * connection would be, and compared. So a word that somebody adds forbids sleep until cold-fields.ts says that it may
 * go.
 *
 * Where the stack keeps tallies, words that most connections have learnt go there, into places that a resting
 * connection does not need: its initial sequence numbers, which follow from SND.UNA and the bytes counted, and the high
 * halves of counters that have not got so far. If one of these is in use, none of it is kept, as without tallies.
 */

/**
 * What the tally of a sleeping connection holds in the places of other words, while bit NOTED of its MSS_AND_SHIFTS is
 * set: ISS, IRS, and the high halves of BYTES_SENT, BYTES_ACKED, BYTES_RECEIVED, BYTES_RETRANSMITTED, BUSY_US,
 * PEER_WINDOW_US and SEND_BUFFER_US. fields.ts has them, and a test holds the two against each other.
 */
export const enum Note {
  /** RCV_MSS below, LAST_SEGMENT_BYTES above. */
  SEGMENTS = 24,
  /** ATO_MS in 11 bits, RCV_SCALING - 1 in 8, RATE_PACKETS in 12, RATE_APP_LIMITED in the highest. */
  PACKED = 25,
  MDEV_MAX_US = 1,
  RCV_RTT_TSECR = 3,
  /** The private word that the congestion control wants kept. */
  CC = 5,
  RATE_INTERVAL_US = 7,
  RCV_RTT = 27,
  RCV_SSTHRESH = 29,
  RTTVAR_US = 31,
}
const HIGH_HALVES: readonly number[] = [
  Note.MDEV_MAX_US,
  Note.RCV_RTT_TSECR,
  Note.CC,
  Note.RATE_INTERVAL_US,
  Note.RCV_RTT,
  Note.RCV_SSTHRESH,
  Note.RTTVAR_US,
];
const NOTED = 1 << 30;
const ATO_MAX = 0x7ff;
const SCALING_SHIFT = 11;
const SCALING_MAX = 0xff;
const RATE_SHIFT = 19;
const RATE_MAX = 0xfff;

/** For each word of the cold row, what it means that it is not as a fresh row's. */
const enum Differs {
  FORBIDS = 0,
  PATH = 1,
  /** Where there is a note, the same: it depends on what has changed meanwhile. */
  TALLY = 2,
  NOTHING = 3,
}
const DIFFERS = differences();
/** The words that mean something when they differ. */
const COMPARED = Uint8Array.from(DIFFERS.keys()).filter((word) => DIFFERS[word] !== Differs.NOTHING);

/** Control path. */
function differences(): Uint8Array {
  const words = new Uint8Array(Cold.SIZE);
  for (const { at, words: count, sleep } of Object.values<Field>(COLD_FIELDS)) {
    const free = sleep.judged === true || sleep.rule === 'lost';
    const differs = free
      ? Differs.NOTHING
      : sleep.rule === 'path'
        ? Differs.PATH
        : sleep.rule === 'tally'
          ? Differs.TALLY
          : Differs.FORBIDS;
    words.fill(differs, at, at + count);
  }
  return words;
}

/**
 * Fills the zeroed cold row `k` with what the hot row of `c`, and its tally, say. Both stay as they are, but for the
 * MSS, and cwnd and ssthresh with it (options.ts).
 */
export function fillRow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const noted = (hot[c + Tcb.MSS_AND_SHIFTS] & NOTED) !== 0;
  const y = (c >>> Tcb.SHIFT) * Tally.SIZE;
  cold[k + Cold.SND_WL2] = una;
  cold[k + Cold.MAX_SND_WND] = hot[c + Tcb.SND_WND];
  cold[k + Cold.LAST_ACK_SENT] = hot[c + Tcb.RCV_NXT];
  cold[k + Cold.HIGH_SEQ] = una;
  cold[k + Cold.REORDERING] = limits.reordering;
  cold[k + Cold.RACK_STEPS] = 1;
  cold[k + Cold.SND_SML] = una;
  cold[k + Cold.SND_UP] = una;
  cold[k + Cold.CHALLENGED_AT] = (tcp.clock.ms - limits.challengeAckIntervalMs) | 0;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  cold[k + Cold.TS_OFFSET] = timestampOffset(
    tcp,
    tcp.names[n + Name.LOCAL],
    tcp.names[n + Name.REMOTE],
    tcp.names[n + Name.PORTS],
  );
  cold[k + Cold.LAST_SENT_AT] = hot[c + Tcb.LAST_ACTIVITY];
  cold[k + Cold.CWND_STAMP] = hot[c + Tcb.LAST_ACTIVITY];
  cold[k + Cold.CWND_USAGE_END] = una;
  cold[k + Cold.DATA_SEGMENTS] = hot[c + Tcb.SRTT] === 0 ? 0 : UNPACED_SEGMENTS;
  cold[k + Cold.DEPARTS_AT_US] = restingDeparture(tcp);
  recallVariance(tcp, c, k);
  recallAcks(tcp, c, k);
  wakingMss(tcp, c, k);
  cold[k + Cold.SND_LIMIT] = sendLimitAtRest(tcp, c);
  cold[k + Cold.MIN_RTT_US] = NO_RTT;
  if (tcp.tallies) recallCounts(tcp, c, k, y);
  cold[k + Cold.RACK_LAST_DELIVERED] = cold[k + Cold.DELIVERED];
  beginCongestionControl(tcp, c, k);
  if (noted) readNote(tcp, c, k, y);
  else recallReceiveSpace(tcp, c, k, 0, 0);
}

/**
 * Fills the zeroed cold row `k` of a connection whose handshake has just been completed: what `fillRow` would find out
 * about one that has slept is known here, since it has sent its SYN and nothing else. `establish` (syn-received.ts)
 * says the rest.
 */
export function fillFirstRow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const now = hot[c + Tcb.LAST_ACTIVITY];
  cold[k + Cold.SND_WL1] = hot[c + Tcb.RCV_NXT];
  cold[k + Cold.SND_WL2] = una;
  cold[k + Cold.MAX_SND_WND] = hot[c + Tcb.SND_WND];
  cold[k + Cold.LAST_ACK_SENT] = hot[c + Tcb.RCV_NXT];
  cold[k + Cold.REORDERING] = limits.reordering;
  cold[k + Cold.RACK_STEPS] = 1;
  cold[k + Cold.SND_UP] = una;
  cold[k + Cold.CHALLENGED_AT] = (tcp.clock.ms - limits.challengeAckIntervalMs) | 0;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  cold[k + Cold.TS_OFFSET] = timestampOffset(
    tcp,
    tcp.names[n + Name.LOCAL],
    tcp.names[n + Name.REMOTE],
    tcp.names[n + Name.PORTS],
  );
  cold[k + Cold.LAST_SENT_AT] = now;
  cold[k + Cold.CWND_STAMP] = now;
  cold[k + Cold.CWND_USAGE_END] = una;
  cold[k + Cold.DEPARTS_AT_US] = restingDeparture(tcp);
  recallVariance(tcp, c, k);
  cold[k + Cold.SND_LIMIT] = limits.sendBytes;
  cold[k + Cold.MIN_RTT_US] = NO_RTT;
  recallReceiveSpace(tcp, c, k, 0, 0);
}

function readNote(tcp: TcpContext, c: number, k: number, y: number): void {
  const { cold, tally } = tcp;
  const word = tally[y + Note.PACKED];
  recallReceiveSpace(tcp, c, k, ((word >>> SCALING_SHIFT) & SCALING_MAX) + 1, tally[y + Note.RCV_SSTHRESH]);
  cold[k + Cold.RCV_MSS] = tally[y + Note.SEGMENTS] & 0xffff;
  cold[k + Cold.LAST_SEGMENT_BYTES] = tally[y + Note.SEGMENTS] >>> 16;
  cold[k + Cold.ATO_MS] = word & ATO_MAX;
  cold[k + Cold.RATE_PACKETS] = (word >>> RATE_SHIFT) & RATE_MAX;
  cold[k + Cold.RATE_APP_LIMITED] = word >>> 31;
  cold[k + Cold.RATE_INTERVAL_US] = tally[y + Note.RATE_INTERVAL_US];
  cold[k + Cold.RCV_RTT] = tally[y + Note.RCV_RTT];
  cold[k + Cold.RCV_RTT_TSECR] = tally[y + Note.RCV_RTT_TSECR];
  cold[k + Cold.RTTVAR_US] = tally[y + Note.RTTVAR_US];
  cold[k + Cold.MDEV_MAX_US] = tally[y + Note.MDEV_MAX_US];
  const keeps = congestionOf(tcp, k).keeps;
  if (keeps !== undefined) cold[k + Cold.CC + keeps] = tally[y + Note.CC];
}

/** The send buffer grows with cwnd (window.ts), and so follows from it unless cwnd has come down. */
export function sendLimitAtRest(tcp: TcpContext, c: number): number {
  const { limits } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) < State.ESTABLISHED) return limits.sendBytes;
  const grown = tcp.hot[c + Tcb.CWND] * 2;
  const most = grown < limits.sendBytesMax ? grown : limits.sendBytesMax;
  return most > limits.sendBytes ? most : limits.sendBytes;
}

/** What the tally counts of all connections. A connection that has not been established has nothing there but zeros. */
function recallCounts(tcp: TcpContext, c: number, k: number, y: number): void {
  const { cold, tally } = tcp;
  cold[k + Cold.DELIVERED] = tally[y + Tally.DELIVERED];
  cold[k + Cold.TOTAL_RETRANS] = tally[y + Tally.RETRANSMITTED];
  cold[k + Cold.DSACK_DUPS] = tally[y + Tally.DSACK_DUPLICATES];
  if (tally[y + Tally.LAST_DATA_SENT] !== 0) cold[k + Cold.LAST_SENT_AT] = tally[y + Tally.LAST_DATA_SENT];
  if (tally[y + Tally.LAST_DATA_RECEIVED] !== 0) cold[k + Cold.LAST_DATA_AT] = tally[y + Tally.LAST_DATA_RECEIVED];
  if (tally[y + Tally.MIN_RTT_US] !== 0)
    recallMinRtt(tcp, k, tally[y + Tally.MIN_RTT_US], tcp.hot[c + Tcb.LAST_ACTIVITY]);
}

/** ISS and IRS of a connection at rest, from what was counted. */
function initialSent(tcp: TcpContext, c: number): number {
  const { hot, tally } = tcp;
  const fin = (hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0 ? 1 : 0;
  return (hot[c + Tcb.SND_UNA] - 1 - fin - tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_ACKED]) | 0;
}
function initialReceived(tcp: TcpContext, c: number): number {
  const { hot, tally } = tcp;
  const fin = (hot[c + Tcb.STATE] & Flag.FIN_RECEIVED) !== 0 ? 1 : 0;
  return (hot[c + Tcb.RCV_NXT] - 1 - fin - tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_RECEIVED]) | 0;
}

/** Writes down in the hot row and the tally what a sleeping connection keeps of the cold row `k`. */
function note(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, tally } = tcp;
  sleepingMss(tcp, c, k);
  keepAcks(tcp, c, k);
  if (!tcp.tallies) return;
  const y = (c >>> Tcb.SHIFT) * Tally.SIZE;
  if (tally[y + Tally.ISS] !== initialSent(tcp, c) || tally[y + Tally.IRS] !== initialReceived(tcp, c)) return;
  for (let i = 0; i < HIGH_HALVES.length; i++) if (tally[y + HIGH_HALVES[i]] !== 0) return;
  if (cold[k + Cold.ATO_MS] > ATO_MAX || cold[k + Cold.RATE_PACKETS] > RATE_MAX) return;
  const keeps = congestionOf(tcp, k).keeps;
  hot[c + Tcb.MSS_AND_SHIFTS] |= NOTED;
  tally[y + Note.SEGMENTS] = cold[k + Cold.RCV_MSS] | (cold[k + Cold.LAST_SEGMENT_BYTES] << 16);
  tally[y + Note.PACKED] =
    cold[k + Cold.ATO_MS] |
    ((cold[k + Cold.RCV_SCALING] - 1) << SCALING_SHIFT) |
    (cold[k + Cold.RATE_PACKETS] << RATE_SHIFT) |
    (cold[k + Cold.RATE_APP_LIMITED] << 31);
  tally[y + Note.RATE_INTERVAL_US] = cold[k + Cold.RATE_INTERVAL_US];
  tally[y + Note.RCV_RTT] = cold[k + Cold.RCV_RTT];
  tally[y + Note.RCV_RTT_TSECR] = cold[k + Cold.RCV_RTT_TSECR];
  tally[y + Note.RCV_SSTHRESH] = cold[k + Cold.RCV_SSTHRESH];
  tally[y + Note.RTTVAR_US] = cold[k + Cold.RTTVAR_US];
  tally[y + Note.MDEV_MAX_US] = cold[k + Cold.MDEV_MAX_US];
  tally[y + Note.CC] = keeps === undefined ? 0 : cold[k + Cold.CC + keeps];
}

/** The tally is a tally again: the connection is awake, or over. */
export function unnote(tcp: TcpContext, c: number): void {
  const { hot, tally } = tcp;
  if ((hot[c + Tcb.MSS_AND_SHIFTS] & NOTED) === 0) return;
  hot[c + Tcb.MSS_AND_SHIFTS] &= ~NOTED;
  const y = (c >>> Tcb.SHIFT) * Tally.SIZE;
  for (let i = 0; i < HIGH_HALVES.length; i++) tally[y + HIGH_HALVES[i]] = 0;
  tally[y + Tally.ISS] = initialSent(tcp, c);
  tally[y + Tally.IRS] = initialReceived(tcp, c);
}

/**
 * A connection that rests: 0 when its cold row may go, and then the hot row and the tally hold what is kept; else ms
 * until it is worth asking again. Called where `quiet` (connection.ts) has found that nothing is under way.
 */
export function fallAsleep(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, limits } = tcp;
  const waitMs = restartIsDue(tcp, c, k) || departureIsPast(tcp, c, k);
  if (waitMs > 0) return waitMs;
  const silentMs = (tcp.clock.ms - hot[c + Tcb.LAST_ACTIVITY]) | 0;
  // The path's knowledge is worth a row while there are enough.
  const forgets = silentMs >= limits.pathMemoryMs || silentMs < 0 || tcp.table.activeCount * 2 > limits.activeMax;
  const leftMs = limits.pathMemoryMs - silentMs;
  const later = leftMs > 0 ? leftMs : limits.pathMemoryMs;
  if (isJudgedToStay(tcp, c, k, forgets)) return later;
  if (forgets) settleReduction(tcp, c, k);
  const mss = hot[c + Tcb.MSS_AND_SHIFTS];
  const cwnd = hot[c + Tcb.CWND];
  const ssthresh = hot[c + Tcb.SSTHRESH];
  note(tcp, c, k);
  const kept = hot[c + Tcb.MSS_AND_SHIFTS];
  const keptCwnd = hot[c + Tcb.CWND];
  const keptSsthresh = hot[c + Tcb.SSTHRESH];
  fillSpare(tcp, c);
  const same = forgets || (hot[c + Tcb.CWND] === cwnd && hot[c + Tcb.SSTHRESH] === ssthresh);
  const noted = (kept & NOTED) !== 0;
  const sleeps = same && rowsAgree(cold, k, tcp.spareRow, noted, forgets);
  hot[c + Tcb.MSS_AND_SHIFTS] = kept;
  hot[c + Tcb.CWND] = keptCwnd;
  hot[c + Tcb.SSTHRESH] = keptSsthresh;
  if (sleeps) return 0;
  unnote(tcp, c);
  hot[c + Tcb.MSS_AND_SHIFTS] = mss;
  hot[c + Tcb.CWND] = cwnd;
  hot[c + Tcb.SSTHRESH] = ssthresh;
  return later;
}

/** The spare row as that of `c` would be, were it woken now. */
function fillSpare(tcp: TcpContext, c: number): void {
  const spare = tcp.spareRow;
  const had = tcp.hot[c + Tcb.COLD];
  tcp.cold.fill(0, spare, spare + Cold.SIZE);
  tcp.hot[c + Tcb.COLD] = spare;
  fillRow(tcp, c, spare);
  tcp.hot[c + Tcb.COLD] = had;
}

function rowsAgree(cold: Int32Array, k: number, spare: number, noted: boolean, forgets: boolean): boolean {
  for (let i = 0; i < COMPARED.length; i++) {
    const word = COMPARED[i];
    if (cold[k + word] === cold[spare + word]) continue;
    const differs: Differs = DIFFERS[word];
    if (differs === Differs.FORBIDS) return false;
    if (!forgets && (differs === Differs.PATH || (differs === Differs.TALLY && noted))) return false;
  }
  return true;
}

/** The words that a comparison cannot judge (`judged` in cold-fields.ts). */
function isJudgedToStay(tcp: TcpContext, c: number, k: number, forgets: boolean): boolean {
  const { hot, cold } = tcp;
  if (
    cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT] ||
    (cold[k + Cold.ACK_BITS] & ~AckBit.MEASURING) !== 0 ||
    (cold[k + Cold.CUSTOM] & ~Custom.RELEASED) !== 0
  )
    return true;
  if (forgets) return false;
  if (paces(tcp, k) && cold[k + Cold.DATA_SEGMENTS] < UNPACED_SEGMENTS) return true;
  if ((cold[k + Cold.RECOVERY_BITS] & ~RecoveryBit.RACK_ADVANCED) !== 0) return true;
  const wnd = hot[c + Tcb.SND_WND];
  if (cold[k + Cold.MAX_SND_WND] !== wnd && wnd < 2 * cold[k + Cold.PEER_MSS]) return true;
  return !controlRests(tcp, c, k);
}

/**
 * Whether the congestion control has nothing in its private words that it would miss. One that does not say rests while
 * they are zero.
 */
function controlRests(tcp: TcpContext, c: number, k: number): boolean {
  const control = congestionOf(tcp, k);
  if (control.rests !== undefined) return control.rests(tcp, c, k);
  for (let i = 0; i < CC_WORDS; i++) if (tcp.cold[k + Cold.CC + i] !== 0) return false;
  return true;
}

/** Whether `c` is one that sleeps, and not one that is over or has not begun. */
export function isAsleep(tcp: TcpContext, c: number): boolean {
  return tcp.hot[c + Tcb.COLD] === 0 && (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) >= State.ESTABLISHED;
}

/**
 * Control path. `read` of the cold row of `c`; of a sleeping one, what the row would hold were it woken now, and `c`
 * sleeps on.
 */
export function withRow<T>(tcp: TcpContext, c: number, read: (k: number) => T): T {
  const { hot } = tcp;
  if (!isAsleep(tcp, c)) return read(hot[c + Tcb.COLD]);
  const before = hot.slice(c, c + Tcb.SIZE);
  fillSpare(tcp, c);
  hot[c + Tcb.COLD] = tcp.spareRow;
  const noted = (before[Tcb.MSS_AND_SHIFTS] & NOTED) !== 0;
  const y = (c >>> Tcb.SHIFT) * Tally.SIZE;
  const tallied = tcp.tallies ? tcp.tally.slice(y, y + Tally.SIZE) : undefined;
  // fillRow has read it, so that it may show itself as that of an awake connection meanwhile.
  if (noted) {
    hot[c + Tcb.MSS_AND_SHIFTS] |= NOTED;
    unnote(tcp, c);
  }
  try {
    return read(tcp.spareRow);
  } finally {
    hot.set(before, c);
    if (tallied !== undefined) tcp.tally.set(tallied, y);
  }
}
