import { isIPv6 } from 'node:net';
import { type ErrorCode, StackError } from '../../stack/base/errors.js';
import type { Address, ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import type { ChannelTable } from './channel-table.js';
import { type Endpoint, fill } from './endpoint.js';
import { codeOf } from './errno.js';

/** What a channel tells the socket above it. */
export interface ChannelOwner {
  /** How much one `channelData` may bring; undefined: READ_BYTES. */
  readonly readBytesMax?: number | undefined;
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

/** As much as libuv asks for at once; a `net.Socket` has a high-water mark of the same order. */
export const READ_BYTES = 65_536;
/** Reads for one channel before others get their turn: half a megabyte. */
const READS_MAX = 8;
/** The longest idle time of a keep-alive, as in Linux. */
const KEEPALIVE_SECONDS_MAX = 32_767;

const EVENTS = Event.READABLE | Event.WRITABLE | Event.CONNECTED | Event.PEER_CLOSED | Event.FAILED;
/** Of those, what a reader has to be called for. */
const READ_EVENTS = Event.READABLE | Event.PEER_CLOSED | Event.FAILED;

/** Bytes on their way from the stack to a Buffer. One for the process: a read is copied out before the next begins. */
const scratch = new Uint8Array(READ_BYTES);

/** What a channel knows of itself by yes and no. In one number, because programs keep many sockets that do nothing. */
const enum Bit {
  CONNECTING = 1,
  READING = 2,
  /** `unref` was called. */
  UNREFERENCED = 4,
  /** The failure of the connection has been reported. */
  FAILED = 8,
  /** The end of what the peer sends has been reported. */
  ENDED = 16,
  /** Nothing more is sent: `shutdown` was called. */
  SHUT = 32,
  CLOSED = 64,
  /** The channel is one of those that keep the process alive. */
  ALIVE = 128,
  WAITS_FOR_TICKS = 256,
  /** Bytes have been reported. */
  BROUGHT_BYTES = 512,
}

/** A write that waits: chunks from `chunk` on, of the first of them the bytes from `from` on. */
interface Waiting {
  readonly chunks: readonly Uint8Array[];
  chunk: number;
  from: number;
}

/**
 * One connection as a stream socket sees it: reads that can be stopped, one write that may have to wait, half-close, close and
 * reset. Back-pressure both ways: a channel that does not read leaves the bytes in the stack, whose window closes; a write
 * the stack takes only in part is finished by WRITABLE events.
 *
 * Each call fails as it does on a handle of libuv's in the same state; `test/src/node/handle-states.test.ts` has the table.
 */
export class Channel {
  readonly table: ChannelTable;
  owner: ChannelOwner;
  /** Zero before the open and after the close. */
  id = 0 as ConnectionId;
  /** Bytes given to `write`, whether the stack has taken them yet or not. */
  bytesWritten = 0;
  #bits: number = 0;
  #cookie = -1;
  /** Where the last callback was called: see `ChannelTable`. */
  #stretch = 0;
  #waiting: Waiting | null = null;
  #bound: { address: Address; port: number } | null = null;

  constructor(table: ChannelTable, owner: ChannelOwner, accepted?: ConnectionId) {
    this.table = table;
    this.owner = owner;
    if (accepted === undefined) return;
    this.#take(accepted);
    // The server reports the connection.
    this.#stretch = table.stretch;
  }

  get open(): boolean {
    return this.id !== 0;
  }
  get closed(): boolean {
    return this.#has(Bit.CLOSED);
  }
  get connecting(): boolean {
    return this.#has(Bit.CONNECTING);
  }
  /** Bytes of the waiting write that the stack has not taken. */
  get pendingBytes(): number {
    const waiting = this.#waiting;
    if (waiting === null) return 0;
    let bytes = -waiting.from;
    for (let i = waiting.chunk; i < waiting.chunks.length; i++) bytes += waiting.chunks[i].length;
    return bytes;
  }

  /** The address and port the open is to come from. Throws EBADF, EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE. */
  bind(address: string, port: number): void {
    this.#checkNotClosed();
    const local = this.#parse(address);
    if (local !== 0 && !this.#net.isLocal(local)) {
      throw new StackError('EADDRNOTAVAIL', `${address} is not an address of this stack`);
    }
    if (this.id !== 0 || this.#bound !== null) throw new StackError('EINVAL', 'the socket has an address already');
    if (port !== 0 && this.#tcp.context.listeners.has(local, port)) {
      throw new StackError('EADDRINUSE', `port ${port} has a listener: choose another, or none`);
    }
    this.#bound = { address: local, port };
  }

  /** Begins the open. Throws what `tcp.open` throws, and EBADF, EALREADY, EISCONN. */
  connect(address: string, port: number): void {
    this.#checkNotClosed();
    const remote = this.#parse(address);
    if (this.connecting) throw new StackError('EALREADY', 'the socket is connecting');
    if (this.id !== 0) throw new StackError('EISCONN', 'the socket is connected already');
    const bound = this.#bound;
    const id = this.#tcp.open({
      // To no host in particular: to this one, as in Linux.
      remoteAddress: remote === 0 ? this.#net.parseAddress('127.0.0.1') : remote,
      remotePort: port,
      ...(bound === null || bound.address === 0 ? {} : { localAddress: bound.address }),
      ...(bound === null || bound.port === 0 ? {} : { localPort: bound.port }),
    });
    this.#set(Bit.CONNECTING);
    this.#take(id);
    this.table.host.wake();
  }

  /** What comes is reported from now on; or, where nothing can come, the code that says why, and `connect` begins to read. */
  readStart(): ErrorCode | undefined {
    if (this.closed) return 'EBADF';
    this.#set(Bit.READING);
    this.#count();
    if (this.id === 0 || this.#has(Bit.FAILED)) return 'ENOTCONN';
    if (this.#has(Bit.CONNECTING | Bit.ENDED) || !this.#hasNews()) return undefined;
    // What has come while nobody read is reported from the event loop, as libuv does, not from within this call.
    this.table.host.reactor.raise(SocketKind.CONNECTION, this.id, Event.READABLE);
    this.table.host.wake();
    return undefined;
  }
  readStop(): void {
    this.#clear(Bit.READING);
    this.#count();
  }

  /**
   * Sends. True when the stack has taken everything, false when `channelWritten` will follow. Throws EBADF, EPIPE, ECONNRESET, …
   * One write at a time: `net.Socket` and the streams inside Node wait for the last one.
   */
  write(chunks: readonly Uint8Array[]): boolean {
    this.#checkWritable();
    for (const chunk of chunks) this.bytesWritten += chunk.length;
    return this.#push(chunks, 0, 0);
  }

  /** Sends what is taken at once of one run of bytes; returns how much that was. The rest is the caller's to `writeRest`. */
  writeSome(bytes: Uint8Array, length: number): number {
    this.#checkWritable();
    this.bytesWritten += length;
    return this.#send(bytes, 0, length);
  }
  /** The rest of a `writeSome`: `channelWritten` will follow. */
  writeRest(rest: Uint8Array): void {
    this.#wait([rest], 0, 0);
  }

  /** No more to send: FIN after what is queued. Throws ENOTCONN. */
  shutdown(): void {
    if (this.id === 0 || this.#has(Bit.SHUT | Bit.FAILED)) throw new StackError('ENOTCONN', 'there is nothing to shut');
    this.#tcp.shutdown(this.id);
    this.#set(Bit.SHUT);
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
    this.setOption(TcpOption.NODELAY, enable ? 1 : 0);
  }
  setKeepAlive(enable: boolean, idleSeconds: number): void {
    if (idleSeconds > 0) {
      this.setOption(TcpOption.KEEPALIVE_IDLE_MS, Math.min(idleSeconds, KEEPALIVE_SECONDS_MAX) * 1000);
    }
    this.setOption(TcpOption.KEEPALIVE, enable ? 1 : 0);
  }
  /** On a connection that has ended there is nothing to set; Node's sockets say nothing about it either. Throws EBADF. */
  setOption(option: TcpOption, value: number): void {
    this.#checkNotClosed();
    if (this.id === 0 || this.#tcp.state(this.id) === State.CLOSED) return;
    this.#tcp.setOption(this.id, option, value);
    this.table.host.wake();
  }
  /** Zero where there is no connection to ask. Throws EBADF. */
  getOption(option: TcpOption): number {
    this.#checkNotClosed();
    if (this.id === 0 || this.#tcp.state(this.id) === State.CLOSED) return 0;
    return this.#tcp.getOption(this.id, option);
  }

  /** False before it has an address, and after the close. */
  localEndpoint(into: Partial<Endpoint>): boolean {
    if (this.id !== 0) return fill(into, this.#name(this.#tcp.localAddress(this.id)), this.#tcp.localPort(this.id));
    if (this.#bound === null || this.closed) return false;
    return fill(into, this.#name(this.#bound.address), this.#bound.port);
  }
  remoteEndpoint(into: Partial<Endpoint>): boolean {
    if (this.id === 0) return false;
    return fill(into, this.#name(this.#tcp.remoteAddress(this.id)), this.#tcp.remotePort(this.id));
  }

  get referenced(): boolean {
    return !this.#has(Bit.UNREFERENCED);
  }
  set referenced(value: boolean) {
    if (value) this.#clear(Bit.UNREFERENCED);
    else this.#set(Bit.UNREFERENCED);
    this.#count();
  }

  /** For the table. */
  set waitsForTicks(value: boolean) {
    if (value) this.#set(Bit.WAITS_FOR_TICKS);
    else this.#clear(Bit.WAITS_FOR_TICKS);
  }

  handleEvents(events: number): void {
    if (this.connecting) {
      this.#opened(events);
      return;
    }
    // Reading first, as libuv: a reset is reported as the failure of a read where there is one.
    if (this.#has(Bit.READING)) this.#read();
    if (this.#waiting !== null && (events & (Event.WRITABLE | Event.FAILED)) !== 0) this.#resumeWrite();
  }

  #opened(events: number): void {
    if ((events & (Event.CONNECTED | Event.FAILED)) === 0) return;
    this.#clear(Bit.CONNECTING);
    const failed = (events & Event.FAILED) !== 0;
    if (failed) this.#set(Bit.FAILED);
    this.#count();
    this.#stretch = this.table.stretch;
    this.owner.channelConnected(failed ? (this.#tcp.takeError(this.id) ?? 'ECONNREFUSED') : undefined);
    // Bytes may have come with the last segment of the handshake, and a write may have waited for it.
    if (this.id !== 0 && this.#has(Bit.READING)) this.#read();
    if (this.#waiting !== null) this.#later();
  }

  #read(): void {
    for (let i = 0; i < READS_MAX; i++) {
      if (!this.#has(Bit.READING) || this.id === 0 || this.#has(Bit.ENDED | Bit.FAILED)) return;
      if (this.#mustWait()) {
        this.#later();
        return;
      }
      let count: number;
      try {
        count = this.#tcp.receive(this.id, scratch, 0, this.owner.readBytesMax ?? READ_BYTES);
      } catch (error) {
        this.#set(Bit.FAILED);
        this.#count();
        this.owner.channelFailed(codeOf(error));
        return;
      }
      if (count === 0) return;
      if (count < 0) {
        this.#set(Bit.ENDED);
        this.#count();
        this.owner.channelEnd();
        return;
      }
      this.#set(Bit.BROUGHT_BYTES);
      this.#stretch = this.table.reported();
      this.owner.channelData(scratch, count);
    }
    if (this.#has(Bit.READING) && this.id !== 0) {
      this.table.host.reactor.raise(SocketKind.CONNECTION, this.id, Event.READABLE);
    }
  }

  #resumeWrite(): void {
    if (this.#stretch === this.table.stretch) {
      this.#later();
      return;
    }
    const { chunks, chunk, from } = this.#waiting as Waiting;
    let code: ErrorCode | undefined;
    try {
      if (!this.#push(chunks, chunk, from)) return;
    } catch (error) {
      code = codeOf(error);
    }
    this.#waiting = null;
    this.#count();
    this.#stretch = this.table.reported();
    this.owner.channelWritten(code);
  }

  /**
   * What must not follow the last callback before ticks and promises have run: the end, after bytes; and a failure, which the program may
   * have no listener for yet. Bytes may follow anything: a stream keeps them.
   */
  #mustWait(): boolean {
    if (this.#stretch !== this.table.stretch || this.#tcp.readable(this.id) > 0) return false;
    const news = this.#readiness() & READ_EVENTS;
    return (news & Event.FAILED) !== 0 || (news !== 0 && this.#has(Bit.BROUGHT_BYTES));
  }

  /** Whether a read would give bytes, the end or an error. */
  #hasNews(): boolean {
    return (this.#readiness() & READ_EVENTS) !== 0;
  }
  #readiness(): number {
    return this.table.host.reactor.demultiplexer.readiness(SocketKind.CONNECTION, this.id);
  }

  #later(): void {
    if (this.#has(Bit.WAITS_FOR_TICKS)) return;
    this.#set(Bit.WAITS_FOR_TICKS);
    this.table.later(this);
  }

  /** Gives the stack what it takes of the chunks from here on; the rest waits. */
  #push(chunks: readonly Uint8Array[], chunk: number, from: number): boolean {
    for (; chunk < chunks.length; chunk++) {
      const bytes = chunks[chunk];
      if (from < bytes.length) from += this.#send(bytes, from, bytes.length);
      if (from < bytes.length) {
        this.#wait(chunks, chunk, from);
        return false;
      }
      from = 0;
    }
    return true;
  }
  #wait(chunks: readonly Uint8Array[], chunk: number, from: number): void {
    this.#waiting = { chunks, chunk, from };
    this.#count();
  }
  #send(bytes: Uint8Array, from: number, to: number): number {
    const taken = this.#tcp.send(this.id, bytes, from, to);
    this.table.host.wake();
    return taken;
  }

  #take(id: ConnectionId): void {
    this.id = id;
    this.#cookie = this.table.add(this);
    this.table.host.reactor.registerHandler(SocketKind.CONNECTION, id, this.table, EVENTS, this.#cookie);
    this.#count();
  }

  #release(): ConnectionId {
    const id = this.id;
    this.#set(Bit.CLOSED);
    this.#clear(Bit.CONNECTING | Bit.READING);
    this.#waiting = null;
    if (id === 0) return id;
    this.table.host.reactor.removeHandler(SocketKind.CONNECTION, id);
    this.table.remove(this.#cookie);
    this.id = 0 as ConnectionId;
    this.#count();
    this.table.host.wake();
    return id;
  }

  /** libuv's rule of what keeps the process alive: whoever connects or writes, and whoever reads unless it was told not to. */
  #count(): void {
    const reads = (this.#bits & (Bit.READING | Bit.UNREFERENCED | Bit.ENDED | Bit.FAILED)) === Bit.READING;
    const alive = this.id !== 0 && (reads || this.#has(Bit.CONNECTING) || this.#waiting !== null);
    if (alive === this.#has(Bit.ALIVE)) return;
    this.#bits ^= Bit.ALIVE;
    this.table.host.reference(alive ? 1 : -1);
  }

  #checkNotClosed(): void {
    if (this.closed) throw new StackError('EBADF', 'the socket is closed');
  }
  #checkWritable(): void {
    if (this.id === 0) {
      const bound = this.#bound !== null && !this.closed;
      throw new StackError(bound ? 'EPIPE' : 'EBADF', 'the socket has no connection to write to');
    }
    // Its failure has been reported already; a write that comes later finds a shut connection (as Linux).
    if (this.#has(Bit.SHUT | Bit.FAILED)) throw new StackError('EPIPE', 'this side of the connection is shut');
  }

  #has(bits: number): boolean {
    return (this.#bits & bits) !== 0;
  }
  #set(bits: number): void {
    this.#bits |= bits;
  }
  #clear(bits: number): void {
    this.#bits &= ~bits;
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
