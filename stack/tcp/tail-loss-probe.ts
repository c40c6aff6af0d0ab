import { seqGt, seqLt } from '../base/seq.js';
import { AckFlag } from './ack-sample.js';
import type { TcpContext } from './context.js';
import { beginReduction, endReduction } from './prr.js';
import { Pending, rearmTimeout } from './retransmission-timer.js';
import { CaState, RecoveryBit } from './scoreboard.js';
import { Cold, Tcb } from './tcb.js';
import { keepOpen } from './undo.js';

/**
 * Segment path. Tail loss probe, RFC 8985 §7: when the end of a flight is lost no later segment arrives that would tell. So after two round trips of silence one segment is sent, new or the last one
 * again; its SACK lets RACK find what is missing, without a timeout. What the probe itself repaired must still count as a loss (§7.4).
 */

/** Whether a probe may be sent: one at a time. */
export function mayProbe(tcp: TcpContext, k: number): boolean {
  return (tcp.cold[k + Cold.RECOVERY_BITS] & RecoveryBit.PROBE) === 0;
}

/** §7.3: a probe has gone, of new data or of the last segment again. Then the timeout runs, from now. */
export function probeSent(tcp: TcpContext, c: number, k: number, again: boolean): void {
  const { hot, cold } = tcp;
  cold[k + Cold.TLP_HIGH_SEQ] = hot[c + Tcb.SND_NXT];
  const bits = cold[k + Cold.RECOVERY_BITS] & ~RecoveryBit.PROBE_RETRANS;
  cold[k + Cold.RECOVERY_BITS] = bits | RecoveryBit.PROBE | (again ? RecoveryBit.PROBE_RETRANS : 0);
  cold[k + Cold.PENDING] = Pending.NONE;
  tcp.net.stats.tcpLossProbes += 1;
  rearmTimeout(tcp, c, k);
}

/** §7.4: what an acknowledgment says about the probe. If it repaired a loss nobody else has seen, cwnd comes down for it. */
export function onProbeAck(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack, seg } = tcp;
  const bits = cold[k + Cold.RECOVERY_BITS];
  if ((bits & RecoveryBit.PROBE) === 0 || seqLt(seg.ACK, cold[k + Cold.TLP_HIGH_SEQ])) return;
  const again = (bits & RecoveryBit.PROBE_RETRANS) !== 0;
  const both = AckFlag.SND_UNA_ADVANCED | AckFlag.NOT_DUPLICATE | AckFlag.DATA_SACKED;
  if (!again || (ack.flags & AckFlag.DSACK_TLP) !== 0) {
    cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.PROBE;
  } else if (seqGt(seg.ACK, cold[k + Cold.TLP_HIGH_SEQ])) {
    beginReduction(tcp, c, k, false);
    cold[k + Cold.CA_STATE] = CaState.CWR;
    endReduction(tcp, c, k);
    keepOpen(tcp, c, k);
    tcp.net.stats.tcpLossProbeRecoveries += 1;
  } else if ((ack.flags & both) === 0) {
    // A pure duplicate: the original and the probe have both arrived.
    cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.PROBE;
  }
}
