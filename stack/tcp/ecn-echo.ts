import { Cause } from '../net/note.js';
import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { countArrival, isAccurate } from './acc-ecn.js';
import { accountedFor, marksReported } from './acc-ecn-feedback.js';
import { AckFlag } from './ack-sample.js';
import { sendAtOnce } from './challenge-ack.js';
import { AccEcn } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { ackNow } from './delayed-ack.js';
import { needsEcn } from './ecn.js';
import { usesSack } from './scoreboard.js';
import { countMarks } from './tally.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** Segment path. The receiver's part of ECN: marks become ECE on our ACKs, RFC 3168 §6.1.3, until the sender says CWR; and what the peer's ECE tells us. */

/** How many segments are acknowledged at once when a mark comes: the sender may be down to a single segment, and waits (Linux). */
const QUICK_ACKS = 2;

/** §6.1.3: text with a mark: ECE from now on. Called before RCV.NXT has moved. */
export function noteMark(tcp: TcpContext, c: number, k: number): void {
  const { hot, seg } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.ECN) === 0) return;
  const field = seg.tos & Ecn.MASK;
  if (isAccurate(tcp, k)) {
    if (needsEcn(tcp, k) && field !== Ecn.NOT_ECT) echoExactly(tcp, c, k, field === Ecn.CE);
    else if ((tcp.cold[k + Cold.ACC_ECN] & AccEcn.ACK_TEXT) !== 0) ackNow(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  if (field === Ecn.NOT_ECT) {
    // Other data of this peer was ECN-capable, so this is probably a retransmission: it wants to hear soon (Linux).
    if ((hot[c + Tcb.STATE] & Flag.ECN_SEEN) !== 0) quickenABit(tcp, c, k);
    return;
  }
  if (needsEcn(tcp, k)) echoExactly(tcp, c, k, field === Ecn.CE);
  else if (field === Ecn.CE && (hot[c + Tcb.STATE] & Flag.ECN_ECHO) === 0) {
    quickenABit(tcp, c, k);
    hot[c + Tcb.STATE] |= Flag.ECN_ECHO;
  }
  hot[c + Tcb.STATE] |= Flag.ECN_SEEN;
}

function quickenABit(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  if (cold[k + Cold.QUICK_ACKS] < QUICK_ACKS) cold[k + Cold.QUICK_ACKS] = QUICK_ACKS;
  tcp.hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
  cold[k + Cold.ATO_MS] = tcp.limits.delayedAckMinMs;
}

/**
 * RFC 8257 §3.2, for a control that counts marks: ECE on an ACK says that the bytes it covers were marked. When the field changes, what waits for an ACK
 * is acknowledged with the state before, and the segment at hand at once.
 */
function echoExactly(tcp: TcpContext, c: number, k: number, marked: boolean): void {
  const { hot, cold } = tcp;
  const changed = (cold[k + Cold.CE_STATE] !== 0) !== marked;
  // A CWR may have ended the echo: the state is its own variable, and the flag what an ACK of it says.
  if (changed && (hot[c + Tcb.STATE] & Flag.ACK_PENDING) !== 0) {
    setEcho(tcp, c, !marked);
    sendAtOnce(tcp, c, k, Cause.ACK_NOW);
  }
  setEcho(tcp, c, marked);
  cold[k + Cold.CE_STATE] = marked ? 1 : 0;
  if (changed) ackNow(tcp, c, k, Cause.ACK_NOW);
}

function setEcho(tcp: TcpContext, c: number, on: boolean): void {
  if (on) tcp.hot[c + Tcb.STATE] |= Flag.ECN_ECHO;
  else tcp.hot[c + Tcb.STATE] &= ~Flag.ECN_ECHO;
}

/**
 * CWR: the sender has given way, and the echo ends. As Linux also on a segment without data, which RFC 3168 has not but some send: else the echo
 * would never end. With data it is acknowledged at once: the sender's window may be a single segment.
 */
export function takeCwr(tcp: TcpContext, c: number, k: number): void {
  const { hot, seg } = tcp;
  if ((seg.flags & TcpFlag.CWR) === 0 || (hot[c + Tcb.STATE] & Flag.ECN) === 0 || isAccurate(tcp, k)) return;
  hot[c + Tcb.STATE] &= ~Flag.ECN_ECHO;
  if (seg.LEN > 0) ackNow(tcp, c, k, Cause.ACK_NOW);
}

/** The ACK at hand has ECE, and it means that a segment of ours was marked. */
export function echoArrived(tcp: TcpContext, c: number, k: number): boolean {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0) return false;
  return (tcp.seg.flags & (TcpFlag.ECE | TcpFlag.SYN)) === TcpFlag.ECE && !isAccurate(tcp, k);
}

