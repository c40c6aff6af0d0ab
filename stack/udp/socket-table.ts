import { StackError } from '../base/errors.js';
import { KeyHash, keyedHash } from '../base/keyed-hash.js';
import type { Prng } from '../base/prng.js';
import type { UdpId } from '../base/units.js';
import { HashIndex } from '../memory/hash-index.js';
import type { PoolReport } from '../memory/pool-report.js';
import { RowPool } from '../memory/row-pool.js';

/** Columns of a socket. The first three are its key; 0 stands for "any". */
export const enum Socket {
  LOCAL = 0,
  REMOTE = 1,
  /** Local port in the upper half, remote port in the lower. */
  PORTS = 2,
  /** SocketFlag bits. */
  FLAGS = 3,
  /** Datagrams waiting: see `DatagramQueues`. */
  QUEUE = 4,
  QUEUED_BYTES = 5,
  RECEIVE_BYTES_MAX = 6,
  TTL = 7,
  MULTICAST_TTL = 8,
  TOS = 9,
  /** PathError + 1; 0: none. */
  ERROR = 10,
  /** The next socket with the same key, row + 1. */
  SAME = 11,
  GENERATION = 12,
  /** Datagrams lost because the queue was full. */
  DROPS = 13,
  STRIDE = 16,
}

export const enum SocketFlag {
  OPEN = 1,
  /** Has a port, and stands in the index. */
  BOUND = 2,
  CONNECTED = 4,
  /** May send to broadcast addresses. */
  BROADCAST = 8,
  /** Shares its address and port with others that say the same. */
  REUSE = 16,
  /** Never fragment; TOO_BIG is reported. */
  DONT_FRAGMENT = 32,
  /** The address was chosen by `connect`, and goes with it. */
  ADDRESS_BY_CONNECT = 64,
}

/** An id is generation × 2^24 + row, as a connection's. */
export const ROWS_MAX = 1 << 24;
const GENERATION_MASK = (1 << 28) - 1;
/** Linux's ip_local_port_range, the same as our TCP's. RFC 6056 §3.2 would allow 1024 and up, where services live. */
const PORT_FIRST = 32_768;
const PORT_LAST = 60_999;

export class SocketTable {
  readonly t: Int32Array;
  readonly #rows: RowPool;
  readonly #index: HashIndex;
  /** Sockets on each port: a free one is seen at a glance. */
  readonly #onPort = new Uint32Array(65_536);
  /** Sockets by kind of key, so that a look-up no socket can match is not made. */
  #connected = 0;
  #specific = 0;
  readonly #secret0: number;
  readonly #secret1: number;
  #ephemerals = 0;
  #refused = 0;

  constructor(socketsMax: number, prng: Prng) {
    this.t = new Int32Array(socketsMax * Socket.STRIDE);
    this.#rows = new RowPool(socketsMax);
    this.#index = new HashIndex(this.t, Socket.STRIDE, new KeyHash(prng.next(), prng.next()));
    this.#secret0 = prng.next();
    this.#secret1 = prng.next();
  }

  get used(): number {
    return this.#rows.used;
  }
  /** Control path. */
  report(): PoolReport {
    return {
      name: 'udp.sockets',
      unit: 'rows',
      used: this.#rows.used,
      limit: this.#rows.max,
      reserve: 0,
      highWater: this.#rows.highWater,
      refused: this.#refused,
      evicted: 0,
    };
  }

  /** A row for a new socket. */
  open(): number {
    const row = this.#rows.take();
    if (row < 0) this.#refused += 1;
    if (row < 0) throw new StackError('EMFILE', `all ${this.#rows.max} UDP sockets are in use; close some`);
    const s = row * Socket.STRIDE;
    const generation = (this.t[s + Socket.GENERATION] + 1) & GENERATION_MASK;
    this.t.fill(0, s, s + Socket.STRIDE);
    this.t[s + Socket.GENERATION] = generation === 0 ? 1 : generation;
    this.t[s + Socket.FLAGS] = SocketFlag.OPEN;
    return row;
  }

  close(row: number): void {
    const s = row * Socket.STRIDE;
    if ((this.t[s + Socket.FLAGS] & SocketFlag.BOUND) !== 0) this.unbind(row);
    this.t[s + Socket.FLAGS] = 0;
    this.#rows.give(row);
  }

