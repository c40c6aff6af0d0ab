import { type ErrorCode, StackError } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler, Handle } from '../reactor/event-handler.js';
import {
  Bit,
  type Bound,
  type ChannelOwner,
  ChannelTable,
  CLOSED_ROW,
  checkNotClosed,
  type Waiting,
  waitingBytes,
} from './channel-table.js';
import { type Endpoint, fill, formatAddress, parseAddress } from './endpoint.js';
import { codeOf } from './errno.js';
import { Stretches } from './stretches.js';

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

/**
 * All connections of a host as stream sockets see them: reads that can be stopped, one write that may have to wait, half-close, close and
 * reset. Back-pressure both ways: a channel that does not read leaves the bytes in the stack, whose window closes; a write
 * the stack takes only in part is finished by WRITABLE events.
 *
 * A channel is a row, an integer that its owner keeps: an object for each would be a third of what a silent socket takes here. `close` and
 * `reset` return the row to keep from then on, which all closed channels share. One handler with the reactor for all; the cookie is the row.
 *
 * Each call fails as on a handle of libuv's in the same state: `test/src/node/handle-states.test.ts` has the table.
 */
export class Channels implements EventHandler {
  readonly host: StackHost;
  readonly #table = new ChannelTable();
  readonly #stretches = new Stretches((rows) => this.#lookAgain(rows));
  readonly #waiting = new Map<number, Waiting>();
  readonly #bound = new Map<number, Bound>();
  readonly #limits = new Map<number, number>();

  constructor(host: StackHost) {
    this.host = host;
  }

  add(owner: ChannelOwner): number {
    return this.#table.take(owner);
  }
  /** A channel on a connection that the server is about to report. */
  accept(owner: ChannelOwner, id: ConnectionId): number {
    const row = this.#table.take(owner);
    this.#take(row, id);
    this.#table.set(row, Bit.ACCEPTED);
    this.#table.stretches[row] = this.#stretches.now;
    return row;
  }

  isOpen(row: number): boolean {
    return this.#id(row) !== 0;
  }
  isAccepted(row: number): boolean {
    return this.#has(row, Bit.ACCEPTED);
  }
  isConnecting(row: number): boolean {
    return this.#has(row, Bit.CONNECTING);
  }
  /** Bytes given to `write`, whether the stack has taken them yet or not. */
  bytesWritten(row: number): number {
    return this.#table.written[row];
  }
  /** Bytes of the waiting write that the stack has not taken. */
  pendingBytes(row: number): number {
    const waiting = this.#waiting.get(row);
    return waiting === undefined ? 0 : waitingBytes(waiting);
  }

  /** The address and port the open is to come from. Throws EBADF, EINVAL, EAFNOSUPPORT, EADDRNOTAVAIL, EADDRINUSE. */
  bind(row: number, address: string, port: number): void {
    checkNotClosed(row);
    const local = parseAddress(this.#net, address);
    if (local !== 0 && !this.#net.isLocal(local)) {
      throw new StackError('EADDRNOTAVAIL', `${address} is not an address of this stack`);
    }
    if (this.isOpen(row) || this.#has(row, Bit.BOUND)) {
      throw new StackError('EINVAL', 'the socket has an address already');
    }
    if (port !== 0 && this.#tcp.context.listeners.has(local, port)) {
      throw new StackError('EADDRINUSE', `port ${port} has a listener: choose another, or none`);
    }
    this.#table.set(row, Bit.BOUND);
    this.#bound.set(row, { address: local, port });
  }

  /** Begins the open. Throws what `tcp.open` throws, and EBADF, EALREADY, EISCONN. */
  connect(row: number, address: string, port: number): void {
    checkNotClosed(row);
    const remote = parseAddress(this.#net, address);
    if (this.isConnecting(row)) throw new StackError('EALREADY', 'the socket is connecting');
    if (this.isOpen(row)) throw new StackError('EISCONN', 'the socket is connected already');
    const bound = this.#bound.get(row);
    const id = this.#tcp.open({
      // To no host in particular: to this one, as in Linux.
      remoteAddress: remote === 0 ? this.#net.parseAddress('127.0.0.1') : remote,
      remotePort: port,
      ...(bound === undefined || bound.address === 0 ? {} : { localAddress: bound.address }),
      ...(bound === undefined || bound.port === 0 ? {} : { localPort: bound.port }),
    });
    this.#table.set(row, Bit.CONNECTING);
    this.#take(row, id);
    this.host.wake();
  }

