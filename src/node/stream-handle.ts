import type { AsyncResource } from 'node:async_hooks';
import type { Socket } from 'node:net';
import type { ErrorCode } from '../../stack/base/errors.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { callAsReader, contextOf, runIn } from '../host/context.js';
import {
  type Bindings,
  type ConnectRequest,
  type JSStream,
  type Request,
  WriteRequest,
  type WriteResult,
} from './bindings.js';
import { type ChannelOwner, CLOSED_ROW } from './channel-table.js';
import type { Channels } from './channels.js';
import { toBuffers } from './chunks.js';
import { closeSoon } from './closing.js';
import type { Endpoint } from './endpoint.js';
import { errnoOf, errnoOfError, systemError, UV_EBADF, UV_ECANCELED } from './errno.js';
import { Requests } from './requests.js';

/** What `net.Socket` asks of its handle, and we of ours. */
export interface StreamHandle extends JSStream {
  /** Whose handle it is; errors of the connection are reported there. */
  socket: Socket | null;
  /**
   * Sends what the stack takes at once, without a request; returns what it did not take, null when that is nothing. What cannot be sent is not
   * taken either: an ordinary write says why.
   */
  writeNow(chunk: Uint8Array | string, encoding: BufferEncoding): Uint8Array | string | null;
  setNoDelay(enable: boolean): number;
  setKeepAlive(enable: boolean, idleSeconds: number): number;
  close(callback?: () => void): void;
}
export type StreamHandleClass = new (accepted?: ConnectionId) => StreamHandle;

const textEncoder = new TextEncoder();
/** Strings up to a third of this are encoded here and sent without a Buffer of their own: the heads of HTTP messages. */
const encoded = new Uint8Array(16_384);
/** The same bytes as Node's class has them, for latin1. A part to keep comes from `encoded`: a Buffer's `slice` does not copy. */
const encodedBuffer = Buffer.from(encoded.buffer);

/** Node keeps the socket of each handle in a property that only it names: it is our `socket`. */
const OWNER: PropertyDescriptor & ThisType<StreamHandle> = {
  get() {
    return this.socket;
  },
  set(socket: Socket) {
    this.socket = socket;
  },
};

/**
 * The class of our handles on one host's channels, derived from this Node's `JSStream`.
 *
 * The methods are called in two ways. `net.Socket` calls `writeBuffer`, `writev`, `shutdown` and `readStart` as methods:
 * we override those, so that a write the stack takes at once costs neither a copy nor a request that comes back later. TLS
 * and HTTP/2 sit on the stream inside Node and reach us through the `on…` callbacks, which must answer asynchronously.
 * Reads go through `readBuffer` in both cases: only C++ knows who reads.
 */
