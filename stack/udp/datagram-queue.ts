import type { Address } from '../base/units.js';
import { ByteArena } from '../memory/byte-arena.js';
import type { PoolReport } from '../memory/pool-report.js';

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

/** A page, as the arena of streams has it: half of an Ethernet segment is lost at the end of one in six. */
const CHUNK_BYTES = 4096;

export interface DatagramQueueLimits {
  readonly socketsMax: number;
  readonly receiveBytesTotal: number;
  readonly receiveBytesReserve: number;
}

/**
 * Datagrams that wait to be read. A socket's queue is one int32, 0 while it is empty: records and payloads one behind the
 * other in chunks of an arena that all sockets share, so an idle socket has no memory.
 *
 * What is counted is the memory: a chunk that holds one byte counts whole. Each socket has a reserve that nobody else can use. Beyond
 * its reserve a socket gets a chunk as long as it has no more of what is shared than is still free: one that never reads gets half at the most, two get a third
 * each, and whoever comes after a thousand of them finds as much as each of those has.
 */
export class DatagramQueues {
  readonly #arena: ByteArena;
  readonly #record = new Uint8Array(Record.BYTES);
  readonly #view = new DataView(this.#record.buffer);
  /** Chunks that each socket keeps. */
  readonly #reserve: number;
  /** Chunks that are nobody's reserve. Reserved are those of every socket there may be: one opened while the rest is full has its own, too. */
  readonly #sharedMax: number;
  /** … and how many of them are in use. */
  #shared = 0;
  #highWater = 0;
  #refused = 0;
  /** Of the datagram taken or seen last. */
  source = 0 as Address;
  destination = 0 as Address;
  port = 0;
  length = 0;

  constructor(limits: DatagramQueueLimits) {
    const chunksMax = Math.max(1, Math.ceil(limits.receiveBytesTotal / CHUNK_BYTES));
    this.#arena = new ByteArena({ chunkBytes: CHUNK_BYTES, chunksMax });
    // No more is promised than there is.
    this.#reserve = Math.min(
      Math.ceil(limits.receiveBytesReserve / CHUNK_BYTES),
      Math.floor(chunksMax / limits.socketsMax),
    );
    this.#sharedMax = chunksMax - this.#reserve * limits.socketsMax;
  }

  free(queue: number): void {
    this.#settle(this.#chunksOf(queue), 0);
    this.#arena.free(queue);
  }

  /** How much of a socket's limit a datagram uses up. */
  cost(length: number): number {
    return length + OVERHEAD_BYTES;
  }

  /** Whether a socket with this queue may have one more datagram. */
  fits(queue: number, length: number): boolean {
    const chunks = this.#chunksOf(queue);
    const more = this.#chunksFor(queue, Record.BYTES + length) - chunks;
    const reserve = this.#reserve;
    const before = chunks > reserve ? chunks - reserve : 0;
    const after = chunks + more > reserve ? chunks + more - reserve : 0;
    if (after === before) return true;
    const free = this.#sharedMax - this.#shared;
    if (after - before <= free && after <= free) return true;
    this.#refused += 1;
    return false;
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
    const before = this.#chunksOf(queue);
    let after = this.#arena.append(queue, this.#record, 0, Record.BYTES);
    if (length > 0) after = this.#arena.append(after, bytes, from, length);
    this.#settle(before, this.#chunksOf(after));
    return after;
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
    const before = this.#chunksOf(queue);
    const after = this.#arena.drop(queue, Record.BYTES + this.length);
    this.#settle(before, this.#chunksOf(after));
    return after;
  }

  /** What the queue takes of the memory, whole chunks. */
  memoryBytes(queue: number): number {
    return this.#chunksOf(queue) * CHUNK_BYTES;
  }
  /** Control path. */
  report(): PoolReport {
    return {
      name: 'udp.datagrams',
      unit: 'chunks',
      used: this.#arena.chunksMax - this.#arena.chunksFree,
      limit: this.#arena.chunksMax,
      reserve: this.#reserve,
      highWater: this.#highWater,
      refused: this.#refused,
      evicted: 0,
    };
  }

  #chunksOf(queue: number): number {
    return this.#chunksFor(queue, 0);
  }
  /** Chunks of the queue with `more` bytes behind it. All chunks are full to their end but the last. */
  #chunksFor(queue: number, more: number): number {
    const start = queue === 0 ? 0 : this.#arena.frontAt(queue) & (CHUNK_BYTES - 1);
    return Math.ceil((start + this.#arena.length(queue) + more) / CHUNK_BYTES);
  }
  #settle(before: number, after: number): void {
    const reserve = this.#reserve;
    this.#shared += (after > reserve ? after - reserve : 0) - (before > reserve ? before - reserve : 0);
    const used = this.#arena.chunksMax - this.#arena.chunksFree;
    if (used > this.#highWater) this.#highWater = used;
  }
}
