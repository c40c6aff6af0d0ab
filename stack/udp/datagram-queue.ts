import type { Address } from '../base/units.js';
import { ByteArena } from '../memory/byte-arena.js';

/** Before each datagram in a queue: who sent it, to which of our addresses, and how long it is. */
const enum Record {
  SOURCE = 0,
  DESTINATION = 4,
  PORT = 8,
  LENGTH = 10,
  BYTES = 12,
}
/**
 * What a waiting datagram counts beyond its bytes, as Linux counts the buffer around it: else empty datagrams would cost
 * a socket's limit nothing.
 */
const OVERHEAD_BYTES = 64;

/**
 * Datagrams that wait to be read. A socket's queue is one int32, 0 while it is empty: records and payloads one behind the
 * other in chunks of an arena that all sockets share, so an idle socket has no memory.
 */
export class DatagramQueues {
  readonly #arena: ByteArena;
  readonly #record = new Uint8Array(Record.BYTES);
  readonly #view = new DataView(this.#record.buffer);
  /** Of the datagram taken or seen last. */
  source = 0 as Address;
  destination = 0 as Address;
  port = 0;
  length = 0;

  constructor(bytesMax: number) {
    const chunkBytes = 4096;
    this.#arena = new ByteArena({ chunkBytes, chunksMax: Math.max(1, Math.ceil(bytesMax / chunkBytes)) });
  }

  /** How much of a socket's limit a datagram uses up. */
  cost(length: number): number {
    return length + OVERHEAD_BYTES;
  }

  /** Whether the arena holds one more datagram. A queue's last chunk may be full, so its rest is not counted on. */
  fits(length: number): boolean {
    const { chunksFree, chunkBytes } = this.#arena;
    return chunksFree * chunkBytes >= Record.BYTES + length + chunkBytes;
  }

  /** Appends a datagram that `fits`. Returns the queue. */
  append(
    queue: number,
    bytes: Uint8Array,
    from: number,
    length: number,
    source: number,
    port: number,
    destination: number,
  ): number {
    this.#view.setInt32(Record.SOURCE, source);
    this.#view.setInt32(Record.DESTINATION, destination);
    this.#view.setUint16(Record.PORT, port);
    this.#view.setUint16(Record.LENGTH, length);
    const record = this.#arena.append(queue, this.#record, 0, Record.BYTES);
    return length === 0 ? record : this.#arena.append(record, bytes, from, length);
  }

  /** Reads the first datagram's record into the fields above. The queue is not empty. */
  peek(queue: number): void {
    this.#arena.copyOut(queue, 0, this.#record, 0, Record.BYTES);
    this.source = this.#view.getInt32(Record.SOURCE) as Address;
    this.destination = this.#view.getInt32(Record.DESTINATION) as Address;
    this.port = this.#view.getUint16(Record.PORT);
    this.length = this.#view.getUint16(Record.LENGTH);
  }

  /** Copies the first datagram, as much of it as `count` bytes have room for, and leaves it there. */
  look(queue: number, into: Uint8Array, at: number, count: number): void {
    this.peek(queue);
    const bytes = Math.min(count, this.length);
    if (bytes > 0) this.#arena.copyOut(queue, Record.BYTES, into, at, bytes);
  }

  /** Takes the first datagram; what `count` bytes have no room for is lost, as with any datagram socket. Returns the queue. */
  take(queue: number, into: Uint8Array, at: number, count: number): number {
    this.look(queue, into, at, count);
    return this.#arena.drop(queue, Record.BYTES + this.length);
  }

  free(queue: number): void {
    this.#arena.free(queue);
  }
  get bytesFree(): number {
    return this.#arena.chunksFree * this.#arena.chunkBytes;
  }
}
