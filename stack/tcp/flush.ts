import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { startLinger } from './fin-wait-2.js';
import { output } from './output.js';
import { State } from './state.js';
import { sendFirstSyn, synIsUnsent } from './syn-sent.js';
import { Flag, Tcb } from './tcb.js';

/**
 * Segment path. The end of a turn: marked connections send, and what counts from the moment of sending starts to count
 * (RFC 6298 §5.1). A program may have marked them long before, or in a handler that took long; the clock now shows when the
 * segments leave.
 */

/** Every marked connection in the order they were marked, as long as frames fit. The rest stays marked for the next flush. */
export function outputMarked(tcp: TcpContext): void {
  for (let left = tcp.marked.length; left > 0; left--) {
    if (tcp.net.room() <= 0) break;
    const c = tcp.marked.shift();
    if ((tcp.hot[c + Tcb.STATE] & Flag.MARKED) === 0) continue;
    tcp.hot[c + Tcb.STATE] &= ~Flag.MARKED;
    startCounting(tcp, c);
    if (!output(tcp, c)) mark(tcp, c);
  }
  tcp.outOfRoom = tcp.marked.length > 0 && tcp.net.room() <= 0;
}

function startCounting(tcp: TcpContext, c: number): void {
  const k = tcp.hot[c + Tcb.COLD];
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.FIN_WAIT_2) startLinger(tcp, c, k);
  else if (state === State.SYN_SENT && synIsUnsent(tcp, c, k)) sendFirstSyn(tcp, c, k);
}
