import type { Address } from '../base/units.js';
import { finish, hibernate, mark, quiet, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { onDelayedAck } from './delayed-ack.js';
import { isChild } from './fast-open.js';
import { suspectBlackhole } from './fast-open-client.js';
import { giveUp, retransmitsTimedOut, troubleBegins, withinUserTimeout, writeTimedOut } from './give-up.js';
import { onKeepalive, silentMs } from './keepalive.js';
import { onReorderingTimeout } from './loss-recovery.js';
import { onTimeout } from './loss-state.js';
import { effectiveMss } from './options.js';
import { onPersist } from './probe.js';
import { Pending, setPending } from './retransmission-timer.js';
import { Rexmit, wantRexmit } from './retransmit.js';
import { rtoMs } from './rtt.js';
import { State } from './state.js';
import { sendOwnSyn } from './syn-sent.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';
import { putOff, rearm, startTimer, stopTimer, Timer, timerMs, timerRuns, wakeBy } from './timers.js';

/** Segment path. What happens when a connection's entry in the wheel comes up: RFC 9293 §3.10.8 and the timers that have joined it since. */

/**
 * A timer that comes up late says that nobody took a turn for so long, and not that the peer was silent: its answer may lie in
 * a queue we have yet to look at, or be ours to give, where both ends are in one process. So what blames the peer waits for
 * one more turn, which comes at once, and is not put off twice.
 */
export function expireTimers(tcp: TcpContext): void {
  const { wheel } = tcp;
  tcp.putOff = false;
  for (let row = wheel.expire(tcp.clock.ms); row >= 0; row = wheel.expire(tcp.clock.ms)) {
    onEntry(tcp, row << Tcb.SHIFT);
  }
}

function onEntry(tcp: TcpContext, c: number): void {
  const { hot } = tcp;
  let k = hot[c + Tcb.COLD];
  if (k === 0) {
    // Asleep: only keepalive has set an entry.
    if ((hot[c + Tcb.STATE] & Flag.KEEPALIVE) === 0) return;
    if (silentMs(tcp, c) < tcp.limits.keepIdleMs) {
      wakeBy(tcp, c, (hot[c + Tcb.LAST_ACTIVITY] + tcp.limits.keepIdleMs) | 0);
      return;
    }
    k = wake(tcp, c);
    if (k === 0) {
      // No memory to probe with now; a second later there may be.
      wakeBy(tcp, c, (tcp.clock.ms + 1000) | 0);
      return;
    }
    startTimer(tcp, c, k, Timer.KEEPALIVE, 0);
  }
  for (let timer = 0; timer < Timer.COUNT; timer++) {
    if (!timerRuns(tcp, k, timer) || timerMs(tcp, k, timer) > 0) continue;
    if (timerMs(tcp, k, timer) < 0 && blamesPeer(tcp, k, timer) && putOff(tcp, k, timer)) continue;
    stopTimer(tcp, k, timer);
    onTimer(tcp, c, k, timer);
    // It may have ended the connection.
    if (hot[c + Tcb.COLD] !== k) return;
  }
  rest(tcp, c, k);
}

/** Whether the timer takes silence for loss, or for death. The first keepalive only asks. */
function blamesPeer(tcp: TcpContext, k: number, timer: Timer): boolean {
  if (timer === Timer.KEEPALIVE) return tcp.cold[k + Cold.PROBES_OUT] !== 0;
  return timer === Timer.RETRANSMIT || timer === Timer.PERSIST;
}

/** Puts the entry where it is needed next, or the connection to sleep. */
function rest(tcp: TcpContext, c: number, k: number): void {
  if (quiet(tcp, c, k)) {
    let left = tcp.limits.hibernateMs - silentMs(tcp, c);
    if (left <= 0) left = hibernate(tcp, c);
    if (left <= 0) return;
    rearm(tcp, c, k);
    wakeBy(tcp, c, (tcp.clock.ms + left) | 0);
    return;
  }
  if (rearm(tcp, c, k)) return;
  // Not quiet and no timer runs: something is about to be sent, or the program has yet to read. `receive` comes back by itself; options
  // keep the cold row for good; for the rest somebody must look again.
  const word = tcp.hot[c + Tcb.STATE];
  if (tcp.hot[c + Tcb.RCV_QUEUE] === 0 && (word & (Flag.CUSTOM | Flag.CORK)) === 0)
    wakeBy(tcp, c, (tcp.clock.ms + tcp.limits.hibernateMs) | 0);
}

function onTimer(tcp: TcpContext, c: number, k: number, timer: Timer): void {
  switch (timer) {
    case Timer.RETRANSMIT:
      onRetransmit(tcp, c, k);
      break;
    case Timer.DELAYED_ACK:
      onDelayedAck(tcp, c, k);
      break;
    case Timer.PERSIST:
      onPersist(tcp, c, k);
      break;
    case Timer.KEEPALIVE:
      onKeepalive(tcp, c, k);
      break;
    case Timer.PACING:
      mark(tcp, c);
      break;
    default:
      onLinger(tcp, c);
  }
}

/** The one timer of what is outstanding: a timeout, a probe, or RACK's look at what was overtaken. */
function onRetransmit(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.SYN_SENT || state === State.SYN_RECEIVED) {
    if (handshakeTimedOut(tcp, c, k)) giveUp(tcp, c, k);
    else repeatSyn(tcp, c, k, state);
    return;
  }
  if (cold[k + Cold.PACKETS_OUT] === 0) return;
  const pending: Pending = cold[k + Cold.PENDING];
  if (pending === Pending.PROBE) wantRexmit(tcp, c, k, Rexmit.PROBE);
  else if (pending === Pending.REORDERING) onReorderingTimeout(tcp, c, k);
  else onDataTimeout(tcp, c, k);
}

