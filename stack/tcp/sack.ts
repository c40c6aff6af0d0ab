import { seqGeq, seqLeq, seqLt, seqMax, seqMin } from '../base/seq.js';
import { emitSackBlock, emitSackHeader, TcpOptionBytes } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Selective acknowledgment, the receiver's side (the sender's is in sack-blocks.ts): RFC 2018, and RFC 2883 for duplicates. The first block holds what came
 * last, the others what was reported before, most recent first, so that each is told several times. Four are kept, as many as an option can hold: a block forgotten for want of room
 * begins anew with the next segment beside it (as Linux).
 */
const BLOCKS_MAX = 4;
/** From this block on what came is news the peer has not had for long: an ACK held back must tell it as it was (Linux: TCP_SACK_BLOCKS_EXPECTED). */
export const BLOCKS_EXPECTED = 2;

/** The block that [seq, end) touches, which then holds it too; how many there are when there is none. */
export function extendBlock(tcp: TcpContext, k: number, seq: number, end: number): number {
  const { cold } = tcp;
  const count = cold[k + Cold.SACK_COUNT];
  for (let i = 0; i < count; i++) {
    const at = k + Cold.SACK_BLOCKS + 2 * i;
    if (!seqLeq(seq, cold[at + 1]) || !seqLeq(cold[at], end)) continue;
    cold[at] = seqMin(cold[at], seq);
    cold[at + 1] = seqMax(cold[at + 1], end);
    return i;
  }
  return count;
}

/** Block `i` of `extendBlock`, or a new one of [seq, end), is told first from now on; those it has grown into are joined to it. */
export function tellFirst(tcp: TcpContext, k: number, i: number, seq: number, end: number): void {
  const { cold } = tcp;
  const first = k + Cold.SACK_BLOCKS;
  const isNew = i === cold[k + Cold.SACK_COUNT];
  const left = isNew ? seq : cold[first + 2 * i];
  const right = isNew ? end : cold[first + 2 * i + 1];
  if (isNew && i < BLOCKS_MAX) cold[k + Cold.SACK_COUNT] += 1;
  for (let to = i < BLOCKS_MAX ? i : BLOCKS_MAX - 1; to > 0; to--) moveBlock(cold, first, to - 1, to);
  cold[first] = left;
  cold[first + 1] = right;
  if (!isNew) joinFirst(cold, k);
}

function moveBlock(cold: Int32Array, first: number, from: number, to: number): void {
  cold[first + 2 * to] = cold[first + 2 * from];
  cold[first + 2 * to + 1] = cold[first + 2 * from + 1];
}

function joinFirst(cold: Int32Array, k: number): void {
  const first = k + Cold.SACK_BLOCKS;
  let kept = 1;
  for (let i = 1; i < cold[k + Cold.SACK_COUNT]; i++) {
    const left = cold[first + 2 * i];
    const right = cold[first + 2 * i + 1];
    if (seqLeq(left, cold[first + 1]) && seqLeq(cold[first], right)) {
      cold[first] = seqMin(cold[first], left);
      cold[first + 1] = seqMax(cold[first + 1], right);
    } else {
      moveBlock(cold, first, i, kept);
      kept += 1;
    }
  }
  cold[k + Cold.SACK_COUNT] = kept;
}

/** RCV.NXT has moved: blocks it has reached are no more. */
export function dropReached(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if (cold[k + Cold.OOO_COUNT] === 0 && cold[k + Cold.FIN_WAITING] === 0) {
    cold[k + Cold.SACK_COUNT] = 0;
    return;
  }
  const first = k + Cold.SACK_BLOCKS;
  let kept = 0;
  for (let i = 0; i < cold[k + Cold.SACK_COUNT]; i++) {
    if (seqGeq(hot[c + Tcb.RCV_NXT], cold[first + 2 * i])) continue;
    moveBlock(cold, first, i, kept);
    kept += 1;
  }
  cold[k + Cold.SACK_COUNT] = kept;
}

