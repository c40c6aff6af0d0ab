import { StackError } from '../base/errors.js';
import type { Prng } from '../base/prng.js';
import type { Address } from '../base/units.js';
import { type FrameSlab, HEADROOM_BYTES } from '../memory/frame-slab.js';
import type { PoolReport } from '../memory/pool-report.js';
import type { Clock } from '../time/clock.js';
import { Icmpv4Type, Unreachable } from '../wire/icmpv4.js';
import { IpProtocol, Ipv4, ipv4PseudoSum, ipv4TotalLength } from '../wire/ipv4.js';
import { FIRST_DROP, Verdict } from '../wire/verdict.js';
import { type AddressTable, Ipv4AddressTable, maskOf } from './address.js';
import { AnswerLimits } from './answer-limits.js';
import { Arp } from './arp.js';
import { type Context, type NetworkLimits, networkLimits } from './context.js';
import { Medium } from './device.js';
import { Echo, type EchoResult } from './echo.js';
import { Icmp } from './icmp.js';
import { IcmpErrors } from './icmp-error.js';
import { checkInterface, Interface, type InterfaceOptions, shareSlots } from './interface.js';
import { IFACE_LOCAL, IpInput } from './ip-input.js';
import { IpOutput } from './ip-output.js';
import { LinkInput } from './link-input.js';
import { Local, LocalAddresses } from './local-addresses.js';
import { LocalQueue } from './local-queue.js';
import { NeighborCache } from './neighbor.js';
import { Cause, Note, NoteKind } from './note.js';
import { Path, PathCache, PathKind } from './path.js';
import { PathMtuTable } from './path-mtu.js';
import { QuoteReader } from './quote.js';
import { Reachability } from './reachability.js';
import { type RouteOptions, RouteTable } from './route.js';
import { Stats } from './stats.js';
import { type InboundPacket, OutputFlag, type Transport } from './transport.js';

export interface NetworkOptions {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly prng: Prng;
  /** Each has a default; see `NetworkLimits`. */
  readonly limits?: Partial<NetworkLimits>;
}

/** The network layer of a host. Joins the parts, which know each other only downwards; holds no rules of its own. */
export class Network {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly stats = new Stats();
  readonly interfaces: Interface[] = [];
  readonly addresses: AddressTable = new Ipv4AddressTable();
  readonly limits: NetworkLimits;
  readonly routes = new RouteTable();
  readonly neighbors: NeighborCache;
  readonly answers: AnswerLimits;
  readonly #ctx: Context;
  readonly #local = new LocalAddresses();
  readonly #pathMtu: PathMtuTable;
  readonly #paths: PathCache;
  readonly #reachability: Reachability;
  readonly #localQueue: LocalQueue;
  readonly #output: IpOutput;
  readonly #errors: IcmpErrors;
  readonly #echo: Echo;
  readonly #arp: Arp;
  readonly #ip: IpInput;
  readonly #link: LinkInput;

