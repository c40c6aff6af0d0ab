import type { Socket } from 'node:net';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import type { Bindings, ConnectRequest, JSStream, Request, SocketInside } from './bindings.js';
import { Channel, type ChannelOwner, type ChannelTable, type Endpoint } from './channel.js';
import { errnoOf, errnoOfError, systemError, UV_ECANCELED } from './errno.js';

/** What `net.Socket` asks of its handle, and we of ours. */
export interface StreamHandle extends JSStream {
  readonly channel: Channel;
  /** Whose handle it is; errors of the connection are reported there. */
  socket: Socket | null;
  close(callback?: () => void): void;
}
export type StreamHandleClass = new (table: ChannelTable, accepted?: ConnectionId) => StreamHandle;

const textEncoder = new TextEncoder();
/** Strings up to a third of this are encoded here and sent without a Buffer of their own: the heads of HTTP messages. */
const encoded = new Uint8Array(16_384);

/** Close callbacks of one tick, called together. An immediate, since `close` must come after `error`, which is a tick. */
let closing: (() => void)[] = [];
function closeSoon(callback: () => void): void {
  closing.push(callback);
  if (closing.length === 1) setImmediate(callClosed);
}
function callClosed(): void {
  const callbacks = closing;
  closing = [];
  for (const callback of callbacks) callback();
}

/**
 * The class of our handles, derived from this Node's `JSStream`.
 *
 * The methods are called in two ways. `net.Socket` calls `writeBuffer`, `writev`, `shutdown` and `readStart` as methods:
 * we override those, so that a write the stack takes at once costs neither a copy nor a request that comes back later. TLS
 * and HTTP/2 sit on the stream inside Node and reach us through the `on…` callbacks, which must answer asynchronously.
 * Reads go through `readBuffer` in both cases: only C++ knows who reads.
 */
