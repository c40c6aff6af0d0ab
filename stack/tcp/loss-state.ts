import { seqGt, seqLt } from '../base/seq.js';
import { AckFlag } from './ack-sample.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { countDuplicates } from './newreno.js';
import { hasUnsent } from './output.js';
import { dropReduction, inCwndReduction, tellReduction } from './prr.js';
import { rackTimeLeftUs } from './rack.js';
import { Rexmit, wantRexmit } from './retransmit.js';
import {
  CaState,
  clearHints,
  cwndPackets,
  flightSize,
  markLost,
  packetsInFlight,
  RecoveryBit,
  setCwndPackets,
  usesRack,
  usesSack,
} from './scoreboard.js';
import { countTimeout } from './tally.js';
import { Cold, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';
import { beginUndo, tryUndoLoss, tryUndoRecovery } from './undo.js';

/**
 * Segment path. The state Loss: the retransmission timer has expired (RFC 6298 §5, RFC 5681 §3.1), what is outstanding is taken for lost and sent again in slow start; unless F-RTO (RFC 5682
 * §3.1, with SACK) finds that it was not.
 */

/** ssthresh as it would be after the recovery under way, or three quarters of cwnd. */
export function currentThreshold(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  const ssthresh = hot[c + Tcb.SSTHRESH];
  if (inCwndReduction(cold, k)) return ssthresh;
  const segments = cwndPackets(tcp, c);
  const proved = ((segments >>> 1) + (segments >>> 2)) * Math.floor(hot[c + Tcb.CWND] / segments);
  return ssthresh > proved ? ssthresh : proved;
}

/**
 * Everything but what was SACKed is lost; what RACK knows to have been sent less than a round trip ago is not yet. If the first segment was SACKed and still is not
 * acknowledged, the peer has thrown data away (RFC 2018 §8): then no SACK of it counts any more.
 */
function markAllLost(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const head = cold[k + Cold.SENT_HEAD];
  const reneged = head !== 0 && (rows[head + Sent.FLAGS] & SentFlag.SACKED) !== 0;
  if (reneged) {
    tcp.net.stats.tcpSackReneging += 1;
    cold[k + Cold.SACKED_OUT] = 0;
    cold[k + Cold.RECOVERY_BITS] |= RecoveryBit.RENEGED;
  } else if (!usesSack(tcp, c)) cold[k + Cold.SACKED_OUT] = 0;
  const byTime = usesRack(tcp);
  for (let at = head; at !== 0; at = rows[at + Sent.NEXT]) {
    if (reneged) {
      rows[at + Sent.FLAGS] &= ~SentFlag.SACKED;
      rows[at + Sent.RUN_END] = 0;
    } else if (byTime && at !== head && rackTimeLeftUs(tcp, k, rows[at + Sent.AT_US], 0) > 0) continue;
    markLost(tcp, k, at);
  }
  clearHints(cold, k);
}

/** RFC 6298 §5.4 to §5.6 and RFC 5681 §3.1, equation 4: ssthresh is lowered once for the same data; cwnd is one segment more than is still in flight. */
export function enterLoss(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const state = cold[k + Cold.CA_STATE];
  const fresh = state < CaState.RECOVERY;
  const flight = flightSize(tcp, c, k);
  markAllLost(tcp, c, k);
  const again = state === CaState.LOSS && cold[k + Cold.RETRANSMITS] > 0;
  if (
    state <= CaState.DISORDER ||
    !seqGt(cold[k + Cold.HIGH_SEQ], hot[c + Tcb.SND_UNA]) ||
    (state === CaState.LOSS && !again)
  ) {
    cold[k + Cold.PRIOR_SSTHRESH] = currentThreshold(tcp, c, k);
    cold[k + Cold.PRIOR_CWND] = hot[c + Tcb.CWND];
    congestionOf(tcp, k).onTimeout(tcp, c, k, flight);
    beginUndo(tcp, c, k);
  }
  dropReduction(cold, k);
  setCwndPackets(tcp, c, packetsInFlight(cold, k) + 1);
  cold[k + Cold.CWND_CREDIT] = 0;
  cold[k + Cold.CWND_STAMP] = tcp.clock.ms;
  // So many duplicates and still a timeout: the path does not reorder as much as was thought.
  if (
    state <= CaState.DISORDER &&
    cold[k + Cold.SACKED_OUT] >= limits.reordering &&
    cold[k + Cold.REORDERING] > limits.reordering
  )
    cold[k + Cold.REORDERING] = limits.reordering;
  cold[k + Cold.CA_STATE] = CaState.LOSS;
  cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_NXT];
  tellReduction(tcp, c);
  const bits = cold[k + Cold.RECOVERY_BITS] & ~(RecoveryBit.PROBE | RecoveryBit.FRTO);
  const frto = limits.frto && (fresh || cold[k + Cold.RETRANSMITS] > 0);
  cold[k + Cold.RECOVERY_BITS] = bits | (frto ? RecoveryBit.FRTO : 0);
}

