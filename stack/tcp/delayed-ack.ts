import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { MSS_COMMON, MSS_LEAST } from './ack-memory.js';
import { Behaviour } from './behaviour.js';
import { AckBit } from './cold-bits.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { Extra, extraOf } from './extra-rows.js';
import { growWindow, measureScaling, ownMss, windowOffered } from './receive-space.js';
import { rtoMinMs, rtoMs } from './rtt.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { startTimer, Timer, timerMs, timerRuns } from './timers.js';

/**
 * Segment path. What an acknowledgment's time depends on, and the timer of one that waits: RFC 9293 §3.8.6.3 and RFC 5681 §4.2, adaptive as in Linux. Two things are learnt from
 * the data that comes: how far apart it comes (the delay follows), and what a full segment is. And two modes: quick, a number of ACKs that go at once,
 * when the sender's window has yet to open or something was lost; interactive ("pingpong"), when the program answers data with data.
 * When it is due in the end: ack-policy.ts.
 */

/** The longest wait where nothing says that more may come at once: Linux's HZ / 2. */
const DELAY_UNPUSHED_MS = 500;
/** A FIN without text before it: its ACK waits for a tick, so that the program may close or write first. As Linux. */
const FIRST_DELAY_MS = 1;
/** Text so short tells nothing about what the buffer could hold. */
const GROWTH_BYTES = 128;

/** An ACK goes out with the next flush. */
export function ackNow(tcp: TcpContext, c: number, k: number, cause: Cause): void {
  tcp.hot[c + Tcb.STATE] |= Flag.ACK_NOW | Flag.ACK_PENDING;
  tcp.cold[k + Cold.ACK_CAUSE] = cause;
  mark(tcp, c);
}

/** In-order text of `length` bytes was taken: an ACK is owed for it (Linux: tcp_event_data_recv). */
export function noteData(tcp: TcpContext, c: number, k: number, length: number): void {
  const { hot, cold, limits } = tcp;
  hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
  measureReceiveMss(tcp, c, k, length);
  const nowMs = tcp.clock.ms;
  const ato = cold[k + Cold.ATO_MS];
  const min = limits.delayedAckMinMs;
  if (ato === 0) {
    addQuickAcks(tcp, c, k, limits.quickAcks);
    cold[k + Cold.ATO_MS] = min;
  } else {
    const gapMs = (nowMs - cold[k + Cold.LAST_DATA_AT]) | 0;
    if (gapMs >>> 0 <= min >>> 1) cold[k + Cold.ATO_MS] = (ato >>> 1) + (min >>> 1);
    else if (gapMs >>> 0 < ato) cold[k + Cold.ATO_MS] = longestDelay(tcp, c, (ato >>> 1) + gapMs);
    // After so long a silence the sender starts slowly again, and wants to hear from us.
    else if (gapMs >>> 0 > rtoMs(tcp, c, 0)) addQuickAcks(tcp, c, k, limits.quickAcks);
  }
  cold[k + Cold.LAST_DATA_AT] = nowMs;
  if (length >= GROWTH_BYTES) growWindow(tcp, c, k, length);
}

/** A delay grows up to the RTO; since Linux 7 no further than it is ever used, so that it shrinks at once when data comes faster. */
function longestDelay(tcp: TcpContext, c: number, ms: number): number {
  const rto = rtoMs(tcp, c, 0);
  const most = (tcp.behaviour & Behaviour.DELAY_CAPPED) !== 0 ? tcp.limits.delayedAckMaxMs : rto;
  const bound = most < rto ? most : rto;
  return ms < bound ? ms : bound;
}

/**
 * What a full segment is: the largest seen, at most what we have offered; or, should the path have become narrower, the size that two in a row had which do not look like
 * the end of a write (as Linux's tcp_measure_rcv_mss; the options counted in, for SACK blocks come and go). A segment that may be a write's end is noted:
 * the sender may have nothing more, and wait.
 */
