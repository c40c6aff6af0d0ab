import { seqLt } from '../base/seq.js';
import { AckFlag } from './ack-sample.js';
import { cleanQueue } from './acknowledged.js';
import { deliveredToControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { growCwnd } from './cwnd-validation.js';
import { generateRate } from './delivery-rate.js';
import { acknowledgesAcks, countMarked, readMarks } from './ecn-echo.js';
import { identifyLosses, markBySacks, sackedFarAbove, timeToRecover } from './loss-detection.js';
import { currentThreshold, inLoss } from './loss-state.js';
import { mtuProbeLost } from './mtu-probe.js';
import { countDuplicates, limitDuplicates } from './newreno.js';
import { effectiveMss } from './options.js';
import { beginReduction, dropReduction, endReduction, enterCwr, inCwndReduction, reduceCwnd } from './prr.js';
import { rackDetectLoss, rackUpdateWindow } from './rack.js';
import { Pending, rearmTimeout, setPending, setTransmitTimer } from './retransmission-timer.js';
import { Rexmit, wantRexmit } from './retransmit.js';
import { CaState, forgetStamp, markLost, packetsInFlight, RecoveryBit, usesRack, usesSack } from './scoreboard.js';
import { onProbeAck } from './tail-loss-probe.js';
import { Cold, Tcb } from './tcb.js';
import { Sent } from './transmit-pool.js';
import { bytesOf } from './transmit-queue.js';
import { beginUndo, keepOpen, Partial, tryUndoDsack, tryUndoPartial, tryUndoRecovery } from './undo.js';

/**
 * Segment path. What an acknowledgment means for the sender: RFC 5681 §3.2, RFC 6675 §5 and RFC 8985 as five states, as Linux has them. Open: all is well. Disorder: something arrived out of
 * order. CWR: cwnd comes down for a mark. Recovery: something is lost, and is sent again as PRR allows. Loss: a timeout. It only sets
 * variables; output sends.
 */

/** An acknowledgment has been taken: SND.UNA has moved, or not, and its blocks are read. */
export function recover(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  if (ack.priorPackets === 0) {
    // A D-SACK may still show that an earlier reduction was for nothing.
    readMarks(tcp, c, k);
    if ((ack.flags & AckFlag.DSACK) !== 0) alert(tcp, c, k, 0);
    onProbeAck(tcp, c, k);
    return;
  }
  cleanQueue(tcp, c, k);
  rackUpdateWindow(tcp, k);
  readMarks(tcp, c, k);
  deliveredToControl(tcp, c, k, ack.marks);
  onProbeAck(tcp, c, k);
  if (isDubious(cold, k, ack.flags)) {
    let duplicates = 0;
    const plain = (ack.flags & (AckFlag.SND_UNA_ADVANCED | AckFlag.NOT_DUPLICATE | AckFlag.DSACK)) === 0;
    if (plain && !acknowledgesAcks(tcp, c, k)) {
      duplicates = 1;
      tcp.net.stats.tcpDupAcksIn += 1;
    }
    alert(tcp, c, k, duplicates);
  }
  if ((ack.flags & AckFlag.SET_TIMER) !== 0) setTransmitTimer(tcp, c, k);
  control(tcp, c, k);
}

/** An acknowledgment from before SND.UNA, which still tells what has arrived out of order. */
export function recoverByOld(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  alert(tcp, c, k, 0);
  // RFC 9937 §6.2 executes its steps on every ACK, and this one may have begun the reduction.
  if (!inCwndReduction(cold, k)) return;
  ack.delivered = (cold[k + Cold.DELIVERED] - ack.priorDelivered) | 0;
  reduceCwnd(tcp, c, k);
}

function isDubious(cold: Int32Array, k: number, flags: number): boolean {
  return (
    (flags & AckFlag.NOT_DUPLICATE) === 0 || (flags & AckFlag.ALERT) !== 0 || cold[k + Cold.CA_STATE] !== CaState.OPEN
  );
}

/** cwnd: under PRR in a reduction, else it grows with what was delivered. As Linux also in Loss, and where much is reordered with what is SACKed. */
function control(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack, limits } = tcp;
  ack.delivered = (cold[k + Cold.DELIVERED] - ack.priorDelivered) | 0;
  generateRate(tcp, k);
  const bytes = ack.delivered * effectiveMss(tcp, c);
  countMarked(tcp, c, k);
  if (inCwndReduction(cold, k)) {
    reduceCwnd(tcp, c, k);
    return;
  }
  const progress = cold[k + Cold.REORDERING] > limits.reordering ? AckFlag.FORWARD_PROGRESS : AckFlag.DATA_ACKED;
  if ((ack.flags & progress) !== 0) growCwnd(tcp, c, k, bytes);
}