  idOf(row: number): UdpId {
    return (this.t[row * Socket.STRIDE + Socket.GENERATION] * ROWS_MAX + row) as UdpId;
  }
  /** The row, or EBADF for an id that was closed or never given. */
  rowOf(id: UdpId): number {
    const row = id & (ROWS_MAX - 1);
    const s = row * Socket.STRIDE;
    const known =
      s < this.t.length &&
      (this.t[s + Socket.FLAGS] & SocketFlag.OPEN) !== 0 &&
      this.t[s + Socket.GENERATION] === (id - row) / ROWS_MAX;
    if (!known) throw new StackError('EBADF', `${id} is no open UDP socket`);
    return row;
  }
  *ids(): Iterable<UdpId> {
    for (let row = 0; row < this.#rows.highWater; row++)
      if ((this.t[row * Socket.STRIDE + Socket.FLAGS] & SocketFlag.OPEN) !== 0) yield this.idOf(row);
  }

  /**
   * Who gets a datagram from `remote` to `local`; row or -1. The most specific wins: connected to the sender, then bound to the
   * address, then to any (RFC 1122 §4.1.3.5 for the addresses; the order is every BSD's). At most three look-ups.
   */
  find(local: number, localPort: number, remote: number, remotePort: number): number {
    if (this.#onPort[localPort] === 0) return -1;
    if (this.#connected > 0) {
      const row = this.#index.find(local, remote, (localPort << 16) | remotePort);
      if (row >= 0) return row;
    }
    if (this.#specific > 0) {
      const row = this.#index.find(local, 0, localPort << 16);
      if (row >= 0) return row;
    }
    return this.#index.find(0, 0, localPort << 16);
  }
  /** The first of the sockets with exactly this binding; `next` goes on. For what is sent to everybody. */
  firstBound(local: number, localPort: number): number {
    return this.#index.find(local, 0, localPort << 16);
  }
  next(row: number): number {
    return this.t[row * Socket.STRIDE + Socket.SAME] - 1;
  }

  /** Binds to a port that is checked to be free, or, for 0, to an ephemeral one. */
  bind(row: number, address: number, port: number): void {
    const reuse = (this.t[row * Socket.STRIDE + Socket.FLAGS] & SocketFlag.REUSE) !== 0;
    if (port === 0) port = this.#ephemeral();
    else if (this.#taken(address, port, reuse))
      throw new StackError('EADDRINUSE', `UDP port ${port} is in use; choose another, or open both sockets with reuse`);
    this.#enter(row, address, 0, port << 16);
    this.t[row * Socket.STRIDE + Socket.FLAGS] |= SocketFlag.BOUND;
    this.#onPort[port] += 1;
  }

  unbind(row: number): void {
    const s = row * Socket.STRIDE;
    this.#leave(row);
    this.#onPort[this.t[s + Socket.PORTS] >>> 16] -= 1;
    this.t[s + Socket.FLAGS] &= ~(SocketFlag.BOUND | SocketFlag.CONNECTED);
  }

  /** Changes a bound socket's key to that of a connection, or with `remote` 0 back. */
  rename(row: number, local: number, remote: number, remotePort: number): void {
    const s = row * Socket.STRIDE;
    const ports = (this.t[s + Socket.PORTS] & 0xffff_0000) | remotePort;
    const other = this.#index.find(local, remote, ports);
    if (other >= 0 && other !== row && (this.t[s + Socket.FLAGS] & SocketFlag.REUSE) === 0)
      throw new StackError('EADDRINUSE', 'another socket is connected between these addresses and ports');
    this.#leave(row);
    this.#enter(row, local, remote, ports);
    if (remote !== 0) this.t[s + Socket.FLAGS] |= SocketFlag.CONNECTED;
    else this.t[s + Socket.FLAGS] &= ~SocketFlag.CONNECTED;
  }

  /** Puts the row into the index, before those with the same key: the last to bind is the first to be found. */
  #enter(row: number, local: number, remote: number, ports: number): void {
    const s = row * Socket.STRIDE;
    const first = this.#index.find(local, remote, ports);
    if (first >= 0) this.#index.remove(first);
    this.t[s + Socket.LOCAL] = local;
    this.t[s + Socket.REMOTE] = remote;
    this.t[s + Socket.PORTS] = ports;
    this.t[s + Socket.SAME] = first + 1;
    this.#index.insert(row);
    this.#tally(row, 1);
  }

  #tally(row: number, one: number): void {
    const s = row * Socket.STRIDE;
    if (this.t[s + Socket.REMOTE] !== 0) this.#connected += one;
    else if (this.t[s + Socket.LOCAL] !== 0) this.#specific += one;
  }

  #leave(row: number): void {
    const s = row * Socket.STRIDE;
    const t = this.t;
    const first = this.#index.find(t[s + Socket.LOCAL], t[s + Socket.REMOTE], t[s + Socket.PORTS]);
    const next = t[s + Socket.SAME];
    t[s + Socket.SAME] = 0;
    this.#tally(row, -1);
    if (first === row) {
      this.#index.remove(row);
      if (next !== 0) this.#index.insert(next - 1);
      return;
    }
    let before = first;
    while (t[before * Socket.STRIDE + Socket.SAME] !== row + 1) before = t[before * Socket.STRIDE + Socket.SAME] - 1;
    t[before * Socket.STRIDE + Socket.SAME] = next;
  }

  /** Control path: only where the port has sockets at all does anyone look at them. */
  #taken(address: number, port: number, reuse: boolean): boolean {
    if (this.#onPort[port] === 0) return false;
    for (let row = 0; row < this.#rows.highWater; row++) {
      const s = row * Socket.STRIDE;
      const flags = this.t[s + Socket.FLAGS];
      if ((flags & SocketFlag.BOUND) === 0 || this.t[s + Socket.PORTS] >>> 16 !== port) continue;
      const other = this.t[s + Socket.LOCAL];
      const overlap = address === 0 || other === 0 || other === address;
      if (overlap && !(reuse && (flags & SocketFlag.REUSE) !== 0)) return true;
    }
    return false;
  }

  /** RFC 6056 §3.3.1: a random port, and from there the next free one. Random by a keyed counter, not to show the generator. */
  #ephemeral(): number {
    const count = PORT_LAST - PORT_FIRST + 1;
    this.#ephemerals += 1;
    const start = (keyedHash(this.#secret0, this.#secret1, this.#ephemerals, 0, 0) >>> 0) % count;
    for (let i = 0; i < count; i++) {
      const port = PORT_FIRST + ((start + i) % count);
      if (this.#onPort[port] === 0) return port;
    }
    throw new StackError('EADDRINUSE', `all ${count} ephemeral UDP ports are in use; close some sockets`);
  }
}
