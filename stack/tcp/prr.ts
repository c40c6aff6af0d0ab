import { isAccurate } from './acc-ecn.js';
import { AckFlag } from './ack-sample.js';
import { congestionOf, reduceForMark } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss, NO_SSTHRESH } from './options.js';
import { CaState, flightSize, packetsInFlight, RecoveryBit, setCwndPackets, usesSack } from './scoreboard.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Proportional rate reduction, RFC 9937. While cwnd is reduced, what may be sent follows what arrives, so
 * that at the end ssthresh is in flight, with neither a silence at the start nor a burst at the end. The RFC counts
 * bytes; we count packets, because cwnd is used up by packets here (docs/loss-recovery.md).
 *
 * An episode begins with `beginReduction` and ends with `endReduction`, or without it where the reduction is undone or a
 * timeout makes its own. RECOVER_FS is not zero exactly while one runs. The states CWR and Recovery can outlast it.
 */

/** An episode of PRR runs: cwnd is set here and nowhere else. */
export function inCwndReduction(cold: Int32Array, k: number): boolean {
  return cold[k + Cold.RECOVER_FS] !== 0;
}

/** §6.1: a reduction begins. Congestion control says what the window is reduced to. */
export function beginReduction(tcp: TcpContext, c: number, k: number, marked: boolean): void {
  const { hot, cold } = tcp;
  // §6.4: an episode is completed before the next one begins.
  endReduction(tcp, c, k);
  cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.PROBE;
  cold[k + Cold.PRIOR_CWND] = hot[c + Tcb.CWND];
  cold[k + Cold.RECOVER_FS] = recoverFlightSize(tcp, c);
  cold[k + Cold.PRR_DELIVERED] = 0;
  cold[k + Cold.PRR_OUT] = 0;
  const flight = flightSize(tcp, c, k);
  if (marked) reduceForMark(tcp, c, k, flight);
  else congestionOf(tcp, k).onLoss(tcp, c, k, flight);
  tellReduction(tcp, c);
}

/**
 * RecoverFS, §6.1: what may be delivered in this episode. The RFC takes what is outstanding after the ACK at hand, less
 * what is SACKed, and adds what this ACK has SACKed and acknowledged. That is what was outstanding and not SACKed before
 * it. Without SACK the scoreboard is empty, and nothing is taken off.
 */
function recoverFlightSize(tcp: TcpContext, c: number): number {
  const { ack } = tcp;
  const packets = usesSack(tcp, c) ? ack.priorPackets - ack.priorSackedOut : ack.priorPackets;
  return packets > 0 ? packets : 1;
}

/** The next new data says so to the peer: CWR. A loss is told in the same way, so that one window is not answered twice. */
export function tellReduction(tcp: TcpContext, c: number): void {
  // AccECN has other uses for the bit, and its count needs no answer (RFC 9768 §3.2.2).
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) !== 0 && !isAccurate(tcp, tcp.hot[c + Tcb.COLD]))
    tcp.hot[c + Tcb.STATE] |= Flag.ECN_REDUCED;
}

/**
 * §6.2: the ACK at hand has delivered packets and may have shown others to be lost. While more than ssthresh is in
 * flight, sending is in proportion. Below it, PRR-CRB: as many as were delivered; and PRR-SSRB, one more, if the ACK is a
 * SafeACK: SND.UNA has advanced and nothing more was lost.
 */
export function reduceCwnd(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, ack } = tcp;
  const { delivered } = ack;
  if (delivered <= 0) return;
  cold[k + Cold.PRR_DELIVERED] += delivered;
  const inFlight = packetsInFlight(cold, k);
  const ssthresh = packetsOf(tcp, c, hot[c + Tcb.SSTHRESH]);
  const delta = ssthresh - inFlight;
  const out = cold[k + Cold.PRR_OUT];
  let send: number;
  if (delta < 0) send = Math.ceil((ssthresh * cold[k + Cold.PRR_DELIVERED]) / cold[k + Cold.RECOVER_FS]) - out;
  else {
    send = cold[k + Cold.PRR_DELIVERED] - out;
    if (send < delivered) send = delivered;
    if ((ack.flags & AckFlag.SND_UNA_ADVANCED) !== 0 && ack.lost === 0) send += 1;
    if (send > delta) send = delta;
  }
  // The first retransmission is sent whatever the sums say, to keep the ACK clock running.
  const least = out === 0 ? 1 : 0;
  setCwndPackets(tcp, c, inFlight + (send > least ? send : least));
}

/** Bytes of a window in whole segments of the present size. */
function packetsOf(tcp: TcpContext, c: number, bytes: number): number {
  return Math.floor(bytes / effectiveMss(tcp, c));
}

/** §6.4: the episode is completed, and cwnd is ssthresh. Nothing happens if none runs. */
export function endReduction(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, clock } = tcp;
  if (!inCwndReduction(cold, k)) return;
  dropReduction(cold, k);
  if (hot[c + Tcb.SSTHRESH] < NO_SSTHRESH) {
    hot[c + Tcb.CWND] = hot[c + Tcb.SSTHRESH];
    cold[k + Cold.CWND_STAMP] = clock.ms;
  }
  congestionOf(tcp, k).onRecovered(tcp, c, k);
}

/** The episode is over and not completed: it is undone, or a timeout has set cwnd. */
export function dropReduction(cold: Int32Array, k: number): void {
  cold[k + Cold.RECOVER_FS] = 0;
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

/** The connection goes to sleep: no ACK will come that would complete the episode. */
export function settleReduction(tcp: TcpContext, c: number, k: number): void {
  const state = tcp.cold[k + Cold.CA_STATE];
  if (state !== CaState.CWR && state !== CaState.RECOVERY) return;
  endReduction(tcp, c, k);
  tcp.cold[k + Cold.CA_STATE] = CaState.OPEN;
}