  constructor(options: NetworkOptions) {
    this.slab = options.slab;
    this.clock = options.clock;
    this.prng = options.prng;
    this.limits = networkLimits(this.slab, options.limits ?? {});
    const ctx: Context = {
      slab: this.slab,
      clock: this.clock,
      prng: this.prng,
      stats: this.stats,
      interfaces: this.interfaces,
      transports: new Array<Transport | undefined>(256).fill(undefined),
      limits: this.limits,
    };
    this.#ctx = ctx;
    const quotes = new QuoteReader(ctx, this.#local);
    this.#pathMtu = new PathMtuTable(this.clock);
    this.#paths = new PathCache(ctx, this.#local, this.routes, this.#pathMtu);
    this.neighbors = new NeighborCache(ctx, quotes);
    this.#reachability = new Reachability(this.clock, this.#paths, this.neighbors);
    this.#localQueue = new LocalQueue(ctx);
    this.answers = new AnswerLimits(ctx);
    this.#output = new IpOutput(ctx, this.#paths, this.neighbors, this.#localQueue);
    this.#errors = new IcmpErrors(ctx, this.#local, this.#output);
    this.#echo = new Echo(ctx, this.#paths, this.#output);
    this.#arp = new Arp(ctx, this.#local, this.neighbors);
    this.#ip = new IpInput(ctx, this.#local, this.#errors);
    this.#link = new LinkInput(ctx, this.#arp, this.#ip);
    this.register(IpProtocol.ICMP, new Icmp(ctx, this.#local, this.#output, quotes, this.#echo));
  }

  // Control path

  /** Control path. Throws EINVAL where the options cannot work. Connected routes come with the addresses. */
  addInterface(options: InterfaceOptions): Interface {
    checkInterface(options, this.slab);
    const iface = new Interface(this.interfaces.length, options, this.slab, this.limits.answerQueueFrames);
    this.interfaces.push(iface);
    shareSlots(this.interfaces, this.slab);
    for (const { address, prefixLength } of options.addresses ?? [])
      this.addAddress(iface.index, address, prefixLength);
    this.#paths.invalidate();
    return iface;
  }

  /** Control path. Gives an interface an address, with the route to its link, and announces it there. */
  addAddress(index: number, address: Address, prefixLength: number): void {
    const iface = this.#interface(index);
    this.#local.checkNew(address, prefixLength);
    iface.addresses.push({ address, prefixLength });
    const network = (address & maskOf(prefixLength)) as Address;
    // A second address on the same link needs no second route.
    if (prefixLength < 32 && !this.routes.hasConnected(network, prefixLength, index))
      this.routes.add({ destination: network, prefixLength }, index);
    this.#local.rebuild(this.interfaces);
    this.#paths.invalidate();
    if (iface.medium === Medium.ETHERNET) this.#arp.announce(iface, address);
  }

  /** Control path. */
  removeAddress(index: number, address: Address): void {
    const iface = this.#interface(index);
    const at = iface.addresses.findIndex((own) => own.address === address);
    if (at < 0) throw new StackError('EADDRNOTAVAIL', `${this.formatAddress(address)} is not on ${iface.name}`);
    const [gone] = iface.addresses.splice(at, 1);
    const mask = maskOf(gone.prefixLength);
    const stillConnected = iface.addresses.some(
      (own) => own.prefixLength === gone.prefixLength && ((own.address ^ address) & mask) === 0,
    );
    if (!stillConnected)
      this.routes.remove({ destination: (address & mask) as Address, prefixLength: gone.prefixLength }, index);
    this.#local.rebuild(this.interfaces);
    this.#paths.invalidate();
  }

  /**
   * Control path. A link lost or found again. Losing it forgets its neighbours, because another may be on the other end
   * afterwards. Its addresses stay ours; its routes do not count until it is up again. Connections are not ended: they send again
   * and again, and time out unless the link comes back.
   */
  setUp(index: number, up: boolean): void {
    const iface = this.#interface(index);
    if (iface.up === up) return;
    iface.up = up;
    this.#paths.invalidate();
    if (!up) this.neighbors.flush(index);
    else if (iface.medium === Medium.ETHERNET)
      for (const { address } of iface.addresses) this.#arp.announce(iface, address);
  }

  addRoute(options: RouteOptions): void {
    this.routes.add(options, this.#routeInterface(options));
    this.#paths.invalidate();
  }
  removeRoute(options: RouteOptions): void {
    if (!this.routes.remove(options, this.#routeInterface(options)))
      throw new StackError(
        'ENOENT',
        `there is no route to ${this.formatAddress(options.destination)}/${options.prefixLength} like this`,
      );
    this.#paths.invalidate();
  }

  /** One transport for each protocol number. */
  register(protocol: number, transport: Transport): void {
    this.#ctx.transports[protocol] = transport;
  }

  parseAddress(text: string): Address {
    return this.addresses.parse(text);
  }
  formatAddress(address: Address): string {
    return this.addresses.format(address);
  }

  // Frames in, time

  /** One frame. It is read, and its note written; its slot stays the caller's. */
  receive(index: number, offset: number, length: number): Verdict {
    const iface = this.interfaces[index];
    const counters = iface.counters;
    counters.framesReceived += 1;
    counters.bytesReceived += length;
    // What a device brings after its link was declared lost is old.
    const verdict = iface.up ? this.#link.input(iface, offset, length) : Verdict.INTERFACE_DOWN;
    this.stats.verdicts[verdict] += 1;
    if (verdict >= FIRST_DROP) counters.dropsReceived += 1;
    if (this.slab.notes !== null) this.#noteReceived(offset, verdict);
    return verdict;
  }

  /** After `clock.advance`: whatever was due until now. */
  advance(): void {
    this.neighbors.advance();
    this.#arp.advance();
    this.#ip.reassembly.advance();
    const expired = this.#pathMtu.expire();
    if (expired > 0) {
      this.stats.pathMtuExpired += expired;
      this.#paths.invalidate();
    }
  }

  /** Until `advance` has something to do. 0 while datagrams to ourselves wait. */
  msToNext(): number {
    if (this.#localQueue.length > 0) return 0;
    return Math.min(
      this.neighbors.msToNext(),
      this.#arp.msToNext(),
      this.#ip.reassembly.msToNext(),
      this.#pathMtu.msToNext(),
    );
  }

  /** What is sent now is in the transmit queues: answers to strangers may follow it, and timers of requests start. Once a flush. */
  finishFlush(): void {
    this.neighbors.timers.sent();
    this.#arp.sent();
    for (let i = 0; i < this.interfaces.length; i++) this.interfaces[i].admitAnswers();
  }

  /** Datagrams to ourselves that wait. */
  get localWaiting(): number {
    return this.#localQueue.length;
  }

  /**
   * Delivers the datagrams to ourselves that wait now; those sent in answer wait for the next call. Returns how many it
   * delivered, so that `flush` can go on until it is none, and stop after a while even when it never is.
   */
  deliverLocal(): number {
    const count = this.#localQueue.length;
    for (let i = 0; i < count; i++) {
      const at = this.#localQueue.headAt();
      const length = this.#localQueue.headLength();
      this.#localQueue.shift();
      const verdict = this.#ip.input(IFACE_LOCAL, at, length, false);
      this.stats.verdicts[verdict] += 1;
      this.slab.give(at);
    }
    return count;
  }

  // For transports, per packet

  /** A slot; returns where the transport header begins, or -1. Room for every lower header is before it. */
  takeSegment(): number {
    const slot = this.slab.takeToSend();
    return slot < 0 ? -1 : slot + HEADROOM_BYTES;
  }
  /** Gives back a slot that `takeSegment` returned and that is not sent after all. */
  giveSegment(at: number): void {
    this.slab.give(at);
  }

  /** The queue that a datagram to there goes through: an interface's index, or `IFACE_LOCAL` where it never leaves us. */
  wayTo(destination: Address): number {
    const t = this.#paths.t;
    const p = this.#paths.find(destination);
    return t[p + Path.KIND] === PathKind.LOCAL ? IFACE_LOCAL : t[p + Path.IFACE];
  }
  /** How many frames that queue still takes. Each has its own, so that a device that takes nothing stops only what goes by it. */
  roomOn(way: number): number {
    const room = way < 0 ? this.#localQueue.room : this.interfaces[way].transmitQueue.room;
    return Math.min(this.slab.freeToSend, room);
  }
  roomTo(destination: Address): number {
    return this.roomOn(this.wayTo(destination));
  }

  /**
   * Sends the slot's bytes from `at`. Takes the slot whatever happens. OK or NEIGHBOR_PENDING: on its way; TOO_BIG: longer than
   * the path's MTU and not to be fragmented.
   */
  output(
    at: number,
    length: number,
    protocol: number,
    source: Address,
    destination: Address,
    tos: number,
    ttl: number,
    flags: OutputFlag,
  ): Verdict {
    return this.#output.output(at, length, protocol, source, destination, tos, ttl, flags);
  }

  /** The same for a payload that lies elsewhere and may need many frames: up to 65,515 bytes. */
  outputFrom(
    bytes: Uint8Array,
    at: number,
    length: number,
    protocol: number,
    source: Address,
    destination: Address,
    tos: number,
    ttl: number,
    flags: OutputFlag,
    cause: Cause,
  ): Verdict {
    return this.#output.outputFrom(bytes, at, length, protocol, source, destination, tos, ttl, flags, cause);
  }

  pseudoHeaderSum(source: Address, destination: Address, protocol: number, length: number): number {
    return ipv4PseudoSum(source, destination, protocol, length);
  }
  /** The address to speak from; 0 when there is no route over a link that is up. */
  sourceFor(destination: Address): Address {
    return this.#paths.t[this.#paths.find(destination) + Path.SOURCE] as Address;
  }
  /** Over a link that is up. */
  hasRoute(destination: Address): boolean {
    const kind = this.#paths.t[this.#paths.find(destination) + Path.KIND];
    return kind !== PathKind.UNROUTED && kind !== PathKind.DOWN;
  }
  isLocal(address: Address): boolean {
    return this.#local.classify(address) === Local.OWN;
  }
  /** Limited, directed to a link of ours, or multicast: nothing a connection can be made to. */
  isBroadcast(address: Address): boolean {
    const kind = this.#local.classify(address);
    return kind === Local.BROADCAST || kind === Local.MULTICAST;
  }
  isMulticast(address: Address): boolean {
    return this.#local.classify(address) === Local.MULTICAST;
  }
  /** The largest IP datagram the path takes, as far as is known; the smallest every host takes when there is no path. */
  pathMtu(destination: Address): number {
    const mtu = this.#paths.t[this.#paths.find(destination) + Path.MTU];
    return mtu === 0 ? 576 : mtu;
  }
  /** The MTU of the link we would hear an answer by: what an MSS option is made from (RFC 6691 §2, RFC 1191 §3.1). */
  interfaceMtu(destination: Address): number {
    const mtu = this.#paths.t[this.#paths.find(destination) + Path.LINK_MTU];
    return mtu === 0 ? 576 : mtu;
  }
  /** Of the IP header to there. */
  headerBytes(_destination: Address): number {
    return Ipv4.HEADER_BYTES;
  }

  /** A transport saw its bytes acknowledged: the way there works, and so does the neighbour on it (RFC 4861 §7.3.1). */
  confirmReachable(destination: Address): void {
    this.#reachability.confirm(destination);
  }

  /**
   * A transport has sent the same bytes again and again without an answer: RFC 9293 §3.8.3 MUST-20, for RFC 1122 §3.3.1.4 to find a
   * gateway that died. What was confirmed about the next hop counts no longer, so it is asked again while it is used.
   */
  doubtReachable(destination: Address): void {
    this.stats.pathDoubts += 1;
    this.#reachability.doubt(destination);
  }

  /** A router refused a datagram as too big and the transport believes it: RFC 1191 §3. `proven`: with RFC 5927's checks done, against forged reports. */
  lowerPathMtu(destination: Address, mtu: number, proven = true): void {
    const t = this.#paths.t;
    const p = this.#paths.find(destination);
    if (t[p + Path.KIND] !== PathKind.UNICAST) return;
    if (!this.#pathMtu.lower(destination, mtu, t[p + Path.MTU], proven)) return;
    this.stats.pathMtuLowered += 1;
    this.#paths.invalidate();
  }

  /** Tells the sender that nobody listens at the datagram's port: RFC 1122 §3.2.2.1. What must not be answered is not. */
  sendPortUnreachable(packet: InboundPacket): Verdict {
    return this.sendIcmpError(packet, Icmpv4Type.DESTINATION_UNREACHABLE, Unreachable.PORT, 0);
  }
  sendIcmpError(packet: InboundPacket, type: Icmpv4Type, code: number, rest: number): Verdict {
    const length = ipv4TotalLength(packet.view, packet.ipAt);
    return this.#errors.send(type, code, rest, packet.bytes, packet.view, packet.ipAt, length, packet.broadcast);
  }

  // Ping

  sendEcho(
    destination: Address,
    id: number,
    seq: number,
    payloadBytes: number,
    ttl = 64,
    dontFragment = false,
  ): Verdict {
    return this.#echo.send(destination, id, seq, payloadBytes, ttl, dontFragment);
  }
  /** What came of the requests: polled. Read `echoResult` after true. */
  nextEcho(): boolean {
    return this.#echo.next();
  }
  get echoResult(): EchoResult {
    return this.#echo.result;
  }
  /** Fragments in reassembly: datagrams, for printing and tests. */
  get reassemblies(): number {
    return this.#ip.reassembly.size;
  }

  /** Control path. See `docs/memory.md`. */
  pools(): readonly PoolReport[] {
    return [
      this.slab.report(),
      ...this.interfaces.flatMap((iface) => iface.reports()),
      ...this.neighbors.reports(),
      ...this.#ip.reassembly.reports(),
      this.#pathMtu.report(),
      this.#localQueue.report(),
      this.#echo.report(),
    ];
  }

  #noteReceived(offset: number, verdict: Verdict): void {
    const notes = this.slab.notes;
    if (notes === null) return;
    const row = this.slab.noteRow(offset);
    // TCP has said more.
    if (notes[row + Note.KIND] !== NoteKind.NONE) return;
    notes[row + Note.KIND] = NoteKind.RECEIVED;
    notes[row + Note.REASON] = verdict;
    notes[row + Note.ROW] = -1;
  }

  #interface(index: number): Interface {
    const iface = this.interfaces[index];
    if (iface === undefined) throw new StackError('ENODEV', `there is no interface number ${index}`);
    return iface;
  }

  /** Where a route leads: said, or found by the gateway. */
  #routeInterface(options: RouteOptions): number {
    const gateway = options.gateway ?? (0 as Address);
    if (options.iface !== undefined) return this.#interface(options.iface).index;
    if (gateway === 0) throw new StackError('EINVAL', 'a route needs a gateway, an interface, or both');
    for (const iface of this.interfaces) if (iface.onLink(gateway) && !this.isLocal(gateway)) return iface.index;
    throw new StackError('ENETUNREACH', `the gateway ${this.formatAddress(gateway)} is on no link of ours`);
  }
}
