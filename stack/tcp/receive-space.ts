import type { Address } from '../base/units.js';
import { TIMESTAMPS_BYTES } from './ack-memory.js';
import { Behaviour } from './behaviour.js';
import type { TcpContext } from './context.js';
import { boundUnderPressure, isUnread, underPressure } from './memory.js';
import { offeredMss } from './options.js';
import { pruneRuns } from './reassembly.js';
import { Run } from './reassembly-pool.js';
import { costOfSegment, memoryUsed, packQueue, TEXT_ALONE } from './receive-memory.js';
import { State } from './state.js';
import { Cold, Custom, Flag, Name, Tcb } from './tcb.js';

/**
 * Segment path. What the receive buffer holds and what window it is worth. The limit is one of memory, as Linux's sk_rcvbuf, and holding a segment costs more
 * than its text; so the window is a part of the limit, the part that text had in the segments seen. Peers and their operators know the windows that follow
 * (64,240 in a SYN, 65,160 in a SYN,ACK with timestamps), and a flood of single bytes is charged for what it would cost.
 * What is held is charged in receive-memory.ts.
 */

/** A ratio is of 256. */
const SCALING_SHIFT = 8;

/** Text that `space` bytes of memory hold. */
function textIn(space: number, scaling: number): number {
  return space <= 0 ? 0 : (space >>> SCALING_SHIFT) * scaling + (((space & 0xff) * scaling) >>> SCALING_SHIFT);
}

/** Memory that `text` bytes take. */
function memoryFor(text: number, scaling: number): number {
  return Math.floor((text * (1 << SCALING_SHIFT)) / scaling);
}

/**
 * The limit that holds now. While memory is short for all (memory.ts) it is what the program makes use of: twice what it read in a round trip, which is what its window
 * needs; if it leaves bytes unread, no more than the reserve; but always room for a segment, or the window of an empty queue would be shut (§3.8.6.2.2's silly-window rule). A window
 * once offered stays offered (RFC 9293 §3.8.6), whatever becomes of what is sent into it.
 */
function limitNow(tcp: TcpContext, c: number, k: number): number {
  return underPressure(tcp) ? limitUnderPressure(tcp, c, k) : tcp.cold[k + Cold.RCV_LIMIT];
}

function limitUnderPressure(tcp: TcpContext, c: number, k: number): number {
  const { cold } = tcp;
  const limit = cold[k + Cold.RCV_LIMIT];
  const text = boundUnderPressure(tcp, isUnread(tcp, c, k) ? 0 : 2 * cold[k + Cold.TUNE_SPACE]);
  const least = 2 * cold[k + Cold.RCV_MSS];
  const bound = memoryFor(text > least ? text : least, cold[k + Cold.RCV_SCALING]);
  return bound < limit ? bound : limit;
}

/** The window the buffer is worth with the limit that holds now. */
export function allowedWindow(tcp: TcpContext, c: number, k: number): number {
  return textIn(limitNow(tcp, c, k), tcp.cold[k + Cold.RCV_SCALING]);
}

/** The window the whole buffer is worth. */
function fullWindow(tcp: TcpContext, k: number): number {
  return textIn(tcp.cold[k + Cold.RCV_LIMIT], tcp.cold[k + Cold.RCV_SCALING]);
}

/** The window that what is free of it is worth. */
export function freeWindow(tcp: TcpContext, c: number, k: number): number {
  return textIn(limitNow(tcp, c, k) - memoryUsed(tcp, k), tcp.cold[k + Cold.RCV_SCALING]);
}

