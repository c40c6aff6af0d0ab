import { seqLeq, seqLt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** Segment path. Protection against wrapped sequence numbers, RFC 7323 §5. */

/** §5.5: after 24 days of silence TS.Recent may have wrapped and proves nothing. */
const TS_RECENT_VALID_MS = 24 * 24 * 3600 * 1000;

/**
 * R1: a timestamp older than TS.Recent comes from an old duplicate. Never applied to RST (§5.2).
 * Deviation: §3.2 would have us drop a segment without the option once it was agreed. As Linux we take it: middleboxes lose options.
 */
export function olderThanRecent(tcp: TcpContext, c: number): boolean {
  const { hot, seg } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return false;
  return seqLt(seg.TSval, hot[c + Tcb.TS_RECENT]) && !recentExpired(tcp, c);
}

/** Unsigned: a silence may last longer than half of the clock's circle. */
function recentExpired(tcp: TcpContext, c: number): boolean {
  return (tcp.clock.ms - tcp.hot[c + Tcb.LAST_ACTIVITY]) >>> 0 >= TS_RECENT_VALID_MS;
}

/** §4.3 (2): TS.Recent follows the segments that begin at or before what we last acknowledged; expired, it follows back as well (§5.5). */
export function updateRecent(tcp: TcpContext, c: number, k: number): void {
  const { hot, seg } = tcp;
  seg.newer = false;
  if ((hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return;
  if (!seqLeq(seg.SEQ, tcp.cold[k + Cold.LAST_ACK_SENT])) return;
  if (!seqLeq(hot[c + Tcb.TS_RECENT], seg.TSval) && !recentExpired(tcp, c)) return;
  seg.newer = hot[c + Tcb.TS_RECENT] !== seg.TSval;
  hot[c + Tcb.TS_RECENT] = seg.TSval;
}