/** Something is not as it should be, or was not a moment ago. */
function alert(tcp: TcpContext, c: number, k: number, duplicates: number): void {
  const { hot, cold, ack } = tcp;
  if (cold[k + Cold.PACKETS_OUT] === 0) cold[k + Cold.SACKED_OUT] = 0;
  if ((ack.flags & AckFlag.ECE) !== 0) cold[k + Cold.PRIOR_SSTHRESH] = 0;
  if (peerReneges(tcp, c, k)) return;
  const state = cold[k + Cold.CA_STATE];
  if (state === CaState.OPEN) cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.STAMPED;
  else if (!seqLt(hot[c + Tcb.SND_UNA], cold[k + Cold.HIGH_SEQ]) && leaveState(tcp, c, k)) return;
  switch (cold[k + Cold.CA_STATE]) {
    case CaState.RECOVERY:
      inRecovery(tcp, c, k, duplicates);
      break;
    case CaState.LOSS:
      inLoss(tcp, c, k, duplicates);
      identifyLosses(tcp, c, k);
      // Undone, or what was sent again is lost in its turn: then there may be more to do.
      if (cold[k + Cold.CA_STATE] === CaState.OPEN || (ack.flags & AckFlag.LOST_RETRANS) !== 0)
        inDoubt(tcp, c, k, duplicates);
      break;
    default:
      inDoubt(tcp, c, k, duplicates);
  }
}

/**
 * What was SACKed is now first and not acknowledged: the peer has thrown it away, or its ACK for it was overtaken (RFC 2018 §8). It gets
 * half a round trip, 10 ms at the least, then it is a timeout (as Linux).
 */
function peerReneges(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, ack } = tcp;
  if ((ack.flags & AckFlag.RENEGING) === 0 || (ack.flags & AckFlag.SND_UNA_ADVANCED) === 0) return false;
  const halfMs = Math.ceil((hot[c + Tcb.SRTT] >> 4) / 1000);
  setPending(tcp, c, k, Pending.TIMEOUT, halfMs > RENEGING_MS_MIN ? halfMs : RENEGING_MS_MIN);
  ack.flags &= ~AckFlag.SET_TIMER;
  return true;
}
const RENEGING_MS_MIN = 10;

/** All that was outstanding when the state began is acknowledged. True when nothing more is to be done. */
function leaveState(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  if (cold[k + Cold.CA_STATE] === CaState.CWR) {
    endReduction(tcp, c, k);
    // The peer must hear of CWR: something above is to be acknowledged (RFC 3168 §6.1.2).
    if (hot[c + Tcb.SND_UNA] === cold[k + Cold.HIGH_SEQ]) return false;
    cold[k + Cold.CA_STATE] = CaState.OPEN;
  } else if (cold[k + Cold.CA_STATE] === CaState.RECOVERY) {
    if (!usesSack(tcp, c)) cold[k + Cold.SACKED_OUT] = 0;
    const held = tryUndoRecovery(tcp, c, k);
    // Completed also where the state is held: all that this reduction was for is acknowledged (RFC 9937 §6.4).
    endReduction(tcp, c, k);
    return held;
  }
  return false;
}

function inRecovery(tcp: TcpContext, c: number, k: number, duplicates: number): void {
  const { cold, ack } = tcp;
  const sacked = (ack.flags & AckFlag.DATA_SACKED) !== 0;
  let doLost = duplicates > 0 || (sacked && sackedFarAbove(tcp, c, k));
  if ((ack.flags & AckFlag.SND_UNA_ADVANCED) === 0) {
    if (!usesSack(tcp, c)) countDuplicates(tcp, c, k, duplicates);
  } else {
    const partial = tryUndoPartial(tcp, c, k);
    if (partial === Partial.WAIT) return;
    if (partial === Partial.REPAIRED) doLost = sackedFarAbove(tcp, c, k);
  }
  if (tryUndoDsack(tcp, c, k)) tryToOpen(tcp, c, k);
  identifyLosses(tcp, c, k);
  if (cold[k + Cold.CA_STATE] !== CaState.RECOVERY) {
    if (!timeToRecover(tcp, k)) return;
    // Undone, and yet something is lost: another one begins.
    enterRecovery(tcp, c, k);
  }
  if (!usesRack(tcp) && doLost) markBySacks(tcp, c, k, false);
  wantRexmit(tcp, c, k, Rexmit.LOST);
}

