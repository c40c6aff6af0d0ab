import { seqGt, seqLeq, seqLt, seqMin } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { isAccurate, noteDuplicate, reflectSynAck } from './acc-ecn.js';
import { processAck } from './ack.js';
import { refuseSegment } from './bare-segment.js';
import { Behaviour } from './behaviour.js';
import { answeredLately, challenge, sendAtOnce } from './challenge-ack.js';
import { fail, mark, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { hurryAck, quicken } from './delayed-ack.js';
import { takeChildsThirdAck, takeCrossedAnswer, takeCrossedThirdAck, takeSynAgain } from './ecn.js';
import { ConnectionError } from './errors.js';
import { FastOpen, isChild, settleChild } from './fast-open.js';
import { repeatSynText } from './fast-open-client.js';
import { completeChild } from './fast-open-server.js';
import { finWait2OrphanArrives } from './fin-wait-2.js';
import { settle } from './memory.js';
import { leastTtl, sendShift, syncMss } from './options.js';
import { outputRecovery } from './output.js';
import { sendOwnReset } from './own-reset.js';
import { olderThanRecent, updateRecent } from './paws.js';
import { noteBeyond, takeData } from './receive.js';
import { Rexmit } from './retransmit.js';
import { endMeasurement, rtoMs } from './rtt.js';
import { highestTold, reportDuplicate } from './sack.js';
import { State } from './state.js';
import { establish } from './syn-received.js';
import { passSyn, sendOwnSyn, synSentArrives } from './syn-sent.js';
import { Cold, Custom, Flag, Tally, Tcb } from './tcb.js';
import { startTimer, Timer } from './timers.js';
import { processUrgent } from './urgent.js';
import { largestEdge } from './window.js';

/**
 * Segment path. SEGMENT ARRIVES, RFC 9293 §3.10.7.4, for a connection with a full row: eight checks in the RFC's order, a function
 * for each. A check returns OK to go on, or the verdict on a segment that goes no further.
 */
export function segmentArrives(tcp: TcpContext, c: number): Verdict {
  const verdict = checksInOrder(tcp, c);
  settle(tcp, c);
  return verdict;
}

function checksInOrder(tcp: TcpContext, c: number): Verdict {
  const { hot, seg } = tcp;
  const k = wake(tcp, c);
  if (k === 0) return Verdict.TCP_MEMORY;
  if ((hot[c + Tcb.STATE] & Flag.CUSTOM) !== 0 && seg.ttl < leastTtl(tcp.cold[k + Cold.CUSTOM]))
    return Verdict.TCP_TTL_TOO_LOW;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.SEGS_IN] += 1;
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_SENT) {
    const verdict = synSentArrives(tcp, c, k);
    if (verdict !== Verdict.OK || (hot[c + Tcb.STATE] & Flag.STATE_MASK) < State.ESTABLISHED) return verdict;
    // Text and FIN may come with the SYN; they begin one after it. Deviation: as Linux they are left to come again, unless the profile takes them.
    if (!tcp.limits.synAckText && !synAckTextCounts(tcp, c, k)) return Verdict.OK;
    seg.SEQ = (seg.SEQ + 1) | 0;
    seg.LEN -= 1;
    seg.flags &= ~TcpFlag.SYN;
    return takeContents(tcp, c, k);
  }

  const lone = hot[c + Tcb.STATE] & (Flag.STATE_MASK | Flag.ORPHAN);
  if (lone === (State.FIN_WAIT_2 | Flag.ORPHAN)) return finWait2OrphanArrives(tcp, c, k);
  let synAck = false;
  if ((lone & Flag.STATE_MASK) === State.SYN_RECEIVED) {
    if (isSynAgain(tcp, c)) {
      if (!takeSynAgain(tcp, c, k)) return refuseMixed(tcp, c);
      if (isChild(tcp, c)) {
        repeatChildsSynAck(tcp, c, k);
        return Verdict.TCP_DUPLICATE;
      }
    }
    synAck = uncrossSynAck(tcp, c, k);
  }
  // Neither ACK nor RST nor SYN: nobody sends that, and it is not answered (as Linux).
  if ((seg.flags & (TcpFlag.ACK | TcpFlag.RST | TcpFlag.SYN)) === 0) return Verdict.TCP_NO_ACK;
  let verdict = checkSequence(tcp, c, k);
  if (verdict !== Verdict.OK) return verdict;
  verdict = checkReset(tcp, c, k);
  if (verdict !== Verdict.OK) return verdict;
  // Third: security and compartment. RFC 9293 §3.10.7.4 keeps the place; nobody fills it.
  verdict = checkSyn(tcp, c, k);
  if (verdict !== Verdict.OK) return verdict;
  verdict = checkAck(tcp, c, k, synAck);
  if (verdict !== Verdict.OK) return verdict;
  // The last acknowledgment may have ended it.
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.CLOSED) return Verdict.OK;
  if (seg.LEN > 0 && tcp.cold[k + Cold.REXMIT] !== Rexmit.NONE) outputRecovery(tcp, c, k);
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  return takeContents(tcp, c, k);
}