export function createStreamHandleClass({ JSStream, write, owner }: Bindings, channels: Channels): StreamHandleClass {
  /** In which context handles were made, of those that are written to from inside Node: TLS keeps what it reads to itself. */
  const contexts = new Map<MillraceStream, AsyncResource>();

  /** Whom bytes are being handed to. */
  let reading: MillraceStream | null = null;

  /** The view that was made last: many reads bring as much as the one before. */
  let view: Uint8Array = encoded;
  function viewOf(bytes: Uint8Array, count: number): Uint8Array {
    if (view.length !== count || view.buffer !== bytes.buffer) view = bytes.subarray(0, count);
    return view;
  }

  class MillraceStream extends JSStream implements StreamHandle, ChannelOwner {
    // Programs keep many sockets that do nothing: what only some have is in `#requests`, and what is a number is in the channel's row.
    socket: Socket | null = null;
    #row: number;
    #requests: Requests | null = null;

    constructor(accepted?: ConnectionId) {
      super();
      this.#row = accepted === undefined ? channels.add(this) : channels.accept(this, accepted);
    }

    // As net.Socket calls us.

    connect(request: ConnectRequest, address: string, port: number): number {
      try {
        channels.connect(this.#row, address, port);
      } catch (error) {
        return errnoOfError(error);
      }
      this.#requests ??= new Requests();
      this.#requests.connect = request;
      this.#requests.connectContext = contextOf('MillraceConnect');
      return 0;
    }
    connect6(request: ConnectRequest, address: string, port: number): number {
      return this.connect(request, address, port);
    }
    bind(address: string, port: number): number {
      try {
        channels.bind(this.#row, address, port);
        return 0;
      } catch (error) {
        return errnoOfError(error);
      }
    }
    bind6(address: string, port: number): number {
      return this.bind(address, port);
    }
    getsockname(into: Partial<Endpoint>): number {
      return channels.localEndpoint(this.#row, into) ? 0 : UV_EBADF;
    }
    getpeername(into: Partial<Endpoint>): number {
      if (channels.remoteEndpoint(this.#row, into)) return 0;
      return channels.localEndpoint(this.#row, {}) ? errnoOf('ENOTCONN') : UV_EBADF;
    }
    setNoDelay(enable: boolean): number {
      return statusOf(() => channels.setOption(this.#row, TcpOption.NODELAY, enable ? 1 : 0));
    }
    setKeepAlive(enable: boolean, idleSeconds: number): number {
      return statusOf(() => channels.setKeepAlive(this.#row, enable, idleSeconds));
    }
    /** Node 24.22 and later have them for `socket.setTypeOfService`. */
    setTypeOfService(service: number): number {
      if (this.#row !== CLOSED_ROW && !channels.localEndpoint(this.#row, {})) return UV_EBADF;
      return statusOf(() => channels.setOption(this.#row, TcpOption.TOS, service));
    }
    getTypeOfService(): number {
      if (!channels.localEndpoint(this.#row, {})) return UV_EBADF;
      return channels.getOption(this.#row, TcpOption.TOS);
    }
    ref(): void {
      channels.setReferenced(this.#row, true);
    }
    unref(): void {
      channels.setReferenced(this.#row, false);
    }

    /** Node sets it on its handles. Here it is one of the row's bits. */
    get reading(): boolean {
      return channels.nodeReads(this.#row);
    }
    set reading(value: boolean) {
      channels.setNodeReads(this.#row, value);
    }
    readStart(): number {
      const code = channels.readStart(this.#row);
      return code === undefined ? 0 : errnoOf(code);
    }
    readStop(): number {
      channels.readStop(this.#row);
      return 0;
    }

    /**
     * The buffer of the `onread` option. Node's C++ would fill it again and again from one read of ours, and go on after the program has
     * paused; so a read of ours never brings more than it holds.
     */
    override useUserBuffer(buffer: Uint8Array): void {
      super.useUserBuffer(buffer);
      channels.limitReads(this.#row, buffer.length);
      const onread = this.onread;
      this.onread = function (this: MillraceStream, bytes?: ArrayBuffer): Uint8Array | undefined {
        const next = onread.call(this, bytes);
        if (next !== undefined) channels.limitReads(this.#row, next.length);
        return next;
      };
    }

    // Null for a request: Node waits for what is returned.
    writeBuffer(request: Request | null, bytes: Uint8Array): WriteResult {
      return this.writeRun(request, bytes, bytes.length);
    }
    writeUtf8String(request: Request | null, text: string): WriteResult {
      if (text.length * 3 > encoded.length) return this.writeBuffer(request, textEncoder.encode(text));
      return this.writeRun(request, encoded, textEncoder.encodeInto(text, encoded).written);
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
      return this.writeChunks(request, allBuffers ? (chunks as Uint8Array[]) : toBuffers(chunks));
    }

    writeNow(chunk: Uint8Array | string, encoding: BufferEncoding): Uint8Array | string | null {
      let bytes: Uint8Array = encoded;
      let length: number;
      if (typeof chunk !== 'string') {
        bytes = chunk;
        length = chunk.length;
      } else if (chunk.length * 3 > encoded.length) return chunk;
      else if (encoding === 'utf8' || encoding === 'utf-8') length = textEncoder.encodeInto(chunk, encoded).written;
      else if (encoding === 'latin1' || encoding === 'binary') length = encodedBuffer.write(chunk, 0, 'latin1');
      else return chunk;
      let taken: number;
      try {
        taken = channels.writeSome(this.#row, bytes, length);
      } catch {
        return chunk;
      }
      if (taken === length) return null;
      return bytes === encoded ? bytes.slice(taken, length) : bytes.subarray(taken);
    }

    /** Done at once: 1 tells Node not to wait. */
    shutdown(): number {
      try {
        channels.shutdown(this.#row);
        return 1;
      } catch (error) {
        return errnoOfError(error);
      }
    }

    close(callback?: () => void): void {
      if (this.#row === CLOSED_ROW) return;
      const accepted = channels.isAccepted(this.#row);
      this.#row = channels.close(this.#row);
      this.reportClosed(accepted, callback);
    }
    /** As `close`, with RST. */
    reset(callback?: () => void): number {
      if (!channels.localEndpoint(this.#row, {})) return UV_EBADF;
      const accepted = channels.isAccepted(this.#row);
      this.#row = channels.reset(this.#row);
      this.reportClosed(accepted, callback);
      return 0;
    }
    hasRef(): boolean {
      return this.#row !== CLOSED_ROW && channels.isReferenced(this.#row);
    }

    get bytesWritten(): number {
      return channels.bytesWritten(this.#row);
    }
    /** What the write timer watches: as long as it shrinks, the peer is taking bytes. */
    get writeQueueSize(): number {
      return channels.pendingBytes(this.#row);
    }

    // As the inside of Node calls us.

    isClosing(): boolean {
      return this.#row === CLOSED_ROW;
    }
    onreadstart(): number {
      return this.readStart();
    }
    onreadstop(): number {
      return this.readStop();
    }
    onwrite(request: Request, chunks: Uint8Array[]): number {
      // Node calls it in the handle's own context, and TLS before it can have ended.
      if (!contexts.has(this) && !channels.isAccepted(this.#row)) contexts.set(this, contextOf('MillraceSocket'));
      let done: boolean;
      try {
        done = channels.write(this.#row, chunks);
      } catch (error) {
        return errnoOfError(error);
      }
      const requests = this.awaitWrite(request, true);
      if (!done) return 0;
      requests.writtenInside = true;
      if (reading !== this) setImmediate(() => this.completeInside());
      return 0;
    }
    onshutdown(request: Request): number {
      this.#requests ??= new Requests();
      this.#requests.shutdown = request;
      if (this.#requests.write === null) this.shutDownInside();
      return 0;
    }

    // As the channel calls us.

    channelData(bytes: Uint8Array, count: number): void {
      // Before the program hears of the bytes, and again before its ticks: HTTP/2 drops what it has not begun to write when the program
      // destroys a stream while a write is not complete.
      this.completeInside();
      reading = this;
      try {
        this.readBuffer(viewOf(bytes, count));
      } finally {
        reading = null;
      }
      this.completeInside();
    }
    channelEnd(): void {
      this.emitEOF();
    }
    channelFailed(code: ErrorCode): void {
      const { socket } = this;
      if (socket !== null) this.inOwnContext(() => socket.destroy(systemError(code, 'read')));
    }
    channelConnected(code: ErrorCode | undefined): void {
      const requests = this.#requests as Requests;
      const request = requests.connect;
      const context = requests.connectContext;
      requests.connect = null;
      if (requests.write === null && requests.shutdown === null) this.#requests = null;
      const good = code === undefined;
      if (request === null) return;
      runIn(context, () => request.oncomplete(good ? 0 : errnoOf(code), this, request, good, good));
    }
    channelWritten(code: ErrorCode | undefined): void {
      this.endWrite(code === undefined ? 0 : errnoOf(code));
      if (this.#requests?.shutdown) this.shutDownInside();
    }

    /**
     * In the asynchronous context that the handle was made in. Node keeps it in the handle, and calls `onread` there, for an end as for bytes;
     * but not where TLS reads.
     */
    private inOwnContext(call: () => void): void {
      const context = contexts.get(this);
      if (context !== undefined || channels.isAccepted(this.#row)) {
        runIn(context, call);
        return;
      }
      callAsReader(this, call);
    }

    /** One run of bytes, which are ours only until we return when they lie in `encoded`. */
    private writeRun(request: Request | null, bytes: Uint8Array, length: number): WriteResult {
      let taken: number;
      try {
        taken = channels.writeSome(this.#row, bytes, length);
      } catch (error) {
        return errnoOfError(error);
      }
      if (taken < length) {
        channels.writeRest(this.#row, bytes === encoded ? bytes.slice(taken, length) : bytes.subarray(taken, length));
      }
      return this.answerWrite(request, length, taken === length);
    }

    private writeChunks(request: Request | null, chunks: readonly Uint8Array[]): WriteResult {
      const before = channels.bytesWritten(this.#row);
      let done: boolean;
      try {
        done = channels.write(this.#row, chunks);
      } catch (error) {
        return errnoOfError(error);
      }
      return this.answerWrite(request, channels.bytesWritten(this.#row) - before, done);
    }

    private awaitWrite(request: Request, inside: boolean): Requests {
      this.#requests ??= new Requests();
      this.#requests.write = request;
      this.#requests.writeInside = inside;
      this.#requests.writeContext = inside ? undefined : contextOf('MillraceWrite');
      return this.#requests;
    }

    /** Tells Node what became of a write; a write that goes on has a request: the caller's, or where it gave none, ours. */
    private answerWrite(request: Request | null, bytes: number, done: boolean): WriteResult {
      write.state[write.bytesWritten] = bytes;
      write.state[write.lastWriteWasAsync] = done ? 0 : 1;
      if (done) return 0;
      if (request !== null) {
        this.awaitWrite(request, false);
        return 0;
      }
      const own = new WriteRequest();
      this.awaitWrite(own, false);
      if (write.lastError !== undefined) write.state[write.lastError] = 0;
      return own;
    }

    /** A write from inside Node that was done at once; not from within `onwrite`, which must answer first. */
    private completeInside(): void {
      if (!this.#requests?.writtenInside) return;
      this.#requests.writtenInside = false;
      this.channelWritten(undefined);
    }

    private endWrite(status: number): void {
      const requests = this.#requests;
      if (requests === null || requests.write === null) return;
      const request = requests.write;
      requests.write = null;
      if (requests.writeInside) this.finishWrite(request, status);
      else runIn(requests.writeContext, () => request.oncomplete(status));
    }

    private shutDownInside(): void {
      const requests = this.#requests as Requests;
      const request = requests.shutdown as Request;
      setImmediate(() => {
        if (requests.shutdown !== request) return;
        requests.shutdown = null;
        const status = channels.isOpen(this.#row) ? this.shutdown() : UV_ECANCELED;
        this.finishShutdown(request, status === 1 ? 0 : status);
      });
    }

    private reportClosed(accepted: boolean, callback: (() => void) | undefined): void {
      closeSoon(() => {
        const requests = this.#requests;
        if (requests !== null) this.cancel(requests);
        if (callback === undefined) return;
        if (accepted) callback();
        else this.inOwnContext(callback);
        contexts.delete(this);
      });
    }
    private cancel(requests: Requests): void {
      requests.writtenInside = false;
      const { connect } = requests;
      requests.connect = null;
      connect?.oncomplete(UV_ECANCELED, this, connect, false, false);
      this.endWrite(UV_ECANCELED);
      const { shutdown } = requests;
      requests.shutdown = null;
      if (shutdown !== null) this.finishShutdown(shutdown, UV_ECANCELED);
    }
  }
  if (owner !== undefined) Object.defineProperty(MillraceStream.prototype, owner, OWNER);
  return MillraceStream;
}

function statusOf(call: () => void): number {
  try {
    call();
    return 0;
  } catch (error) {
    return errnoOfError(error);
  }
}
