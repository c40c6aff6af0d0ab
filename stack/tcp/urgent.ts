import { seqGt } from '../base/seq.js';
import { Event } from '../net/event-queue.js';
import { TcpFlag } from '../wire/tcp.js';
import { tell } from './connection.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Sixth check: the URG bit. RFC 6093 deprecates urgent data for new programs and has it delivered in line; we note how far it reaches
 * (MUST-31, MUST-32) and tell the program once each time it moves. The bytes stay in the stream.
 */
export function processUrgent(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  if ((seg.flags & TcpFlag.URG) === 0) return;
  const up = (seg.SEQ + seg.UP) | 0;
  const had = (hot[c + Tcb.STATE] & Flag.RCV_URGENT) !== 0;
  if (!seqGt(up, hot[c + Tcb.RCV_NXT]) || (had && !seqGt(up, cold[k + Cold.RCV_UP]))) return;
  cold[k + Cold.RCV_UP] = up;
  hot[c + Tcb.STATE] |= Flag.RCV_URGENT;
  tell(tcp, c, Event.URGENT);
}