/** Fast Open: a server that was asked may answer with data at once (RFC 7413 §4.2.2), unless what our SYN brought was not taken. */
function synAckTextCounts(tcp: TcpContext, c: number, k: number): boolean {
  const asked = (tcp.cold[k + Cold.FAST_OPEN] & (FastOpen.ASKED | FastOpen.SYN_DATA)) !== 0;
  return asked && tcp.hot[c + Tcb.SND_UNA] === tcp.hot[c + Tcb.SND_NXT];
}

/** The SYN that began the connection has come once more: our SYN-ACK was lost. */
function isSynAgain(tcp: TcpContext, c: number): boolean {
  const { seg } = tcp;
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.SYN) return false;
  return seqLt(seg.SEQ, tcp.hot[c + Tcb.RCV_NXT]);
}

function repeatChildsSynAck(tcp: TcpContext, c: number, k: number): void {
  const { cold, limits } = tcp;
  if (((tcp.clock.ms - cold[k + Cold.CHALLENGED_AT]) | 0) < limits.challengeAckIntervalMs) return;
  cold[k + Cold.CHALLENGED_AT] = tcp.clock.ms;
  sendOwnSyn(tcp, c, k);
  tcp.net.stats.tcpRetransSegs += 1;
  startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
}

/**
 * Simultaneous open, RFC 9293 §3.5 figure 8 line 6: the peer's SYN again, now with an ACK of ours. By its sequence number it is old
 * (the first check would answer it with an ACK, and so would the other end); what counts is the ACK, so the SYN is taken off. As Linux.
 */
function uncrossSynAck(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, seg } = tcp;
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== (TcpFlag.SYN | TcpFlag.ACK)) return false;
  if (((seg.SEQ + 1) | 0) !== hot[c + Tcb.RCV_NXT] || seg.ACK !== hot[c + Tcb.SND_NXT]) return false;
  takeCrossedAnswer(tcp, c, k);
  // The bits of ECN are a SYN-ACK's, too.
  seg.flags &= ~(TcpFlag.SYN | TcpFlag.AE | TcpFlag.CWR | TcpFlag.ECE);
  seg.SEQ = (seg.SEQ + 1) | 0;
  seg.LEN -= 1;
  // The window of a SYN is not scaled, and that of the bare ACK it has become will be.
  if ((hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0) seg.WND >>>= sendShift(tcp, c);
  return true;
}

/** RFC 9768 §3.1.5: a SYN of RFC 3168 and one that asks for AccECN in one handshake. */
function refuseMixed(tcp: TcpContext, c: number): Verdict {
  sendOwnReset(tcp, c, Cause.RST_ECN_MIXED);
  reset(tcp, c);
  return Verdict.TCP_SYN_IN_WINDOW;
}

/** Sixth to eighth check: URG, text, FIN, as far as the state has ears for them. */
function takeContents(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, seg } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  switch (state) {
    case State.FIN_WAIT_1:
    case State.FIN_WAIT_2:
      if (bringsText(tcp, c) && nobodyReads(tcp, c, k)) return refuseText(tcp, c);
      break;
    case State.CLOSE_WAIT:
    case State.CLOSING:
    case State.LAST_ACK:
      // The peer has ended its stream: what comes beyond the end is nobody's, and has no answer of its own (as Linux). What reaches beyond it from before contradicts the FIN.
      if (seg.LEN === 0 || !seqLt(seg.SEQ, hot[c + Tcb.RCV_NXT])) return takeNothing(tcp, c, k);
      if (bringsText(tcp, c)) return refuseText(tcp, c);
      break;
  }
  processUrgent(tcp, c, k);
  return seg.LEN === 0 ? takeNothing(tcp, c, k) : takeData(tcp, c, k);
}
function takeNothing(tcp: TcpContext, c: number, k: number): Verdict {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ACK_PENDING) !== 0) hurryAck(tcp, c, k);
  return Verdict.OK;
}