  /** What comes is reported from now on; or, where nothing can come, the code that says why, and `connect` begins to read. */
  readStart(row: number): ErrorCode | undefined {
    if (row === CLOSED_ROW) return 'EBADF';
    this.#table.set(row, Bit.READING);
    this.#count(row);
    const id = this.#id(row);
    if (id === 0 || this.#has(row, Bit.FAILED)) return 'ENOTCONN';
    if (this.#has(row, Bit.CONNECTING | Bit.ENDED) || !this.#hasNews(id)) return undefined;
    // What has come while nobody read is reported from the event loop, as libuv does, not from within this call.
    this.host.reactor.raise(SocketKind.CONNECTION, id, Event.READABLE);
    this.host.wake();
    return undefined;
  }
  readStop(row: number): void {
    if (row === CLOSED_ROW) return;
    this.#table.clear(row, Bit.READING);
    this.#count(row);
  }
  /** How much one `channelData` may bring, at most READ_BYTES. */
  limitReads(row: number, bytes: number): void {
    if (row === CLOSED_ROW) return;
    this.#table.set(row, Bit.LIMITED);
    this.#limits.set(row, Math.min(bytes, READ_BYTES));
  }
  /** A flag that Node keeps on its handles: it has asked for bytes. */
  nodeReads(row: number): boolean {
    return this.#has(row, Bit.NODE_READS);
  }
  setNodeReads(row: number, value: boolean): void {
    this.#put(row, Bit.NODE_READS, value);
  }

  /**
   * Sends. True when the stack has taken everything, false when `channelWritten` will follow. Throws EBADF, EPIPE, ECONNRESET, …
   * One write at a time: `net.Socket` and the streams inside Node wait for the last one.
   */
  write(row: number, chunks: readonly Uint8Array[]): boolean {
    this.#checkWritable(row);
    for (const chunk of chunks) this.#table.written[row] += chunk.length;
    return this.#push(row, chunks, 0, 0);
  }

  /** Sends what is taken at once of one run of bytes; returns how much that was. The rest is the caller's, as for `writeRest`. */
  writeSome(row: number, bytes: Uint8Array, length: number): number {
    this.#checkWritable(row);
    const taken = this.#send(row, bytes, 0, length);
    this.#table.written[row] += taken;
    return taken;
  }
  /** The rest of a `writeSome`: `channelWritten` will follow. */
  writeRest(row: number, rest: Uint8Array): void {
    this.#table.written[row] += rest.length;
    this.#wait(row, [rest], 0, 0);
  }

  /** No more to send: FIN after what is queued. Throws ENOTCONN. */
  shutdown(row: number): void {
    const id = this.#id(row);
    if (id === 0 || this.#has(row, Bit.SHUT | Bit.FAILED)) throw new StackError('ENOTCONN', 'there is nothing to shut');
    this.#tcp.shutdown(id);
    this.#table.set(row, Bit.SHUT);
    this.host.wake();
  }

  /** The connection is given up: FIN, or RST when bytes were not read. What was sent still goes out. Returns CLOSED_ROW. */
  close(row: number): number {
    const id = this.#release(row);
    if (id !== 0) this.#tcp.close(id);
    return CLOSED_ROW;
  }
  /** RST. */
  reset(row: number): number {
    const id = this.#release(row);
    if (id !== 0) this.#tcp.abort(id);
    return CLOSED_ROW;
  }

  setKeepAlive(row: number, enable: boolean, idleSeconds: number): void {
    if (idleSeconds > 0) {
      this.setOption(row, TcpOption.KEEPALIVE_IDLE_MS, Math.min(idleSeconds, KEEPALIVE_SECONDS_MAX) * 1000);
    }
    this.setOption(row, TcpOption.KEEPALIVE, enable ? 1 : 0);
  }
  /** On a connection that has ended there is nothing to set; Node's sockets say nothing about it either. Throws EBADF. */
  setOption(row: number, option: TcpOption, value: number): void {
    checkNotClosed(row);
    const id = this.#id(row);
    if (id === 0 || this.#tcp.state(id) === State.CLOSED) return;
    this.#tcp.setOption(id, option, value);
    this.host.wake();
  }
  /** Zero where there is no connection to ask. Throws EBADF. */
  getOption(row: number, option: TcpOption): number {
    checkNotClosed(row);
    const id = this.#id(row);
    if (id === 0 || this.#tcp.state(id) === State.CLOSED) return 0;
    return this.#tcp.getOption(id, option);
  }

  /** False before it has an address, and after the close. */
  localEndpoint(row: number, into: Partial<Endpoint>): boolean {
    const id = this.#id(row);
    if (id !== 0) return fill(into, formatAddress(this.#net, this.#tcp.localAddress(id)), this.#tcp.localPort(id));
    const bound = this.#bound.get(row);
    return bound !== undefined && fill(into, formatAddress(this.#net, bound.address), bound.port);
  }
  remoteEndpoint(row: number, into: Partial<Endpoint>): boolean {
    const id = this.#id(row);
    return id !== 0 && fill(into, formatAddress(this.#net, this.#tcp.remoteAddress(id)), this.#tcp.remotePort(id));
  }

  isReferenced(row: number): boolean {
    return !this.#has(row, Bit.UNREFERENCED);
  }
  setReferenced(row: number, value: boolean): void {
    this.#put(row, Bit.UNREFERENCED, !value);
    this.#count(row);
  }

  handleEvent(id: Handle, events: number, row: number): void {
    if (this.#id(row) !== id) return;
    try {
      this.#tell(id, events, row);
    } catch (error) {
      // A listener of the program's threw. Its error is the program's; what is still to be told comes all the same.
      if (this.#id(row) === id) this.host.reactor.raise(SocketKind.CONNECTION, id, events | Event.READABLE);
      throw error;
    }
  }

  #tell(id: Handle, events: number, row: number): void {
    if (this.isConnecting(row)) {
      this.#opened(row, events);
      return;
    }
    // Reading first, as libuv: a reset is reported as the failure of a read where there is one.
    if (this.#has(row, Bit.READING)) this.#read(row);
    // By now the channel may be closed, and the row another's.
    if (this.#id(row) !== id || (events & (Event.WRITABLE | Event.FAILED)) === 0) return;
    if (this.#has(row, Bit.WAITING)) this.#resumeWrite(row);
  }

  #opened(row: number, events: number): void {
    if ((events & (Event.CONNECTED | Event.FAILED)) === 0) return;
    const table = this.#table;
    const id = this.#id(row);
    table.clear(row, Bit.CONNECTING);
    const failed = (events & Event.FAILED) !== 0;
    if (failed) table.set(row, Bit.FAILED);
    this.#count(row);
    table.stretches[row] = this.#stretches.now;
    this.#owner(row).channelConnected(failed ? (this.#tcp.takeError(id) ?? 'ECONNREFUSED') : undefined);
    if (this.#id(row) !== id) return;
    // Bytes may have come with the last segment of the handshake, and a write may have waited for it.
    if (this.#has(row, Bit.READING)) this.#read(row);
    if (this.#id(row) === id && this.#has(row, Bit.WAITING)) this.#later(row);
  }

  #read(row: number): void {
    const table = this.#table;
    const id = this.#id(row);
    for (let i = 0; i < READS_MAX; i++) {
      if ((table.bits[row] & (Bit.READING | Bit.ENDED | Bit.FAILED)) !== Bit.READING) return;
      if (this.#mustWait(row, id)) {
        this.#later(row);
        return;
      }
      let count: number;
      try {
        count = this.#tcp.receive(id, scratch, 0, this.#has(row, Bit.LIMITED) ? this.#limits.get(row) : READ_BYTES);
      } catch (error) {
        table.set(row, Bit.FAILED);
        this.#count(row);
        this.#owner(row).channelFailed(codeOf(error));
        return;
      }
      if (count === 0) return;
      if (count < 0) {
        table.set(row, Bit.ENDED);
        this.#count(row);
        this.#owner(row).channelEnd();
        return;
      }
      table.set(row, Bit.BROUGHT_BYTES);
      table.stretches[row] = this.#stretches.reported();
      this.#owner(row).channelData(scratch, count);
      if (this.#id(row) !== id || !this.#hasNews(id)) return;
    }
    if (this.#has(row, Bit.READING)) this.host.reactor.raise(SocketKind.CONNECTION, id, Event.READABLE);
  }

  #resumeWrite(row: number): void {
    if (this.#table.stretches[row] === this.#stretches.now) {
      this.#later(row);
      return;
    }
    const { chunks, chunk, from } = this.#waiting.get(row) as Waiting;
    let code: ErrorCode | undefined;
    try {
      if (!this.#push(row, chunks, chunk, from)) return;
    } catch (error) {
      code = codeOf(error);
    }
    this.#waiting.delete(row);
    this.#table.clear(row, Bit.WAITING);
    this.#count(row);
    this.#table.stretches[row] = this.#stretches.reported();
    this.#owner(row).channelWritten(code);
  }

  /**
   * What must not follow the last callback before ticks and promises have run: the end, after bytes; and a failure, which the program may
   * have no listener for yet. Bytes may follow anything: a stream keeps them.
   */
  #mustWait(row: number, id: ConnectionId): boolean {
    if (this.#table.stretches[row] !== this.#stretches.now || this.#tcp.readable(id) > 0) return false;
    const news = this.#readiness(id) & READ_EVENTS;
    return (news & Event.FAILED) !== 0 || (news !== 0 && this.#has(row, Bit.BROUGHT_BYTES));
  }

  /** Whether a read would give bytes, the end or an error. */
  #hasNews(id: ConnectionId): boolean {
    return (this.#readiness(id) & READ_EVENTS) !== 0;
  }
  #readiness(id: ConnectionId): number {
    return this.host.reactor.demultiplexer.readiness(SocketKind.CONNECTION, id);
  }

  /** The channel's events are looked at again once ticks and promises have run. */
  #later(row: number): void {
    if (this.#has(row, Bit.WAITS_FOR_TICKS)) return;
    this.#table.set(row, Bit.WAITS_FOR_TICKS);
    this.#stretches.later(row);
  }
  #lookAgain(rows: readonly number[]): void {
    for (const row of rows) {
      // One that was closed meanwhile has none; where another has its row already, that one looks once more and finds nothing new.
      this.#table.clear(row, Bit.WAITS_FOR_TICKS);
      const id = this.#id(row);
      if (id !== 0) this.host.reactor.raise(SocketKind.CONNECTION, id, Event.READABLE | Event.WRITABLE);
    }
    this.host.dispatch();
  }

  /** Gives the stack what it takes of the chunks from here on; the rest waits. */
  #push(row: number, chunks: readonly Uint8Array[], chunk: number, from: number): boolean {
    for (; chunk < chunks.length; chunk++) {
      const bytes = chunks[chunk];
      if (from < bytes.length) from += this.#send(row, bytes, from, bytes.length);
      if (from < bytes.length) {
        this.#wait(row, chunks, chunk, from);
        return false;
      }
      from = 0;
    }
    return true;
  }
  #wait(row: number, chunks: readonly Uint8Array[], chunk: number, from: number): void {
    this.#waiting.set(row, { chunks, chunk, from });
    this.#table.set(row, Bit.WAITING);
    this.#count(row);
  }
  #send(row: number, bytes: Uint8Array, from: number, to: number): number {
    const taken = this.#tcp.send(this.#id(row), bytes, from, to);
    this.host.wake();
    return taken;
  }

  #take(row: number, id: ConnectionId): void {
    this.#table.ids[row] = id;
    this.host.reactor.registerHandler(SocketKind.CONNECTION, id, this, EVENTS, row);
    this.#count(row);
  }

  #release(row: number): ConnectionId {
    const id = this.#id(row);
    if (row === CLOSED_ROW) return id;
    const table = this.#table;
    if (this.#has(row, Bit.ALIVE)) this.host.reference(-1);
    if (this.#has(row, Bit.WAITING)) this.#waiting.delete(row);
    if (this.#has(row, Bit.BOUND)) this.#bound.delete(row);
    if (this.#has(row, Bit.LIMITED)) this.#limits.delete(row);
    table.free(row);
    if (id === 0) return id;
    this.host.reactor.removeHandler(SocketKind.CONNECTION, id);
    this.host.wake();
    return id;
  }

  #count(row: number): void {
    const alive = this.#table.keepsAlive(row);
    if (alive === this.#has(row, Bit.ALIVE)) return;
    this.#put(row, Bit.ALIVE, alive);
    this.host.reference(alive ? 1 : -1);
  }

  #checkWritable(row: number): void {
    if (!this.isOpen(row)) {
      const code = this.#has(row, Bit.BOUND) ? 'EPIPE' : 'EBADF';
      throw new StackError(code, 'the socket has no connection to write to');
    }
    // Its failure has been reported already; a write that comes later finds a shut connection (as Linux).
    if (this.#has(row, Bit.SHUT | Bit.FAILED)) throw new StackError('EPIPE', 'this side of the connection is shut');
  }

  #id(row: number): ConnectionId {
    return this.#table.ids[row] as ConnectionId;
  }
  #owner(row: number): ChannelOwner {
    return this.#table.owners[row] as ChannelOwner;
  }
  #has(row: number, bits: number): boolean {
    return (this.#table.bits[row] & bits) !== 0;
  }
  #put(row: number, bit: number, value: boolean): void {
    if (value && row !== CLOSED_ROW) this.#table.set(row, bit);
    else this.#table.clear(row, bit);
  }

  get #tcp() {
    return this.host.stack.tcp;
  }
  get #net() {
    return this.host.stack.net;
  }
}
