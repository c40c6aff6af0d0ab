import net from 'node:net';
import tls from 'node:tls';
import type { SocketInside } from './bindings.js';
import { DuplexSocket } from './duplex-socket.js';
import { coded } from './listen-arguments.js';
import type { StreamHandle } from './stream-handle.js';

/**
 * A socket object may connect again: after 'close', after ECONNREFUSED, on an accepted connection that has ended. `net.Socket` makes
 * itself a new handle then, and it is one of the kernel's. So the sockets on a stack have a `connect` of their class, which
 * gives it a handle of ours first; what cannot connect again says so.
 */

/** How a socket on this stack gets its next handle. */
type MakeHandle = () => StreamHandle;

type Listener = () => void;

/** The functions `connect` and `listen` of sockets and servers on a stack: who has one is on a stack. */
const ours = new WeakSet<object>();

/** The `connect` of all sockets of one stack. */
export function makeConnect(makeHandle: MakeHandle): net.Socket['connect'] {
  function connect(this: SocketInside, ...args: unknown[]): net.Socket {
    const { options, listener } = connectArguments(args);
    if (this.destroyed || this._handle === null) giveHandle(this, makeHandle());
    // Trying one address family after the other replaces the handle by one of the kernel's.
    return Reflect.apply(net.Socket.prototype.connect, this, [
      { family: 4, ...options, autoSelectFamily: false },
      listener,
    ]);
  }
  ours.add(connect);
  return connect as net.Socket['connect'];
}

/** A plain stream, or TLS over any of ours. */
export function refuseConnect(): never {
  throw coded(
    Error,
    'ERR_SOCKET_CLOSED',
    'this socket connects once: for another connection make another socket (NodeNet.connect, tls.connect)',
  );
}

/** Marks a function that this stack has put on a socket or server. */
export function markOurs(call: object): void {
  ours.add(call);
}

/** Whether this socket is on a stack, or TLS over one that is. TLS over a plain stream forgets it at its end, but not who made it. */
function isOnStack(socket: unknown): boolean {
  if (typeof socket !== 'object' || socket === null) return false;
  if (socket instanceof DuplexSocket || ours.has(Reflect.get(socket, 'connect'))) return true;
  const server: unknown = Reflect.get(socket, 'server');
  if (typeof server === 'object' && server !== null && ours.has(Reflect.get(server, 'listen'))) return true;
  const given = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'connect-options');
  const options: unknown = given === undefined ? null : Reflect.get(socket, given);
  const under: unknown = typeof options === 'object' && options !== null ? Reflect.get(options, 'socket') : null;
  return isOnStack(Reflect.get(socket, '_parent')) || isOnStack(under);
}

/**
 * `tls.TLSSocket` has no `connect` of its own: the second one would be that of `net.Socket`, over the kernel and in clear text. A TLS socket over
 * ours is made by the program, or deep inside Node, so nothing but the prototype reaches all of them. Kernel sockets see no difference.
 */
export function guardTls(): void {
  const prototype = tls.TLSSocket.prototype;
  if (guarded.has(prototype.connect)) return;
  const before = prototype.connect as (...args: unknown[]) => tls.TLSSocket;
  const connect = function (this: tls.TLSSocket, ...args: unknown[]): tls.TLSSocket {
    if (isOnStack(this)) refuseConnect();
    return before.apply(this, args);
  };
  guarded.add(connect);
  Object.defineProperty(prototype, 'connect', { value: connect, configurable: true, writable: true });
}
const guarded = new WeakSet<object>();

/**
 * What `net.Socket` does to itself for a new handle, with one of ours. Which symbol names the handle's socket, and the function that reads,
 * only Node knows: a socket that is made for it shows both.
 */
function giveHandle(socket: SocketInside, handle: StreamHandle): void {
  const donor = new net.Socket({ handle, manualStart: true } as net.SocketConstructorOpts) as SocketInside;
  for (const symbol of Object.getOwnPropertySymbols(handle)) {
    if (Reflect.get(handle, symbol) === donor) Reflect.set(handle, symbol, socket);
  }
  for (const symbol of Object.getOwnPropertySymbols(donor)) {
    if (symbol.description === 'async_id_symbol') Reflect.set(socket, symbol, Reflect.get(donor, symbol));
  }
  donor._handle = null;
  // The option `onread`: bytes go into a buffer of the program's.
  const buffer = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'kBuffer');
  const bytes: unknown = buffer === undefined ? null : Reflect.get(socket, buffer);
  if (bytes instanceof Uint8Array) handle.useUserBuffer(bytes);
  socket._undestroy();
  socket._handle = handle;
  socket._sockname = null;
  socket._peername = null;
  handle.socket = socket;
}

interface ConnectArguments {
  readonly options: object;
  readonly listener: Listener | undefined;
}

/** (options, listener?), (port, host?, listener?), and both in an array, as Node's own modules pass them. */
function connectArguments(args: readonly unknown[]): ConnectArguments {
  const all: readonly unknown[] = Array.isArray(args[0]) ? args[0] : args;
  const [first, second] = all;
  const last = all.at(-1);
  const listener = typeof last === 'function' ? (last as Listener) : undefined;
  if (typeof first === 'object' && first !== null) {
    refusePath(first);
    return { options: first, listener };
  }
  // As Node: a string that is no number is the path of a pipe.
  if (typeof first === 'string' && Number.isNaN(Number(first))) refusePath({ path: first });
  return { options: { port: first, ...(typeof second === 'string' ? { host: second } : {}) }, listener };
}

/** A path names a socket of the kernel's. */
export function refusePath(options: object): void {
  const { path, socketPath } = options as { path?: unknown; socketPath?: unknown };
  if ((path ?? socketPath ?? null) === null) return;
  throw coded(
    TypeError,
    'ERR_INVALID_ARG_VALUE',
    'a socket on a stack connects to a port: `path` and `socketPath` are for the kernel',
  );
}
