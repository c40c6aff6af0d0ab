import { seqGt, seqLt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';
import { appendToOrder, leaveOrder } from './transmit-queue.js';
import { cwndSegments, setCwnd } from './window-growth.js';

/**
 * Segment path. What the records add up to: RFC 6675 §4's SetPipe and IsLost, counted as things happen and never by walking. Without SACK
 * SACKED_OUT counts duplicate ACKs, each of which says that some segment has left the network (newreno.ts).
 */

/** Deviation: Linux's tcp_recovery, in the place of RFC 6675's or RFC 8985's one rule: bits of `limits.recovery`. */
export const enum Recovery {
  /** RACK finds losses (RFC 8985); else RFC 6675's count of SACKed segments does. */
  RACK = 1,
  /** The reordering window does not follow D-SACKs. */
  STATIC_WINDOW = 2,
  /** Three SACKed segments do not shut the reordering window. */
  NO_THRESHOLD = 4,
}

/** Linux's tcp_ca_state, and TCP_INFO's. */
export const enum CaState {
  OPEN = 0,
  /** Something is SACKed, or was sent again. */
  DISORDER = 1,
  /** cwnd is reduced for ECN's mark or a repaired tail. */
  CWR = 2,
  /** Fast recovery. */
  RECOVERY = 3,
  /** After a retransmission timeout. */
  LOSS = 4,
}

/** Bits of Cold.RECOVERY_BITS. */
export const enum RecoveryBit {
  /** UNDO_MARKER says where the reduction began that could still turn out to be for nothing. */
  UNDO = 1 << 0,
  /** RETRANS_STAMP is the time of the first retransmission of this episode. */
  STAMPED = 1 << 1,
  /** A tail loss probe is out, up to TLP_HIGH_SEQ; and it was a retransmission. */
  PROBE = 1 << 2,
  PROBE_RETRANS = 1 << 3,
  /** F-RTO looks whether the timeout was spurious. */
  FRTO = 1 << 4,
  /** The peer has taken a SACK back. */
  RENEGED = 1 << 5,
  /** RACK has something new to judge by. */
  RACK_ADVANCED = 1 << 6,
  /** A D-SACK has come that may have to do with reordering. */
  RACK_DSACK = 1 << 7,
  /** The peer sends D-SACKs. */
  DSACK_SEEN = 1 << 8,
}

export function usesRack(tcp: TcpContext): boolean {
  return (tcp.limits.recovery & Recovery.RACK) !== 0;
}
export function usesSack(tcp: TcpContext, c: number): boolean {
  return (tcp.hot[c + Tcb.STATE] & Flag.SACK) !== 0;
}

/** Pipe, RFC 6675 §4, in packets. */
export function packetsInFlight(cold: Int32Array, k: number): number {
  return cold[k + Cold.PACKETS_OUT] - cold[k + Cold.SACKED_OUT] - cold[k + Cold.LOST_OUT] + cold[k + Cold.RETRANS_OUT];
}

/** The same in bytes, as congestion control counts: no more than is outstanding. */
export function flightSize(tcp: TcpContext, c: number, k: number): number {
  const bytes = packetsInFlight(tcp.cold, k) * effectiveMss(tcp, c);
  const outstanding = (tcp.hot[c + Tcb.SND_NXT] - tcp.hot[c + Tcb.SND_UNA]) | 0;
  return bytes < outstanding ? (bytes > 0 ? bytes : 0) : outstanding;
}

/** cwnd in whole segments, and how it is set in them. */
export function cwndPackets(tcp: TcpContext, c: number): number {
  return cwndSegments(tcp, c, effectiveMss(tcp, c));
}
export function setCwndPackets(tcp: TcpContext, c: number, packets: number): void {
  setCwnd(tcp, c, packets * effectiveMss(tcp, c));
}

/** Counting delivered packets: each once, whether acknowledged, SACKed or told of by a D-SACK. */
export function countPackets(tcp: TcpContext, c: number, k: number, packets: number): void {
  tcp.cold[k + Cold.DELIVERED] = (tcp.cold[k + Cold.DELIVERED] + packets) | 0;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.DELIVERED] += packets;
}

/** One past the highest SACKed segment; SND.UNA when none is. */
export function highestSack(tcp: TcpContext, c: number, k: number): number {
  return tcp.cold[k + Cold.SACKED_OUT] === 0 ? tcp.hot[c + Tcb.SND_UNA] : tcp.cold[k + Cold.HIGHEST_SACK];
}

