import type { TcpContext } from './context.js';
import { pacingRate } from './pacing.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';

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

/** `limits.pushBursts`: the segment sent last ends a burst. */
export function burstEnds(tcp: TcpContext, k: number): void {
  tcp.transmits.rows[tcp.cold[k + Cold.SENT_TAIL] + Sent.FLAGS] |= SentFlag.BURST_END;
}

/**
 * `limits.pushBursts`: whether the lost segment `at`, which is about to go again, has PSH. `before` it went another (0:
 * none), and `left` may go, `at` counted. Segments of one burst that follow each other and are lost together are a burst
 * again, with PSH at its end; one that goes alone is none (Linux: __tcp_transmit_skb).
 */
export function endsResentBurst(tcp: TcpContext, c: number, before: number, at: number, left: number): boolean {
  const { rows } = tcp.transmits;
  // While data is urgent each goes alone, because each has its own pointer (Linux since 7).
  if ((tcp.hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0) return false;
  const next = rows[at + Sent.NEXT];
  const goesOn =
    (rows[at + Sent.FLAGS] & SentFlag.BURST_END) === 0 &&
    next !== 0 &&
    left > 1 &&
    (rows[next + Sent.FLAGS] & (SentFlag.LOST | SentFlag.SACKED | SentFlag.RETRANS)) === SentFlag.LOST;
  if (goesOn) return false;
  rows[at + Sent.FLAGS] |= SentFlag.BURST_END;
  return before !== 0 && rows[before + Sent.NEXT] === at && (rows[before + Sent.FLAGS] & SentFlag.BURST_END) === 0;
}