/** Text that is new, or a FIN behind text that is. */
function bringsText(tcp: TcpContext, c: number): boolean {
  const { seg } = tcp;
  return seg.LEN > 0 && seqGt((seg.SEQ + seg.textLength) | 0, tcp.hot[c + Tcb.RCV_NXT]);
}

/** Both halves are closed here: the program is gone, or has said that it will not read. */
function nobodyReads(tcp: TcpContext, c: number, k: number): boolean {
  const word = tcp.hot[c + Tcb.STATE];
  if ((word & Flag.ORPHAN) !== 0) return true;
  return (word & Flag.CUSTOM) !== 0 && (tcp.cold[k + Cold.CUSTOM] & Custom.RECEIVE_SHUT) !== 0;
}

/** RFC 9293 §3.6.1, SHLD-3: data for a program that has closed is lost, and the peer should know. */
function refuseText(tcp: TcpContext, c: number): Verdict {
  tcp.net.stats.tcpAbortOnData += 1;
  refuseSegment(tcp, Cause.RST_DATA_AFTER_CLOSE, tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK);
  fail(tcp, c, errorOfReset(tcp, c));
  return Verdict.TCP_AFTER_CLOSE;
}

/** First check: the sequence number, with PAWS in front of it (RFC 7323 §5.3). What passes touches the window. */
function checkSequence(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg } = tcp;
  const rst = (seg.flags & TcpFlag.RST) !== 0;
  const syn = (seg.flags & TcpFlag.SYN) !== 0;
  if (!rst && olderThanRecent(tcp, c, k)) {
    if (!syn && isOldPureAck(tcp, c)) {
      tcp.net.stats.tcpPawsOldAcks += 1;
      return Verdict.TCP_PAWS;
    }
    tcp.net.stats.tcpPawsRejected += 1;
    if (syn) challenge(tcp, c, k);
    else answerUnacceptable(tcp, c, k);
    return Verdict.TCP_PAWS;
  }
  const nxt = hot[c + Tcb.RCV_NXT];
  const end = (seg.SEQ + seg.LEN) | 0;
  // Deviation: the four cases of §3.4, table 6, as Linux has them: from the last acknowledgment sent up to the window's edge, both included. A segment at the edge brings
  // no text that could be taken, but its ACK counts (MUST-66), and so does a FIN that was cut off by a window of zero.
  if (!seqLt(end, cold[k + Cold.LAST_ACK_SENT])) {
    const edge = (nxt + hot[c + Tcb.RCV_WND]) | 0;
    if (!seqGt(end, edge)) return Verdict.OK;
    const largest = largestEdge(tcp, k, edge);
    if (!seqGt(end, largest)) return Verdict.OK;
    if (!seqGt(seg.SEQ, largest) && !isRefusedBeyond(tcp, c, (end - largest) | 0)) return Verdict.OK;
    if (!rst && !syn) noteBeyond(tcp);
  }
  if (rst) return resetsAfterFin(tcp, c) ? reset(tcp, c) : Verdict.TCP_SEQUENCE;
  if (syn) {
    noteSyn(tcp, c, k);
    challenge(tcp, c, k);
    return Verdict.TCP_SYN_IN_WINDOW;
  }
  answerUnacceptable(tcp, c, k);
  return seg.LEN > 0 && seqLeq(end, nxt) ? Verdict.TCP_DUPLICATE : Verdict.TCP_SEQUENCE;
}

/**
 * A segment begins in the window and ends `beyond` bytes behind it. Since 6.17 Linux takes it only if nothing waits for
 * the program: then the buffer has room for it. A FIN alone may lie beyond, because some peers do not count it.
 * Not in RFC 9293, which would have it cut to the window.
 */
