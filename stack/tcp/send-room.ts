import { Event } from '../net/event-queue.js';
import { tell } from './connection.js';
import type { TcpContext } from './context.js';
import { Extra, extraOf } from './extra-rows.js';
import { sendLimit } from './memory.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** Segment path. When a program whose SEND (RFC 9293 §3.10.2) came up short is told that there is room again. */

/**
 * WRITABLE once a third of the send buffer is free: not for each segment, and not only when it has run dry. With
 * TCP_NOTSENT_LOWAT, as Linux, once less than half of that is unsent.
 */
export function offerRoom(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.WRITE_BLOCKED) === 0) return;
  const limit = sendLimit(tcp, c, k);
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  if (queued * 3 > limit * 2) return;
  if (cold[k + Cold.EXTRA] !== 0) {
    const lowWater = extraOf(tcp, k, Extra.NOTSENT_LOWAT);
    if (lowWater !== 0 && (queued - ((hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0)) * 2 >= lowWater) return;
  }
  hot[c + Tcb.STATE] &= ~Flag.WRITE_BLOCKED;
  tell(tcp, c, Event.WRITABLE);
}
