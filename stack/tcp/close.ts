import { StackError } from '../base/errors.js';
import { Cause } from '../net/note.js';
import { becomeOrphan, finish, mark, release, wake, wayOf } from './connection.js';
import type { TcpContext } from './context.js';
import { lingerInFinWait2 } from './fin-wait-2.js';
import { tooManyOrphans } from './give-up.js';
import { output } from './output.js';
import { sendOwnReset } from './own-reset.js';
import { State, stateName } from './state.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';
import { rowFor } from './user-calls.js';

/** CLOSE and ABORT, RFC 9293 §3.9.1.4, §3.10.4 and §3.10.5, and what sockets have made of them: shutdown, SO_LINGER, orphans. */

/**
 * CLOSE of one half: nothing more to send. The other direction stays open. Whatever ended a connection, shutdown(2) says ENOTCONN of it (as Linux).
 */
export function shutdown(tcp: TcpContext, id: number): void {
  queueFin(tcp, rowFor(tcp, id));
}

/**
 * The program will read no more (SHUT_RD). Nothing is said to the peer, and what comes is still taken, as Linux has it; but once both halves are closed
 * here, bytes that nobody can read are answered with a RST.
 */
export function shutdownReceive(tcp: TcpContext, id: number): void {
  const c = rowFor(tcp, id);
  if ((tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.CLOSED)
    throw new StackError('ENOTCONN', 'shutdown: the connection is CLOSED');
  readNoMore(tcp, c);
}

function readNoMore(tcp: TcpContext, c: number): void {
  const k = wake(tcp, c);
  if (k === 0) throw new StackError('ENOBUFS', 'shutdown: no memory to remember it; raise activeMax');
  tcp.cold[k + Cold.CUSTOM] |= Custom.RECEIVE_SHUT;
  tcp.hot[c + Tcb.STATE] |= Flag.CUSTOM;
}

function queueFin(tcp: TcpContext, c: number): void {
  const { hot } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0) return;
  switch (hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.SYN_SENT:
    case State.SYN_RECEIVED:
      // Waits for ESTABLISHED, as §3.10.4 allows.
      hot[c + Tcb.STATE] |= Flag.FIN_QUEUED;
      return;
    case State.ESTABLISHED:
      tcp.table.setState(c, State.FIN_WAIT_1);
      break;
    case State.CLOSE_WAIT:
      tcp.table.setState(c, State.LAST_ACK);
      break;
    default:
      throw new StackError(
        'ENOTCONN',
        `shutdown: the connection is ${stateName(hot[c + Tcb.STATE] & Flag.STATE_MASK)}`,
      );
  }
  tcp.net.stats.tcpCurrEstab -= 1;
  hot[c + Tcb.STATE] |= Flag.FIN_QUEUED;
  mark(tcp, c);
}

/**
 * A RST is about to end the connection. What the program has sent since the last flush leaves before it, as far as the windows allow: a send(2) of Linux
 * would have sent it at once.
 */
function sendBeforeReset(tcp: TcpContext, c: number): void {
  const { hot } = tcp;
  const word = hot[c + Tcb.STATE];
  if ((word & Flag.MARKED) === 0) return;
  if (hot[c + Tcb.SND_QUEUE] === 0 && (word & Flag.FIN_QUEUED) === 0) return;
  tcp.way = wayOf(tcp, c);
  output(tcp, c);
}

/**
 * Received bytes that were never read are lost, and the peer is told so with a RST (RFC 9293 §3.6.1, SHLD-3; RFC 2525 §2.17). Its window is the
 * one that holds once they are thrown away. True when there were any.
 */
function resetUnread(tcp: TcpContext, c: number): boolean {
  const { hot } = tcp;
  if (hot[c + Tcb.RCV_QUEUE] === 0) return false;
  sendBeforeReset(tcp, c);
  tcp.arena.free(hot[c + Tcb.RCV_QUEUE]);
  hot[c + Tcb.RCV_QUEUE] = 0;
  sendOwnReset(tcp, c, Cause.RST_UNREAD_DATA);
  tcp.net.stats.tcpEstabResets += 1;
  tcp.net.stats.tcpAbortOnClose += 1;
  finish(tcp, c);
  return true;
}

/**
 * SO_LINGER: closes as `close` does, but the id stays, so that the program can wait until its bytes have arrived. True while that is worth waiting for:
 * SENT, CLOSED or FAILED is told then. `close` comes after the wait, however it ended.
 */
export function closeLingering(tcp: TcpContext, id: number): boolean {
  const c = rowFor(tcp, id);
  const { hot } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  if (state <= State.SYN_SENT || resetUnread(tcp, c)) return false;
  readNoMore(tcp, c);
  queueFin(tcp, c);
  return (hot[c + Tcb.STATE] & Flag.STATE_MASK) !== State.FIN_WAIT_2;
}

/** The program lets go of the connection altogether. What is queued is still sent, and the FIN after it; but see `resetUnread`. */
export function close(tcp: TcpContext, id: number): void {
  const c = rowFor(tcp, id);
  const { hot } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  tcp.table.disown(c);
  becomeOrphan(tcp, c);
  if (state === State.CLOSED) {
    release(tcp, c);
    return;
  }
  tcp.events.forget(0, c >>> Tcb.SHIFT);
  if (state === State.SYN_SENT) {
    tcp.net.stats.tcpAttemptFails += 1;
    finish(tcp, c);
    return;
  }
  if (resetUnread(tcp, c)) return;
  const k = wake(tcp, c);
  if (k === 0 || tooManyOrphans(tcp, c, 0)) {
    // Not even the memory for an orderly end.
    sendOwnReset(tcp, c, Cause.RST_ABORT);
    tcp.net.stats.tcpAbortOnMemory += 1;
    finish(tcp, c);
    return;
  }
  if (state === State.FIN_WAIT_2) lingerInFinWait2(tcp, c, k);
  else queueFin(tcp, c);
}

/** ABORT, §3.10.5; a `close` with SO_LINGER and no time to linger. */
export function abort(tcp: TcpContext, id: number): void {
  const c = rowFor(tcp, id);
  const { hot } = tcp;
  const word = hot[c + Tcb.STATE];
  const state = word & Flag.STATE_MASK;
  tcp.table.disown(c);
  becomeOrphan(tcp, c);
  if (state === State.CLOSED) {
    release(tcp, c);
    return;
  }
  tcp.events.forget(0, c >>> Tcb.SHIFT);
  if (resetUnread(tcp, c)) return;
  // Both sides have closed and only the acknowledgment of our FIN is missing: §3.10.5 ends that in silence. With bytes still to be sent the
  // peer must learn that they are lost.
  const closedBoth = state === State.CLOSING || state === State.LAST_ACK;
  if (state !== State.SYN_SENT && !(closedBoth && (word & Flag.FIN_SENT) !== 0)) {
    sendBeforeReset(tcp, c);
    sendOwnReset(tcp, c, Cause.RST_ABORT);
    tcp.net.stats.tcpEstabResets += 1;
  }
  finish(tcp, c);
}
