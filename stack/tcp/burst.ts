import type { TcpContext } from './context.js';
import { pacingRate } from './pacing.js';
import { Cold } from './tcb.js';

/**
 * Segment path. How many segments leave in one burst, and where PSH is said (RFC 9293 §3.9.1.2 demands it for the last of the data and leaves the rest open). Linux hands a device that can segment a burst as one large segment, and says PSH at the end of it, so that a receiver which joins segments
 * passes them up without waiting for more. Peers, and tests written against Linux, see that PSH; so it is said here at the same places, though this stack segments itself.
 */

/** What one large segment holds at the most: IP's 64 KiB less the headers (Linux's sk_gso_max_size). */
export const BURST_BYTES_MAX = 65_216;
/** A millisecond's worth at the pacing rate: Linux's sk_pacing_shift of 10. */
const PER_BURST = 1 << 10;
/** Nearby peers get larger bursts: 64 KiB halved for each 512 µs of the smallest round trip (Linux's tcp_tso_rtt_log). */
const RTT_SHIFT = 9;
const NEARBY_BYTES = 1 << 16;

/**
 * The size of the burst that begins now. `cwndLeft` is what the congestion window has left, in segments, of `cwnd`: at most half of a window leaves in one burst, so that one loss does not take
 * all of it (Linux's tcp_cwnd_test).
 */
export function burstSegments(
  tcp: TcpContext,
  c: number,
  k: number,
  mss: number,
  cwnd: number,
  cwndLeft: number,
): number {
  let bytes = pacingRate(tcp, c, k) / PER_BURST;
  const halvings = tcp.cold[k + Cold.MIN_RTT_US] >>> RTT_SHIFT;
  if (halvings < 32) bytes += NEARBY_BYTES >>> halvings;
  if (bytes > BURST_BYTES_MAX) bytes = BURST_BYTES_MAX;
  const byRate = Math.floor(bytes / mss);
  const most = byRate > tcp.limits.pacingBurstSegments ? byRate : tcp.limits.pacingBurstSegments;
  const half = cwnd > 1 ? cwnd >> 1 : 1;
  const byWindow = half < cwndLeft ? half : cwndLeft;
  return byWindow < most ? byWindow : most;
}
