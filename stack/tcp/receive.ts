import { seqGt, seqLeq, seqLt } from '../base/seq.js';
import { Event } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { noteDuplicate } from './acc-ecn.js';
import { considerAck, releaseCompressed } from './ack-policy.js';
import { Behaviour } from './behaviour.js';
import { sendAtOnce } from './challenge-ack.js';
import { AckBit } from './cold-bits.js';
import { enterTimeWait, tell } from './connection.js';
import type { TcpContext } from './context.js';
import { ackNow, measureReceiveMss, noteData, quicken } from './delayed-ack.js';
import { noteMark } from './ecn-echo.js';
import { isExpectedText } from './expected.js';
import { needMemory } from './make-way.js';
import { deliverRuns, freeRuns, keepOutOfOrder } from './reassembly.js';
import { chargeInOrder } from './receive-memory.js';
import { measureByTimestamp, measureByWindow } from './receive-rtt.js';
import { growWindow, roomForSegment, tuneOutOfOrder } from './receive-space.js';
import {
  BLOCKS_EXPECTED,
  blocksToSend,
  clearDuplicate,
  dropReached,
  extendBlock,
  extendDuplicate,
  forgetBlocks,
  isReported,
  reportDuplicate,
  tellFirst,
} from './sack.js';
import { State } from './state.js';
import { addTo } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';

/**
 * Segment path. Seventh and eighth check of RFC 9293 §3.10.7.4: the segment's text and its FIN.
 *
 * Deviation: the RFC would have a segment cut to the window. As Linux, one that begins in the window is taken whole or
 * not at all: segment-arrives.ts refuses it while bytes are unread, and the receive buffer bounds what is taken.
 */

/** Takes what the segment brings: text, FIN, or both. SEG.LEN is not zero and counts them. The verdict is the segment's. */
export function takeData(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg } = tcp;
  // As Linux, whose header prediction leaves it for the next ACK: what comes as expected is no reason to forget it.
  if (cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT] && !isExpectedText(tcp, c, k)) clearDuplicate(tcp, k);
  measureByTimestamp(tcp, c, k);
  const nxt = hot[c + Tcb.RCV_NXT];
  const window = hot[c + Tcb.RCV_WND];
  const end = (seg.SEQ + seg.LEN) | 0;
  if (seqLeq(end, nxt)) {
    // All of it is here already: our ACK was lost, or somebody probes.
    noteDuplicate(tcp, c, k);
    reportDuplicate(tcp, c, k, seg.SEQ, end);
    return refuse(tcp, c, k, Verdict.TCP_DUPLICATE);
  }
  if (seqGt(seg.SEQ, nxt)) {
    if (!seqLt(seg.SEQ, (nxt + window) | 0)) {
      noteBeyond(tcp);
      return refuse(tcp, c, k, Verdict.TCP_SEQUENCE);
    }
    return takeAhead(tcp, c, k, end);
  }
  if (seg.SEQ !== nxt) reportDuplicate(tcp, c, k, seg.SEQ, nxt);
  // A bare FIN needs no room; there are peers that send it again and again until it is taken.
  if (window === 0 && (seg.SEQ !== nxt || seg.textLength > 0)) {
    tcp.net.stats.tcpZeroWindowDrops += 1;
    return refuse(tcp, c, k, Verdict.TCP_WINDOW_CLOSED);
  }
  return takeInOrder(tcp, c, k, (nxt - seg.SEQ) | 0);
}

/** Counted since Linux has had the refusal. */
export function noteBeyond(tcp: TcpContext): void {
  if ((tcp.behaviour & Behaviour.REFUSE_BEYOND) !== 0) tcp.net.stats.tcpBeyondWindow += 1;
}

/** Nothing of it is taken. The peer is told at once where we stand, and for a while. */
function refuse(tcp: TcpContext, c: number, k: number, verdict: Verdict): Verdict {
  quicken(tcp, c, k);
  tcp.hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
  considerAck(tcp, c, k, true);
  return verdict;
}

