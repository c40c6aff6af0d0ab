import { Socket } from 'node:net';

/**
 * What we use of Node's inside. Two bindings, reached through `process.binding`, which is documented as deprecated but kept
 * for exactly such packages and says so only under `--pending-deprecation`. Where they are missing (the permission model
 * switches them off) there is the plain `Duplex`.
 */

/** A write or shutdown that Node waits for. */
export interface Request {
  oncomplete(status: number): void;
}

/**
 * A write that Node waits for, where the handle makes the request (Node 24.22.1, 26.10.0 and later). Node sets `oncomplete` and its own
 * fields when the call has returned.
 */
export class WriteRequest implements Request {
  /** Null: not complete yet. */
  writeStatus: number | null = null;
  error: string | undefined = undefined;
  oncomplete: (status: number) => void = ignore;
}
function ignore(): void {}

/** What a write returns: an error, zero when it is done, or (without `WriteState.lastError` also when it goes on) what goes on. */
export type WriteResult = number | WriteRequest;

export interface ConnectRequest {
  oncomplete(status: number, handle: unknown, request: unknown, readable: boolean, writable: boolean): void;
}

/** A handle whose other side is JavaScript: the class `JSStream` of Node's C++. */
export interface JSStream {
  /** Hands bytes to whoever reads: `net.Socket`, or TLS or an HTTP parser inside Node. They are copied. */
  readBuffer(bytes: Uint8Array): void;
  emitEOF(): void;
  /** Node's `onread` option: what is read goes into this buffer, and `onread` returns the next one, if it is another. */
  useUserBuffer(buffer: Uint8Array): void;
  /** Set by Node: called for each read. Returns the next buffer for `useUserBuffer`. */
  onread: (bytes?: ArrayBuffer) => Uint8Array | undefined;
  finishWrite(request: Request, status: number): void;
  finishShutdown(request: Request, status: number): void;
  readonly bytesRead: number;
}
export type JSStreamConstructor = new () => JSStream;

/** Where a handle says what became of a write, besides its return value. */
export interface WriteState {
  readonly state: Int32Array;
  readonly bytesWritten: number;
  readonly lastWriteWasAsync: number;
  /** Where this Node looks for the error of a write that returned a request; undefined where handles return numbers only. */
  readonly lastError: number | undefined;
}

export interface Bindings {
  readonly JSStream: JSStreamConstructor;
  readonly write: WriteState;
  /** The property in which Node keeps a handle's socket, where it has a name of its own. */
  readonly owner: symbol | undefined;
}

/** The part of `net.Socket` that Node's documentation leaves out and its own modules use. */
export interface SocketInside extends Socket {
  _handle: object | null;
  /** Endpoints, as once asked for. */
  _sockname: object | null;
  _peername: object | null;
  _reset(): void;
  /** Its timeout starts again. */
  _unrefTimer(): void;
  /** Ready for another connection, of the streams' own. */
  _undestroy(): void;
}

/** Null where this Node has no such bindings. */
export function findBindings(): Bindings | null {
  try {
    const binding: unknown = Reflect.get(process, 'binding');
    if (typeof binding !== 'function') return null;
    const { JSStream } = binding.call(process, 'js_stream');
    const wrap = binding.call(process, 'stream_wrap');
    const write = {
      state: wrap.streamBaseState,
      bytesWritten: wrap.kBytesWritten,
      lastWriteWasAsync: wrap.kLastWriteWasAsync,
      lastError: wrap.kLastWriteErr,
    };
    if (typeof JSStream !== 'function' || typeof JSStream.prototype.readBuffer !== 'function') return null;
    if (!ArrayBuffer.isView(write.state) || !Number.isInteger(write.bytesWritten)) return null;
    return { JSStream, write, owner: findOwner() } as Bindings;
  } catch {
    return null;
  }
}

/** A socket that is made for a handle names itself there. */
function findOwner(): symbol | undefined {
  const handle = {};
  const socket = new Socket({ handle, manualStart: true } as object) as SocketInside;
  socket._handle = null;
  return Object.getOwnPropertySymbols(handle).find((symbol) => Reflect.get(handle, symbol) === socket);
}
