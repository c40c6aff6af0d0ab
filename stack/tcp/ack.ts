import { seqDiff, seqGt, seqLeq, seqLt } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Event } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { AckFlag } from './ack-sample.js';
import { Behaviour } from './behaviour.js';
import { challenge, sendAtOnce } from './challenge-ack.js';
import { enterTimeWait, finish, mark, tell } from './connection.js';
import type { TcpContext } from './context.js';
import { echoArrived, noteArrival, takeCwr } from './ecn-echo.js';
import { isExpectedText } from './expected.js';
import { orphanEntersFinWait2 } from './fin-wait-2.js';
import { recover, recoverByOld } from './loss-recovery.js';
import { sendShift, syncMss } from './options.js';
import { updateRecent } from './paws.js';
import { answeredWhileProbing } from './probe.js';
import { readBlocks } from './sack-blocks.js';
import { highestSack, RecoveryBit, usesSack } from './scoreboard.js';
import { liftHold } from './send-marks.js';
import { offerRoom } from './send-room.js';
import { State } from './state.js';
import { Busy, countAcknowledged, nowBusy } from './tally.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';
import { Timer, timerRuns } from './timers.js';
import { tuneSendBuffer } from './window.js';

/** Segment path. Fifth check of RFC 9293 §3.10.7.4 in a synchronized state: SEG.ACK and SEG.WND. */

/** OK: go on with the segment. Anything else: it is dropped, and whatever answer it needs is arranged. */
export function processAck(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  if (seqGt(seg.ACK, hot[c + Tcb.SND_NXT])) {
    // It acknowledges what was never sent: §3.10.7.4 and RFC 5961 §5.2 have an ACK sent, within the limits on
    // challenge ACKs. Deviation: in ESTABLISHED Linux 6.12 is silent.
    const silent = (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.ESTABLISHED;
    if (!silent || (tcp.behaviour & Behaviour.ACK_UNSENT) !== 0) challenge(tcp, c, k);
    return Verdict.TCP_ACK_UNSENT;
  }
  if (seqLt(seg.ACK, una) && seqLt(seg.ACK, (una - oldestAckBelieved(tcp, c, k)) | 0)) {
    // RFC 5961 §5.2: older than any ACK the peer can have sent in this window's lifetime, or of bytes from before the connection.
    challenge(tcp, c, k);
    return Verdict.TCP_ACK_TOO_OLD;
  }
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.LAST_ACK_RECEIVED] = tcp.clock.ms;
  if (endsAll(tcp, c)) {
    tcp.net.confirmReachable(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address);
    finish(tcp, c);
    return Verdict.OK;
  }
  if (una === hot[c + Tcb.SND_NXT] && seg.ACK === una && saysOnlyWindow(tcp, c, k)) {
    tcp.ack.priorUna = una;
    peerAnswers(tcp, c, k);
    return Verdict.OK;
  }
  noteArrival(tcp, c, k);
  beginSample(tcp, c, k);
  const sacks = (tcp.options.present & TcpOptionBit.SACK) !== 0 && usesSack(tcp, c);
  if (seqLt(seg.ACK, una)) {
    // It was overtaken. Its blocks may still tell of something; its window is an old one.
    if ((tcp.behaviour & Behaviour.RECENT_DESPITE_OLD_ACK) !== 0) updateRecent(tcp, c, k);
    if (!sacks) return Verdict.OK;
    readBlocks(tcp, c, k);
    recoverByOld(tcp, c, k);
    if ((tcp.ack.flags & AckFlag.DATA_SACKED) !== 0) mark(tcp, c);
    return Verdict.OK;
  }
  const advances = seg.ACK !== una;
  if (echoArrived(tcp, c, k)) tcp.ack.flags |= AckFlag.ECE;
  peerAnswers(tcp, c, k);
  if (advances) moveUna(tcp, c, k);
  if (sacks) readBlocks(tcp, c, k);
  recover(tcp, c, k);
  // What is in flight may have become less, which lets out more.
  if ((tcp.ack.flags & AckFlag.DATA_SACKED) !== 0 || cold[k + Cold.SACKED_OUT] > 0) mark(tcp, c);
  takeCwr(tcp, c, k);
  if (advances) onProgress(tcp, c, k);
  // Deviation: as Linux text that is expected, with an ACK that brings nothing new, lets go nothing.
  if ((hot[c + Tcb.STATE] & Flag.CORK) !== 0 && (advances || !isExpectedText(tcp, c, k))) liftHold(tcp, c, k);
  return Verdict.OK;
}

