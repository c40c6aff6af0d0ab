import { lookup } from 'node:dns';
import { EventEmitter } from 'node:events';
import { isIP } from 'node:net';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { Address, UdpId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { UdpOption } from '../../stack/udp/options.js';
import { Verdict } from '../../stack/wire/verdict.js';
import { contextOf, runIn } from '../host/context.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler } from '../reactor/event-handler.js';
import { publishDatagramSocket } from './diagnostics.js';
import type { Endpoint } from './endpoint.js';
import { codeOf, connectionError, errnoOf, listenError, systemError } from './errno.js';
import { coded, portNumber } from './listen-arguments.js';

export interface RemoteInfo {
  address: string;
  family: 'IPv4' | 'IPv6';
  port: number;
  size: number;
}
export type MessageListener = (message: Buffer, remote: RemoteInfo) => void;
export interface DatagramSocketOptions {
  readonly type: 'udp4';
  readonly reuseAddr?: boolean;
  /** Bytes of datagrams that may wait to be read; the next is dropped. */
  readonly recvBufferSize?: number;
}
export interface BindOptions {
  readonly port?: number;
  readonly address?: string;
}
type SendCallback = (error: Error | null, bytes: number) => void;
type Payload = string | NodeJS.ArrayBufferView | readonly (string | NodeJS.ArrayBufferView)[];

/** The largest payload: 65,535 less the headers of IPv4 and UDP. One for the process, copied out before the next is read. */
const scratch = new Uint8Array(65_507);
/** Datagrams read for one socket before others get their turn. */
const READS_MAX = 64;

/** Events as `dgram.Socket` has them. */
interface Events {
  close: [];
  connect: [];
  error: [Error];
  listening: [];
  message: [Buffer, RemoteInfo];
}

/** A UDP socket in the shape of Node's `dgram.Socket`. Its own class: Node's takes no handle but the kernel's. */
export class DatagramSocket extends EventEmitter<Events> implements EventHandler {
  readonly type = 'udp4';
  readonly #host: StackHost;
  readonly #options: DatagramSocketOptions;
  /** In which the program hears of datagrams: that of who made the socket. */
  readonly #context = contextOf('MillraceDatagrams');
  #id = 0 as UdpId;
  #closed = false;
  #referenced = true;
  #remote: { address: string; port: number } | null = null;
  #broadcast = false;
  /** The next datagram is read when ticks and promises have run. */
  #reads = false;

  constructor(host: StackHost, options: DatagramSocketOptions, listener?: MessageListener) {
    super();
    if (options.type !== 'udp4') {
      throw coded(
        TypeError,
        'ERR_SOCKET_BAD_TYPE',
        `the type of a socket on a stack is udp4, not ${String(options.type)}`,
      );
    }
    this.#host = host;
    this.#options = options;
    if (listener !== undefined) this.on('message', listener);
    publishDatagramSocket(this);
  }

  bind(port?: number | BindOptions | (() => void), address?: string | (() => void), callback?: () => void): this {
    this.#check();
    if (this.#id !== 0) throw coded(Error, 'ERR_SOCKET_ALREADY_BOUND', 'Socket is already bound');
    const done = [port, address, callback].find((argument) => typeof argument === 'function');
    if (done !== undefined) this.once('listening', done);
    const options = typeof port === 'object' ? port : {};
    if ('fd' in options && options.fd !== undefined) {
      throw coded(TypeError, 'ERR_INVALID_ARG_VALUE', 'a socket on a stack is bound to a port: `fd` is for the kernel');
    }
    const host = (typeof address === 'string' ? address : options.address) ?? '0.0.0.0';
    const number = portNumber(typeof port === 'number' ? port : options.port);
    try {
      this.#open(host, number);
      process.nextTick(() => {
        if (!this.#closed) this.emit('listening');
      });
    } catch (error) {
      const failure = listenError(codeOf(error), 'bind', host, number);
      process.nextTick(() => this.emit('error', failure));
    }
    return this;
  }

  connect(port: number, address?: string | (() => void), callback?: () => void): void {
    this.#check();
    if (this.#remote !== null) throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
    const done = typeof address === 'function' ? address : callback;
    if (done !== undefined) this.once('connect', done);
    const number = remotePort(port);
    this.#bound();
    this.#resolve(typeof address === 'string' ? address : '127.0.0.1', (error, host) => {
      if (this.#closed) return;
      if (error === null) {
        try {
          this.#udp.connect(this.#id, this.#host.stack.net.parseAddress(host), number);
          this.#remote = { address: host, port: number };
          process.nextTick(() => this.emit('connect'));
          return;
        } catch (thrown) {
          error = connectionError(codeOf(thrown), 'connect', host, number);
        }
      }
      process.nextTick(() => this.emit('error', error as Error));
    });
  }
  disconnect(): void {
    this.#check();
    this.#connected();
    this.#udp.disconnect(this.#id);
    this.#remote = null;
  }

  /**
   * (payload, port, address?, callback?), (payload, offset, length, port, address?, callback?), and on a connected socket the
   * same without port and address. An array is sent as one datagram.
   */
  send(payload: Payload, ...args: readonly unknown[]): void {
    this.#check();
    const callback = args.find((argument) => typeof argument === 'function') as SendCallback | undefined;
    const plain = args.filter(
      (argument) => typeof argument !== 'function' && argument !== undefined && argument !== null,
    );
    const connected = this.#remote !== null;
    const sliced = typeof plain[0] === 'number' && typeof plain[1] === 'number';
    let bytes = toBytes(payload);
    if (sliced) bytes = slice(bytes, plain[0], plain[1]);
    const [port, address] = sliced ? plain.slice(2) : plain;
    if (connected) {
      if (port !== undefined) throw coded(Error, 'ERR_SOCKET_DGRAM_IS_CONNECTED', 'Already connected');
      this.#transmit(bytes, null, 0, callback);
      return;
    }
    const number = remotePort(port);
    if (address !== undefined && typeof address !== 'string') {
      throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `address is a string, not ${typeof address}`);
    }
    this.#bound();
    this.#resolve(address ?? '127.0.0.1', (error, host) => {
      if (error !== null) this.#sent(callback, error, 0);
      else if (!this.#closed) this.#transmit(bytes, host, number, callback);
    });
  }

  address(): Endpoint {
    this.#check();
    if (this.#id === 0) throw systemError('EBADF', 'getsockname');
    return endpoint(this.#text(this.#udp.localAddress(this.#id)), this.#udp.localPort(this.#id));
  }
  remoteAddress(): Endpoint {
    this.#check();
    const remote = this.#connected();
    return endpoint(remote.address, remote.port);
  }

  close(callback?: () => void): this {
    this.#check();
    if (callback !== undefined) this.once('close', callback);
    this.#closed = true;
    if (this.#id !== 0) {
      this.#host.reactor.removeHandler(SocketKind.UDP, this.#id);
      this.#udp.close(this.#id);
      this.#id = 0 as UdpId;
      if (this.#referenced) this.#host.reference(-1);
    }
    process.nextTick(() => this.emit('close'));
    return this;
  }

  /** Options may be set before the socket is bound, where Node's are EBADF: the socket is bound then. */
  setBroadcast(enable: boolean): void {
    this.#check();
    this.#broadcast = enable;
    if (this.#id !== 0) this.#udp.setOption(this.#id, UdpOption.BROADCAST, enable ? 1 : 0);
  }
  /** 1…255. Throws EINVAL. */
  setTTL(ttl: number): number {
    this.#setOption(UdpOption.TTL, 'ttl', ttl, 'setTTL');
    return ttl;
  }
  /** 1…255. Throws EINVAL. */
  setMulticastTTL(ttl: number): number {
    this.#setOption(UdpOption.MULTICAST_TTL, 'ttl', ttl, 'setMulticastTTL');
    return ttl;
  }
  setRecvBufferSize(bytes: number): void {
    if (!Number.isInteger(bytes) || bytes < 0 || bytes > 0xffffffff) {
      throw coded(TypeError, 'ERR_SOCKET_BAD_BUFFER_SIZE', 'Buffer size must be a positive integer');
    }
    // As Linux: of what cannot be had, the nearest that can.
    const within = Math.min(Math.max(bytes, 1), 0x7fffffff);
    this.#setOption(UdpOption.RECEIVE_BYTES_MAX, 'size', within, 'uv_recv_buffer_size');
  }
  getRecvBufferSize(): number {
    return this.#udp.getOption(this.#bound(), UdpOption.RECEIVE_BYTES_MAX);
  }
  ref(): this {
    return this.#refer(true);
  }
  unref(): this {
    return this.#refer(false);
  }

  handleEvent(_handle: number, events: number): void {
    runIn(this.#context, () => this.#report(events));
  }

  #report(events: number): void {
    if ((events & Event.FAILED) !== 0) {
      const code = this.#udp.takeError(this.#id);
      if (code !== undefined) {
        this.#readLater(READS_MAX);
        this.emit('error', systemError(code, 'recvmsg'));
      }
    }
    if (!this.#reads) this.#read(READS_MAX);
  }

  #readLater(left: number): void {
    if (this.#reads) return;
    this.#reads = true;
    queueMicrotask(() => process.nextTick(() => this.#read(left)));
  }

  /**
   * One datagram. The next follows when the program's ticks and promises have run, as after each `message` of Node's own sockets: a program
   * that awaits the next message in a loop would miss it otherwise. A microtask that sets a tick comes after all of both.
   */
  #read(left: number): void {
    this.#reads = false;
    if (this.#id === 0) return;
    if (left === 0) {
      this.#host.reactor.raise(SocketKind.UDP, this.#id, Event.READABLE);
      this.#host.wake();
      return;
    }
    const length = this.#udp.receive(this.#id, scratch, 0, scratch.length);
    if (length < 0) return;
    const from = endpoint(this.#text(this.#udp.lastSource), this.#udp.lastPort);
    const message = Buffer.from(scratch.subarray(0, length));
    this.#readLater(left - 1);
    this.emit('message', message, { ...from, family: from.family as 'IPv4' | 'IPv6', size: length });
  }

  #setOption(option: UdpOption, name: string, value: unknown, syscall: string): void {
    if (typeof value !== 'number') {
      throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', `The "${name}" argument must be of type number`);
    }
    try {
      this.#udp.setOption(this.#bound(), option, value);
    } catch (error) {
      const code = codeOf(error);
      throw systemError(errnoOf(code) === errnoOf('EINVAL') ? 'EINVAL' : code, syscall);
    }
  }

  #open(address: string, port: number): void {
    this.#id = this.#udp.open({
      address: this.#host.stack.net.parseAddress(address),
      port,
      broadcast: this.#broadcast,
      ...(this.#options.reuseAddr === undefined ? {} : { reuse: this.#options.reuseAddr }),
      ...(this.#options.recvBufferSize === undefined ? {} : { receiveBytesMax: this.#options.recvBufferSize }),
    });
    this.#host.reactor.registerHandler(SocketKind.UDP, this.#id, this, Event.READABLE | Event.FAILED);
    if (this.#referenced) this.#host.reference(1);
  }
  /** A socket that sends without being bound is bound to a port of the stack's choice. */
  #bound(): UdpId {
    if (this.#id === 0) this.bind(0);
    return this.#id;
  }

  #transmit(bytes: Uint8Array, address: string | null, port: number, callback: SendCallback | undefined): void {
    let code: ErrorCode | undefined;
    try {
      const to = address === null ? undefined : this.#host.stack.net.parseAddress(address);
      code = sendError(
        to === undefined
          ? this.#udp.send(this.#id, bytes, 0, bytes.length)
          : this.#udp.send(this.#id, bytes, 0, bytes.length, to, port),
      );
    } catch (error) {
      code = codeOf(error);
    }
    this.#host.wake();
    if (code === undefined) this.#sent(callback, null, bytes.length);
    else this.#sent(callback, connectionError(code, 'send', address ?? this.#remote?.address ?? '', port), 0);
  }
  #sent(callback: SendCallback | undefined, error: Error | null, bytes: number): void {
    if (callback !== undefined) process.nextTick(callback, error, bytes);
    else if (error !== null) process.nextTick(() => this.emit('error', error));
  }

  /** At once for an address, so that datagrams to one leave in the order they were sent. */
  #resolve(host: string, done: (error: Error | null, address: string) => void): void {
    if (isIP(host) !== 0) done(null, host);
    else lookup(host, { family: 4 }, (error, address) => done(error, address));
  }
  #refer(value: boolean): this {
    if (value !== this.#referenced && this.#id !== 0) this.#host.reference(value ? 1 : -1);
    this.#referenced = value;
    return this;
  }
  #check(): void {
    if (this.#closed) throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_RUNNING', 'Not running');
  }
  #connected(): { address: string; port: number } {
    if (this.#remote === null) throw coded(Error, 'ERR_SOCKET_DGRAM_NOT_CONNECTED', 'Not connected');
    return this.#remote;
  }
  get #udp() {
    return this.#host.stack.udp;
  }
  #text(address: Address): string {
    return address === 0 ? '0.0.0.0' : this.#host.stack.net.formatAddress(address);
  }
}

function endpoint(address: string, port: number): Endpoint {
  return { address, family: address.includes(':') ? 'IPv6' : 'IPv4', port };
}

function remotePort(port: unknown): number {
  const number = portNumber(port);
  if (number > 0) return number;
  throw coded(RangeError, 'ERR_SOCKET_BAD_PORT', `port is ${String(port)}: allowed is a whole number from 1 to 65535`);
}

function toBytes(payload: Payload): Uint8Array {
  if (typeof payload === 'string') return Buffer.from(payload);
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (Array.isArray(payload)) return Buffer.concat(payload.map(toBytes));
  throw coded(TypeError, 'ERR_INVALID_ARG_TYPE', 'a datagram is a string, a Buffer, or an array of them');
}

function slice(bytes: Uint8Array, offset: unknown, length: unknown): Uint8Array {
  if (
    typeof offset !== 'number' ||
    typeof length !== 'number' ||
    offset < 0 ||
    length < 0 ||
    offset + length > bytes.length
  ) {
    throw coded(RangeError, 'ERR_BUFFER_OUT_OF_BOUNDS', 'offset and length lie within the payload');
  }
  return bytes.subarray(offset, offset + length);
}

/** What `send` reports at once. A neighbour not yet known is none of it: the datagram waits. */
function sendError(verdict: Verdict): ErrorCode | undefined {
  switch (verdict) {
    case Verdict.OK:
    case Verdict.NEIGHBOR_PENDING:
      return undefined;
    case Verdict.NO_ROUTE:
    case Verdict.INTERFACE_DOWN:
      // As Linux: a link that is down has no routes.
      return 'ENETUNREACH';
    case Verdict.TOO_BIG:
      return 'EMSGSIZE';
    case Verdict.NO_NEIGHBOR:
    case Verdict.NEIGHBOR_QUEUE_FULL:
      return 'EHOSTUNREACH';
    default:
      return 'ENOBUFS';
  }
}
