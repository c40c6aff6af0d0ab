import { seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { OutputFlag } from '../net/transport.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { refuseSegment, sendBare } from './bare-segment.js';
import { answeredLately, stackAllows } from './challenge-ack.js';
import { enterTimeWait, finish, mark } from './connection.js';
import type { TcpContext } from './context.js';
import { ecnField } from './ecn.js';
import { sendOwnReset } from './own-reset.js';
import { olderThanRecent } from './paws.js';
import { rtoMs } from './rtt.js';
import { State } from './state.js';
import { Cold, Flag, Name, Tcb } from './tcb.js';
import { startTimer, Timer, timerRuns } from './timers.js';
import { windowField } from './window.js';

/**
 * Segment path. FIN-WAIT-2 of a connection nobody owns: only the peer's FIN is waited for. RFC 9293 §3.6 would wait for ever. Deviation: as Linux
 * (tcp_fin_timeout, TCP_LINGER2) not for longer than a minute, and what else may come is judged as in TIME-WAIT.
 */

/** How long: at least as long as a FIN sent again three times may take. */
function finWait2Ms(tcp: TcpContext, c: number, k: number): number {
  const own = tcp.cold[k + Cold.LINGER2_MS] || tcp.limits.finWait2Ms;
  const rto = rtoMs(tcp, c, tcp.cold[k + Cold.BACKOFF]);
  const least = 4 * rto - (rto >>> 1);
  return own > least ? own : least;
}

/** The program has let go in FIN-WAIT-2. */
export function lingerInFinWait2(tcp: TcpContext, c: number, k: number): void {
  if (tcp.cold[k + Cold.LINGER2_MS] < 0) {
    tcp.net.stats.tcpAbortOnLinger += 1;
    sendOwnReset(tcp, c, Cause.RST_ABORT);
    finish(tcp, c);
    return;
  }
  mark(tcp, c);
}

/** The wait of an orphan begins with the flush after `close`: the time of a call from a handler that ran for minutes is old. */
export function startLinger(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) === 0 || timerRuns(tcp, k, Timer.LINGER)) return;
  startTimer(tcp, c, k, Timer.LINGER, finWait2Ms(tcp, c, k));
}

/** The segment at hand has acknowledged the FIN of an orphan. */
export function orphanEntersFinWait2(tcp: TcpContext, c: number, k: number): void {
  tcp.orphans -= 1;
  if (tcp.cold[k + Cold.LINGER2_MS] < 0) {
    tcp.net.stats.tcpAbortOnData += 1;
    refuseSegment(tcp, Cause.RST_ABORT, State.FIN_WAIT_2);
    finish(tcp, c);
    return;
  }
  startTimer(tcp, c, k, Timer.LINGER, finWait2Ms(tcp, c, k));
}

/** A segment for such an orphan. */
export function finWait2OrphanArrives(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, seg } = tcp;
  const nxt = hot[c + Tcb.RCV_NXT];
  const end = (seg.SEQ + seg.LEN) | 0;
  const edge = (nxt + hot[c + Tcb.RCV_WND]) | 0;
  const rst = (seg.flags & TcpFlag.RST) !== 0;
  const stale = !rst && olderThanRecent(tcp, c, k);
  const inside = seg.SEQ === nxt || (seqGt(end, nxt) && seqLt(seg.SEQ, edge)) || (seg.SEQ === edge && seg.LEN === 0);
  if (stale || !inside) {
    // Deviation: as Linux a RST that is not in the window is answered, too, like any other bare segment.
    if (seg.LEN > 0 && (seg.flags & TcpFlag.SYN) === 0) answer(tcp, c, k, Cause.ACK_DUPLICATE, 0);
    else if (!answeredLately(tcp, k) && stackAllows(tcp)) {
      tcp.net.stats.tcpChallengeAcks += 1;
      answer(tcp, c, k, Cause.CHALLENGE_ACK, 0);
    }
    return stale ? Verdict.TCP_PAWS : Verdict.TCP_SEQUENCE;
  }
  if (rst) {
    finish(tcp, c);
    return Verdict.TCP_RESET;
  }
  const syn = (seg.flags & TcpFlag.SYN) !== 0 && !seqLt(seg.SEQ, nxt);
  const says = (seg.flags & TcpFlag.ACK) !== 0 && seqGt(end, nxt) && seg.LEN > 0;
  if (!syn && !says) return Verdict.OK;
  if (syn || (seg.flags & TcpFlag.FIN) === 0 || end !== ((nxt + 1) | 0)) {
    // RFC 9293 §3.6.1, SHLD-3: data for a program that has closed is lost, and the peer should know.
    tcp.net.stats.tcpAbortOnData += 1;
    refuseSegment(tcp, Cause.RST_DATA_AFTER_CLOSE, State.FIN_WAIT_2);
    finish(tcp, c);
    return Verdict.TCP_AFTER_CLOSE;
  }
  hot[c + Tcb.RCV_NXT] = end;
  if (seg.hasTimestamps) hot[c + Tcb.TS_RECENT] = seg.TSval;
  answer(tcp, c, k, Cause.ACK_NOW, (hot[c + Tcb.STATE] & Flag.ECN) !== 0 ? ecnField(tcp, k, false) : 0);
  enterTimeWait(tcp, c);
  return Verdict.OK;
}

/**
 * <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>. Deviation: as Linux without the bits of ECN, like an answer in TIME-WAIT; RFC 9768
 * §3.2.2 would have the count of marks in it; there is nothing that the peer could send more slowly for it.
 */
function answer(tcp: TcpContext, c: number, k: number, cause: Cause, ecn: number): void {
  const { hot, cold, names } = tcp;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  sendBare(
    tcp,
    names[n + Name.LOCAL],
    names[n + Name.REMOTE],
    names[n + Name.PORTS],
    hot[c + Tcb.SND_NXT],
    hot[c + Tcb.RCV_NXT],
    TcpFlag.ACK,
    windowField(tcp, c, hot[c + Tcb.RCV_WND]),
    (hot[c + Tcb.STATE] & Flag.TIMESTAMPS) !== 0,
    (tcp.clock.ms + cold[k + Cold.TS_OFFSET]) | 0,
    hot[c + Tcb.TS_RECENT],
    cause,
    State.FIN_WAIT_2,
    (cold[k + Cold.TOS_AND_TTL] >>> 8) | ecn,
    OutputFlag.ANSWER,
  );
}
