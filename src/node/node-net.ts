import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import type { ConnectionId } from '../../stack/base/units.js';
import type { StackHost } from '../host/stack-host.js';
import { refuses } from './accepting.js';
import { findBindings } from './bindings.js';
import { Channels } from './channels.js';
import { DatagramSocket, type DatagramSocketOptions, type MessageListener } from './datagram-socket.js';
import { publishAccepted, publishClient, publishListen, publishListenError } from './diagnostics.js';
import { DuplexSocket } from './duplex-socket.js';
import { coded, listenArguments, portNumber } from './listen-arguments.js';
import { guardTls, markOurs, refuseConnect, refusePath } from './second-connect.js';
import { ServerHandle, type ServerInside } from './server-handle.js';
import { createSocketClass, type SocketClass } from './stack-socket.js';
import { createStreamHandleClass } from './stream-handle.js';

export interface NodeNetOptions {
  /** Use plain `Duplex` streams even where Node's own sockets can be had. */
  readonly plainStreams?: boolean;
}

export type ConnectOptions = net.TcpNetConnectOpts & net.SocketConstructorOpts;

/**
 * `node:net`, `node:http`, `node:https`, `node:tls` and `node:dgram` on a stack of ours. Servers and sockets are Node's own
 * classes; only what lies under them differs.
 *
 *     const millrace = new NodeNet(host);
 *     millrace.attach(http.createServer(handler)).listen(80, '10.0.0.2');
 *     http.get({ host: '10.0.0.1', agent: millrace.agent() }, …);
 */
export class NodeNet {
  readonly host: StackHost;
  readonly #channels: Channels;
  /** Null: plain streams. */
  readonly #Socket: SocketClass | null;

  constructor(host: StackHost, options: NodeNetOptions = {}) {
    this.host = host;
    this.#channels = new Channels(host);
    const bindings = options.plainStreams === true ? null : findBindings();
    this.#Socket = bindings === null ? null : createSocketClass(createStreamHandleClass(bindings, this.#channels));
    guardTls();
  }

  /** Whether sockets are `net.Socket`s; otherwise they are `Duplex` streams with the same methods. */
  get native(): boolean {
    return this.#Socket !== null;
  }

  createServer(
    options?: net.ServerOpts | ((socket: net.Socket) => void),
    listener?: (socket: net.Socket) => void,
  ): net.Server {
    const server = typeof options === 'function' ? net.createServer(options) : net.createServer(options, listener);
    return this.attach(server);
  }

  /** From now on the server's `listen` listens on the stack. Any `net.Server`: `http`, `https`, `http2`, `tls`. */
  attach<S extends net.Server>(server: S): S {
    const listen = (...args: unknown[]): S => this.#listen(server, args);
    markOurs(listen);
    Object.defineProperty(server, 'listen', { value: listen, configurable: true, writable: true });
    return server;
  }

  /**
   * Attaches the server, and `server.listen(…)`: (port?, host?, backlog?, callback?) or (options, callback?). Attached, because a server
   * that closes and listens again must not do so on the kernel.
   */
  listen<S extends net.Server>(server: S, ...args: unknown[]): S {
    return this.attach(server).listen(...(args as []));
  }

