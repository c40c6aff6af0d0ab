import { Cause } from '../net/note.js';
import { fail } from './connection.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { suspectBlackHole } from './mtu-probe.js';
import { sendOwnReset } from './own-reset.js';
import { rtoMaxMs, rtoMs } from './rtt.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. How long a connection whose peer does not answer is kept: RFC 9293 §3.8.3 (R1, R2), §3.9.1 (user timeout, RFC 5482), and what
 * an orphan may cost. The limits are counts of retransmissions for whoever sets them, and times for us: as Linux a limit of n means as long as n
 * retransmissions would take from the smallest RTO, so that a long path does not get more patience than a short one.
 */

/** The moment `now` as it is kept in TROUBLE_SINCE, where 0 means that there is no trouble. */
export function troubleBegins(tcp: TcpContext, k: number): void {
  if (tcp.cold[k + Cold.TROUBLE_SINCE] === 0) tcp.cold[k + Cold.TROUBLE_SINCE] = tcp.clock.ms || 1;
}

/** How long there has been trouble, ms. */
export function troubleMs(tcp: TcpContext, k: number): number {
  const since = tcp.cold[k + Cold.TROUBLE_SINCE];
  return since === 0 ? 0 : (tcp.clock.ms - since) | 0;
}

/**
 * Has more time passed since the first retransmission than `retries` of them take, doubling from `baseMs` up to the largest RTO? `limitMs`: the
 * user's own limit, 0 when there is none.
 */
export function retransmitsTimedOut(
  tcp: TcpContext,
  k: number,
  retries: number,
  limitMs: number,
  baseMs: number,
): boolean {
  if (tcp.cold[k + Cold.RETRANSMITS] === 0) return false;
  return troubleMs(tcp, k) >= (limitMs === 0 ? modelMs(tcp, k, retries, baseMs) : limitMs);
}

function modelMs(tcp: TcpContext, k: number, retries: number, baseMs: number): number {
  const max = rtoMaxMs(tcp, k);
  // How often it can be doubled.
  const doublings = 31 - Math.clz32(max / baseMs);
  if (retries <= doublings) return ((2 << retries) - 1) * baseMs;
  return ((2 << doublings) - 1) * baseMs + (retries - doublings) * max;
}

/** The next try is no later than the user timeout: with two minutes of back-off it would pass unseen for as long (as Linux). */
export function withinUserTimeout(tcp: TcpContext, k: number, delayMs: number): number {
  const timeout = tcp.cold[k + Cold.USER_TIMEOUT_MS];
  if (timeout === 0 || tcp.cold[k + Cold.TROUBLE_SINCE] === 0) return delayMs;
  const left = timeout - troubleMs(tcp, k);
  return left > delayMs ? delayMs : left > 1 ? left : 1;
}

/**
 * R2 of an orphan, Linux's tcp_orphan_retries: 0 means eight while the back-off has not reached its end (a hundred seconds), and none after; nor
 * any once ICMP has said that there is no way.
 */
export function orphanRetries(tcp: TcpContext, k: number, alive: boolean): number {
  const hopeless = !alive && tcp.cold[k + Cold.SOFT_ERROR] !== 0;
  const retries = hopeless ? 0 : tcp.limits.orphanRetries;
  return retries === 0 && alive ? ORPHAN_RETRIES_ALIVE : retries;
}
const ORPHAN_RETRIES_ALIVE = 8;

/** The back-off has not reached the largest RTO. */
export function backoffGoesOn(tcp: TcpContext, c: number, k: number): boolean {
  return rtoMs(tcp, c, tcp.cold[k + Cold.BACKOFF]) < rtoMaxMs(tcp, k);
}

/**
 * Orphans may hold so much and no more. `weight` halves the limit as often: those that get no answer go first. Also when the buffers are used up and it
 * holds some.
 */
