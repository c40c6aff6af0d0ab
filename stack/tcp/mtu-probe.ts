import type { TcpContext } from './context.js';
import { dataOptionBytes, effectiveMss, FIXED_HEADER_BYTES, MSS_MIN, syncMss } from './options.js';
import { blocksToSend } from './sack.js';
import { CaState, cwndPackets, packetsInFlight } from './scoreboard.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Packetization-layer path MTU discovery, RFC 4821 and RFC 8899, as Linux has it (tcp_mtu_probing): where routers drop what is too big and
 * say nothing, the connection finds out by itself. Segments begin small, at `mtuBaseMss`; now and then one of new data is larger, half way to the largest
 * that may be possible. If it arrives that is the new size; if it alone is lost, it was too big, and cwnd is not to blame. With `mtuProbing` 1 that begins when several
 * retransmissions were in vain, with 2 at once.
 */

/** What came of an attempt to probe. */
export const enum MtuProbe {
  /** Not now: send as ever. */
  NO = 0,
  /** Soon: send nothing until the window has room for a probe and what follows it. */
  WAIT = 1,
  /** Send one of `mtuProbeBytes`. */
  SEND = 2,
}

/** A window smaller than this is not risked on a probe. */
const CWND_PACKETS_MIN = 11;

function searches(tcp: TcpContext, k: number): boolean {
  return (tcp.cold[k + Cold.CUSTOM] & Custom.MTU_SEARCH) !== 0;
}

/** MTU of a segment with so many bytes of data, and back. */
function toMtu(tcp: TcpContext, c: number, bytes: number): number {
  return bytes + dataOptionBytes(tcp.hot[c + Tcb.STATE]) + FIXED_HEADER_BYTES;
}
function toBytes(tcp: TcpContext, c: number, mtu: number): number {
  const mss = mtu - FIXED_HEADER_BYTES;
  return (mss > MSS_MIN ? mss : MSS_MIN) - dataOptionBytes(tcp.hot[c + Tcb.STATE]);
}

function beginSearch(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, clock, limits } = tcp;
  cold[k + Cold.CUSTOM] |= Custom.MTU_SEARCH;
  hot[c + Tcb.STATE] |= Flag.CUSTOM;
  cold[k + Cold.MTU_HIGH] = cold[k + Cold.PEER_MSS] + FIXED_HEADER_BYTES;
  cold[k + Cold.MTU_LOW] = toMtu(tcp, c, limits.mtuBaseMss);
  cold[k + Cold.MTU_PROBED] = 0;
  cold[k + Cold.MTU_SEARCHED_AT] = clock.ms;
}

/** The handshake is complete. */
export function considerMtuSearch(tcp: TcpContext, c: number, k: number): void {
  if (tcp.limits.mtuProbing < 2) return;
  beginSearch(tcp, c, k);
  syncMss(tcp, c, k);
}

/** Retransmission after retransmission is lost: perhaps they are too big, and nobody says so (RFC 8899 §4.3, "black hole"). */
export function suspectBlackHole(tcp: TcpContext, c: number, k: number): void {
  const { cold, limits } = tcp;
  if (limits.mtuProbing === 0 || cold[k + Cold.PEER_MSS] === 0) return;
  if (!searches(tcp, k)) beginSearch(tcp, c, k);
  else {
    let bytes = toBytes(tcp, c, cold[k + Cold.MTU_LOW]) >> 1;
    if (bytes > limits.mtuBaseMss) bytes = limits.mtuBaseMss;
    if (bytes < limits.mtuProbeFloor) bytes = limits.mtuProbeFloor;
    if (bytes < MSS_MIN) bytes = MSS_MIN;
    cold[k + Cold.MTU_LOW] = toMtu(tcp, c, bytes);
  }
  syncMss(tcp, c, k);
}

/** Data of the next probe, half way between what is known to arrive and what may. */
export function mtuProbeBytes(tcp: TcpContext, c: number, k: number): number {
  return toBytes(tcp, c, (tcp.cold[k + Cold.MTU_HIGH] + tcp.cold[k + Cold.MTU_LOW]) >> 1);
}

/**
 * Whether the next segment may be a probe, with `unsent` bytes waiting: nothing is under suspicion, no SACK option makes headers vary, and behind the probe go as many
 * segments as it takes to notice that it is lost.
 */
