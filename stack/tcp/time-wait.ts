import { seqDiff, seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { sendBare } from './bare-segment.js';
import { finish } from './connection.js';
import { localPort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { timestampOffset } from './isn.js';
import { State } from './state.js';
import { Flag, Tcb } from './tcb.js';
import { Wait, WaitFlag } from './time-wait-table.js';

/** Segment path. A segment for a pair of sockets in TIME-WAIT whose program has let go. */

/** RFC 6191 §2: a SYN for a pair in TIME-WAIT is a new connection if its timestamp, or without them its sequence number, is beyond the old one's. */
function isNewIncarnation(tcp: TcpContext, timestamps: boolean, tsRecent: number, rcvNxt: number): boolean {
  const { seg } = tcp;
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.SYN) return false;
  // Without anybody to take the new connection the old one stays.
  if (tcp.listeners.find(seg.local, localPort(seg.ports)) === undefined) return false;
  if (timestamps && seg.hasTimestamps) {
    if (seqGt(seg.TSval, tsRecent)) return true;
    if (seg.TSval !== tsRecent) return false;
  }
  return seqGt(seg.SEQ, rcvNxt);
}

/** How far beyond the old connection's sequence numbers the new one's begin: its window, as Linux has it. */
const BEYOND = 0xffff + 2;

/** Ends the wait in the small row if the segment begins a new connection, and says where its sequence numbers may begin; else 0. */
export function giveWay(tcp: TcpContext, row: number): number {
  const rows = tcp.timeWaits.rows;
  const at = row * Wait.SIZE;
  const timestamps = (rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0;
  if (!isNewIncarnation(tcp, timestamps, rows[at + Wait.TS_RECENT], rows[at + Wait.RCV_NXT])) return 0;
  const beyond = (rows[at + Wait.SND_NXT] + BEYOND) | 0;
  tcp.timeWaits.give(row);
  tcp.net.stats.tcpTimeWaitsReused += 1;
  return beyond === 0 ? 1 : beyond;
}

/** The same for a full row, whose program has not let go yet: it keeps its id, and what it has not read. */
export function rowGivesWay(tcp: TcpContext, c: number): number {
  const { hot } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) !== State.TIME_WAIT) return 0;
  const timestamps = (hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0;
  if (!isNewIncarnation(tcp, timestamps, hot[c + Tcb.TS_RECENT], hot[c + Tcb.RCV_NXT])) return 0;
  const beyond = (hot[c + Tcb.SND_NXT] + BEYOND) | 0;
  finish(tcp, c);
  tcp.net.stats.tcpTimeWaitsReused += 1;
  return beyond === 0 ? 1 : beyond;
}

/** Everything else. The only thing that may arrive is the peer's FIN again (§3.10.7.4): acknowledge it, and wait anew. */
export function timeWaitArrives(tcp: TcpContext, row: number): Verdict {
  const { seg, timeWaits } = tcp;
  const rows = timeWaits.rows;
  const at = row * Wait.SIZE;
  const rcvNxt = rows[at + Wait.RCV_NXT];
  if ((seg.flags & TcpFlag.RST) !== 0) {
    // RFC 1337's hazard: an old RST would end the wait. RFC 5961's test makes that a matter of luck of 2^-32.
    if (seg.SEQ !== rcvNxt) return Verdict.TCP_RST_INVALID;
    timeWaits.give(row);
    return Verdict.TCP_RESET;
  }
  const stale =
    (rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0 &&
    seg.hasTimestamps &&
    seqLt(seg.TSval, rows[at + Wait.TS_RECENT]);
  const window = rows[at + Wait.RCV_WND];
  const inside = seqDiff(seg.SEQ, rcvNxt) >= 0 && seqDiff(seg.SEQ, rcvNxt) <= window;
  const fin = (seg.flags & TcpFlag.FIN) !== 0;
  if (!stale && inside && !fin && seg.LEN === 0 && (seg.flags & TcpFlag.SYN) === 0) {
    // A bare ACK in window says nothing new.
    return Verdict.TCP_TIME_WAIT;
  }
  // Only the very FIN: nobody who does not know our numbers may prolong the wait.
  if (fin && !stale && ((seg.SEQ + seg.LEN) | 0) === rcvNxt)
    timeWaits.restart(row, (tcp.clock.ms + tcp.limits.timeWaitMs) | 0);
  answer(tcp, row, fin);
  return stale ? Verdict.TCP_PAWS : Verdict.TCP_TIME_WAIT;
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: for a FIN always, for the rest now and then, so that two such ends do not talk for ever. */
function answer(tcp: TcpContext, row: number, always: boolean): void {
  const rows = tcp.timeWaits.rows;
  const at = row * Wait.SIZE;
  const nowMs = tcp.clock.ms;
  const answered = (rows[at + Wait.FLAGS] & WaitFlag.ANSWERED) !== 0;
  if (!always && answered && ((nowMs - rows[at + Wait.ANSWERED_AT]) | 0) < tcp.limits.challengeAckIntervalMs) return;
  rows[at + Wait.FLAGS] |= WaitFlag.ANSWERED;
  rows[at + Wait.ANSWERED_AT] = nowMs;
  const local = rows[at + Wait.LOCAL];
  const remote = rows[at + Wait.REMOTE];
  const ports = rows[at + Wait.PORTS];
  const shift = (rows[at + Wait.FLAGS] >>> WaitFlag.SHIFT_BIT) & 0xf;
  const window = rows[at + Wait.RCV_WND] >>> shift;
  sendBare(
    tcp,
    local,
    remote,
    ports,
    rows[at + Wait.SND_NXT],
    rows[at + Wait.RCV_NXT],
    TcpFlag.ACK,
    window < 0xffff ? window : 0xffff,
    (rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0,
    (nowMs + timestampOffset(tcp, local, remote, ports)) | 0,
    rows[at + Wait.TS_RECENT],
    Cause.TIME_WAIT_ACK,
    State.TIME_WAIT,
  );
}

/** Those whose 2MSL have passed. */
export function expireTimeWaits(tcp: TcpContext): void {
  const { timeWaits } = tcp;
  for (let row = timeWaits.oldest(); row >= 0; row = timeWaits.oldest()) {
    if (((timeWaits.rows[row * Wait.SIZE + Wait.DEADLINE] - tcp.clock.ms) | 0) > 0) return;
    timeWaits.give(row);
  }
}