/** The segment begins at RCV.NXT, or `old` bytes before. */
function takeInOrder(tcp: TcpContext, c: number, k: number, old: number): Verdict {
  const { hot, cold, seg } = tcp;
  const length = seg.textLength - old;
  if (!roomForSegment(tcp, c, k)) {
    cold[k + Cold.ACK_BITS] |= AckBit.NO_ROOM;
    ackNow(tcp, c, k, Cause.ACK_NOW);
    tell(tcp, c, Event.READABLE);
    // With nothing to read nobody would ever make room: then it is taken all the same (as Linux).
    if (hot[c + Tcb.RCV_QUEUE] !== 0 && length > 0) return Verdict.TCP_MEMORY;
  }
  if (length > 0) noteMark(tcp, c, k);
  const taken = length > 0 ? appendText(tcp, c, k, seg.textAt + old, length) : 0;
  if (taken < length) {
    // No memory for the rest: it was not acknowledged, so it will come again.
    ackNow(tcp, c, k, Cause.ACK_NOW);
    if (taken > 0) tell(tcp, c, Event.READABLE);
    return taken > 0 ? Verdict.TRIMMED : Verdict.TCP_MEMORY;
  }
  if (seg.textLength > 0) {
    measureByWindow(tcp, c, k);
    noteData(tcp, c, k, seg.textLength);
  }
  if ((seg.flags & TcpFlag.FIN) !== 0) finArrives(tcp, c, k);
  else if (cold[k + Cold.OOO_COUNT] > 0 || cold[k + Cold.FIN_WAITING] !== 0) fillGap(tcp, c, k);
  // In TIME-WAIT a smaller row has taken over.
  if (hot[c + Tcb.COLD] !== k) return Verdict.OK;
  if (length > 0) tell(tcp, c, Event.READABLE);
  considerAck(tcp, c, k, false);
  return Verdict.OK;
}

/** Bytes appended to the receive queue, as many as there is memory for. */
function appendText(tcp: TcpContext, c: number, k: number, at: number, length: number): number {
  const { hot, cold, seg, arena } = tcp;
  const before = arena.length(hot[c + Tcb.RCV_QUEUE]);
  needMemory(tcp, c, before === 0);
  if (before === 0) tcp.holders.noteRead(k, tcp.clock.ms);
  hot[c + Tcb.RCV_QUEUE] = arena.append(hot[c + Tcb.RCV_QUEUE], seg.bytes, at, length);
  let taken = arena.moved;
  if (taken < length) tcp.net.stats.tcpMemoryRefused += 1;
  if (taken < length && cold[k + Cold.OOO_COUNT] > 0) {
    // What came early must not starve what is due: it is let go, as RFC 2018 §8 allows, and will come again.
    freeRuns(tcp, k);
    hot[c + Tcb.RCV_QUEUE] = arena.append(hot[c + Tcb.RCV_QUEUE], seg.bytes, at + taken, length - taken);
    taken += arena.moved;
  }
  if (taken > 0) chargeInOrder(tcp, k, before, taken);
  hot[c + Tcb.RCV_NXT] = (hot[c + Tcb.RCV_NXT] + taken) | 0;
  const window = hot[c + Tcb.RCV_WND] - taken;
  hot[c + Tcb.RCV_WND] = window > 0 ? window : 0;
  if (tcp.tallies) countText(tcp, c, taken);
  return taken;
}

/** What was kept may be in order now. RFC 5681 §4.2: an ACK at once when a gap is closed. */
function fillGap(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  deliverRuns(tcp, c, k);
  if (cold[k + Cold.FIN_WAITING] !== 0 && cold[k + Cold.FIN_SEQ] === hot[c + Tcb.RCV_NXT]) finArrives(tcp, c, k);
  if (hot[c + Tcb.COLD] !== k) return;
  if (cold[k + Cold.OOO_COUNT] === 0 && cold[k + Cold.FIN_WAITING] === 0) ackNow(tcp, c, k, Cause.ACK_NOW);
  dropReached(tcp, c, k);
}

