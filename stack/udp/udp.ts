import { type ErrorCode, StackError } from '../base/errors.js';
import type { Address, UdpId } from '../base/units.js';
import { copyBytes } from '../memory/copy.js';
import type { PoolReport } from '../memory/pool-report.js';
import { Event, type EventQueue, SocketKind } from '../net/event-queue.js';
import type { Network } from '../net/network.js';
import { Cause } from '../net/note.js';
import { type ErrorReport, type InboundPacket, OutputFlag, PathError, type Transport } from '../net/transport.js';
import { IpProtocol, Ipv4 } from '../wire/ipv4.js';
import {
  emitUdp,
  finishUdpChecksum,
  Udp as Header,
  parseUdp,
  udpDestinationPort,
  udpLength,
  udpSourcePort,
} from '../wire/udp.js';
import { FIRST_DROP, Verdict } from '../wire/verdict.js';
import { DatagramQueues } from './datagram-queue.js';
import { errorCodeOf, isPassing } from './errors.js';
import { checkBytes, checkPort, getSocketOption, setSocketOption, type UdpOption } from './options.js';
import { Socket, SocketFlag, SocketTable } from './socket-table.js';

/** The longest datagram: 65,535 less the headers. */
export const UDP_PAYLOAD_BYTES_MAX = Ipv4.DATAGRAM_BYTES_MAX - Ipv4.HEADER_BYTES - Header.HEADER_BYTES;
const LOOPBACK = 0x7f000001 as Address;

export interface UdpLimits {
  readonly socketsMax: number;
  /** For each socket, waiting to be read: Linux's rmem_default, 208 KiB. */
  readonly receiveBytesMax: number;
  /** For all of them, in whole chunks of 4 KiB: 150 sockets at their limit beside everybody's reserve. Resident only where used. */
  readonly receiveBytesTotal: number;
  /**
   * Of it kept for each of `socketsMax`, used or not: two chunks, five datagrams of a full Ethernet frame, twice Linux's udp_rmem_min. That is half
   * of the default total, so that the other half is there for those that need more. Less where the total is too small to promise it.
   */
  readonly receiveBytesReserve: number;
}
export const DEFAULT_UDP_LIMITS: UdpLimits = {
  socketsMax: 4096,
  receiveBytesMax: 212_992,
  receiveBytesTotal: 64 << 20,
  receiveBytesReserve: 8192,
};

export interface UdpOptions {
  readonly net: Network;
  readonly events: EventQueue;
  readonly limits?: Partial<UdpLimits>;
}

export interface UdpOpenOptions {
  /** One of ours, a broadcast or group address to listen to, or 0 (the default) for any. */
  readonly address?: Address;
  /** 0: an ephemeral one, at once. Absent: one is chosen by the first `send` or `connect`. */
  readonly port?: number;
  readonly receiveBytesMax?: number;
  readonly broadcast?: boolean;
  readonly reuse?: boolean;
}

/** UDP as a program sees it, and as the network layer does. */
export class Udp implements Transport {
  /** Of the datagram that `receive` returned last. */
  lastSource = 0 as Address;
  lastPort = 0;
  /** Where it was sent to: the address to answer from. */
  lastDestination = 0 as Address;
  readonly limits: UdpLimits;
  readonly #net: Network;
  readonly #events: EventQueue;
  readonly #sockets: SocketTable;
  readonly #queues: DatagramQueues;
  /** Where datagrams longer than a slot are built. Made by the first one. */
  #large = new Uint8Array(0);
  #largeView = new DataView(this.#large.buffer);

  constructor(options: UdpOptions) {
    this.limits = { ...DEFAULT_UDP_LIMITS, ...options.limits };
    this.#net = options.net;
    this.#events = options.events;
    this.#sockets = new SocketTable(this.limits.socketsMax, options.net.prng);
    this.#queues = new DatagramQueues(this.limits);
    options.net.register(IpProtocol.UDP, this);
  }

  // Program's side. A stale id throws EBADF everywhere.

