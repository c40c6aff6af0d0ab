import type { TcpContext } from './context.js';
import { rtoMinMs, rtoMs } from './rtt.js';
import { CaState, usesSack } from './scoreboard.js';
import { Cold, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer } from './timers.js';
import { Sent } from './transmit-pool.js';

/**
 * Segment path. One timer serves three purposes, as RFC 8985 §8 proposes and Linux has it: the retransmission timeout (RFC 6298 §5), the tail loss probe, and RACK's reordering timer. Only
 * one of them can be next.
 */
export const enum Pending {
  NONE = 0,
  TIMEOUT = 1,
  PROBE = 2,
  REORDERING = 3,
}

/** RFC 8985 §7.2: on top of two round trips, against timers that are no finer: Linux has 2 ms. */
const PROBE_SLACK_US = 2_000;
/** Linux's tcp_early_retrans: these two send probes. */
const PROBES = 3;
const PROBES_LATE = 4;

/** RFC 6298 §5.2 and §5.3: off when nothing is outstanding, else an RTO from now; from the first segment's sending where the timer stood for something else meanwhile. */
export function rearmTimeout(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  if (cold[k + Cold.PACKETS_OUT] === 0) {
    stopTimer(tcp, k, Timer.RETRANSMIT);
    cold[k + Cold.PENDING] = Pending.NONE;
    return;
  }
  let delay = rtoMs(tcp, c, cold[k + Cold.BACKOFF]);
  if (cold[k + Cold.PENDING] >= Pending.PROBE) delay = timeoutLeftMs(tcp, k, delay);
  setPending(tcp, c, k, Pending.TIMEOUT, delay > 1 ? delay : 1);
}

export function setPending(tcp: TcpContext, c: number, k: number, what: Pending, delayMs: number): void {
  tcp.cold[k + Cold.PENDING] = what;
  startTimer(tcp, c, k, Timer.RETRANSMIT, delayMs);
}

/** Ms until a retransmission timeout of `rto` counted from the sending of the first segment. */
function timeoutLeftMs(tcp: TcpContext, k: number, rto: number): number {
  const head = tcp.cold[k + Cold.SENT_HEAD];
  return rto - Math.floor(((tcp.clock.us32 - tcp.transmits.rows[head + Sent.AT_US]) | 0) / 1000);
}

/**
 * RFC 8985 §7.2: a probe after two round trips, and the peer's delayed ACK where a lone segment waits for it, but not after the timeout would be. Not in recovery, nor without SACK. False
 * when there is to be none.
 */
export function scheduleProbe(tcp: TcpContext, c: number, k: number, fromNow: boolean): boolean {
  const { hot, cold, limits } = tcp;
  const state = cold[k + Cold.CA_STATE];
  if (limits.tailLossProbe !== PROBES && limits.tailLossProbe !== PROBES_LATE) return false;
  if (cold[k + Cold.PACKETS_OUT] === 0 || !usesSack(tcp, c)) return false;
  if (state !== CaState.OPEN && state !== CaState.CWR) return false;
  let delay = limits.rtoInitialMs;
  const srtt = hot[c + Tcb.SRTT];
  if (srtt !== 0) {
    const slack = cold[k + Cold.PACKETS_OUT] === 1 ? rtoMinMs(tcp, k) * 1000 : PROBE_SLACK_US;
    delay = Math.ceil(((srtt >> 2) + slack) / 1000);
  }
  const rto = rtoMs(tcp, c, cold[k + Cold.BACKOFF]);
  const timeout = fromNow ? rto : timeoutLeftMs(tcp, k, rto);
  if (timeout > 0 && timeout < delay) delay = timeout;
  setPending(tcp, c, k, Pending.PROBE, delay);
  return true;
}

/** An acknowledgment has moved things on. */
export function setTransmitTimer(tcp: TcpContext, c: number, k: number): void {
  if (!scheduleProbe(tcp, c, k, true)) rearmTimeout(tcp, c, k);
}