/** Out of order, beginning in the window: kept, and told of (RFC 2018 §4). */
function takeAhead(tcp: TcpContext, c: number, k: number, end: number): Verdict {
  const { hot, seg } = tcp;
  if (!roomForSegment(tcp, c, k)) {
    // As Linux without an ACK: it would say what the last one said.
    tell(tcp, c, Event.READABLE);
    return Verdict.TCP_MEMORY;
  }
  tcp.net.stats.tcpOutOfOrder += 1;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.OOO_SEGS_IN] += 1;
  let verdict: Verdict = Verdict.OUT_OF_ORDER;
  if (seg.textLength > 0) noteMark(tcp, c, k);
  hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
  if (seg.textLength > 0) {
    measureReceiveMss(tcp, c, k, seg.textLength);
    needMemory(tcp, c, false);
    verdict = keepOutOfOrder(tcp, c, k);
  }
  const kept = verdict === Verdict.OUT_OF_ORDER || verdict === Verdict.TCP_DUPLICATE;
  if (kept && (seg.flags & TcpFlag.FIN) !== 0) keepFin(tcp, c, k, (end - 1) | 0);
  if (kept && (hot[c + Tcb.STATE] & Flag.SACK) !== 0) {
    const block = extendBlock(tcp, k, seg.SEQ, end);
    if (block >= BLOCKS_EXPECTED) releaseCompressed(tcp, c, k);
    hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
    tellFirst(tcp, k, block, seg.SEQ, end);
    if (verdict === Verdict.OUT_OF_ORDER) growWindow(tcp, c, k, seg.textLength);
    if ((tcp.behaviour & Behaviour.TUNES_AS_7) !== 0) tuneOutOfOrder(tcp, c, k);
  }
  considerAck(tcp, c, k, true);
  return verdict;
}

/** The nearest FIN counts, should a peer send two. One whose number is here already is a duplicate like text (RFC 2883). */
function keepFin(tcp: TcpContext, c: number, k: number, seq: number): void {
  const { cold } = tcp;
  if (isReported(tcp, k, seq)) {
    extendDuplicate(tcp, c, k, seq, (seq + 1) | 0);
    return;
  }
  if (cold[k + Cold.FIN_WAITING] !== 0 && seqLeq(cold[k + Cold.FIN_SEQ], seq)) return;
  cold[k + Cold.FIN_SEQ] = seq;
  cold[k + Cold.FIN_WAITING] = 1;
}

function countText(tcp: TcpContext, c: number, bytes: number): void {
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.DATA_SEGS_IN] += 1;
  tcp.tally[at + Tally.LAST_DATA_RECEIVED] = tcp.clock.ms;
  addTo(tcp.tally, at + Tally.BYTES_RECEIVED, bytes);
}

/**
 * Eighth check: the FIN bit, everything before it being here. In ESTABLISHED its ACK may wait for the program, which
 * will most likely close too (as Linux; FreeBSD acknowledges it at once); elsewhere the peer waits for nothing else.
 * Behind a FIN there is nothing, so what lay there is forgotten; as Linux only after an ACK that leaves at once.
 */
function finArrives(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  cold[k + Cold.FIN_WAITING] = 0;
  // Deviation: what the FIN's segment brought for the second time is not told (RFC 2883 §4), as in Linux: no more data
  // will come for which the peer could learn from it.
  clearDuplicate(tcp, k);
  hot[c + Tcb.RCV_NXT] = (hot[c + Tcb.RCV_NXT] + 1) | 0;
  if (hot[c + Tcb.RCV_WND] > 0) hot[c + Tcb.RCV_WND] -= 1;
  hot[c + Tcb.STATE] |= Flag.FIN_RECEIVED | Flag.ACK_PENDING;
  tell(tcp, c, Event.PEER_CLOSED | Event.READABLE);
  switch (hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.SYN_RECEIVED:
    case State.ESTABLISHED:
      tcp.table.setState(c, State.CLOSE_WAIT);
      if ((tcp.behaviour & Behaviour.BSD_ACKS) !== 0) ackNow(tcp, c, k, Cause.ACK_NOW);
      else hot[c + Tcb.STATE] |= Flag.INTERACTIVE;
      break;
    case State.FIN_WAIT_1:
      // Our FIN is not acknowledged yet, or the fifth check would have moved on to FIN-WAIT-2.
      if (blocksToSend(tcp, c, k, 1) > 0) sendAtOnce(tcp, c, k, Cause.ACK_NOW);
      else ackNow(tcp, c, k, Cause.ACK_NOW);
      tcp.table.setState(c, State.CLOSING);
      break;
    case State.FIN_WAIT_2:
      // The small row that may replace this one cannot be flushed, so the ACK goes first.
      sendAtOnce(tcp, c, k, Cause.ACK_NOW);
      forgetBeyond(tcp, k);
      enterTimeWait(tcp, c);
      return;
  }
  forgetBeyond(tcp, k);
}

function forgetBeyond(tcp: TcpContext, k: number): void {
  if (tcp.cold[k + Cold.OOO_COUNT] > 0) freeRuns(tcp, k);
  forgetBlocks(tcp, k);
}