/** RFC 6298 §5.4 to §5.7; for how long, RFC 9293 §3.8.3. */
function onDataTimeout(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if (writeTimedOut(tcp, c, k)) return;
  onTimeout(tcp, c, k);
  // In front of a window that was taken back it is a probe, and says nothing about the path.
  if (hot[c + Tcb.SND_WND] > 0 || (hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) cold[k + Cold.RETRANSMITS] += 1;
  cold[k + Cold.BACKOFF] += 1;
  troubleBegins(tcp, k);
  adviseAfterR1(tcp, c, k);
  setPending(tcp, c, k, Pending.TIMEOUT, withinUserTimeout(tcp, k, rtoMs(tcp, c, cold[k + Cold.BACKOFF])));
}

/** R1, for SYNs as well (RFC 9293 MUST-20, MUST-22): IP is told to doubt the way there. */
function adviseAfterR1(tcp: TcpContext, c: number, k: number): void {
  if (tcp.cold[k + Cold.RETRANSMITS] !== tcp.limits.retries1) return;
  tcp.net.doubtReachable(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address);
}

/** R2 of the handshake is a count (RFC 9293 MUST-23 asks for three minutes); a user timeout ends it, too. */
function handshakeTimedOut(tcp: TcpContext, c: number, k: number): boolean {
  const { cold, limits } = tcp;
  if (cold[k + Cold.RETRANSMITS] >= handshakeRetries(tcp, c, k)) return true;
  const userTimeout = cold[k + Cold.USER_TIMEOUT_MS];
  return userTimeout !== 0 && retransmitsTimedOut(tcp, k, 0, userTimeout, limits.rtoInitialMs);
}

/** The first few repetitions of a SYN come after the same wait, and do not count. */
function handshakeRetries(tcp: TcpContext, c: number, k: number): number {
  const { limits } = tcp;
  const word = tcp.hot[c + Tcb.STATE];
  const retries =
    tcp.cold[k + Cold.SYN_RETRIES] ||
    // One more where data has been exchanged already (as Linux).
    ((word & Flag.PASSIVE) !== 0 ? limits.synAckRetries + (isChild(tcp, c) ? 1 : 0) : limits.synRetries);
  return (word & Flag.STATE_MASK) === State.SYN_SENT ? retries + limits.synLinearTimeouts : retries;
}

/**
 * Our SYN again, or the SYN-ACK of a simultaneous open. RFC 6298 §5.5 would double the wait each time. Deviation: as Linux and FreeBSD a SYN is sent
 * a few times at the first distance, since a lost one costs a whole second and says little about congestion.
 */
function repeatSyn(tcp: TcpContext, c: number, k: number, state: State): void {
  const { hot, cold } = tcp;
  suspectBlackhole(tcp, k);
  cold[k + Cold.RETRANSMITS] += 1;
  if (cold[k + Cold.RETRANSMITS] === 2 && isChild(tcp, c)) hot[c + Tcb.CWND] = effectiveMss(tcp, c);
  if (state !== State.SYN_SENT || cold[k + Cold.RETRANSMITS] > tcp.limits.synLinearTimeouts)
    cold[k + Cold.BACKOFF] += 1;
  troubleBegins(tcp, k);
  adviseAfterR1(tcp, c, k);
  tcp.net.stats.tcpRetransSegs += 1;
  cold[k + Cold.TOTAL_RETRANS] += 1;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.RETRANSMITTED] += 1;
  sendOwnSyn(tcp, c, k);
  startTimer(tcp, c, k, Timer.RETRANSMIT, withinUserTimeout(tcp, k, rtoMs(tcp, c, cold[k + Cold.BACKOFF])));
}

/** Nobody has ended the other half of an orphan in time. */
function onLinger(tcp: TcpContext, c: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.FIN_WAIT_2) finish(tcp, c);
}
