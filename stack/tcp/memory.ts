import { Cause } from '../net/note.js';
import { fail } from './connection.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { troubleMs } from './give-up.js';
import { sendOwnReset } from './own-reset.js';
import { pruneNewest } from './reassembly.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. One memory for the streams of all connections, shared fairly: what a queue may hold, and who gives way (docs/memory.md). RFC 9293 §3.8.6 leaves the size of
 * buffers to us; the thresholds are in the manner of Linux's tcp_mem, counted in chunks as they are used.
 *
 * - A queue that is empty gets its next segment, whatever others hold.
 * - Less than three quarters free: pressure. A queue holds what it makes use of, and no more than a 64th of what is free; but at least a reserve.
 * - Less than an eighth free: crisis. The reserve is one chunk, and for each that needs memory somebody gives way who has held his for long without use of it.
 * - Nothing free: for an empty queue the largest holder gives way, used or not.
 */

/** What each queue may hold under pressure: 16 KiB, Linux's first send buffer, and more than an initial window of ten segments. */
export const RESERVE_CHUNKS = 4;
/** A queue holds at most this part of what is free, as a shift: sixty-four that want all leave a third, and those who come later find theirs. */
const SHARE_SHIFT = 6;
/** Without any use of its memory for so long a connection gives way in a crisis. A peer that was away for a moment has come back by then. */
const STUCK_MS = 10_000;
/** A program that has not read for so long is not about to: its queue grows no further under pressure. */
const UNREAD_MS = 1000;
/** So many holders are looked at for one that may give way, and so many give way for one segment. */
const LOOKS = 8;
const VICTIMS = 8;

/** More than a quarter of the chunks is used. */
export function underPressure(tcp: TcpContext): boolean {
  return tcp.arena.chunksFree * 4 < tcp.arena.chunksMax * 3;
}

/** More than seven eighths are used. */
export function inCrisis(tcp: TcpContext): boolean {
  return tcp.arena.chunksFree * 8 < tcp.arena.chunksMax;
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

/**
 * Bytes that may wait in the send queue now. Under pressure what can be on its way within a round trip, and as much again for the next: two congestion windows, but no more than
 * the peer's window takes. A peer that reads nothing shuts it, and then a large answer waits with the program.
 */
export function sendLimit(tcp: TcpContext, c: number, k: number): number {
  const limit = tcp.cold[k + Cold.SND_LIMIT];
  if (!underPressure(tcp)) return limit;
  const flights = tcp.hot[c + Tcb.CWND] * 2;
  const window = tcp.hot[c + Tcb.SND_WND];
  const bound = boundUnderPressure(tcp, flights < window ? flights : window);
  return bound < limit ? bound : limit;
}

/** How long the program has left unread what is there, ms. */
export function unreadMs(tcp: TcpContext, c: number, k: number): number {
  return tcp.hot[c + Tcb.RCV_QUEUE] === 0 ? 0 : (tcp.clock.ms - tcp.cold[k + Cold.READ_AT]) | 0;
}

export function isUnread(tcp: TcpContext, c: number, k: number): boolean {
  return unreadMs(tcp, c, k) > UNREAD_MS;
}

/** How long the larger of its two queues has been of no use, ms: nothing was acknowledged, or nothing read. */
function stuckMs(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, arena } = tcp;
  const held = arena.length(hot[c + Tcb.RCV_QUEUE]) + (cold[k + Cold.OOO_COUNT] > 0 ? cold[k + Cold.OOO_MEM] >> 1 : 0);
  if (arena.length(hot[c + Tcb.SND_QUEUE]) >= held) return troubleMs(tcp, k);
  return (tcp.clock.ms - cold[k + Cold.READ_AT]) | 0;
}

