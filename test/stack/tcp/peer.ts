import type { Test } from 'tap';
import type { Address, ConnectionId, ListenerId, Us } from '../../../stack/base/units.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { Medium } from '../../../stack/net/device.js';
import { Event, SocketKind } from '../../../stack/net/event-queue.js';
import type { Interface } from '../../../stack/net/interface.js';
import { Stack } from '../../../stack/stack.js';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { type StateName, stateName } from '../../../stack/tcp/state.js';
import type { ListenOptions } from '../../../stack/tcp/tcp.js';
import { emitIcmpv4, finishIcmpv4Checksum } from '../../../stack/wire/icmpv4.js';
import { emitIpv4, Ipv4, ipv4Protocol } from '../../../stack/wire/ipv4.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { SMALL_UDP } from '../../small-udp.js';
import { type Direction, readSegment, type Segment, type SegmentOptions, writeSegment } from './segment.js';

/** What a test says of a segment to inject; the rest is what a peer in step would send. */
export interface Injection {
  readonly flags?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  /** Bytes, or how many of the pattern. */
  readonly data?: Uint8Array | number;
  readonly urgent?: number;
  readonly options?: SegmentOptions;
  /** The ECN field of the IP header. */
  readonly ecn?: number;
}

/** What a test says of a segment it expects; what it does not say may be anything. */
export interface Expectation {
  readonly flags?: string;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  readonly length?: number;
  readonly urgent?: number;
  readonly data?: Uint8Array;
  readonly options?: SegmentOptions;
  readonly ecn?: number;
}

export interface PeerOptions {
  readonly tcp?: Partial<TcpLimits>;
  readonly listen?: Partial<ListenOptions>;
  readonly mtu?: number;
  readonly slots?: number;
  readonly slotBytes?: number;
  readonly startUs?: number;
  /** The options of the peer's SYN or SYN-ACK. */
  readonly syn?: SegmentOptions;
  /** The window the peer advertises, as it stands in the header. */
  readonly win?: number;
  readonly peerPort?: number;
}

export const STACK_PORT = 80;
export const PEER_PORT = 4000;
/** The peer's initial sequence number: numbers wrap within the first few kilobytes of every test. */
const PEER_ISS = 0xffff_f000 | 0;

/** Byte `i` of every stream, whichever way. The period is prime. */
export function patternAt(i: number): number {
  return (i % 251) ^ ((i / 251) & 0xff);
}
export function pattern(length: number, from = 0): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = patternAt(from + i);
  return bytes;
}

/**
 * A stack, and a peer played by hand on the other end of its link, in virtual time. Sequence numbers are relative to each
 * side's initial one: SYN is 0, the first byte of data 1. The link carries IP datagrams, so there is no ARP in the way.
 */
export class Peer {
  readonly stack: Stack;
  readonly iface: Interface;
  readonly stackAddress: Address;
  readonly peerAddress: Address;
  listener = 0 as ListenerId;
  id = 0 as ConnectionId;
  nowUs: number;
  /** The stack's initial sequence number, learnt from its SYN. */
  stackIss = 0;
  peerIss = PEER_ISS;
  peerPort: number;
  stackPort = STACK_PORT;
  /** Next of the peer's stream, and the next it expects of the stack's. */
  nxt = 0;
  rcvNxt = 0;
  win: number;
  /** When set, every injected segment carries timestamps: TSval is this plus the time in ms. */
  tsBase: number | undefined;
  /** The last TSval of the stack, echoed by default. */
  tsEcho = 0;
  readonly synOptions: SegmentOptions;
  readonly sent: Segment[] = [];
  /** Datagrams of other protocols that the stack has sent. */
  readonly others: Uint8Array[] = [];
  lastVerdict: Verdict = Verdict.OK;
  #events = 0;

  constructor(
    readonly t: Test,
    options: PeerOptions = {},
  ) {
    this.nowUs = options.startUs ?? 1_000_000;
    const slab = new FrameSlab({ slots: options.slots ?? 256, slotBytes: options.slotBytes ?? 2048 });
    this.stack = new Stack({ seed: 1, now: this.nowUs as Us, slab, tcp: { ...SMALL, ...options.tcp }, udp: SMALL_UDP });
    this.stackAddress = this.stack.net.parseAddress('10.0.0.1');
    this.peerAddress = this.stack.net.parseAddress('10.0.0.2');
    this.iface = this.stack.net.addInterface({
      name: 'peer',
      medium: Medium.IP,
      mtu: options.mtu ?? 1500,
      addresses: [{ address: this.stackAddress, prefixLength: 24 }],
    });
    this.synOptions = options.syn ?? { mss: 1460 };
    this.win = options.win ?? 65_535;
    this.peerPort = options.peerPort ?? PEER_PORT;
  }

  get tcp(): Stack['tcp'] {
    return this.stack.tcp;
  }
  get state(): StateName {
    return stateName(this.tcp.state(this.id));
  }