/** The text of a full segment from the peer: the MSS we advertise less what timestamps take of each (RFC 6691 §2). */
export function ownMss(tcp: TcpContext, c: number, k: number): number {
  const mss = toldMss(tcp, c, k);
  return (tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0 ? mss - TIMESTAMPS_BYTES : mss;
}

/** The MSS of our SYN. */
function toldMss(tcp: TcpContext, c: number, k: number): number {
  const remote = tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address;
  return offeredMss(tcp, remote, tcp.cold[k + Cold.MSS_CLAMP]);
}

/**
 * A cold row begins, with RCV.WND as it is: the handshake's, or that of a connection that slept and so holds nothing.
 * `scaling` and `goal` are RCV_SCALING and RCV_SSTHRESH as they were before it slept, 0 where they are not known. A
 * buffer that had grown is as large as what was offered needs.
 */
export function recallReceiveSpace(tcp: TcpContext, c: number, k: number, scaling: number, goal: number): void {
  const { hot, cold, limits } = tcp;
  const window = hot[c + Tcb.RCV_WND];
  const awake = (hot[c + Tcb.STATE] & Flag.STATE_MASK) >= State.ESTABLISHED;
  cold[k + Cold.RCV_SCALING] = limits.receiveWindowShare;
  // What was offered may be of the time before the ratio had come down to what it is.
  const ratio = scaling > limits.receiveWindowShare ? scaling : limits.receiveWindowShare;
  let limit = limits.receiveBytes;
  if (!awake || window > roundedUp(textIn(limit, ratio), hot[c + Tcb.MSS_AND_SHIFTS])) {
    // Awake again it keeps what it has promised: the clamp leaves a segment out.
    const needed = memoryFor(awake ? window + ownMss(tcp, c, k) : window, ratio);
    if (needed > limit) limit = needed;
  }
  cold[k + Cold.RCV_LIMIT] = limit;
  boundWindow(tcp, c, k);
  if (scaling !== 0) setScaling(tcp, c, k, scaling);
  if (goal !== 0) cold[k + Cold.RCV_SSTHRESH] = goal;
  // It may have fallen asleep with its window shut, for want of memory: the goal is a window that can open.
  const least = 2 * ownMss(tcp, c, k);
  const clamp = cold[k + Cold.WINDOW_CLAMP];
  if (awake && cold[k + Cold.RCV_SSTHRESH] < least) cold[k + Cold.RCV_SSTHRESH] = least < clamp ? least : clamp;
}

/** A window of just so many bytes may have been offered as a little more, for the scale's sake (window.ts). */
function roundedUp(window: number, mssAndShifts: number): number {
  const unit = (1 << ((mssAndShifts >>> 20) & 0xf)) - 1;
  return (window + unit) & ~unit;
}

/**
 * The limit is known, and RCV.WND was offered in the handshake: one segment of the buffer is kept back, the window may grow up to the rest, and begins at what was
 * offered. As Linux's tcp_init_buffer_space.
 */
export function boundWindow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((tcp.behaviour & Behaviour.WHOLE_SEGMENTS) !== 0) roundToSegments(tcp, k);
  const full = fullWindow(tcp, k);
  const passive = (hot[c + Tcb.STATE] & Flag.PASSIVE) !== 0;
  const mss = passive ? toldMss(tcp, c, k) : ownMss(tcp, c, k);
  const kept = tcp.limits.receiveWindowShare === TEXT_ALONE ? full : full - mss;
  const clamp = full <= 2 * mss ? full : kept > 2 * mss ? kept : 2 * mss;
  // Without scaling the field has no room for more, nor had the SYN.
  const scaled = (hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0;
  setClamp(cold, k, scaled || clamp < 0xffff ? clamp : 0xffff);
  if (!scaled && hot[c + Tcb.RCV_WND] > 0xffff) hot[c + Tcb.RCV_WND] = 0xffff;
  const window = hot[c + Tcb.RCV_WND];
  cold[k + Cold.RCV_SSTHRESH] = window < cold[k + Cold.WINDOW_CLAMP] ? window : cold[k + Cold.WINDOW_CLAMP];
  const tenSegments = 10 * mss;
  const space = cold[k + Cold.RCV_SSTHRESH];
  cold[k + Cold.TUNE_SPACE] = space < tenSegments ? space : tenSegments;
  cold[k + Cold.TUNE_COPIED] = 0;
  cold[k + Cold.TUNE_AT_US] = tcp.clock.us32;
}

/** FreeBSD: the buffer is rounded up to segments of the size that the handshake has agreed on, unless the program has set it. */
function roundToSegments(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const mss = cold[k + Cold.PEER_MSS];
  const limit = cold[k + Cold.RCV_LIMIT];
  if (mss === 0 || limit <= mss || (cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) !== 0) return;
  const rounded = Math.ceil(limit / mss) * mss;
  cold[k + Cold.RCV_LIMIT] = rounded < tcp.limits.receiveBytesMax ? rounded : tcp.limits.receiveBytesMax;
}

/** What the program has set stands until the ratio of text to memory moves, or the buffer grows: as Linux. */
function setClamp(cold: Int32Array, k: number, clamp: number): void {
  if ((cold[k + Cold.CUSTOM] & Custom.WINDOW_CLAMP) === 0) cold[k + Cold.WINDOW_CLAMP] = clamp;
}

/** The clamp moves while the connection lives: the window's goal comes down with it, and goes up to what has been offered (as Linux's tcp_set_window_clamp). */
function moveClamp(tcp: TcpContext, c: number, k: number, wanted: number): void {
  const { cold } = tcp;
  const clamp = wanted > CLAMP_MIN ? wanted : CLAMP_MIN;
  const before = cold[k + Cold.WINDOW_CLAMP];
  cold[k + Cold.WINDOW_CLAMP] = clamp;
  const goal = cold[k + Cold.RCV_SSTHRESH];
  if (clamp < before) {
    if (goal > clamp) cold[k + Cold.RCV_SSTHRESH] = clamp;
    return;
  }
  const offered = windowOffered(tcp, c, k);
  const atLeast = offered < clamp ? offered : clamp;
  if (goal < atLeast) cold[k + Cold.RCV_SSTHRESH] = atLeast;
}
/** Half of Linux's least receive buffer. */
const CLAMP_MIN = 1152;

/** RCV.WND as it was told with the last ACK, before what has come since. */
export function windowOffered(tcp: TcpContext, c: number, k: number): number {
  return tcp.hot[c + Tcb.RCV_WND] + ((tcp.hot[c + Tcb.RCV_NXT] - tcp.cold[k + Cold.LAST_ACK_SENT]) | 0);
}

/** The program has set the limit: it is not tuned any more, and the window follows it. */
export function limitSet(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  cold[k + Cold.CUSTOM] |= Custom.RCV_LIMIT;
  const full = fullWindow(tcp, k);
  setClamp(cold, k, full);
  // Deviation: Linux leaves the goal to grow with what comes. A program that asks for more in the middle means now.
  if (full > cold[k + Cold.RCV_SSTHRESH]) cold[k + Cold.RCV_SSTHRESH] = cold[k + Cold.WINDOW_CLAMP];
  tcp.hot[c + Tcb.STATE] |= Flag.WINDOW_CHECK;
}

/** TCP_WINDOW_CLAMP. 0: what the buffer allows. */
export function clampSet(tcp: TcpContext, c: number, k: number, value: number): void {
  const cold = tcp.cold;
  if (value === 0) {
    cold[k + Cold.CUSTOM] &= ~Custom.WINDOW_CLAMP;
    moveClamp(tcp, c, k, fullWindow(tcp, k));
    return;
  }
  cold[k + Cold.CUSTOM] |= Custom.WINDOW_CLAMP;
  moveClamp(tcp, c, k, value);
}

/** A full-sized segment of a new size shows what part of the memory is text: `length` bytes of it (as Linux's tcp_measure_rcv_mss). */
export function measureScaling(tcp: TcpContext, c: number, k: number, length: number): void {
  if (tcp.limits.receiveWindowShare === TEXT_ALONE) return;
  const ratio = Math.floor((length << SCALING_SHIFT) / costOfSegment(tcp));
  setScaling(tcp, c, k, ratio > 0 ? ratio : 1);
}

function setScaling(tcp: TcpContext, c: number, k: number, scaling: number): void {
  const cold = tcp.cold;
  if (scaling === cold[k + Cold.RCV_SCALING]) return;
  cold[k + Cold.RCV_SCALING] = scaling;
  const full = fullWindow(tcp, k);
  moveClamp(tcp, c, k, full);
  if (cold[k + Cold.WINDOW_CLAMP] < cold[k + Cold.TUNE_SPACE]) cold[k + Cold.TUNE_SPACE] = cold[k + Cold.WINDOW_CLAMP];
}

/**
 * A segment that brings text makes the window grow towards what the buffer could hold of its like: by two full segments where its text is as large a part
 * of its memory as of the window's, by less the more it wastes (as Linux's tcp_grow_window). While it grows every segment is acknowledged at once, for the sender's window grows by our ACKs.
 */
export function growWindow(tcp: TcpContext, c: number, k: number, length: number): void {
  const cold = tcp.cold;
  const free = freeWindow(tcp, c, k);
  const clamp = cold[k + Cold.WINDOW_CLAMP];
  const room = (free < clamp ? free : clamp) - cold[k + Cold.RCV_SSTHRESH];
  if (room <= 0) return;
  const worth = textIn(costOfSegment(tcp), cold[k + Cold.RCV_SCALING]);
  let step = worth <= length ? 2 * ownMss(tcp, c, k) : stepOfWasteful(tcp, k, worth >>> 1, length);
  if (step === 0) return;
  if (step < 2 * length) step = 2 * length;
  cold[k + Cold.RCV_SSTHRESH] += room < step ? room : step;
  cold[k + Cold.QUICK_ACKS] |= 1;
}

/** The larger the window is already, the less a segment may waste for it to grow on. At most 14 rounds: the window halves in each. */
function stepOfWasteful(tcp: TcpContext, k: number, worth: number, length: number): number {
  const cold = tcp.cold;
  let cost = worth;
  let window = textIn(tcp.limits.receiveBytesMax, cold[k + Cold.RCV_SCALING]) >>> 1;
  while (window > 0 && cold[k + Cold.RCV_SSTHRESH] <= window) {
    if (cost <= length) return 2 * cold[k + Cold.RCV_MSS];
    cost >>>= 1;
    window >>>= 1;
  }
  return 0;
}

/**
 * Is there room for another segment? As Linux's tcp_prune_queue, the limit may be passed by one segment; then it is raised if it may be, else what is held is counted as
 * packed, then what came out of order is let go, the last first (RFC 2018 §8 allows it). False: the segment must be refused.
 */
export function roomForSegment(tcp: TcpContext, c: number, k: number): boolean {
  if (memoryUsed(tcp, k) <= limitNow(tcp, c, k)) return true;
  return makeRoom(tcp, c, k);
}

function makeRoom(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, limits } = tcp;
  tcp.net.stats.tcpPruneCalled += 1;
  cold[k + Cold.QUICK_ACKS] = 0;
  const used = memoryUsed(tcp, k);
  const tunable = (cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) === 0 && !underPressure(tcp);
  if (tunable && cold[k + Cold.RCV_LIMIT] < limits.receiveBytesMax)
    cold[k + Cold.RCV_LIMIT] = used < limits.receiveBytesMax ? used : limits.receiveBytesMax;
  const limit = limitNow(tcp, c, k);
  if (used <= limit) return true;
  const least = 2 * ownMss(tcp, c, k);
  const clamp = cold[k + Cold.WINDOW_CLAMP];
  cold[k + Cold.RCV_SSTHRESH] = clamp < least ? clamp : least;
  const held = tcp.arena.length(hot[c + Tcb.RCV_QUEUE]);
  packQueue(tcp, k, held);
  if (memoryUsed(tcp, k) <= limit) return true;
  pruneRuns(tcp, k, limit - cold[k + Cold.RCV_MEM]);
  if (memoryUsed(tcp, k) <= limit) return true;
  tcp.net.stats.tcpRcvPruned += 1;
  return false;
}

