import type { BlockList, Server } from 'node:net';
import type { ConnectionId } from '../../stack/base/units.js';
import type { StackHost } from '../host/stack-host.js';
import { closeSoon } from './closing.js';
import type { Endpoint } from './endpoint.js';
import { errnoOfError, UV_EBADF } from './errno.js';
import { Listener } from './listener.js';

/** What `net.Server` asks of its handle. It sets `onconnection`, which would make sockets of Node's own class: `onaccept` is called instead. */
export class ServerHandle {
  onconnection: ((error: number, handle: object) => void) | null = null;
  /** What becomes of an accepted connection. */
  onaccept: ((id: ConnectionId) => void) | null = null;
  readonly #listener: Listener;
  #closed = false;

  /** Throws EINVAL or EAFNOSUPPORT for an address that is none. */
  constructor(host: StackHost, address: string, port: number) {
    this.#listener = new Listener(host, address, port, (id) => this.onaccept?.(id));
  }
  listen(backlog: number): number {
    if (this.#closed) return UV_EBADF;
    try {
      this.#listener.listen(backlog);
      return 0;
    } catch (error) {
      return errnoOfError(error);
    }
  }
  close(callback?: () => void): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
    if (callback !== undefined) closeSoon(callback);
  }
  getsockname(into: Partial<Endpoint>): number {
    if (this.#closed) return UV_EBADF;
    this.#listener.endpoint(into);
    return 0;
  }
  ref(): void {
    this.#listener.referenced = true;
  }
  unref(): void {
    this.#listener.referenced = false;
  }
  hasRef(): boolean {
    return !this.#closed && this.#listener.referenced;
  }
}

/** The part of `net.Server` that Node's documentation leaves out. */
export interface ServerInside extends Server {
  _handle: ServerHandle | null;
  /** Sockets that are open; `close` waits for them. */
  _connections: number;
  readonly allowHalfOpen: boolean;
  readonly pauseOnConnect: boolean;
  readonly noDelay: boolean;
  readonly keepAlive: boolean;
  /** Seconds. */
  readonly keepAliveInitialDelay: number;
  /** Bytes; undefined in the versions of Node that do not take it. */
  readonly highWaterMark: number | undefined;
  /** Peers that are not let in: Node 22 and newer. */
  readonly blockList?: BlockList;
  /** Puts the handle to work: sets `onconnection`, calls `listen`, and emits `listening` or `error` in the next tick. */
  _listen2(address: string, port: number, addressType: 4 | 6, backlog: number): void;
}
