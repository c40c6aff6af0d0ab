import { seqGt } from '../base/seq.js';
import { reduceForMark } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { flightSize } from './output.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. The sender's answer to ECE, RFC 3168 §6.1.2: as to a lost segment, but nothing is sent again, and at most once for a window of data.
 * Until all that was outstanding is acknowledged, cwnd does not grow; it comes down to ssthresh with the ACKs, by PRR (RFC 6937), as Linux has it in
 * its state CWR: halved at once it would leave the line idle for half a round trip.
 */

/** cwnd is on its way down for a mark. */
export function inCwr(tcp: TcpContext, k: number): boolean {
  return tcp.cold[k + Cold.CWR_RUNS] !== 0;
}

/** The next new data says so to the peer: CWR. A loss is told in the same way, so that one window is not answered twice. */
export function tellReduction(tcp: TcpContext, c: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) !== 0) tcp.hot[c + Tcb.STATE] |= Flag.ECN_REDUCED;
}

/** An ACK with ECE, something being outstanding. In recovery from a loss it tells nothing new. */
export function enterCwr(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & (Flag.FAST_RECOVERY | Flag.TIMEOUT_RECOVERY)) !== 0 || inCwr(tcp, k)) return;
  tcp.net.stats.tcpEcnReductions += 1;
  cold[k + Cold.CWR_PRIOR] = hot[c + Tcb.CWND];
  reduceForMark(tcp, c, k, flightSize(tcp, c, k));
  cold[k + Cold.CWR_RUNS] = 1;
  cold[k + Cold.CWR_END] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.CWR_DELIVERED] = 0;
  cold[k + Cold.CWR_OUT] = 0;
  tellReduction(tcp, c);
}

/** Something beyond what was outstanding when the mark was told of has been acknowledged: it is over. */
export function considerCwrOver(tcp: TcpContext, c: number, k: number): void {
  if (inCwr(tcp, k) && seqGt(tcp.hot[c + Tcb.SND_UNA], tcp.cold[k + Cold.CWR_END])) endCwr(tcp, c, k);
}

/** The window is down. Also what a connection that goes to sleep keeps of it: nobody is left to bring it down further. */
export function endCwr(tcp: TcpContext, c: number, k: number): void {
  if (!inCwr(tcp, k)) return;
  tcp.cold[k + Cold.CWR_RUNS] = 0;
  tcp.hot[c + Tcb.CWND] = tcp.hot[c + Tcb.SSTHRESH];
}

/** A loss takes over. True when the window has been reduced for a mark already, for this flight. */
export function lossTakesOver(tcp: TcpContext, k: number): boolean {
  const reduced = inCwr(tcp, k);
  tcp.cold[k + Cold.CWR_RUNS] = 0;
  return reduced;
}

/** `acked` bytes were acknowledged: RFC 6937 §3.1 in whole segments, with the reduction bound that lets cwnd come back to ssthresh. */
export function reduceCwnd(tcp: TcpContext, c: number, k: number, acked: number): void {
  const { hot, cold } = tcp;
  const smss = effectiveMss(tcp, c);
  const delivered = Math.ceil(acked / smss);
  if (delivered === 0) return;
  const ssthresh = Math.floor(hot[c + Tcb.SSTHRESH] / smss);
  const flight = Math.ceil(flightSize(tcp, c, k) / smss);
  const out = Math.ceil(cold[k + Cold.CWR_OUT] / smss);
  const prior = Math.max(1, Math.floor(cold[k + Cold.CWR_PRIOR] / smss));
  cold[k + Cold.CWR_DELIVERED] += delivered;
  const sum = cold[k + Cold.CWR_DELIVERED];
  let allowed: number;
  if (flight > ssthresh) allowed = Math.ceil((ssthresh * sum) / prior) - out;
  else allowed = Math.min(ssthresh - flight, Math.max(sum - out, delivered) + 1);
  const least = out === 0 ? 1 : 0;
  hot[c + Tcb.CWND] = (flight + (allowed > least ? allowed : least)) * smss;
}
