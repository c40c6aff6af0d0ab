import { seqGeq, seqGt, seqLeq, seqLt } from '../base/seq.js';
import { AckFlag } from './ack-sample.js';
import type { TcpContext } from './context.js';
import { rateDelivered } from './delivery-rate.js';
import { effectiveMss } from './options.js';
import { rackAdvance } from './rack.js';
import { CaState, countPackets, highestSack, noteReordering, RecoveryBit } from './scoreboard.js';
import { Cold, Tally, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';
import { endOfRun, findRecord, leaveOrder } from './transmit-queue.js';

/**
 * Segment path. Selective acknowledgment, the sender's side: the blocks of RFC 2018 marked on the records, and duplicates reported by RFC 2883. A block is believed only as far as
 * it can be true. A run of SACKed records is passed in one step, so that a block that is told again costs nothing, and what a peer can make us walk it
 * must first have made us send.
 */

/** The blocks of the segment at hand; SND.UNA has taken in its acknowledgment, `ack.priorUna` is what it was. */
export function readBlocks(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack, options } = tcp;
  ack.reorderedFrom = tcp.hot[c + Tcb.SND_NXT];
  const duplicate = readDuplicate(tcp, c, k);
  const { sack } = options;
  if (seqLt(tcp.seg.ACK, (ack.priorUna - cold[k + Cold.MAX_SND_WND]) | 0) || cold[k + Cold.PACKETS_OUT] === 0) return;
  ack.blockCount = 0;
  for (let i = 0; i < options.sackCount; i++) {
    const left = sack[2 * i];
    const right = sack[2 * i + 1];
    const isDuplicate = i === 0 && duplicate;
    if (!blockIsValid(tcp, c, k, isDuplicate, left, right)) continue;
    tcp.net.stats.tcpSackBlocksIn += 1;
    if (!seqGt(right, ack.priorUna)) continue;
    if (isDuplicate) tagRange(tcp, c, k, left, right, true);
    else sortIn(ack.blocks, ack.blockCount++, left, right);
  }
  for (let i = 0; i < ack.blockCount; i++) tagRange(tcp, c, k, ack.blocks[2 * i], ack.blocks[2 * i + 1], false);
  // After a timeout the order of arrival says nothing, unless the timeout may have been for nothing.
  if (cold[k + Cold.CA_STATE] !== CaState.LOSS || (cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) !== 0)
    noteReordering(tcp, c, k, ack.reorderedFrom);
}

/** In order, so that what one ACK tells of two places is not taken for arrival in the wrong order. */
function sortIn(blocks: Int32Array, count: number, left: number, right: number): void {
  let i = count;
  for (; i > 0 && seqGt(blocks[2 * i - 2], left); i--) {
    blocks[2 * i] = blocks[2 * i - 2];
    blocks[2 * i + 1] = blocks[2 * i - 1];
  }
  blocks[2 * i] = left;
  blocks[2 * i + 1] = right;
}

/** RFC 2883 §4: the first block tells of a duplicate when it lies below the acknowledgment or inside the second. */
function readDuplicate(tcp: TcpContext, c: number, k: number): boolean {
  const { cold, ack, options, seg } = tcp;
  const { sack } = options;
  const left = sack[0];
  const right = sack[1];
  const below = seqLt(left, seg.ACK);
  if (!below && (options.sackCount < 2 || seqGt(right, sack[3]) || seqLt(left, sack[2]))) return false;
  tcp.net.stats.tcpDsacksIn += 1;
  const segments = takeDuplicate(tcp, c, k, left, right);
  if (segments === 0) return false;
  // About what is long acknowledged: the record is gone, and the count is all there is.
  const bits = cold[k + Cold.RECOVERY_BITS];
  if (
    (bits & RecoveryBit.UNDO) !== 0 &&
    cold[k + Cold.UNDO_RETRANS] > 0 &&
    !seqGt(right, ack.priorUna) &&
    seqGt(right, cold[k + Cold.UNDO_MARKER])
  ) {
    const left = cold[k + Cold.UNDO_RETRANS] - segments;
    cold[k + Cold.UNDO_RETRANS] = left > 0 ? left : 0;
  }
  return true;
}