/**
 * How many of our packets the ACK at hand newly reports as marked. ECE of RFC 3168 tells no more than that something was, so all that was delivered counts (RFC 8257
 * §3.3, Linux alike). A count of AccECN's is not read from an ACK that may have been overtaken: one that neither delivers anything nor is newer by its timestamp.
 */
export function readMarks(tcp: TcpContext, c: number, k: number): void {
  const { cold, seg, ack } = tcp;
  ack.marks = 0;
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0) return;
  const packets = (cold[k + Cold.DELIVERED] - ack.priorDelivered) | 0;
  if (!isAccurate(tcp, k)) {
    if ((ack.flags & AckFlag.ECE) !== 0) ack.marks = packets;
    return;
  }
  if ((ack.flags & AckFlag.FORWARD_PROGRESS) === 0 && !seg.newer) return;
  ack.marks = marksReported(tcp, c, k, packets, ack.bytes, accountedFor(tcp, c, k));
  if (ack.marks > 0) ack.flags |= AckFlag.ECE;
}

/** All is known that the ACK at hand has delivered: with ECE it counts as marked. AccECN has its own count. */
export function countMarked(tcp: TcpContext, c: number, k: number): void {
  const { ack } = tcp;
  if ((ack.flags & AckFlag.ECE) === 0 || isAccurate(tcp, k) || (tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0) return;
  countMarks(tcp, c, k, ack.delivered);
}

/** A segment is acceptable (RFC 9293 §3.10.7.4, RFC 5961): AccECN's counters take it in, pure ACKs too. */
export function noteArrival(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0 || !isAccurate(tcp, k)) return;
  const { cold, seg } = tcp;
  countArrival(tcp, c, k, seg.textLength);
  if (seg.textLength > 0) cold[k + Cold.ACC_ECN] &= ~AccEcn.MARKS_ONLY;
  if ((seg.tos & Ecn.MASK) === Ecn.CE && cold[k + Cold.R_CE_PENDING] >= MARKS_WITH_DATA) ackMarks(tcp, c, k);
}

/**
 * RFC 9768 §3.2.2.5.1: so many marks since the last ACK make one due: while data waits for an ACK, and while none does.
 */
const MARKS_WITH_DATA = 2;
const MARKS_WITHOUT_DATA = 3;
/** More, and the peer could not tell how often the three bits of ACE went round. */
const MARKS_MAX = 7;

/**
 * An ACK for marks, of ACKs too: with the next flush. What comes in one turn is one event to the RFC and has one ACK at
 * its end, but no more than seven marks wait for it. An ACK of ACKs has no SACK blocks: by that a peer knows it from a
 * duplicate.
 */
function ackMarks(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const pending = cold[k + Cold.R_CE_PENDING];
  const dataWaits = seg.textLength > 0 || hot[c + Tcb.RCV_NXT] !== cold[k + Cold.LAST_ACK_SENT];
  if (!dataWaits && pending < MARKS_WITHOUT_DATA) return;
  if (!dataWaits && (hot[c + Tcb.STATE] & Flag.ACK_PENDING) === 0) cold[k + Cold.ACC_ECN] |= AccEcn.MARKS_ONLY;
  if (pending >= MARKS_MAX) sendAtOnce(tcp, c, k, Cause.ACK_NOW);
  else ackNow(tcp, c, k, Cause.ACK_NOW);
}

/**
 * ACKs of ours are ECN-capable, so the peer may acknowledge marked ones, which is no sign of loss: where SACK is in use
 * such an ACK has no blocks, and where it is not, it reports marks (RFC 9768 §3.2.2.5.1).
 */
export function acknowledgesAcks(tcp: TcpContext, c: number, k: number): boolean {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0 || !isAccurate(tcp, k)) return false;
  return usesSack(tcp, c) ? (tcp.options.present & TcpOptionBit.SACK) === 0 : tcp.ack.marks > 0;
}
