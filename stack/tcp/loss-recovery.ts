import { seqDiff, seqGt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { growCwnd } from './cwnd-validation.js';
import { considerCwrOver, enterCwr, inCwr, lossTakesOver, reduceCwnd, tellReduction } from './cwr.js';
import { echoArrived } from './ecn-echo.js';
import { effectiveMss } from './options.js';
import { flightSize } from './output.js';
import { abandonMeasurement } from './rtt.js';
import { timeoutRecovered } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';

/**
 * Segment path. Finding out that something was lost and deciding what is sent again: fast retransmit and fast recovery (RFC 5681 §3.2) as NewReno
 * has them (RFC 6582), limited transmit (RFC 3042), and what follows a retransmission timeout (RFC 6298 §5). It sets which
 * bytes are lost (RTX_NXT up to RTX_END), and output sends them.
 */

/** With the largest step an ACK can make, a window of 2^30 (RFC 7323 §2.3), still less than half of the circle. */
const RECOVER_BEHIND_MAX = 0x3000_0000;
/** RFC 5681 §3.2: the third duplicate. */
const DUPLICATE_THRESHOLD = 3;

/** A duplicate ACK in the sense of RFC 5681 §2 has come. */
export function onDuplicateAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  tcp.net.stats.tcpDupAcksIn += 1;
  const duplicates = cold[k + Cold.DUPACKS] + 1;
  cold[k + Cold.DUPACKS] = duplicates;
  const smss = effectiveMss(tcp, c);
  if ((hot[c + Tcb.STATE] & Flag.FAST_RECOVERY) !== 0) {
    // Each one says that a segment has left the network: RFC 6582 §3.2 step 3 (RFC 5681 §3.2 step 4).
    hot[c + Tcb.CWND] += smss;
    return;
  }
  if (duplicates < DUPLICATE_THRESHOLD) {
    cold[k + Cold.LIMITED_BYTES] = duplicates * smss;
    return;
  }
  if (duplicates > DUPLICATE_THRESHOLD) return;
  // RFC 6582 §3.2 step 2: not again for losses of a window already repaired. They would be echoes of our own retransmissions.
  if (!coversMoreThanRecover(tcp, c, k)) return;
  enterFastRecovery(tcp, c, k, smss);
}

/**
 * Whether the cumulative acknowledgment covers more than "recover". Just "recover" is not enough without SACK: the duplicates
 * could answer what was sent again needlessly. With SACK they have told of something new above it (§4.1's purpose, without its heuristic).
 */
function coversMoreThanRecover(tcp: TcpContext, c: number, k: number): boolean {
  const beyond = seqDiff((tcp.hot[c + Tcb.SND_UNA] - 1) | 0, tcp.cold[k + Cold.RECOVER]);
  return beyond > 0 || (beyond === 0 && (tcp.hot[c + Tcb.STATE] & Flag.SACK) !== 0);
}

function enterFastRecovery(tcp: TcpContext, c: number, k: number, smss: number): void {
  const { hot, cold } = tcp;
  tcp.net.stats.tcpFastRetransmits += 1;
  cold[k + Cold.LIMITED_BYTES] = 0;
  // What limited transmit has put on top of cwnd does not count (RFC 5681 §3.2 step 2).
  const flight = flightSize(tcp, c, k);
  // A mark has reduced the window already for the same flight.
  if (!lossTakesOver(tcp, k))
    congestionOf(tcp, k).onLoss(tcp, c, k, flight < hot[c + Tcb.CWND] ? flight : hot[c + Tcb.CWND]);
  tellReduction(tcp, c);
  cold[k + Cold.RECOVER] = (hot[c + Tcb.SND_NXT] - 1) | 0;
  // Three segments have left the network besides the lost one.
  hot[c + Tcb.CWND] = hot[c + Tcb.SSTHRESH] + DUPLICATE_THRESHOLD * smss;
  hot[c + Tcb.STATE] |= Flag.FAST_RECOVERY;
  loseFirstSegment(tcp, c, k, Cause.RETRANSMIT_FAST);
}

/** One segment from SND.UNA is to be sent again at once. */
export function loseFirstSegment(tcp: TcpContext, c: number, k: number, cause: Cause): void {
  const { hot, cold } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const flight = seqDiff(hot[c + Tcb.SND_NXT], una);
  const smss = effectiveMss(tcp, c);
  cold[k + Cold.RTX_NXT] = una;
  cold[k + Cold.RTX_END] = (una + (flight < smss ? flight : smss)) | 0;
  cold[k + Cold.RTX_CAUSE] = cause;
  abandonMeasurement(tcp, k);
}

