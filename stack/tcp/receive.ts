import { seqDiff } from '../base/seq.js';
import { Event } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { sendAtOnce } from './challenge-ack.js';
import { enterTimeWait, tell } from './connection.js';
import type { TcpContext } from './context.js';
import { ackForData, ackNow, quicken } from './delayed-ack.js';
import { noteMark } from './ecn-echo.js';
import { deliverRuns, freeRuns, keepOutOfOrder } from './reassembly.js';
import { State } from './state.js';
import { addTo } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';

/** Segment path. Seventh and eighth check: the segment's text, and its FIN. The segment has been trimmed to the window. */

/** Takes the text. The verdict is the segment's. */
export function processText(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg, arena } = tcp;
  if (seg.textLength === 0) return Verdict.OK;
  measureFromTimestamps(tcp, k);
  noteMark(tcp, c, k);
  if (seg.SEQ !== hot[c + Tcb.RCV_NXT]) {
    const verdict = keepOutOfOrder(tcp, c, k);
    if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.OOO_SEGS_IN] += 1;
    // RFC 5681 §4.2: a duplicate ACK at once for every segment out of order; the sender counts them.
    quicken(tcp, c, k);
    sendAtOnce(tcp, c, k, Cause.ACK_DUPLICATE);
    return verdict;
  }
  hot[c + Tcb.RCV_QUEUE] = arena.append(hot[c + Tcb.RCV_QUEUE], seg.bytes, seg.textAt, seg.textLength);
  let taken = arena.moved;
  if (taken < seg.textLength && cold[k + Cold.OOO_COUNT] > 0) {
    // What came early must not starve what is due: it is let go, as RFC 2018 §8 allows, and will come again.
    freeRuns(tcp, k);
    const left = seg.textLength - taken;
    hot[c + Tcb.RCV_QUEUE] = arena.append(hot[c + Tcb.RCV_QUEUE], seg.bytes, seg.textAt + taken, left);
    taken += arena.moved;
  }
  hot[c + Tcb.RCV_NXT] = (hot[c + Tcb.RCV_NXT] + taken) | 0;
  hot[c + Tcb.RCV_WND] -= taken;
  if (tcp.tallies) countText(tcp, c, taken);
  if (taken < seg.textLength) {
    // No memory for the rest: it was not acknowledged, so it will come again.
    seg.flags &= ~TcpFlag.FIN;
    ackNow(tcp, c, k, Cause.ACK_NOW);
    if (taken > 0) tell(tcp, c, Event.READABLE);
    return taken > 0 ? Verdict.TRIMMED : Verdict.TCP_MEMORY;
  }
  if (cold[k + Cold.OOO_COUNT] > 0) {
    deliverRuns(tcp, c, k);
    // RFC 5681 §4.2: a segment that fills all or part of a gap is acknowledged at once.
    ackNow(tcp, c, k, Cause.ACK_NOW);
  } else {
    ackForData(tcp, c, k, taken);
  }
  tell(tcp, c, Event.READABLE);
  return Verdict.OK;
}

function countText(tcp: TcpContext, c: number, bytes: number): void {
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.DATA_SEGS_IN] += 1;
  tcp.tally[at + Tally.LAST_DATA_RECEIVED] = tcp.clock.ms;
  addTo(tcp.tally, at + Tally.BYTES_RECEIVED, bytes);
}

/** The receiver's view of the round trip, for auto-tuning: how old the timestamp is that data echoes. Small samples win, large ones seep in. */
function measureFromTimestamps(tcp: TcpContext, k: number): void {
  const { cold, seg } = tcp;
  if (!seg.hasTimestamps || seg.TSecr === 0) return;
  const ms = (tcp.clock.ms + cold[k + Cold.TS_OFFSET] - seg.TSecr) | 0;
  if (ms < 0 || ms > 60_000) return;
  const us = ms === 0 ? 1000 : ms * 1000;
  const known = cold[k + Cold.RCV_RTT_US];
  cold[k + Cold.RCV_RTT_US] = known === 0 || us < known ? us : known + ((us - known) >> 3);
}

/** Eighth check: the FIN bit. It counts once everything before it is here. */
export function processFin(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  if ((seg.flags & TcpFlag.FIN) !== 0 && (hot[c + Tcb.STATE] & Flag.FIN_RECEIVED) === 0) {
    cold[k + Cold.FIN_SEQ] = (seg.SEQ + seg.textLength) | 0;
    cold[k + Cold.FIN_WAITING] = 1;
    if (seqDiff(cold[k + Cold.FIN_SEQ], hot[c + Tcb.RCV_NXT]) > 0 && seg.textLength === 0) {
      sendAtOnce(tcp, c, k, Cause.ACK_DUPLICATE);
    }
  }
  if (cold[k + Cold.FIN_WAITING] === 0 || cold[k + Cold.FIN_SEQ] !== hot[c + Tcb.RCV_NXT]) return;
  cold[k + Cold.FIN_WAITING] = 0;
  hot[c + Tcb.RCV_NXT] = (hot[c + Tcb.RCV_NXT] + 1) | 0;
  if (hot[c + Tcb.RCV_WND] > 0) hot[c + Tcb.RCV_WND] -= 1;
  hot[c + Tcb.STATE] |= Flag.FIN_RECEIVED;
  ackNow(tcp, c, k, Cause.ACK_NOW);
  tell(tcp, c, Event.PEER_CLOSED | Event.READABLE);
  switch (hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.SYN_RECEIVED:
    case State.ESTABLISHED:
      tcp.table.setState(c, State.CLOSE_WAIT);
      break;
    case State.FIN_WAIT_1:
      // Our FIN is not acknowledged yet, or the fifth check would have moved on to FIN-WAIT-2.
      tcp.table.setState(c, State.CLOSING);
      break;
    case State.FIN_WAIT_2:
      // The small row that may replace this one cannot be flushed, so the ACK goes first.
      sendAtOnce(tcp, c, k, Cause.ACK_NOW);
      enterTimeWait(tcp, c);
      break;
  }
}
