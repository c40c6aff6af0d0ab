import { assert } from '../base/assert.js';
import type { Address } from '../base/units.js';
import { Event, SocketKind } from '../net/event-queue.js';
import { localPort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { freeExtraRow } from './extra-rows.js';
import { isChild, settleChild } from './fast-open.js';
import { receiveShift } from './options.js';
import { freeRuns } from './reassembly.js';
import { fallAsleep, fillFirstRow, fillRow, unnote } from './sleep.js';
import { State } from './state.js';
import { Busy, nowBusy } from './tally.js';
import { Cold, Flag, Name, Tcb } from './tcb.js';
import { Wait, WaitFlag } from './time-wait-table.js';
import { startTimer, Timer, wakeBy } from './timers.js';
import { freeRecords } from './transmit-queue.js';

/** Segment path. The life of a row: waking up, going to sleep, ending. */

/** Output will look at `c` in the next flush. */
export function mark(tcp: TcpContext, c: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.MARKED) !== 0) return;
  tcp.hot[c + Tcb.STATE] |= Flag.MARKED;
  tcp.marked.push(c);
}

/** The queue that the connection's segments go through, by `Network.wayTo`. */
export function wayOf(tcp: TcpContext, c: number): number {
  return tcp.net.wayTo(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address);
}

/** How many frames of the connection may still be queued. */
export function roomFor(tcp: TcpContext, c: number): number {
  return tcp.net.roomOn(wayOf(tcp, c));
}

export function tell(tcp: TcpContext, c: number, events: number): void {
  // Nobody listens for an orphan, and an embryonic connection is told of as its listener's.
  if ((tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) return;
  tcp.events.push(SocketKind.CONNECTION, c >>> Tcb.SHIFT, events);
}

/** What it needs is all taken: it waits for its turn. */
export function standInLine(tcp: TcpContext, c: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.STARVED) !== 0) return;
  tcp.hot[c + Tcb.STATE] |= Flag.STARVED;
  tcp.starved.push(c);
}

/** Memory has come back: those who found none may try again, first come, first served, and no more of them than find some. */
export function feedStarved(tcp: TcpContext): void {
  if (tcp.starved.length === 0) return;
  const { hot, starved } = tcp;
  let rows = tcp.limits.activeMax - tcp.table.activeCount;
  let left = Math.min(starved.length, tcp.arena.chunksFree, tcp.transmits.free);
  for (; left > 0; left--) {
    const c = starved.at(0);
    if (hot[c + Tcb.COLD] === 0 && --rows < 0) break;
    starved.shift();
    hot[c + Tcb.STATE] &= ~Flag.STARVED;
    if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.CLOSED) continue;
    if (hot[c + Tcb.SND_QUEUE] !== 0) mark(tcp, c);
    if ((hot[c + Tcb.STATE] & Flag.WRITE_BLOCKED) === 0) continue;
    hot[c + Tcb.STATE] &= ~Flag.WRITE_BLOCKED;
    tell(tcp, c, Event.WRITABLE);
  }
}

/** The cold row of `c`, taken and filled if it has none (sleep.ts); 0 when the pool is exhausted. */
export function wake(tcp: TcpContext, c: number): number {
  const { hot, limits } = tcp;
  const had = hot[c + Tcb.COLD];
  if (had !== 0) return had;
  // What is over has no use for a row, and nobody would take it back from it.
  assert((hot[c + Tcb.STATE] & Flag.STATE_MASK) !== State.CLOSED, 'a connection that is closed is not woken');
  const k = takeRow(tcp, c);
  if (k === 0) return 0;
  fillRow(tcp, c, k);
  tcp.holders.begin(k, c, tcp.clock.ms);
  unnote(tcp, c);
  // Somebody must notice when it falls asleep again.
  wakeBy(tcp, c, (tcp.clock.ms + limits.hibernateMs) | 0);
  // Awake, the wheel's entry is for whatever comes first: keepalive goes on among the other timers.
  if ((hot[c + Tcb.STATE] & Flag.KEEPALIVE) !== 0) {
    const left = (hot[c + Tcb.LAST_ACTIVITY] + limits.keepIdleMs - tcp.clock.ms) | 0;
    startTimer(tcp, c, k, Timer.KEEPALIVE, left > 0 ? left : 0);
  }
  return k;
}

/** The first cold row of a connection whose handshake was a half-open one's; 0 when the pool is exhausted. */
export function wakeFirst(tcp: TcpContext, c: number): number {
  const k = takeRow(tcp, c);
  if (k === 0) return 0;
  fillFirstRow(tcp, c, k);
  tcp.holders.begin(k, c, tcp.clock.ms);
  wakeBy(tcp, c, (tcp.clock.ms + tcp.limits.hibernateMs) | 0);
  return k;
}

