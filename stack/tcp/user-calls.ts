import { type ErrorCode, StackError } from '../base/errors.js';
import type { Address, ConnectionId } from '../base/units.js';
import { ackAfterRead } from './ack-policy.js';
import { mark, standInLine, wake } from './connection.js';
import { portPair } from './connection-table.js';
import type { TcpContext } from './context.js';
import { noteAppLimited } from './delivery-rate.js';
import { type ConnectionError, errorCode, errorWords } from './errors.js';
import { FastOpen } from './fast-open.js';
import { prepareFirstSyn } from './fast-open-client.js';
import { initialSequenceNumber } from './isn.js';
import type { ConnectionDefaults } from './listener-table.js';
import { needMemory } from './make-way.js';
import { sendLimit, settle } from './memory.js';
import { type EphemeralPorts, pairIsFree } from './ports.js';
import { urgentBytes } from './queue-lengths.js';
import { releaseRead } from './receive-memory.js';
import { tuneReceiveBuffer } from './receive-space.js';
import { cutMarks, halfWindow, planWrite, SendFlag } from './send-marks.js';
import { applyDefaults } from './socket-options.js';
import { State } from './state.js';
import { chooseOwnWindow } from './syn-sent.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';
import { Wait } from './time-wait-table.js';
import { wakeBy } from './timers.js';

/** User calls, RFC 9293 §3.9.1 and §3.10: OPEN, SEND, RECEIVE, CLOSE, ABORT. Errors are the caller's and are thrown. */

export interface OpenOptions extends ConnectionDefaults {
  readonly remoteAddress: Address;
  /** 1 to 65535. */
  readonly remotePort: number;
  /** Where the route leads out, if not given. */
  readonly localAddress?: Address;
  /** An ephemeral port, if not given or 0. */
  readonly localPort?: number;
  /** Fast Open: the SYN asks for a cookie; or, where the server has given one, brings as much of `text` as one segment holds, and `unacknowledged` says how much that was. */
  readonly fastOpen?: { readonly text?: Uint8Array };
}

/** The row an id names; throws EBADF when there is none. */
export function rowFor(tcp: TcpContext, id: number): number {
  const c = tcp.table.offsetOf(id);
  if (c < 0) throw new StackError('EBADF', `connection ${id} does not exist, or was closed before`);
  return c;
}

function checkPort(name: string, port: number, least: number): void {
  if (Number.isInteger(port) && port >= least && port <= 0xffff) return;
  throw new StackError('ERR_OUT_OF_RANGE', `${name} is ${port}; allowed are whole numbers from ${least} to 65535`);
}

/** Active OPEN, §3.10.1. */
export function open(tcp: TcpContext, ports: EphemeralPorts, options: OpenOptions): ConnectionId {
  const { net } = tcp;
  const remote = options.remoteAddress;
  checkPort('remotePort', options.remotePort, 1);
  checkPort('localPort', options.localPort ?? 0, 0);
  // MUST-46 and MUST-57: no connection to a broadcast or multicast address, nor to nobody. The codes are Linux's.
  if (remote === 0) throw new StackError('EADDRNOTAVAIL', '0.0.0.0 is not the address of a host');
  if (net.isBroadcast(remote)) {
    throw new StackError('ENETUNREACH', `${net.formatAddress(remote)} is not the address of one host`);
  }
  const local = options.localAddress || net.sourceFor(remote);
  if (local !== 0 && !net.isLocal(local)) {
    throw new StackError('EADDRNOTAVAIL', `${net.formatAddress(local)} is not an address of this stack`);
  }
  if (local === 0 || !net.hasRoute(remote)) {
    throw new StackError(
      'ENETUNREACH',
      `no route to ${net.formatAddress(remote)} by an interface that is up; add an address of its network, or a gateway`,
    );
  }
  let localPort = options.localPort ?? 0;
  if (localPort === 0) {
    localPort = ports.choose(tcp, local, remote, options.remotePort);
    if (localPort === 0) {
      throw new StackError(
        'EADDRNOTAVAIL',
        `all ephemeral ports to ${net.formatAddress(remote)}:${options.remotePort} are in use`,
      );
    }
  } else if (!pairIsFree(tcp, local, remote, portPair(localPort, options.remotePort), true)) {
    throw new StackError('EADDRNOTAVAIL', `port ${localPort} already has a connection to that address and port`);
  }
  return openRow(tcp, local, remote, portPair(localPort, options.remotePort), options);
}

