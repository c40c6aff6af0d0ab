import { seqLt } from '../base/seq.js';
import { emitSackBlock, emitSackHeader, TcpOptionBytes } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Run } from './reassembly-pool.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Selective acknowledgment, the receiver's side (the sender's is in sack-blocks.ts): RFC 2018, and RFC 2883 for duplicates. The first block holds the run that changed
 * last, the others the runs reported before, most recent first, so that each is told several times.
 */
const RECENT_MAX = 4;

/** The run at `at` has changed: it is told first from now on. */
export function remember(tcp: TcpContext, k: number, at: number): void {
  const cold = tcp.cold;
  const first = k + Cold.SACK_RECENT;
  let i = 0;
  while (i < RECENT_MAX - 1 && cold[first + i] !== at) i += 1;
  for (; i > 0; i--) cold[first + i] = cold[first + i - 1];
  cold[first] = at;
}

/** The run at `at` is no more. */
export function forget(tcp: TcpContext, k: number, at: number): void {
  const cold = tcp.cold;
  const first = k + Cold.SACK_RECENT;
  let kept = 0;
  for (let i = 0; i < RECENT_MAX; i++) {
    const run = cold[first + i];
    if (run !== at && run !== 0) {
      cold[first + kept] = run;
      kept += 1;
    }
  }
  for (; kept < RECENT_MAX; kept++) cold[first + kept] = 0;
}

/** [left, right) has come twice: RFC 2883 §4, told once, in the next ACK. */
export function reportDuplicate(tcp: TcpContext, c: number, k: number, left: number, right: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.SACK) === 0 || !seqLt(left, right)) return;
  tcp.cold[k + Cold.DSACK_LEFT] = left;
  tcp.cold[k + Cold.DSACK_RIGHT] = right;
}

/** How many blocks there are to tell, at most `max`. */
export function blocksToSend(tcp: TcpContext, c: number, k: number, max: number): number {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.SACK) === 0) return 0;
  let blocks = cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT] ? 1 : 0;
  if (cold[k + Cold.OOO_COUNT] > 0) {
    for (let i = 0; i < RECENT_MAX && cold[k + Cold.SACK_RECENT + i] !== 0; i++) blocks += 1;
  }
  return blocks < max ? blocks : max;
}

/** Bytes of a SACK option with `blocks` blocks, padded in front to a multiple of four. */
export function sackBytes(blocks: number): number {
  return blocks === 0 ? 0 : 2 + TcpOptionBytes.SACK_HEADER + blocks * TcpOptionBytes.SACK_BLOCK;
}

/** Writes the option, behind the two NOPs, and returns where the next one goes. The duplicate is told only once. */
export function emitSack(tcp: TcpContext, k: number, view: DataView, at: number, blocks: number): number {
  const { cold } = tcp;
  const runs = tcp.reassembly.rows;
  let to = emitSackHeader(view, at, blocks);
  let left = blocks;
  if (cold[k + Cold.DSACK_LEFT] !== cold[k + Cold.DSACK_RIGHT]) {
    to = emitSackBlock(view, to, cold[k + Cold.DSACK_LEFT], cold[k + Cold.DSACK_RIGHT]);
    left -= 1;
    cold[k + Cold.DSACK_LEFT] = cold[k + Cold.DSACK_RIGHT];
    tcp.net.stats.tcpDsacksOut += 1;
  }
  for (let i = 0; i < left; i++) {
    const run = cold[k + Cold.SACK_RECENT + i];
    to = emitSackBlock(view, to, runs[run + Run.SEQ], runs[run + Run.END]);
  }
  return to;
}
