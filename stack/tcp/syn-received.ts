import { seqDiff, seqLt } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Event, SocketKind } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { sampleByTimestamp } from './ack.js';
import { refuseSegment, sendBare } from './bare-segment.js';
import { stackAllows } from './challenge-ack.js';
import { beginCongestionControl } from './congestion.js';
import { release, tell, wake } from './connection.js';
import { localPort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { timestampOffset } from './isn.js';
import { dropHalfOpen, sendSynAck } from './listen.js';
import type { Listener } from './listener-table.js';
import { offeredShift, pathMss, setSendMss } from './options.js';
import { takeSample } from './rtt.js';
import { applyDefaults } from './socket-options.js';
import { State } from './state.js';
import { Syn, SynOption } from './syn-table.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { Timer } from './timers.js';
import { initialWindow } from './window-growth.js';

/**
 * Segment path. SYN-RECEIVED from LISTEN, RFC 9293 §3.10.7.4 as far as it applies to a connection that has sent nothing but its SYN. The ACK that
 * completes the handshake makes it a full row, and then goes through the eight checks with it.
 */

/** The hot row's offset when the handshake is complete and the segment is to be processed there; else -1, and `tcp.verdict` says what became of it. */
export function synReceivedArrives(tcp: TcpContext, row: number): number {
  const { seg } = tcp;
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  const rcvNxt = (rows[at + Syn.IRS] + 1) | 0;
  // A SYN again: our SYN-ACK was lost. As Linux it is repeated at once, and counts as a repetition.
  if ((seg.flags & (TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST)) === TcpFlag.SYN && seg.SEQ === rows[at + Syn.IRS]) {
    if (rows[at + Syn.RETRANSMITS] < tcp.limits.synAckRetries && sendSynAck(tcp, row)) rows[at + Syn.RETRANSMITS] += 1;
    return drop(tcp, Verdict.TCP_DUPLICATE);
  }
  if (isOld(tcp, at)) {
    answer(tcp, at);
    return drop(tcp, Verdict.TCP_PAWS);
  }
  // First check: the sequence number.
  const ahead = seqDiff(seg.SEQ, rcvNxt);
  if (ahead < 0 || ahead >= rows[at + Syn.RCV_WND]) {
    if ((seg.flags & TcpFlag.RST) === 0) answer(tcp, at);
    return drop(tcp, Verdict.TCP_SEQUENCE);
  }
  // Second: RST. Back to LISTEN, in silence; RFC 5961 §3.2 wants the exact number.
  if ((seg.flags & TcpFlag.RST) !== 0) {
    if (ahead !== 0) {
      answer(tcp, at);
      return drop(tcp, Verdict.TCP_RST_CHALLENGED);
    }
    tcp.net.stats.tcpAttemptFails += 1;
    dropHalfOpen(tcp, row);
    return drop(tcp, Verdict.TCP_RESET);
  }
  // Fourth: SYN. RFC 5961 §4.2.
  if ((seg.flags & TcpFlag.SYN) !== 0) {
    answer(tcp, at);
    return drop(tcp, Verdict.TCP_SYN_IN_WINDOW);
  }
  // Fifth: ACK.
  if ((seg.flags & TcpFlag.ACK) === 0) return drop(tcp, Verdict.TCP_NO_ACK);
  if (seg.ACK !== ((rows[at + Syn.ISS] + 1) | 0)) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_RECEIVED);
    return drop(tcp, Verdict.TCP_ACK_UNACCEPTABLE);
  }
  const listener = tcp.listeners.find(seg.local, localPort(seg.ports));
  if (listener === undefined) {
    refuseSegment(tcp, Cause.RST_LISTENER_CLOSED, State.SYN_RECEIVED);
    dropHalfOpen(tcp, row);
    return drop(tcp, Verdict.TCP_NO_CONNECTION);
  }
  if (listener.full) {
    // As Linux: the ACK is as good as lost; our SYN-ACK will ask for it again.
    tcp.net.stats.tcpListenOverflows += 1;
    return drop(tcp, Verdict.TCP_ACCEPT_QUEUE_FULL);
  }
  return promote(tcp, row, listener);
}