  /** Control path. Throws EADDRINUSE, EADDRNOTAVAIL, EMFILE, ERR_OUT_OF_RANGE. */
  open(options: UdpOpenOptions = {}): UdpId {
    const address = options.address ?? (0 as Address);
    if (options.port !== undefined) checkPort(options.port, 0);
    if (address !== 0 && !this.#net.isLocal(address) && !this.#net.isBroadcast(address))
      throw new StackError('EADDRNOTAVAIL', `${this.#net.formatAddress(address)} is no address of this stack`);
    const row = this.#sockets.open();
    const t = this.#sockets.t;
    const s = row * Socket.STRIDE;
    t[s + Socket.LOCAL] = address;
    t[s + Socket.RECEIVE_BYTES_MAX] = options.receiveBytesMax ?? this.limits.receiveBytesMax;
    t[s + Socket.TTL] = 64;
    // RFC 1112 §6.1: a group's datagrams stay on the link unless the program says otherwise.
    t[s + Socket.MULTICAST_TTL] = 1;
    if (options.broadcast === true) t[s + Socket.FLAGS] |= SocketFlag.BROADCAST;
    if (options.reuse === true) t[s + Socket.FLAGS] |= SocketFlag.REUSE;
    if (options.port !== undefined) {
      try {
        this.#sockets.bind(row, address, options.port);
      } catch (error) {
        this.#sockets.close(row);
        throw error;
      }
    }
    return this.#sockets.idOf(row);
  }

  /** From now on only to and from there; ICMP errors come back. Throws ENETUNREACH, EACCES, EADDRINUSE. */
  connect(id: UdpId, address: Address, port: number): void {
    const row = this.#sockets.rowOf(id);
    const t = this.#sockets.t;
    const s = row * Socket.STRIDE;
    checkPort(port, 1);
    const remote = address === 0 ? LOOPBACK : address;
    this.#checkBroadcast(s, remote);
    const bound = t[s + Socket.LOCAL] !== 0 && (t[s + Socket.FLAGS] & SocketFlag.ADDRESS_BY_CONNECT) === 0;
    const local = bound ? t[s + Socket.LOCAL] : this.#net.sourceFor(remote);
    if (local === 0 || !this.#net.hasRoute(remote)) {
      const to = this.#net.formatAddress(remote);
      throw new StackError('ENETUNREACH', `there is no route to ${to} by an interface that is up; add one`);
    }
    this.#bindEphemeral(row);
    this.#sockets.rename(row, local, remote, port);
    if (!bound) t[s + Socket.FLAGS] |= SocketFlag.ADDRESS_BY_CONNECT;
    t[s + Socket.ERROR] = 0;
  }

  disconnect(id: UdpId): void {
    const row = this.#sockets.rowOf(id);
    const s = row * Socket.STRIDE;
    const flags = this.#sockets.t[s + Socket.FLAGS];
    if ((flags & SocketFlag.CONNECTED) === 0) throw new StackError('ENOTCONN', 'this socket is not connected');
    const local = (flags & SocketFlag.ADDRESS_BY_CONNECT) !== 0 ? 0 : this.#sockets.t[s + Socket.LOCAL];
    this.#sockets.rename(row, local, 0, 0);
    this.#sockets.t[s + Socket.FLAGS] &= ~SocketFlag.ADDRESS_BY_CONNECT;
  }

  /**
   * Sends `bytes[from…to)`, to the peer of a connected socket unless an address is given. The verdict says what became of
   * it: OK, NEIGHBOR_PENDING, or why not. `source` overrides the address to speak from. Throws EMSGSIZE, EDESTADDRREQ, EACCES.
   */
  send(
    id: UdpId,
    bytes: Uint8Array,
    from: number,
    to: number,
    address?: Address,
    port?: number,
    source?: Address,
  ): Verdict {
    const row = this.#sockets.rowOf(id);
    const t = this.#sockets.t;
    const s = row * Socket.STRIDE;
    const length = to - from;
    checkBytes(from, to, bytes.length);
    if (length > UDP_PAYLOAD_BYTES_MAX)
      throw new StackError('EMSGSIZE', `a datagram holds ${UDP_PAYLOAD_BYTES_MAX} bytes at most, not ${length}`);
    let remote = t[s + Socket.REMOTE] as Address;
    let remotePort = t[s + Socket.PORTS] & 0xffff;
    if (address !== undefined) {
      if (port === undefined) throw new StackError('EDESTADDRREQ', 'a destination needs a port');
      checkPort(port, 1);
      remote = address === 0 ? LOOPBACK : address;
      remotePort = port;
      this.#checkBroadcast(s, remote);
    } else if (remote === 0)
      throw new StackError('EDESTADDRREQ', 'this socket is not connected; say where to send, or connect it');
    if ((t[s + Socket.FLAGS] & SocketFlag.BOUND) === 0) this.#bindEphemeral(row);
    const local = this.#sourceFor(s, remote, source);
    if (local === 0) {
      // Not even a route: only a broadcast may go out before we have an address (RFC 1122 §3.2.1.3 (a), as DHCP does).
      if (!this.#net.isBroadcast(remote) || !this.#net.hasRoute(remote)) return Verdict.NO_ROUTE;
    }
    return this.#emit(s, bytes, from, length, local, remote, remotePort);
  }

  /**
   * Takes the oldest datagram. Returns its length, even where `into[from…to)` was too short and the rest is lost; -1 when none
   * waits. `lastSource`, `lastPort` and `lastDestination` tell its addresses.
   */
  receive(id: UdpId, into: Uint8Array, from: number, to: number): number {
    const s = this.#sockets.rowOf(id) * Socket.STRIDE;
    const t = this.#sockets.t;
    checkBytes(from, to, into.length);
    if (t[s + Socket.QUEUE] === 0) return -1;
    t[s + Socket.QUEUE] = this.#queues.take(t[s + Socket.QUEUE], into, from, to - from);
    t[s + Socket.QUEUED_BYTES] -= this.#queues.cost(this.#queues.length);
    return this.#told();
  }
  /** As `receive`, but the datagram stays: MSG_PEEK. */
  peek(id: UdpId, into: Uint8Array, from: number, to: number): number {
    const queue = this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.QUEUE];
    checkBytes(from, to, into.length);
    if (queue === 0) return -1;
    this.#queues.look(queue, into, from, to - from);
    return this.#told();
  }
  #told(): number {
    this.lastSource = this.#queues.source;
    this.lastPort = this.#queues.port;
    this.lastDestination = this.#queues.destination;
    return this.#queues.length;
  }
  /** Length of the datagram that `receive` would return, -1 when none waits. */
  readable(id: UdpId): number {
    const queue = this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.QUEUE];
    if (queue === 0) return -1;
    this.#queues.peek(queue);
    return this.#queues.length;
  }

  close(id: UdpId): void {
    const row = this.#sockets.rowOf(id);
    this.#queues.free(this.#sockets.t[row * Socket.STRIDE + Socket.QUEUE]);
    this.#sockets.close(row);
    this.#events.forget(SocketKind.UDP, row);
  }

  /** The ICMP error that came last, once; connected sockets only. An event FAILED announced it; the socket goes on. */
  takeError(id: UdpId): ErrorCode | undefined {
    const s = this.#sockets.rowOf(id) * Socket.STRIDE;
    const error = this.#sockets.t[s + Socket.ERROR];
    this.#sockets.t[s + Socket.ERROR] = 0;
    return error === 0 ? undefined : errorCodeOf(error - 1);
  }

  setOption(id: UdpId, option: UdpOption, value: number): void {
    setSocketOption(this.#sockets.t, this.#sockets.rowOf(id) * Socket.STRIDE, option, value);
  }
  getOption(id: UdpId, option: UdpOption): number {
    return getSocketOption(this.#sockets.t, this.#sockets.rowOf(id) * Socket.STRIDE, option);
  }

  localAddress(id: UdpId): Address {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.LOCAL] as Address;
  }
  /** 0 while unbound. */
  localPort(id: UdpId): number {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.PORTS] >>> 16;
  }
  /** 0 while not connected. */
  remoteAddress(id: UdpId): Address {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.REMOTE] as Address;
  }
  remotePort(id: UdpId): number {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.PORTS] & 0xffff;
  }
  /** Bytes waiting, as they count against the limit. */
  queuedBytes(id: UdpId): number {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.QUEUED_BYTES];
  }
  /** Datagrams lost because the queue was full. */
  drops(id: UdpId): number {
    return this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.DROPS];
  }
  /** What the waiting datagrams take of the memory that all sockets share. */
  memoryBytes(id: UdpId): number {
    return this.#queues.memoryBytes(this.#sockets.t[this.#sockets.rowOf(id) * Socket.STRIDE + Socket.QUEUE]);
  }
  /** Control path. */
  pools(): readonly PoolReport[] {
    return [this.#sockets.report(), this.#queues.report()];
  }
  /** For tables beside ours: valid until `close`. */
  rowOf(id: UdpId): number {
    return this.#sockets.rowOf(id);
  }
  idOf(row: number): UdpId {
    return this.#sockets.idOf(row);
  }
  sockets(): Iterable<UdpId> {
    return this.#sockets.ids();
  }

  // Network's side

  input(packet: InboundPacket): Verdict {
    const { view, at } = packet;
    const stats = this.#net.stats;
    const pseudo = this.#net.pseudoHeaderSum(packet.source, packet.destination, IpProtocol.UDP, packet.length);
    const verdict = parseUdp(view, at, packet.length, pseudo);
    if (verdict !== Verdict.OK) {
      stats.udpInErrors += 1;
      if (verdict === Verdict.UDP_CHECKSUM) stats.udpInCsumErrors += 1;
      return verdict;
    }
    const port = udpDestinationPort(view, at);
    if (packet.broadcast) return this.#everybody(packet, port);
    const row = this.#sockets.find(packet.destination, port, packet.source, udpSourcePort(view, at));
    if (row >= 0) return this.#queue(row, packet);
    stats.udpNoPorts += 1;
    // RFC 1122 §4.1.3.1: should be told.
    this.#net.sendPortUnreachable(packet);
    return Verdict.UDP_NO_PORT;
  }

  /**
   * RFC 1122 §4.1.3.3: passed up.
   * Deviation: as Linux not what may pass (net or host unreachable, time exceeded), unless it is our own neighbour that does not answer: a program would take
   * it for the end of its peer.
   *
   * Only a connected socket can know that a datagram quoted is its own; the others hear nothing, as on every system.
   */
  error(report: ErrorReport): Verdict {
    const localPort = udpSourcePort(report.view, report.at);
    const remotePort = udpDestinationPort(report.view, report.at);
    const row = this.#sockets.find(report.source, localPort, report.destination, remotePort);
    if (row < 0) return Verdict.ICMP_IMPLAUSIBLE;
    const t = this.#sockets.t;
    const s = row * Socket.STRIDE;
    if (report.error === PathError.TOO_BIG) {
      // Longer datagrams will be fragmented here; who forbade that has to know.
      // Who is not connected sends to anybody: his quote proves nothing.
      this.#net.lowerPathMtu(report.destination, report.mtu, (t[s + Socket.FLAGS] & SocketFlag.CONNECTED) !== 0);
      if ((t[s + Socket.FLAGS] & SocketFlag.DONT_FRAGMENT) === 0) return Verdict.OK;
    }
    if ((t[s + Socket.FLAGS] & SocketFlag.CONNECTED) === 0 || isPassing(report.error)) return Verdict.OK;
    t[s + Socket.ERROR] = report.error + 1;
    this.#events.push(SocketKind.UDP, row, Event.FAILED);
    return Verdict.OK;
  }

  /** To every socket bound to the group or broadcast address, and to every one bound to any. */
  #everybody(packet: InboundPacket, port: number): Verdict {
    let verdict: Verdict = Verdict.UDP_NO_PORT;
    for (let row = this.#sockets.firstBound(packet.destination, port); row >= 0; row = this.#sockets.next(row))
      verdict = this.#queue(row, packet);
    for (let row = this.#sockets.firstBound(0, port); row >= 0; row = this.#sockets.next(row))
      verdict = this.#queue(row, packet);
    if (verdict === Verdict.UDP_NO_PORT) this.#net.stats.udpNoPorts += 1;
    return verdict;
  }

  /** A full queue loses the newest: the program is behind, and what it has not read yet is what it will ask about. */
  #queue(row: number, packet: InboundPacket): Verdict {
    const t = this.#sockets.t;
    const s = row * Socket.STRIDE;
    const length = udpLength(packet.view, packet.at) - Header.HEADER_BYTES;
    const cost = this.#queues.cost(length);
    // A limit too small for one datagram would make the socket deaf: one may always wait.
    const over = t[s + Socket.QUEUE] !== 0 && t[s + Socket.QUEUED_BYTES] + cost > t[s + Socket.RECEIVE_BYTES_MAX];
    if (over || !this.#queues.fits(t[s + Socket.QUEUE], length)) {
      t[s + Socket.DROPS] += 1;
      this.#net.stats.udpRcvbufErrors += 1;
      this.#net.stats.udpInErrors += 1;
      return Verdict.UDP_QUEUE_FULL;
    }
    t[s + Socket.QUEUE] = this.#queues.append(
      t[s + Socket.QUEUE],
      packet.bytes,
      packet.at + Header.HEADER_BYTES,
      length,
      packet.source,
      udpSourcePort(packet.view, packet.at),
      packet.destination,
    );
    t[s + Socket.QUEUED_BYTES] += cost;
    this.#net.stats.udpInDatagrams += 1;
    this.#events.push(SocketKind.UDP, row, Event.READABLE);
    return Verdict.OK;
  }

  /** Header, checksum, and down. What fits the path goes with DF, so that a narrower one is noticed; the rest is fragmented here. */
  #emit(
    s: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    local: Address,
    remote: Address,
    remotePort: number,
  ): Verdict {
    const net = this.#net;
    const t = this.#sockets.t;
    const total = Header.HEADER_BYTES + length;
    const fits = total + net.headerBytes(remote) <= net.pathMtu(remote);
    const localPort = t[s + Socket.PORTS] >>> 16;
    const ttl = net.isMulticast(remote) ? t[s + Socket.MULTICAST_TTL] : t[s + Socket.TTL];
    const tos = t[s + Socket.TOS];
    const dontFragment = fits || (t[s + Socket.FLAGS] & SocketFlag.DONT_FRAGMENT) !== 0;
    const flags =
      (dontFragment ? OutputFlag.DONT_FRAGMENT : OutputFlag.NONE) |
      ((t[s + Socket.FLAGS] & SocketFlag.BROADCAST) !== 0 ? OutputFlag.BROADCAST : OutputFlag.NONE);
    const pseudo = net.pseudoHeaderSum(local, remote, IpProtocol.UDP, total);
    let verdict: Verdict;
    if (total <= net.slab.frameBytesMax) {
      const at = net.takeSegment();
      if (at < 0) {
        net.stats.udpSndbufErrors += 1;
        return Verdict.NO_BUFFER;
      }
      emitUdp(net.slab.view, at, localPort, remotePort, total);
      copyBytes(bytes, from, net.slab.bytes, at + Header.HEADER_BYTES, length);
      finishUdpChecksum(net.slab.view, at, total, pseudo);
      verdict = net.output(at, total, IpProtocol.UDP, local, remote, tos, ttl, flags);
    } else {
      this.#growLarge();
      emitUdp(this.#largeView, 0, localPort, remotePort, total);
      copyBytes(bytes, from, this.#large, Header.HEADER_BYTES, length);
      finishUdpChecksum(this.#largeView, 0, total, pseudo);
      verdict = net.outputFrom(this.#large, 0, total, IpProtocol.UDP, local, remote, tos, ttl, flags, Cause.UDP_DATA);
    }
    if (verdict < FIRST_DROP || verdict === Verdict.NEIGHBOR_PENDING) net.stats.udpOutDatagrams += 1;
    else if (verdict === Verdict.NO_BUFFER) net.stats.udpSndbufErrors += 1;
    return verdict;
  }

  #growLarge(): void {
    if (this.#large.length !== 0) return;
    this.#large = new Uint8Array(Ipv4.DATAGRAM_BYTES_MAX);
    this.#largeView = new DataView(this.#large.buffer);
  }

  /** What the socket is bound to, if a host may speak from it; what the program says; else what the route says. */
  #sourceFor(s: number, remote: Address, source: Address | undefined): Address {
    if (source !== undefined && source !== 0) {
      if (!this.#net.isLocal(source))
        throw new StackError('EADDRNOTAVAIL', `${this.#net.formatAddress(source)} is no address of this stack`);
      return source;
    }
    const local = this.#sockets.t[s + Socket.LOCAL] as Address;
    return local !== 0 && this.#net.isLocal(local) ? local : this.#net.sourceFor(remote);
  }

  #bindEphemeral(row: number): void {
    const s = row * Socket.STRIDE;
    if ((this.#sockets.t[s + Socket.FLAGS] & SocketFlag.BOUND) !== 0) return;
    this.#sockets.bind(row, this.#sockets.t[s + Socket.LOCAL], 0);
  }

  /** RFC 1122 §4.1.3.6 and POSIX: a program says beforehand that it means to speak to everybody. */
  #checkBroadcast(s: number, remote: Address): void {
    if ((this.#sockets.t[s + Socket.FLAGS] & SocketFlag.BROADCAST) !== 0) return;
    // No route comes before no right, as in Linux.
    if (this.#net.isBroadcast(remote) && !this.#net.isMulticast(remote) && this.#net.hasRoute(remote))
      throw new StackError('EACCES', `${this.#net.formatAddress(remote)} is a broadcast address; open with broadcast`);
  }
}
