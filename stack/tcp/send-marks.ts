import { seqGeq, seqGt, seqLeq } from '../base/seq.js';
import { BURST_BYTES_MAX, burstSegments } from './burst.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { optionBytesNow } from './emit.js';
import { dropFirstMark, Extra, ExtraBit, extraRow, leaveExtraRow } from './extra-rows.js';
import { Mark } from './mark-pool.js';
import { sendMss } from './options.js';
import { cwndPackets, packetsInFlight } from './scoreboard.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { SentFlag } from './transmit-pool.js';

/**
 * Segment path. What single writes say of the bytes they bring, besides that they follow one another (SEND, RFC 9293
 * §3.10.2 and §3.9.1.2's push): where a record ends, that more follows, and where a long write is pushed in its
 * midst. Most connections have none of this, and show it by Cold.EXTRA being 0.
 *
 * Linux keeps what is to be sent in buffers, and its marks are theirs: a buffer is filled up to a size before the next
 * one begins, a limit is looked at when one begins, and PSH and "end of record" are said at the end of one. So where
 * marks matter it is worked out here where its buffers would begin and end.
 */

/** What a program says of one `send`. */
export enum SendFlag {
  NONE = 0,
  /** More follows at once: what does not fill a segment waits for that, or for the next acknowledgment (MSG_MORE). */
  MORE = 1,
  /** A record ends here: no segment has bytes of before and after, however often it is sent (MSG_EOR). */
  RECORD_END = 2,
  /** It will be marked urgent (MSG_OOB): as on Linux it is buffered a segment at a time, and limits are asked for each. */
  URGENT = 4,
}

/**
 * Without a mark the boundary is not kept, and counted: to the peer it is a stream all the same. A connection has no more
 * than an eighth of what is free besides its first, as with buffers (memory.ts): the last part is never one's alone.
 */
function addMark(tcp: TcpContext, extra: number, end: number, bits: number): void {
  const { rows } = tcp.extras;
  const marks = tcp.marks.rows;
  const tail = rows[extra + Extra.MARK_TAIL];
  if (tail !== 0 && marks[tail + Mark.END] === end) {
    marks[tail + Mark.BITS] |= bits;
    return;
  }
  const over = tail !== 0 && rows[extra + Extra.MARK_COUNT] >= tcp.marks.free >>> SHARE_SHIFT;
  const at = over ? 0 : tcp.marks.take();
  if (at === 0) {
    tcp.net.stats.tcpMarksRefused += 1;
    return;
  }
  marks[at + Mark.END] = end;
  marks[at + Mark.BITS] = bits;
  marks[at + Mark.NEXT] = 0;
  if (tail === 0) rows[extra + Extra.MARK_HEAD] = at;
  else marks[tail + Mark.NEXT] = at;
  rows[extra + Extra.MARK_TAIL] = at;
  rows[extra + Extra.MARK_COUNT] += 1;
}
const SHARE_SHIFT = 3;

// Sending

/**
 * Of `unsent` bytes from `nxt` on, those before the end of a record; all, if none ends within the first `most`: a
 * segment takes no more anyway.
 */
export function bytesOfRecord(tcp: TcpContext, extra: number, nxt: number, unsent: number, most: number): number {
  const marks = tcp.marks.rows;
  for (let at = tcp.extras.rows[extra + Extra.MARK_HEAD]; at !== 0; at = marks[at + Mark.NEXT]) {
    const bytes = (marks[at + Mark.END] - nxt) | 0;
    if (bytes >= most || bytes >= unsent) return unsent;
    if (endsRecord(marks, at)) return bytes;
  }
  return unsent;
}

function endsRecord(marks: Int32Array, at: number): boolean {
  return (marks[at + Mark.BITS] & SentFlag.RECORD_END) !== 0;
}

/** What the marks up to `end` say of the segment that ends there: bits of SentFlag. */
export function markedBits(tcp: TcpContext, extra: number, end: number): number {
  const marks = tcp.marks.rows;
  let bits = 0;
  for (let at = tcp.extras.rows[extra + Extra.MARK_HEAD]; at !== 0; at = marks[at + Mark.NEXT]) {
    if (seqGt(marks[at + Mark.END], end)) break;
    bits |= marks[at + Mark.END] === end ? marks[at + Mark.BITS] : marks[at + Mark.BITS] & SentFlag.PUSH;
  }
  return bits;
}

/** Everything up to `end` has been sent; `all`: there is nothing behind it, and what was said of the end of the queue holds no more. */
export function passMarks(tcp: TcpContext, c: number, k: number, extra: number, end: number, all: boolean): void {
  const { rows } = tcp.extras;
  const marks = tcp.marks.rows;
  let at = rows[extra + Extra.MARK_HEAD];
  while (at !== 0 && seqLeq(marks[at + Mark.END], end)) {
    dropFirstMark(tcp, extra);
    at = rows[extra + Extra.MARK_HEAD];
  }
  if (!all) return;
  liftHold(tcp, c, k);
  rows[extra + Extra.BITS] &= ~ExtraBit.UNPUSHED;
  leaveExtraRow(tcp, k);
}

