import { PosixError } from './posix-error.js';
import type { Endpoint } from './socket.js';

/** Who is bound to a port, and whom it lets in there: what bind(2) compares. */
export interface Binder {
  readonly level: { readonly reuseAddress: boolean; readonly reusePort: boolean };
  readonly listening: boolean;
}

/** Which ports are taken by bind(2): the rule is the sockets', not the protocol's, so it stands here and not in the stack. One table for each protocol. */
export class Bindings {
  readonly #byPort = new Map<string, Map<Binder, Endpoint>>();
  #next = 0;

  constructor(
    /** Inclusive. */
    readonly range: () => readonly [number, number],
  ) {}

  /**
   * Linux's rule: two sockets share a port on overlapping addresses if both have SO_REUSEADDR and neither listens, or both SO_REUSEPORT.
   * Throws EADDRINUSE.
   */
  bind(protocol: number, socket: Binder, endpoint: Endpoint): Endpoint {
    const port = endpoint.port === 0 ? this.#choose(protocol) : endpoint.port;
    const bound = { address: endpoint.address, port };
    const here = this.#at(protocol, port);
    for (const [other, at] of here) {
      if (!overlap(at, bound) || mayShare(other, socket)) continue;
      throw new PosixError('EADDRINUSE', `port ${port} is bound already; set SO_REUSEADDR on both or choose another`);
    }
    here.set(socket, bound);
    return bound;
  }

  /** May it begin to listen? Whoever shares its port must not. */
  checkListen(protocol: number, socket: Binder, endpoint: Endpoint): void {
    for (const [other, at] of this.#at(protocol, endpoint.port)) {
      if (other === socket || !other.listening || !overlap(at, endpoint)) continue;
      if (other.level.reusePort && socket.level.reusePort) continue;
      throw new PosixError('EADDRINUSE', `another socket listens on port ${endpoint.port}`);
    }
  }

  release(protocol: number, socket: Binder, port: number): void {
    const key = `${protocol}:${port}`;
    const here = this.#byPort.get(key);
    here?.delete(socket);
    if (here?.size === 0) this.#byPort.delete(key);
  }

  #at(protocol: number, port: number): Map<Binder, Endpoint> {
    const key = `${protocol}:${port}`;
    let here = this.#byPort.get(key);
    if (here === undefined) {
      here = new Map();
      this.#byPort.set(key, here);
    }
    return here;
  }

  #choose(protocol: number): number {
    const [first, last] = this.range();
    const count = last - first + 1;
    for (let tried = 0; tried < count; tried++) {
      const port = first + ((this.#next + tried) % count);
      if (this.#byPort.has(`${protocol}:${port}`)) continue;
      this.#next = (port - first + 1) % count;
      return port;
    }
    throw new PosixError('EADDRINUSE', `all ports from ${first} to ${last} are bound`);
  }
}

function overlap(one: Endpoint, other: Endpoint): boolean {
  return one.address === other.address || one.address === 0 || other.address === 0;
}

function mayShare(one: Binder, other: Binder): boolean {
  if (one.level.reusePort && other.level.reusePort) return true;
  return one.level.reuseAddress && other.level.reuseAddress && !one.listening && !other.listening;
}