export function createStreamHandleClass({ JSStream, write }: Bindings): StreamHandleClass {
  return class MillraceStream extends JSStream implements StreamHandle, ChannelOwner {
    readonly channel: Channel;
    socket: Socket | null = null;
    #connect: ConnectRequest | null = null;
    #write: Request | null = null;
    /** The waiting write came from inside Node. */
    #writeInside = false;
    /** A shutdown from inside Node that came while a write was waiting. */
    #shutdown: Request | null = null;

    constructor(table: ChannelTable, accepted?: ConnectionId) {
      super();
      this.channel = new Channel(table, this, accepted);
    }

    // As net.Socket calls us.

    connect(request: ConnectRequest, address: string, port: number): number {
      try {
        this.channel.connect(address, port);
      } catch (error) {
        return errnoOfError(error);
      }
      this.#connect = request;
      return 0;
    }
    connect6(request: ConnectRequest, address: string, port: number): number {
      return this.connect(request, address, port);
    }
    bind(address: string, port: number): number {
      try {
        this.channel.bind(address, port);
        return 0;
      } catch (error) {
        return errnoOfError(error);
      }
    }
    bind6(address: string, port: number): number {
      return this.bind(address, port);
    }
    getsockname(into: Partial<Endpoint>): number {
      return this.channel.localEndpoint(into) ? 0 : errnoOf('EBADF');
    }
    getpeername(into: Partial<Endpoint>): number {
      return this.channel.remoteEndpoint(into) ? 0 : errnoOf('ENOTCONN');
    }
    setNoDelay(enable: boolean): number {
      this.channel.setNoDelay(enable);
      return 0;
    }
    setKeepAlive(enable: boolean, idleSeconds: number): number {
      this.channel.setKeepAlive(enable, idleSeconds);
      return 0;
    }
    ref(): void {
      this.channel.referenced = true;
    }
    unref(): void {
      this.channel.referenced = false;
    }

    readStart(): number {
      this.channel.readStart();
      return 0;
    }
    readStop(): number {
      this.channel.readStop();
      return 0;
    }

    writeBuffer(request: Request, bytes: Uint8Array): number {
      return this.#writeRun(request, bytes, bytes.length);
    }
    writeUtf8String(request: Request, text: string): number {
      if (text.length * 3 > encoded.length) return this.writeBuffer(request, textEncoder.encode(text));
      return this.#writeRun(request, encoded, textEncoder.encodeInto(text, encoded).written);
    }
    writeLatin1String(request: Request, text: string): number {
      return this.writeBuffer(request, Buffer.from(text, 'latin1'));
    }
    writeAsciiString(request: Request, text: string): number {
      return this.writeBuffer(request, Buffer.from(text, 'latin1'));
    }
    writeUcs2String(request: Request, text: string): number {
      return this.writeBuffer(request, Buffer.from(text, 'utf16le'));
    }
    /** Chunks, or chunks and encodings in turn. */
    writev(request: Request, chunks: (Uint8Array | string)[], allBuffers: boolean): number {
      return this.#writeChunks(request, allBuffers ? (chunks as Uint8Array[]) : toBuffers(chunks));
    }

    /** Done at once: 1 tells Node not to wait. */
    shutdown(): number {
      try {
        this.channel.shutdown();
        return 1;
      } catch (error) {
        return errnoOfError(error);
      }
    }

    close(callback?: () => void): void {
      this.channel.close();
      this.#closed(callback);
    }
    /** As `close`, with RST. */
    reset(callback?: () => void): number {
      this.channel.reset();
      this.#closed(callback);
      return 0;
    }
    hasRef(): boolean {
      return this.channel.open;
    }

    get bytesWritten(): number {
      return this.channel.bytesWritten;
    }
    /** What the write timer watches: as long as it shrinks, the peer is taking bytes. */
    get writeQueueSize(): number {
      return this.channel.pendingBytes;
    }

    // As the inside of Node calls us.

    isClosing(): boolean {
      return !this.channel.open;
    }
    onreadstart(): number {
      return this.readStart();
    }
    onreadstop(): number {
      return this.readStop();
    }
    onwrite(request: Request, chunks: Uint8Array[]): number {
      let done: boolean;
      try {
        done = this.channel.write(chunks);
      } catch (error) {
        return errnoOfError(error);
      }
      this.#write = request;
      this.#writeInside = true;
      if (done) setImmediate(() => this.channelWritten(undefined));
      return 0;
    }
    onshutdown(request: Request): number {
      this.#shutdown = request;
      if (this.#write === null) this.#shutDownInside();
      return 0;
    }

    // As the channel calls us.

    channelData(bytes: Uint8Array, count: number): void {
      this.readBuffer(count === bytes.length ? bytes : bytes.subarray(0, count));
    }
    channelEnd(): void {
      this.emitEOF();
    }
    channelFailed(code: ErrorCode): void {
      this.socket?.destroy(systemError(code, 'read'));
    }
    channelConnected(code: ErrorCode | undefined): void {
      const request = this.#connect;
      this.#connect = null;
      const good = code === undefined;
      request?.oncomplete(good ? 0 : errnoOf(code), this, request, good, good);
    }
    channelWritten(code: ErrorCode | undefined): void {
      this.#finishWrite(code === undefined ? 0 : errnoOf(code));
      if (this.#shutdown !== null) this.#shutDownInside();
    }

    /** One run of bytes, which are ours only until we return when they lie in `encoded`. */
    #writeRun(request: Request, bytes: Uint8Array, length: number): number {
      let taken: number;
      try {
        taken = this.channel.writeSome(bytes, 0, length);
        if (taken < length) {
          const rest = bytes === encoded ? bytes.slice(taken, length) : bytes.subarray(taken, length);
          return this.#writeChunks(request, [rest], taken);
        }
      } catch (error) {
        return errnoOfError(error);
      }
      write.state[write.bytesWritten] = length;
      write.state[write.lastWriteWasAsync] = 0;
      return 0;
    }

    #writeChunks(request: Request, chunks: readonly Uint8Array[], takenBefore = 0): number {
      let done: boolean;
      try {
        done = this.channel.write(chunks);
      } catch (error) {
        return errnoOfError(error);
      }
      let bytes = takenBefore;
      for (const chunk of chunks) bytes += chunk.length;
      write.state[write.bytesWritten] = bytes;
      write.state[write.lastWriteWasAsync] = done ? 0 : 1;
      if (!done) {
        this.#write = request;
        this.#writeInside = false;
      }
      return 0;
    }

    #finishWrite(status: number): void {
      const request = this.#write;
      if (request === null) return;
      this.#write = null;
      if (this.#writeInside) this.finishWrite(request, status);
      else request.oncomplete(status);
    }

    #shutDownInside(): void {
      const request = this.#shutdown as Request;
      setImmediate(() => {
        if (this.#shutdown !== request) return;
        this.#shutdown = null;
        const status = this.channel.open ? this.shutdown() : UV_ECANCELED;
        this.finishShutdown(request, status === 1 ? 0 : status);
      });
    }

    #closed(callback: (() => void) | undefined): void {
      this.socket = null;
      closeSoon(() => {
        this.#finishWrite(UV_ECANCELED);
        const shutdown = this.#shutdown;
        this.#shutdown = null;
        if (shutdown !== null) this.finishShutdown(shutdown, UV_ECANCELED);
        callback?.();
      });
    }
  };
}

function toBuffers(chunks: (Uint8Array | string)[]): Uint8Array[] {
  const buffers: Uint8Array[] = [];
  for (let i = 0; i < chunks.length; i += 2) {
    const chunk = chunks[i];
    buffers.push(typeof chunk === 'string' ? Buffer.from(chunk, chunks[i + 1] as BufferEncoding) : chunk);
  }
  return buffers;
}

/** `net.Socket` resets only handles of the kernel; on ours it does what it would have done there. */
export function resetAndDestroy(this: SocketInside): Socket {
  if (this._handle === null) this.destroy();
  else if (this.connecting) this.once('connect', () => this._reset());
  else this._reset();
  return this;
}