  // What the peer does

  /** Injects a segment and lets the stack finish its turn. What is not said is in step with what went before. */
  inject(injection: Injection = {}): Verdict {
    const verdict = this.receive(injection);
    this.flush();
    return verdict;
  }

  /** The same without the end of the turn: nothing that can wait is sent yet. */
  receive(injection: Injection = {}): Verdict {
    const { slab } = this.stack;
    const slot = slab.take();
    if (slot < 0) throw new Error('the test has no slot for its frame');
    const at = slot + slab.headroom;
    const seq = injection.seq ?? this.nxt;
    const data = typeof injection.data === 'number' ? pattern(injection.data, seq - 1) : injection.data;
    const flags = injection.flags ?? (data === undefined ? '.' : 'P.');
    const timestamps =
      this.tsBase === undefined ? {} : { ts: [(this.tsBase + this.nowUs / 1000) | 0, this.tsEcho] as const };
    const length = writeSegment(
      slab.view,
      at,
      {
        flags,
        seq,
        ack: injection.ack ?? this.rcvNxt,
        win: injection.win ?? this.win,
        urgent: injection.urgent ?? 0,
        ecn: injection.ecn ?? 0,
        options: { ...timestamps, ...injection.options },
        ...(data === undefined ? {} : { data }),
      },
      this.#toStack(),
    );
    this.lastVerdict = this.stack.receive(0, at, length);
    slab.give(at);
    return this.lastVerdict;
  }

  /** The next bytes of the peer's stream. */
  data(count: number, injection: Injection = {}): Verdict {
    const verdict = this.inject({ data: count, ...injection });
    this.nxt += count;
    return verdict;
  }

  /** The peer's FIN, in its place. */
  fin(injection: Injection = {}): Verdict {
    const verdict = this.inject({ flags: 'F.', ...injection });
    this.nxt += 1;
    return verdict;
  }

  /** Acknowledges everything the stack has sent. */
  ack(injection: Injection = {}): Verdict {
    return this.inject({ ack: this.rcvNxt, ...injection });
  }

  /** An ICMP error that quotes a segment the stack has sent. */
  icmp(type: number, code: number, quoted: Uint8Array, rest = 0): Verdict {
    const { slab } = this.stack;
    const at = slab.take() + slab.headroom;
    const quote = quoted.subarray(0, 28);
    const length = 8 + quote.length;
    emitIcmpv4(slab.view, at + Ipv4.HEADER_BYTES, type, code, rest);
    slab.bytes.set(quote, at + Ipv4.HEADER_BYTES + 8);
    finishIcmpv4Checksum(slab.view, at + Ipv4.HEADER_BYTES, length);
    const total = Ipv4.HEADER_BYTES + length;
    emitIpv4(slab.view, at, Ipv4.HEADER_BYTES, 0, total, 1, 0, 64, 1, this.peerAddress, this.stackAddress);
    this.lastVerdict = this.stack.receive(0, at, total);
    slab.give(at);
    this.flush();
    return this.lastVerdict;
  }

  // Time

  /** The end of a turn: what the stack has to send is sent. */
  flush(): void {
    this.stack.flush();
    this.#collect();
  }

  /** Time passes; each deadline of the stack is a turn. */
  advanceMs(ms: number): void {
    const until = this.nowUs + ms * 1000;
    for (let turns = 0; turns < 100_000; turns++) {
      const next = Math.max(this.stack.nextDeadline(), this.nowUs);
      if (next > until) break;
      this.#turn(next);
    }
    this.#turn(until);
  }

  /** Time passes up to the next thing the stack sends; how many ms that took. */
  untilSent(limitMs = 10_000_000): number {
    const began = this.nowUs;
    while (this.sent.length === 0) {
      const next = Math.max(this.stack.nextDeadline(), this.nowUs);
      if (next > began + limitMs * 1000) throw new Error(`nothing is sent within ${limitMs} ms`);
      this.#turn(next);
    }
    return (this.nowUs - began) / 1000;
  }