function drop(tcp: TcpContext, verdict: Verdict): number {
  tcp.verdict = verdict;
  return -1;
}

function isOld(tcp: TcpContext, at: number): boolean {
  const rows = tcp.synTable.rows;
  return (
    (rows[at + Syn.OPTIONS] & SynOption.TIMESTAMPS) !== 0 &&
    tcp.seg.hasTimestamps &&
    (tcp.seg.flags & TcpFlag.RST) === 0 &&
    seqLt(tcp.seg.TSval, rows[at + Syn.TS_RECENT])
  );
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, within the limit on challenge ACKs. */
function answer(tcp: TcpContext, at: number): void {
  if (!stackAllows(tcp)) return;
  const rows = tcp.synTable.rows;
  const local = rows[at + Syn.LOCAL];
  const remote = rows[at + Syn.REMOTE];
  const ports = rows[at + Syn.PORTS];
  sendBare(
    tcp,
    local,
    remote,
    ports,
    (rows[at + Syn.ISS] + 1) | 0,
    (rows[at + Syn.IRS] + 1) | 0,
    TcpFlag.ACK,
    // Not a SYN any more, so the window is scaled (RFC 7323 §2.2).
    rows[at + Syn.RCV_WND] >>>
      ((rows[at + Syn.OPTIONS] & SynOption.WINDOW_SCALE) !== 0 ? offeredShift(tcp.limits.receiveBytesMax) : 0),
    (rows[at + Syn.OPTIONS] & SynOption.TIMESTAMPS) !== 0,
    (tcp.clock.ms + timestampOffset(tcp, local, remote, ports)) | 0,
    rows[at + Syn.TS_RECENT],
    Cause.CHALLENGE_ACK,
    State.SYN_RECEIVED,
  );
}

/** The small row becomes a full one, still in SYN-RECEIVED; the fifth check will establish it. */
function promote(tcp: TcpContext, row: number, listener: Listener): number {
  const { hot, cold, limits } = tcp;
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  const remote = rows[at + Syn.REMOTE] as Address;
  const c = tcp.table.take(rows[at + Syn.LOCAL], remote, rows[at + Syn.PORTS]);
  if (c < 0) {
    tcp.net.stats.tcpListenDrops += 1;
    return drop(tcp, Verdict.TCP_CONNECTION_LIMIT);
  }
  const word = rows[at + Syn.OPTIONS];
  const iss = rows[at + Syn.ISS];
  const irs = rows[at + Syn.IRS];
  const scaled = (word & SynOption.WINDOW_SCALE) !== 0;
  hot[c + Tcb.STATE] =
    State.LISTEN |
    Flag.PASSIVE |
    ((word & SynOption.TIMESTAMPS) !== 0 ? Flag.TIMESTAMPS : 0) |
    ((word & SynOption.SACK) !== 0 ? Flag.SACK : 0) |
    (scaled ? Flag.WINDOW_SCALE : 0) |
    ((word & SynOption.ECN) !== 0 ? Flag.ECN : 0);
  tcp.table.setState(c, State.SYN_RECEIVED);
  hot[c + Tcb.SND_UNA] = iss;
  hot[c + Tcb.SND_NXT] = (iss + 1) | 0;
  hot[c + Tcb.SND_WND] = rows[at + Syn.SND_WND];
  hot[c + Tcb.RCV_NXT] = (irs + 1) | 0;
  hot[c + Tcb.RCV_WND] = rows[at + Syn.RCV_WND];
  hot[c + Tcb.TS_RECENT] = rows[at + Syn.TS_RECENT];
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  hot[c + Tcb.MSS_AND_SHIFTS] = scaled
    ? (((word >>> 16) & 0xf) << 16) | (offeredShift(limits.receiveBytesMax) << 20)
    : 0;
  const k = wake(tcp, c);
  if (k === 0) {
    tcp.table.unname(c);
    release(tcp, c);
    return drop(tcp, Verdict.TCP_CONNECTION_LIMIT);
  }
  const peerMss = word & 0xffff;
  const mss = pathMss(tcp, remote);
  setSendMss(tcp, c, peerMss < mss ? peerMss : mss);
  noteInitials(tcp, c, iss, irs);
  applyDefaults(tcp, c, k, listener.defaults);
  // RFC 6298 §3, Karn: only if the SYN-ACK was sent once.
  const lost = rows[at + Syn.RETRANSMITS] > 0;
  if (!lost) takeSample(tcp, c, k, (tcp.clock.us32 - rows[at + Syn.SENT_AT_US]) | 0);
  else if (!sampleByTimestamp(tcp, c, k)) cold[k + Cold.RETRANSMITS] = rows[at + Syn.RETRANSMITS];
  dropHalfOpen(tcp, row);
  startCongestionControl(tcp, c, k, lost);
  return c;
}

export function noteInitials(tcp: TcpContext, c: number, iss: number, irs: number): void {
  if (!tcp.tallies) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.ISS] = iss;
  tcp.tally[at + Tally.IRS] = irs;
}

