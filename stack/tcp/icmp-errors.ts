import { seqGeq, seqGt } from '../base/seq.js';
import { Event } from '../net/event-queue.js';
import { type ErrorReport, PathError } from '../net/transport.js';
import { Unreachable } from '../wire/icmpv4.js';
import { tcpDestinationPort, tcpSeq, tcpSourcePort } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { fail, tell, wake } from './connection.js';
import { portPair } from './connection-table.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { FastOpen, isChild, isUnaccepted } from './fast-open.js';
import type { IcmpReport } from './icmp-reports.js';
import { loseOversized } from './loss-recovery.js';
import { effectiveMss, MtuDiscover, mtuDiscover, sendMss, syncMss } from './options.js';
import { Pending, setPending } from './retransmission-timer.js';
import { rtoMs } from './rtt.js';
import { State } from './state.js';
import { dropHalfOpen } from './syn-ack.js';
import { sendOwnSyn } from './syn-sent.js';
import { Syn } from './syn-table.js';
import { Cold, Custom, Flag, Name, Tally, Tcb } from './tcb.js';
import { startTimer, Timer, timerMs, timerRuns } from './timers.js';

/** What ICMP says about segments of ours: RFC 9293 §3.9.2.2, checked as RFC 5927 demands. */

/** Of ICMP type 3 by code, as Linux's icmp_err_convert. Code 4 is a matter of its own. */
const UNREACHABLE: readonly ConnectionError[] = [
  ConnectionError.NET_UNREACHABLE,
  ConnectionError.HOST_UNREACHABLE,
  ConnectionError.PROTOCOL_UNREACHABLE,
  ConnectionError.REFUSED,
  ConnectionError.MESSAGE_TOO_BIG,
  ConnectionError.OPTION_UNSUPPORTED,
  ConnectionError.NET_UNREACHABLE,
  ConnectionError.HOST_DOWN,
  ConnectionError.NO_NETWORK,
  ConnectionError.NET_UNREACHABLE,
  ConnectionError.HOST_UNREACHABLE,
  ConnectionError.NET_UNREACHABLE,
  ConnectionError.HOST_UNREACHABLE,
  ConnectionError.PROHIBITED,
  ConnectionError.PROHIBITED,
  ConnectionError.PROHIBITED,
];

function meaningOf(report: ErrorReport): ConnectionError {
  switch (report.error) {
    case PathError.TIME_EXCEEDED:
    case PathError.HOST_DOWN:
      return ConnectionError.HOST_UNREACHABLE;
    case PathError.PARAMETER_PROBLEM:
      return ConnectionError.PROTOCOL;
    default:
      return UNREACHABLE[report.code] ?? ConnectionError.NONE;
  }
}

/**
 * A SYN-ACK did not arrive. As Linux the half-open connection is dropped in silence where there is no way to the peer; POSIX has no place in accept(2) to tell of
 * it. Anything else may pass, and the SYN-ACK goes again.
 */
function onHalfOpen(tcp: TcpContext, report: ErrorReport, ports: number): Verdict {
  const row = tcp.synTable.find(report.source, report.destination, ports);
  if (row < 0) return Verdict.TCP_NO_CONNECTION;
  if (tcpSeq(report.view, report.at) !== tcp.synTable.rows[row * Syn.SIZE + Syn.ISS]) return Verdict.ICMP_IMPLAUSIBLE;
  switch (report.error) {
    case PathError.UNREACHABLE_NET:
    case PathError.UNREACHABLE_HOST:
    case PathError.TIME_EXCEEDED:
    case PathError.PARAMETER_PROBLEM:
      tcp.net.stats.tcpListenDrops += 1;
      dropHalfOpen(tcp, row);
      return Verdict.OK;
    default:
      return Verdict.OK;
  }
}

export function onIcmpError(tcp: TcpContext, report: ErrorReport): Verdict {
  // RFC 792: eight bytes of the segment, which hold the ports and the sequence number.
  if (report.length < 8) return Verdict.ICMP_QUOTE_INVALID;
  const ports = portPair(tcpSourcePort(report.view, report.at), tcpDestinationPort(report.view, report.at));
  const row = tcp.table.find(report.source, report.destination, ports);
  if (row < 0) return onHalfOpen(tcp, report, ports);
  const c = row << Tcb.SHIFT;
  const { hot } = tcp;
  const seq = tcpSeq(report.view, report.at);
  // RFC 5927 §4.1: it can only be about something that is on its way. Of a Fast Open child that is its SYN-ACK, too.
  const child = isChild(tcp, c);
  const first = child ? (hot[c + Tcb.SND_UNA] - 1) | 0 : hot[c + Tcb.SND_UNA];
  if (!seqGeq(seq, first) || seqGt(seq, hot[c + Tcb.SND_NXT])) return Verdict.ICMP_IMPLAUSIBLE;
  const k = wake(tcp, c);
  if (k === 0) return Verdict.TCP_MEMORY;
  if (report.error === PathError.TOO_BIG) return onTooBig(tcp, c, k, report);
  const error = meaningOf(report);
  if (error === ConnectionError.NONE) return Verdict.OK;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  // Deviation: RFC 9293 SHLD-25 would have the codes "protocol" and "port unreachable" abort a connection in any state. As Linux and
  // RFC 5927 §4.3 only the handshake ends, and that on the soft errors as well, against MUST-56: a program that calls the unreachable wants to
  // know now and not in two minutes (RFC 5461 §3.1). A synchronized connection remembers the reason in case it times out.
  // A Fast Open connection that its program has accepted is in use, and counts as synchronized (as Linux).
  const inUse = state === State.SYN_RECEIVED && child && !isUnaccepted(tcp, c);
  if (state === State.SYN_SENT || (state === State.SYN_RECEIVED && !inUse)) {
    tcp.net.stats.tcpAttemptFails += 1;
    tcp.icmpReports.keep(row, tcp.names[row * Name.SIZE + Name.GENERATION], report);
    fail(tcp, c, error);
    return Verdict.OK;
  }
  if (!child && report.error <= PathError.UNREACHABLE_HOST && report.code <= Unreachable.HOST)
    revertBackoff(tcp, c, k, seq);
  if ((tcp.cold[k + Cold.CUSTOM] & Custom.RECEIVE_ERRORS) === 0) tcp.cold[k + Cold.SOFT_ERROR] = error;
  else {
    // IP_RECVERR: the program wants to know at once. The connection goes on.
    tcp.cold[k + Cold.NOTICE] = error;
    tell(tcp, c, Event.NOTICE);
  }
  return Verdict.OK;
}

