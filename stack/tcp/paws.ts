import { seqDiff, seqGt, seqLt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { sendShift } from './options.js';
import { rtoMs } from './rtt.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** Segment path. Protection against wrapped sequence numbers, RFC 7323 §5. */

/**
 * §5.5: after a long silence TS.Recent may have wrapped and proves nothing.
 * Deviation: 24 days there; as Linux (since it lets timestamps count microseconds) the 35 minutes after which a peer's clock of 1 µs has gone half its way round.
 */
const TS_RECENT_VALID_MS = 2147 * 1000;
/** Two cores of one sender may stamp their segments in the wrong order: one tick back is none (Linux: TCP_PAWS_WINDOW). */
const TICKS_BACK = 1;

/**
 * R1: a timestamp older than TS.Recent comes from an old duplicate. Never applied to RST (§5.2).
 * Deviation: §3.2 would have us drop a segment without the option once it was agreed. As Linux we take it: middleboxes lose options.
 */
export function olderThanRecent(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, seg } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return false;
  const behind = seqDiff(hot[c + Tcb.TS_RECENT], seg.TSval);
  return behind > TICKS_BACK && !recentProvesNothing(tcp, c) && !isOvertakenAck(tcp, c, k, behind);
}

/** Too old; or zero, which some peers put into their SYN before their clock is known (as Linux). */
function recentProvesNothing(tcp: TcpContext, c: number): boolean {
  // Unsigned: a silence may last longer than half of the clock's circle.
  return (
    tcp.hot[c + Tcb.TS_RECENT] === 0 || (tcp.clock.ms - tcp.hot[c + Tcb.LAST_ACTIVITY]) >>> 0 >= TS_RECENT_VALID_MS
  );
}

/**
 * A bare ACK that says nothing new and is not older than an RTO has only been overtaken. To answer it would make the peer answer, too; it is let through, and does nothing (as Linux's
 * tcp_disordered_ack; the timestamp is taken for milliseconds, and a fifth more is allowed).
 */
function isOvertakenAck(tcp: TcpContext, c: number, k: number, behind: number): boolean {
  const { hot, cold, seg } = tcp;
  if (seg.LEN !== 0 || seg.SEQ !== hot[c + Tcb.RCV_NXT] || seg.ACK !== hot[c + Tcb.SND_UNA]) return false;
  if (seqGt(seg.SEQ, cold[k + Cold.SND_WL1])) return false;
  const window = seg.WND << ((hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 ? sendShift(tcp, c) : 0);
  if (seg.SEQ === cold[k + Cold.SND_WL1] && (window === 0 || window > hot[c + Tcb.SND_WND])) return false;
  return behind <= rtoMs(tcp, c, 0) * 1.2;
}

/** §4.3 (2): TS.Recent follows the segments that begin at or before what we last acknowledged; where it proves nothing, it follows back as well (§5.5). */
export function updateRecent(tcp: TcpContext, c: number, k: number): void {
  const { hot, seg } = tcp;
  seg.newer = false;
  if ((hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return;
  if (seqGt(seg.SEQ, tcp.cold[k + Cold.LAST_ACK_SENT])) return;
  if (seqLt(seg.TSval, hot[c + Tcb.TS_RECENT]) && !recentProvesNothing(tcp, c)) return;
  seg.newer = hot[c + Tcb.TS_RECENT] !== seg.TSval;
  hot[c + Tcb.TS_RECENT] = seg.TSval;
}
