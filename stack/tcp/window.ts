import type { TcpContext } from './context.js';
import { receiveShift } from './options.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';

/** Segment path. The receive window: what may be advertised, and how large the buffer behind it should be. */

/**
 * RCV.WND to advertise now, RFC 9293 §3.8.6.2.2: the right edge never moves left, and moves right only by a useful step
 * (a segment or half the buffer), so that no peer is lured into sending crumbs. The result is a multiple of what scaling
 * can express.
 */
export function selectWindow(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  const limit = cold[k + Cold.RCV_LIMIT];
  const shift = receiveShift(tcp, c);
  const current = hot[c + Tcb.RCV_WND];
  let free = limit - tcp.arena.length(hot[c + Tcb.RCV_QUEUE]);
  const clamp = cold[k + Cold.WINDOW_CLAMP];
  if (clamp !== 0 && free > clamp) free = clamp;
  const max = 0xffff << shift;
  if (free > max) free = max;
  if (free - current >= stepBytes(tcp, c, k)) {
    const rounded = (free >>> shift) << shift;
    if (rounded > current) return rounded;
  }
  const rounded = roundUp(current, shift, max);
  // Rounded up with each ACK of a byte, the edge would run ahead of the buffer without end. Then the field is rounded down instead: to
  // the peer the edge moves left by less than a unit, which RFC 7323 §2.4 prepares it for, and we still take what was promised.
  return rounded <= free ? rounded : current;
}

/** The smallest step worth telling: min(Fr × RCV.BUFF, Eff.snd.MSS) with Fr = 1/2. */
function stepBytes(tcp: TcpContext, c: number, k: number): number {
  const half = tcp.cold[k + Cold.RCV_LIMIT] >>> 1;
  const segment = tcp.cold[k + Cold.RCV_MSS] || tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff;
  return half < segment ? half : segment;
}

/** Rounding down would seem to move the edge left by less than a unit; where there is room for it we promise that much more. */
function roundUp(window: number, shift: number, max: number): number {
  const unit = (1 << shift) - 1;
  const rounded = (window + unit) & ~unit;
  return rounded < max ? rounded : max;
}

/**
 * The program has read: is the new window worth an ACK of its own? As Linux, when it has at least doubled since it was last
 * told, or was zero; a smaller gain rides on the next ACK.
 */
export function updateWorthTelling(tcp: TcpContext, c: number, k: number): boolean {
  const current = tcp.hot[c + Tcb.RCV_WND];
  const next = selectWindow(tcp, c, k);
  return next > current && next >= 2 * current;
}

/**
 * Receive-buffer auto-tuning ("dynamic right-sizing", as Linux): when in a round trip the program read more than in any before, the
 * sender may be held back by the window, so the buffer becomes twice what was read, and room for what comes meanwhile.
 */
export function tuneReceiveBuffer(tcp: TcpContext, c: number, k: number, copied: number): void {
  const cold = tcp.cold;
  const total = cold[k + Cold.TUNE_COPIED] + copied;
  cold[k + Cold.TUNE_COPIED] = total;
  if ((cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) !== 0) return;
  const rtt = cold[k + Cold.RCV_RTT_US] || tcp.hot[c + Tcb.SRTT] >> 3;
  const elapsed = (tcp.clock.us32 - cold[k + Cold.TUNE_AT_US]) | 0;
  if (rtt === 0 || (elapsed < rtt && elapsed >= 0)) return;
  if (total > cold[k + Cold.TUNE_SPACE]) {
    cold[k + Cold.TUNE_SPACE] = total;
    const wanted = total * 2 + 16 * (cold[k + Cold.RCV_MSS] || 1460);
    const max = tcp.limits.receiveBytesMax;
    const limit = wanted < max ? wanted : max;
    if (limit > cold[k + Cold.RCV_LIMIT] && memoryIsEasy(tcp)) cold[k + Cold.RCV_LIMIT] = limit;
  }
  cold[k + Cold.TUNE_COPIED] = 0;
  cold[k + Cold.TUNE_AT_US] = tcp.clock.us32;
}

/** Send-buffer auto-tuning, as Linux's tcp_sndbuf_expand: room for two congestion windows, so that the program can refill one while the other flies. */
export function tuneSendBuffer(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  if ((cold[k + Cold.CUSTOM] & Custom.SND_LIMIT) !== 0) return;
  const wanted = tcp.hot[c + Tcb.CWND] * 2;
  if (wanted <= cold[k + Cold.SND_LIMIT] || !memoryIsEasy(tcp)) return;
  cold[k + Cold.SND_LIMIT] = wanted < tcp.limits.sendBytesMax ? wanted : tcp.limits.sendBytesMax;
}

/** Buffers grow only while at least a quarter of the arena is free. */
function memoryIsEasy(tcp: TcpContext): boolean {
  return tcp.arena.chunksFree * 4 > tcp.arena.chunksMax;
}

/** What the window field holds for RCV.WND: never scaled in a SYN (RFC 7323 §2.2). */
export function windowField(tcp: TcpContext, c: number, window: number): number {
  const shift = (tcp.hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 ? receiveShift(tcp, c) : 0;
  const field = window >>> shift;
  return field < 0xffff ? field : 0xffff;
}
