import { Tcp } from '../wire/tcp.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { sendMss } from './options.js';
import { Cold, Tcb } from './tcb.js';
import { startTimer, Timer, timerRuns } from './timers.js';

/**
 * Segment path. Pacing (RFC 9002 §7.7 argues for it, RFC 9406 §4.3 counts on it): a window is spread over the round trip, and not sent in one burst that some queue on
 * the way must hold. On with `limits.pacing`, with a control that asks for it, or with a rate the program has set (SO_MAX_PACING_RATE).
 *
 * Each segment pushes the departure of the next one back by the time it takes at the pacing rate. Timers count whole milliseconds, so what is due before the
 * next one can run leaves now: at high rates that is a handful of segments a millisecond, and never more than the rate gives. At low rates two leave together, as
 * with Linux (tcp_min_tso_segs): an ACK for every second segment then answers a burst.
 */

/** The first segments go unpaced, as Linux has it: an initial window of ten is what RFC 6928 lets out in one burst. */
export const UNPACED_SEGMENTS = 10;
const US_PER_MS = 1000;
/** A segment departs no later than this after the one before, lest a tiny rate leave 31 bits of microseconds. */
const GAP_US_MAX = 1e9;

/** Whether the segments of this connection are spread out. */
export function paces(tcp: TcpContext, k: number): boolean {
  return tcp.limits.pacing || tcp.cold[k + Cold.MAX_PACING_RATE] !== 0 || congestionOf(tcp, k).paces === true;
}

/**
 * Bytes a second: cwnd a round trip, and more than that, so that pacing is not what holds the flow back: twice as much in slow start, where the window doubles
 * meanwhile, a fifth more afterwards (Linux's tcp_pacing_ss_ratio and _ca_ratio). Infinity before a round trip is known.
 */
export function pacingRate(tcp: TcpContext, c: number, k: number): number {
  const { hot, limits } = tcp;
  const max = maxPacingRate(tcp, k);
  const srttUs = hot[c + Tcb.SRTT] / 8;
  if (srttUs === 0) return max;
  const cwnd = hot[c + Tcb.CWND];
  // What was sent while cwnd was larger is still acknowledged at that rate.
  const flight = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  const percent = cwnd < hot[c + Tcb.SSTHRESH] / 2 ? limits.pacingSlowStartPercent : limits.pacingAvoidancePercent;
  const rate = Math.floor(((cwnd > flight ? cwnd : flight) * percent * 1e4) / srttUs);
  return rate < max ? rate : max;
}

/** What the program allows, bytes a second; Infinity when it has set nothing. */
export function maxPacingRate(tcp: TcpContext, k: number): number {
  const max = k === 0 ? 0 : tcp.cold[k + Cold.MAX_PACING_RATE] >>> 0;
  return max === 0 ? Infinity : max;
}

/** True when the next segment has to wait for its departure. The connection is marked then. */
export function awaitsDeparture(tcp: TcpContext, c: number, k: number): boolean {
  if (!paces(tcp, k)) return false;
  const { cold, clock } = tcp;
  // Longer ago than any departure is put off, and the 32 bits of it may have come round.
  const stale = ((clock.ms - cold[k + Cold.LAST_SENT_AT]) | 0) > GAP_US_MAX / US_PER_MS;
  const aheadUs = (cold[k + Cold.DEPARTS_AT_US] - clock.us32) | 0;
  const untilTick = US_PER_MS - (clock.us % US_PER_MS);
  if (stale || aheadUs < untilTick) return false;
  if (timerRuns(tcp, k, Timer.PACING)) return true;
  if (cold[k + Cold.PACED_BURST] < tcp.limits.pacingBurstSegments) return false;
  cold[k + Cold.PACED_BURST] = 0;
  startTimer(tcp, c, k, Timer.PACING, Math.floor((aheadUs - untilTick) / US_PER_MS) + 1);
  return true;
}

/**
 * Ms until the last departure is so long ago that it does not count: nothing waits for it, and what leaves next is
 * credited as much as can be.
 */
export function departureIsPast(tcp: TcpContext, c: number, k: number): number {
  if (!paces(tcp, k)) return 0;
  const lateUs = (tcp.clock.us32 - tcp.cold[k + Cold.DEPARTS_AT_US]) | 0;
  // Longer ago than any is put off: 32 bits of it may have come round.
  if (lateUs < -2 * GAP_US_MAX) return 0;
  const gap = ((sendMss(tcp, c) + Tcp.OPTION_BYTES_MAX) * 1e6) / pacingRate(tcp, c, k);
  const leftUs = (gap < GAP_US_MAX ? gap : GAP_US_MAX) - lateUs;
  return leftUs > 0 ? Math.ceil(leftUs / US_PER_MS) : 0;
}

/** The departure of a connection of which that is true: as late as any gap is long. */
export function restingDeparture(tcp: TcpContext): number {
  return (tcp.clock.us32 - GAP_US_MAX) | 0;
}

/** A segment of `length` bytes has gone: when the next burst may. */
export function segmentDeparted(tcp: TcpContext, c: number, k: number, length: number): void {
  const { cold, clock } = tcp;
  if (cold[k + Cold.DATA_SEGMENTS] < UNPACED_SEGMENTS) {
    cold[k + Cold.DATA_SEGMENTS] += 1;
    cold[k + Cold.DEPARTS_AT_US] = clock.us32;
    return;
  }
  if (!paces(tcp, k)) return;
  let gap = (length * 1e6) / pacingRate(tcp, c, k);
  if (gap > GAP_US_MAX) gap = GAP_US_MAX;
  // A burst that is late, or comes after a pause, gets back what it is late, up to half of a burst of two (Linux).
  let from = cold[k + Cold.DEPARTS_AT_US];
  const lateUs = (clock.us32 - from) | 0;
  if (lateUs > 0 || lateUs < -2 * GAP_US_MAX) {
    from = clock.us32;
    gap = lateUs > 0 && lateUs < gap ? gap - lateUs : 0;
    cold[k + Cold.PACED_BURST] = 0;
  }
  cold[k + Cold.PACED_BURST] += 1;
  cold[k + Cold.DEPARTS_AT_US] = (from + gap) | 0;
}
