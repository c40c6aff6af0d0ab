import { type ErrorCode, StackError } from '../base/errors.js';
import type { Address, ConnectionId, ListenerId } from '../base/units.js';
import type { PoolReport } from '../memory/pool-report.js';
import { Event, type EventQueue, SocketKind } from '../net/event-queue.js';
import type { Network } from '../net/network.js';
import { Cause } from '../net/note.js';
import type { ErrorReport, InboundPacket, Transport } from '../net/transport.js';
import type { Clock } from '../time/clock.js';
import {
  parseTcp,
  TcpFlag,
  Tcp as TcpHeader,
  tcpAck,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderBytes,
  tcpSeq,
  tcpSourcePort,
  tcpUrgentPointer,
  tcpWindow,
} from '../wire/tcp.js';
import { parseTcpOptions, TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { refuseSegment } from './bare-segment.js';
import { abort, close, closeLingering, shutdown, shutdownReceive } from './close.js';
import type { CongestionControl } from './congestion.js';
import { localPort, portPair, remotePort } from './connection-table.js';
import { TcpContext } from './context.js';
import { PROTOCOL_TCP } from './emit.js';
import { errorCode } from './errors.js';
import { mayCarryText } from './fast-open-client.js';
import { blockedHasRoom, outputMarked } from './flush.js';
import { onIcmpError, takeNotice } from './icmp-errors.js';
import { info, type TcpInfo } from './info.js';
import type { TcpLimits } from './limits.js';
import { listenArrives } from './listen.js';
import { ListenerTable } from './listener-table.js';
import { type ListenOptions, openListener } from './listeners.js';
import { LINE_MS, serveLine } from './make-way.js';
import { type RowCounts, rowCounts, tcpPools } from './pools.js';
import { EphemeralPorts } from './ports.js';
import { limitsOf } from './profile.js';
import { readableBytes, unacknowledgedBytes, unsentBytes, writableBytes } from './queue-lengths.js';
import { segmentArrives } from './segment-arrives.js';
import { SendFlag } from './send-marks.js';
import {
  checkDefaults,
  congestionName,
  getOption,
  setCongestion,
  setOption,
  type TcpOption,
} from './socket-options.js';
import { State } from './state.js';
import { expireHalfOpen } from './syn-ack.js';
import { cookieArrives, synReceivedArrives } from './syn-received.js';
import { Flag, Name, Tcb } from './tcb.js';
import { expireTimeWaits, giveWay, timeWaitArrives } from './time-wait.js';
import { Wait } from './time-wait-table.js';
import { expireTimers } from './timer-events.js';
import { noteArrival, noteReceived } from './trace-note.js';
import { markUrgent, type OpenOptions, open, receive, rowFor, send } from './user-calls.js';

export type { ListenOptions } from './listeners.js';

export interface TcpParts {
  readonly net: Network;
  readonly clock: Clock;
  readonly events: EventQueue;
  /** Four secret words. */
  readonly secret: Int32Array;
  readonly limits?: Partial<TcpLimits>;
  readonly congestion?: CongestionControl;
}

/** TCP as a program sees it, and as the network layer does. */
export class Tcp implements Transport {
  readonly context: TcpContext;
  readonly limits: TcpLimits;
  readonly #ports = new EphemeralPorts();

  constructor(parts: TcpParts) {
    this.limits = limitsOf(parts.limits);
    this.context = new TcpContext({
      net: parts.net,
      clock: parts.clock,
      events: parts.events,
      secret: parts.secret,
      limits: this.limits,
      congestion: parts.congestion,
      listeners: new ListenerTable(this.limits.listenersMax, parts.secret[2], parts.secret[1]),
    });
    parts.net.register(PROTOCOL_TCP, this);
  }

  input(packet: InboundPacket): Verdict {
    const tcp = this.context;
    tcp.net.stats.tcpInSegs += 1;
    const verdict = this.#segment(packet);
    if (verdict >= Verdict.TCP_TOO_SHORT && verdict <= Verdict.TCP_FLAGS) tcp.net.stats.tcpInErrs += 1;
    if (verdict === Verdict.TCP_CHECKSUM) tcp.net.stats.tcpInCsumErrors += 1;
    return verdict;
  }

  #segment(packet: InboundPacket): Verdict {
    const tcp = this.context;
    const { view, at, length } = packet;
    const { seg, options, net } = tcp;
    // RFC 9293 §3.9.2.3 MUST-57: never in answer to what was sent to many.
    if (packet.broadcast) return Verdict.TCP_BROADCAST;
    const sum = net.pseudoHeaderSum(packet.source, packet.destination, PROTOCOL_TCP, length);
    const verdict = parseTcp(view, at, length, sum);
    if (verdict !== Verdict.OK) return verdict;
    const headerBytes = tcpHeaderBytes(view, at);
    // What could be read of them counts (as Linux).
    const optionBytes = headerBytes - TcpHeader.HEADER_BYTES;
    if (parseTcpOptions(view, at + TcpHeader.OPTIONS, optionBytes, options) !== Verdict.OK)
      net.stats.tcpBadOptions += 1;
    seg.SEQ = tcpSeq(view, at);
    seg.ACK = tcpAck(view, at);
    seg.WND = tcpWindow(view, at);
    seg.UP = tcpUrgentPointer(view, at);
    seg.flags = tcpFlags(view, at);
    seg.textAt = at + headerBytes;
    seg.textLength = length - headerBytes;
    seg.bytesInAll = length;
    seg.LEN = seg.textLength + ((seg.flags & TcpFlag.SYN) !== 0 ? 1 : 0) + ((seg.flags & TcpFlag.FIN) !== 0 ? 1 : 0);
    seg.hasTimestamps = (options.present & TcpOptionBit.TIMESTAMPS) !== 0;
    seg.TSval = options.tsVal;
    seg.TSecr = options.tsEcr;
    seg.bytes = packet.bytes;
    seg.view = view;
    seg.packet = packet;
    seg.local = packet.destination;
    seg.remote = packet.source;
    seg.ports = portPair(tcpDestinationPort(view, at), tcpSourcePort(view, at));
    seg.tos = packet.tos;
    seg.ttl = packet.ttl;
    return net.slab.notes === null ? this.#dispatch() : this.#dispatchNoted(packet.slot);
  }

  /** To the connection, or to what is left of one, or to whoever listens. */
  #dispatch(): Verdict {
    const tcp = this.context;
    const { seg } = tcp;
    const row = tcp.table.find(seg.local, seg.remote, seg.ports);
    return row < 0 ? this.#embryonicOrDead() : segmentArrives(tcp, row << Tcb.SHIFT);
  }

  #embryonicOrDead(): Verdict {
    const tcp = this.context;
    const { seg } = tcp;
    const syn = tcp.synTable.find(seg.local, seg.remote, seg.ports);
    if (syn >= 0) {
      const c = synReceivedArrives(tcp, syn);
      if (c < 0) return tcp.verdict;
      tcp.noteRow = c;
      return segmentArrives(tcp, c);
    }
    let issAtLeast = 0;
    const wait = tcp.timeWaits.find(seg.local, seg.remote, seg.ports);
    if (wait >= 0) {
      issAtLeast = giveWay(tcp, wait);
      if (issAtLeast === 0) return timeWaitArrives(tcp, wait);
    }
    return this.#listening(issAtLeast);
  }

  /** `issAtLeast`: as for `listenArrives`. */
  #listening(issAtLeast: number): Verdict {
    const tcp = this.context;
    const { seg } = tcp;
    const listener = tcp.listeners.find(seg.local, seg.ports, seg.remote);
    if (listener !== undefined) {
      const c = cookieArrives(tcp, listener);
      if (c >= 0) {
        tcp.noteRow = c;
        return segmentArrives(tcp, c);
      }
      return tcp.verdict === Verdict.OK ? listenArrives(tcp, listener, issAtLeast) : tcp.verdict;
    }
    // CLOSED, §3.10.7.1.
    refuseSegment(tcp, Cause.RST_NO_CONNECTION, State.CLOSED);
    return (seg.flags & TcpFlag.RST) !== 0 ? Verdict.TCP_RST_INVALID : Verdict.TCP_NO_CONNECTION;
  }

  /** The same with the trace's note filled in. */
  #dispatchNoted(slot: number): Verdict {
    const tcp = this.context;
    const { seg } = tcp;
    const row = tcp.table.find(seg.local, seg.remote, seg.ports);
    noteArrival(tcp, row < 0 ? -1 : row << Tcb.SHIFT);
    if (row < 0) tcp.noteStateBefore = this.#stateWithoutRow();
    const verdict = this.#dispatch();
    // A connection that is gone has ended; its listener's state is none of its own.
    const after = this.#stateWithoutRow();
    noteReceived(tcp, slot, verdict, row >= 0 && after === State.LISTEN ? State.CLOSED : after);
    return verdict;
  }

  #stateWithoutRow(): State {
    const tcp = this.context;
    const { seg } = tcp;
    if (tcp.synTable.find(seg.local, seg.remote, seg.ports) >= 0) return State.SYN_RECEIVED;
    if (tcp.timeWaits.find(seg.local, seg.remote, seg.ports) >= 0) return State.TIME_WAIT;
    if (tcp.listeners.find(seg.local, seg.ports, seg.remote) !== undefined) return State.LISTEN;
    return State.CLOSED;
  }

  error(report: ErrorReport): Verdict {
    return onIcmpError(this.context, report);
  }

  // Time.

  advance(): void {
    const tcp = this.context;
    expireTimers(tcp);
    expireHalfOpen(tcp);
    expireTimeWaits(tcp);
  }

  /** Ms until the next timer, Infinity when none runs. */
  msToNext(): number {
    const tcp = this.context;
    const nowMs = tcp.clock.ms;
    let ms = Math.min(tcp.wheel.msToNext(nowMs), tcp.synTable.wheel.msToNext(nowMs));
    if (tcp.starved.length > 0 && ms > LINE_MS) ms = LINE_MS;
    const wait = tcp.timeWaits.oldest();
    if (wait >= 0) ms = Math.min(ms, Math.max(0, (tcp.timeWaits.rows[wait * Wait.SIZE + Wait.DEADLINE] - nowMs) | 0));
    return ms;
  }

  /** Sends what the marked connections have to send. */
  flush(): void {
    const tcp = this.context;
    if (tcp.rowsWanted || tcp.starved.length > 0) serveLine(tcp);
    outputMarked(tcp);
  }

  /** Frames ran out before all was sent, and there are some again: a flush would find something to do. */
  get mayGoOn(): boolean {
    return blockedHasRoom(this.context);
  }

  // From the program.

  /** Passive OPEN. Throws EADDRINUSE, EADDRNOTAVAIL, EMFILE. */
  listen(options: ListenOptions): ListenerId {
    return openListener(this.context, options);
  }

  /** The connection that has waited longest, or 0. What it has to say is said again as events. */
  accept(id: ListenerId): ConnectionId | 0 {
    const tcp = this.context;
    const listener = this.#listener(id);
    const c = listener.shift();
    if (c < 0) return 0;
    if (listener.count > 0) tcp.events.push(SocketKind.LISTENER, listener.row, Event.ACCEPTABLE);
    const row = c >>> Tcb.SHIFT;
    tcp.hot[c + Tcb.STATE] &= ~Flag.UNACCEPTED;
    let events = tcp.hot[c + Tcb.RCV_QUEUE] !== 0 ? Event.READABLE : 0;
    if ((tcp.hot[c + Tcb.STATE] & Flag.FIN_RECEIVED) !== 0) events |= Event.PEER_CLOSED;
    if (tcp.table.errors[row] !== 0) events |= Event.FAILED;
    if (events !== 0) tcp.events.push(SocketKind.CONNECTION, row, events);
    return tcp.table.idOf(row);
  }

  /** Ends the listening. Connections that wait to be accepted are reset; accepted ones live on. */
  closeListener(id: ListenerId): void {
    const tcp = this.context;
    const listener = this.#listener(id);
    tcp.listeners.close(listener);
    tcp.events.forget(SocketKind.LISTENER, listener.row);
    for (let c = listener.shift(); c >= 0; c = listener.shift()) abort(tcp, tcp.table.idOf(c >>> Tcb.SHIFT));
  }

  #listener(id: number): ReturnType<ListenerTable['byRow']> & object {
    const listener = this.context.listeners.byId(id);
    if (listener === undefined) throw new StackError('EBADF', `listener ${id} does not exist, or was closed before`);
    return listener;
  }

  /** Control path. For `ss`. */
  listenerInfo(id: ListenerId): { address: Address; port: number; backlog: number; waiting: number; halfOpen: number } {
    const { address, port, backlog, count, halfOpen } = this.#listener(id);
    return { address, port, backlog, waiting: count, halfOpen };
  }

  /** Whether an `open` to this address with `fastOpen` would send data with its SYN now. */
  mayOpenFast(remote: Address, options?: ReadonlyMap<string, number>): boolean {
    return mayCarryText(this.context, remote, options?.get('fastOpenNoCookie') === 1);
  }

  /** Active OPEN. CONNECTED or FAILED follows. Throws EADDRINUSE, EADDRNOTAVAIL, ENETUNREACH, ENOBUFS. */
  open(options: OpenOptions): ConnectionId {
    checkDefaults(this.context, options);
    return open(this.context, this.#ports, options);
  }

  /** Bytes taken; when fewer than offered, WRITABLE follows. Throws EPIPE, ECONNRESET, ETIMEDOUT, … */
  send(id: ConnectionId, bytes: Uint8Array, from = 0, to = bytes.length, how: SendFlag = SendFlag.NONE): number {
    return send(this.context, id, bytes, from, to, how);
  }

  /** Bytes copied; 0 when none wait; -1 at the peer's end. Throws ECONNRESET, ETIMEDOUT, … once the bytes before it are read. */
  receive(id: ConnectionId, into: Uint8Array, from = 0, to = into.length): number {
    return receive(this.context, id, into, from, to);
  }

  /** Everything sent so far is urgent, RFC 6093. */
  markUrgent(id: ConnectionId): void {
    markUrgent(this.context, id);
  }

  shutdown(id: ConnectionId): void {
    shutdown(this.context, id);
  }

  /** SHUT_RD: see close.ts. */
  shutdownReceive(id: ConnectionId): void {
    shutdownReceive(this.context, id);
  }

  /** The first half of `close` with SO_LINGER; true while there is something to wait for. */
  closeLingering(id: ConnectionId): boolean {
    return closeLingering(this.context, id);
  }

  close(id: ConnectionId): void {
    close(this.context, id);
  }

  abort(id: ConnectionId): void {
    abort(this.context, id);
  }

  /** Bytes that wait to be read. */
  readable(id: ConnectionId): number {
    return readableBytes(this.context, rowFor(this.context, id));
  }
  /** Bytes `send` would take now. */
  writable(id: ConnectionId): number {
    return writableBytes(this.context, rowFor(this.context, id));
  }
  /** Bytes taken by `send` and never sent yet. */
  unsent(id: ConnectionId): number {
    return unsentBytes(this.context, rowFor(this.context, id));
  }
  /** Bytes taken by `send` and not acknowledged, sent or not. */
  unacknowledged(id: ConnectionId): number {
    return unacknowledgedBytes(this.context, rowFor(this.context, id));
  }

  state(id: ConnectionId): State {
    const tcp = this.context;
    return tcp.hot[rowFor(tcp, id) + Tcb.STATE] & Flag.STATE_MASK;
  }

  info(id: ConnectionId): TcpInfo {
    return info(this.context, rowFor(this.context, id));
  }

  setOption(id: ConnectionId, option: TcpOption, value: number): void {
    setOption(this.context, rowFor(this.context, id), option, value);
  }

  getOption(id: ConnectionId, option: TcpOption): number {
    return getOption(this.context, rowFor(this.context, id), option);
  }

  /** A congestion control of the caller's joins the stack's. Throws EEXIST when the name is taken, ERR_INVALID_ARG_TYPE and _VALUE for what is none. */
  registerCongestionControl(module: CongestionControl): void {
    this.context.congestions.register(module);
  }

  /** The names `setCongestion` knows. */
  get congestionControls(): readonly string[] {
    return this.context.congestions.names;
  }

  /** TCP_CONGESTION: the control takes over at once. Throws ENOENT when nothing is called that. */
  setCongestion(id: ConnectionId, name: string): void {
    setCongestion(this.context, rowFor(this.context, id), name);
  }

  congestionOf(id: ConnectionId): string {
    return congestionName(this.context, rowFor(this.context, id));
  }

  /** Why the connection failed; stays until `close`. */
  takeError(id: ConnectionId): ErrorCode | undefined {
    const tcp = this.context;
    return errorCode(tcp.table.errors[rowFor(tcp, id) >>> Tcb.SHIFT]);
  }

  /** See icmp-errors.ts. */
  takeNotice(id: ConnectionId): ErrorCode | undefined {
    return errorCode(takeNotice(this.context, rowFor(this.context, id)));
  }
  localAddress(id: ConnectionId): Address {
    return this.#name(id, Name.LOCAL) as Address;
  }
  remoteAddress(id: ConnectionId): Address {
    return this.#name(id, Name.REMOTE) as Address;
  }
  localPort(id: ConnectionId): number {
    return localPort(this.#name(id, Name.PORTS));
  }
  remotePort(id: ConnectionId): number {
    return remotePort(this.#name(id, Name.PORTS));
  }
  #name(id: number, field: Name): number {
    const tcp = this.context;
    return tcp.names[(rowFor(tcp, id) >>> Tcb.SHIFT) * Name.SIZE + field];
  }

  /** The row of a connection, for tables beside ours; valid until `close`. */
  rowOf(id: ConnectionId): number {
    return rowFor(this.context, id) >>> Tcb.SHIFT;
  }
  idOf(row: number): ConnectionId {
    return this.context.table.idOf(row);
  }
  listenerOf(row: number): ListenerId {
    const listener = this.context.listeners.byRow(row);
    return listener === undefined ? (0 as ListenerId) : listener.id;
  }

  /** Control path. How many of each there are. */
  get counts(): RowCounts {
    return rowCounts(this.context);
  }

  /** Control path. What each pool holds: see docs/memory.md. */
  pools(): readonly PoolReport[] {
    return tcpPools(this.context);
  }

  /** For `ss`: every connection with a full row, orphans included. */
  *connections(): Generator<ConnectionId> {
    const { table, hot } = this.context;
    for (let row = 0; row < table.highWater; row++) {
      if ((hot[(row << Tcb.SHIFT) + Tcb.STATE] & Flag.STATE_MASK) !== State.CLOSED) yield table.idOf(row);
    }
  }
  *listeners(): Generator<ListenerId> {
    for (const listener of this.context.listeners) yield listener.id;
  }
}
