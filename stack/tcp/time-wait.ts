import { seqDiff, seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { sendBare } from './bare-segment.js';
import type { TcpContext } from './context.js';
import { timestampOffset } from './isn.js';
import { State } from './state.js';
import { Wait, WaitFlag } from './time-wait-table.js';

/** Segment path. A segment for a pair of sockets in TIME-WAIT whose program has let go. */

/** RFC 6191 §2: a SYN for a pair in TIME-WAIT is a new connection if its timestamp, or without them its sequence number, is beyond the old one's. */
export function isNewIncarnation(tcp: TcpContext, row: number): boolean {
  const { seg, timeWaits } = tcp;
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.SYN) return false;
  const at = row * Wait.SIZE;
  const rows = timeWaits.rows;
  if ((rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0 && seg.hasTimestamps) {
    if (seqGt(seg.TSval, rows[at + Wait.TS_RECENT])) return true;
    if (seg.TSval !== rows[at + Wait.TS_RECENT]) return false;
  }
  return seqGt(seg.SEQ, rows[at + Wait.RCV_NXT]);
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
