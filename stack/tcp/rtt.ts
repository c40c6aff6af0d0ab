import { seqGt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { Extra, extraOf } from './extra-rows.js';
import { updateMinRtt } from './min-rtt.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';

/**
 * Segment path. Round-trip time and retransmission timeout, RFC 6298. SRTT is kept in 1/8 µs and the mean deviation in 1/4 µs, so that the gains of 1/8 and
 * 1/4 are shifts. Microseconds, because on a virtual link a millisecond is twenty round trips.
 */

/** SRTT is int32 in 1/8 µs: a sample may not pass this, about 134 s. */
const SAMPLE_US_MAX = 0x7fffffff >> 4;
/** Older than the longest RTO an echo is of no use, or invented. */
const ECHO_MS_MAX = 120_000;

/** Our SYN goes out for the first time: the handshake is timed. */
export function beginMeasurement(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.RTT_RUNS] = 1;
  tcp.cold[k + Cold.RTT_AT_US] = tcp.clock.us32;
}

/** Karn's algorithm, RFC 6298 §3: what was sent twice is not measured. */
export function abandonMeasurement(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.RTT_RUNS] = 0;
}

/** Our SYN is acknowledged. False when it was sent twice. */
export function endMeasurement(tcp: TcpContext, c: number, k: number): boolean {
  const { cold } = tcp;
  if (cold[k + Cold.RTT_RUNS] === 0) return false;
  cold[k + Cold.RTT_RUNS] = 0;
  takeSample(tcp, c, k, (tcp.clock.us32 - cold[k + Cold.RTT_AT_US]) | 0);
  return true;
}

/** What was sent twice can still be timed by the timestamp the peer echoes: RFC 7323 §4.1. µs, to the millisecond; -1: it cannot. */
export function echoedRttUs(tcp: TcpContext, c: number, k: number): number {
  const { seg, cold } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps || seg.TSecr === 0) return -1;
  const ms = (tcp.clock.ms + cold[k + Cold.TS_OFFSET] - seg.TSecr) | 0;
  if (ms < 0 || ms >= ECHO_MS_MAX) return -1;
  return ms === 0 ? 1000 : ms * 1000;
}

/** A sample by the echo, if there can be one. */
export function sampleByTimestamp(tcp: TcpContext, c: number, k: number): boolean {
  const us = echoedRttUs(tcp, c, k);
  if (us < 0) return false;
  takeSample(tcp, c, k, us);
  return true;
}

/** One round trip was measured. */
export function takeSample(tcp: TcpContext, c: number, k: number, us: number): void {
  takeSamples(tcp, c, k, us, us);
}

/** A round trip for SRTT, and one that may be the smallest, of the last segment the same ACK has brought in; -1 when a delayed ACK may be in it. */
export function takeSamples(tcp: TcpContext, c: number, k: number, us: number, shortestUs: number): void {
  if (shortestUs >= 0) {
    const shortest = bounded(shortestUs);
    updateMinRtt(tcp, k, shortest);
    if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.MIN_RTT_US] = tcp.cold[k + Cold.MIN_RTT_US];
  }
  estimate(tcp, c, k, bounded(us));
}

function bounded(us: number): number {
  return us < 1 ? 1 : us > SAMPLE_US_MAX ? SAMPLE_US_MAX : us;
}

/**
 * RFC 6298 §2.2 and §2.3.
 * Deviation: as Linux. A round trip shorter than expected raises the deviation by an eighth of what RFC 6298 has: a queue that drains is no reason to wait longer. And the RTO goes by the
 * largest deviation of a round trip, which falls by a quarter a round trip, not by one that fades with each of many samples.
 */
