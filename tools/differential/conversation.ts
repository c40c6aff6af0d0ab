import type { TcpOption, TcpPacket } from '../../src/packetdrill/language/ast.js';
import { buildIcmp, buildTcp, type Route } from '../../src/packetdrill/wire/build.js';
import { printPacket } from '../../src/packetdrill/wire/print.js';
import { readDatagram } from '../../src/packetdrill/wire/read.js';
import { CONSTANTS } from '../../src/posix/constants.js';
import { errnoName } from '../../src/posix/errno.js';
import type { Outcome } from '../../src/posix/socket-calls.js';
import { formatIpv4Address, parseIpv4Address } from '../../stack/wire/ipv4.js';
import { TcpFlag } from '../../stack/wire/tcp.js';
import type { CallAction, Done, Happening, Recording, SegmentAction, Step } from './step.js';

/** A TCP to be asked: its calls never wait, because every socket is non-blocking. */
export interface Endpoint {
  socket(): Outcome;
  nonblock(fd: number): Outcome;
  bind(fd: number, host: string, port: number): Outcome;
  listen(fd: number, backlog: number): Outcome;
  accept(fd: number): Outcome;
  connect(fd: number, host: string, port: number): Outcome;
  recv(fd: number, length: number, flags: number): Outcome;
  send(fd: number, length: number, flags: number): Outcome;
  shutdown(fd: number, how: number): Outcome;
  close(fd: number): Outcome;
  ioctl(fd: number, request: number): Outcome;
  /** `result` is what poll gives, `data` the revents. */
  poll(fd: number, events: number): Outcome;
  getsockopt(fd: number, level: number, option: number, capacity: number): Outcome;
  setsockopt(fd: number, level: number, option: number, value: Uint8Array): Outcome;
  deliver(datagram: Uint8Array): void;
}

/** Whose conversation a datagram is of: on one machine many go on at once. */
export interface Ends {
  readonly localPort: number;
  readonly remoteHost: string;
  readonly remotePort: number;
}

export const LOCAL_HOST = '192.168.0.1';
const PEER_ISN = 0;
/** What the first timestamp of a recording is called. */
const FIRST_STAMP = 100;
const OPTION_BYTES_MAX = 8;
/** A TCP that sends without end is cut off; no sequence of ours gives rise to so many. */
const HAPPENINGS_MAX = 2000;

/** One sequence with one TCP: does the steps, and writes down what comes of them. */
export class Conversation {
  private readonly done: Done[] = [];
  private readonly happenings: Happening[] = [];
  private readonly fds = new Map<number, number>();
  private readonly toTcp: Route;
  private isn: number | undefined;
  private firstStamp: number | undefined;
  private lastStamp: number | undefined;

  constructor(
    private readonly endpoint: Endpoint,
    readonly ends: Ends,
  ) {
    this.toTcp = {
      source: int32Of(ends.remoteHost),
      destination: int32Of(LOCAL_HOST),
      sourcePort: ends.remotePort,
      destinationPort: ends.localPort,
    };
  }

  perform({ action }: Step, us: number): void {
    if (action.kind === 'call') {
      const fd = this.fds.get(action.fd) ?? -1;
      const skipped = fd < 0 && action.name !== 'socket';
      this.done.push({ us, echo: 0, skipped });
      if (!skipped) this.call(action, fd, us);
      return;
    }
    if (action.kind === 'segment') {
      this.done.push({ us, echo: this.stampName(this.lastStamp), skipped: false });
      this.endpoint.deliver(buildTcp(this.onWire(action), this.toTcp));
      return;
    }
    this.done.push({ us, echo: 0, skipped: false });
    const start = (action.seq + (this.isn ?? 0)) >>> 0;
    const {
      toTcp: { source, destination, sourcePort, destinationPort },
    } = this;
    const quoted: Route = {
      source: destination,
      destination: source,
      sourcePort: destinationPort,
      destinationPort: sourcePort,
    };
    this.endpoint.deliver(
      buildIcmp(
        {
          protocol: 'icmp',
          version: 4,
          marks: {},
          type: action.type,
          code: action.code,
          mtu: action.mtu,
          id: 0,
          seq: 0,
          quoted: { protocol: 'tcp', range: { start, end: start, length: 0 } },
        },
        this.toTcp,
        quoted,
      ),
    );
  }

