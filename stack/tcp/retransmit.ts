import { seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { holdOption } from './acc-ecn-option.js';
import { endsResentBurst } from './burst.js';
import { mark, roomFor } from './connection.js';
import type { TcpContext } from './context.js';
import { noteAnswer } from './delayed-ack.js';
import { recordRate } from './delivery-rate.js';
import { optionBytesNow, sendSegment } from './emit.js';
import { sendMss } from './options.js';
import { awaitsDeparture } from './pacing.js';
import { inCwndReduction } from './prr.js';
import { Pending, setPending } from './retransmission-timer.js';
import { rtoMs } from './rtt.js';
import { CaState, cwndPackets, packetsInFlight, RecoveryBit, usesSack } from './scoreboard.js';
import { addTo } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';
import { appendToOrder, bytesOf, leaveOrder, mergeNext, splitRecord } from './transmit-queue.js';

/** Segment path. Sending again what is lost (RFC 6675 §5, NextSeg rule 1), as segments of the present size: RFC 9293 §3.7.3 lets a retransmission be cut or put together anew. */

/** What output is to do before anything new. The order is that of urgency. */
export const enum Rexmit {
  NONE = 0,
  /** Fill what cwnd allows with new data first: F-RTO's step 2.b. */
  NEW = 1,
  /** What is lost, as far as cwnd allows. */
  LOST = 2,
  /** A tail loss probe. */
  PROBE = 3,
  /** The first segment, whatever cwnd says: the timer has expired. */
  HEAD = 4,
}

/** How sending a record again came out. */
export const enum Resent {
  SENT = 0,
  /** The window has shrunk in front of it, or there is no record for what is cut off. */
  REFUSED = 1,
  /** No frame: with the next flush. */
  NO_ROOM = 2,
}

export function wantRexmit(tcp: TcpContext, c: number, k: number, what: Rexmit): void {
  if (what > tcp.cold[k + Cold.REXMIT]) tcp.cold[k + Cold.REXMIT] = what;
  mark(tcp, c);
}

/** The first segment again, after a timeout. False when frames ran out. */
export function resendHead(tcp: TcpContext, c: number, k: number): boolean {
  const head = tcp.cold[k + Cold.SENT_HEAD];
  if (head === 0) return true;
  const push = tcp.limits.pushBursts && endsResentBurst(tcp, c, 0, head, 1);
  return resendLost(tcp, c, k, head, Cause.RETRANSMIT_TIMEOUT, push) !== Resent.NO_ROOM;
}

/** Everything lost, in order, as far as cwnd goes. False when frames ran out. */
export function resendLostSegments(tcp: TcpContext, c: number, k: number): boolean {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const head = cold[k + Cold.SENT_HEAD];
  const cwnd = cwndPackets(tcp, c);
  let hole = false;
  let before = 0;
  for (let at = cold[k + Cold.RETRANSMIT_HINT] || head; at !== 0; at = rows[at + Sent.NEXT]) {
    if (!hole) cold[k + Cold.RETRANSMIT_HINT] = at;
    const left = cwnd - packetsInFlight(cold, k);
    if (left <= 0 || cold[k + Cold.RETRANS_OUT] >= cold[k + Cold.LOST_OUT]) return true;
    const flags = rows[at + Sent.FLAGS];
    if ((flags & SentFlag.LOST) === 0) {
      // Not lost yet, and may be later: the next time begins here.
      if ((flags & (SentFlag.RETRANS | SentFlag.SACKED)) === 0) hole = true;
      continue;
    }
    if ((flags & (SentFlag.SACKED | SentFlag.RETRANS)) !== 0) continue;
    if (awaitsDeparture(tcp, c, k)) {
      wantRexmit(tcp, c, k, Rexmit.LOST);
      return true;
    }
    const push = tcp.limits.pushBursts && endsResentBurst(tcp, c, before, at, left);
    const resent = resendLost(tcp, c, k, at, causeNow(tcp, k, at === head), push);
    before = at;
    if (resent !== Resent.SENT) return resent === Resent.REFUSED;
    if (inCwndReduction(cold, k)) cold[k + Cold.PRR_OUT] += 1;
    // The first segment has left again, so its time begins anew; RACK's timer, if it stands, comes first.
    if (at === head && cold[k + Cold.PENDING] !== Pending.REORDERING)
      setPending(tcp, c, k, Pending.TIMEOUT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
  }
  return true;
}

function causeNow(tcp: TcpContext, k: number, first: boolean): Cause {
  if (tcp.cold[k + Cold.CA_STATE] === CaState.LOSS) return Cause.RETRANSMIT_TIMEOUT;
  return first ? Cause.RETRANSMIT_FAST : Cause.RETRANSMIT_PARTIAL_ACK;
}

/** A segment taken for lost goes again: its transmission counts as in flight, and may turn out to have been needless. */
function resendLost(tcp: TcpContext, c: number, k: number, at: number, cause: Cause, push: boolean): Resent {
  const { cold, clock } = tcp;
  const resent = resend(tcp, c, k, at, cause, push);
  if (resent !== Resent.SENT) return resent;
  tcp.transmits.rows[at + Sent.FLAGS] |= SentFlag.RETRANS;
  cold[k + Cold.RETRANS_OUT] += 1;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.STAMPED) === 0) {
    cold[k + Cold.RECOVERY_BITS] |= RecoveryBit.STAMPED;
    cold[k + Cold.RETRANS_STAMP] = clock.ms;
  }
  if (cold[k + Cold.UNDO_RETRANS] < 0) cold[k + Cold.UNDO_RETRANS] = 0;
  cold[k + Cold.UNDO_RETRANS] += 1;
  return Resent.SENT;
}