/** The end of the queue is one of a write after which more was to follow. */
export function endIsUnpushed(tcp: TcpContext, extra: number): boolean {
  return (tcp.extras.rows[extra + Extra.BITS] & ExtraBit.UNPUSHED) !== 0;
}

/** What MSG_MORE held back is held no longer: an acknowledgment has come, or more was written. A cork of the program's stays. */
export function liftHold(tcp: TcpContext, c: number, k: number): void {
  const extra = tcp.cold[k + Cold.EXTRA];
  if (extra === 0 || (tcp.extras.rows[extra + Extra.BITS] & ExtraBit.HELD) === 0) return;
  tcp.extras.rows[extra + Extra.BITS] &= ~ExtraBit.HELD;
  tcp.hot[c + Tcb.STATE] &= ~Flag.CORK;
  mark(tcp, c);
}

/** Whether the cork is a write's and not the program's. */
export function isHeld(tcp: TcpContext, c: number): boolean {
  const k = tcp.hot[c + Tcb.COLD];
  if (k === 0) return false;
  const extra = tcp.cold[k + Cold.EXTRA];
  return extra !== 0 && (tcp.extras.rows[extra + Extra.BITS] & ExtraBit.HELD) !== 0;
}

// Writing

/**
 * A write longer than that is pushed in its midst (Linux's forced_push): at each half of the largest window. While no
 * window is known, before the handshake, nothing is so long.
 */
export function halfWindow(tcp: TcpContext, k: number): number {
  return tcp.cold[k + Cold.MAX_SND_WND] >>> 1 || 0x3fffffff;
}

/** What one of Linux's buffers holds: whole segments, no more than a burst and than half of the largest window (tcp_xmit_size_goal, tcp_bound_to_half_wnd). */
function bufferGoal(tcp: TcpContext, k: number, mss: number): number {
  const largest = tcp.cold[k + Cold.MAX_SND_WND];
  const half = largest > MSS_DEFAULT ? largest >>> 1 : largest;
  const bytes = half > 0 && half < BURST_BYTES_MAX ? half : BURST_BYTES_MAX;
  return bytes < mss ? mss : bytes - (bytes % mss);
}
const MSS_DEFAULT = 536;

/**
 * A write of `wanted` bytes, of which the send buffer has room for `room`, behind `queued` ones: how many are taken, and
 * what is marked. Deviation: as Linux TCP_NOTSENT_LOWAT is asked only when a buffer begins, and what windows let out of
 * the ones before counts as sent; so more may wait unsent than the limit says, by one buffer.
 */
export function planWrite(
  tcp: TcpContext,
  c: number,
  k: number,
  queued: number,
  wanted: number,
  room: number,
  how: number,
): number {
  const { hot, cold, limits } = tcp;
  const { rows } = tcp.extras;
  const begin = (hot[c + Tcb.SND_UNA] + queued) | 0;
  const fresh = cold[k + Cold.EXTRA] === 0;
  const extra = extraRow(tcp, k);
  if (fresh) {
    rows[extra + Extra.TAIL_SEQ] = hot[c + Tcb.SND_NXT];
    rows[extra + Extra.PUSHED_SEQ] = begin;
  }
  const full = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  const mss = full > 0 ? full : MSS_DEFAULT;
  const urgent = (how & SendFlag.URGENT) !== 0;
  const goal = urgent ? mss : bufferGoal(tcp, k, mss);
  const half = halfWindow(tcp, k);
  const edge = sendableEdge(tcp, c, k, mss);
  const burst = mss * burstSegments(tcp, c, k, mss, cwndPackets(tcp, c), cwndPackets(tcp, c));
  const lowWater = rows[extra + Extra.NOTSENT_LOWAT];
  // What waits for the end of the turn has gone already, as far as windows let it.
  let sent = hot[c + Tcb.SND_NXT];
  if ((hot[c + Tcb.STATE] & Flag.MARKED) !== 0) sent = first(begin, edge);
  let pushed = rows[extra + Extra.PUSHED_SEQ];
  let tail = sent === begin ? begin : later(rows[extra + Extra.TAIL_SEQ], sent);
  let end = begin;
  let left = wanted < room ? wanted : room;
  while (left > 0) {
    const fill = (end - tail) | 0;
    if (fill === 0 || fill >= goal || recordEndsAt(tcp, extra, end)) {
      if (lowWater !== 0 && ((end - sent) | 0) >= lowWater) break;
      tail = end;
    }
    const free = goal - ((end - tail) | 0);
    const take = left < free ? left : free;
    end = (end + take) | 0;
    left -= take;
    if (((end - begin) | 0) === wanted || take < free || urgent) continue;
    if (seqGt(end, (pushed + half) | 0)) {
      pushed = end;
      sent = later(sent, first(end, edge));
      // What must wait is joined with what comes behind it (tcp_grow_skb), and the mark is lost.
      if (limits.pushHalfWindows && sent === end) addMark(tcp, extra, end, SentFlag.PUSH);
    } else if (sent === tail) sent = later(sent, first(first(end, edge), (sent + burst) | 0));
    tail = later(tail, sent);
  }
  const taken = (end - begin) | 0;
  rows[extra + Extra.TAIL_SEQ] = tail;
  rows[extra + Extra.PUSHED_SEQ] = pushed;
  if (taken > 0) endWrite(tcp, c, extra, end, taken === wanted ? how : SendFlag.NONE, seqGt(end, (pushed + half) | 0));
  else leaveExtraRow(tcp, k);
  return taken;
}

