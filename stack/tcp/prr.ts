import { isAccurate } from './acc-ecn.js';
import { AckFlag } from './ack-sample.js';
import { congestionOf, reduceForMark } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { CaState, flightSize, packetsInFlight, RecoveryBit, setCwndPackets } from './scoreboard.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Proportional rate reduction, RFC 6937: while cwnd is reduced, what may be sent follows what arrives, so that at the end just ssthresh is in
 * flight, with neither a silence at the start nor a burst at the end.
 */

const NO_THRESHOLD = 0x7fff_ffff;

/** cwnd is under PRR: in fast recovery, and after ECN's mark. */
export function inCwndReduction(cold: Int32Array, k: number): boolean {
  return cold[k + Cold.CA_STATE] === CaState.CWR || cold[k + Cold.CA_STATE] === CaState.RECOVERY;
}

/** A reduction begins: RecoverFS is cwnd as it was, and congestion control says what it is to come down to. */
export function beginReduction(tcp: TcpContext, c: number, k: number, marked: boolean): void {
  const { hot, cold } = tcp;
  cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.PROBE;
  cold[k + Cold.PRIOR_CWND] = hot[c + Tcb.CWND];
  cold[k + Cold.PRR_DELIVERED] = 0;
  cold[k + Cold.PRR_OUT] = 0;
  const flight = flightSize(tcp, c, k);
  if (marked) reduceForMark(tcp, c, k, flight);
  else congestionOf(tcp, k).onLoss(tcp, c, k, flight);
  tellReduction(tcp, c);
}

/** The next new data says so to the peer: CWR. A loss is told in the same way, so that one window is not answered twice. */
export function tellReduction(tcp: TcpContext, c: number): void {
  // AccECN has other uses for the bit, and its count needs no answer (RFC 9768 §3.2.2).
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) !== 0 && !isAccurate(tcp, tcp.hot[c + Tcb.COLD]))
    tcp.hot[c + Tcb.STATE] |= Flag.ECN_REDUCED;
}

/**
 * §3.1: an ACK has delivered so many packets and shown so many to be lost. While more than ssthresh is in flight, sending is in proportion. Below it, PRR-SSRB: as many as were delivered,
 * and one more if SND.UNA has advanced and nothing was lost (as the revision of RFC 6937 in progress and Linux have it; else
 * that bound would be met while losses go on).
 */
export function reduceCwnd(
  tcp: TcpContext,
  c: number,
  k: number,
  delivered: number,
  lost: number,
  flags: number,
): void {
  const { hot, cold } = tcp;
  const prior = packetsOf(tcp, c, cold[k + Cold.PRIOR_CWND]);
  if (delivered <= 0 || prior <= 0) return;
  cold[k + Cold.PRR_DELIVERED] += delivered;
  const inFlight = packetsInFlight(cold, k);
  const ssthresh = packetsOf(tcp, c, hot[c + Tcb.SSTHRESH]);
  const delta = ssthresh - inFlight;
  const out = cold[k + Cold.PRR_OUT];
  let send: number;
  if (delta < 0) send = Math.ceil((ssthresh * cold[k + Cold.PRR_DELIVERED]) / prior) - out;
  else {
    send = cold[k + Cold.PRR_DELIVERED] - out;
    if (send < delivered) send = delivered;
    if ((flags & AckFlag.SND_UNA_ADVANCED) !== 0 && lost === 0) send += 1;
    if (send > delta) send = delta;
  }
  // The first retransmission goes out whatever the sums say.
  const least = out === 0 ? 1 : 0;
  setCwndPackets(tcp, c, inFlight + (send > least ? send : least));
}

/** Bytes of a window in whole segments of the present size. */
function packetsOf(tcp: TcpContext, c: number, bytes: number): number {
  return Math.floor(bytes / effectiveMss(tcp, c));
}

/** The reduction is over: cwnd is ssthresh, unless it was undone. */
export function endReduction(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, clock } = tcp;
  const undoable = (cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) !== 0;
  if (hot[c + Tcb.SSTHRESH] < NO_THRESHOLD && (cold[k + Cold.CA_STATE] === CaState.CWR || undoable)) {
    hot[c + Tcb.CWND] = hot[c + Tcb.SSTHRESH];
    cold[k + Cold.CWND_STAMP] = clock.ms;
  }
  congestionOf(tcp, k).onRecovered(tcp, c, k);
}

/** ECN's mark, RFC 3168 §6.1.2: as for a loss, but nothing is sent again, and at most once for a window of data. There is nothing to undo. */
export function enterCwr(tcp: TcpContext, c: number, k: number): void {
  const { cold } = tcp;
  cold[k + Cold.PRIOR_SSTHRESH] = 0;
  if (cold[k + Cold.CA_STATE] >= CaState.CWR) return;
  cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.UNDO;
  tcp.net.stats.tcpEcnReductions += 1;
  beginReduction(tcp, c, k, true);
  cold[k + Cold.CA_STATE] = CaState.CWR;
}

/** The connection goes to sleep: nobody is left to bring the window down further. */
export function settleReduction(tcp: TcpContext, c: number, k: number): void {
  if (!inCwndReduction(tcp.cold, k)) return;
  endReduction(tcp, c, k);
  tcp.cold[k + Cold.CA_STATE] = CaState.OPEN;
}