  /** A datagram that the TCP sent. */
  sent(datagram: Uint8Array, us: number): void {
    if (this.happenings.length >= HAPPENINGS_MAX) return;
    const step = this.done.length;
    const seen = readDatagram(datagram, us);
    if (seen.fault !== undefined || seen.packet === undefined) {
      const text = seen.fault ?? 'a packet of another protocol';
      this.happenings.push({ kind: 'packet', us, step, text, compared: text, stamp: undefined });
      return;
    }
    const asked = { ...(seen.tos === 0 ? {} : { tos: 0 }), ...(seen.ttl === 64 ? {} : { ttl: 0 }) };
    if (seen.packet.protocol !== 'tcp') {
      const text = printPacket(seen.packet, asked);
      this.happenings.push({ kind: 'packet', us, step, text, compared: text, stamp: undefined });
      return;
    }
    const stamp = stampOf(seen.packet.options);
    if (stamp !== undefined) {
      this.firstStamp ??= stamp;
      this.lastStamp = stamp;
    }
    const packet = this.inScript(seen.packet);
    const text = printPacket(packet, asked);
    const compared = text.replace(/TS val \d+/, 'TS val');
    const since = stamp === undefined ? undefined : this.stampName(stamp) - FIRST_STAMP;
    this.happenings.push({ kind: 'packet', us, step, text, compared, stamp: since });
  }

  finish(endUs: number): Recording {
    return { steps: this.done, happenings: this.happenings, endUs };
  }

  /** The live descriptors that are left, for whoever cleans up. */
  get open(): readonly number[] {
    return [...this.fds.values()];
  }

  private stampName(live: number | undefined): number {
    if (live === undefined || this.firstStamp === undefined) return 0;
    return (live - this.firstStamp + FIRST_STAMP) >>> 0;
  }

  private onWire(action: SegmentAction): TcpPacket {
    const start = (PEER_ISN + action.seq) >>> 0;
    return {
      protocol: 'tcp',
      marks: {},
      ports: undefined,
      flags: action.flags,
      range: { start, end: (start + action.length) >>> 0, length: action.length },
      ack: action.ack === undefined ? undefined : (action.ack + (this.isn ?? 0)) >>> 0,
      window: action.window,
      urgent: action.urgent,
      options: action.options.map((option): TcpOption => {
        const isn = this.isn ?? 0;
        if (option.kind === 'TS') return { ...option, ecr: this.lastStamp ?? 0 };
        if (option.kind !== 'sack') return option;
        return {
          kind: 'sack',
          blocks: option.blocks.map(({ left, right }) => ({ left: (left + isn) >>> 0, right: (right + isn) >>> 0 })),
        };
      }),
    };
  }

  private inScript(packet: TcpPacket): TcpPacket {
    // A RST that answers a segment with an ACK has that one's number, of whatever it counts from.
    if (this.isn === undefined && (packet.flags & TcpFlag.SYN) !== 0) this.isn = packet.range.start;
    const { start, end, length } = packet.range;
    // RFC 9293 §3.10.7.1: the answer to what is of no connection has <SEQ=0>, whatever a connection counts from.
    const isn = (packet.flags & TcpFlag.RST) !== 0 && start === 0 ? 0 : (this.isn ?? 0);
    return {
      ...packet,
      ports: undefined,
      range: { start: (start - isn) >>> 0, end: (end - isn) >>> 0, length },
      ack: packet.ack === undefined ? undefined : (packet.ack - PEER_ISN) >>> 0,
      options: packet.options?.map((option) =>
        option.kind === 'TS' ? { ...option, val: this.stampName(option.val) } : option,
      ),
    };
  }