/** Chunks were taken or given by `c`: to its account. Whoever changes a queue calls it before another connection's is changed. */
export function settle(tcp: TcpContext, c: number): void {
  if (!tcp.holders.unsettled) return;
  const k = tcp.hot[c + Tcb.COLD];
  if (k === 0) tcp.holders.disregard();
  else tcp.holders.settle(k, (tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0);
}

/** `c` is about to add to one of its queues. `empty`: it has nothing in it, and must get its segment. */
export function needMemory(tcp: TcpContext, c: number, empty: boolean): void {
  if (inCrisis(tcp)) makeWay(tcp, c, empty);
}

function makeWay(tcp: TcpContext, c: number, empty: boolean): void {
  settle(tcp, c);
  if (!empty || tcp.arena.chunksFree > 0) {
    oneGivesWay(tcp, c, false);
    return;
  }
  for (let victims = 0; victims < VICTIMS && tcp.arena.chunksFree === 0; victims++) {
    if (!oneGivesWay(tcp, c, true)) return;
  }
}

/**
 * Somebody else gives memory back: what came out of order goes first, because it will be sent again (RFC 2018 §8), then what nobody owns any more, then the
 * largest that makes no use of it. `anyone`: if there is none such, the largest. False when there is nobody.
 */
function oneGivesWay(tcp: TcpContext, c: number, anyone: boolean): boolean {
  const { holders, cold, hot } = tcp;
  const own = holders.placeOf(hot[c + Tcb.COLD]);
  const free = tcp.arena.chunksFree;
  let at = holders.runs.first(Math.max(0, holders.runs.largest(31)));
  if (at !== 0 && at !== own) {
    const k = holders.coldOf(at);
    const v = cold[k + Cold.OWNER];
    holders.runs.postpone(at);
    if (anyone || ((tcp.clock.ms - cold[k + Cold.READ_AT]) | 0) > UNREAD_MS) {
      pruneNewest(tcp, k, (cold[k + Cold.OOO_COUNT] >>> 3) + 1);
      settle(tcp, v);
      if (tcp.arena.chunksFree > free) return true;
    }
  }
  const orphans = holders.orphans.largest(31);
  if (orphans >= 0) {
    at = holders.orphans.first(orphans);
    const k = holders.coldOf(at);
    if (at !== own && (anyone || cold[k + Cold.TROUBLE_SINCE] !== 0)) {
      evict(tcp, cold[k + Cold.OWNER]);
      return true;
    }
    holders.orphans.postpone(at);
  }
  return largestGivesWay(tcp, own, anyone);
}

function largestGivesWay(tcp: TcpContext, own: number, anyone: boolean): boolean {
  const { holders, cold } = tcp;
  let looks = LOOKS;
  let chosen = 0;
  for (let list = holders.chunks.largest(31); list >= 0; list = list > 0 ? holders.chunks.largest(list - 1) : -1) {
    const front = holders.chunks.first(list);
    let at = front;
    do {
      if (looks-- === 0) break;
      const k = holders.coldOf(at);
      if (at !== own) {
        if (stuckMs(tcp, cold[k + Cold.OWNER], k) > STUCK_MS) {
          evict(tcp, cold[k + Cold.OWNER]);
          return true;
        }
        if (chosen === 0) chosen = at;
      }
      // Looked at in vain, so that the next look falls on another.
      holders.chunks.postpone(at);
      at = holders.chunks.first(list);
    } while (at !== front);
    if (looks <= 0) break;
  }
  if (!anyone || chosen === 0) return false;
  evict(tcp, cold[holders.coldOf(chosen) + Cold.OWNER]);
  return true;
}

/** The connection is reset, and what it holds is free, unread bytes included: they would be what is held. The program finds ENOBUFS. */
export function evict(tcp: TcpContext, c: number): void {
  const { hot } = tcp;
  tcp.arena.free(hot[c + Tcb.RCV_QUEUE]);
  hot[c + Tcb.RCV_QUEUE] = 0;
  settle(tcp, c);
  sendOwnReset(tcp, c, Cause.RST_ABORT);
  tcp.net.stats.tcpAbortOnMemory += 1;
  tcp.net.stats.tcpMemoryEvicted += 1;
  fail(tcp, c, ConnectionError.NO_BUFFERS);
}
