import type { CongestionControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { Hystart, hystartBegins, hystartGrowth, hystartRests, hystartSample } from './hystart.js';
import { effectiveMss } from './options.js';
import { Cold, Tcb } from './tcb.js';
import { cwndSegments, growLinearly, growSlowStart, inSlowStart, reducedWindow } from './window-growth.js';

/**
 * Segment path. CUBIC, RFC 9438. The window is a cubic function of the time since the last reduction: it comes back fast towards where it was reduced, W_max, lingers
 * there, and then looks for more, faster and faster. Growth depends on time and not on round trips, so long paths are not at a
 * disadvantage.
 *
 * Windows are in whole segments and time in 1/1024 s, rounded as Linux rounds them: which ACK lets the next segment out is the same.
 */
/** Words of the private area; HyStart's are behind them. */
const enum Cubic {
  /** W_max: cwnd before the last reduction, in segments; 0: there was none. */
  W_MAX = 0,
  /** Where the curve is flat: W_max, or cwnd if that was passed when the epoch began. */
  ORIGIN = 1,
  /** When the curve reaches its origin, 1/1024 s after the epoch began. */
  K = 2,
  /** When the epoch began, ms. */
  EPOCH_AT = 3,
  /** cwnd_prior: cwnd before the last reduction or timeout, in segments, not lowered by fast convergence (§4.1). */
  CWND_PRIOR = 4,
  /** Bytes acknowledged that W_EST has not counted yet. */
  ACKED = 5,
  /** W_est: the window Reno would have, in segments (§4.3); 0: no epoch has begun. */
  W_EST = 6,
  /** Segments to be acknowledged for one more in cwnd, and for which cwnd and when that was last worked out. */
  COUNT = 7,
  COUNT_CWND = 8,
  COUNT_AT = 9,
}

/** beta_cubic = 0.7 (§4.6) as Linux has it, in 1/1024. */
const BETA = 717;
/** (1 + beta) / 2 (§4.7), of which the half is in the division. */
const FAST_CONVERGENCE = 1024 + BETA;
/** C = 0.4 (§5) as Linux has it: 410/1024 segments a cubic second; in 1/1024 s cubed, 2^-40 of 410. */
const C = 410;
const TICKS_PER_SECOND = 1024;
const C_SCALE = 2 ** 40;
/**
 * Reno-friendly growth is alpha = 3 (1 - beta) / (1 + beta) segments a round trip (§4.3), so one segment takes
 * cwnd / alpha acknowledged ones: 15/8 of cwnd, as Linux rounds 1.89. Until W_est has reached cwnd_prior; then alpha is 1.
 */
const FRIENDLY_EIGHTHS = 15;
/** §4.4 and §4.5 hold growth to half of cwnd in a round trip: a segment for two acknowledged. */
const COUNT_MIN = 2;
/** On the flat part, where the curve wants nothing: a segment in a hundred round trips. */
const COUNT_FLAT = 100;
/** While nothing is known of the path, at least a twentieth a round trip (Linux): the curve would begin flat at an arbitrary place. */
const COUNT_UNKNOWN_MAX = 20;
/** The curve is worked out again when cwnd has changed or 1/32 s has passed (Linux). */
const RECOUNT_MS = 31;
/** Round trips right after a reduction measure the queue that caused it: not taken for a second (Linux). */
const SAMPLES_AFTER_MS = 1000;
/** No limit for W_est: more than any cwnd. */
const W_EST_MAX = 0x7fff_ffff;
/** A curve that is not capped would leave 32 bits after an hour. */
const TARGET_MAX = 1 << 30;

export const CUBIC: CongestionControl = {
  name: 'cubic',
  keeps: Hystart.MIN_RTT_US,

  init(tcp: TcpContext, c: number, k: number): void {
    hystartBegins(tcp, c, k);
  },

  onAck(tcp: TcpContext, c: number, k: number, acked: number): void {
    if (inSlowStart(tcp, c)) {
      acked = growSlowStart(tcp, c, hystartGrowth(tcp, c, k, acked));
      if (acked === 0) return;
    }
    const smss = effectiveMss(tcp, c);
    growLinearly(tcp, c, k, segmentsPerStep(tcp, c, k, acked, smss), acked);
  },

  /** §4.6, and fast convergence, §4.7: a flow whose share is shrinking makes room sooner. */
  onLoss(tcp: TcpContext, c: number, k: number, _flight: number): void {
    const { hot, cold } = tcp;
    const w = k + Cold.CC;
    const cwnd = cwndSegments(tcp, c, effectiveMss(tcp, c));
    cold[w + Cubic.W_EST] = 0;
    cold[w + Cubic.CWND_PRIOR] = cwnd;
    cold[w + Cubic.W_MAX] = cwnd < cold[w + Cubic.W_MAX] ? Math.floor((cwnd * FAST_CONVERGENCE) / 2048) : cwnd;
    hot[c + Tcb.SSTHRESH] = reducedWindow(tcp, c, BETA);
    cold[k + Cold.CWND_CREDIT] = 0;
  },

  /**
   * §4.8. As Linux, what was known of the path is forgotten besides ssthresh and cwnd_prior: after a timeout it may be
   * another one, and slow start asks again.
   */
  onTimeout(tcp: TcpContext, c: number, k: number, _flight: number): void {
    const { hot, cold } = tcp;
    const w = k + Cold.CC;
    const cwnd = cwndSegments(tcp, c, effectiveMss(tcp, c));
    hot[c + Tcb.SSTHRESH] = reducedWindow(tcp, c, BETA);
    hot[c + Tcb.CWND] = effectiveMss(tcp, c);
    cold[k + Cold.CWND_CREDIT] = 0;
    cold.fill(0, w, w + Hystart.MIN_RTT_US + 1);
    cold[w + Cubic.CWND_PRIOR] = cwnd;
    hystartBegins(tcp, c, k);
  },

  onRecovered(tcp: TcpContext, _c: number, k: number): void {
    tcp.cold[k + Cold.CWND_CREDIT] = 0;
  },

  onSample(tcp: TcpContext, c: number, k: number, rttUs: number): void {
    const { cold } = tcp;
    const w = k + Cold.CC;
    if (cold[w + Cubic.W_EST] !== 0 && ((tcp.clock.ms - cold[w + Cubic.EPOCH_AT]) | 0) < SAMPLES_AFTER_MS) return;
    hystartSample(tcp, c, k, rttUs);
  },

  /** Before the first reduction, and before slow start was left, there is no curve yet. */
  rests(tcp: TcpContext, _c: number, k: number): boolean {
    const { cold } = tcp;
    const w = k + Cold.CC;
    if (cold[w + Cubic.W_MAX] !== 0 || cold[w + Cubic.W_EST] !== 0 || cold[w + Cubic.CWND_PRIOR] !== 0) return false;
    return hystartRests(tcp, k);
  },

  /** §5.8 (RFC 7661's concern): time in which nothing was sent does not count, or the curve would have run ahead. */
  onRestart(tcp: TcpContext, _c: number, k: number, silentMs: number): void {
    const { cold } = tcp;
    const w = k + Cold.CC;
    if (cold[w + Cubic.W_EST] === 0 || silentMs <= 0) return;
    const shifted = (cold[w + Cubic.EPOCH_AT] + silentMs) | 0;
    cold[w + Cubic.EPOCH_AT] = ((shifted - tcp.clock.ms) | 0) > 0 ? tcp.clock.ms : shifted;
  },
};

/** Segments to be acknowledged for one more in cwnd: from the curve one round trip ahead (§4.4, §4.5), or from what Reno would have if that is more (§4.3). */
function segmentsPerStep(tcp: TcpContext, c: number, k: number, acked: number, smss: number): number {
  const { cold } = tcp;
  const w = k + Cold.CC;
  const nowMs = tcp.clock.ms;
  const cwnd = cwndSegments(tcp, c, smss);
  cold[w + Cubic.ACKED] += acked;
  const age = (nowMs - cold[w + Cubic.COUNT_AT]) | 0;
  if (cold[w + Cubic.COUNT_CWND] === cwnd && age >= 0 && age <= RECOUNT_MS) return cold[w + Cubic.COUNT];
  // The curve moves with time: within a millisecond only Reno's part can have changed.
  if (cold[w + Cubic.W_EST] === 0 || age !== 0) {
    cold[w + Cubic.COUNT_CWND] = cwnd;
    cold[w + Cubic.COUNT_AT] = nowMs;
    if (cold[w + Cubic.W_EST] === 0) beginEpoch(cold, w, nowMs, cwnd, acked);
    cold[w + Cubic.COUNT] = curveCount(cold, w, nowMs, cwnd);
  }
  let count = friendlyCount(cold, w, cwnd, smss, cold[w + Cubic.COUNT]);
  if (count < COUNT_MIN) count = COUNT_MIN;
  cold[w + Cubic.COUNT] = count;
  return count;
}

/** §4.2: K = cbrt((W_max - cwnd) / C), so that the curve begins at cwnd and is at W_max after K. */
function beginEpoch(cold: Int32Array, w: number, nowMs: number, cwnd: number, acked: number): void {
  const wMax = cold[w + Cubic.W_MAX];
  cold[w + Cubic.EPOCH_AT] = nowMs;
  cold[w + Cubic.ACKED] = acked;
  cold[w + Cubic.W_EST] = cwnd;
  if (wMax <= cwnd) {
    cold[w + Cubic.K] = 0;
    cold[w + Cubic.ORIGIN] = cwnd;
  } else {
    cold[w + Cubic.K] = Math.floor(Math.cbrt((C_SCALE / C) * (wMax - cwnd)));
    cold[w + Cubic.ORIGIN] = wMax;
  }
}

/** W_cubic(t + RTT) = C (t + RTT - K)^3 + W_max, and how many acknowledged segments a step towards it may take. */
function curveCount(cold: Int32Array, w: number, nowMs: number, cwnd: number): number {
  const sinceMs = ((nowMs - cold[w + Cubic.EPOCH_AT]) | 0) + Math.ceil(cold[w + Hystart.MIN_RTT_US] / 1000);
  const t = Math.floor((sinceMs * TICKS_PER_SECOND) / 1000);
  const offset = t < cold[w + Cubic.K] ? cold[w + Cubic.K] - t : t - cold[w + Cubic.K];
  const delta = Math.floor((C * offset * offset * offset) / C_SCALE);
  const target = t < cold[w + Cubic.K] ? cold[w + Cubic.ORIGIN] - delta : cold[w + Cubic.ORIGIN] + delta;
  const capped = target < TARGET_MAX ? target : TARGET_MAX;
  const count = capped > cwnd ? Math.floor(cwnd / (capped - cwnd)) : COUNT_FLAT * cwnd;
  return cold[w + Cubic.W_MAX] === 0 && count > COUNT_UNKNOWN_MAX ? COUNT_UNKNOWN_MAX : count;
}

/** §4.3: where W_est is ahead of cwnd, a step takes no more than closes the gap in a round trip. */
function friendlyCount(cold: Int32Array, w: number, cwnd: number, smss: number, count: number): number {
  const prior = cold[w + Cubic.CWND_PRIOR];
  const below = prior - cold[w + Cubic.W_EST];
  if (below > 0) growEstimate(cold, w, ((cwnd * FRIENDLY_EIGHTHS) >> 3) * smss, below);
  // Deviation: Linux keeps alpha at 8/15 here. The RFC has Reno's rate once W_est has reached cwnd_prior, or CUBIC would
  // stay behind Reno on a path that has more to give.
  if (cold[w + Cubic.W_EST] >= prior) growEstimate(cold, w, cwnd * smss, W_EST_MAX);
  const ahead = cold[w + Cubic.W_EST] - cwnd;
  if (ahead <= 0) return count;
  const most = Math.floor(cwnd / ahead);
  return count > most ? most : count;
}

/** W_est grows by a segment for each `perSegment` bytes acknowledged, `most` segments at the most. */
function growEstimate(cold: Int32Array, w: number, perSegment: number, most: number): void {
  const acked = cold[w + Cubic.ACKED];
  if (acked <= perSegment) return;
  let steps = Math.floor((acked - 1) / perSegment);
  if (steps > most) steps = most;
  cold[w + Cubic.ACKED] = acked - steps * perSegment;
  cold[w + Cubic.W_EST] += steps;
}