  private call(action: CallAction, fd: number, us: number): void {
    const step = this.done.length;
    const { value, ...outcome } = this.ask(action, fd);
    const { result, errno } = outcome;
    if (action.name === 'socket' && result >= 0) this.fds.set(3, result);
    if (action.name === 'accept' && result >= 0) this.fds.set(4, result);
    if (action.name === 'close') this.fds.delete(action.fd);
    const opens = action.name === 'socket' || action.name === 'accept';
    const shown = opens && result >= 0 ? (action.name === 'socket' ? 3 : 4) : result;
    this.happenings.push({ kind: 'call', us, step, result: shown, errno: result < 0 ? errno : 0, value });
  }

  private ask(action: CallAction, fd: number): Outcome & { readonly value?: string } {
    const { endpoint, ends } = this;
    switch (action.name) {
      case 'socket':
        return endpoint.socket();
      case 'nonblock':
        return endpoint.nonblock(fd);
      case 'bind':
        return endpoint.bind(fd, LOCAL_HOST, ends.localPort);
      case 'connect':
        return endpoint.connect(fd, ends.remoteHost, ends.remotePort);
      case 'accept':
        return endpoint.accept(fd);
      case 'close':
        return endpoint.close(fd);
      case 'listen':
        return endpoint.listen(fd, action.backlog);
      case 'recv':
        return endpoint.recv(fd, action.length, bits(action.flags));
      case 'send':
        return endpoint.send(fd, action.length, bits(action.flags));
      case 'shutdown':
        return endpoint.shutdown(fd, constant(action.how));
      case 'ioctl': {
        const outcome = endpoint.ioctl(fd, constant(action.request));
        return { ...outcome, ...(outcome.result < 0 ? {} : { value: String(int(outcome.data)) }) };
      }
      case 'poll': {
        const outcome = endpoint.poll(fd, bits(action.events));
        return { ...outcome, value: pollNames(int(outcome.data)) };
      }
      case 'setsockopt': {
        const value = new Uint8Array(Int32Array.from(action.value).buffer);
        return endpoint.setsockopt(fd, constant(action.level), constant(action.option), value);
      }
      case 'getsockopt': {
        const outcome = endpoint.getsockopt(fd, constant(action.level), constant(action.option), OPTION_BYTES_MAX);
        if (outcome.result < 0) return outcome;
        const number = int(outcome.data);
        return { ...outcome, value: action.option === 'SO_ERROR' && number > 0 ? errnoName(number) : String(number) };
      }
    }
  }
}

function int32Of(host: string): number {
  const address = parseIpv4Address(host);
  if (address === undefined) throw new RangeError(`${host} is no IPv4 address`);
  return address;
}

/** The number of a name that a program would write. */
export function constant(name: string): number {
  const value = CONSTANTS.get(name);
  if (value === undefined) throw new RangeError(`${name} is no name of the socket calls`);
  return value;
}

function bits(names: readonly string[]): number {
  return names.reduce((sum, name) => sum | constant(name), 0);
}

const POLL_NAMES = ['POLLIN', 'POLLPRI', 'POLLOUT', 'POLLERR', 'POLLHUP', 'POLLRDHUP'] as const;

function pollNames(revents: number): string {
  return POLL_NAMES.filter((name) => (revents & constant(name)) !== 0).join('|') || '0';
}

function int(data: Uint8Array | undefined): number {
  if (data === undefined || data.length < 4) return 0;
  return new DataView(data.buffer, data.byteOffset, data.length).getInt32(0, true);
}

function stampOf(options: readonly TcpOption[] | undefined): number | undefined {
  const found = options?.find((option) => option.kind === 'TS');
  return found?.kind === 'TS' ? found.val : undefined;
}

/** Whom a datagram goes to, as `address:port:from-port`; undefined when it is not of TCP or quotes something. */
export function addresseeOf(datagram: Uint8Array): string | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.length);
  if (datagram.length < 24 || view.getUint8(0) >> 4 !== 4 || view.getUint8(9) !== 6) return undefined;
  const at = (view.getUint8(0) & 15) * 4;
  return `${formatIpv4Address(view.getInt32(16))}:${view.getUint16(at + 2)}:${view.getUint16(at)}`;
}

export function addressee({ remoteHost, remotePort, localPort }: Ends): string {
  return `${remoteHost}:${remotePort}:${localPort}`;
}