/** A zeroed row, another's if one can sleep; 0 when there is none. */
function takeRow(tcp: TcpContext, c: number): number {
  let k = tcp.table.takeCold(c);
  if (k !== 0) return k;
  if (oneSleeps(tcp)) k = tcp.table.takeCold(c);
  if (k !== 0) return k;
  tcp.net.stats.tcpActiveRefused += 1;
  tcp.rowsWanted = true;
  return 0;
}

/** All cold rows are taken: the first that waits only for its time to sleep does so now. True when there was one among those looked at. */
function oneSleeps(tcp: TcpContext): boolean {
  for (let looks = ROWS_LOOKED_AT; looks > 0; looks--) {
    const k = tcp.table.nextActive();
    if (k === 0) continue;
    const c = tcp.holders.ownerOf(k);
    if (tcp.hot[c + Tcb.COLD] !== k || !quiet(tcp, c, k) || hibernate(tcp, c) > 0) continue;
    tcp.net.stats.tcpActiveEvicted += 1;
    return true;
  }
  return false;
}
/** The hand goes on where it stopped, so all rows are seen in the end, and none of the looks is long. */
export const ROWS_LOOKED_AT = 64;

/** Nothing is under way that the hot row could not carry alone. */
export function quiet(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.STATE];
  const state = word & Flag.STATE_MASK;
  return (
    (state === State.ESTABLISHED || state === State.CLOSE_WAIT || state === State.FIN_WAIT_2) &&
    (word & BUSY) === 0 &&
    hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT] &&
    hot[c + Tcb.SND_QUEUE] === 0 &&
    hot[c + Tcb.RCV_QUEUE] === 0 &&
    cold[k + Cold.OOO_COUNT] === 0 &&
    (cold[k + Cold.TIMERS] & ~(1 << Timer.KEEPALIVE)) === 0 &&
    cold[k + Cold.PROBES_OUT] === 0 &&
    // The limit on challenge ACKs must outlive the silence they are sent in.
    (tcp.clock.ms - cold[k + Cold.CHALLENGED_AT]) >>> 0 >= tcp.limits.challengeAckIntervalMs
  );
}
const BUSY =
  Flag.CUSTOM |
  Flag.MARKED |
  Flag.ACK_NOW |
  Flag.ACK_PENDING |
  Flag.SND_URGENT |
  Flag.RCV_URGENT |
  Flag.CORK |
  Flag.ORPHAN;

/**
 * Nothing is under way: the cold row goes back, if nobody would miss it. With keepalive on, the wheel's entry stays as
 * the idle timer. Else ms until that is worth asking again.
 */
export function hibernate(tcp: TcpContext, c: number): number {
  const waitMs = fallAsleep(tcp, c, tcp.hot[c + Tcb.COLD]);
  if (waitMs > 0) return waitMs;
  assert(tcp.holders.chunksOf(tcp.hot[c + Tcb.COLD]) === 0, 'who sleeps holds no chunk');
  tcp.table.giveCold(c);
  if ((tcp.hot[c + Tcb.STATE] & Flag.KEEPALIVE) !== 0) {
    tcp.wheel.arm(c >>> Tcb.SHIFT, (tcp.hot[c + Tcb.LAST_ACTIVITY] + tcp.limits.keepIdleMs) | 0);
  }
  return 0;
}