/** The timer has expired: state, counts, and the first segment again. */
export function onTimeout(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  tcp.net.stats.tcpTimeouts += 1;
  enterLoss(tcp, c, k);
  countTimeout(tcp, c, cold[k + Cold.RETRANSMITS] === 0);
  if (cold[k + Cold.RETRANSMITS] === 0) cold[k + Cold.TIMED_OUT_AT] = tcp.clock.ms;
  wantRexmit(tcp, c, k, Rexmit.HEAD);
}

/** An acknowledgment in Loss. F-RTO: RFC 5682 §3.1, steps 2 and 3. */
export function inLoss(tcp: TcpContext, c: number, k: number, duplicates: number): void {
  const { hot, cold, ack } = tcp;
  const recovered = !seqLt(hot[c + Tcb.SND_UNA], cold[k + Cold.HIGH_SEQ]);
  const advanced = (ack.flags & AckFlag.SND_UNA_ADVANCED) !== 0;
  if (advanced && tryUndoLoss(tcp, c, k, false)) return;
  const beyond = seqGt(hot[c + Tcb.SND_NXT], cold[k + Cold.HIGH_SEQ]);
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.FRTO) !== 0) {
    // Step 3.b: something sent before the timeout, and only once, has arrived.
    if ((ack.flags & AckFlag.ORIGINAL_ARRIVED) !== 0 && tryUndoLoss(tcp, c, k, true)) return;
    if (beyond) {
      // Step 3.a: only what was sent after the timeout arrives. The loss was real.
      if ((ack.flags & AckFlag.DATA_SACKED) !== 0 || duplicates > 0) cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.FRTO;
    } else if (advanced && !recovered) {
      // Step 2.b: new data rather than old, to see whether it is answered before the old is.
      cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_NXT];
      if (mayProbeWithNew(tcp, c)) {
        wantRexmit(tcp, c, k, Rexmit.NEW);
        return;
      }
      cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.FRTO;
    }
  }
  if (recovered) {
    tryUndoRecovery(tcp, c, k);
    return;
  }
  if (!usesSack(tcp, c)) {
    // A duplicate answers new data of step 2.b: so much less is in flight.
    if (seqGt(hot[c + Tcb.SND_NXT], cold[k + Cold.HIGH_SEQ]) && duplicates > 0) countDuplicates(tcp, c, k, duplicates);
    else if (advanced) cold[k + Cold.SACKED_OUT] = 0;
  }
  wantRexmit(tcp, c, k, Rexmit.LOST);
}

function mayProbeWithNew(tcp: TcpContext, c: number): boolean {
  const { hot } = tcp;
  const end = (hot[c + Tcb.SND_UNA] + hot[c + Tcb.SND_WND]) | 0;
  return hasUnsent(tcp, c) && seqGt(end, hot[c + Tcb.SND_NXT]);
}