/** How many segments of ours the duplicate is; 0: it cannot be of our making, and is not believed (as Linux). */
function takeDuplicate(tcp: TcpContext, c: number, k: number, left: number, right: number): number {
  const { cold, ack } = tcp;
  const length = (right - left) | 0;
  if (length <= 0 || length > cold[k + Cold.MAX_SND_WND]) return 0;
  const mss = effectiveMss(tcp, c);
  let segments = 1;
  if (length > mss) segments = Math.ceil(length / mss);
  else if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.PROBE) !== 0 && right === cold[k + Cold.TLP_HIGH_SEQ])
    ack.flags |= AckFlag.DSACK_TLP;
  cold[k + Cold.DSACK_DUPS] += segments;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.DSACK_DUPLICATES] += segments;
  // More duplicates than we sent anything twice: the network, or a lie.
  if (cold[k + Cold.DSACK_DUPS] > cold[k + Cold.TOTAL_RETRANS]) return 0;
  cold[k + Cold.RECOVERY_BITS] |= RecoveryBit.DSACK_SEEN;
  if (cold[k + Cold.REORD_SEEN] > 0 && (ack.flags & AckFlag.DSACK_TLP) === 0)
    cold[k + Cold.RECOVERY_BITS] |= RecoveryBit.RACK_DSACK;
  ack.flags |= AckFlag.DSACK;
  countPackets(tcp, c, k, segments);
  return segments;
}

/**
 * Whether a block can be true, RFC 2018 §3 and §8: not empty or reversed, nothing that was never sent, above SND.UNA. One that begins at SND.UNA makes no sense. A duplicate
 * may lie below, as far back as the retransmissions that may yet be undone.
 */
function blockIsValid(tcp: TcpContext, c: number, k: number, duplicate: boolean, left: number, right: number): boolean {
  const { hot, cold } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const nxt = hot[c + Tcb.SND_NXT];
  if (seqGt(right, nxt) || seqGeq(left, right) || seqGeq(left, nxt)) return false;
  if (seqGt(left, una)) return true;
  if (!duplicate || (cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) === 0 || seqGt(right, una)) return false;
  const marker = cold[k + Cold.UNDO_MARKER];
  if (seqGeq(left, marker)) return true;
  return seqGt(right, marker) && seqGeq(left, (right - cold[k + Cold.MAX_SND_WND]) | 0);
}

/**
 * Marks every record that lies in [left, right). A segment of which only a part is told of stays as it was: it was one packet, and is not taken apart
 * for a peer's wish (that is what CVE-2019-11478 did to others).
 */
function tagRange(tcp: TcpContext, c: number, k: number, left: number, right: number, duplicate: boolean): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  let at = findRecord(tcp, k, left);
  let run = 0;
  let last = 0;
  while (at !== 0 && seqLt(rows[at + Sent.SEQ], right)) {
    let end = at;
    const whole = seqLeq(left, rows[at + Sent.SEQ]) && seqLeq(rows[at + Sent.END], right);
    if ((rows[at + Sent.FLAGS] & SentFlag.SACKED) !== 0 && !duplicate) end = endOfRun(rows, at);
    else if (whole) tagOne(tcp, c, k, at, duplicate);
    if ((rows[at + Sent.FLAGS] & SentFlag.SACKED) !== 0) {
      if (run === 0) run = at;
      last = end;
    } else {
      if (last !== run) rows[run + Sent.RUN_END] = last;
      run = 0;
      last = 0;
    }
    cold[k + Cold.SACK_HINT] = run === 0 ? at : run;
    at = rows[end + Sent.NEXT];
  }
  if (last !== run) rows[run + Sent.RUN_END] = last;
}