export function measureReceiveMss(tcp: TcpContext, c: number, k: number, length: number): void {
  const { cold, seg } = tcp;
  const before = cold[k + Cold.LAST_SEGMENT_BYTES];
  cold[k + Cold.LAST_SEGMENT_BYTES] = 0;
  const mss = cold[k + Cold.RCV_MSS];
  let size = length;
  if (size > mss && tcp.limits.joinedSegmentBytes !== 0 && size > tcp.limits.joinedSegmentBytes)
    size = tcp.limits.joinedSegmentBytes;
  if (size >= mss) {
    if (size > mss) {
      measureScaling(tcp, c, k, length);
      const own = ownMss(tcp, c, k);
      cold[k + Cold.RCV_MSS] = size < own ? size : own;
    }
    if ((seg.flags & TcpFlag.PSH) !== 0) cold[k + Cold.ACK_BITS] |= AckBit.PUSHED;
    return;
  }
  const remnant = (seg.flags & (TcpFlag.FIN | TcpFlag.URG | TcpFlag.SYN | TcpFlag.PSH)) !== 0;
  const whole = seg.bytesInAll - (length - size);
  if (whole >= MSS_COMMON + HEADER_BYTES || (whole >= MSS_LEAST + HEADER_BYTES && !remnant)) {
    const withoutOptions = whole - HEADER_BYTES - ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0 ? 12 : 0);
    cold[k + Cold.LAST_SEGMENT_BYTES] = withoutOptions;
    if (withoutOptions === before) {
      cold[k + Cold.RCV_MSS] = withoutOptions;
      return;
    }
  }
  const pushed = cold[k + Cold.ACK_BITS] & AckBit.PUSHED;
  cold[k + Cold.ACK_BITS] |= AckBit.PUSHED | (pushed !== 0 ? AckBit.PUSHED_TWICE : 0);
}
const HEADER_BYTES = 20;

/**
 * As many ACKs at once as half the window has full segments, `most` at the most; never fewer than before. A window that
 * is smaller than two segments says nothing: then two.
 */
function addQuickAcks(tcp: TcpContext, c: number, k: number, most: number): void {
  const cold = tcp.cold;
  let quick = Math.floor(windowOffered(tcp, c, k) / (2 * cold[k + Cold.RCV_MSS]));
  if (quick === 0) quick = 2;
  if (quick > most) quick = most;
  if (quick > cold[k + Cold.QUICK_ACKS]) cold[k + Cold.QUICK_ACKS] = quick;
}

/** Something came twice or for nothing: acknowledge at once for a while, so that the sender sees clearly. */
export function quicken(tcp: TcpContext, c: number, k: number): void {
  addQuickAcks(tcp, c, k, tcp.limits.quickAcks);
  tcp.hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
  tcp.cold[k + Cold.ATO_MS] = tcp.limits.delayedAckMinMs;
}

/** ACKs go at once, one after another. */
export function isQuick(tcp: TcpContext, c: number, k: number): boolean {
  return tcp.cold[k + Cold.QUICK_ACKS] !== 0 && (tcp.hot[c + Tcb.STATE] & Flag.INTERACTIVE) === 0;
}

