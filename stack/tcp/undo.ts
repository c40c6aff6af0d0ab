import { seqLt } from '../base/seq.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import { dropReduction, endReduction } from './prr.js';
import { rackUndone } from './rack.js';
import {
  anyRetransmitted,
  CaState,
  forgetStamp,
  noteReordering,
  RecoveryBit,
  unmarkLost,
  usesSack,
} from './scoreboard.js';
import { timeoutRecovered } from './tally.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { setCwnd } from './window-growth.js';

/**
 * Segment path. Taking back what a recovery did when it turns out that nothing was lost: every retransmission was reported as a duplicate (D-SACK, RFC 3708), or the ACK echoes a
 * timestamp from before the first of them (Eifel, RFC 3522 §3.2), or F-RTO saw an original arrive (RFC 5682). What is restored, and how, is RFC 4015 as Linux has it: cwnd and
 * ssthresh are what they were, and the congestion control is told.
 */

/** A recovery begins at SND.UNA; what of retransmissions is out already counts, for its D-SACKs will come. */
export function beginUndo(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  const bits = cold[k + Cold.RECOVERY_BITS];
  cold[k + Cold.UNDO_MARKER] = tcp.hot[c + Tcb.SND_UNA];
  const probe =
    (bits & (RecoveryBit.PROBE | RecoveryBit.PROBE_RETRANS)) === (RecoveryBit.PROBE | RecoveryBit.PROBE_RETRANS);
  const out = cold[k + Cold.RETRANS_OUT] + (probe ? 1 : 0);
  // Zero means that all of them were needless. Nothing sent yet is not that.
  cold[k + Cold.UNDO_RETRANS] = out === 0 ? -1 : out;
  cold[k + Cold.RECOVERY_BITS] = bits | RecoveryBit.UNDO;
}

/** The ACK at hand answers something sent before the first retransmission; or there was none. A state that is only held says nothing any more. */
function originalAnswered(tcp: TcpContext, k: number): boolean {
  const { seg, cold, ack } = tcp;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.STAMPED) === 0) return seqLt(ack.priorUna, cold[k + Cold.HIGH_SEQ]);
  return echoBefore(tcp, k, cold[k + Cold.RETRANS_STAMP], seg.hasTimestamps);
}

/** Whether the timestamp echoed is older than the clock was at `atMs`. */
export function echoBefore(tcp: TcpContext, k: number, atMs: number, hasTimestamps: boolean): boolean {
  const { seg, cold } = tcp;
  if (!hasTimestamps || seg.TSecr === 0) return false;
  return seqLt((seg.TSecr - cold[k + Cold.TS_OFFSET]) | 0, atMs);
}

function mayUndo(tcp: TcpContext, k: number): boolean {
  const { cold } = tcp;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) === 0) return false;
  return cold[k + Cold.UNDO_RETRANS] === 0 || originalAnswered(tcp, k);
}

function undoReduction(tcp: TcpContext, c: number, k: number, unmark: boolean): void {
  const { hot, cold, clock } = tcp;
  if (unmark) unmarkLost(tcp, k);
  if (cold[k + Cold.PRIOR_SSTHRESH] === 0) {
    // There was a mark as well, so the reduction stands. Its episode is over all the same (RFC 9937 §6.4).
    endReduction(tcp, c, k);
  } else {
    dropReduction(cold, k);
    if (hot[c + Tcb.CWND] < cold[k + Cold.PRIOR_CWND]) setCwnd(tcp, c, cold[k + Cold.PRIOR_CWND]);
    if (cold[k + Cold.PRIOR_SSTHRESH] > hot[c + Tcb.SSTHRESH]) {
      hot[c + Tcb.SSTHRESH] = cold[k + Cold.PRIOR_SSTHRESH];
      // What was not yet told of need not be.
      hot[c + Tcb.STATE] &= ~Flag.ECN_REDUCED;
    }
    const control = congestionOf(tcp, k);
    if (control.onUndo !== undefined) control.onUndo(tcp, c, k);
  }
  tcp.net.stats.tcpUndos += 1;
  cold[k + Cold.CWND_STAMP] = clock.ms;
  // RACK looks at what is outstanding again.
  cold[k + Cold.RECOVERY_BITS] = (cold[k + Cold.RECOVERY_BITS] & ~RecoveryBit.UNDO) | RecoveryBit.RACK_ADVANCED;
}