export function tooManyOrphans(tcp: TcpContext, c: number, weight: number): boolean {
  if (tcp.orphans << weight > tcp.limits.orphansMax) return true;
  return tcp.arena.chunksFree === 0 && tcp.arena.length(tcp.hot[c + Tcb.SND_QUEUE]) > ORPHAN_BYTES_MIN;
}
/** An orphan with no more than this is not what uses up the buffers: Linux's SOCK_MIN_SNDBUF. */
const ORPHAN_BYTES_MIN = 4608;

/**
 * An orphan that is not answered, when there are too many: ends it, and says whether it did. The peer gets a RST if it may still be there to
 * read it (`reset`, or something went out within the last minute, or it keeps its window shut).
 */
export function outOfResources(tcp: TcpContext, c: number, k: number, reset: boolean): boolean {
  const { hot, cold, limits } = tcp;
  const silentMs = (tcp.clock.ms - cold[k + Cold.LAST_SENT_AT]) | 0;
  const weight =
    (silentMs > 2 * rtoMaxMs(tcp, k) || !reset ? 1 : 0) + (cold[k + Cold.SOFT_ERROR] !== ConnectionError.NONE ? 1 : 0);
  if (!tooManyOrphans(tcp, c, weight)) return false;
  const shut = hot[c + Tcb.SND_WND] === 0 && hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT];
  if (reset || silentMs <= limits.timeWaitMs || shut) sendOwnReset(tcp, c, Cause.RST_TIMEOUT);
  tcp.net.stats.tcpAbortOnMemory += 1;
  fail(tcp, c, ConnectionError.TIMED_OUT);
  return true;
}

/** The retransmission timer of a synchronized connection has expired: has it waited long enough? True when it has ended it. */
export function writeTimedOut(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, limits } = tcp;
  const userTimeout = cold[k + Cold.USER_TIMEOUT_MS];
  const orphan = (hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0;
  if (hot[c + Tcb.SND_WND] === 0 && !orphan) {
    if (!shrunkWindowTimedOut(tcp, c, k, userTimeout)) return false;
    giveUp(tcp, c, k);
    return true;
  }
  if (retransmitsTimedOut(tcp, k, limits.retries1, 0, limits.rtoMinMs)) suspectBlackHole(tcp, c, k);
  let retries = limits.retries;
  if (orphan) {
    const alive = backoffGoesOn(tcp, c, k);
    retries = orphanRetries(tcp, k, alive);
    const reset = alive || !retransmitsTimedOut(tcp, k, retries, 0, limits.rtoMinMs);
    if (outOfResources(tcp, c, k, reset)) return true;
  }
  if (!retransmitsTimedOut(tcp, k, retries, userTimeout, limits.rtoMinMs)) return false;
  giveUp(tcp, c, k);
  return true;
}

/**
 * The peer has taken back the window in front of what is in flight (RFC 9293 §3.8.6 calls it strongly discouraged): retransmissions are probes now, and
 * as with those the connection lives as long as they are answered; without an answer for twice the largest RTO it does not.
 */
function shrunkWindowTimedOut(tcp: TcpContext, c: number, k: number, userTimeout: number): boolean {
  const troubled = troubleMs(tcp, k);
  if (userTimeout !== 0 && troubled > userTimeout) return true;
  const patience = 2 * rtoMaxMs(tcp, k);
  const limit = userTimeout !== 0 && userTimeout < patience ? userTimeout : patience;
  return ((tcp.clock.ms - tcp.hot[c + Tcb.LAST_ACTIVITY]) | 0) > limit && troubled > limit;
}

/** R2 has passed: the connection is closed. What ICMP had to say about it is a better reason than the time. */
export function giveUp(tcp: TcpContext, c: number, k: number): void {
  tcp.net.stats.tcpAbortOnTimeout += 1;
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.SYN_SENT || state === State.SYN_RECEIVED) tcp.net.stats.tcpAttemptFails += 1;
  fail(tcp, c, tcp.cold[k + Cold.SOFT_ERROR] || ConnectionError.TIMED_OUT);
}