/** The ACK waits, for data to carry it or for its time: as long as data was apart, within the limits, and no longer than a round trip if there may be more to come. */
export function delayAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if ((tcp.behaviour & Behaviour.BSD_ACKS) !== 0) {
    delayOnce(tcp, c, k);
    return;
  }
  const longest = (cold[k + Cold.EXTRA] === 0 ? 0 : extraOf(tcp, k, Extra.DELACK_MAX_MS)) || limits.delayedAckMaxMs;
  let delay = cold[k + Cold.ATO_MS] || FIRST_DELAY_MS;
  if (delay > limits.delayedAckMinMs) {
    let max = DELAY_UNPUSHED_MS;
    if ((hot[c + Tcb.STATE] & Flag.INTERACTIVE) !== 0 || (cold[k + Cold.ACK_BITS] & AckBit.PUSHED) !== 0) max = longest;
    if (hot[c + Tcb.SRTT] !== 0) {
      const srttMs = Math.ceil(hot[c + Tcb.SRTT] / 8000);
      const rtt = srttMs > limits.delayedAckMinMs ? srttMs : limits.delayedAckMinMs;
      if (rtt < max) max = rtt;
    }
    if (delay > max) delay = max;
  }
  // Below the least RTO, or each delayed ACK would cost the peer a retransmission.
  if (delay > longest) delay = longest;
  const rtoMin = rtoMinMs(tcp, k);
  if (delay >= rtoMin) delay = rtoMin - 1;
  if (delay <= 0) {
    ackNow(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  if (timerRuns(tcp, k, Timer.DELAYED_ACK)) {
    const left = timerMs(tcp, k, Timer.DELAYED_ACK);
    if (left <= delay >>> 2) {
      ackNow(tcp, c, k, Cause.ACK_DELAYED);
      return;
    }
    if (left <= delay) return;
  }
  startTimer(tcp, c, k, Timer.DELAYED_ACK, delay);
}

/**
 * A segment without text that counts, while an ACK waits: that goes at once where ACKs are quick, or where its time has nearly come. As Linux, whose
 * header prediction lets pass what is expected next in ESTABLISHED; of the first segment behind a SYN-ACK with a scale nothing is.
 */
export function hurryAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const expected = seg.SEQ === hot[c + Tcb.RCV_NXT] && (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.ESTABLISHED;
  if (isQuick(tcp, c, k)) {
    if (!expected || (hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0) ackNow(tcp, c, k, Cause.ACK_NOW);
  } else if (!expected && timerRuns(tcp, k, Timer.DELAYED_ACK)) {
    const soon = cold[k + Cold.ATO_MS] >>> 2 || FIRST_DELAY_MS;
    if (timerMs(tcp, k, Timer.DELAYED_ACK) <= soon) ackNow(tcp, c, k, Cause.ACK_DELAYED);
  }
}

/** FreeBSD: the first segment starts the timer, the next one is acknowledged at once, whatever its size (RFC 5681 §4.2 asks for it only of full ones). */
function delayOnce(tcp: TcpContext, c: number, k: number): void {
  if (timerRuns(tcp, k, Timer.DELAYED_ACK)) ackNow(tcp, c, k, Cause.ACK_NOW);
  else startTimer(tcp, c, k, Timer.DELAYED_ACK, tcp.limits.delayedAckMinMs);
}

/** The time has come, and no answer to carry the ACK: it is no conversation, or a slower one. */
export function onDelayedAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.ACK_PENDING) === 0) return;
  if (cold[k + Cold.COMPRESSED_ACKS] > 0) {
    ackNow(tcp, c, k, Cause.ACK_DUPLICATE);
    return;
  }
  tcp.net.stats.tcpDelayedAcks += 1;
  if ((hot[c + Tcb.STATE] & Flag.INTERACTIVE) !== 0) {
    hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
    cold[k + Cold.ATO_MS] = limits.delayedAckMinMs;
  } else cold[k + Cold.ATO_MS] = longestDelay(tcp, c, cold[k + Cold.ATO_MS] * 2);
  ackNow(tcp, c, k, Cause.ACK_DELAYED);
}

/** An ACK has gone out with some segment. */
export function ackSent(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const owed = (hot[c + Tcb.STATE] & Flag.ACK_PENDING) !== 0;
  hot[c + Tcb.STATE] &= ~(Flag.ACK_NOW | Flag.ACK_PENDING | Flag.WINDOW_CHECK);
  cold[k + Cold.LAST_ACK_SENT] = hot[c + Tcb.RCV_NXT];
  cold[k + Cold.TIMERS] &= ~(1 << Timer.DELAYED_ACK);
  cold[k + Cold.ACK_BITS] &= AckBit.MEASURING | AckBit.SHRUNK;
  if (cold[k + Cold.COMPRESSED_ACKS] > 0) {
    // One of those held back is this one.
    tcp.net.stats.tcpAcksCompressed += cold[k + Cold.COMPRESSED_ACKS] - 1;
    cold[k + Cold.COMPRESSED_ACKS] = 0;
  }
  if (!owed || cold[k + Cold.QUICK_ACKS] === 0) return;
  cold[k + Cold.QUICK_ACKS] -= 1;
  if (cold[k + Cold.QUICK_ACKS] === 0) cold[k + Cold.ATO_MS] = tcp.limits.delayedAckMinMs;
}

/** Data goes out within the delay of data that came in: the connection is a conversation. */
export function noteAnswer(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  if ((tcp.clock.ms - cold[k + Cold.LAST_DATA_AT]) >>> 0 < cold[k + Cold.ATO_MS])
    tcp.hot[c + Tcb.STATE] |= Flag.INTERACTIVE;
}