function openRow(tcp: TcpContext, local: Address, remote: Address, ports: number, options: OpenOptions): ConnectionId {
  const { hot } = tcp;
  // RFC 6191 on our side: a pair taken over from TIME-WAIT begins beyond where it ended.
  const old = tcp.timeWaits.find(local, remote, ports);
  let iss = initialSequenceNumber(tcp, local, remote, ports);
  if (old >= 0) {
    const beyond = (tcp.timeWaits.rows[old * Wait.SIZE + Wait.SND_NXT] + 0xffff + 2) | 0;
    if (((iss - beyond) | 0) < 0) iss = beyond;
    tcp.timeWaits.give(old);
    tcp.net.stats.tcpTimeWaitsReused += 1;
  }
  const c = tcp.table.take(local, remote, ports);
  if (c < 0) {
    tcp.net.stats.tcpConnectionsRefused += 1;
    throw new StackError('ENOBUFS', `all ${tcp.limits.connectionsMax} connections are in use; raise connectionsMax`);
  }
  hot[c + Tcb.SND_UNA] = iss;
  hot[c + Tcb.SND_NXT] = iss;
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  tcp.table.setState(c, State.SYN_SENT);
  const k = wake(tcp, c);
  if (k === 0) {
    tcp.table.unname(c);
    tcp.table.give(c);
    throw new StackError('ENOBUFS', `all ${tcp.limits.activeMax} active connections are in use; raise activeMax`);
  }
  hot[c + Tcb.SND_NXT] = (iss + 1) | 0;
  tcp.net.stats.tcpActiveOpens += 1;
  applyDefaults(tcp, c, k, options);
  chooseOwnWindow(tcp, c, k);
  if (options.fastOpen !== undefined) openFast(tcp, c, k, options.fastOpen.text);
  // The next flush sends the SYN: its round trip and its timer count from then (`sendFirstSyn`).
  mark(tcp, c);
  return tcp.table.idOf(c >>> Tcb.SHIFT);
}

/** Fast Open, RFC 7413 §4.2.1: how much of `text` the SYN brings. Only that is taken; the rest is the caller's to send. */
function openFast(tcp: TcpContext, c: number, k: number, text: Uint8Array | undefined): void {
  const { hot, cold, arena } = tcp;
  cold[k + Cold.FAST_OPEN] |= FastOpen.ASKED;
  needMemory(tcp, c, true);
  if (text !== undefined) hot[c + Tcb.SND_QUEUE] = arena.append(0, text, 0, Math.min(text.length, 0xffff));
  const length = prepareFirstSyn(tcp, c, k);
  hot[c + Tcb.SND_QUEUE] = arena.truncate(hot[c + Tcb.SND_QUEUE], length);
  settle(tcp, c);
}

/** Throws what ended the connection, if something did. */
function throwFate(tcp: TcpContext, c: number, call: string): void {
  const error: ConnectionError = tcp.table.errors[c >>> Tcb.SHIFT];
  const code: ErrorCode | undefined = errorCode(error);
  if (code !== undefined) throw new StackError(code, `${call}: ${errorWords(error)}`);
}

