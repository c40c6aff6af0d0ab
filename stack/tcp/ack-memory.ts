import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. What is known about the peer's data when it begins, and what of it outlives an idle connection's sleep: RFC 9293 §3.8.6.3's delays adapt to it (delayed-ack.ts).
 */

/** Linux's TCP_MIN_MSS, and the length below which a segment with PSH says nothing about the peer's MSS: that of a path which carries the default MSS. */
export const MSS_LEAST = 88;
export const MSS_COMMON = 536;
/** What timestamps take of each segment. */
export const TIMESTAMPS_BYTES = 12;

/** The connection is established, or its cold row begins anew: nothing is known yet. */
export function beginAcks(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  cold[k + Cold.QUICK_ACKS] = 0;
  cold[k + Cold.ATO_MS] = 0;
  cold[k + Cold.LAST_DATA_AT] = tcp.clock.ms;
  guessReceiveMss(tcp, c, k, hot[c + Tcb.RCV_WND]);
}

/** A first guess at what a full segment is: never more than 536, lest a small one be waited with for ever. */
function guessReceiveMss(tcp: TcpContext, c: number, k: number, window: number): void {
  let mss = tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff;
  if ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0) mss -= TIMESTAMPS_BYTES;
  if (mss > window >>> 1) mss = window >>> 1;
  if (mss > MSS_COMMON) mss = MSS_COMMON;
  tcp.cold[k + Cold.RCV_MSS] = mss > MSS_LEAST ? mss : MSS_LEAST;
}

/** What an idle connection keeps of this in its hot row: bits of MSS_AND_SHIFTS. */
const ASLEEP_QUICK_SHIFT = 24;
const ASLEEP_QUICK_MAX = 31;
const ASLEEP_HEARD = 1 << 29;
const ASLEEP_TEXT_LAST = 1 << 31;

/**
 * The cold row goes: five bits hold the ACKs still to be sent at once, a sixth that there was data before, a seventh
 * that the window was last taken from a segment with text. An ACK behind that text tells the window anew, and so is no
 * duplicate (ack.ts); exactly where the text began does not matter.
 */
export function keepAcks(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const quick = cold[k + Cold.QUICK_ACKS] < ASLEEP_QUICK_MAX ? cold[k + Cold.QUICK_ACKS] : ASLEEP_QUICK_MAX;
  const heard = cold[k + Cold.ATO_MS] === 0 ? 0 : ASLEEP_HEARD;
  const textLast = cold[k + Cold.SND_WL1] === hot[c + Tcb.RCV_NXT] ? 0 : ASLEEP_TEXT_LAST;
  hot[c + Tcb.MSS_AND_SHIFTS] |= (quick << ASLEEP_QUICK_SHIFT) | heard | textLast;
}

/** It is there again. */
export function recallAcks(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.MSS_AND_SHIFTS];
  beginAcks(tcp, c, k);
  cold[k + Cold.SND_WL1] = (hot[c + Tcb.RCV_NXT] - ((word & ASLEEP_TEXT_LAST) === 0 ? 0 : 1)) | 0;
  cold[k + Cold.QUICK_ACKS] = (word >>> ASLEEP_QUICK_SHIFT) & ASLEEP_QUICK_MAX;
  cold[k + Cold.ATO_MS] = (word & ASLEEP_HEARD) === 0 ? 0 : tcp.limits.delayedAckMinMs;
  cold[k + Cold.LAST_DATA_AT] = hot[c + Tcb.LAST_ACTIVITY];
  hot[c + Tcb.MSS_AND_SHIFTS] = word & ~((ASLEEP_QUICK_MAX << ASLEEP_QUICK_SHIFT) | ASLEEP_HEARD | ASLEEP_TEXT_LAST);
}