function isRefusedBeyond(tcp: TcpContext, c: number, beyond: number): boolean {
  if ((tcp.behaviour & Behaviour.REFUSE_BEYOND) === 0 || tcp.hot[c + Tcb.RCV_QUEUE] === 0) return false;
  if (beyond === 1 && (tcp.seg.flags & TcpFlag.FIN) !== 0) return false;
  // Deviation from Linux: with the window shut its text is dropped later, so that ACK and URG count (MUST-66).
  return tcp.hot[c + Tcb.RCV_WND] !== 0;
}

/** An ACK that others have overtaken: a new one would tell its sender nothing, so that Linux 6.18 does not answer it. */
function isOldPureAck(tcp: TcpContext, c: number): boolean {
  const { seg } = tcp;
  if ((tcp.behaviour & Behaviour.IGNORE_OLD_ACK) === 0 || (seg.flags & TcpFlag.ACK) === 0) return false;
  return seg.LEN === 0 && seqLt(seg.SEQ, tcp.hot[c + Tcb.RCV_NXT]);
}

/**
 * <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK> to a segment that is not acceptable: at once for one with data, which a sender waits for; within a limit
 * for what carries none, lest two ends answer each other for ever (Linux: tcp_invalid_ratelimit).
 */
function answerUnacceptable(tcp: TcpContext, c: number, k: number): void {
  const { seg } = tcp;
  if (seg.LEN === 0 && answeredLately(tcp, k)) return;
  const nxt = tcp.hot[c + Tcb.RCV_NXT];
  if (seg.LEN > 0 && seqLt(seg.SEQ, nxt)) {
    quicken(tcp, c, k);
    noteDuplicate(tcp, c, k);
    reportDuplicate(tcp, c, k, seg.SEQ, seqMin((seg.SEQ + seg.LEN) | 0, nxt));
  }
  sendAtOnce(tcp, c, k, Cause.ACK_DUPLICATE);
}

/**
 * RFC 5961 §3.2: the very next sequence number. Deviation: as Linux also the end of the highest SACK block told, which is where a peer
 * that has lost segments in between stands.
 */
function resetsExactly(tcp: TcpContext, c: number, k: number): boolean {
  const seq = tcp.seg.SEQ;
  if (seq === tcp.hot[c + Tcb.RCV_NXT] || resetsAfterFin(tcp, c)) return true;
  return (tcp.hot[c + Tcb.STATE] & Flag.SACK) !== 0 && seq === highestTold(tcp, c, k);
}

/** The FIN took a sequence number; a peer that has closed and is gone may reset with the one before it (as Linux). */
function resetsAfterFin(tcp: TcpContext, c: number): boolean {
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state !== State.CLOSE_WAIT && state !== State.LAST_ACK && state !== State.CLOSING) return false;
  return tcp.seg.SEQ === ((tcp.hot[c + Tcb.RCV_NXT] - 1) | 0);
}

/**
 * Second check: the RST bit. Where it is not exact, but in the window, it is challenged.
 * Deviation: until Linux 6.18 any in the window ended a half-open connection, one by Fast Open included.
 */
function checkReset(tcp: TcpContext, c: number, k: number): Verdict {
  const { seg } = tcp;
  if ((seg.flags & TcpFlag.RST) === 0) return Verdict.OK;
  if (!resetsExactly(tcp, c, k) && (!isChild(tcp, c) || (tcp.behaviour & Behaviour.CHALLENGE_HALF_OPEN) !== 0)) {
    challenge(tcp, c, k);
    return Verdict.TCP_RST_CHALLENGED;
  }
  return reset(tcp, c);
}

/** The connection ends; how the program is told depends on what it knew already. */
function reset(tcp: TcpContext, c: number): Verdict {
  switch (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.SYN_RECEIVED:
      tcp.net.stats.tcpAttemptFails += 1;
      if (isChild(tcp, c)) {
        // Forged SYNs give themselves away by it, so it counts against the listener's limit for a while (RFC 7413 §5.1).
        settleChild(tcp, c, tcp.hot[c + Tcb.COLD], true);
        // The program may have it already, and has called nobody: to it this is a reset (as Linux).
        fail(tcp, c, ConnectionError.RESET);
      } else {
        // Came from an active OPEN: refused.
        fail(tcp, c, ConnectionError.REFUSED);
      }
      break;
    case State.CLOSING:
    case State.LAST_ACK:
      // Deviation: RFC 9293 has the connection end in silence here. As Linux and FreeBSD the program hears of it: bytes,
      // or at least its FIN, were not acknowledged.
      fail(tcp, c, ConnectionError.RESET);
      break;
    default:
      tcp.net.stats.tcpEstabResets += 1;
      fail(tcp, c, errorOfReset(tcp, c));
  }
  return Verdict.TCP_RESET;
}

