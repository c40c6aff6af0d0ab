import { isIPv6 } from 'node:net';
import { type ErrorCode, StackError } from '../../stack/base/errors.js';
import type { Address, ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler, Handle } from '../reactor/event-handler.js';
import { codeOf } from './errno.js';

/** What a channel tells the socket above it. */
export interface ChannelOwner {
  /** Bytes have come: `bytes[0…count)`, which are used again as soon as this returns. */
  channelData(bytes: Uint8Array, count: number): void;
  /** The peer has sent its FIN. */
  channelEnd(): void;
  /** The connection is gone. Told once, to a channel that reads; others find out when they next read or write. */
  channelFailed(code: ErrorCode): void;
  /** The open that was begun has succeeded, or failed with this code. */
  channelConnected(code: ErrorCode | undefined): void;
  /** The write that had to wait is in the stack's hands, or has failed. */
  channelWritten(code: ErrorCode | undefined): void;
}

export interface Endpoint {
  address: string;
  port: number;
  family: string;
}

/** As much as libuv asks for at once; a `net.Socket` has a high-water mark of the same order. */
const READ_BYTES = 65_536;
/** Reads for one channel before others get their turn: half a megabyte. */
const READS_MAX = 8;

const EVENTS = Event.READABLE | Event.WRITABLE | Event.CONNECTED | Event.PEER_CLOSED | Event.FAILED;

/** Bytes on their way from the stack to a Buffer. One for the process: a read is copied out before the next begins. */
const scratch = new Uint8Array(READ_BYTES);

/** All channels of a host. One handler with the reactor for all of them; the cookie is the channel's number here. */
export class ChannelTable implements EventHandler {
  readonly #channels: (Channel | undefined)[] = [];
  readonly #free: number[] = [];
  constructor(readonly host: StackHost) {}

  add(channel: Channel): number {
    const cookie = this.#free.pop() ?? this.#channels.length;
    this.#channels[cookie] = channel;
    return cookie;
  }
  remove(cookie: number): void {
    this.#channels[cookie] = undefined;
    this.#free.push(cookie);
  }
  handleEvent(_handle: Handle, events: number, cookie: number): void {
    this.#channels[cookie]?.handleEvents(events);
  }
}

/**
 * One connection as a stream socket sees it: reads that can be stopped, one write that may have to wait, half-close, close and
 * reset. Back-pressure both ways: a channel that does not read leaves the bytes in the stack, whose window closes; a write
 * the stack takes only in part is finished by WRITABLE events.
 */
export class Channel {
  readonly table: ChannelTable;
  owner: ChannelOwner;
  /** Zero before the open and after the close. */
  id = 0 as ConnectionId;
  connecting = false;
  bytesWritten = 0;
  #cookie = -1;
  #reading = false;
  #referenced = true;
  #failed = false;
  #ended = false;
  /** The write that waits: chunks from `#chunk` on, of the first of them the bytes from `#from` on. */
  #chunks: readonly Uint8Array[] | null = null;
  #chunk = 0;
  #from = 0;
  #localAddress = 0 as Address;
  #localPort = 0;

  constructor(table: ChannelTable, owner: ChannelOwner, accepted?: ConnectionId) {
    this.table = table;
    this.owner = owner;
    if (accepted !== undefined) this.#take(accepted);
  }