/** Sends the segment of a record again: what SND.UNA has passed left off, no more than the MSS and the window allow, small ones put together. */
export function resend(tcp: TcpContext, c: number, k: number, at: number, cause: Cause, push: boolean): Resent {
  const { hot, cold } = tcp;
  const { rows } = tcp.transmits;
  const una = hot[c + Tcb.SND_UNA];
  if (seqLt(rows[at + Sent.SEQ], una)) rows[at + Sent.SEQ] = una;
  const seq = rows[at + Sent.SEQ];
  if ((hot[c + Tcb.STATE] & Flag.ECN) !== 0) holdOption(tcp, c, k);
  const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  // Only what the peer still offers (SHLD-16); at SND.UNA one segment may always go, as the probe of a window that has shrunk to nothing.
  let available = (una + hot[c + Tcb.SND_WND] - seq) | 0;
  if (available <= 0) {
    if (seq !== una) return Resent.REFUSED;
    available = mss;
  }
  if (roomFor(tcp, c) <= 0) return Resent.NO_ROOM;
  const most = available < mss ? available : mss;
  const length = bytesOf(rows, at);
  if (length > most) {
    // Without a record for the rest the timer tries again.
    if (!splitRecord(tcp, k, at, most)) return Resent.REFUSED;
    push = false;
  } else if (length < most) gather(tcp, c, k, at, most - length);
  const flags = rows[at + Sent.FLAGS];
  const bits =
    ((flags & SentFlag.PUSH) !== 0 || push ? TcpFlag.PSH : 0) | ((flags & SentFlag.FIN) !== 0 ? TcpFlag.FIN : 0);
  const bytes = bytesOf(rows, at);
  if (!sendSegment(tcp, c, k, seq, bytes, bits, cause)) return Resent.NO_ROOM;
  // To Linux text that is sent again is an answer, too.
  if (bytes > 0) noteAnswer(tcp, c, k);
  // What is sent again says nothing about a probe any more.
  cold[k + Cold.MTU_PROBED] = 0;
  leaveOrder(cold, rows, k, at);
  rows[at + Sent.AT_US] = tcp.clock.us32;
  rows[at + Sent.FLAGS] |= SentFlag.EVER_RETRANS;
  appendToOrder(cold, rows, k, at);
  recordRate(tcp, k, at);
  count(tcp, c, k, bytes);
  return Resent.SENT;
}

/** Small segments that follow go along, as far as there is room: Linux's tcp_retrans_collapse, RFC 9293 §3.7.3's "repacketization". */
function gather(tcp: TcpContext, c: number, k: number, at: number, room: number): void {
  const { hot, cold } = tcp;
  const { rows } = tcp.transmits;
  if (!tcp.limits.retransmitGathers) return;
  const end = (hot[c + Tcb.SND_UNA] + hot[c + Tcb.SND_WND]) | 0;
  while ((rows[at + Sent.FLAGS] & SentFlag.RECORD_END) === 0) {
    const next = rows[at + Sent.NEXT];
    if (next === 0 || (rows[next + Sent.FLAGS] & SentFlag.SACKED) !== 0) return;
    room -= bytesOf(rows, next);
    if (room < 0 || seqGt(rows[next + Sent.END], end)) return;
    mergeNext(tcp, k, at);
    // A duplicate ACK that stood for the segment stands for none now.
    if (!usesSack(tcp, c) && cold[k + Cold.SACKED_OUT] > 0) cold[k + Cold.SACKED_OUT] -= 1;
  }
}

function count(tcp: TcpContext, c: number, k: number, bytes: number): void {
  tcp.net.stats.tcpRetransSegs += 1;
  tcp.cold[k + Cold.TOTAL_RETRANS] += 1;
  if (!tcp.tallies) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.RETRANSMITTED] += 1;
  addTo(tcp.tally, at + Tally.BYTES_RETRANSMITTED, bytes);
}