/** What they told of was let go: RFC 2018 §8. */
export function forgetBlocks(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.SACK_COUNT] = 0;
}

/** The number `seq`, which is beyond RCV.NXT, is in a block: it has come before. */
export function isReported(tcp: TcpContext, k: number, seq: number): boolean {
  const { cold } = tcp;
  for (let i = 0; i < cold[k + Cold.SACK_COUNT]; i++) {
    const at = k + Cold.SACK_BLOCKS + 2 * i;
    if (seqLeq(cold[at], seq) && seqLt(seq, cold[at + 1])) return true;
  }
  return false;
}

/** The highest sequence number the blocks tell of; RCV.NXT without any. */
export function highestTold(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  let highest = hot[c + Tcb.RCV_NXT];
  for (let i = 0; i < cold[k + Cold.SACK_COUNT]; i++) highest = seqMax(highest, cold[k + Cold.SACK_BLOCKS + 2 * i + 1]);
  return highest;
}

/** [left, right) has come twice: RFC 2883 §4, told once, in the next ACK. */
export function reportDuplicate(tcp: TcpContext, c: number, k: number, left: number, right: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.SACK) === 0 || !tcp.limits.dsack || !seqLt(left, right)) return;
  tcp.cold[k + Cold.DSACK_LEFT] = left;
  tcp.cold[k + Cold.DSACK_RIGHT] = right;
}

/** So has this of the same segment: the report grows where it touches, and stays as it is where it does not. */
export function extendDuplicate(tcp: TcpContext, c: number, k: number, left: number, right: number): void {
  const { cold } = tcp;
  if (cold[k + Cold.DSACK_LEFT] === cold[k + Cold.DSACK_RIGHT]) reportDuplicate(tcp, c, k, left, right);
  else if (seqLeq(left, cold[k + Cold.DSACK_RIGHT]) && seqLeq(cold[k + Cold.DSACK_LEFT], right)) {
    cold[k + Cold.DSACK_LEFT] = seqMin(cold[k + Cold.DSACK_LEFT], left);
    cold[k + Cold.DSACK_RIGHT] = seqMax(cold[k + Cold.DSACK_RIGHT], right);
  }
}

/** A segment with data begins: what was not told yet of the one before is told no more. */
export function clearDuplicate(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.DSACK_RIGHT] = tcp.cold[k + Cold.DSACK_LEFT];
}

/** How many blocks there are to tell, at most `max`. */
export function blocksToSend(tcp: TcpContext, c: number, k: number, max: number): number {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.SACK) === 0) return 0;
  const blocks = cold[k + Cold.SACK_COUNT] + (cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT] ? 1 : 0);
  return blocks < max ? blocks : max;
}

/** Bytes of a SACK option with `blocks` blocks, padded in front to a multiple of four. */
export function sackBytes(blocks: number): number {
  return blocks === 0 ? 0 : 2 + TcpOptionBytes.SACK_HEADER + blocks * TcpOptionBytes.SACK_BLOCK;
}

/** Writes the option, behind the two NOPs, and returns where the next one goes. The duplicate is told only once. */
export function emitSack(tcp: TcpContext, k: number, view: DataView, at: number, blocks: number): number {
  const { cold } = tcp;
  let to = emitSackHeader(view, at, blocks);
  let left = blocks;
  if (cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT]) {
    to = emitSackBlock(view, to, cold[k + Cold.DSACK_LEFT], cold[k + Cold.DSACK_RIGHT]);
    left -= 1;
    cold[k + Cold.DSACK_LEFT] = cold[k + Cold.DSACK_RIGHT];
    tcp.net.stats.tcpDsacksOut += 1;
  }
  for (let i = 0; i < left; i++) {
    const block = k + Cold.SACK_BLOCKS + 2 * i;
    to = emitSackBlock(view, to, cold[block], cold[block + 1]);
  }
  return to;
}