/** The connection is over, one way or another: it is no longer found, nothing of it is sent or timed. Unread bytes stay. */
function conclude(tcp: TcpContext, c: number): void {
  const { hot, cold } = tcp;
  const k = hot[c + Tcb.COLD];
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  unnote(tcp, c);
  if (k !== 0) nowBusy(tcp, c, k, Busy.NO);
  if (isChild(tcp, c)) settleChild(tcp, c, k, false);
  if (state === State.ESTABLISHED || state === State.CLOSE_WAIT) tcp.net.stats.tcpCurrEstab -= 1;
  if ((hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0 && state !== State.FIN_WAIT_2 && state !== State.TIME_WAIT)
    tcp.orphans -= 1;
  tcp.table.unname(c);
  tcp.wheel.cancel(c >>> Tcb.SHIFT);
  tcp.arena.free(hot[c + Tcb.SND_QUEUE]);
  hot[c + Tcb.SND_QUEUE] = 0;
  // As Linux: what became of Fast Open is still told by `info`.
  if ((hot[c + Tcb.STATE] & Flag.CUSTOM) !== 0 && k !== 0 && cold[k + Cold.FAST_OPEN] !== 0) {
    hot[c + Tcb.STATE] |= Flag.FAST_OPEN_KEPT;
    hot[c + Tcb.TS_RECENT] = cold[k + Cold.FAST_OPEN];
  }
  if (k !== 0) {
    freeRuns(tcp, k);
    tcp.holders.end(k, (hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0);
    freeRecords(tcp, k);
    freeExtraRow(tcp, k);
    // Bytes limits and the like mean nothing any more; a later `receive` does without.
    cold[k + Cold.TIMERS] = 0;
    tcp.table.giveCold(c);
  }
  tcp.holders.disregard();
  hot[c + Tcb.STATE] &= ~(Flag.MARKED | Flag.ACK_NOW | Flag.ACK_PENDING | Flag.CUSTOM);
  tcp.table.setState(c, State.CLOSED);
  if ((hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) release(tcp, c);
}

/** Reset, refused or timed out. */
export function fail(tcp: TcpContext, c: number, error: ConnectionError): void {
  tcp.table.errors[c >>> Tcb.SHIFT] = error;
  tell(tcp, c, Event.FAILED);
  conclude(tcp, c);
}

/** The program lets go: what is left is the stack's. What waits in FIN-WAIT-2 costs too little to be counted. */
export function becomeOrphan(tcp: TcpContext, c: number): void {
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  tcp.hot[c + Tcb.STATE] |= Flag.ORPHAN;
  if (tcp.hot[c + Tcb.COLD] !== 0) tcp.holders.becomeOrphan(tcp.hot[c + Tcb.COLD]);
  if (state !== State.CLOSED && state !== State.FIN_WAIT_2) tcp.orphans += 1;
}

/** Both sides have closed and everything is acknowledged. */
export function finish(tcp: TcpContext, c: number): void {
  tell(tcp, c, Event.CLOSED);
  conclude(tcp, c);
}

/** A closed row whose program has let go is given back, with whatever was never read. */
export function release(tcp: TcpContext, c: number): void {
  const row = c >>> Tcb.SHIFT;
  tcp.arena.free(tcp.hot[c + Tcb.RCV_QUEUE]);
  tcp.hot[c + Tcb.RCV_QUEUE] = 0;
  tcp.holders.disregard();
  if (tcp.savedSyns.count !== 0) tcp.savedSyns.release(row);
  tcp.table.errors[row] = ConnectionError.NONE;
  tcp.events.forget(SocketKind.CONNECTION, row);
  tcp.table.give(c);
}

/**
 * TIME-WAIT, RFC 9293 §3.3.2: until all of its segments have left the network the pair of sockets is not used again. A small row does it: this one is CLOSED
 * from now on, kept only until the program has read what is left and lets go (as Linux). An ACK still owed is sent first.
 */
export function enterTimeWait(tcp: TcpContext, c: number): void {
  const { hot, names, timeWaits } = tcp;
  const word = hot[c + Tcb.STATE];
  if ((word & Flag.ORPHAN) !== 0 && (word & Flag.STATE_MASK) !== State.FIN_WAIT_2) tcp.orphans -= 1;
  tcp.table.setState(c, State.TIME_WAIT);
  tcp.net.stats.tcpTimeWaits += 1;
  tell(tcp, c, Event.CLOSED);
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  if (timeWaits.full) tcp.net.stats.tcpTimeWaitsEvicted += 1;
  const row = timeWaits.take(names[n + Name.LOCAL], names[n + Name.REMOTE], names[n + Name.PORTS]);
  const rows = timeWaits.rows;
  const at = row * Wait.SIZE;
  rows[at + Wait.SND_NXT] = hot[c + Tcb.SND_NXT];
  rows[at + Wait.RCV_NXT] = hot[c + Tcb.RCV_NXT];
  rows[at + Wait.RCV_WND] = hot[c + Tcb.RCV_WND];
  rows[at + Wait.TS_RECENT] = hot[c + Tcb.TS_RECENT];
  rows[at + Wait.FLAGS] =
    ((word & Flag.TIMESTAMPS) !== 0 ? WaitFlag.TIMESTAMPS : 0) | (receiveShift(tcp, c) << WaitFlag.SHIFT_BIT);
  rows[at + Wait.TOS] = tcp.cold[hot[c + Tcb.COLD] + Cold.TOS_AND_TTL] >>> 8;
  rows[at + Wait.DEADLINE] = (tcp.clock.ms + tcp.limits.timeWaitMs) | 0;
  conclude(tcp, c);
}

export function localPortOf(tcp: TcpContext, c: number): number {
  return localPort(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.PORTS]);
}