/** RFC 5681 §3.1: IW, one segment if the SYN or SYN-ACK was lost; ssthresh as high as can be. */
export function startCongestionControl(tcp: TcpContext, c: number, k: number, handshakeLost: boolean): void {
  tcp.hot[c + Tcb.SSTHRESH] = 0x7fffffff;
  tcp.hot[c + Tcb.CWND] = handshakeLost ? tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff : initialWindow(tcp, c);
  beginCongestionControl(tcp, c, k);
}

/**
 * The connection is established, from SYN-RECEIVED or SYN-SENT: SND.UNA has just taken in our SYN. A passive one is offered to
 * its listener.
 */
export function establish(tcp: TcpContext, c: number, k: number): void {
  const { hot } = tcp;
  // Where CLOSE was called before, its FIN may go now (§3.10.4).
  const closed = (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
  if (closed && (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_RECEIVED) tcp.table.setState(c, State.FIN_WAIT_1);
  else {
    tcp.table.setState(c, State.ESTABLISHED);
    if (closed) tcp.table.setState(c, State.FIN_WAIT_1);
    else tcp.net.stats.tcpCurrEstab += 1;
  }
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  // RFC 6298 §5.7: after a SYN was lost and nothing could be measured, data begins with an RTO of three seconds. Two doublings of the
  // initial second are four; the first measurement ends them.
  tcp.cold[k + Cold.BACKOFF] = tcp.cold[k + Cold.RETRANSMITS] > 0 && hot[c + Tcb.SRTT] === 0 ? 2 : 0;
  tcp.cold[k + Cold.RETRANSMITS] = 0;
  tcp.cold[k + Cold.TROUBLE_SINCE] = 0;
  tcp.cold[k + Cold.QUICK_ACKS] = tcp.limits.quickAcks;
  tcp.cold[k + Cold.TIMERS] &= 1 << Timer.KEEPALIVE;
  tcp.cold[k + Cold.RTX_NXT] = hot[c + Tcb.SND_UNA];
  tcp.cold[k + Cold.RTX_END] = hot[c + Tcb.SND_UNA];
  tcp.cold[k + Cold.SND_SML] = hot[c + Tcb.SND_UNA];
  // RFC 6582 §3.2 step 1 has ISS. One less: its text would bar the first segment of all from fast retransmit.
  tcp.cold[k + Cold.RECOVER] = (hot[c + Tcb.SND_UNA] - 2) | 0;
  if ((hot[c + Tcb.STATE] & Flag.PASSIVE) === 0) {
    tell(tcp, c, Event.CONNECTED | Event.WRITABLE);
    return;
  }
  tcp.net.stats.tcpPassiveOpens += 1;
  const ports = tcp.names[(c >>> Tcb.SHIFT) * 4 + 2];
  const listener = tcp.listeners.find(tcp.names[(c >>> Tcb.SHIFT) * 4], ports >>> 16);
  if (listener === undefined) return;
  listener.push(c);
  tcp.events.push(SocketKind.LISTENER, listener.row, Event.ACCEPTABLE);
}
