import { seqGeq } from '../base/seq.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { rtoMs } from './rtt.js';
import { CaState } from './scoreboard.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { initialWindow, inSlowStart } from './window-growth.js';

/**
 * Segment path. Congestion-window validation: a window that is not used proves nothing about the path, so it neither grows nor stays. Linux's rule, which grew out of RFC 2861.
 *
 * Deviation: RFC 7661 keeps a cwnd that is not used for five minutes, measures how much of it was (pipeACK), and on a loss in that time falls back to what was used. As Linux we
 * halve the distance to what was used once in an RTO, which needs no second set of rules for recovery. In both, an unused cwnd does not grow.
 */

/**
 * After output has sent something or could not for want of cwnd. Remembers for a window's worth of data whether cwnd was the limit, or else how much was
 * outstanding at the most.
 */
export function validateCwnd(tcp: TcpContext, c: number, k: number, limited: boolean): void {
  const { hot, cold, clock } = tcp;
  // In whole segments, whatever their size, as cwnd is used up.
  const outstanding = cold[k + Cold.PACKETS_OUT] * effectiveMss(tcp, c);
  if (
    limited ||
    seqGeq(hot[c + Tcb.SND_UNA], cold[k + Cold.CWND_USAGE_END]) ||
    (cold[k + Cold.CWND_LIMITED] === 0 && outstanding > cold[k + Cold.FLIGHT_MAX])
  ) {
    cold[k + Cold.CWND_LIMITED] = limited ? 1 : 0;
    cold[k + Cold.FLIGHT_MAX] = outstanding;
    cold[k + Cold.CWND_USAGE_END] = hot[c + Tcb.SND_NXT];
  }
  if (isCwndLimited(tcp, c, k)) {
    cold[k + Cold.CWND_USED] = 0;
    cold[k + Cold.CWND_STAMP] = clock.ms;
    return;
  }
  if (outstanding > cold[k + Cold.CWND_USED]) cold[k + Cold.CWND_USED] = outstanding;
  const unusedMs = (clock.ms - cold[k + Cold.CWND_STAMP]) | 0;
  if (tcp.limits.slowStartAfterIdle && unusedMs >= rtoMs(tcp, c, cold[k + Cold.BACKOFF])) decay(tcp, c, k);
}

/** An ACK outside recovery has moved SND.UNA: cwnd grows, if it was used. */
export function growCwnd(tcp: TcpContext, c: number, k: number, acked: number): void {
  if (acked > 0 && isCwndLimited(tcp, c, k)) congestionOf(tcp, k).onAck(tcp, c, k, acked);
}

/** Whether cwnd may grow with an ACK: it was the limit; in slow start, already when half of it was used, so that it comes to twice what is. */
export function isCwndLimited(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  if (cold[k + Cold.CWND_LIMITED] !== 0) return true;
  return inSlowStart(tcp, c) && hot[c + Tcb.CWND] < 2 * cold[k + Cold.FLIGHT_MAX];
}

/** The program, or the peer's window, has been the limit for an RTO: half-way down to what was used, but not below the initial window. */
function decay(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.STATE];
  // Where the send buffer is the limit, cwnd is what lets it grow.
  if ((word & Flag.WRITE_BLOCKED) === 0 && cold[k + Cold.CA_STATE] === CaState.OPEN) {
    const initial = initialWindow(tcp, c);
    const used = cold[k + Cold.CWND_USED] > initial ? cold[k + Cold.CWND_USED] : initial;
    const cwnd = hot[c + Tcb.CWND];
    if (used < cwnd) {
      hot[c + Tcb.SSTHRESH] = provedThreshold(tcp, c);
      hot[c + Tcb.CWND] = halfWay(cwnd, used, effectiveMss(tcp, c));
    }
    cold[k + Cold.CWND_USED] = 0;
  }
  cold[k + Cold.CWND_STAMP] = tcp.clock.ms;
}

/** In whole segments, as Linux counts. */
function halfWay(cwnd: number, used: number, smss: number): number {
  return ((Math.floor(cwnd / smss) + Math.ceil(used / smss)) >>> 1) * smss;
}

/** What was once proved is not forgotten: three quarters of cwnd, in whole segments, if ssthresh is less. */
function provedThreshold(tcp: TcpContext, c: number): number {
  const smss = effectiveMss(tcp, c);
  const segments = Math.floor(tcp.hot[c + Tcb.CWND] / smss);
  const proved = ((segments >>> 1) + (segments >>> 2)) * smss;
  const ssthresh = tcp.hot[c + Tcb.SSTHRESH];
  return ssthresh > proved ? ssthresh : proved;
}

/**
 * Data is about to be sent with nothing outstanding. RFC 5681 §4.1: after a silence of more than an RTO the window says nothing about the path any
 * more. As Linux (RFC 2861) it is halved for each RTO of silence, down to the restart window, which is the initial one, and not to that at once.
 */
export function restartAfterIdle(tcp: TcpContext, c: number, k: number): void {
  const { cold, clock } = tcp;
  const silent = (clock.ms - cold[k + Cold.LAST_SENT_AT]) | 0;
  const control = congestionOf(tcp, k);
  // No RTO is less than a millisecond: most who answer at once are seen here.
  if (silent > 1 && tcp.limits.slowStartAfterIdle && silent > rtoMs(tcp, c, cold[k + Cold.BACKOFF]))
    restart(tcp, c, k, silent);
  if (control.onRestart !== undefined) control.onRestart(tcp, c, k, silent);
}

/**
 * Ms until a restart after idle would begin with the next data, and 0 when it would: then what `validateCwnd` remembers
 * of how cwnd was used does not count any more, nor does it while cwnd is no larger than where that would stop.
 */
export function restartIsDue(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, clock } = tcp;
  if (!tcp.limits.slowStartAfterIdle || hot[c + Tcb.CWND] <= initialWindow(tcp, c)) return 0;
  const silent = (clock.ms - cold[k + Cold.LAST_SENT_AT]) | 0;
  const left = rtoMs(tcp, c, cold[k + Cold.BACKOFF]) + 1 - silent;
  return left > 0 && silent >= 0 ? left : 0;
}

function restart(tcp: TcpContext, c: number, k: number, silent: number): void {
  const { hot, cold } = tcp;
  const initial = initialWindow(tcp, c);
  let cwnd = hot[c + Tcb.CWND];
  const least = initial < cwnd ? initial : cwnd;
  hot[c + Tcb.SSTHRESH] = provedThreshold(tcp, c);
  const rto = rtoMs(tcp, c, cold[k + Cold.BACKOFF]);
  const smss = effectiveMss(tcp, c);
  for (let left = silent - rto; left > 0 && cwnd > least; left -= rto) cwnd = Math.floor(cwnd / 2 / smss) * smss;
  hot[c + Tcb.CWND] = cwnd > least ? cwnd : least;
  cold[k + Cold.CWND_STAMP] = tcp.clock.ms;
  cold[k + Cold.CWND_USED] = 0;
}
