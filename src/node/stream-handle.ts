import type { Socket } from 'node:net';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import {
  type Bindings,
  type ConnectRequest,
  type JSStream,
  type Request,
  type SocketInside,
  WriteRequest,
  type WriteResult,
} from './bindings.js';
import { Channel, type ChannelOwner } from './channel.js';
import type { ChannelTable } from './channel-table.js';
import { closeSoon } from './closing.js';
import type { Endpoint } from './endpoint.js';
import { errnoOf, errnoOfError, systemError, UV_EBADF, UV_ECANCELED } from './errno.js';

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
    /** Bytes are being handed to whoever reads. A write from inside Node is done, and Node has not been told. */
    #reads = false;
    #writtenInside = false;
    /** A shutdown from inside Node that came while a write was waiting. */
    #shutdown: Request | null = null;
    /** Bytes of the program's own buffer (`onread`), where it has one: no read may bring more, so that the program can stop after each. */
    readBytesMax: number | undefined = undefined;

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
      return this.channel.localEndpoint(into) ? 0 : UV_EBADF;
    }
    getpeername(into: Partial<Endpoint>): number {
      if (this.channel.remoteEndpoint(into)) return 0;
      return this.channel.localEndpoint({}) ? errnoOf('ENOTCONN') : UV_EBADF;
    }
    setNoDelay(enable: boolean): number {
      return statusOf(() => this.channel.setNoDelay(enable));
    }
    setKeepAlive(enable: boolean, idleSeconds: number): number {
      return statusOf(() => this.channel.setKeepAlive(enable, idleSeconds));
    }
    /** Node 24.22 and later have them for `socket.setTypeOfService`. */
    setTypeOfService(service: number): number {
      if (!this.channel.closed && !this.channel.localEndpoint({})) return UV_EBADF;
      return statusOf(() => this.channel.setOption(TcpOption.TOS, service));
    }
    getTypeOfService(): number {
      if (!this.channel.localEndpoint({})) return UV_EBADF;
      return this.channel.getOption(TcpOption.TOS);
    }
    ref(): void {
      this.channel.referenced = true;
    }
    unref(): void {
      this.channel.referenced = false;
    }

    readStart(): number {
      const code = this.channel.readStart();
      return code === undefined ? 0 : errnoOf(code);
    }
    readStop(): number {
      this.channel.readStop();
      return 0;
    }

    /**
     * The buffer of the `onread` option. Node's C++ would fill it again and again from one read of ours, and go on after the program has
     * paused; so a read of ours never brings more than it holds.
     */
    override useUserBuffer(buffer: Uint8Array): void {
      super.useUserBuffer(buffer);
      this.readBytesMax = buffer.length;
      const onread = this.onread;
      this.onread = function (this: MillraceStream, bytes?: ArrayBuffer): Uint8Array | undefined {
        const next = onread.call(this, bytes);
        if (next !== undefined) this.readBytesMax = next.length;
        return next;
      };
    }

    // Null for a request: Node waits for what is returned.
    writeBuffer(request: Request | null, bytes: Uint8Array): WriteResult {
      return this.#writeRun(request, bytes, bytes.length);
    }
    writeUtf8String(request: Request | null, text: string): WriteResult {
      if (text.length * 3 > encoded.length) return this.writeBuffer(request, textEncoder.encode(text));
      return this.#writeRun(request, encoded, textEncoder.encodeInto(text, encoded).written);
    }
    writeLatin1String(request: Request | null, text: string): WriteResult {
      return this.writeBuffer(request, Buffer.from(text, 'latin1'));
    }
    writeAsciiString(request: Request | null, text: string): WriteResult {
      return this.writeBuffer(request, Buffer.from(text, 'latin1'));
    }
    writeUcs2String(request: Request | null, text: string): WriteResult {
      return this.writeBuffer(request, Buffer.from(text, 'utf16le'));
    }
    /** Chunks, or chunks and encodings in turn. */
    writev(request: Request | null, chunks: (Uint8Array | string)[], allBuffers: boolean): WriteResult {
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
      if (this.channel.closed) return;
      this.channel.close();
      this.#closed(callback);
    }
    /** As `close`, with RST. */
    reset(callback?: () => void): number {
      if (!this.channel.localEndpoint({})) return UV_EBADF;
      this.channel.reset();
      this.#closed(callback);
      return 0;
    }
    hasRef(): boolean {
      return !this.channel.closed && this.channel.referenced;
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
      return this.channel.closed;
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
      if (!done) return 0;
      this.#writtenInside = true;
      if (!this.#reads) setImmediate(() => this.#completeInside());
      return 0;
    }
    onshutdown(request: Request): number {
      this.#shutdown = request;
      if (this.#write === null) this.#shutDownInside();
      return 0;
    }

    // As the channel calls us.

    channelData(bytes: Uint8Array, count: number): void {
      // Before the program hears of the bytes, and again before its ticks: HTTP/2 drops what it has not begun to write when the program
      // destroys a stream while a write is not complete.
      this.#completeInside();
      this.#reads = true;
      try {
        this.readBuffer(count === bytes.length ? bytes : bytes.subarray(0, count));
      } finally {
        this.#reads = false;
      }
      this.#completeInside();
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
    #writeRun(request: Request | null, bytes: Uint8Array, length: number): WriteResult {
      let taken: number;
      try {
        taken = this.channel.writeSome(bytes, length);
      } catch (error) {
        return errnoOfError(error);
      }
      if (taken < length) {
        this.channel.writeRest(bytes === encoded ? bytes.slice(taken, length) : bytes.subarray(taken, length));
      }
      return this.#written(request, length, taken === length);
    }

    #writeChunks(request: Request | null, chunks: readonly Uint8Array[]): WriteResult {
      const before = this.channel.bytesWritten;
      let done: boolean;
      try {
        done = this.channel.write(chunks);
      } catch (error) {
        return errnoOfError(error);
      }
      return this.#written(request, this.channel.bytesWritten - before, done);
    }

    /** Tells Node what became of a write; a write that goes on has a request: the caller's, or where it gave none, ours. */
    #written(request: Request | null, bytes: number, done: boolean): WriteResult {
      write.state[write.bytesWritten] = bytes;
      write.state[write.lastWriteWasAsync] = done ? 0 : 1;
      if (done) return 0;
      this.#writeInside = false;
      if (request !== null) {
        this.#write = request;
        return 0;
      }
      const own = new WriteRequest();
      this.#write = own;
      if (write.lastError !== undefined) write.state[write.lastError] = 0;
      return own;
    }

    /** A write from inside Node that was done at once; not from within `onwrite`, which must answer first. */
    #completeInside(): void {
      if (!this.#writtenInside) return;
      this.#writtenInside = false;
      this.channelWritten(undefined);
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
        this.#writtenInside = false;
        const connect = this.#connect;
        this.#connect = null;
        connect?.oncomplete(UV_ECANCELED, this, connect, false, false);
        this.#finishWrite(UV_ECANCELED);
        const shutdown = this.#shutdown;
        this.#shutdown = null;
        if (shutdown !== null) this.finishShutdown(shutdown, UV_ECANCELED);
        callback?.();
      });
    }
  };
}

function statusOf(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    return errnoOfError(error);
  }
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
