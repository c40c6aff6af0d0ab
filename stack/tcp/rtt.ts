import { seqGeq } from '../base/seq.js';
import { sampleForControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { Cold, Tally, Tcb } from './tcb.js';

/**
 * Segment path. Round-trip time and retransmission timeout, RFC 6298. SRTT is kept in 1/8 µs and RTTVAR in 1/4 µs, so that the gains of 1/8 and
 * 1/4 are shifts. Microseconds, because on a virtual link a millisecond is twenty round trips.
 */

/** MIN_RTT_US before the first sample. */
export const NO_RTT = 0x7fffffff;
/** SRTT is int32 in 1/8 µs: a sample may not pass this, about 134 s. */
const SAMPLE_US_MAX = 0x7fffffff >> 4;

/** Times the segment that ends at `end`, unless one is being timed already: one at a time, once a round trip. */
export function beginMeasurement(tcp: TcpContext, k: number, end: number): void {
  const cold = tcp.cold;
  if (cold[k + Cold.RTT_RUNS] !== 0) return;
  cold[k + Cold.RTT_RUNS] = 1;
  cold[k + Cold.RTT_SEQ] = end;
  cold[k + Cold.RTT_AT_US] = tcp.clock.us32;
  cold[k + Cold.RATE_BASE] = cold[k + Cold.DELIVERED];
}

/** Karn's algorithm, RFC 6298 §3: what was sent twice is not measured. */
export function abandonMeasurement(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.RTT_RUNS] = 0;
}

/** SND.UNA has moved to `ack`: takes the sample if the timed segment is now acknowledged. */
export function endMeasurement(tcp: TcpContext, c: number, k: number, ack: number): boolean {
  const cold = tcp.cold;
  if (cold[k + Cold.RTT_RUNS] === 0 || !seqGeq(ack, cold[k + Cold.RTT_SEQ])) return false;
  cold[k + Cold.RTT_RUNS] = 0;
  const us = (tcp.clock.us32 - cold[k + Cold.RTT_AT_US]) | 0;
  takeSample(tcp, c, k, us);
  sampleForControl(tcp, c, k, us < 1 ? 1 : us);
  measureRate(cold, k, us);
  return true;
}

/** What was delivered while the timed segment was on its way: the rate of the path, unless the program had no more to send. */
function measureRate(cold: Int32Array, k: number, us: number): void {
  const bytes = (cold[k + Cold.DELIVERED] - cold[k + Cold.RATE_BASE]) | 0;
  const rate = us > 0 ? Math.floor((bytes * 1e6) / us) : 0;
  cold[k + Cold.RATE] = rate < 0x7fffffff ? rate : 0x7fffffff;
  cold[k + Cold.RATE_APP_LIMITED] = cold[k + Cold.CWND_LIMITED] === 0 ? 1 : 0;
}

/** RFC 6298 §2.2 and §2.3. */
export function takeSample(tcp: TcpContext, c: number, k: number, us: number): void {
  const hot = tcp.hot;
  const r = us < 1 ? 1 : us > SAMPLE_US_MAX ? SAMPLE_US_MAX : us;
  const srtt = hot[c + Tcb.SRTT];
  if (srtt === 0) {
    hot[c + Tcb.SRTT] = r << 3;
    hot[c + Tcb.RTTVAR] = r << 1;
  } else {
    const error = r - (srtt >> 3);
    const deviation = error < 0 ? -error : error;
    hot[c + Tcb.RTTVAR] += deviation - (hot[c + Tcb.RTTVAR] >> 2);
    hot[c + Tcb.SRTT] = srtt + error;
  }
  if (r < tcp.cold[k + Cold.MIN_RTT_US]) tcp.cold[k + Cold.MIN_RTT_US] = r;
  if (tcp.tallies) {
    const at = (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.MIN_RTT_US;
    if (tcp.tally[at] === 0 || r < tcp.tally[at]) tcp.tally[at] = r;
  }
}

/**
 * RTO without back-off, ms. RFC 6298 §2.3 has max(SRTT + 4 RTTVAR, 1 s).
 * Deviation: as Linux the floor applies to the variance term, SRTT + max(4 RTTVAR, 200 ms), so that a long path with little jitter keeps its
 * margin over the peer's delayed ACK.
 */
export function baseRtoMs(tcp: TcpContext, c: number): number {
  const limits = tcp.limits;
  const srtt = tcp.hot[c + Tcb.SRTT];
  // Before any measurement; RTTVAR is set where a repeated handshake has left none (RFC 6298 §5.7).
  if (srtt === 0) return Math.ceil(tcp.hot[c + Tcb.RTTVAR] / 1000) || limits.rtoInitialMs;
  const varianceMs = Math.ceil(tcp.hot[c + Tcb.RTTVAR] / 1000);
  const floor = limits.rtoMinMs;
  const rto = Math.ceil((srtt >> 3) / 1000) + (varianceMs > floor ? varianceMs : floor);
  return rto < limits.rtoMaxMs ? rto : limits.rtoMaxMs;
}

/** With back-off, RFC 6298 §5.5: doubled for each expiry, up to the maximum. */
export function rtoMs(tcp: TcpContext, c: number, backoff: number): number {
  const max = tcp.limits.rtoMaxMs;
  const base = baseRtoMs(tcp, c);
  // Beyond 2^20 any base passes the maximum.
  const rto = base * (1 << (backoff < 20 ? backoff : 20));
  return rto < max ? rto : max;
}
