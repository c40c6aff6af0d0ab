import type { TcpContext } from './context.js';
import { Cold, Tcb } from './tcb.js';

/**
 * Segment path. The timers of a connection (RFC 9293 §3.8, RFC 6298 §5) behind its one entry in the wheel. Starting one writes its deadline and moves the entry only when it
 * must fire earlier; stopping one clears a bit. So the retransmission timer that each ACK restarts costs two stores, and the
 * wheel is touched when the entry comes up: by then most deadlines have moved on, and it is put where the earliest is.
 */
export const enum Timer {
  RETRANSMIT = 0,
  DELAYED_ACK = 1,
  PERSIST = 2,
  KEEPALIVE = 3,
  LINGER = 4,
  PACING = 5,
  COUNT = 6,
}

export function startTimer(tcp: TcpContext, c: number, k: number, timer: Timer, delayMs: number): void {
  const deadline = (tcp.clock.ms + delayMs) | 0;
  tcp.cold[k + Cold.TIMERS] = (tcp.cold[k + Cold.TIMERS] & ~(BOTH << timer)) | (1 << timer);
  tcp.cold[k + Cold.AT_RETRANSMIT + timer] = deadline;
  wakeBy(tcp, c, deadline);
}

export function stopTimer(tcp: TcpContext, k: number, timer: Timer): void {
  tcp.cold[k + Cold.TIMERS] &= ~(BOTH << timer);
}

/** Bits of TIMERS above those that run: it came up late, and was put off to the next turn. */
const PUT_OFF_BIT = 8;
const BOTH = 1 | (1 << PUT_OFF_BIT);

/** The timer is due, and has come up late: it waits for the next turn, once. False when it has waited already. */
export function putOff(tcp: TcpContext, k: number, timer: Timer): boolean {
  const bit = 1 << (PUT_OFF_BIT + timer);
  if ((tcp.cold[k + Cold.TIMERS] & bit) !== 0) return false;
  tcp.cold[k + Cold.TIMERS] |= bit;
  tcp.putOff = true;
  return true;
}

export function timerRuns(tcp: TcpContext, k: number, timer: Timer): boolean {
  return (tcp.cold[k + Cold.TIMERS] & (1 << timer)) !== 0;
}

/** Ms until a running timer expires. */
export function timerMs(tcp: TcpContext, k: number, timer: Timer): number {
  return (tcp.cold[k + Cold.AT_RETRANSMIT + timer] - tcp.clock.ms) | 0;
}

/** Makes sure the connection's entry comes up no later than `deadline`. */
export function wakeBy(tcp: TcpContext, c: number, deadline: number): void {
  const row = c >>> Tcb.SHIFT;
  const wheel = tcp.wheel;
  if (wheel.armed(row) && ((wheel.deadlineOf(row) - deadline) | 0) <= 0) return;
  wheel.arm(row, deadline);
}

/** Puts the entry where the earliest running timer is. False when none runs. */
export function rearm(tcp: TcpContext, c: number, k: number): boolean {
  const timers = tcp.cold[k + Cold.TIMERS];
  if (timers === 0) return false;
  let soonest = 0x7fffffff;
  for (let timer = 0; timer < Timer.COUNT; timer++) {
    if ((timers & (1 << timer)) === 0) continue;
    const left = timerMs(tcp, k, timer);
    if (left < soonest) soonest = left;
  }
  wakeBy(tcp, c, (tcp.clock.ms + (soonest > 0 ? soonest : 0)) | 0);
  return true;
}
