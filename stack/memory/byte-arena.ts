import { assert } from '../base/assert.js';
import { FREE, Row } from './chunk-row.js';
import { copyBytes } from './copy.js';
import { SLICES_IN_CHUNK, SLICES_SHIFT, Slices } from './slices.js';

/**
 * A page, and what the kernel gives memory out in: an almost empty queue costs a page whatever we choose below it, and 4096
 * bytes hold two full Ethernet segments (2 × 1460). Larger wastes more on each of a hundred thousand connections with one
 * request waiting; smaller makes a 1460-byte copy straddle two chunks more often (here one in three does).
 */
const CHUNK_BYTES = 4096;
/** 256 MiB of addresses, resident only as far as they were ever used. */
const CHUNKS_MAX = 65_536;

export interface ByteArenaOptions {
  /** A power of two, 64 to 32,768. */
  readonly chunkBytes?: number;
  readonly chunksMax?: number;
  /** Once a sixteenth of the chunks is used, short queues get a sixteenth of a chunk. Off if not given. */
  readonly slices?: boolean;
  /** Where the bytes lie; made if not given. What is in it does not matter. */
  readonly memory?: ArrayBuffer | undefined;
}

/**
 * Stream buffers: byte queues as chains of chunks out of one block of memory. A queue is one int32, the number of its head
 * chunk, and 0 when it is empty; so an idle connection has no buffer at all. Every method that may change the head returns
 * the queue's new name, and the old name is dead.
 *
 * With `slices` a queue may begin in a slice. To every method it is a chunk like the others, only smaller: slices have numbers and rows of
 * their own behind those of the chunks.
 *
 * No method is linear in the arena; none but `free`, `drop`, `truncate` and a jump to a place never read before is linear
 * in the queue's chunks.
 */
export class ByteArena {
  readonly chunkBytes: number;
  readonly chunksMax: number;
  readonly bytes: Uint8Array;
  /** Bytes the last `append` or `read` moved. */
  moved = 0;
  chunksFree: number;
  /** Chunks that queues hold whole. Those cut into slices are not among them. */
  queued = 0;
  readonly slices: Slices;
  readonly #shift: number;
  readonly #rows: Int32Array;
  /** Free chunks, last in first out: the chunk used next is the one most likely still in the cache. */
  #freeHead = 0;
  /** Chunks below were used at least once. Memory above was never touched, and so is not resident. */
  #highWater = 1;
  /** The offset of the first byte of the chunk that `#seek` found. */
  #seekOffset = 0;
  /** The number of the first slice; no chunk has it. */
  readonly #firstSlice: number;
  /** 0 where no queue gets one. */
  readonly #sliceBytes: number;
  /** While more chunks are free than that, a short queue gets a whole one: that is fewer steps. */
  readonly #slicesBelow: number;

