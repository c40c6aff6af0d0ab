import { seqGt, seqMax } from '../base/seq.js';
import { Behaviour } from './behaviour.js';
import { AckBit } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { Extra, ExtraBit, extraRow, leaveExtraRow } from './extra-rows.js';
import { receiveShift } from './options.js';
import { allowedWindow, freeWindow, windowOffered } from './receive-space.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';

/** Segment path. The receive window: what is advertised, and when reading makes it worth telling. How large the buffer behind it is: receive-space.ts. */

/**
 * RCV.WND to advertise now. RFC 9293 §3.8.6.2.2 and §3.8.6: the right edge never moves left. The result can be expressed with the scale.
 *
 * Deviation: where a segment found no room the window is told as zero, whatever was promised, as Linux does: the peer would send it again and again.
 */
export function selectWindow(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  const bits = cold[k + Cold.ACK_BITS];
  if ((bits & AckBit.NO_ROOM) !== 0) {
    rememberEdge(tcp, c, k);
    return 0;
  }
  const shift = receiveShift(tcp, c);
  const current = hot[c + Tcb.RCV_WND];
  let window = usefulWindow(tcp, c, k);
  // Rounding up may promise less than a unit more (RFC 7323 §2.4); rounding down would seem to take it back.
  if (window < current && !mayShrink(tcp, shift)) window = roundUp(current, shift);
  if (window < current) rememberEdge(tcp, c, k);
  else if ((bits & AckBit.SHRUNK) !== 0) forgetEdge(tcp, c, k, window);
  return window;
}

/**
 * The window is about to shrink. What the peer sent into the larger one is on its way: RFC 7323 §2.4 has the receiver
 * remember the largest edge, and Linux does since 7.
 */
function rememberEdge(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.behaviour & Behaviour.KEEPS_EDGE) === 0 || tcp.hot[c + Tcb.RCV_WND] === 0) return;
  const { rows } = tcp.extras;
  const edge = (tcp.hot[c + Tcb.RCV_NXT] + tcp.hot[c + Tcb.RCV_WND]) | 0;
  const extra = extraRow(tcp, k);
  if ((rows[extra + Extra.BITS] & ExtraBit.EDGE) !== 0 && !seqGt(edge, rows[extra + Extra.RCV_EDGE])) return;
  rows[extra + Extra.BITS] |= ExtraBit.EDGE;
  rows[extra + Extra.RCV_EDGE] = edge;
  tcp.cold[k + Cold.ACK_BITS] |= AckBit.SHRUNK;
}

/**
 * The window to be offered reaches the largest edge again, or does not yet. The extra row may go back with it; output,
 * which may have its offset at hand, finds no mark in it.
 */
function forgetEdge(tcp: TcpContext, c: number, k: number, window: number): void {
  const { rows } = tcp.extras;
  const extra = tcp.cold[k + Cold.EXTRA];
  if (seqGt(rows[extra + Extra.RCV_EDGE], (tcp.hot[c + Tcb.RCV_NXT] + window) | 0)) return;
  rows[extra + Extra.BITS] &= ~ExtraBit.EDGE;
  tcp.cold[k + Cold.ACK_BITS] &= ~AckBit.SHRUNK;
  leaveExtraRow(tcp, k);
}

/** The largest right edge that was ever offered, if that is beyond `edge`, which is offered now. */
export function largestEdge(tcp: TcpContext, k: number, edge: number): number {
  if ((tcp.cold[k + Cold.ACK_BITS] & AckBit.SHRUNK) === 0) return edge;
  return seqMax(edge, tcp.extras.rows[tcp.cold[k + Cold.EXTRA] + Extra.RCV_EDGE]);
}

/**
 * What would be worth offering if nothing had been promised, as Linux's __tcp_select_window: nothing where less than a segment or a sixteenth of the buffer is free (RFC 9293
 * §3.8.6.2.2's silly-window rule), at most the goal (RCV_SSTHRESH); without window scaling in whole segments, so that the peer does not send the crumbs.
 */
export function usefulWindow(tcp: TcpContext, c: number, k: number): number {
  const cold = tcp.cold;
  const allowed = allowedWindow(tcp, c, k);
  const clamp = cold[k + Cold.WINDOW_CLAMP];
  const full = clamp < allowed ? clamp : allowed;
  const shift = receiveShift(tcp, c);
  let free = freeWindow(tcp, c, k);
  let mss = cold[k + Cold.RCV_MSS];
  if (mss > full) mss = full;
  if (mss <= 0) return 0;
  const shrinks = mayShrink(tcp, shift);
  // What may be taken back is never promised for the scale's sake alone.
  if (shrinks) free = roundDown(free, shift);
  if (free < full >>> 1) {
    cold[k + Cold.QUICK_ACKS] = 0;
    free = roundDown(free, shift);
    if (free < allowed >>> 4 || free < mss || (shrinks && free === 0)) return 0;
  }
  if (free > cold[k + Cold.RCV_SSTHRESH]) free = cold[k + Cold.RCV_SSTHRESH];
  if (shift > 0) return roundUp(free, shift);
  const offered = windowOffered(tcp, c, k);
  if (offered <= free - mss || offered > free) return free - (free % mss);
  return mss === full && free > offered + (full >>> 1) ? free : offered;
}

/** Linux's tcp_shrink_window; without scaling it has no effect. */
function mayShrink(tcp: TcpContext, shift: number): boolean {
  return tcp.limits.shrinkWindow && shift > 0;
}

function roundDown(window: number, shift: number): number {
  return (window >>> shift) << shift;
}

function roundUp(window: number, shift: number): number {
  const unit = (1 << shift) - 1;
  return (window + unit) & ~unit;
}

/**
 * The program has read: is the new window worth an ACK of its own? As Linux, when it has at least doubled since it was last
 * told, or was zero; a smaller gain rides on the next ACK.
 */
export function updateWorthTelling(tcp: TcpContext, c: number, k: number): boolean {
  const current = tcp.hot[c + Tcb.RCV_WND];
  if (!windowIsLow(tcp, c, k)) return false;
  const next = usefulWindow(tcp, c, k);
  return next > 0 && next >= 2 * current;
}

/** What is left of it is at most half of what it could be: below that no gain is worth telling. */
export function windowIsLow(tcp: TcpContext, c: number, k: number): boolean {
  return 2 * tcp.hot[c + Tcb.RCV_WND] <= tcp.cold[k + Cold.WINDOW_CLAMP];
}

/** Send-buffer auto-tuning, as Linux's tcp_sndbuf_expand: room for two congestion windows, so that the program can refill one while the other flies. */
export function tuneSendBuffer(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  if ((cold[k + Cold.CUSTOM] & Custom.SND_LIMIT) !== 0) return;
  const wanted = tcp.hot[c + Tcb.CWND] * 2;
  if (wanted <= cold[k + Cold.SND_LIMIT]) return;
  cold[k + Cold.SND_LIMIT] = wanted < tcp.limits.sendBytesMax ? wanted : tcp.limits.sendBytesMax;
}

/** What the window field holds for RCV.WND: never scaled in a SYN (RFC 7323 §2.2). */
export function windowField(tcp: TcpContext, c: number, window: number): number {
  const shift = (tcp.hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 ? receiveShift(tcp, c) : 0;
  const field = window >>> shift;
  return field < 0xffff ? field : 0xffff;
}