export function considerMtuProbe(tcp: TcpContext, c: number, k: number, unsent: number): MtuProbe {
  const { hot, cold, limits } = tcp;
  if (!searches(tcp, k) || cold[k + Cold.MTU_PROBED] !== 0 || cold[k + Cold.CA_STATE] !== CaState.OPEN)
    return MtuProbe.NO;
  if (cwndPackets(tcp, c) < CWND_PACKETS_MIN || blocksToSend(tcp, c, k, 1) > 0) return MtuProbe.NO;
  const bytes = mtuProbeBytes(tcp, c, k);
  const needed = bytes + (cold[k + Cold.REORDERING] + 1) * effectiveMss(tcp, c);
  const interval = cold[k + Cold.MTU_HIGH] - cold[k + Cold.MTU_LOW];
  if (interval < limits.mtuProbeThreshold || bytes > toBytes(tcp, c, cold[k + Cold.MTU_HIGH])) {
    considerSearchAgain(tcp, c, k);
    return MtuProbe.NO;
  }
  if (unsent < needed || hot[c + Tcb.SND_WND] < needed) return MtuProbe.NO;
  const outstanding = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  if (outstanding + needed > hot[c + Tcb.SND_WND]) return MtuProbe.WAIT;
  const inFlight = packetsInFlight(cold, k);
  if (inFlight + 2 > cwndPackets(tcp, c)) return inFlight === 0 ? MtuProbe.NO : MtuProbe.WAIT;
  return MtuProbe.SEND;
}

/** RFC 4821 §7.7: paths change. After a while what was too big is tried again. */
function considerSearchAgain(tcp: TcpContext, c: number, k: number): void {
  const { cold, clock, limits } = tcp;
  if (((clock.ms - cold[k + Cold.MTU_SEARCHED_AT]) | 0) < limits.mtuProbeIntervalMs) return;
  cold[k + Cold.MTU_PROBED] = 0;
  cold[k + Cold.MTU_HIGH] = cold[k + Cold.PEER_MSS] + FIXED_HEADER_BYTES;
  cold[k + Cold.MTU_LOW] = toMtu(tcp, c, effectiveMss(tcp, c));
  cold[k + Cold.MTU_SEARCHED_AT] = clock.ms;
}

/** The segment from `seq` on was a probe. It takes the place of two in cwnd: it is about as large. */
export function mtuProbeSent(tcp: TcpContext, c: number, k: number, seq: number, bytes: number): void {
  const { hot, cold } = tcp;
  hot[c + Tcb.CWND] -= effectiveMss(tcp, c);
  cold[k + Cold.MTU_PROBED] = toMtu(tcp, c, bytes);
  cold[k + Cold.MTU_PROBE_SEQ] = seq;
  tcp.net.stats.tcpMtuProbes += 1;
}

/** SND.UNA has moved on: if the probe is behind it, it has arrived. cwnd stays what it is in bytes. */
export function considerMtuArrival(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const end = (cold[k + Cold.MTU_PROBE_SEQ] + toBytes(tcp, c, cold[k + Cold.MTU_PROBED])) | 0;
  if (((hot[c + Tcb.SND_UNA] - end) | 0) < 0) return;
  const before = toMtu(tcp, c, effectiveMss(tcp, c));
  const packets = Math.floor((cwndPackets(tcp, c) * before) / cold[k + Cold.MTU_PROBED]);
  cold[k + Cold.MTU_LOW] = cold[k + Cold.MTU_PROBED];
  cold[k + Cold.MTU_PROBED] = 0;
  syncMss(tcp, c, k);
  hot[c + Tcb.CWND] = (packets > 0 ? packets : 1) * effectiveMss(tcp, c);
  tcp.net.stats.tcpMtuProbesArrived += 1;
}

/** Something is taken for lost. True when it is the probe, and so says nothing about the path's load: cwnd gets back what the probe took. */
export function mtuProbeLost(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  if (cold[k + Cold.MTU_PROBED] === 0 || hot[c + Tcb.SND_UNA] !== cold[k + Cold.MTU_PROBE_SEQ]) return false;
  cold[k + Cold.MTU_HIGH] = cold[k + Cold.MTU_PROBED] - 1;
  cold[k + Cold.MTU_PROBED] = 0;
  hot[c + Tcb.CWND] += effectiveMss(tcp, c);
  tcp.net.stats.tcpMtuProbesLost += 1;
  return true;
}