  #turn(us: number): void {
    this.nowUs = us;
    this.stack.advance(us as Us);
    this.flush();
  }

  // What the program does

  /** Bytes the stack's program has written so far, so that the pattern goes on. */
  written = 0;
  write(count: number): number {
    const taken = this.tcp.send(this.id, pattern(count, this.written));
    this.written += taken;
    this.flush();
    return taken;
  }
  read(count = 1 << 20): Uint8Array {
    const into = new Uint8Array(count);
    const n = this.tcp.receive(this.id, into);
    this.flush();
    return into.slice(0, Math.max(0, n));
  }
  shutdown(): void {
    this.tcp.shutdown(this.id);
    this.flush();
  }
  close(): void {
    this.tcp.close(this.id);
    this.flush();
  }
  abort(): void {
    this.tcp.abort(this.id);
    this.flush();
  }
  accept(): void {
    this.id = this.tcp.accept(this.listener) as ConnectionId;
  }
  /** The bits of `Event` that the connection has been told of since the last call. */
  events(): number {
    this.#drainEvents();
    const events = this.#events;
    this.#events = 0;
    return events;
  }
  told(event: Event): boolean {
    this.#drainEvents();
    return (this.#events & event) !== 0;
  }
  #drainEvents(): void {
    const { events } = this.stack;
    while (events.next()) {
      if (events.kind === SocketKind.CONNECTION && this.tcp.idOf(events.row) === this.id) this.#events |= events.events;
    }
  }

  // What the test expects

  /** The next segment the stack has sent is this. */
  expect(expectation: Expectation, message = ''): Segment {
    const segment = this.sent.shift();
    if (segment === undefined) {
      this.t.fail(`${message} nothing was sent; expected ${JSON.stringify(expectation)}`);
      throw new Error('nothing was sent');
    }
    const actual: Record<string, unknown> = {};
    for (const key of Object.keys(expectation)) actual[key] = segment[key as keyof Segment];
    this.t.same(actual, expectation, `${message} ${segment.line}`.trim());
    return segment;
  }
  expectNothing(message = 'nothing is sent'): void {
    const lines = this.sent.map((segment) => segment.line);
    this.t.same(lines, [], message);
    this.sent.length = 0;
  }
  /** Forgets what was sent so far. */
  drain(): Segment[] {
    return this.sent.splice(0);
  }
  expectState(state: StateName): void {
    this.t.equal(this.state, state, `the state is ${state}`);
  }
  /** TIME-WAIT is the stack's; to the program the connection is closed. */
  expectTimeWait(): void {
    this.expectState('CLOSED');
    this.t.equal(this.tcp.counts.timeWait, 1, 'the pair waits in TIME-WAIT');
  }
  /** Nothing of any connection is left, nor any memory. */
  expectAllFreed(): void {
    const { context, counts } = this.tcp;
    this.t.same(
      {
        connections: counts.connections,
        active: counts.active,
        halfOpen: counts.halfOpen,
        timeWait: counts.timeWait,
        chunks: context.arena.chunksMax - context.arena.chunksFree,
        runs: context.reassembly.count,
        records: context.transmits.count,
        slots: this.stack.slab.slots - this.stack.slab.freeCount,
        established: this.stack.net.stats.tcpCurrEstab,
      },
      { connections: 0, active: 0, halfOpen: 0, timeWait: 0, chunks: 0, runs: 0, records: 0, slots: 0, established: 0 },
      'everything is given back',
    );
  }

  #toStack(): Direction {
    return {
      source: this.peerAddress,
      destination: this.stackAddress,
      sourcePort: this.peerPort,
      destinationPort: this.stackPort,
      seqBase: this.peerIss,
      ackBase: this.stackIss,
    };
  }
  #fromStack(): Direction {
    return {
      source: this.stackAddress,
      destination: this.peerAddress,
      sourcePort: this.stackPort,
      destinationPort: this.peerPort,
      seqBase: this.stackIss,
      ackBase: this.peerIss,
    };
  }

  #collect(): void {
    const queue = this.iface.transmitQueue;
    const { view, bytes } = this.stack.slab;
    for (let i = queue.first; i < queue.count; i++) {
      const at = queue.offsets[i] as number;
      const length = queue.lengths[i] as number;
      if (ipv4Protocol(view, at) !== 6) this.others.push(bytes.slice(at, at + length));
      else this.#take(at, length);
      this.stack.slab.give(at);
    }
    queue.sent(queue.length);
  }

  #take(at: number, length: number): void {
    const { view } = this.stack.slab;
    const headerBytes = 20;
    // A SYN says where the numbers begin.
    if ((view.getUint8(at + headerBytes + 13) & 2) !== 0) this.stackIss = view.getInt32(at + headerBytes + 4);
    const segment = readSegment(view, at, length, this.#fromStack(), this.nowUs);
    if (length > this.iface.mtu) throw new Error(`the stack sent ${length} bytes, more than the MTU`);
    if (segment.options.ts !== undefined) this.tsEcho = segment.options.ts[0];
    if (!segment.flags.includes('R')) {
      const end =
        segment.seq + segment.length + (segment.flags.includes('S') ? 1 : 0) + (segment.flags.includes('F') ? 1 : 0);
      if (end > this.rcvNxt) this.rcvNxt = end;
    }
    this.sent.push(segment);
  }
}

/** Tables just large enough; every default that the protocol shows is left alone. */
export const SMALL: Partial<TcpLimits> = {
  connectionsMax: 32,
  activeMax: 32,
  synReceivedMax: 16,
  timeWaitMax: 16,
  listenersMax: 4,
  bufferBytesMax: 8 << 20,
  outOfOrderMax: 1024,
  transmitRecordsMax: 8192,
};
