import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. One memory for the streams of all connections, shared fairly: what a queue may hold, and who gives way (docs/memory.md). RFC 9293 §3.8.6 leaves the size of
 * buffers to us; the thresholds are in the manner of Linux's tcp_mem, counted in chunks as they are used.
 *
 * - A queue that is empty gets its next segment, whatever others hold for themselves.
 * - Less than three quarters free: pressure. A queue holds what it makes use of, and no more than an eighth of what is free; but at least a reserve.
 * - Less than an eighth free: crisis. The reserve is one chunk, and for each that needs memory somebody gives way who has made no use of his for long.
 * - Nothing free: an empty queue gets what nobody owns, or what made no use of its memory for a second; and where all of it is in use, the next that comes free.
 */

/** What each queue may hold under pressure: 16 KiB, Linux's first send buffer, and more than an initial window of ten segments. */
export const RESERVE_CHUNKS = 4;
/** A queue holds at most this part of what is free, as a shift: so the last part is never one queue's (Choudhury and Hahne, dynamic thresholds). */
const SHARE_SHIFT = 3;
/** A program that has not read for so long is not about to: its queue grows no further under pressure. */
export const UNREAD_MS = 1000;

/** More than a quarter of the chunks is used. */
export function underPressure(tcp: TcpContext): boolean {
  return tcp.arena.chunksFree < tcp.pressureBelow;
}

/** More than seven eighths are used. */
export function inCrisis(tcp: TcpContext): boolean {
  return tcp.arena.chunksFree < tcp.crisisBelow;
}

/** Bytes that a queue may hold whoever else wants some. */
export function reserveBytes(tcp: TcpContext): number {
  return inCrisis(tcp) ? tcp.arena.chunkBytes : RESERVE_CHUNKS * tcp.arena.chunkBytes;
}

/** What a queue may hold under pressure that makes use of `useful` bytes. */
export function boundUnderPressure(tcp: TcpContext, useful: number): number {
  const share = (tcp.arena.chunksFree >>> SHARE_SHIFT) * tcp.arena.chunkBytes;
  const bound = useful < share ? useful : share;
  const reserve = reserveBytes(tcp);
  return bound > reserve ? bound : reserve;
}

/** Without pressure nothing bounds a queue but its own limit, and half of what is free: a small memory must not be used up in one call. */
export function withinHalf(tcp: TcpContext, limit: number): number {
  const half = (tcp.arena.chunksFree >>> 1) * tcp.arena.chunkBytes;
  return limit < half ? limit : half;
}

/**
 * Bytes that may wait in the send queue now. Under pressure what can be on its way within a round trip, and as much again for the next: two congestion windows, but no more than
 * the peer's window takes. A peer that reads nothing shuts it, and then a large answer waits with the program.
 */
export function sendLimit(tcp: TcpContext, c: number, k: number): number {
  const limit = tcp.cold[k + Cold.SND_LIMIT];
  if (!underPressure(tcp)) return withinHalf(tcp, limit);
  const flights = tcp.hot[c + Tcb.CWND] * 2;
  const window = tcp.hot[c + Tcb.SND_WND];
  const bound = boundUnderPressure(tcp, flights < window ? flights : window);
  return bound < limit ? bound : limit;
}

/** How long the program has left unread what is there, ms. */
export function unreadMs(tcp: TcpContext, c: number, k: number): number {
  return tcp.hot[c + Tcb.RCV_QUEUE] === 0 ? 0 : (tcp.clock.ms - tcp.holders.readAt(k)) | 0;
}

export function isUnread(tcp: TcpContext, c: number, k: number): boolean {
  return unreadMs(tcp, c, k) > UNREAD_MS;
}

/** Chunks were taken or given by `c`: to its account. Whoever changes a queue calls it before another connection's is changed. */
export function settle(tcp: TcpContext, c: number): void {
  if (!tcp.holders.unsettled) return;
  const k = tcp.hot[c + Tcb.COLD];
  if (k === 0) tcp.holders.disregard();
  else tcp.holders.settle(k, (tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0);
}
