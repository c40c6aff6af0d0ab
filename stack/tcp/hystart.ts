import { seqGt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { effectiveMss, NO_SSTHRESH } from './options.js';
import { paces, pacingRate } from './pacing.js';
import { Cold, Tcb } from './tcb.js';
import { cwndSegments, inSlowStart } from './window-growth.js';

/**
 * Segment path. Ending slow start before it ends in loss: the round trip grows while the queue at the narrowest link fills, and that can be seen. Two ways, chosen by
 * `limits.hystart`. `classic` is what Linux's CUBIC does: the delay has grown, or a train of ACKs has become as long as half the
 * round trip; then congestion avoidance at once. `plusplus` is HyStart++, RFC 9406: only the delay counts, compared with the round before, and
 * then a conservative slow start makes sure that it was no mistake.
 */

/** Words behind CUBIC's own. */
export const enum Hystart {
  /** The smallest round trip since the last timeout, µs; CUBIC looks as far ahead. 0: none yet. */
  MIN_RTT_US = 10,
  /** Bits of Phase, and above them the samples of this round and the rounds of conservative slow start. */
  PHASE = 11,
  /** SND.NXT when the round began: it is over when that is acknowledged. */
  ROUND_END = 12,
  /** The smallest round trip of this round, µs. */
  ROUND_RTT_US = 13,
  /** Classic: when the round and when the last ACK of its train came, µs. */
  ROUND_AT_US = 14,
  TRAIN_AT_US = 15,
  /** HyStart++ in the same places: the smallest round trip of the round before, and of the round that led to conservative slow start. */
  LAST_RTT_US = 14,
  BASELINE_RTT_US = 15,
}

const enum Phase {
  /** Slow start is left for good; in the classic way until the next timeout. */
  FOUND = 1,
  /** Conservative slow start, RFC 9406 §4.2. */
  CSS = 2,
  ROUND_SHIFT = 4,
  ROUND_MASK = 0xf << 4,
  SAMPLE_SHIFT = 8,
  SAMPLE_ONE = 1 << 8,
}

/** RFC 9406 §4.3; Linux's HYSTART_MIN_SAMPLES. */
const SAMPLES_MIN = 8;
/** MIN_RTT_THRESH, MAX_RTT_THRESH and MIN_RTT_DIVISOR; Linux has the same. */
const THRESHOLD_US_MIN = 4_000;
const THRESHOLD_US_MAX = 16_000;
const THRESHOLD_SHIFT = 3;
/** CSS_GROWTH_DIVISOR and CSS_ROUNDS. */
const CSS_SHIFT = 2;
const CSS_ROUNDS = 5;
/** L of RFC 9406 §4.3: segments that one ACK may add when nothing is paced. */
const BURST_SEGMENTS = 8;
/** Smaller windows are not looked at: Linux's hystart_low_window. */
const LOW_WINDOW_SEGMENTS = 16;
/** ACKs no further apart than this are one train: Linux's hystart_ack_delta_us. */
const TRAIN_GAP_US = 2_000;
/** What a sender's own bursts may add to a train: four of the largest bursts of 64 KiB at the pacing rate, but a millisecond at the most (Linux). */
const OWN_BURST_BYTES = 4 * 65_536;
const OWN_BURST_US_MAX = 1_000;
const NO_SAMPLE = 0x7fffffff;

export function hystartBegins(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  const w = k + Cold.CC;
  cold[w + Hystart.PHASE] = tcp.limits.hystart === 'off' ? Phase.FOUND : 0;
  cold[w + Hystart.ROUND_RTT_US] = NO_SAMPLE;
  beginRound(tcp, c, k);
  if (tcp.limits.hystart === 'plusplus') cold[w + Hystart.LAST_RTT_US] = NO_SAMPLE;
}

/**
 * Whether a connection at rest would begin slow start as it is: it has not ended, and no doubt about it has come up.
 * With all acknowledged the next ACK begins a new round in any case.
 */
export function hystartRests(tcp: TcpContext, k: number): boolean {
  if (tcp.limits.hystart === 'off') return true;
  return (tcp.cold[k + Cold.CC + Hystart.PHASE] & (Phase.FOUND | Phase.CSS)) === 0;
}

/** A round trip was measured. */
export function hystartSample(tcp: TcpContext, c: number, k: number, rttUs: number): void {
  const { cold } = tcp;
  const w = k + Cold.CC;
  if (cold[w + Hystart.MIN_RTT_US] === 0 || rttUs < cold[w + Hystart.MIN_RTT_US]) cold[w + Hystart.MIN_RTT_US] = rttUs;
  if ((cold[w + Hystart.PHASE] & Phase.FOUND) !== 0 || !inSlowStart(tcp, c)) return;
  if (tcp.limits.hystart === 'plusplus') {
    if (isFirstSlowStart(tcp, c)) plusplus(tcp, c, k, rttUs);
  } else classic(tcp, c, k, rttUs);
}

/**
 * RFC 9406 §4.3: HyStart++ is for the first slow start, while ssthresh is as high as in the beginning. A later one ends at
 * the ssthresh that was found, and is plain. Linux's HyStart looks at each of them.
 */
function isFirstSlowStart(tcp: TcpContext, c: number): boolean {
  return tcp.hot[c + Tcb.SSTHRESH] === NO_SSTHRESH;
}

/** What slow start may add for `acked` bytes: RFC 9406 §4.2 in conservative slow start, all of them otherwise. */
export function hystartGrowth(tcp: TcpContext, c: number, k: number, acked: number): number {
  if (tcp.limits.hystart !== 'plusplus' || !isFirstSlowStart(tcp, c)) return acked;
  const most = BURST_SEGMENTS * effectiveMss(tcp, c);
  const counted = acked < most || paces(tcp, k) ? acked : most;
  return (tcp.cold[k + Cold.CC + Hystart.PHASE] & Phase.CSS) !== 0 ? counted >> CSS_SHIFT : counted;
}

function beginRound(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const w = k + Cold.CC;
  cold[w + Hystart.ROUND_END] = hot[c + Tcb.SND_NXT];
  cold[w + Hystart.PHASE] &= Phase.SAMPLE_ONE - 1;
  if (tcp.limits.hystart === 'plusplus') cold[w + Hystart.LAST_RTT_US] = cold[w + Hystart.ROUND_RTT_US];
  else {
    cold[w + Hystart.ROUND_AT_US] = tcp.clock.us32;
    cold[w + Hystart.TRAIN_AT_US] = tcp.clock.us32;
  }
  cold[w + Hystart.ROUND_RTT_US] = NO_SAMPLE;
}

function roundIsOver(tcp: TcpContext, c: number, k: number): boolean {
  return seqGt(tcp.hot[c + Tcb.SND_UNA], tcp.cold[k + Cold.CC + Hystart.ROUND_END]);
}

/** An eighth of a round trip, within 4 to 16 ms. */
function thresholdUs(rttUs: number): number {
  const eighth = rttUs >> THRESHOLD_SHIFT;
  return eighth < THRESHOLD_US_MIN ? THRESHOLD_US_MIN : eighth > THRESHOLD_US_MAX ? THRESHOLD_US_MAX : eighth;
}

function found(tcp: TcpContext, c: number, k: number): void {
  tcp.cold[k + Cold.CC + Hystart.PHASE] |= Phase.FOUND;
  tcp.cold[k + Cold.CC + Hystart.PHASE] &= ~Phase.CSS;
  tcp.hot[c + Tcb.SSTHRESH] = tcp.hot[c + Tcb.CWND];
}

function classic(tcp: TcpContext, c: number, k: number, rttUs: number): void {
  const { cold } = tcp;
  const w = k + Cold.CC;
  if (roundIsOver(tcp, c, k)) beginRound(tcp, c, k);
  if (cwndSegments(tcp, c, effectiveMss(tcp, c)) < LOW_WINDOW_SEGMENTS) return;
  const nowUs = tcp.clock.us32;
  const minRttUs = cold[w + Hystart.MIN_RTT_US];
  if (((nowUs - cold[w + Hystart.TRAIN_AT_US]) | 0) <= TRAIN_GAP_US) {
    cold[w + Hystart.TRAIN_AT_US] = nowUs;
    let longest = minRttUs + ownBurstUs(tcp, c, k);
    // Pacing itself draws the train out over half a round trip.
    if (!paces(tcp, k)) longest >>= 1;
    if (((nowUs - cold[w + Hystart.ROUND_AT_US]) | 0) > longest) found(tcp, c, k);
  }
  if (rttUs < cold[w + Hystart.ROUND_RTT_US]) cold[w + Hystart.ROUND_RTT_US] = rttUs;
  if (cold[w + Hystart.PHASE] >> Phase.SAMPLE_SHIFT < SAMPLES_MIN) cold[w + Hystart.PHASE] += Phase.SAMPLE_ONE;
  else if (cold[w + Hystart.ROUND_RTT_US] > minRttUs + thresholdUs(minRttUs)) found(tcp, c, k);
}

function ownBurstUs(tcp: TcpContext, c: number, k: number): number {
  const rate = pacingRate(tcp, c, k);
  if (!(rate > 0) || rate === Infinity) return 0;
  const us = Math.floor((OWN_BURST_BYTES * 1e6) / rate);
  return us < OWN_BURST_US_MAX ? us : OWN_BURST_US_MAX;
}

/** RFC 9406 §4.2 and §4.3. */
function plusplus(tcp: TcpContext, c: number, k: number, rttUs: number): void {
  const { cold } = tcp;
  const w = k + Cold.CC;
  if (roundIsOver(tcp, c, k)) {
    beginRound(tcp, c, k);
    if ((cold[w + Hystart.PHASE] & Phase.CSS) !== 0) {
      cold[w + Hystart.PHASE] += 1 << Phase.ROUND_SHIFT;
      if ((cold[w + Hystart.PHASE] & Phase.ROUND_MASK) >> Phase.ROUND_SHIFT >= CSS_ROUNDS) {
        found(tcp, c, k);
        return;
      }
    }
  }
  if (rttUs < cold[w + Hystart.ROUND_RTT_US]) cold[w + Hystart.ROUND_RTT_US] = rttUs;
  if (cold[w + Hystart.PHASE] >> Phase.SAMPLE_SHIFT < SAMPLES_MIN) cold[w + Hystart.PHASE] += Phase.SAMPLE_ONE;
  if (cold[w + Hystart.PHASE] >> Phase.SAMPLE_SHIFT < SAMPLES_MIN) return;
  const roundRtt = cold[w + Hystart.ROUND_RTT_US];
  if ((cold[w + Hystart.PHASE] & Phase.CSS) !== 0) {
    // The delay is gone again: it was no queue of ours.
    if (roundRtt < cold[w + Hystart.BASELINE_RTT_US]) cold[w + Hystart.PHASE] &= ~(Phase.CSS | Phase.ROUND_MASK);
    return;
  }
  const lastRtt = cold[w + Hystart.LAST_RTT_US];
  if (lastRtt === NO_SAMPLE || roundRtt < lastRtt + thresholdUs(lastRtt)) return;
  cold[w + Hystart.BASELINE_RTT_US] = roundRtt;
  cold[w + Hystart.PHASE] = (cold[w + Hystart.PHASE] & ~Phase.ROUND_MASK) | Phase.CSS;
}