  constructor(options: ByteArenaOptions = {}) {
    const chunkBytes = options.chunkBytes ?? CHUNK_BYTES;
    const chunksMax = options.chunksMax ?? CHUNKS_MAX;
    assert(
      (chunkBytes & (chunkBytes - 1)) === 0 && chunkBytes >= 64 && chunkBytes <= 32_768,
      'chunkBytes is a power of two, 64 to 32768',
    );
    assert(Number.isInteger(chunksMax) && chunksMax >= 1, 'an arena has at least one chunk');
    assert((chunksMax + 1) * chunkBytes <= 0x80000000, 'offsets in the arena fit an int32');
    this.chunkBytes = chunkBytes;
    this.chunksMax = chunksMax;
    this.chunksFree = chunksMax;
    this.#shift = 31 - Math.clz32(chunkBytes);
    // Chunk 0 is the empty queue; its bytes are addresses only.
    const memory = options.memory ?? new ArrayBuffer((chunksMax + 1) * chunkBytes);
    assert(memory.byteLength >= (chunksMax + 1) * chunkBytes, 'the memory given holds every chunk');
    this.bytes = new Uint8Array(memory, 0, (chunksMax + 1) * chunkBytes);
    const slices = options.slices === true;
    this.#firstSlice = chunksMax + 1;
    this.#sliceBytes = slices ? chunkBytes >>> SLICES_SHIFT : 0;
    this.#slicesBelow = chunksMax - (chunksMax >>> SLICES_SHIFT);
    this.#rows = new Int32Array((chunksMax + 1) * (slices ? 1 + SLICES_IN_CHUNK : 1) * Row.INTS);
    this.slices = new Slices(this.#rows, this.#firstSlice);
  }

  /** The most chunks ever used at once: a new one is touched only when no other is free. */
  get chunksHighWater(): number {
    return this.#highWater - 1;
  }

  /** Control path. Chunks that the queue holds whole. */
  chunksOf(queue: number): number {
    let count = 0;
    for (let chunk = queue; chunk !== 0; chunk = this.#rows[(chunk << Row.SHIFT) + Row.NEXT])
      if (chunk < this.#firstSlice) count += 1;
    return count;
  }

  /** Bytes in the queue. */
  length(queue: number): number {
    return queue === 0 ? 0 : this.#lengthOfHead(queue);
  }

  /** Where in `bytes` the queue's first contiguous run begins. */
  frontAt(queue: number): number {
    return this.#baseOf(queue) + (this.#rows[(queue << Row.SHIFT) + Row.SPAN] & 0xffff);
  }

  /** The length of the first contiguous run; 0 when the queue is empty. */
  frontLength(queue: number): number {
    return this.#chunkLength(queue);
  }

  /**
   * Appends `count` bytes, as many as there is memory for; `moved` says how many. The tail chunk is filled before another is
   * taken, so that many small writes share one. Returns the queue.
   */
  append(queue: number, source: Uint8Array, from: number, count: number): number {
    assert(count >= 0 && from >= 0 && from + count <= source.length, 'the bytes to append lie in the source');
    const rows = this.#rows;
    let head = queue;
    let tail = 0;
    let left = count;
    if (head !== 0) {
      this.#lengthOfHead(head);
      tail = rows[(head << Row.SHIFT) + Row.TAIL];
      const row = tail << Row.SHIFT;
      const end = rows[row + Row.SPAN] >>> 16;
      const n = Math.min(left, this.#capacityOf(tail) - end);
      if (n > 0) {
        copyBytes(source, from, this.bytes, this.#baseOf(tail) + end, n);
        rows[row + Row.SPAN] += n << 16;
        left -= n;
      }
    }
    while (left > 0) {
      const short = head === 0 && left <= this.#sliceBytes && this.chunksFree <= this.#slicesBelow;
      const chunk = short ? this.#takeSlice() : this.#take();
      if (chunk === 0) break;
      const n = Math.min(left, this.chunkBytes);
      copyBytes(source, from + count - left, this.bytes, this.#baseOf(chunk), n);
      rows[(chunk << Row.SHIFT) + Row.SPAN] = n << 16;
      left -= n;
      if (head === 0) {
        head = chunk;
        rows[(chunk << Row.SHIFT) + Row.RECENT] = 0;
        rows[(chunk << Row.SHIFT) + Row.OTHER] = 0;
      } else {
        rows[(tail << Row.SHIFT) + Row.NEXT] = chunk;
      }
      tail = chunk;
    }
    this.moved = count - left;
    if (head !== 0) {
      rows[(head << Row.SHIFT) + Row.TAIL] = tail;
      rows[(head << Row.SHIFT) + Row.LENGTH] += this.moved;
    }
    return head;
  }

  /** Copies `count` bytes, `offset` bytes behind the front, without consuming them. */
  copyOut(queue: number, offset: number, into: Uint8Array, at: number, count: number): void {
    assert(offset >= 0 && count >= 0 && offset + count <= this.length(queue), 'the bytes to copy lie in the queue');
    assert(at >= 0 && at + count <= into.length, 'the bytes to copy fit the target');
    if (count === 0) return;
    const rows = this.#rows;
    let chunk = this.#seek(queue, offset);
    let skip = offset - this.#seekOffset;
    let left = count;
    while (true) {
      const span = rows[(chunk << Row.SHIFT) + Row.SPAN];
      const start = (span & 0xffff) + skip;
      const n = Math.min(left, (span >>> 16) - start);
      copyBytes(this.bytes, this.#baseOf(chunk) + start, into, at + count - left, n);
      left -= n;
      if (left === 0) return;
      skip = 0;
      chunk = rows[(chunk << Row.SHIFT) + Row.NEXT];
    }
  }

  /** Moves up to `count` bytes off the front into `into`; `moved` says how many. Returns the queue. */
  read(queue: number, into: Uint8Array, at: number, count: number): number {
    const n = Math.min(count, this.length(queue));
    this.copyOut(queue, 0, into, at, n);
    this.moved = n;
    return this.drop(queue, n);
  }

  /** Consumes `count` bytes from the front. Returns the queue, 0 when nothing is left of it. */
  drop(queue: number, count: number): number {
    const length = this.length(queue);
    assert(count >= 0 && count <= length, 'no more is dropped than the queue holds');
    if (count === 0) return queue;
    if (count === length) {
      this.free(queue);
      return 0;
    }
    const rows = this.#rows;
    const old = queue << Row.SHIFT;
    let left = count;
    let head = queue;
    let n = this.#chunkLength(head);
    // The old head's row is read again below, so it is given back last.
    while (left >= n) {
      left -= n;
      const next = rows[(head << Row.SHIFT) + Row.NEXT];
      if (head !== queue) this.#give(head);
      head = next;
      n = this.#chunkLength(head);
    }
    const row = head << Row.SHIFT;
    rows[row + Row.SPAN] += left;
    rows[row + Row.LENGTH] = length - count;
    if (head !== queue) {
      rows[row + Row.TAIL] = rows[old + Row.TAIL];
      rows[row + Row.RECENT] = rows[old + Row.RECENT];
      rows[row + Row.RECENT_OFFSET] = rows[old + Row.RECENT_OFFSET];
      rows[row + Row.OTHER] = rows[old + Row.OTHER];
      rows[row + Row.OTHER_OFFSET] = rows[old + Row.OTHER_OFFSET];
      this.#give(queue);
    }
    // A cursor whose chunk is gone, or has become the head, which is found without one, ends here.
    if ((rows[row + Row.RECENT_OFFSET] -= count) <= 0) rows[row + Row.RECENT] = 0;
    if ((rows[row + Row.OTHER_OFFSET] -= count) <= 0) rows[row + Row.OTHER] = 0;
    return head;
  }

  /** Drops from the back what is beyond `length` bytes. Returns the queue, 0 when nothing is left of it. */
  truncate(queue: number, length: number): number {
    assert(length >= 0, 'a length is not negative');
    if (length >= this.length(queue)) return queue;
    if (length === 0) {
      this.free(queue);
      return 0;
    }
    const rows = this.#rows;
    const tail = this.#seek(queue, length - 1);
    const tailRow = tail << Row.SHIFT;
    const start = rows[tailRow + Row.SPAN] & 0xffff;
    rows[tailRow + Row.SPAN] = start | ((start + length - this.#seekOffset) << 16);
    this.#giveChain(rows[tailRow + Row.NEXT]);
    rows[tailRow + Row.NEXT] = 0;
    const row = queue << Row.SHIFT;
    rows[row + Row.TAIL] = tail;
    rows[row + Row.LENGTH] = length;
    if (rows[row + Row.RECENT_OFFSET] >= length) rows[row + Row.RECENT] = 0;
    if (rows[row + Row.OTHER_OFFSET] >= length) rows[row + Row.OTHER] = 0;
    return queue;
  }

  /**
   * Puts `back` behind `front`; both names are dead, the result is the one queue. Where the chunks that meet hold together no
   * more than the first of them can, they become one: a peer that sends its stream in single bytes, out of order, would otherwise make each of
   * them cost a chunk. That is at most one chunk's copy, whatever the lengths.
   */
  concat(front: number, back: number): number {
    if (front === 0) return back;
    if (back === 0) return front;
    assert(front !== back, 'a queue is not put behind itself');
    const rows = this.#rows;
    const row = front << Row.SHIFT;
    const length = this.#lengthOfHead(front) + this.#lengthOfHead(back);
    const backTail = rows[(back << Row.SHIFT) + Row.TAIL];
    const tail = rows[row + Row.TAIL];
    if (this.#chunkLength(tail) + this.#chunkLength(back) <= this.#capacityOf(tail)) {
      const rest = rows[(back << Row.SHIFT) + Row.NEXT];
      this.#merge(tail, back);
      rows[(tail << Row.SHIFT) + Row.NEXT] = rest;
      if (rest !== 0) rows[row + Row.TAIL] = backTail;
    } else {
      rows[(back << Row.SHIFT) + Row.LENGTH] = 0;
      rows[(tail << Row.SHIFT) + Row.NEXT] = back;
      rows[row + Row.TAIL] = backTail;
    }
    rows[row + Row.LENGTH] = length;
    return front;
  }

  /** Gives the queue's memory back. */
  free(queue: number): void {
    if (queue === 0) return;
    this.#lengthOfHead(queue);
    this.#giveChain(queue);
  }

  #lengthOfHead(queue: number): number {
    const length = this.#rows[(queue << Row.SHIFT) + Row.LENGTH];
    assert(length > 0, 'a queue is named by its head, and was not freed');
    return length;
  }

  #chunkLength(chunk: number): number {
    const span = this.#rows[(chunk << Row.SHIFT) + Row.SPAN];
    return (span >>> 16) - (span & 0xffff);
  }

  /**
   * The chunk that holds the byte at `offset`; `#seekOffset` is where the chunk begins. Starts from the nearest known place
   * before the offset and leaves a cursor there. The head needs none: re-sending the front, which every loss recovery
   * begins with, must not cost the place where new data goes on.
   */
  #seek(queue: number, offset: number): number {
    const rows = this.#rows;
    const row = queue << Row.SHIFT;
    let n = this.#chunkLength(queue);
    if (offset < n) {
      this.#seekOffset = 0;
      return queue;
    }
    const recent = rows[row + Row.RECENT];
    const recentOffset = rows[row + Row.RECENT_OFFSET];
    const other = rows[row + Row.OTHER];
    const otherOffset = rows[row + Row.OTHER_OFFSET];
    let chunk = queue;
    let at = 0;
    if (recent !== 0 && recentOffset <= offset) {
      chunk = recent;
      at = recentOffset;
    }
    if (other !== 0 && otherOffset <= offset && otherOffset > at) {
      chunk = other;
      at = otherOffset;
    }
    if (chunk !== recent) {
      // The other moves, or is given up for a reader that went back; the one used last stays where it is.
      rows[row + Row.OTHER] = recent;
      rows[row + Row.OTHER_OFFSET] = recentOffset;
    }
    n = this.#chunkLength(chunk);
    while (offset - at >= n) {
      at += n;
      chunk = rows[(chunk << Row.SHIFT) + Row.NEXT];
      n = this.#chunkLength(chunk);
    }
    rows[row + Row.RECENT] = chunk;
    rows[row + Row.RECENT_OFFSET] = at;
    this.#seekOffset = at;
    return chunk;
  }

  /** Moves the bytes of `chunk` behind those of `tail`, and gives `chunk` back. They fit. */
  #merge(tail: number, chunk: number): void {
    const rows = this.#rows;
    const row = tail << Row.SHIFT;
    const base = this.#baseOf(tail);
    const n = this.#chunkLength(chunk);
    let start = rows[row + Row.SPAN] & 0xffff;
    let end = rows[row + Row.SPAN] >>> 16;
    if (end + n > this.#capacityOf(tail)) {
      copyBytes(this.bytes, base + start, this.bytes, base, end - start);
      end -= start;
      start = 0;
    }
    copyBytes(this.bytes, this.frontAt(chunk), this.bytes, base + end, n);
    rows[row + Row.SPAN] = start | ((end + n) << 16);
    this.#give(chunk);
  }

  /** Where in `bytes` a chunk or a slice begins. */
  #baseOf(chunk: number): number {
    const slice = chunk - this.#firstSlice;
    return slice < 0 ? chunk << this.#shift : slice << (this.#shift - SLICES_SHIFT);
  }

  #capacityOf(chunk: number): number {
    return chunk < this.#firstSlice ? this.chunkBytes : this.#sliceBytes;
  }

  /** A whole chunk for a queue; 0 when none is free. */
  #take(): number {
    const chunk = this.#takeChunk();
    if (chunk !== 0) this.queued += 1;
    return chunk;
  }

  #takeChunk(): number {
    const rows = this.#rows;
    let chunk = this.#freeHead;
    if (chunk !== 0) {
      this.#freeHead = rows[(chunk << Row.SHIFT) + Row.NEXT];
    } else {
      if (this.#highWater > this.chunksMax) return 0;
      chunk = this.#highWater;
      this.#highWater += 1;
    }
    this.chunksFree -= 1;
    rows[(chunk << Row.SHIFT) + Row.NEXT] = 0;
    rows[(chunk << Row.SHIFT) + Row.LENGTH] = 0;
    return chunk;
  }

  /** A slice of a chunk that is cut already, or of another; 0 when there is neither. */
  #takeSlice(): number {
    const slice = this.slices.take();
    if (slice !== 0) return slice;
    const chunk = this.#takeChunk();
    return chunk === 0 ? 0 : this.slices.cut(chunk);
  }

  #give(chunk: number): void {
    if (chunk >= this.#firstSlice) {
      const emptied = this.slices.give(chunk);
      if (emptied !== 0) this.#giveChunk(emptied);
      return;
    }
    this.queued -= 1;
    this.#giveChunk(chunk);
  }

  #giveChunk(chunk: number): void {
    const row = chunk << Row.SHIFT;
    assert(this.#rows[row + Row.LENGTH] !== FREE, 'no chunk is given back twice');
    this.#rows[row + Row.LENGTH] = FREE;
    this.#rows[row + Row.NEXT] = this.#freeHead;
    this.#freeHead = chunk;
    this.chunksFree += 1;
  }

  #giveChain(first: number): void {
    let chunk = first;
    while (chunk !== 0) {
      const next = this.#rows[(chunk << Row.SHIFT) + Row.NEXT];
      this.#give(chunk);
      chunk = next;
    }
  }
}
