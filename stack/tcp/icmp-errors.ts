import { seqGeq, seqLt } from '../base/seq.js';
import { type ErrorReport, PathError } from '../net/transport.js';
import { tcpDestinationPort, tcpSeq, tcpSourcePort } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { fail, wake } from './connection.js';
import { portPair } from './connection-table.js';
import type { TcpContext } from './context.js';
import { ConnectionError } from './errors.js';
import { loseOversized } from './loss-recovery.js';
import { effectiveMss, pathMss, sendMss, setSendMss } from './options.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** What ICMP says about segments of ours: RFC 9293 §3.9.2.2, checked as RFC 5927 demands. */

const MEANINGS: readonly ConnectionError[] = [
  ConnectionError.NET_UNREACHABLE,
  ConnectionError.HOST_UNREACHABLE,
  ConnectionError.PROTOCOL_UNREACHABLE,
  ConnectionError.REFUSED,
  ConnectionError.NONE,
  ConnectionError.PROHIBITED,
  ConnectionError.HOST_UNREACHABLE,
  ConnectionError.NONE,
  ConnectionError.HOST_UNREACHABLE,
];

export function onIcmpError(tcp: TcpContext, report: ErrorReport): Verdict {
  // RFC 792: eight bytes of the segment, which hold the ports and the sequence number.
  if (report.length < 8) return Verdict.ICMP_QUOTE_INVALID;
  const ports = portPair(tcpSourcePort(report.view, report.at), tcpDestinationPort(report.view, report.at));
  const row = tcp.table.find(report.source, report.destination, ports);
  if (row < 0) return Verdict.TCP_NO_CONNECTION;
  const c = row << Tcb.SHIFT;
  const { hot } = tcp;
  const seq = tcpSeq(report.view, report.at);
  // RFC 5927 §4.1: it can only be about something that is on its way.
  if (!seqGeq(seq, hot[c + Tcb.SND_UNA]) || !seqLt(seq, hot[c + Tcb.SND_NXT])) return Verdict.ICMP_IMPLAUSIBLE;
  const k = wake(tcp, c);
  if (k === 0) return Verdict.TCP_MEMORY;
  if (report.error === PathError.TOO_BIG) return onTooBig(tcp, c, k, report);
  const error = MEANINGS[report.error] ?? ConnectionError.NONE;
  if (error === ConnectionError.NONE) return Verdict.OK;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  // Deviation: RFC 9293 SHLD-25 would have the codes "protocol" and "port unreachable" abort a connection in any state. As Linux and
  // RFC 5927 §4.3 only the handshake ends, and that on the soft errors as well, against MUST-56: a program that calls the unreachable wants to
  // know now and not in two minutes (RFC 5461 §3.1). A synchronized connection remembers the reason in case it times out.
  if (state === State.SYN_SENT || state === State.SYN_RECEIVED) {
    tcp.net.stats.tcpAttemptFails += 1;
    fail(tcp, c, error);
    return Verdict.OK;
  }
  tcp.cold[k + Cold.SOFT_ERROR] = error;
  return Verdict.OK;
}

/**
 * Path MTU discovery, RFC 1191 §6. The quoted sequence number was in flight, so the report is believed (RFC 5927 §7.2); segments become
 * smaller and the first of those lost goes again at once.
 */
function onTooBig(tcp: TcpContext, c: number, k: number, report: ErrorReport): Verdict {
  tcp.net.lowerPathMtu(report.destination, report.mtu);
  const mss = pathMss(tcp, report.destination);
  if (mss >= sendMss(tcp, c)) return Verdict.ICMP_IMPLAUSIBLE;
  setSendMss(tcp, c, mss);
  if ((tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) >= State.ESTABLISHED && tcp.hot[c + Tcb.SND_QUEUE] !== 0) {
    loseOversized(tcp, c, k, effectiveMss(tcp, c));
  }
  return Verdict.OK;
}