/**
 * Receive-buffer auto-tuning ("dynamic right-sizing", as Linux's tcp_rcv_space_adjust), when the program has read: once a round trip, if it read more than in any round trip
 * before, the window has to hold twice that (losses), and in slow start, when the amount doubles with each, more still; the limit is what this takes of memory.
 */
export function tuneReceiveBuffer(tcp: TcpContext, c: number, k: number, copied: number): void {
  const { cold, limits } = tcp;
  const total = cold[k + Cold.TUNE_COPIED] + copied;
  cold[k + Cold.TUNE_COPIED] = total;
  const rtt = cold[k + Cold.RCV_RTT] >>> 3;
  const elapsed = (tcp.clock.us32 - cold[k + Cold.TUNE_AT_US]) >>> 0;
  if (cold[k + Cold.RCV_RTT] === 0 || elapsed < rtt) return;
  const space = cold[k + Cold.TUNE_SPACE];
  if ((tcp.behaviour & Behaviour.TUNES_AS_7) !== 0) {
    // What waits to be read came late in this round trip: it will count in the next.
    const read = total - tcp.arena.length(tcp.hot[c + Tcb.RCV_QUEUE]);
    if (read > space) tuneTo(tcp, c, k, read);
  } else if (total > space) {
    const base = total * 2 + 16 * ownMss(tcp, c, k);
    const window = base + 2 * Math.floor((base * (total - space)) / space);
    const wanted = memoryFor(window, cold[k + Cold.RCV_SCALING]);
    raiseLimit(tcp, k, wanted < limits.receiveBytesMax ? wanted : limits.receiveBytesMax);
    cold[k + Cold.TUNE_SPACE] = total;
  }
  cold[k + Cold.TUNE_COPIED] = 0;
  cold[k + Cold.TUNE_AT_US] = tcp.clock.us32;
}