/** SND.UNA has moved forward by `acked` bytes. */
export function onNewAck(tcp: TcpContext, c: number, k: number, acked: number): void {
  const { hot, cold } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  cold[k + Cold.DUPACKS] = 0;
  cold[k + Cold.LIMITED_BYTES] = 0;
  // What was to be sent again may have arrived after all.
  if (seqGt(una, cold[k + Cold.RTX_NXT])) cold[k + Cold.RTX_NXT] = una;
  if (seqGt(cold[k + Cold.RTX_NXT], cold[k + Cold.RTX_END])) cold[k + Cold.RTX_END] = cold[k + Cold.RTX_NXT];
  const word = hot[c + Tcb.STATE];
  // "recover" follows at a distance, lest after 2 GB without loss the circle of numbers makes it look ahead.
  if (seqDiff(una, cold[k + Cold.RECOVER]) > RECOVER_BEHIND_MAX)
    cold[k + Cold.RECOVER] = (una - RECOVER_BEHIND_MAX) | 0;
  if ((word & Flag.FAST_RECOVERY) !== 0) {
    if (seqGt(una, cold[k + Cold.RECOVER])) leaveFastRecovery(tcp, c, k);
    else onPartialAck(tcp, c, k, acked);
    return;
  }
  if ((word & Flag.TIMEOUT_RECOVERY) !== 0 && seqGt(una, cold[k + Cold.RECOVER])) {
    timeoutRecovered(tcp, c, k);
    cold[k + Cold.RTX_NXT] = una;
    cold[k + Cold.RTX_END] = una;
    congestionOf(tcp, k).onRecovered(tcp, c, k);
  }
  considerCwrOver(tcp, c, k);
  if (echoArrived(tcp, c)) enterCwr(tcp, c, k);
  if (inCwr(tcp, k)) reduceCwnd(tcp, c, k, acked);
  else growCwnd(tcp, c, k, acked);
}

/** RFC 6582 §3.2 step 3, full acknowledgment, with the choice that avoids a burst: min(ssthresh, max(FlightSize, SMSS) + SMSS). */
function leaveFastRecovery(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const smss = effectiveMss(tcp, c);
  const una = hot[c + Tcb.SND_UNA];
  cold[k + Cold.RTX_NXT] = una;
  cold[k + Cold.RTX_END] = una;
  const flight = seqDiff(hot[c + Tcb.SND_NXT], una);
  const gentle = (flight > smss ? flight : smss) + smss;
  hot[c + Tcb.CWND] = hot[c + Tcb.SSTHRESH] < gentle ? hot[c + Tcb.SSTHRESH] : gentle;
  hot[c + Tcb.STATE] &= ~Flag.FAST_RECOVERY;
  congestionOf(tcp, k).onRecovered(tcp, c, k);
}

/** RFC 6582 §3.2 step 3, partial acknowledgment: the next hole is known, and cwnd gives back what was acknowledged. */
function onPartialAck(tcp: TcpContext, c: number, k: number, acked: number): void {
  const { hot } = tcp;
  const smss = effectiveMss(tcp, c);
  let cwnd = hot[c + Tcb.CWND] - acked;
  if (acked >= smss) cwnd += smss;
  hot[c + Tcb.CWND] = cwnd > smss ? cwnd : smss;
  loseFirstSegment(tcp, c, k, Cause.RETRANSMIT_PARTIAL_ACK);
}

/**
 * The retransmission timer has expired, RFC 6298 §5.4 to §5.6: everything outstanding is taken for lost and sent again as the window
 * grows from one segment. ssthresh is lowered once for the same data (RFC 5681 §3.1, equation 4).
 */
export function onTimeout(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  tcp.net.stats.tcpTimeouts += 1;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.RTO_COUNT] += 1;
  if (!lossTakesOver(tcp, k) && cold[k + Cold.RETRANSMITS] === 0)
    congestionOf(tcp, k).onTimeout(tcp, c, k, flightSize(tcp, c, k));
  else hot[c + Tcb.CWND] = effectiveMss(tcp, c);
  tellReduction(tcp, c);
  // RFC 6582 §4.2: no fast retransmit for what was out before the timeout.
  cold[k + Cold.RECOVER] = (hot[c + Tcb.SND_NXT] - 1) | 0;
  cold[k + Cold.DUPACKS] = 0;
  cold[k + Cold.LIMITED_BYTES] = 0;
  cold[k + Cold.RTX_NXT] = hot[c + Tcb.SND_UNA];
  cold[k + Cold.RTX_END] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.RTX_CAUSE] = Cause.RETRANSMIT_TIMEOUT;
  if ((hot[c + Tcb.STATE] & Flag.TIMEOUT_RECOVERY) === 0) cold[k + Cold.TIMED_OUT_AT] = tcp.clock.ms;
  hot[c + Tcb.STATE] = (hot[c + Tcb.STATE] & ~Flag.FAST_RECOVERY) | Flag.TIMEOUT_RECOVERY;
  abandonMeasurement(tcp, k);
}

/** Nothing is outstanding: whatever recovery there was is over. */
export function onAllAcknowledged(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FAST_RECOVERY) !== 0) leaveFastRecovery(tcp, c, k);
  timeoutRecovered(tcp, c, k);
  const una = hot[c + Tcb.SND_UNA];
  cold[k + Cold.RTX_NXT] = una;
  cold[k + Cold.RTX_END] = una;
}
