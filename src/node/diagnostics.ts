import { channel } from 'node:diagnostics_channel';
import { type Server, Socket } from 'node:net';

/**
 * The messages of `node:diagnostics_channel` that Node's `net` and `dgram` publish and that our ways in would leave out. Tools that watch
 * programs subscribe to them.
 */
const clientSocket = channel('net.client.socket');
const serverSocket = channel('net.server.socket');
const serverListen = channel('tracing:net.server.listen:asyncStart');
const serverListenEnd = channel('tracing:net.server.listen:asyncEnd');
const serverListenError = channel('tracing:net.server.listen:error');
const udpSocket = channel('udp.socket');

/** Undefined: not known yet. */
let connectPublishes: boolean | undefined;

/**
 * Whether `Socket.prototype.connect` publishes by itself (Node 22 and later), or only `net.connect` does. Found out with a call that fails
 * for want of a port, while nobody but we receives what is published.
 */
function findOut(): boolean {
  let published = false;
  Object.defineProperty(clientSocket, 'publish', { value: () => (published = true), configurable: true });
  try {
    Reflect.apply(Socket.prototype.connect, new Socket(), [{}]);
  } catch {
    // ERR_MISSING_ARGS, as it should.
  } finally {
    Reflect.deleteProperty(clientSocket, 'publish');
  }
  return published;
}

/** Before `socket.connect`. */
export function publishClient(socket: object): void {
  if (!clientSocket.hasSubscribers) return;
  const native = socket instanceof Socket;
  if (native) connectPublishes ??= findOut();
  if (!native || connectPublishes === false) clientSocket.publish({ socket });
}

/** A stream without Node's inside was accepted; of sockets Node says it by itself. */
export function publishAccepted(socket: object): void {
  if (serverSocket.hasSubscribers) serverSocket.publish({ socket });
}

/** `Server.prototype.listen` says so first; that it listens, or cannot, is said further on by Node's code. */
export function publishListen(server: Server, options: object): void {
  if (serverListen.hasSubscribers || serverListenEnd.hasSubscribers || serverListenError.hasSubscribers) {
    serverListen.publish({ server, options });
  }
}
/** It failed before Node's code was reached. */
export function publishListenError(server: Server, error: unknown): void {
  if (serverListenError.hasSubscribers) serverListenError.publish({ server, error });
}

export function publishDatagramSocket(socket: object): void {
  if (udpSocket.hasSubscribers) udpSocket.publish({ socket });
}
