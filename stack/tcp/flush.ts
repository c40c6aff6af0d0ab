import { IntRing } from '../memory/ring.js';
import { mark, wayOf } from './connection.js';
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

/**
 * Every marked connection in the order they were marked, as long as frames fit. The rest stays marked for the next flush. Those whose frames found
 * no room wait in a queue for each way out, so that a device that takes nothing stops only those that send by it, and nobody loses his turn.
 */
export function outputMarked(tcp: TcpContext): void {
  for (let way = 0; way < tcp.blocked.length; way++) {
    const ring = tcp.blocked[way];
    for (let left = ring.length; left > 0 && tcp.net.roomOn(way - 1) > 0; left--) outputNext(tcp, ring.shift());
  }
  for (let left = tcp.marked.length; left > 0; left--) outputNext(tcp, tcp.marked.shift());
}

/** Some connection waits for room that is there again: a flush would find something to do. */
export function blockedHasRoom(tcp: TcpContext): boolean {
  for (let way = 0; way < tcp.blocked.length; way++)
    if (tcp.blocked[way].length > 0 && tcp.net.roomOn(way - 1) > 0) return true;
  return false;
}

function outputNext(tcp: TcpContext, c: number): void {
  const { hot } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.MARKED) === 0) return;
  const way = wayOf(tcp, c);
  tcp.way = way;
  if (tcp.net.roomOn(way) > 0) {
    hot[c + Tcb.STATE] &= ~Flag.MARKED;
    startCounting(tcp, c);
    if (output(tcp, c)) return;
    if (tcp.net.roomOn(way) > 0) {
      mark(tcp, c);
      return;
    }
    // Output may have marked it itself: then it stands in the queue already.
    if ((hot[c + Tcb.STATE] & Flag.MARKED) !== 0) return;
    hot[c + Tcb.STATE] |= Flag.MARKED;
  }
  while (tcp.blocked.length <= way + 1) growWays(tcp);
  tcp.blocked[way + 1].push(c);
}

/** Control path. Interfaces are only ever added. */
function growWays(tcp: TcpContext): void {
  tcp.blocked.push(new IntRing(16));
}

function startCounting(tcp: TcpContext, c: number): void {
  const k = tcp.hot[c + Tcb.COLD];
  const state = tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state === State.FIN_WAIT_2) startLinger(tcp, c, k);
  else if (state === State.SYN_SENT && synIsUnsent(tcp, c, k)) sendFirstSyn(tcp, c, k);
}
