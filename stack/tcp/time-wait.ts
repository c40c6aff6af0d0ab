import { seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { OutputFlag } from '../net/transport.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { sendBare } from './bare-segment.js';
import type { TcpContext } from './context.js';
import { timestampOffset } from './isn.js';
import { State } from './state.js';
import { Wait, WaitFlag } from './time-wait-table.js';

/** Segment path. A segment for a pair of sockets in TIME-WAIT. */

/** How far beyond the old connection's sequence numbers the new one's begin: its window, as Linux has it. */
const BEYOND = 0xffff + 2;
/** RFC 7323 §5.2 exempts RST from the test of timestamps. Deviation: as Linux only once TS.Recent is older than a segment may live. */
const PAWS_MSL_MS = 60_000;

/** The segment at hand is older than what the connection last saw, by its timestamp. The 24 days of RFC 7323 §5.5 are never reached here. */
function isStale(tcp: TcpContext, at: number): boolean {
  const { seg } = tcp;
  const rows = tcp.timeWaits.rows;
  if ((rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return false;
  if (!seqLt(seg.TSval, rows[at + Wait.TS_RECENT])) return false;
  const waited = tcp.limits.timeWaitMs - ((rows[at + Wait.DEADLINE] - tcp.clock.ms) | 0);
  return (seg.flags & TcpFlag.RST) === 0 || waited < PAWS_MSL_MS;
}

/**
 * RFC 6191 §2 (RFC 1122 §4.2.2.13): a SYN for a pair in TIME-WAIT is a new connection if its sequence number, or its timestamp, is beyond the old
 * one's. Ends the wait then, and says where the new sequence numbers may begin; else 0.
 */
export function giveWay(tcp: TcpContext, row: number): number {
  const { seg } = tcp;
  const rows = tcp.timeWaits.rows;
  const at = row * Wait.SIZE;
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) !== TcpFlag.SYN || isStale(tcp, at)) return 0;
  const stamped = (rows[at + Wait.FLAGS] & WaitFlag.TIMESTAMPS) !== 0 && seg.hasTimestamps;
  const newer = stamped && seqGt(seg.TSval, rows[at + Wait.TS_RECENT]);
  if (!newer && !seqGt(seg.SEQ, rows[at + Wait.RCV_NXT])) return 0;
  // Without anybody to take the new connection the old one stays.
  if (tcp.listeners.find(seg.local, seg.ports, seg.remote) === undefined) return 0;
  const beyond = (rows[at + Wait.SND_NXT] + BEYOND) | 0;
  tcp.timeWaits.give(row);
  tcp.net.stats.tcpTimeWaitsReused += 1;
  return beyond === 0 ? 1 : beyond;
}

/**
 * Everything else. RFC 9293 §3.10.7.4 expects the peer's FIN again: acknowledge it, and wait anew. Deviation: as Linux every segment with an ACK begins
 * the wait anew, for where it came from more may be on its way; a bare one in its place is not answered.
 */
export function timeWaitArrives(tcp: TcpContext, row: number): Verdict {
  const { seg, timeWaits } = tcp;
  const rows = timeWaits.rows;
  const at = row * Wait.SIZE;
  const rst = (seg.flags & TcpFlag.RST) !== 0;
  const stale = isStale(tcp, at);
  const deadline = (tcp.clock.ms + tcp.limits.timeWaitMs) | 0;
  if (!stale && seg.SEQ === rows[at + Wait.RCV_NXT] && (seg.LEN === 0 || rst)) {
    if (seg.hasTimestamps) rows[at + Wait.TS_RECENT] = seg.TSval;
    if (!rst) timeWaits.restart(row, deadline);
    // RFC 1337's hazard: an old RST ends the wait. Deviation: as Linux we let it unless told otherwise; with the exact number (RFC 5961) that
    // is a matter of luck of 2^-32, and without it a client that was killed and started again finds its pair barred.
    else if (!tcp.limits.rfc1337) timeWaits.give(row);
    return rst ? Verdict.TCP_RESET : Verdict.TCP_TIME_WAIT;
  }
  if (rst) return Verdict.TCP_RST_INVALID;
  if (stale) tcp.net.stats.tcpPawsRejected += 1;
  // A SYN alone may be the beginning of something new with a random number; it must not prolong the wait.
  if (stale || (seg.flags & TcpFlag.ACK) !== 0) timeWaits.restart(row, deadline);
  answer(tcp, row, seg.LEN > 0 && (seg.flags & TcpFlag.SYN) === 0);
  return stale ? Verdict.TCP_PAWS : Verdict.TCP_TIME_WAIT;
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>: for text and FIN always, for the rest now and then, so that two such ends do not talk for ever. */
function answer(tcp: TcpContext, row: number, always: boolean): void {
  const rows = tcp.timeWaits.rows;
  const at = row * Wait.SIZE;
  const nowMs = tcp.clock.ms;
  if (!always) {
    const answered = (rows[at + Wait.FLAGS] & WaitFlag.ANSWERED) !== 0;
    if (answered && ((nowMs - rows[at + Wait.ANSWERED_AT]) | 0) < tcp.limits.challengeAckIntervalMs) return;
    rows[at + Wait.FLAGS] |= WaitFlag.ANSWERED;
    rows[at + Wait.ANSWERED_AT] = nowMs;
  }
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
    rows[at + Wait.TOS],
    OutputFlag.ANSWER,
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