/**
 * As Linux 7 tunes: twice what was read in a round trip; in slow start twice the gain in proportion; on round trips
 * below `receiveLowRttUs` only as much more as they are long, so that the buffer stays in the cache; and room for what
 * lies out of order, which a gap keeps from being read.
 */
function tuneTo(tcp: TcpContext, c: number, k: number, read: number): void {
  const { cold, limits } = tcp;
  const before = cold[k + Cold.TUNE_SPACE];
  cold[k + Cold.TUNE_SPACE] = read;
  if ((cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) !== 0) return;
  const rttUs = cold[k + Cold.RCV_RTT] >>> 3;
  const twice = 2 * read;
  const more =
    rttUs < limits.receiveLowRttUs
      ? Math.floor((twice * rttUs) / limits.receiveLowRttUs)
      : Math.floor((2 * twice * (read - before)) / (before > 0 ? before : 1));
  const wanted = memoryFor(twice + more + spanOutOfOrder(tcp, c, k), cold[k + Cold.RCV_SCALING]);
  raiseLimit(tcp, k, wanted < limits.receiveBytesMax ? wanted : limits.receiveBytesMax);
}

/**
 * A segment was kept out of order: the window must hold what lies between, or the sender cannot go on while it repairs.
 * Not before a program has the connection: nobody would read it, and a stranger could have much kept for nothing.
 */