function estimate(tcp: TcpContext, c: number, k: number, r: number): void {
  const { hot, cold } = tcp;
  const srtt = hot[c + Tcb.SRTT];
  if (srtt === 0) {
    hot[c + Tcb.SRTT] = r << 3;
    hot[c + Tcb.RTTVAR] = r << 1;
    recallVariance(tcp, c, k);
    return;
  }
  let error = r - (srtt >> 3);
  hot[c + Tcb.SRTT] = srtt + error > 0 ? srtt + error : 1;
  if (error < 0) {
    error = -error - (hot[c + Tcb.RTTVAR] >> 2);
    if (error > 0) error >>= 3;
  } else error -= hot[c + Tcb.RTTVAR] >> 2;
  const deviation = hot[c + Tcb.RTTVAR] + error;
  hot[c + Tcb.RTTVAR] = deviation;
  if (deviation > cold[k + Cold.MDEV_MAX_US]) {
    cold[k + Cold.MDEV_MAX_US] = deviation;
    if (deviation > cold[k + Cold.RTTVAR_US]) cold[k + Cold.RTTVAR_US] = deviation;
  }
  if (!seqGt(hot[c + Tcb.SND_UNA], cold[k + Cold.RTT_SEQ])) return;
  const above = cold[k + Cold.RTTVAR_US] - cold[k + Cold.MDEV_MAX_US];
  if (above > 0) cold[k + Cold.RTTVAR_US] -= above >> 2;
  cold[k + Cold.RTT_SEQ] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.MDEV_MAX_US] = rtoMinMs(tcp, k) * 1000;
}

/** The variance term from the deviation alone: at the first sample, and when a connection wakes up, whose row keeps no more. */
export function recallVariance(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const floor = rtoMinMs(tcp, k) * 1000;
  const deviation = hot[c + Tcb.RTTVAR];
  cold[k + Cold.RTTVAR_US] = deviation > floor ? deviation : floor;
  cold[k + Cold.MDEV_MAX_US] = cold[k + Cold.RTTVAR_US];
  cold[k + Cold.RTT_SEQ] = hot[c + Tcb.SND_NXT];
}

/** The floor of the variance term: TCP_RTO_MIN_US, or the stack's. `k` may be 0: asleep nothing is set. */
export function rtoMinMs(tcp: TcpContext, k: number): number {
  if (k === 0 || tcp.cold[k + Cold.EXTRA] === 0) return tcp.limits.rtoMinMs;
  return extraOf(tcp, k, Extra.RTO_MIN_MS) || tcp.limits.rtoMinMs;
}

/** The longest RTO: TCP_RTO_MAX_MS, or the stack's. */
export function rtoMaxMs(tcp: TcpContext, k: number): number {
  if (k === 0 || tcp.cold[k + Cold.EXTRA] === 0) return tcp.limits.rtoMaxMs;
  return extraOf(tcp, k, Extra.RTO_MAX_MS) || tcp.limits.rtoMaxMs;
}

/**
 * RTO without back-off, ms. RFC 6298 §2.3 has max(SRTT + 4 RTTVAR, 1 s).
 * Deviation: as Linux the floor applies to the variance term, SRTT + max(4 RTTVAR, 200 ms), so that a long path with little jitter keeps its
 * margin over the peer's delayed ACK.
 */
export function baseRtoMs(tcp: TcpContext, c: number): number {
  const { hot, limits } = tcp;
  const srtt = hot[c + Tcb.SRTT];
  // Before any measurement; RTTVAR is set where a repeated handshake has left none (RFC 6298 §5.7).
  const k = hot[c + Tcb.COLD];
  const most = rtoMaxMs(tcp, k);
  if (srtt === 0) {
    const first = Math.ceil(hot[c + Tcb.RTTVAR] / 1000) || limits.rtoInitialMs;
    return first < most ? first : most;
  }
  const floor = rtoMinMs(tcp, k) * 1000;
  const deviation = k === 0 ? hot[c + Tcb.RTTVAR] : tcp.cold[k + Cold.RTTVAR_US];
  const rto = Math.ceil(((srtt >> 3) + (deviation > floor ? deviation : floor)) / 1000);
  return rto < most ? rto : most;
}

/** With back-off, RFC 6298 §5.5: doubled for each expiry, up to the maximum. */
export function rtoMs(tcp: TcpContext, c: number, backoff: number): number {
  const base = baseRtoMs(tcp, c);
  if (backoff === 0) return base;
  const max = rtoMaxMs(tcp, tcp.hot[c + Tcb.COLD]);
  // Beyond 2^20 any base passes the maximum.
  const rto = base * (1 << (backoff < 20 ? backoff : 20));
  return rto < max ? rto : max;
}