  get open(): boolean {
    return this.id !== 0;
  }
  /** Bytes of the waiting write that the stack has not taken. */
  get pendingBytes(): number {
    if (this.#chunks === null) return 0;
    let bytes = -this.#from;
    for (let i = this.#chunk; i < this.#chunks.length; i++) bytes += this.#chunks[i].length;
    return bytes;
  }

  /** The address and port the open is to come from. */
  bind(address: string, port: number): void {
    this.#localAddress = this.#parse(address);
    this.#localPort = port;
  }

  /** Begins the open. Throws what `tcp.open` throws. */
  connect(address: string, port: number): void {
    if (this.id !== 0) throw new StackError('EISCONN', 'the socket is connected already');
    const id = this.#tcp.open({
      remoteAddress: this.#parse(address),
      remotePort: port,
      ...(this.#localAddress === 0 ? {} : { localAddress: this.#localAddress }),
      ...(this.#localPort === 0 ? {} : { localPort: this.#localPort }),
    });
    this.connecting = true;
    this.#take(id);
    this.table.host.wake();
  }

  readStart(): void {
    this.#reading = true;
    if (this.id === 0 || this.connecting || this.#ended) return;
    // What has come while nobody read is told from the event loop, as libuv does, not from within this call.
    this.table.host.reactor.raise(SocketKind.CONNECTION, this.id, Event.READABLE);
    this.table.host.wake();
  }
  readStop(): void {
    this.#reading = false;
  }

  /** Sends. True when the stack has taken everything, false when `channelWritten` will follow. Throws EPIPE, ECONNRESET, … */
  write(chunks: readonly Uint8Array[]): boolean {
    this.#chunks = chunks;
    this.#chunk = 0;
    this.#from = 0;
    try {
      return this.#push();
    } catch (error) {
      this.#chunks = null;
      throw error;
    }
  }

  /** Sends what is taken at once of one run of bytes; returns how much that was. The rest is the caller's to `write`. */
  writeSome(bytes: Uint8Array, from: number, to: number): number {
    if (this.id === 0) throw new StackError('ENOTCONN', 'the socket is not connected');
    const taken = this.#tcp.send(this.id, bytes, from, to);
    this.bytesWritten += taken;
    this.table.host.wake();
    return taken;
  }

  /** No more to send: FIN after what is queued. */
  shutdown(): void {
    if (this.id === 0) throw new StackError('ENOTCONN', 'the socket is not connected');
    this.#tcp.shutdown(this.id);
    this.table.host.wake();
  }

  /** The connection is given up: FIN, or RST when bytes were not read. What was sent still goes out. */
  close(): void {
    const id = this.#release();
    if (id !== 0) this.#tcp.close(id);
  }
  /** RST. */
  reset(): void {
    const id = this.#release();
    if (id !== 0) this.#tcp.abort(id);
  }

  setNoDelay(enable: boolean): void {
    this.#setOption(TcpOption.NODELAY, enable ? 1 : 0);
  }
  setKeepAlive(enable: boolean, idleSeconds: number): void {
    if (idleSeconds > 0) this.#setOption(TcpOption.KEEPALIVE_IDLE_MS, Math.min(idleSeconds, 32_767) * 1000);
    this.#setOption(TcpOption.KEEPALIVE, enable ? 1 : 0);
  }
  /** On a connection that has ended there is nothing to set; Node's sockets say nothing about it either. */
  #setOption(option: TcpOption, value: number): void {
    if (this.id === 0 || this.#tcp.state(this.id) === State.CLOSED) return;
    this.#tcp.setOption(this.id, option, value);
    this.table.host.wake();
  }

  localEndpoint(into: Partial<Endpoint>): boolean {
    if (this.id !== 0) return fill(into, this.#name(this.#tcp.localAddress(this.id)), this.#tcp.localPort(this.id));
    return fill(into, this.#name(this.#localAddress), this.#localPort);
  }
  remoteEndpoint(into: Partial<Endpoint>): boolean {
    if (this.id === 0 || this.connecting) return false;
    return fill(into, this.#name(this.#tcp.remoteAddress(this.id)), this.#tcp.remotePort(this.id));
  }

  set referenced(value: boolean) {
    if (value === this.#referenced) return;
    this.#referenced = value;
    if (this.id !== 0) this.table.host.reference(value ? 1 : -1);
  }

  handleEvents(events: number): void {
    if (this.connecting) {
      this.#opened(events);
      return;
    }
    // Reading first, as libuv: a reset is reported as the failure of a read where there is one.
    if (this.#reading) this.#read();
    if (this.#chunks !== null && (events & (Event.WRITABLE | Event.FAILED)) !== 0) this.#resumeWrite();
  }

  #opened(events: number): void {
    if ((events & (Event.CONNECTED | Event.FAILED)) === 0) return;
    this.connecting = false;
    const failed = (events & Event.FAILED) !== 0;
    if (failed) this.#failed = true;
    this.owner.channelConnected(failed ? (this.#tcp.takeError(this.id) ?? 'ECONNREFUSED') : undefined);
    // Bytes may have come with the last segment of the handshake.
    if (!failed && this.#reading && this.id !== 0) this.#read();
  }

  #read(): void {
    for (let i = 0; i < READS_MAX; i++) {
      if (!this.#reading || this.id === 0 || this.#ended || this.#failed) return;
      let count: number;
      try {
        count = this.#tcp.receive(this.id, scratch, 0, READ_BYTES);
      } catch (error) {
        this.#failed = true;
        this.owner.channelFailed(codeOf(error));
        return;
      }
      if (count === 0) return;
      if (count < 0) {
        this.#ended = true;
        this.owner.channelEnd();
        return;
      }
      this.owner.channelData(scratch, count);
    }
    if (this.#reading && this.id !== 0) {
      this.table.host.reactor.raise(SocketKind.CONNECTION, this.id, Event.READABLE);
    }
  }

  #resumeWrite(): void {
    let done: boolean;
    try {
      done = this.#push();
    } catch (error) {
      this.#chunks = null;
      this.owner.channelWritten(codeOf(error));
      return;
    }
    if (done) this.owner.channelWritten(undefined);
  }

  /** Gives the stack what it takes of the waiting chunks. */
  #push(): boolean {
    const chunks = this.#chunks as readonly Uint8Array[];
    while (this.#chunk < chunks.length) {
      const chunk = chunks[this.#chunk];
      if (this.#from < chunk.length) this.#from += this.writeSome(chunk, this.#from, chunk.length);
      if (this.#from < chunk.length) return false;
      this.#from = 0;
      this.#chunk += 1;
    }
    this.#chunks = null;
    return true;
  }

  #take(id: ConnectionId): void {
    this.id = id;
    this.#cookie = this.table.add(this);
    this.table.host.reactor.registerHandler(SocketKind.CONNECTION, id, this.table, EVENTS, this.#cookie);
    if (this.#referenced) this.table.host.reference(1);
  }

  #release(): ConnectionId {
    const id = this.id;
    if (id === 0) return id;
    const host = this.table.host;
    host.reactor.removeHandler(SocketKind.CONNECTION, id);
    this.table.remove(this.#cookie);
    if (this.#referenced) host.reference(-1);
    this.id = 0 as ConnectionId;
    this.connecting = false;
    this.#reading = false;
    this.#chunks = null;
    host.wake();
    return id;
  }

  get #tcp() {
    return this.table.host.stack.tcp;
  }
  get #net() {
    return this.table.host.stack.net;
  }
  /** The address is a number already, looked up by Node; a family the stack does not speak is said as the kernel says it. */
  #parse(address: string): Address {
    if (isIPv6(address)) throw new StackError('EAFNOSUPPORT', `${address} is an IPv6 address; the stack speaks IPv4`);
    return this.#net.parseAddress(address);
  }
  #name(address: Address): string {
    return address === 0 ? '0.0.0.0' : this.#net.formatAddress(address);
  }
}

function fill(into: Partial<Endpoint>, address: string, port: number): boolean {
  into.address = address;
  into.family = address.includes(':') ? 'IPv6' : 'IPv4';
  into.port = port;
  return true;
}