export function tuneOutOfOrder(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & (Flag.ORPHAN | Flag.UNACCEPTED)) === 0)
    tuneTo(tcp, c, k, tcp.cold[k + Cold.TUNE_SPACE]);
}

/** From RCV.NXT to the end of what lies farthest ahead. */
function spanOutOfOrder(tcp: TcpContext, c: number, k: number): number {
  if (tcp.cold[k + Cold.OOO_COUNT] === 0) return 0;
  const tail = tcp.cold[k + Cold.OOO_TAIL];
  return (tcp.reassembly.rows[tail + Run.END] - tcp.hot[c + Tcb.RCV_NXT]) | 0;
}

/** tcp_moderate_rcvbuf. A limit of the program's stands, and the window may come up to it. */
function raiseLimit(tcp: TcpContext, k: number, wanted: number): void {
  const { cold, limits } = tcp;
  if (!limits.moderateReceiveBuffer) return;
  const limit = cold[k + Cold.RCV_LIMIT];
  if ((cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) === 0) {
    if (wanted <= limit) return;
    cold[k + Cold.RCV_LIMIT] = wanted;
    setClamp(cold, k, fullWindow(tcp, k));
    return;
  }
  const window = textIn(wanted < limit ? wanted : limit, cold[k + Cold.RCV_SCALING]);
  if (window > cold[k + Cold.WINDOW_CLAMP]) setClamp(cold, k, window);
}
