import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { Cold, Tcb } from './tcb.js';

/**
 * Segment path. What every congestion control has in common: the window it begins with, and the two ways it grows, RFC 5681 §3.1. cwnd is in bytes, but the arithmetic is in
 * whole segments where Linux's is, so that a flow of full segments has the same window after each ACK.
 */

/** cwnd in segments of SMSS bytes, at least one: nothing divides by zero when the MSS has grown. */
export function cwndSegments(tcp: TcpContext, c: number, smss: number): number {
  const segments = Math.floor(tcp.hot[c + Tcb.CWND] / smss);
  return segments > 0 ? segments : 1;
}

export function inSlowStart(tcp: TcpContext, c: number): boolean {
  return tcp.hot[c + Tcb.CWND] < tcp.hot[c + Tcb.SSTHRESH];
}

/**
 * Slow start; what passes ssthresh is returned, for congestion avoidance to count.
 * Deviation: equation 2 has cwnd grow by min(N, SMSS) for each ACK. As Linux we count every byte acknowledged (RFC 3465 with no
 * limit), for peers that acknowledge sixteen segments at once.
 */
export function growSlowStart(tcp: TcpContext, c: number, acked: number): number {
  const { hot } = tcp;
  const cwnd = hot[c + Tcb.CWND];
  const room = hot[c + Tcb.SSTHRESH] - cwnd;
  const grown = acked < room ? acked : room;
  setCwnd(tcp, c, cwnd + grown);
  return acked - grown;
}

/**
 * Congestion avoidance: a segment more for each `perSegment` segments acknowledged (all of cwnd, for RFC 5681 §3.1's linear growth). Credit gathered while
 * that number was larger is worth one segment, not a burst of them.
 */
export function growLinearly(tcp: TcpContext, c: number, k: number, perSegment: number, acked: number): void {
  const { hot, cold } = tcp;
  const smss = effectiveMss(tcp, c);
  const bytes = perSegment * smss;
  let cwnd = hot[c + Tcb.CWND];
  let credit = cold[k + Cold.CWND_CREDIT];
  if (credit >= bytes) {
    credit = 0;
    cwnd += smss;
  }
  credit += acked;
  if (credit >= bytes) {
    const steps = Math.floor(credit / bytes);
    credit -= steps * bytes;
    cwnd += steps * smss;
  }
  cold[k + Cold.CWND_CREDIT] = credit;
  setCwnd(tcp, c, cwnd);
}

/** Within the clamp: Linux's snd_cwnd_clamp. */
export function setCwnd(tcp: TcpContext, c: number, bytes: number): void {
  const max = tcp.limits.cwndMaxBytes;
  tcp.hot[c + Tcb.CWND] = bytes < max ? bytes : max;
}

/**
 * IW, RFC 6928: ten segments, but no more than 14,600 bytes unless two segments are larger. SMSS is what a segment
 * holds beside its options (RFC 5681 §2).
 */
export function initialWindow(tcp: TcpContext, c: number): number {
  const smss = effectiveMss(tcp, c);
  const bytes = tcp.limits.initialWindowSegments * smss;
  const cap = tcp.limits.initialWindowSegments * 1460;
  const capped = 2 * smss > cap ? 2 * smss : cap;
  return bytes < capped ? bytes : capped;
}

/** `numerator`/1024 of cwnd in whole segments, but two at the least: RFC 5681 §3.1 equation 4, RFC 9438 §4.6. As Linux of cwnd, and not of FlightSize: see cwnd-validation.ts. */
export function reducedWindow(tcp: TcpContext, c: number, numerator: number): number {
  const smss = effectiveMss(tcp, c);
  const segments = Math.floor((cwndSegments(tcp, c, smss) * numerator) / 1024);
  return (segments > 2 ? segments : 2) * smss;
}