/** Open, Disorder or CWR: is it time to recover? */
function inDoubt(tcp: TcpContext, c: number, k: number, duplicates: number): void {
  const { cold, ack } = tcp;
  if (!usesSack(tcp, c)) {
    if ((ack.flags & AckFlag.SND_UNA_ADVANCED) !== 0) cold[k + Cold.SACKED_OUT] = 0;
    countDuplicates(tcp, c, k, duplicates);
  }
  if (cold[k + Cold.CA_STATE] <= CaState.DISORDER) tryUndoDsack(tcp, c, k);
  identifyLosses(tcp, c, k);
  if (!timeToRecover(tcp, k)) {
    tryToOpen(tcp, c, k);
    return;
  }
  if (cold[k + Cold.MTU_PROBED] !== 0 && cold[k + Cold.CA_STATE] < CaState.CWR && mtuProbeLost(tcp, c, k)) {
    loseOversized(tcp, c, k, effectiveMss(tcp, c));
    return;
  }
  const sacked = (ack.flags & AckFlag.DATA_SACKED) !== 0;
  const doLost = duplicates > 0 || (sacked && sackedFarAbove(tcp, c, k));
  enterRecovery(tcp, c, k);
  if (!usesRack(tcp) && doLost) markBySacks(tcp, c, k, true);
  wantRexmit(tcp, c, k, Rexmit.LOST);
}

function tryToOpen(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  forgetStamp(tcp, k);
  if ((ack.flags & AckFlag.ECE) !== 0) enterCwr(tcp, c, k);
  if (cold[k + Cold.CA_STATE] !== CaState.CWR) keepOpen(tcp, c, k);
}

/** Fast recovery begins, RFC 6675 §5 step 4: ssthresh comes down, unless it just has for the same flight. */
export function enterRecovery(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  tcp.net.stats.tcpFastRetransmits += 1;
  cold[k + Cold.PRIOR_SSTHRESH] = 0;
  beginUndo(tcp, c, k);
  if (!inCwndReduction(cold, k)) {
    if ((ack.flags & AckFlag.ECE) === 0) cold[k + Cold.PRIOR_SSTHRESH] = currentThreshold(tcp, c, k);
    beginReduction(tcp, c, k, false);
  }
  cold[k + Cold.CA_STATE] = CaState.RECOVERY;
}

/** RACK's reordering timer, RFC 8985 §6.3: what was overtaken has had its time. */
export function onReorderingTimeout(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  const before = packetsInFlight(cold, k);
  rackDetectLoss(tcp, c, k);
  if (before !== packetsInFlight(cold, k)) {
    if (cold[k + Cold.CA_STATE] !== CaState.RECOVERY) {
      // No ACK is at hand, so nothing was acknowledged or SACKed with it. As Linux the timer counts as one packet
      // delivered: RFC 9937 counts with ACKs only, but it also wants the first retransmission sent at once.
      ack.flags = 0;
      ack.delivered = 1;
      ack.priorPackets = cold[k + Cold.PACKETS_OUT];
      ack.priorSackedOut = cold[k + Cold.SACKED_OUT];
      enterRecovery(tcp, c, k);
      reduceCwnd(tcp, c, k);
    }
    wantRexmit(tcp, c, k, Rexmit.LOST);
  }
  if (cold[k + Cold.PENDING] !== Pending.TIMEOUT) rearmTimeout(tcp, c, k);
}

/**
 * The path carries less than was thought (RFC 1191 §6.5): what was too big is lost, and not for congestion, so cwnd stays; but it is repaired before anything new is concluded.
 */
export function loseOversized(tcp: TcpContext, c: number, k: number, mss: number): void {
  const { hot, cold } = tcp;
  const { rows } = tcp.transmits;
  for (let at = cold[k + Cold.SENT_HEAD]; at !== 0; at = rows[at + Sent.NEXT]) {
    if (bytesOf(rows, at) > mss) markLost(tcp, k, at);
  }
  cold[k + Cold.RETRANSMIT_HINT] = 0;
  cold[k + Cold.LOST_HINT] = 0;
  if (cold[k + Cold.LOST_OUT] === 0) return;
  if (!usesSack(tcp, c)) limitDuplicates(cold, k);
  if (cold[k + Cold.CA_STATE] !== CaState.LOSS) {
    cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_NXT];
    hot[c + Tcb.SSTHRESH] = currentThreshold(tcp, c, k);
    dropReduction(cold, k);
    cold[k + Cold.PRIOR_SSTHRESH] = 0;
    cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.UNDO;
    cold[k + Cold.CA_STATE] = CaState.LOSS;
    cold[k + Cold.TIMED_OUT_AT] = tcp.clock.ms;
  }
  wantRexmit(tcp, c, k, Rexmit.LOST);
}