/**
 * The acknowledgment of our FIN in LAST-ACK, and the program has let go: the connection ends here (§3.10.7.4), and
 * nobody is left to ask what this ACK says of the path, the window or losses.
 */
function endsAll(tcp: TcpContext, c: number): boolean {
  const word = tcp.hot[c + Tcb.STATE];
  return (word & (Flag.STATE_MASK | Flag.ORPHAN)) === (State.LAST_ACK | Flag.ORPHAN) && finIsAcked(tcp, c);
}

/**
 * With nothing outstanding an ACK acknowledges nothing and marks nothing as lost: so it is with all that a receiver
 * gets. Unless there is ECN, a D-SACK or a probe to hear of, or
 * something that an ACK lets go (`liftHold`), what is left is the window.
 */
function saysOnlyWindow(tcp: TcpContext, c: number, k: number): boolean {
  return (
    (tcp.options.present & TcpOptionBit.SACK) === 0 &&
    (tcp.hot[c + Tcb.STATE] & (Flag.ECN | Flag.CORK)) === 0 &&
    (tcp.cold[k + Cold.RECOVERY_BITS] & RecoveryBit.PROBE) === 0
  );
}

/** The window; the peer lives, and whatever ICMP had to say is past. */
function peerAnswers(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  updateSendWindow(tcp, c, k);
  cold[k + Cold.PROBES_OUT] = 0;
  cold[k + Cold.SOFT_ERROR] = 0;
  if (hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT] && timerRuns(tcp, k, Timer.PERSIST))
    answeredWhileProbing(tcp, c, k);
}

/**
 * How far behind SND.UNA an ACK may be: the largest window offered, and no more than was ever acknowledged (as Linux),
 * where that is counted. Our FIN takes a sequence number and counts as text does, and so does the SYN of an active OPEN.
 */
function oldestAckBelieved(tcp: TcpContext, c: number, k: number): number {
  const most = tcp.cold[k + Cold.MAX_SND_WND];
  if (!tcp.tallies) return most;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  // Beyond 2^32 bytes the distance from ISS has wrapped. No window is larger than 2^30, so they are more than `most`.
  if (tcp.tally[at + Tally.BYTES_ACKED + 1] !== 0) return most;
  const passive = (tcp.hot[c + Tcb.STATE] & Flag.PASSIVE) !== 0 ? 1 : 0;
  const acked = (tcp.hot[c + Tcb.SND_UNA] - tcp.tally[at + Tally.ISS] - passive) >>> 0;
  return acked > most ? most : acked;
}

/** What is known before the acknowledgment is looked at. */
function beginSample(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg, ack } = tcp;
  ack.flags = seg.LEN > 0 ? AckFlag.DATA : 0;
  ack.priorUna = hot[c + Tcb.SND_UNA];
  ack.priorPackets = cold[k + Cold.PACKETS_OUT];
  ack.priorSackedOut = cold[k + Cold.SACKED_OUT];
  ack.priorHighestSack = highestSack(tcp, c, k);
  ack.priorDelivered = cold[k + Cold.DELIVERED];
  ack.lost = 0;
  ack.sackTimed = false;
  ack.rated = false;
  ack.bytes = 0;
}