/**
 * Without SACK, the state is held until something above its end is acknowledged (RFC 6582 §3.2 step 2): duplicates of just its end may be echoes of
 * needless retransmissions.
 */
function heldWithoutSack(tcp: TcpContext, c: number, k: number): boolean {
  if (usesSack(tcp, c) || tcp.hot[c + Tcb.SND_UNA] !== tcp.cold[k + Cold.HIGH_SEQ]) return false;
  forgetStamp(tcp, k);
  return true;
}

/** All of the episode is acknowledged. True while the state is held nevertheless. */
export function tryUndoRecovery(tcp: TcpContext, c: number, k: number): boolean {
  const { cold } = tcp;
  if (mayUndo(tcp, k)) undoReduction(tcp, c, k, false);
  else if (cold[k + Cold.RACK_PERSIST] > 0) cold[k + Cold.RACK_PERSIST] -= 1;
  if (heldWithoutSack(tcp, c, k)) return true;
  open(tcp, c, k);
  return false;
}

function open(tcp: TcpContext, c: number, k: number): void {
  timeoutRecovered(tcp, c, k);
  tcp.cold[k + Cold.CA_STATE] = CaState.OPEN;
  tcp.cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.RENEGED;
}

/** Every retransmission was reported as a duplicate. */
export function tryUndoDsack(tcp: TcpContext, c: number, k: number): boolean {
  const { cold } = tcp;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) === 0 || cold[k + Cold.UNDO_RETRANS] !== 0) return false;
  rackUndone(tcp, k);
  undoReduction(tcp, c, k, false);
  return true;
}

/** In Loss. True when it was for nothing. */
export function tryUndoLoss(tcp: TcpContext, c: number, k: number, byFrto: boolean): boolean {
  if (!byFrto && !mayUndo(tcp, k)) return false;
  undoReduction(tcp, c, k, true);
  if (byFrto) tcp.net.stats.tcpSpuriousTimeouts += 1;
  tcp.cold[k + Cold.RETRANSMITS] = 0;
  if (heldWithoutSack(tcp, c, k)) return true;
  if (byFrto || usesSack(tcp, c)) open(tcp, c, k);
  return true;
}

/** What a partial acknowledgment shows. */
export const enum Partial {
  /** The hole was filled by what was sent again. */
  REPAIRED = 0,
  /** By the original, and retransmissions are still out: nothing more is marked until they are in. */
  WAIT = 1,
  /** By the original: undone. */
  UNDONE = 2,
}

export function tryUndoPartial(tcp: TcpContext, c: number, k: number): Partial {
  const { cold, ack } = tcp;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) === 0 || !originalAnswered(tcp, k)) return Partial.REPAIRED;
  noteReordering(tcp, c, k, ack.priorUna);
  if (cold[k + Cold.RETRANS_OUT] > 0) return Partial.WAIT;
  forgetStamp(tcp, k);
  undoReduction(tcp, c, k, true);
  keepOpen(tcp, c, k);
  return Partial.UNDONE;
}

/** Open, or Disorder while something is SACKed, lost or sent again. */
export function keepOpen(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  const disorder = cold[k + Cold.SACKED_OUT] + cold[k + Cold.LOST_OUT] > 0 || anyRetransmitted(tcp, k);
  const state = disorder ? CaState.DISORDER : CaState.OPEN;
  if (cold[k + Cold.CA_STATE] === state) return;
  timeoutRecovered(tcp, c, k);
  cold[k + Cold.CA_STATE] = state;
  cold[k + Cold.HIGH_SEQ] = tcp.hot[c + Tcb.SND_NXT];
}
