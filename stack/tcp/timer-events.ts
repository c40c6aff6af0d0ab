import { seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { sendBare } from './bare-segment.js';
import { fail, finish, hibernate, mark, quiet, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { endCwr } from './cwr.js';
import { ackNow } from './delayed-ack.js';
import { sendSegment } from './emit.js';
import { ConnectionError } from './errors.js';
import { onTimeout } from './loss-recovery.js';
import { hasUnsent, sendHeld } from './output.js';
import { rtoMs } from './rtt.js';
import { State } from './state.js';
import { sendOwnSyn } from './syn-sent.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';
import { rearm, startTimer, stopTimer, Timer, timerMs, timerRuns, wakeBy } from './timers.js';

/** Segment path. What happens when a connection's entry in the wheel comes up: RFC 9293 §3.10.8 and the timers that have joined it since. */

export function expireTimers(tcp: TcpContext): void {
  const { wheel } = tcp;
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
    stopTimer(tcp, k, timer);
    onTimer(tcp, c, k, timer);
    // It may have ended the connection.
    if (hot[c + Tcb.COLD] !== k) return;
  }
  rest(tcp, c, k);
}

/** Puts the entry where it is needed next, or the connection to sleep. */
function rest(tcp: TcpContext, c: number, k: number): void {
  if (quiet(tcp, c, k)) {
    const left = tcp.limits.hibernateMs - silentMs(tcp, c);
    if (left <= 0) {
      endCwr(tcp, c, k);
      hibernate(tcp, c);
    } else wakeBy(tcp, c, (tcp.clock.ms + left) | 0);
    return;
  }
  if (rearm(tcp, c, k)) return;
  // Not quiet and no timer runs: something is about to be sent, or the program has yet to read. `receive` comes back by itself; options
  // keep the cold row for good; for the rest somebody must look again.
  const word = tcp.hot[c + Tcb.STATE];
  if (tcp.hot[c + Tcb.RCV_QUEUE] === 0 && (word & (Flag.CUSTOM | Flag.CORK)) === 0)
    wakeBy(tcp, c, (tcp.clock.ms + tcp.limits.hibernateMs) | 0);
}

function silentMs(tcp: TcpContext, c: number): number {
  return (tcp.clock.ms - tcp.hot[c + Tcb.LAST_ACTIVITY]) | 0;
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

/** RFC 6298 §5.4 to §5.7; for how long, RFC 9293 §3.8.3. */
function onRetransmit(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  const handshake = state === State.SYN_SENT || state === State.SYN_RECEIVED;
  if (!handshake && hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT]) return;
  const orphan = (hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0;
  const synRetries = cold[k + Cold.SYN_RETRIES] || limits.synRetries;
  const max = handshake ? synRetries : orphan ? limits.orphanRetries : limits.retries;
  // The trouble began when this was sent, one RTO ago.
  if (cold[k + Cold.TROUBLE_SINCE] === 0)
    cold[k + Cold.TROUBLE_SINCE] = (tcp.clock.ms - rtoMs(tcp, c, cold[k + Cold.BACKOFF])) | 1;
  if (cold[k + Cold.RETRANSMITS] >= max || userTimeoutPassed(tcp, k)) {
    giveUp(tcp, c, k);
    return;
  }
  if (!handshake) onTimeout(tcp, c, k);
  cold[k + Cold.RETRANSMITS] += 1;
  cold[k + Cold.BACKOFF] += 1;
  if (handshake) {
    tcp.net.stats.tcpRetransSegs += 1;
    if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.RETRANSMITTED] += 1;
    sendOwnSyn(tcp, c, k);
    return;
  }
  startTimer(tcp, c, k, Timer.RETRANSMIT, withinUserTimeout(tcp, k, rtoMs(tcp, c, cold[k + Cold.BACKOFF])));
  mark(tcp, c);
}

/** USER TIMEOUT, RFC 9293 §3.9.1 and RFC 5482: how long bytes may stay unacknowledged, if the program has said so. */
function userTimeoutPassed(tcp: TcpContext, k: number): boolean {
  const timeout = tcp.cold[k + Cold.USER_TIMEOUT_MS];
  const since = tcp.cold[k + Cold.TROUBLE_SINCE];
  return timeout !== 0 && since !== 0 && ((tcp.clock.ms - since) | 0) >= timeout;
}

/** The next try is no later than the user timeout: with two minutes of back-off it would pass unseen for as long (as Linux). */
function withinUserTimeout(tcp: TcpContext, k: number, delayMs: number): number {
  const timeout = tcp.cold[k + Cold.USER_TIMEOUT_MS];
  if (timeout === 0) return delayMs;
  const left = (timeout - (tcp.clock.ms - tcp.cold[k + Cold.TROUBLE_SINCE])) | 0;
  return left > delayMs ? delayMs : left > 1 ? left : 1;
}

/** R2 has passed: the connection is closed. What ICMP had to say about it is a better reason than the time. */
function giveUp(tcp: TcpContext, c: number, k: number): void {
  tcp.net.stats.tcpAbortOnTimeout += 1;
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.SYN_SENT || state === State.SYN_RECEIVED) tcp.net.stats.tcpAttemptFails += 1;
  fail(tcp, c, tcp.cold[k + Cold.SOFT_ERROR] || ConnectionError.TIMED_OUT);
}

function onDelayedAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.ACK_PENDING) === 0) return;
  tcp.net.stats.tcpDelayedAcks += 1;
  // No answer came to carry it: it is no conversation, or a slow one.
  if ((hot[c + Tcb.STATE] & Flag.INTERACTIVE) !== 0) {
    hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
    cold[k + Cold.ATO_MS] = limits.delayedAckMinMs;
  } else {
    const doubled = cold[k + Cold.ATO_MS] * 2;
    cold[k + Cold.ATO_MS] = doubled < limits.delayedAckMaxMs ? doubled : limits.delayedAckMaxMs;
  }
  ackNow(tcp, c, k, Cause.ACK_DELAYED);
}

/** The window is shut (probe it, RFC 9293 §3.8.6.1) or was too small to use (use it after all, §3.8.6.2.1). */
function onPersist(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if (!hasUnsent(tcp, c) || hot[c + Tcb.SND_UNA] !== hot[c + Tcb.SND_NXT]) return;
  if (hot[c + Tcb.SND_WND] > 0 && sendHeld(tcp, c, k)) return;
  const orphan = (hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0;
  if (cold[k + Cold.RETRANSMITS] >= (orphan ? limits.orphanRetries : limits.retries) || userTimeoutPassed(tcp, k)) {
    giveUp(tcp, c, k);
    return;
  }
  if (
    orphan &&
    cold[k + Cold.BACKOFF] >= limits.orphanRetries &&
    rtoMs(tcp, c, cold[k + Cold.BACKOFF]) >= limits.rtoMaxMs
  ) {
    // Deviation: MUST-37 would keep it for as long as the peer answers. As Linux not when the program is gone: peers that shut their
    // windows and leave would hold our memory for nothing.
    sendOwnReset(tcp, c, Cause.RST_TIMEOUT);
    giveUp(tcp, c, k);
    return;
  }
  tcp.net.stats.tcpZeroWindowProbes += 1;
  // Deviation: RFC 9293 probes with an octet of new data. As Linux we send the octet before SND.UNA, which the peer has: it must answer
  // an unacceptable segment just the same, and nothing needs to be taken back.
  sendSegment(tcp, c, k, (hot[c + Tcb.SND_UNA] - 1) | 0, 0, 0, Cause.ZERO_WINDOW_PROBE);
  cold[k + Cold.RETRANSMITS] += 1;
  cold[k + Cold.BACKOFF] += 1;
  startTimer(tcp, c, k, Timer.PERSIST, withinUserTimeout(tcp, k, rtoMs(tcp, c, cold[k + Cold.BACKOFF])));
}

/** RFC 9293 §3.8.4. Off unless the program wants it (MUST-24, MUST-25). */
function onKeepalive(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const word = hot[c + Tcb.STATE];
  const state = word & Flag.STATE_MASK;
  if ((word & Flag.KEEPALIVE) === 0 || state < State.ESTABLISHED || state === State.TIME_WAIT) return;
  const idle = cold[k + Cold.KEEP_IDLE_MS] || limits.keepIdleMs;
  const silent = silentMs(tcp, c);
  // Bytes that wait for an acknowledgment ask often enough.
  if (hot[c + Tcb.SND_QUEUE] !== 0 || (cold[k + Cold.KEEPALIVE_PROBES] === 0 && silent < idle)) {
    startTimer(tcp, c, k, Timer.KEEPALIVE, silent < idle ? idle - silent : idle);
    return;
  }
  const userTimeout = cold[k + Cold.USER_TIMEOUT_MS];
  const tooMany = cold[k + Cold.KEEPALIVE_PROBES] >= (cold[k + Cold.KEEP_COUNT] || limits.keepCount);
  if (userTimeout !== 0 ? silent >= userTimeout && cold[k + Cold.KEEPALIVE_PROBES] > 0 : tooMany) {
    sendOwnReset(tcp, c, Cause.RST_TIMEOUT);
    giveUp(tcp, c, k);
    return;
  }
  tcp.net.stats.tcpKeepalives += 1;
  if (tcp.net.room() > 0) sendSegment(tcp, c, k, (hot[c + Tcb.SND_NXT] - 1) | 0, 0, 0, Cause.KEEPALIVE);
  cold[k + Cold.KEEPALIVE_PROBES] += 1;
  startTimer(tcp, c, k, Timer.KEEPALIVE, cold[k + Cold.KEEP_INTERVAL_MS] || limits.keepIntervalMs);
}

/** 2MSL have passed, or nobody has ended the other half of an orphan in time. */
function onLinger(tcp: TcpContext, c: number): void {
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.TIME_WAIT || state === State.FIN_WAIT_2) finish(tcp, c);
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: RFC 9293 §3.10.5 ABORT. */
export function sendOwnReset(tcp: TcpContext, c: number, cause: Cause): void {
  const { hot, cold, names } = tcp;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const k = hot[c + Tcb.COLD];
  const timestamps = (hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0 && k !== 0;
  // Where the window has shrunk in front of SND.NXT, at its edge: beyond it the peer would not believe the RST (as Linux).
  const edge = (hot[c + Tcb.SND_UNA] + hot[c + Tcb.SND_WND]) | 0;
  sendBare(
    tcp,
    names[n + Name.LOCAL],
    names[n + Name.REMOTE],
    names[n + Name.PORTS],
    seqLt(edge, hot[c + Tcb.SND_NXT]) ? edge : hot[c + Tcb.SND_NXT],
    hot[c + Tcb.RCV_NXT],
    TcpFlag.RST | TcpFlag.ACK,
    0,
    timestamps,
    timestamps ? (tcp.clock.ms + cold[k + Cold.TS_OFFSET]) | 0 : 0,
    hot[c + Tcb.TS_RECENT],
    cause,
    hot[c + Tcb.STATE] & Flag.STATE_MASK,
  );
}