/** As Linux: in CLOSE-WAIT the peer had said that it sends no more, so to the program this is a reader that has gone. */
function errorOfReset(tcp: TcpContext, c: number): ConnectionError {
  const waits = (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.CLOSE_WAIT;
  return waits && (tcp.behaviour & Behaviour.RESET_IS_PIPE) !== 0 ? ConnectionError.PIPE : ConnectionError.RESET;
}

/**
 * A SYN-ACK again: the ACK of it was lost, and what that had to say of AccECN is said again. After a handshake a SYN
 * says nothing of the kind (RFC 9768 §3.1.5).
 */
function noteSyn(tcp: TcpContext, c: number, k: number): void {
  const word = tcp.hot[c + Tcb.STATE];
  if ((word & (Flag.ECN | Flag.PASSIVE)) !== Flag.ECN || (tcp.seg.flags & TcpFlag.ACK) === 0) return;
  if (isAccurate(tcp, k)) reflectSynAck(tcp, k);
}

/** Fourth check: the SYN bit. RFC 5961 §4.2: in a synchronized state never a reset, always a challenge. */
function checkSyn(tcp: TcpContext, c: number, k: number): Verdict {
  if ((tcp.seg.flags & TcpFlag.SYN) === 0) return Verdict.OK;
  noteSyn(tcp, c, k);
  challenge(tcp, c, k);
  return Verdict.TCP_SYN_IN_WINDOW;
}

/** Fifth check: the ACK field. */
function checkAck(tcp: TcpContext, c: number, k: number, synAck: boolean): Verdict {
  const { hot, seg } = tcp;
  if ((seg.flags & TcpFlag.ACK) === 0) return Verdict.TCP_NO_ACK;
  // Only once it is known that the peer can have sent it (RFC 7323 §4.3).
  if (!seqLt(seg.ACK, hot[c + Tcb.SND_UNA]) && !seqGt(seg.ACK, hot[c + Tcb.SND_NXT])) updateRecent(tcp, c, k);
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) !== State.SYN_RECEIVED) return processAck(tcp, c, k);
  if (isChild(tcp, c)) {
    if (completeChild(tcp, c, k)) {
      takeChildsThirdAck(tcp, c, k);
      return processAck(tcp, c, k);
    }
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_RECEIVED);
    return Verdict.TCP_ACK_UNACCEPTABLE;
  }
  if (!(seqLt(hot[c + Tcb.SND_UNA], seg.ACK) && !seqGt(seg.ACK, hot[c + Tcb.SND_NXT]))) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_RECEIVED);
    return Verdict.TCP_ACK_UNACCEPTABLE;
  }
  if ((hot[c + Tcb.STATE] & (Flag.ECN | Flag.PASSIVE)) === Flag.ECN && !synAck) takeCrossedThirdAck(tcp, c, k);
  passSyn(tcp, c);
  endMeasurement(tcp, c, k);
  hot[c + Tcb.SND_WND] = seg.WND << ((hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 ? sendShift(tcp, c) : 0);
  tcp.cold[k + Cold.SND_WL1] = seg.SEQ;
  tcp.cold[k + Cold.SND_WL2] = seg.ACK;
  const widest = tcp.cold[k + Cold.MAX_SND_WND];
  tcp.cold[k + Cold.MAX_SND_WND] = hot[c + Tcb.SND_WND];
  // Neither window is so small that the MSS goes by it: then it is what it was.
  const wide = 2 * tcp.cold[k + Cold.PEER_MSS];
  if (widest < wide || hot[c + Tcb.SND_WND] < wide) syncMss(tcp, c, k);
  establish(tcp, c, k);
  if (hot[c + Tcb.SND_UNA] !== hot[c + Tcb.SND_NXT]) repeatSynText(tcp, c, k);
  mark(tcp, c);
  return Verdict.OK;
}
