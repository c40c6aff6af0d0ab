import { Socket, type SocketConstructorOpts } from 'node:net';
import type { ConnectionId } from '../../stack/base/units.js';
import { makeOutside } from '../host/context.js';
import type { SocketInside } from './bindings.js';
import { makeConnect } from './second-connect.js';
import type { ServerInside } from './server-handle.js';
import type { StreamHandle, StreamHandleClass } from './stream-handle.js';

/**
 * The options of `net.Socket`, with those that only Node's own modules use. Four of them Node writes into its copy of the options by itself: what
 * it will write is given here, since a copy that must take properties on costs 8 µs a socket on Node 20, and one that need not 0.6.
 */
interface SocketOptions extends SocketConstructorOpts {
  handle: StreamHandle;
  emitClose: false;
  autoDestroy: true;
  decodeStrings: false;
  allowHalfOpen: boolean;
  manualStart?: boolean;
}

type Chunk = Uint8Array | string;
type WriteCallback = (error?: Error | null) => void;
interface CorkedChunk {
  readonly chunk: Chunk;
  readonly encoding: BufferEncoding;
}
/** What Node calls the encoding of bytes. */
const BUFFER = 'buffer' as BufferEncoding;
const writevOfNode = Socket.prototype._writev as (chunks: readonly CorkedChunk[], callback: WriteCallback) => void;

/** What a server leaves on its sockets, whose end it counts. */
interface Accepted extends Socket {
  server: ServerInside;
  _server: ServerInside;
}

/** The class of one stack's sockets. */
export interface SocketClass {
  /** A socket that is to connect. */
  create(options: SocketConstructorOpts): Socket;
  /** The socket of a connection that this server accepts, as `net.Server` would make it. */
  accept(server: ServerInside, id: ConnectionId): Socket;
}

/**
 * Node's sockets, but for the two calls that would lead to the kernel. A class, since two properties in each socket would be slower
 * and 16 bytes more, and a prototype that is set after a socket was made slows down all that Node does with it.
 */
export function createSocketClass(Handle: StreamHandleClass): SocketClass {
  class StackSocket extends Socket {
    constructor(options: SocketOptions) {
      super(options);
      options.handle.socket = this;
    }

    static create(options: SocketConstructorOpts): Socket {
      const handle = new Handle();
      const all: SocketOptions = {
        handle,
        emitClose: false,
        autoDestroy: true,
        decodeStrings: false,
        allowHalfOpen: false,
        manualStart: true,
      };
      Object.assign(all, options);
      // Whatever the program has set: it is a socket on this stack, and it reads once the connection stands.
      all.handle = handle;
      all.manualStart = true;
      return new StackSocket(all);
    }

    static accept(server: ServerInside, id: ConnectionId): Socket {
      // As an accepted handle of Node's own.
      const handle = makeOutside(() => new Handle(id));
      const { noDelay, keepAlive, keepAliveInitialDelay, highWaterMark } = server;
      const socket = new StackSocket({
        handle,
        emitClose: false,
        autoDestroy: true,
        decodeStrings: false,
        allowHalfOpen: server.allowHalfOpen,
        pauseOnCreate: server.pauseOnConnect,
        readableHighWaterMark: highWaterMark,
        writableHighWaterMark: highWaterMark,
        // What the socket will say of itself; for a connection that stands Node leaves the setting to its maker.
        noDelay,
        keepAlive,
        keepAliveInitialDelay: keepAliveInitialDelay * 1000,
      } as SocketOptions) as unknown as Accepted;
      if (noDelay) handle.setNoDelay(true);
      if (keepAlive) handle.setKeepAlive(true, keepAliveInitialDelay);
      socket.server = server;
      socket._server = server;
      return socket;
    }

    // What the stack takes at once needs none of Node's write requests, each an object of C++'s; all else goes Node's way. So does what is
    // written before the connection stands: Node counts it.

    override _write(chunk: Chunk, encoding: BufferEncoding, callback: WriteCallback): void {
      const rest = this.connecting ? chunk : writeNow(this, chunk, encoding);
      if (rest === null) writtenAtOnce(this, callback);
      else super._write(rest, encodingOf(rest, encoding), callback);
    }
    override _writev(chunks: readonly CorkedChunk[], callback: WriteCallback): void {
      const rest = this.connecting ? chunks : writeAllNow(this, chunks);
      if (rest === null) writtenAtOnce(this, callback);
      else writevOfNode.call(this, rest, callback);
    }

    /** `net.Socket` resets only handles of the kernel; on ours it does what it would have done there. */
    override resetAndDestroy(): this {
      const inside = this as unknown as SocketInside;
      if (inside._handle === null) this.destroy();
      else if (this.connecting) this.once('connect', () => inside._reset());
      else inside._reset();
      return this;
    }
  }
  // So that who prints one sees what it is to the program.
  Object.defineProperty(StackSocket, 'name', { value: 'Socket' });
  const connect = makeConnect(() => new Handle());
  Object.defineProperty(StackSocket.prototype, 'connect', { value: connect, configurable: true, writable: true });
  return StackSocket;
}

/** Returns what the stack did not take, if anything. */
function writeNow(socket: Socket, chunk: Chunk, encoding: BufferEncoding): Chunk | null {
  const { _handle: handle } = socket as SocketInside;
  return handle === null ? chunk : (handle as StreamHandle).writeNow(chunk, encoding);
}
function writeAllNow(socket: Socket, chunks: readonly CorkedChunk[]): readonly CorkedChunk[] | null {
  for (let i = 0; i < chunks.length; i++) {
    const { chunk, encoding } = chunks[i];
    const rest = writeNow(socket, chunk, encoding);
    if (rest !== null) return [{ chunk: rest, encoding: encodingOf(rest, encoding) }, ...chunks.slice(i + 1)];
  }
  return null;
}
/** What is left of a string may be bytes. */
function encodingOf(rest: Chunk, encoding: BufferEncoding): BufferEncoding {
  return typeof rest === 'string' ? encoding : BUFFER;
}
function writtenAtOnce(socket: Socket, callback: WriteCallback): void {
  (socket as SocketInside)._unrefTimer();
  callback();
}