function first(a: number, b: number): number {
  return seqGt(a, b) ? b : a;
}
function later(a: number, b: number): number {
  return seqGt(a, b) ? a : b;
}

function recordEndsAt(tcp: TcpContext, extra: number, end: number): boolean {
  const at = tcp.extras.rows[extra + Extra.MARK_TAIL];
  return at !== 0 && tcp.marks.rows[at + Mark.END] === end && endsRecord(tcp.marks.rows, at);
}

/** Up to where congestion window and window let whole segments go now. */
function sendableEdge(tcp: TcpContext, c: number, k: number, mss: number): number {
  const { hot } = tcp;
  const nxt = hot[c + Tcb.SND_NXT];
  const byCwnd = (cwndPackets(tcp, c) - packetsInFlight(tcp.cold, k)) * mss;
  const byWindow = (hot[c + Tcb.SND_UNA] + hot[c + Tcb.SND_WND] - nxt) | 0;
  const bytes = byCwnd < byWindow ? byCwnd : byWindow;
  return bytes <= 0 ? nxt : (nxt + bytes - (bytes % mss)) | 0;
}

/** The last byte of a write, or of as much of it as was taken, is in the queue. A write that came up short is pushed, whatever was to follow. */
function endWrite(tcp: TcpContext, c: number, extra: number, end: number, how: number, force: boolean): void {
  const { rows } = tcp.extras;
  const more = (how & SendFlag.MORE) !== 0;
  const unpushed = more && !force;
  if (!unpushed) rows[extra + Extra.PUSHED_SEQ] = end;
  let bits = rows[extra + Extra.BITS] & ~ExtraBit.UNPUSHED;
  if (unpushed) bits |= ExtraBit.UNPUSHED;
  if ((how & SendFlag.RECORD_END) !== 0) addMark(tcp, extra, end, SentFlag.RECORD_END | (unpushed ? 0 : SentFlag.PUSH));
  if (more && (tcp.hot[c + Tcb.STATE] & Flag.CORK) === 0) {
    tcp.hot[c + Tcb.STATE] |= Flag.CORK;
    bits |= ExtraBit.HELD;
  } else if (!more && (bits & ExtraBit.HELD) !== 0) {
    tcp.hot[c + Tcb.STATE] &= ~Flag.CORK;
    bits &= ~ExtraBit.HELD;
  }
  rows[extra + Extra.BITS] = bits;
}

/** There was no memory for all that `planWrite` took: what is marked beyond `end` is not there. */
export function cutMarks(tcp: TcpContext, c: number, k: number, end: number): void {
  const extra = tcp.cold[k + Cold.EXTRA];
  if (extra === 0) return;
  const { rows } = tcp.extras;
  const marks = tcp.marks.rows;
  let before = 0;
  let at = rows[extra + Extra.MARK_HEAD];
  while (at !== 0 && !seqGt(marks[at + Mark.END], end)) {
    before = at;
    at = marks[at + Mark.NEXT];
  }
  if (before === 0) rows[extra + Extra.MARK_HEAD] = 0;
  else marks[before + Mark.NEXT] = 0;
  rows[extra + Extra.MARK_TAIL] = before;
  while (at !== 0) {
    const next = marks[at + Mark.NEXT];
    rows[extra + Extra.MARK_COUNT] -= 1;
    tcp.marks.give(at);
    at = next;
  }
  if (seqGeq(rows[extra + Extra.TAIL_SEQ], end)) rows[extra + Extra.TAIL_SEQ] = end;
  rows[extra + Extra.PUSHED_SEQ] = end;
  rows[extra + Extra.BITS] &= ~ExtraBit.UNPUSHED;
  liftHold(tcp, c, k);
}
