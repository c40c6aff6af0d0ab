import { lookup } from 'node:dns';
import { isIP, type OnReadOpts, type Server } from 'node:net';
import { addAbortSignal, Duplex, type DuplexOptions } from 'node:stream';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { Channel, type ChannelOwner } from './channel.js';
import type { ChannelTable } from './channel-table.js';
import { closeSoon } from './closing.js';
import type { Endpoint } from './endpoint.js';
import { codeOf, connectionError, systemError } from './errno.js';
import { coded } from './listen-arguments.js';

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
  readonly #channel: Channel;
  #written: WriteCallback | null = null;
  /** Bytes of the write that waits: the stream still counts them as queued. */
  #writing = 0;
  readonly #onread: OnReadOpts | null;
  #buffer: Uint8Array | null = null;
  #resetting = false;
  #timer: NodeJS.Timeout | null = null;
  #peer: Endpoint = { address: '', port: 0, family: '' };
  #noDelay = false;
  #keepAlive = false;
  #keepAliveSeconds = 0;

  constructor(table: ChannelTable, options: DuplexSocketOptions = {}, accepted?: ConnectionId) {
    // `close` is emitted here: with `hadError`, as `net.Socket` does.
    const { signal, onread, pauseOnCreate, ...rest } = options;
    super({ ...rest, allowHalfOpen: options.allowHalfOpen ?? false, emitClose: false });
    this.#onread = onread ?? null;
    if (onread !== undefined) this.#buffer = typeof onread.buffer === 'function' ? onread.buffer() : onread.buffer;
    this.#channel = new Channel(table, this, accepted);
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
    return this.connecting || !this.#channel.open;
  }
  get readyState(): 'opening' | 'open' | 'readOnly' | 'writeOnly' | 'closed' {
    if (this.connecting) return 'opening';
    if (this.readable) return this.writable ? 'open' : 'readOnly';
    return this.writable ? 'writeOnly' : 'closed';
  }
  get bytesWritten(): number {
    return this.#channel.bytesWritten + this.writableLength - this.#writing;
  }
  get bufferSize(): number {
    return this.writableLength;
  }
  address(): Partial<Endpoint> {
    const into: Partial<Endpoint> = {};
    if (this.#channel.open) this.#channel.localEndpoint(into);
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
    this.#channel.setNoDelay(enable);
    return this;
  }
  setKeepAlive(enable = false, initialDelayMs = 0): this {
    this.#keepAlive = enable;
    this.#keepAliveSeconds = Math.trunc(initialDelayMs / 1000);
    this.#channel.setKeepAlive(enable, this.#keepAliveSeconds);
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
    this.#channel.referenced = true;
    return this;
  }
  unref(): this {
    this.#channel.referenced = false;
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
    if (this.#onread !== null) this.#channel.readStop();
    return super.pause();
  }
  override resume(): this {
    if (this.#onread !== null && !this.connecting) this.#channel.readStart();
    return super.resume();
  }
  /** The most that a program with `onread` takes at once. */
  get readBytesMax(): number | undefined {
    return this.#buffer?.length;
  }
  override _read(): void {
    this.#channel.readStart();
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
      if (this.#channel.open) this.#channel.shutdown();
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
    if (this.#resetting) this.#channel.reset();
    else this.#channel.close();
    const written = this.#takeWritten();
    written?.(error ?? coded(Error, 'ERR_SOCKET_CLOSED', 'Socket is closed'));
    const server = this.server as CountingServer | null;
    if (server !== null) {
      server._connections -= 1;
      server._emitCloseIfDrained();
    }
    callback(error);
    closeSoon(() => this.emit('close', error !== null));
  }

  channelData(bytes: Uint8Array, count: number): void {
    this.#refresh();
    this.bytesRead += count;
    const more = this.#onread === null ? this.push(Buffer.from(bytes.subarray(0, count))) : this.#fill(bytes, count);
    if (!more) this.#channel.readStop();
  }
  #fill(bytes: Uint8Array, count: number): boolean {
    const { buffer, callback } = this.#onread as OnReadOpts;
    const into = this.#buffer as Uint8Array;
    into.set(bytes.subarray(0, count));
    const more = callback(count, into) !== false;
    if (typeof buffer === 'function') this.#buffer = buffer();
    return more;
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
    if (this.#noDelay) this.#channel.setNoDelay(true);
    if (this.#keepAlive) this.#channel.setKeepAlive(true, this.#keepAliveSeconds);
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
      this.#channel.connect(address, options.port);
    } catch (error) {
      this.destroy(connectionError(codeOf(error), 'connect', address, options.port));
    }
  }

  #bind(address: string, port: number): void {
    try {
      this.#channel.bind(address, port);
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
      done = this.#channel.write(chunks);
    } catch (error) {
      this.#takeWritten();
      callback(systemError(codeOf(error), 'write'));
      return;
    }
    if (!done) return;
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
    if (this.#peer.port === 0) this.#channel.remoteEndpoint(this.#peer);
    return this.#peer.port === 0 ? {} : this.#peer;
  }
  #refresh(): void {
    this.#timer?.refresh();
  }
}