  #listen<S extends net.Server>(server: S, args: readonly unknown[]): S {
    const inside = server as unknown as ServerInside;
    if (inside._handle) {
      throw coded(Error, 'ERR_SERVER_ALREADY_LISTEN', 'the server listens already: close it before it listens again');
    }
    if (typeof inside._listen2 !== 'function') {
      throw coded(
        Error,
        'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
        "servers on a stack need Node's own net.Server, and this runtime has another: run with Node 20 or newer (docs/runtimes.md)",
      );
    }
    const { port, address, backlog, signal, callback } = listenArguments(args);
    publishListen(server, { port, host: address, backlog });
    if (callback !== undefined) server.once('listening', callback);
    if (signal !== undefined) closeOnAbort(server, signal);
    let handle: ServerHandle;
    try {
      handle = new ServerHandle(this.host, address, port);
    } catch (error) {
      publishListenError(server, error);
      process.nextTick(() => server.emit('error', error));
      return server;
    }
    inside._handle = handle;
    inside._listen2(address, port, address.includes(':') ? 6 : 4, backlog);
    handle.onaccept = (id) => this.#accept(inside, id);
    return server;
  }

  /** As `net.connect`: (options, listener?) or (port, host?, listener?). */
  connect(options: ConnectOptions, listener?: () => void): net.Socket;
  connect(port: number, host?: string, listener?: () => void): net.Socket;
  connect(port: number, listener?: () => void): net.Socket;
  connect(first: ConnectOptions | number, second?: string | (() => void), third?: () => void): net.Socket {
    const listener = typeof second === 'function' ? second : third;
    const given: ConnectOptions =
      typeof first === 'object' ? first : { port: first, ...(typeof second === 'string' ? { host: second } : {}) };
    refusePath(given);
    if (given.port === undefined) throw coded(TypeError, 'ERR_MISSING_ARGS', 'a connection needs a port');
    const options = { ...given, port: portNumber(given.port) };
    return this.#Socket === null
      ? this.#connectPlain(options, listener)
      : this.#connect(this.#Socket, options, listener);
  }

  /** `connect`, for options named `createConnection`. */
  readonly createConnection = (options: ConnectOptions, listener?: () => void): net.Socket =>
    this.connect(options, listener);

  /** An agent for `http.request`. */
  agent(options: http.AgentOptions = {}): http.Agent {
    const agent = new http.Agent(options);
    return Object.assign(agent, { createConnection: this.createConnection });
  }

  /** An agent for `https.request`. */
  secureAgent(options: https.AgentOptions = {}): https.Agent {
    const agent = new https.Agent(options);
    const createConnection = (request: tls.ConnectionOptions & ConnectOptions): tls.TLSSocket => {
      const socket = this.connect({ port: request.port, ...(request.host ? { host: request.host } : {}) });
      const secure = tls.connect({ ...request, socket });
      if (!this.native) leaveEndToTls(socket);
      return secure;
    };
    return Object.assign(agent, { createConnection });
  }

  /** As `dgram.createSocket`. */
  createSocket(options: DatagramSocketOptions | 'udp4', listener?: MessageListener): DatagramSocket {
    return new DatagramSocket(this.host, options === 'udp4' ? { type: options } : options, listener);
  }

  #connect(StackSocket: SocketClass, options: ConnectOptions, listener?: () => void): net.Socket {
    const socket = StackSocket.create(options);
    publishClient(socket);
    if (options.timeout) socket.setTimeout(options.timeout);
    return socket.connect(options, listener);
  }

  #connectPlain(options: ConnectOptions, listener?: () => void): net.Socket {
    const socket = new DuplexSocket(this.#channels, streamOptions(options));
    publishClient(socket);
    if (options.noDelay) socket.setNoDelay(true);
    if (options.keepAlive) socket.setKeepAlive(true, options.keepAliveInitialDelay);
    if (options.timeout) socket.setTimeout(options.timeout);
    const { port, host, localAddress, localPort } = options;
    socket.connect({ port, host, localAddress, localPort }, listener);
    return onlyOnce(socket);
  }

  #accept(server: ServerInside, id: ConnectionId): void {
    if (refuses(server, this.host, id)) return;
    const socket = this.#Socket === null ? this.#acceptPlain(server, id) : this.#Socket.accept(server, id);
    server._connections += 1;
    server.emit('connection', socket);
    publishAccepted(socket);
    if (this.#Socket === null && server instanceof tls.Server) leaveEndToTls(socket);
  }

  #acceptPlain(server: ServerInside, id: ConnectionId): net.Socket {
    const { allowHalfOpen, pauseOnConnect, highWaterMark } = server;
    const options = { allowHalfOpen, pauseOnCreate: pauseOnConnect };
    const socket = new DuplexSocket(
      this.#channels,
      highWaterMark === undefined ? options : { ...options, highWaterMark },
      id,
    );
    if (server.noDelay) socket.setNoDelay(true);
    if (server.keepAlive) socket.setKeepAlive(true, server.keepAliveInitialDelay * 1000);
    socket.server = server;
    return onlyOnce(socket);
  }
}

/** A plain stream that ended stays ended: Node renews only streams of its own. */
function onlyOnce(socket: DuplexSocket): net.Socket {
  const plain = socket as unknown as net.Socket;
  plain.connect = refuseConnect;
  return plain;
}

/**
 * TLS over a plain stream: the stream's own reaction to the peer's FIN, ending at once, would cut off what TLS has still to
 * write. Set after TLS has looked, which takes the property over for itself.
 */
function leaveEndToTls(socket: { allowHalfOpen: boolean }): void {
  socket.allowHalfOpen = true;
}

function streamOptions(options: ConnectOptions) {
  return {
    ...(options.allowHalfOpen === undefined ? {} : { allowHalfOpen: options.allowHalfOpen }),
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.onread === undefined ? {} : { onread: options.onread }),
  };
}

function closeOnAbort(server: net.Server, signal: AbortSignal): void {
  const close = (): void => {
    server.close();
  };
  if (signal.aborted) process.nextTick(close);
  else signal.addEventListener('abort', close, { once: true });
}
