import { StackError } from '../base/errors.js';
import { keyedHash } from '../base/keyed-hash.js';
import type { Address, ListenerId } from '../base/units.js';

/** What connections of a listener start with. Undefined: the stack's default. */
export interface ConnectionDefaults {
  readonly noDelay?: boolean;
  readonly keepAlive?: boolean;
  readonly receiveBytes?: number;
  readonly sendBytes?: number;
  readonly userTimeoutMs?: number;
  /** By name. */
  readonly congestion?: string;
  /** Any other option, by its `TcpOption`: set as soon as there is a row to set it in. A listener's map may change while it listens. */
  readonly options?: ReadonlyMap<string, number>;
}

/** A passive OPEN: RFC 9293 §3.9.1.1. */
export class Listener {
  /** Offsets of the hot rows of connections that are established and not yet accepted. */
  queue: Int32Array;
  head = 0;
  count = 0;
  /** Half-open connections of this listener. */
  halfOpen = 0;
  /** Those of them whose SYN-ACK has not timed out yet. */
  young = 0;
  /** Fast Open: connections whose handshake is not complete, those that were reset before it was, and when the last of these was, ms. */
  fastOpenPending = 0;
  fastOpenResets = 0;
  fastOpenResetAt = 0;
  /** The most that ever waited to be accepted. */
  highWater = 0;
  /** Its own keys; undefined: the stack's. */
  fastOpenKeys: Int32Array | undefined;
  /** A SYN cookie was sent, and when the last one was, ms: only then is one looked for. */
  cookiesSent = false;
  cookieSentAt = 0;

  constructor(
    readonly row: number,
    readonly id: ListenerId,
    readonly address: Address,
    readonly port: number,
    public backlog: number,
    public defaults: ConnectionDefaults,
    readonly sharesPort = false,
  ) {
    this.queue = new Int32Array(backlog + 1);
  }

  /** Linux's rule: one more than the backlog may wait. */
  get full(): boolean {
    return this.count > this.backlog;
  }

  /** The same for half-open connections. */
  get synQueueFull(): boolean {
    return this.halfOpen > this.backlog;
  }

  /** Control path. Who waits already goes on waiting, whatever the new backlog. */
  setBacklog(backlog: number): void {
    const waiting = Array.from({ length: this.count }, (_, i) => this.queue[(this.head + i) % this.queue.length]);
    this.backlog = backlog;
    this.queue = new Int32Array(Math.max(backlog + 1, waiting.length));
    this.queue.set(waiting);
    this.head = 0;
  }

  push(c: number): void {
    this.queue[(this.head + this.count) % this.queue.length] = c;
    this.count += 1;
    if (this.count > this.highWater) this.highWater = this.count;
  }

  /** The connection that has waited longest, or -1. */
  shift(): number {
    if (this.count === 0) return -1;
    const c = this.queue[this.head];
    this.head = (this.head + 1) % this.queue.length;
    this.count -= 1;
    return c;
  }
}

const ROWS_MAX = 1 << 24;

/** Listeners by port and address. Consulted for each SYN, so a look-up is one Map access and a glance at one or two entries. */
export class ListenerTable {
  readonly #rows: (Listener | undefined)[] = [];
  readonly #generations: number[] = [];
  readonly #byPort = new Map<number, Listener[]>();
  readonly #max: number;

  readonly #secret0: number;
  readonly #secret1: number;

  constructor(max: number, secret0: number, secret1: number) {
    this.#max = max;
    this.#secret0 = secret0;
    this.#secret1 = secret1;
  }

  /**
   * The listener for a connection from `remote`, with these ports, to this address: a specific one before one for any address. Of several that share a port each gets its part of the peers, the same one
   * always the same peer's pair of ports (as Linux's SO_REUSEPORT); the hash is keyed, so that no peer can choose.
   */
  find(address: number, ports: number, remote: number): Listener | undefined {
    const here = this.#byPort.get(ports >>> 16);
    if (here === undefined) return undefined;
    let found: Listener | undefined;
    let alike = 0;
    for (let i = 0; i < here.length; i++) {
      const listener = here[i];
      if (listener.address !== address && listener.address !== 0) continue;
      if (found === undefined || (found.address === 0 && listener.address !== 0)) {
        found = listener;
        alike = 1;
      } else if (listener.address === found.address) alike += 1;
    }
    return found === undefined || alike < 2 ? found : this.#share(here, found.address, alike, ports, remote);
  }

  #share(
    here: readonly Listener[],
    address: number,
    alike: number,
    ports: number,
    remote: number,
  ): Listener | undefined {
    let left = (keyedHash(this.#secret0, this.#secret1, remote, ports, address) >>> 0) % alike;
    for (let i = 0; i < here.length; i++) {
      if (here[i].address !== address) continue;
      if (left === 0) return here[i];
      left -= 1;
    }
    return undefined;
  }

  usesPort(port: number): boolean {
    return this.#byPort.has(port);
  }

  /** Control path. Whether one listens on this port of this address, or of all where either is 0: to bind it is EADDRINUSE. */
  has(address: Address, port: number): boolean {
    const here = this.#byPort.get(port) ?? [];
    return here.some((other) => other.address === address || other.address === 0 || address === 0);
  }

  /** Control path. Throws EADDRINUSE and EMFILE. */
  open(address: Address, port: number, backlog: number, defaults: ConnectionDefaults, sharesPort = false): Listener {
    const here = this.#byPort.get(port) ?? [];
    for (const other of here) {
      if (sharesPort && other.sharesPort) continue;
      if (other.address === address || other.address === 0 || address === 0) {
        throw new StackError('EADDRINUSE', `port ${port} already has a listener; close it or choose another port`);
      }
    }
    let row = this.#rows.indexOf(undefined);
    if (row < 0) row = this.#rows.length;
    if (row >= this.#max) {
      throw new StackError('EMFILE', `all ${this.#max} listeners are in use; raise listenersMax`);
    }
    const generation = (this.#generations[row] ?? 0) + 1;
    this.#generations[row] = generation;
    const id = (generation * ROWS_MAX + row) as ListenerId;
    const listener = new Listener(row, id, address, port, backlog, defaults, sharesPort);
    this.#rows[row] = listener;
    here.push(listener);
    this.#byPort.set(port, here);
    return listener;
  }

  /** Control path. */
  close(listener: Listener): void {
    this.#rows[listener.row] = undefined;
    const here = (this.#byPort.get(listener.port) ?? []).filter((other) => other !== listener);
    if (here.length === 0) this.#byPort.delete(listener.port);
    else this.#byPort.set(listener.port, here);
  }

  byRow(row: number): Listener | undefined {
    return this.#rows[row];
  }

  byId(id: number): Listener | undefined {
    const listener = this.#rows[id & (ROWS_MAX - 1)];
    return listener?.id === id ? listener : undefined;
  }

  /** Control path. */
  *[Symbol.iterator](): Iterator<Listener> {
    for (const listener of this.#rows) if (listener !== undefined) yield listener;
  }
}
