/**
 * What the program is to be told. Events coalesce: a socket stands in the queue once, with the union of what happened, so
 * the queue never holds more entries than there are sockets and a slow program costs no memory.
 */
export const enum Event {
  /** Bytes (or datagrams) wait to be read. */
  READABLE = 1,
  /** Room in the send buffer again after a short `send`. */
  WRITABLE = 2,
  /** An active OPEN is established. */
  CONNECTED = 4,
  /** The peer has sent its FIN: after the bytes comes the end. */
  PEER_CLOSED = 8,
  /** The connection is gone: `takeError(id)` says why. The id stays valid until `close`. */
  FAILED = 16,
  /** A listener has a connection to accept. */
  ACCEPTABLE = 32,
  /** Both sides closed and all sent bytes acknowledged; nothing more will happen. */
  CLOSED = 64,
  /** Urgent data (RFC 6093) was announced. */
  URGENT = 128,
  /** Everything sent has arrived, and our FIN: what SO_LINGER waits for. */
  SENT = 512,
  /** ICMP has said something about a connection that wants to know (IP_RECVERR): `takeNotice`. The connection goes on. */
  NOTICE = 1024,
}

export const enum SocketKind {
  CONNECTION = 0,
  LISTENER = 1,
  UDP = 2,
}

/** How many bits of an entry name the row; the kind stands above them. */
const ROW_BITS = 24;
const ROW_MASK = (1 << ROW_BITS) - 1;
/** Beside the events: the socket stands in the ring, even if what was to be told is forgotten. */
const QUEUED = 0x100;

export class EventQueue {
  readonly #pending: [Uint16Array, Uint16Array, Uint16Array];
  #ring = new Int32Array(1024);
  #head = 0;
  #count = 0;
  /** Filled by `next`. */
  kind: SocketKind = SocketKind.CONNECTION;
  row = 0;
  events = 0;

  /** Two bytes for each socket that may exist, of each kind. Untouched ones cost no memory. */
  constructor(connectionsMax: number, listenersMax: number, udpSocketsMax: number) {
    this.#pending = [new Uint16Array(connectionsMax), new Uint16Array(listenersMax), new Uint16Array(udpSocketsMax)];
  }

  get length(): number {
    return this.#count;
  }

  push(kind: SocketKind, row: number, events: number): void {
    const pending = this.#pending[kind];
    const before = pending[row];
    pending[row] = before | events | QUEUED;
    if ((before & QUEUED) !== 0) return;
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = (kind << ROW_BITS) | row;
    this.#count += 1;
  }

  /** Takes the oldest entry into `kind`, `row` and `events`; false when there is none. */
  next(): boolean {
    while (this.#count > 0) {
      const entry = this.#ring[this.#head];
      this.#head = (this.#head + 1) & (this.#ring.length - 1);
      this.#count -= 1;
      const kind = entry >>> ROW_BITS;
      const row = entry & ROW_MASK;
      const events = this.#pending[kind][row] & ~QUEUED;
      this.#pending[kind][row] = 0;
      // Forgotten in the meantime: its socket was closed.
      if (events === 0) continue;
      this.kind = kind;
      this.row = row;
      this.events = events;
      return true;
    }
    return false;
  }

  /**
   * A closed socket has no more to say. Its entry stays, to be passed over, or to serve the row's next socket: so a row that
   * is closed and opened a million times between two looks still stands in the queue once.
   */
  forget(kind: SocketKind, row: number): void {
    this.#pending[kind][row] &= QUEUED;
  }

  #grow(): void {
    const old = this.#ring;
    const ring = new Int32Array(old.length * 2);
    for (let i = 0; i < this.#count; i++) ring[i] = old[(this.#head + i) & (old.length - 1)];
    this.#ring = ring;
    this.#head = 0;
  }
}
