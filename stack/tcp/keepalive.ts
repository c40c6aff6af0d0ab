import { Cause } from '../net/note.js';
import { roomFor } from './connection.js';
import type { TcpContext } from './context.js';
import { sendSegment } from './emit.js';
import { giveUp } from './give-up.js';
import { sendOwnReset } from './own-reset.js';
import { NO_FRAME_RETRY_MS } from './probe.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { startTimer, Timer } from './timers.js';

/** RFC 9293 §3.8.4, keepalives. Off unless the program wants them (MUST-24, MUST-25). */

export function silentMs(tcp: TcpContext, c: number): number {
  return (tcp.clock.ms - tcp.hot[c + Tcb.LAST_ACTIVITY]) | 0;
}

/** The program has switched it on, or set another idle time: it counts from when the peer was last heard. */
export function beginKeepalive(tcp: TcpContext, c: number, k: number): void {
  const left = (tcp.cold[k + Cold.KEEP_IDLE_MS] || tcp.limits.keepIdleMs) - silentMs(tcp, c);
  startTimer(tcp, c, k, Timer.KEEPALIVE, left > 0 ? left : 0);
}

export function onKeepalive(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const word = hot[c + Tcb.STATE];
  const state = word & Flag.STATE_MASK;
  if ((word & Flag.KEEPALIVE) === 0 || state < State.SYN_RECEIVED) return;
  const idle = cold[k + Cold.KEEP_IDLE_MS] || limits.keepIdleMs;
  // Bytes that wait, sent or not, ask often enough; so does a FIN.
  if (hot[c + Tcb.SND_QUEUE] !== 0 || hot[c + Tcb.SND_UNA] !== hot[c + Tcb.SND_NXT]) {
    startTimer(tcp, c, k, Timer.KEEPALIVE, idle);
    return;
  }
  const silent = silentMs(tcp, c);
  if (silent < idle) {
    startTimer(tcp, c, k, Timer.KEEPALIVE, idle - silent);
    return;
  }
  const userTimeout = cold[k + Cold.USER_TIMEOUT_MS];
  const probes = cold[k + Cold.PROBES_OUT];
  // RFC 5482's timeout, where there is one, takes the place of the count; but not before the peer was asked once.
  const dead =
    userTimeout !== 0 ? silent >= userTimeout && probes > 0 : probes >= (cold[k + Cold.KEEP_COUNT] || limits.keepCount);
  if (dead) {
    sendOwnReset(tcp, c, Cause.RST_TIMEOUT);
    giveUp(tcp, c, k);
    return;
  }
  tcp.net.stats.tcpKeepalives += 1;
  const sent = roomFor(tcp, c) > 0 && sendSegment(tcp, c, k, (hot[c + Tcb.SND_UNA] - 1) | 0, 0, 0, Cause.KEEPALIVE);
  if (sent) cold[k + Cold.PROBES_OUT] += 1;
  const interval = cold[k + Cold.KEEP_INTERVAL_MS] || limits.keepIntervalMs;
  startTimer(tcp, c, k, Timer.KEEPALIVE, sent ? interval : NO_FRAME_RETRY_MS);
}