/**
 * RFC 6069 §4: a router that says "unreachable" about a retransmission of ours shows that the way up to it is not congested, but broken. So that
 * back-off does not sleep through the repair, its last doubling is taken back; if the time is over already, the segment goes again at once.
 */
function revertBackoff(tcp: TcpContext, c: number, k: number, seq: number): void {
  const { hot, cold } = tcp;
  if (seq !== hot[c + Tcb.SND_UNA] || cold[k + Cold.RETRANSMITS] === 0 || cold[k + Cold.BACKOFF] === 0) return;
  if (!timerRuns(tcp, k, Timer.RETRANSMIT) || cold[k + Cold.PENDING] !== Pending.TIMEOUT) return;
  const before = rtoMs(tcp, c, cold[k + Cold.BACKOFF]);
  cold[k + Cold.BACKOFF] -= 1;
  const gained = before - rtoMs(tcp, c, cold[k + Cold.BACKOFF]);
  const left = timerMs(tcp, k, Timer.RETRANSMIT) - gained;
  setPending(tcp, c, k, Pending.TIMEOUT, left > 0 ? left : 0);
}

/**
 * Path MTU discovery, RFC 1191 §6. The quoted sequence number was in flight, so the report is believed (RFC 5927 §7.2); segments become
 * smaller and those lost go again at once. Not where the program has said that it wants none of this (IP_MTU_DISCOVER).
 */
function onTooBig(tcp: TcpContext, c: number, k: number, report: ErrorReport): Verdict {
  const { hot, cold } = tcp;
  const before = sendMss(tcp, c);
  const discover = mtuDiscover(cold[k + Cold.CUSTOM]);
  tcp.net.lowerPathMtu(report.destination, report.mtu);
  // Less than we believe any path carries, and fragments are not allowed: if nothing arrives any more, this is why.
  if (report.mtu < tcp.net.pathMtu(report.destination) && discover === MtuDiscover.DO)
    cold[k + Cold.SOFT_ERROR] = ConnectionError.MESSAGE_TOO_BIG;
  if (discover === MtuDiscover.DONT || discover >= MtuDiscover.INTERFACE) return Verdict.OK;
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_SENT) return repeatBareSyn(tcp, c, k);
  syncMss(tcp, c, k);
  if (sendMss(tcp, c) >= before) return Verdict.ICMP_IMPLAUSIBLE;
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) >= State.ESTABLISHED && hot[c + Tcb.SND_QUEUE] !== 0) {
    loseOversized(tcp, c, k, effectiveMss(tcp, c));
  }
  return Verdict.OK;
}

/**
 * A SYN that brought data (Fast Open) was too big for the path. It is known to be lost, so it goes again at once, without the data, and offers the MSS of
 * the new MTU, as by Linux; the data follows the handshake in segments of the new size. Once for each connection: a SYN without data fits every path.
 */
function repeatBareSyn(tcp: TcpContext, c: number, k: number): Verdict {
  const { cold } = tcp;
  const word = cold[k + Cold.FAST_OPEN];
  if ((word & FastOpen.SYN_DATA) === 0 || (word & FastOpen.SYN_TOO_BIG) !== 0 || cold[k + Cold.RETRANSMITS] > 0)
    return Verdict.ICMP_IMPLAUSIBLE;
  cold[k + Cold.FAST_OPEN] |= FastOpen.SYN_TOO_BIG;
  tcp.net.stats.tcpRetransSegs += 1;
  cold[k + Cold.TOTAL_RETRANS] += 1;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.RETRANSMITTED] += 1;
  sendOwnSyn(tcp, c, k);
  startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
  return Verdict.OK;
}

/** What ICMP has told of a live connection with RECEIVE_ERRORS, once. */
export function takeNotice(tcp: TcpContext, c: number): ConnectionError {
  const k = tcp.hot[c + Tcb.COLD];
  if (k === 0) return ConnectionError.NONE;
  const notice: ConnectionError = tcp.cold[k + Cold.NOTICE];
  tcp.cold[k + Cold.NOTICE] = ConnectionError.NONE;
  return notice;
}

/** What ICMP has told of a live connection without RECEIVE_ERRORS, once; if it times out now, ICMP is not named as the reason. */
export function takeSoftError(tcp: TcpContext, c: number): ConnectionError {
  const k = tcp.hot[c + Tcb.COLD];
  if (k === 0) return ConnectionError.NONE;
  const error: ConnectionError = tcp.cold[k + Cold.SOFT_ERROR];
  tcp.cold[k + Cold.SOFT_ERROR] = ConnectionError.NONE;
  return error;
}

/** Control path. The ICMP message that ended an attempt to connect, once; undefined: none did, or many others have come since. */
export function takeIcmpReport(tcp: TcpContext, c: number): IcmpReport | undefined {
  const row = c >>> Tcb.SHIFT;
  return tcp.icmpReports.take(row, tcp.names[row * Name.SIZE + Name.GENERATION]);
}
