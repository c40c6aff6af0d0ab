import type { TcpContext } from './context.js';
import { sendLimit } from './memory.js';
import { sendLimitAtRest } from './sleep.js';
import { State } from './state.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** How much waits in the queues of a connection: what a program asks before SEND and RECEIVE (RFC 9293 §3.9.1). */

export function readableBytes(tcp: TcpContext, c: number): number {
  return tcp.arena.length(tcp.hot[c + Tcb.RCV_QUEUE]);
}

/** Control path. Copies what RECEIVE would return next, from `offset` bytes into it on, and leaves it there. Returns how many bytes. */
export function peekBytes(tcp: TcpContext, c: number, offset: number, into: Uint8Array): number {
  const count = Math.max(0, Math.min(into.length, readableBytes(tcp, c) - offset));
  if (count > 0) tcp.arena.copyOut(tcp.hot[c + Tcb.RCV_QUEUE], offset, into, 0, count);
  return count;
}

/** MUST-33: bytes up to the end of the urgent data that the program has not read, whether they have come or not. 0: none are known of. */
export function urgentBytes(tcp: TcpContext, c: number): number {
  const { hot, cold } = tcp;
  const k = hot[c + Tcb.COLD];
  const word = hot[c + Tcb.STATE];
  if (k === 0 || (word & Flag.RCV_URGENT) === 0) return 0;
  const end = (hot[c + Tcb.RCV_NXT] - ((word & Flag.FIN_RECEIVED) !== 0 ? 1 : 0)) | 0;
  return Math.max(0, ((cold[k + Cold.RCV_UP] - end) | 0) + readableBytes(tcp, c));
}

export function writableBytes(tcp: TcpContext, c: number): number {
  const k = tcp.hot[c + Tcb.COLD];
  const limit = k === 0 ? sendLimitAtRest(tcp, c) : sendLimit(tcp, c, k);
  const word = tcp.hot[c + Tcb.STATE];
  if ((word & Flag.FIN_QUEUED) !== 0 || (word & Flag.STATE_MASK) === State.CLOSED) return 0;
  return Math.max(0, limit - unacknowledgedBytes(tcp, c));
}

export function unsentBytes(tcp: TcpContext, c: number): number {
  const sent = (tcp.hot[c + Tcb.SND_NXT] - tcp.hot[c + Tcb.SND_UNA]) | 0;
  return Math.max(0, unacknowledgedBytes(tcp, c) - sent);
}

export function unacknowledgedBytes(tcp: TcpContext, c: number): number {
  return tcp.arena.length(tcp.hot[c + Tcb.SND_QUEUE]);
}
