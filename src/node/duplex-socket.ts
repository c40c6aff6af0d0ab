import type { AsyncResource } from 'node:async_hooks';
import { lookup } from 'node:dns';
import { isIP, type OnReadOpts, type Server } from 'node:net';
import { addAbortSignal, Duplex, type DuplexOptions } from 'node:stream';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { contextOf, runIn } from '../host/context.js';
import type { ChannelOwner } from './channel-table.js';
import type { Channels } from './channels.js';
import { closeSoon } from './closing.js';
import type { Endpoint } from './endpoint.js';
import { codeOf, connectionError, systemError } from './errno.js';
import { coded } from './listen-arguments.js';
import { OwnerInContext } from './owner-in-context.js';

/** Counts of a `net.Server` that its sockets keep. */
interface CountingServer extends Server {
  _connections: number;
  _emitCloseIfDrained(): void;
}

type WriteCallback = (error?: Error | null) => void;

export interface DuplexSocketOptions extends Pick<DuplexOptions, 'allowHalfOpen' | 'signal' | 'highWaterMark'> {
  /** Bytes go into a buffer of the program's and to its callback, not through the stream. */
  readonly onread?: OnReadOpts | undefined;
  /** An accepted connection is not read from until the program says so. */
  readonly pauseOnCreate?: boolean;
}

export interface DuplexConnectOptions {
  readonly port: number;
  readonly host?: string | undefined;
  readonly localAddress?: string | undefined;
  readonly localPort?: number | undefined;
}

/**
 * A stream socket without Node's inside: what `net.Socket` offers, on a plain `Duplex`. For where the bindings are missing;
 * both pass the same contract suite. TLS and HTTP run over it as over any stream, somewhat slower.
 */
export class DuplexSocket extends Duplex implements ChannelOwner {
  connecting = false;
  bytesRead = 0;
  timeout = 0;
  /** Set by the server that accepted it. */
  server: Server | null = null;
  readonly #channels: Channels;
  /** In which the program hears of a socket that was made to connect. An accepted one is nobody's. */
  readonly #context: AsyncResource | undefined;
  #row: number;
  #written: WriteCallback | null = null;
  /** Bytes of the write that waits: the stream still counts them as queued. */
  #writing = 0;
  readonly #onread: OnReadOpts | null;
  #buffer: Uint8Array | null = null;
  #resetting = false;
  /** Bytes given to the channel before it was closed. */
  #bytesWritten = 0;
  #timer: NodeJS.Timeout | null = null;
  #peer: Endpoint = { address: '', port: 0, family: '' };
  #noDelay = false;
  #keepAlive = false;
  #keepAliveSeconds = 0;

  constructor(channels: Channels, options: DuplexSocketOptions = {}, accepted?: ConnectionId) {
    // `close` is emitted here: with `hadError`, as `net.Socket` does.
    const { signal, onread, pauseOnCreate, ...rest } = options;
    super({ ...rest, allowHalfOpen: options.allowHalfOpen ?? false, emitClose: false });
    this.#onread = onread ?? null;
    if (onread !== undefined) this.#buffer = typeof onread.buffer === 'function' ? onread.buffer() : onread.buffer;
    this.#channels = channels;
    if (accepted === undefined) {
      const owner = new OwnerInContext(this);
      this.#context = owner.context;
      this.#row = channels.add(owner);
    } else this.#row = channels.accept(this, accepted);
    this.#limit();
    // Not by `super`, which destroys at once where the signal is aborted already.
    if (signal !== undefined) addAbortSignal(signal, this);
    if (pauseOnCreate === true) this.pause();
    else if (accepted !== undefined) this.read(0);
  }

