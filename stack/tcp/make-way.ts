import { Cause } from '../net/note.js';
import { fail, feedStarved, ROWS_LOOKED_AT } from './connection.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { troubleMs } from './give-up.js';
import { inCrisis, settle, UNREAD_MS } from './memory.js';
import { sendOwnReset } from './own-reset.js';
import { pruneNewest } from './reassembly.js';
import { Cold, Tcb } from './tcb.js';

/**
 * Segment path. Who gives way when the memory of the streams runs short (docs/memory.md): found by the lists of holders.ts, so that nobody looks at all connections. What may
 * be let go of bytes out of order says RFC 2018 §8; that a connection ends for want of memory, RFC 9293 §3.9.1.5 (ABORT).
 */

/**
 * Without any use of its memory for so long a connection gives way in a crisis, ms: ten seconds where it begins, less as less is free, but at least one. A peer that was
 * away for a moment has come back by then.
 */
function patienceMs(free: number, max: number): number {
  const ms = (8 * PATIENCE_MS_MAX * free) / max;
  return ms > PATIENCE_MS_MIN ? ms : PATIENCE_MS_MIN;
}
const PATIENCE_MS_MAX = 10_000;
const PATIENCE_MS_MIN = 1000;
/** So many holders are looked at for one that may give way, and so many give way for one segment. */
const LOOKS = 8;
const VICTIMS = 8;

/** How long the larger of its two queues has been of no use, ms: nothing was acknowledged, or nothing read. */
function stuckMs(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, arena } = tcp;
  const held = arena.length(hot[c + Tcb.RCV_QUEUE]) + (cold[k + Cold.OOO_COUNT] > 0 ? cold[k + Cold.OOO_MEM] >> 1 : 0);
  if (arena.length(hot[c + Tcb.SND_QUEUE]) >= held) return troubleMs(tcp, k);
  return (tcp.clock.ms - tcp.holders.readAt(k)) | 0;
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
 * largest that makes no use of it. `anyone`: of the first two also those that do. False when there is nobody.
 */
function oneGivesWay(tcp: TcpContext, c: number, anyone: boolean): boolean {
  const { holders, cold, hot } = tcp;
  const own = holders.placeOf(hot[c + Tcb.COLD]);
  const free = tcp.arena.chunksFree;
  let at = holders.runs.first(Math.max(0, holders.runs.largest(31)));
  if (at !== 0 && at !== own) {
    const k = holders.coldOf(at);
    const v = tcp.holders.ownerOf(k);
    holders.runs.postpone(at);
    if (anyone || ((tcp.clock.ms - tcp.holders.readAt(k)) | 0) > UNREAD_MS) {
      pruneNewest(tcp, k, cold[k + Cold.OOO_COUNT] >>> 3 || 1);
      settle(tcp, v);
      if (tcp.arena.chunksFree > free) return true;
    }
  }
  const orphans = holders.orphans.largest(31);
  if (orphans >= 0) {
    at = holders.orphans.first(orphans);
    const k = holders.coldOf(at);
    if (at !== own && (anyone || cold[k + Cold.TROUBLE_SINCE] !== 0)) {
      evict(tcp, tcp.holders.ownerOf(k));
      return true;
    }
    holders.orphans.postpone(at);
  }
  const patience = patienceMs(free, tcp.arena.chunksMax);
  // Those that stand in no list are too many to be sought, and so are met in turn.
  return largestGivesWay(tcp, own, patience) || stuckGivesWay(tcp, c, patience, false);
}

/** One that makes use of its memory is never reset for another: it will give some back before long. */
function largestGivesWay(tcp: TcpContext, own: number, patience: number): boolean {
  const { holders } = tcp;
  let looks = LOOKS;
  for (let list = holders.chunks.largest(31); list >= 0; list = list > 0 ? holders.chunks.largest(list - 1) : -1) {
    const front = holders.chunks.first(list);
    let at = front;
    do {
      if (looks-- === 0) break;
      const k = holders.coldOf(at);
      if (at !== own && stuckMs(tcp, tcp.holders.ownerOf(k), k) > patience) {
        evict(tcp, tcp.holders.ownerOf(k));
        return true;
      }
      // Looked at in vain, so that the next look falls on another.
      holders.chunks.postpone(at);
      at = holders.chunks.first(list);
    } while (at !== front);
    if (looks <= 0) break;
  }
  return false;
}

/** No record is left for a segment of `c`, which has next to none under way: some who wait for an acknowledgment for long give theirs back, few as each may hold. True when any did. */
export function needRecord(tcp: TcpContext, c: number): boolean {
  const { transmits } = tcp;
  const max = tcp.limits.transmitRecordsMax;
  let victims = 0;
  while (victims < RECORD_VICTIMS && transmits.free * 8 <= max) {
    if (!stuckGivesWay(tcp, c, patienceMs(transmits.free, max), true)) break;
    victims += 1;
  }
  return victims > 0;
}

/** As each may hold a few only: enough of them for a flight. */
const RECORD_VICTIMS = 64;

/**
 * Once for each flush. For those that stand in line, and those that found no cold row, some give way who hold theirs without use; then the line moves. Those who stand in it
 * ask no more by themselves.
 */
export function serveLine(tcp: TcpContext): void {
  if (tcp.rowsWanted) {
    tcp.rowsWanted = false;
    for (let victims = 0; victims < VICTIMS; victims++) {
      if (!stuckGivesWay(tcp, -1, PATIENCE_MS_MIN, false)) break;
    }
  }
  if (tcp.starved.length === 0) return;
  for (let victims = 0; victims < VICTIMS; victims++) {
    if (tcp.arena.chunksFree === 0) {
      if (!oneGivesWay(tcp, tcp.starved.at(0), true)) break;
    } else if (tcp.transmits.free > 0 || !stuckGivesWay(tcp, -1, PATIENCE_MS_MIN, true)) break;
  }
  feedStarved(tcp);
}

/** While somebody stands in line it is looked after this often, ms: what has made no use of its memory for a second is found soon after. */
export const LINE_MS = 100;

/** Among the next cold rows, one whose connection has made no use of what it holds for longer than `patience`. It need not hold a chunk. */
function stuckGivesWay(tcp: TcpContext, c: number, patience: number, records: boolean): boolean {
  const { cold } = tcp;
  for (let looks = ROWS_LOOKED_AT; looks > 0; looks--) {
    const k = tcp.table.nextActive();
    if (k === 0) continue;
    const other = tcp.holders.ownerOf(k);
    if (tcp.hot[other + Tcb.COLD] !== k) continue;
    if (other === c || (records && cold[k + Cold.PACKETS_OUT] === 0)) continue;
    if (holdsNothing(tcp, other, k) || stuckMs(tcp, other, k) <= patience) continue;
    evict(tcp, other);
    return true;
  }
  return false;
}

function holdsNothing(tcp: TcpContext, c: number, k: number): boolean {
  return tcp.hot[c + Tcb.SND_QUEUE] === 0 && tcp.hot[c + Tcb.RCV_QUEUE] === 0 && tcp.cold[k + Cold.OOO_COUNT] === 0;
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
