import { Cause } from '../net/note.js';
import { roomFor } from './connection.js';
import type { TcpContext } from './context.js';
import { sendSegment } from './emit.js';
import {
  backoffGoesOn,
  giveUp,
  orphanRetries,
  outOfResources,
  troubleBegins,
  troubleMs,
  withinUserTimeout,
} from './give-up.js';
import { firstUnsentBytes, hasUnsent, sendHeld } from './output.js';
import { rtoMs } from './rtt.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer } from './timers.js';

/** Segment path. Probing a window that is shut, RFC 9293 §3.8.6.1, or too small to be used, §3.8.6.2.1: the persist timer. */

/** Without a frame to send it in, a probe is tried again after so long: Linux's TCP_RESOURCE_PROBE_INTERVAL. */
export const NO_FRAME_RETRY_MS = 500;
/** Beyond this the interval would pass the largest RTO from any base. */
const BACKOFF_MAX = 10;

function probeDelayMs(tcp: TcpContext, c: number, k: number): number {
  const backoff = tcp.cold[k + Cold.BACKOFF];
  return withinUserTimeout(tcp, k, rtoMs(tcp, c, backoff < BACKOFF_MAX ? backoff : BACKOFF_MAX));
}

/**
 * The persist timer has expired. A peer that answers may keep its window shut for ever (MUST-37: each acknowledgment sets PROBES_OUT to zero); one that does
 * not is given up after as many probes as a retransmission has tries. Deviation: as Linux there are two ends to that patience: a user timeout, which
 * counts from the first probe and does not mind answers, and an orphan, whose probes end when the back-off has reached its own end.
 */
export function onPersist(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if (!hasUnsent(tcp, c) || hot[c + Tcb.SND_UNA] !== hot[c + Tcb.SND_NXT]) {
    cold[k + Cold.PROBES_OUT] = 0;
    return;
  }
  const userTimeout = cold[k + Cold.USER_TIMEOUT_MS];
  const timedOut = userTimeout !== 0 && cold[k + Cold.TROUBLE_SINCE] !== 0 && troubleMs(tcp, k) >= userTimeout;
  troubleBegins(tcp, k);
  let probes = limits.retries;
  let hopeless = false;
  if ((hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) {
    const alive = backoffGoesOn(tcp, c, k);
    probes = orphanRetries(tcp, k, alive);
    hopeless = !alive && cold[k + Cold.BACKOFF] >= probes;
    if (!hopeless && outOfResources(tcp, c, k, true)) return;
  }
  if (timedOut || hopeless || cold[k + Cold.PROBES_OUT] >= probes) {
    giveUp(tcp, c, k);
    return;
  }
  sendProbe(tcp, c, k);
}

/**
 * What a window that is not quite shut takes goes out after all; else an empty segment. Deviation: RFC 9293 probes with an octet of new data. As Linux
 * we send the sequence number before SND.UNA, which the peer has: it must answer an unacceptable segment just the same, and nothing needs to be taken back.
 */
function sendProbe(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  let sent = roomFor(tcp, c) > 0;
  if (sent && hot[c + Tcb.SND_WND] > 0) {
    sent = sendHeld(tcp, c, k);
    if (sent) {
      endProbing(tcp, k);
      return;
    }
  } else if (sent) {
    tcp.net.stats.tcpZeroWindowProbes += 1;
    sent = sendSegment(tcp, c, k, (hot[c + Tcb.SND_UNA] - 1) | 0, 0, 0, Cause.ZERO_WINDOW_PROBE);
  }
  cold[k + Cold.PROBES_OUT] += 1;
  if (sent && cold[k + Cold.BACKOFF] < tcp.limits.retries) cold[k + Cold.BACKOFF] += 1;
  const delay = sent ? probeDelayMs(tcp, c, k) : withinUserTimeout(tcp, k, NO_FRAME_RETRY_MS);
  startTimer(tcp, c, k, Timer.PERSIST, delay);
}

/** An ACK has come with nothing in flight. If what waits fits now, probing is over; if not, the interval begins anew, as long as it was. */
export function answeredWhileProbing(tcp: TcpContext, c: number, k: number): void {
  const waiting = firstUnsentBytes(tcp, c, k);
  if (waiting === 0) return;
  if (waiting > tcp.hot[c + Tcb.SND_WND]) {
    startTimer(tcp, c, k, Timer.PERSIST, probeDelayMs(tcp, c, k));
    return;
  }
  endProbing(tcp, k);
}

function endProbing(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  cold[k + Cold.BACKOFF] = 0;
  cold[k + Cold.PROBES_OUT] = 0;
  cold[k + Cold.TROUBLE_SINCE] = 0;
  stopTimer(tcp, k, Timer.PERSIST);
}