  connect(options: DuplexConnectOptions, callback?: () => void): this {
    if (callback !== undefined) this.once('connect', callback);
    const host = options.host ?? 'localhost';
    this.connecting = true;
    this.#refresh();
    if (isIP(host) !== 0) {
      process.nextTick(() => this.#open(host, options));
      return this;
    }
    lookup(host, { family: 4 }, (error, address) => {
      this.emit('lookup', error, address, 4, host);
      if (error === null) this.#open(address, options);
      else this.destroy(error);
    });
    return this;
  }

  get pending(): boolean {
    return this.connecting || !this.#channels.isOpen(this.#row);
  }
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }
  get bytesWritten(): number {
    const submitted = this.#bytesWritten + this.#channels.bytesWritten(this.#row);
    return submitted + this.writableLength - this.#writing;
  }
  get bufferSize(): number {
    return this.writableLength;
  }
  address(): Partial<Endpoint> {
    const into: Partial<Endpoint> = {};
    if (this.#channels.isOpen(this.#row)) this.#channels.localEndpoint(this.#row, into);
    return into;
  }
  get localAddress(): string | undefined {
    return this.address().address;
  }
  get localPort(): number | undefined {
    return this.address().port;
  }
  get localFamily(): string | undefined {
    return this.address().family;
  }
  get remoteAddress(): string | undefined {
    return this.#remote().address;
  }
  get remotePort(): number | undefined {
    return this.#remote().port;
  }
  get remoteFamily(): string | undefined {
    return this.#remote().family;
  }

  setNoDelay(enable = true): this {
    this.#noDelay = enable;
    this.#channels.setOption(this.#row, TcpOption.NODELAY, enable ? 1 : 0);
    return this;
  }
  setKeepAlive(enable = false, initialDelayMs = 0): this {
    this.#keepAlive = enable;
    this.#keepAliveSeconds = Math.trunc(initialDelayMs / 1000);
    this.#channels.setKeepAlive(this.#row, enable, this.#keepAliveSeconds);
    return this;
  }
  setTimeout(ms: number, callback?: () => void): this {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.timeout = ms;
    if (ms > 0 && !this.destroyed) {
      this.#timer = setTimeout(() => this.emit('timeout'), ms).unref();
      if (callback !== undefined) this.once('timeout', callback);
    } else if (callback !== undefined) {
      this.removeListener('timeout', callback);
    }
    return this;
  }
  ref(): this {
    this.#channels.setReferenced(this.#row, true);
    return this;
  }
  unref(): this {
    this.#channels.setReferenced(this.#row, false);
    return this;
  }
  destroySoon(): void {
    if (this.writable) this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }
  resetAndDestroy(): this {
    if (this.destroyed) return this;
    if (this.connecting) {
      this.once('connect', () => this.resetAndDestroy());
      return this;
    }
    this.#resetting = true;
    return this.destroy();
  }

  override write(chunk: unknown, encoding?: unknown, callback?: unknown): boolean {
    if (!this.writableEnded || !this.readableEnded || this.allowHalfOpen) {
      return super.write(chunk, encoding as BufferEncoding, callback as WriteCallback);
    }
    // Not "write after end", which would blame the program: it was the peer who ended.
    const error = coded(Error, 'EPIPE', 'This socket has been ended by the other party');
    const done = typeof encoding === 'function' ? encoding : callback;
    if (typeof done === 'function') process.nextTick(done, error);
    this.destroy(error);
    return false;
  }
  /** Reads with `onread` do not fill the stream, so that its own rules do not stop them. */
  override pause(): this {
    if (this.#onread !== null) this.#channels.readStop(this.#row);
    return super.pause();
  }
  override resume(): this {
    if (this.#onread !== null && !this.connecting) this.#channels.readStart(this.#row);
    return super.resume();
  }
  override _read(): void {
    this.#channels.readStart(this.#row);
  }
  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: WriteCallback): void {
    this.#send([chunk], callback);
  }
  override _writev(chunks: { chunk: Buffer; encoding: BufferEncoding }[], callback: WriteCallback): void {
    this.#send(
      chunks.map((entry) => entry.chunk),
      callback,
    );
  }
  override _final(callback: WriteCallback): void {
    if (this.connecting) {
      this.once('connect', () => this._final(callback));
      return;
    }
    try {
      if (this.#channels.isOpen(this.#row)) this.#channels.shutdown(this.#row);
      callback();
    } catch (error) {
      // Nothing is left to shut: the connection is gone, and the reader hears why.
      const code = codeOf(error);
      callback(code === 'ENOTCONN' ? null : systemError(code, 'shutdown'));
    }
  }
  override _destroy(error: Error | null, callback: WriteCallback): void {
    this.connecting = false;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#remote();
    this.#bytesWritten = this.#channels.bytesWritten(this.#row);
    this.#row = this.#resetting ? this.#channels.reset(this.#row) : this.#channels.close(this.#row);
    const written = this.#takeWritten();
    written?.(error ?? coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'));
    const server = this.server as CountingServer | null;
    if (server !== null) {
      server._connections -= 1;
      server._emitCloseIfDrained();
    }
    callback(error);
    closeSoon(() => this.emit('close', error !== null), this.#context);
  }

  channelData(bytes: Uint8Array, count: number): void {
    this.#refresh();
    this.bytesRead += count;
    const more = this.#onread === null ? this.push(Buffer.from(bytes.subarray(0, count))) : this.#fill(bytes, count);
    if (!more) this.#channels.readStop(this.#row);
  }
  #fill(bytes: Uint8Array, count: number): boolean {
    const { buffer, callback } = this.#onread as OnReadOpts;
    const into = this.#buffer as Uint8Array;
    into.set(bytes.subarray(0, count));
    const more = callback(count, into) !== false;
    if (typeof buffer === 'function') {
      this.#buffer = buffer();
      this.#limit();
    }
    return more;
  }
  /** A program with `onread` takes at most a buffer at once. */
  #limit(): void {
    if (this.#buffer !== null) this.#channels.limitReads(this.#row, this.#buffer.length);
  }
  channelEnd(): void {
    this.push(null);
    // Nobody may be reading: the end is to be seen all the same, so that the other half closes.
    this.read(0);
  }
  channelFailed(code: ErrorCode): void {
    this.destroy(systemError(code, 'read'));
  }
  channelConnected(code: ErrorCode | undefined): void {
    this.connecting = false;
    if (code !== undefined) {
      this.destroy(connectionError(code, 'connect', this.#peer.address, this.#peer.port));
      return;
    }
    this.#refresh();
    if (this.#noDelay) this.#channels.setOption(this.#row, TcpOption.NODELAY, 1);
    if (this.#keepAlive) this.#channels.setKeepAlive(this.#row, true, this.#keepAliveSeconds);
    this.emit('connect');
    this.emit('ready');
    if (!this.destroyed && !this.isPaused()) this.read(0);
  }
  channelWritten(code: ErrorCode | undefined): void {
    const written = this.#takeWritten();
    this.#refresh();
    written?.(code === undefined ? null : systemError(code, 'write'));
  }

  #open(address: string, options: DuplexConnectOptions): void {
    if (!this.connecting) return;
    this.#peer = { address, port: options.port, family: address.includes(':') ? 'IPv6' : 'IPv4' };
    try {
      if (options.localAddress !== undefined || options.localPort !== undefined) {
        this.#bind(options.localAddress ?? '0.0.0.0', options.localPort ?? 0);
        if (this.destroyed) return;
      }
      this.#channels.connect(this.#row, address, options.port);
    } catch (error) {
      this.destroy(connectionError(codeOf(error), 'connect', address, options.port));
    }
  }

  #bind(address: string, port: number): void {
    try {
      this.#channels.bind(this.#row, address, port);
    } catch (error) {
      this.destroy(connectionError(codeOf(error), 'bind', address, port));
    }
  }

  #send(chunks: readonly Uint8Array[], callback: WriteCallback): void {
    this.#written = callback;
    if (this.connecting) {
      this.once('connect', () => this.#send(chunks, callback));
      return;
    }
    this.#refresh();
    for (const chunk of chunks) this.#writing += chunk.length;
    let done: boolean;
    try {
      done = this.#channels.write(this.#row, chunks);
    } catch (error) {
      this.#takeWritten();
      callback(systemError(codeOf(error), 'write'));
      return;
    }
    if (!done) {
      // Whoever wrote hears of it.
      const context = contextOf('MillraceWrite');
      this.#written = (error) => runIn(context, () => callback(error));
      return;
    }
    this.#takeWritten();
    callback();
  }
  #takeWritten(): WriteCallback | null {
    const written = this.#written;
    this.#written = null;
    this.#writing = 0;
    return written;
  }

  #remote(): Partial<Endpoint> {
    if (this.connecting) return {};
    if (this.#peer.port === 0) this.#channels.remoteEndpoint(this.#row, this.#peer);
    return this.#peer.port === 0 ? {} : this.#peer;
  }
  #refresh(): void {
    this.#timer?.refresh();
  }
}