/** SEND, §3.10.2. Bytes taken; fewer than offered when the send buffer is full, and then WRITABLE follows. `how`: bits of SendFlag. */
export function send(tcp: TcpContext, id: number, bytes: Uint8Array, from: number, to: number, how: number): number {
  const c = rowFor(tcp, id);
  const { hot, cold, arena } = tcp;
  checkRange(bytes, from, to);
  const k = rowToSend(tcp, c, 'send');
  const wanted = to - from;
  if (k === 0) {
    if (wanted > 0) starve(tcp, c);
    return 0;
  }
  const queued = arena.length(hot[c + Tcb.SND_QUEUE]);
  const room = sendLimit(tcp, c, k) - queued;
  noteAppLimited(tcp, c, k, queued - ((hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0));
  let take = wanted < room ? wanted : room;
  if (take > 0 && (how !== SendFlag.NONE || cold[k + Cold.EXTRA] !== 0 || take > halfWindow(tcp, k)))
    take = planWrite(tcp, c, k, queued, wanted, room, how);
  let taken = 0;
  if (take > 0) {
    needMemory(tcp, c, queued === 0);
    hot[c + Tcb.SND_QUEUE] = arena.append(hot[c + Tcb.SND_QUEUE], bytes, from, take);
    taken = arena.moved;
    if (taken < take) cutMarks(tcp, c, k, (hot[c + Tcb.SND_UNA] + queued + taken) | 0);
    settle(tcp, c);
    cold[k + Cold.CUSTOM] &= ~Custom.RELEASED;
    mark(tcp, c);
  }
  if (taken < wanted) {
    hot[c + Tcb.STATE] |= Flag.WRITE_BLOCKED;
    if (taken < take) {
      tcp.net.stats.tcpMemoryRefused += 1;
      // With nothing of its own under way no acknowledgment will come to announce memory that others give back.
      if (queued + taken === 0) starve(tcp, c);
    }
  }
  return taken;
}

/** The cold row of a connection that can still send, 0 when none is left; throws what ended it, or EPIPE. */
function rowToSend(tcp: TcpContext, c: number, call: string): number {
  const word = tcp.hot[c + Tcb.STATE];
  throwFate(tcp, c, call);
  if ((word & Flag.FIN_QUEUED) !== 0 || (word & Flag.STATE_MASK) === State.CLOSED) {
    throw new StackError('EPIPE', `${call}: this side of the connection is already closed`);
  }
  return wake(tcp, c);
}

/** Nothing could be taken for want of memory: WRITABLE follows. */
function starve(tcp: TcpContext, c: number): void {
  tcp.hot[c + Tcb.STATE] |= Flag.WRITE_BLOCKED;
  standInLine(tcp, c);
}

function checkRange(bytes: Uint8Array, from: number, to: number): void {
  if (!(Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to >= from && to <= bytes.length)) {
    throw new StackError(
      'ERR_OUT_OF_RANGE',
      `the range ${from} to ${to} does not lie in a buffer of ${bytes.length} bytes`,
    );
  }
}

/** RECEIVE, §3.10.3. Bytes copied, 0 when none wait, -1 at the end the peer has set. What came before a failure is still given out. */
export function receive(tcp: TcpContext, id: number, into: Uint8Array, from: number, to: number): number {
  const c = rowFor(tcp, id);
  const { hot, arena } = tcp;
  checkRange(into, from, to);
  const queue = hot[c + Tcb.RCV_QUEUE];
  if (queue === 0) {
    // After the peer's FIN the end is the end, whatever has become of the connection since (Linux: SOCK_DONE).
    if ((hot[c + Tcb.STATE] & Flag.FIN_RECEIVED) !== 0) return -1;
    throwFate(tcp, c, 'receive');
    return atEnd(tcp, c) ? -1 : 0;
  }
  const waiting = arena.length(queue);
  const count = to - from < waiting ? to - from : waiting;
  hot[c + Tcb.RCV_QUEUE] = arena.read(queue, into, from, count);
  settle(tcp, c);
  const k = hot[c + Tcb.COLD];
  if (k !== 0 && count > 0) {
    releaseRead(tcp, k, count, waiting - count);
    tuneReceiveBuffer(tcp, c, k, count);
    // Read past the urgent data: MUST-32's mode ends.
    if ((hot[c + Tcb.STATE] & Flag.RCV_URGENT) !== 0 && urgentBytes(tcp, c) === 0)
      hot[c + Tcb.STATE] &= ~Flag.RCV_URGENT;
    ackAfterRead(tcp, c, k);
    wakeBy(tcp, c, (tcp.clock.ms + tcp.limits.hibernateMs) | 0);
  }
  return count;
}

/** Nothing will come that the program could read, and no FIN has said so. */
function atEnd(tcp: TcpContext, c: number): boolean {
  const word = tcp.hot[c + Tcb.STATE];
  if ((word & Flag.STATE_MASK) === State.CLOSED) return true;
  return (word & Flag.CUSTOM) !== 0 && (tcp.cold[tcp.hot[c + Tcb.COLD] + Cold.CUSTOM] & Custom.RECEIVE_SHUT) !== 0;
}

/** Everything queued so far is urgent: RFC 9293 §3.10.2, RFC 6093. A part of SEND, and fails as that does. */
export function markUrgent(tcp: TcpContext, id: number): void {
  const c = rowFor(tcp, id);
  const { hot, cold } = tcp;
  const k = rowToSend(tcp, c, 'markUrgent');
  if (k === 0)
    throw new StackError(
      'ENOBUFS',
      `markUrgent: all ${tcp.limits.activeMax} active connections are in use; raise activeMax`,
    );
  cold[k + Cold.SND_UP] = (hot[c + Tcb.SND_UNA] + tcp.arena.length(hot[c + Tcb.SND_QUEUE])) | 0;
  hot[c + Tcb.STATE] |= Flag.SND_URGENT;
  mark(tcp, c);
}