/** SND.UNA < SEG.ACK =< SND.NXT: SND.UNA moves, and the bytes it passes are given back. */
function moveUna(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const acked = seqDiff(seg.ACK, hot[c + Tcb.SND_UNA]);
  const bytesAcked = acked - (finIsAcked(tcp, c) ? 1 : 0);
  if (bytesAcked > 0) hot[c + Tcb.SND_QUEUE] = tcp.arena.drop(hot[c + Tcb.SND_QUEUE], bytesAcked);
  hot[c + Tcb.SND_UNA] = seg.ACK;
  countAcknowledged(tcp, c, bytesAcked);
  tcp.ack.flags |= AckFlag.SND_UNA_ADVANCED;
  // Progress: the count and the user timeout start anew.
  cold[k + Cold.RETRANSMITS] = 0;
  cold[k + Cold.TROUBLE_SINCE] = 0;
  if ((hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0 && seqLeq(cold[k + Cold.SND_UP], seg.ACK)) {
    hot[c + Tcb.STATE] &= ~Flag.SND_URGENT;
  }
}

function finIsAcked(tcp: TcpContext, c: number): boolean {
  return (tcp.hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0 && tcp.seg.ACK === tcp.hot[c + Tcb.SND_NXT];
}

/** After loss recovery and congestion control have had their say: room for the program, and for output. */
function onProgress(tcp: TcpContext, c: number, k: number): void {
  const { hot } = tcp;
  if (hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT] && hot[c + Tcb.SND_QUEUE] === 0) nowBusy(tcp, c, k, Busy.NO);
  tuneSendBuffer(tcp, c, k);
  offerRoom(tcp, c, k);
  mark(tcp, c);
  if (finIsAcked(tcp, c)) finAcknowledged(tcp, c, k);
}

/** FIN-WAIT-1, CLOSING, LAST-ACK: our FIN is acknowledged. */
function finAcknowledged(tcp: TcpContext, c: number, k: number): void {
  switch (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.FIN_WAIT_1:
      tcp.table.setState(c, State.FIN_WAIT_2);
      if ((tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) orphanEntersFinWait2(tcp, c, k);
      else tell(tcp, c, Event.SENT);
      break;
    case State.CLOSING:
      // The row ends here, and cannot be flushed later.
      if ((tcp.hot[c + Tcb.STATE] & Flag.ACK_NOW) !== 0) sendAtOnce(tcp, c, k, Cause.ACK_NOW);
      tell(tcp, c, Event.SENT);
      enterTimeWait(tcp, c);
      break;
    case State.LAST_ACK:
      tell(tcp, c, Event.SENT);
      finish(tcp, c);
      break;
  }
}

/**
 * SND.WND from this segment, if it is not older than the one it was last taken from: SND.WL1 < SEG.SEQ, or equal and
 * SND.WL2 =< SEG.ACK. Deviation: where both are equal only a larger window is taken, or none at all (as Linux, and all but none BSD): of
 * two such segments nobody can tell which was sent first, and a peer should not shrink its window (RFC 9293 §3.8.6).
 */
function updateSendWindow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const wl1 = cold[k + Cold.SND_WL1];
  if (!(seqLt(wl1, seg.SEQ) || (wl1 === seg.SEQ && seqLeq(cold[k + Cold.SND_WL2], seg.ACK)))) return;
  const shift =
    (hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 && (seg.flags & TcpFlag.SYN) === 0 ? sendShift(tcp, c) : 0;
  const window = seg.WND << shift;
  const before = hot[c + Tcb.SND_WND];
  if (window <= before && window !== 0 && wl1 === seg.SEQ && seqLeq(seg.ACK, tcp.ack.priorUna)) return;
  // More than a duplicate ACK (RFC 5681 §2 (e)).
  tcp.ack.flags |= AckFlag.WINDOW_UPDATE;
  cold[k + Cold.SND_WL1] = seg.SEQ;
  cold[k + Cold.SND_WL2] = seg.ACK;
  hot[c + Tcb.SND_WND] = window;
  if (window > cold[k + Cold.MAX_SND_WND]) {
    cold[k + Cold.MAX_SND_WND] = window;
    syncMss(tcp, c, k);
  }
  if (window !== before) mark(tcp, c);
}
