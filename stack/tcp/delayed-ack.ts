import { Cause } from '../net/note.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { startTimer, Timer, timerRuns } from './timers.js';

/**
 * Segment path. When an acknowledgment is due, RFC 9293 §3.8.6.3 and RFC 5681 §4.2: within 500 ms, and for every second full-sized segment at the latest.
 * Adaptive as Linux: at once while the connection is young (the sender's window grows by our ACKs), later when the program
 * answers data with data.
 */

/** An ACK goes out with the next flush. */
export function ackNow(tcp: TcpContext, c: number, k: number, cause: Cause): void {
  tcp.hot[c + Tcb.STATE] |= Flag.ACK_NOW | Flag.ACK_PENDING;
  tcp.cold[k + Cold.ACK_CAUSE] = cause;
  mark(tcp, c);
}

/** In-order data of `length` bytes was taken. */
export function ackForData(tcp: TcpContext, c: number, k: number, length: number): void {
  const { hot, cold, limits } = tcp;
  const nowMs = tcp.clock.ms;
  adaptDelay(tcp, k, (nowMs - cold[k + Cold.LAST_DATA_AT]) | 0);
  cold[k + Cold.LAST_DATA_AT] = nowMs;
  if (length > cold[k + Cold.RCV_MSS])
    cold[k + Cold.RCV_MSS] = length < sendMssCap(tcp, c) ? length : sendMssCap(tcp, c);
  const unacked = cold[k + Cold.UNACKED_BYTES] + length;
  cold[k + Cold.UNACKED_BYTES] = unacked;
  hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
  const quick = cold[k + Cold.QUICK_ACKS] > 0 && (hot[c + Tcb.STATE] & Flag.INTERACTIVE) === 0;
  if (quick) cold[k + Cold.QUICK_ACKS] -= 1;
  // More than one full-sized segment: RFC 5681 §4.2, at least every second one.
  if (quick || unacked > cold[k + Cold.RCV_MSS]) {
    ackNow(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  if (!timerRuns(tcp, k, Timer.DELAYED_ACK)) {
    const delay = cold[k + Cold.ATO_MS];
    startTimer(tcp, c, k, Timer.DELAYED_ACK, delay < limits.delayedAckMaxMs ? delay : limits.delayedAckMaxMs);
  }
}

/** A segment is never larger than what we have offered; a coalesced one must not raise the bar for "full-sized". */
function sendMssCap(tcp: TcpContext, c: number): number {
  const mss = tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff;
  return mss > 536 ? mss : 536;
}

/** The delay follows the spacing of the peer's data, between the two limits: a regular trickle is acknowledged by its successor. */
function adaptDelay(tcp: TcpContext, k: number, gapMs: number): void {
  const { cold, limits } = tcp;
  const ato = cold[k + Cold.ATO_MS];
  const min = limits.delayedAckMinMs;
  if (gapMs <= min >>> 1) {
    cold[k + Cold.ATO_MS] = (ato >>> 1) + (min >>> 1);
  } else if (gapMs < ato) {
    const next = (ato >>> 1) + gapMs;
    cold[k + Cold.ATO_MS] = next < limits.delayedAckMaxMs ? next : limits.delayedAckMaxMs;
  }
}

/** Something was missing or came twice: acknowledge at once for a while, so that the sender sees clearly. */
export function quicken(tcp: TcpContext, c: number, k: number): void {
  tcp.hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
  tcp.cold[k + Cold.QUICK_ACKS] = tcp.limits.quickAcks;
  tcp.cold[k + Cold.ATO_MS] = tcp.limits.delayedAckMinMs;
}

/** An ACK has gone out with some segment. */
export function ackSent(tcp: TcpContext, c: number, k: number): void {
  tcp.hot[c + Tcb.STATE] &= ~(Flag.ACK_NOW | Flag.ACK_PENDING | Flag.WINDOW_CHECK);
  tcp.cold[k + Cold.UNACKED_BYTES] = 0;
  tcp.cold[k + Cold.LAST_ACK_SENT] = tcp.hot[c + Tcb.RCV_NXT];
  tcp.cold[k + Cold.TIMERS] &= ~(1 << Timer.DELAYED_ACK);
}

/** Data goes out within the delay of data that came in: the connection is a conversation. */
export function noteAnswer(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  if (((tcp.clock.ms - cold[k + Cold.LAST_DATA_AT]) | 0) < cold[k + Cold.ATO_MS])
    tcp.hot[c + Tcb.STATE] |= Flag.INTERACTIVE;
}
