import { TcpFlag } from '../wire/tcp.js';
import type { TcpContext } from './context.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path, RFC 9293 §3.10.7.4. The segment at hand brings the next text and nothing else, and nothing waits out of order: what Linux's header prediction lets by. Some
 * of what Linux does for other segments it leaves out for these, and a sender can see it.
 */
export function isExpectedText(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, seg } = tcp;
  if (seg.LEN === 0 || seg.SEQ !== hot[c + Tcb.RCV_NXT]) return false;
  if ((hot[c + Tcb.STATE] & Flag.STATE_MASK) !== State.ESTABLISHED || cold[k + Cold.OOO_COUNT] !== 0) return false;
  return (seg.flags & (TcpFlag.FIN | TcpFlag.SYN | TcpFlag.URG)) === 0;
}