/** One segment has arrived, out of order, or twice. */
function tagOne(tcp: TcpContext, c: number, k: number, at: number, duplicate: boolean): void {
  const { cold, ack } = tcp;
  const { rows } = tcp.transmits;
  const flags = rows[at + Sent.FLAGS];
  const seq = rows[at + Sent.SEQ];
  const end = rows[at + Sent.END];
  if (duplicate && (flags & SentFlag.RETRANSMITTED) !== 0) {
    if (
      (cold[k + Cold.RECOVERY_BITS] & RecoveryBit.UNDO) !== 0 &&
      cold[k + Cold.UNDO_RETRANS] > 0 &&
      seqGt(end, cold[k + Cold.UNDO_MARKER])
    )
      cold[k + Cold.UNDO_RETRANS] -= 1;
    if ((flags & SentFlag.SACKED) !== 0 && seqLt(seq, ack.reorderedFrom)) ack.reorderedFrom = seq;
  }
  // About to leave with the acknowledgment of the same segment.
  if (!seqGt(end, tcp.hot[c + Tcb.SND_UNA])) return;
  if ((flags & SentFlag.SACKED) === 0) tagNew(tcp, c, k, at);
  // The retransmission that is counted as on its way has arrived too.
  if (duplicate && (rows[at + Sent.FLAGS] & SentFlag.RETRANS) !== 0) {
    rows[at + Sent.FLAGS] &= ~SentFlag.RETRANS;
    cold[k + Cold.RETRANS_OUT] -= 1;
  }
}

function tagNew(tcp: TcpContext, c: number, k: number, at: number): void {
  const { cold, ack } = tcp;
  const { rows } = tcp.transmits;
  const seq = rows[at + Sent.SEQ];
  const end = rows[at + Sent.END];
  const sentAtUs = rows[at + Sent.AT_US];
  let flags = rows[at + Sent.FLAGS];
  rackAdvance(tcp, k, flags, end, sentAtUs);
  if ((flags & SentFlag.RETRANS) !== 0) {
    // One not taken for lost was a probe, or the original arrived late: the retransmission is still on its way.
    if ((flags & SentFlag.LOST) !== 0) {
      flags &= ~(SentFlag.LOST | SentFlag.RETRANS);
      cold[k + Cold.LOST_OUT] -= 1;
      cold[k + Cold.RETRANS_OUT] -= 1;
    }
  } else {
    if ((flags & SentFlag.RETRANSMITTED) === 0) {
      // Sent once, and arrived after something sent later: reordering.
      if (seqLt(seq, highestSack(tcp, c, k)) && seqLt(seq, ack.reorderedFrom)) ack.reorderedFrom = seq;
      if (!seqGt(end, cold[k + Cold.HIGH_SEQ])) ack.flags |= AckFlag.ORIGINAL_ARRIVED;
      if (!ack.sackTimed) ack.firstSackedAtUs = sentAtUs;
      ack.sackTimed = true;
      ack.lastSackedAtUs = sentAtUs;
    }
    if ((flags & SentFlag.LOST) !== 0) {
      flags &= ~SentFlag.LOST;
      cold[k + Cold.LOST_OUT] -= 1;
    }
  }
  rows[at + Sent.FLAGS] = flags | SentFlag.SACKED;
  rows[at + Sent.RUN_END] = 0;
  ack.flags |= AckFlag.DATA_SACKED;
  ack.bytes += (rows[at + Sent.END] - rows[at + Sent.SEQ]) | 0;
  const highest = highestSack(tcp, c, k);
  cold[k + Cold.SACKED_OUT] += 1;
  cold[k + Cold.HIGHEST_SACK] = seqGt(end, highest) ? end : highest;
  const hint = cold[k + Cold.LOST_HINT];
  if (hint !== 0 && seqLt(seq, rows[hint + Sent.SEQ])) cold[k + Cold.LOST_HINT_COUNT] += 1;
  countPackets(tcp, c, k, 1);
  rateDelivered(tcp, k, at);
  rows[at + Sent.FLAGS] &= ~SentFlag.RATED;
  leaveOrder(cold, rows, k, at);
}