/** The segment of this record is taken for lost; if it had been sent again, that transmission is. */
export function markLost(tcp: TcpContext, k: number, at: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const flags = rows[at + Sent.FLAGS];
  if ((flags & SentFlag.SACKED) !== 0) return;
  // Sending again begins at the hint, so what is lost before it moves it back.
  const hint = cold[k + Cold.RETRANSMIT_HINT];
  if (hint === 0 ? cold[k + Cold.RETRANS_OUT] >= cold[k + Cold.LOST_OUT] : seqLt(rows[at], rows[hint]))
    cold[k + Cold.RETRANSMIT_HINT] = at;
  if ((flags & SentFlag.LOST) === 0) {
    rows[at + Sent.FLAGS] |= SentFlag.LOST;
    cold[k + Cold.LOST_OUT] += 1;
  } else if ((flags & SentFlag.RETRANS) !== 0) {
    rows[at + Sent.FLAGS] &= ~SentFlag.RETRANS;
    cold[k + Cold.RETRANS_OUT] -= 1;
    tcp.net.stats.tcpLostRetransmits += 1;
  } else return;
  leaveOrder(cold, rows, k, at);
  tcp.ack.lost += 1;
}

/** Nothing is lost after all. What was sent once is judged by its time again. */
export function unmarkLost(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  let after = 0;
  for (let at = cold[k + Cold.SENT_HEAD]; at !== 0; at = rows[at + Sent.NEXT]) {
    const flags = rows[at + Sent.FLAGS];
    if ((flags & SentFlag.LOST) === 0) continue;
    rows[at + Sent.FLAGS] = flags & ~SentFlag.LOST;
    if ((flags & (SentFlag.TIMED | SentFlag.RETRANSMITTED)) === 0) after = rejoinOrder(cold, rows, k, at, after);
  }
  cold[k + Cold.LOST_OUT] = 0;
  clearHints(cold, k);
}

/** Back into the order of sending. Those sent once come in the order they were sent, so the place is at or behind the one before. */
function rejoinOrder(cold: Int32Array, rows: Int32Array, k: number, at: number, after: number): number {
  const atUs = rows[at + Sent.AT_US];
  let later = after === 0 ? cold[k + Cold.OLDEST] : rows[after + Sent.LATER];
  while (later !== 0 && !seqGt(rows[later + Sent.AT_US], atUs)) later = rows[later + Sent.LATER];
  if (later === 0) {
    appendToOrder(cold, rows, k, at);
    return at;
  }
  const earlier = rows[later + Sent.EARLIER];
  rows[at + Sent.EARLIER] = earlier;
  rows[at + Sent.LATER] = later;
  rows[later + Sent.EARLIER] = at;
  if (earlier === 0) cold[k + Cold.OLDEST] = at;
  else rows[earlier + Sent.LATER] = at;
  rows[at + Sent.FLAGS] |= SentFlag.TIMED;
  return at;
}

export function clearHints(cold: Int32Array, k: number): void {
  cold[k + Cold.RETRANSMIT_HINT] = 0;
  cold[k + Cold.LOST_HINT] = 0;
}

/** Whether something outstanding has been sent more than once. */
export function anyRetransmitted(tcp: TcpContext, k: number): boolean {
  const { cold } = tcp;
  if (cold[k + Cold.RETRANS_OUT] > 0) return true;
  const head = cold[k + Cold.SENT_HEAD];
  return head !== 0 && (tcp.transmits.rows[head + Sent.FLAGS] & SentFlag.EVER_RETRANS) !== 0;
}

/** No retransmission is remembered as the first of an episode any more, if none is outstanding. */
export function forgetStamp(tcp: TcpContext, k: number): void {
  if (!anyRetransmitted(tcp, k)) tcp.cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.STAMPED;
}

/** Something sent once arrived after what was sent later: the path reorders, this far in segments. As Linux, up to `limits.maxReordering`. */
export function noteReordering(tcp: TcpContext, c: number, k: number, from: number): void {
  const { cold, limits } = tcp;
  const metric = (highestSack(tcp, c, k) - from) | 0;
  if (metric <= 0) return;
  const mss = effectiveMss(tcp, c);
  if (metric > cold[k + Cold.REORDERING] * mss) {
    const degree = Math.ceil(metric / mss);
    cold[k + Cold.REORDERING] = degree < limits.maxReordering ? degree : limits.maxReordering;
  }
  countReordering(tcp, c, k);
}

export function countReordering(tcp: TcpContext, c: number, k: number): void {
  tcp.cold[k + Cold.REORD_SEEN] += 1;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.REORDERINGS] += 1;
}
