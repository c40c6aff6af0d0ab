import { assert } from '../base/assert.js';
import type { PoolReport } from './pool-report.js';
import { RowPool } from './row-pool.js';

/** Room before a frame for headers put in front of it: Ethernet, one VLAN tag, IPv6 with an extension, TCP with options. */
export const HEADROOM_BYTES = 128;

/**
 * Slots that only what is received may take: one batch of a device (`BATCH_FRAMES` of the host's turn), or an eighth of a small slab. Without
 * them queues that do not drain could hold every slot, and the ACKs and ARP replies that would drain them could not come in.
 */
const RECEIVE_RESERVE = 64;

export interface FrameSlabOptions {
  /** A power of two; it bounds the frame to `slotBytes - headroom`. 2048 carries an MTU of 1500 with room for every header. */
  readonly slotBytes?: number;
  /** Slots in all. 4096 of 2 KiB are 8 MiB: a receive batch, a full transmit ring and every neighbour queue together. */
  readonly slots?: number;
  /** Memory to use instead of our own: a shared or mapped region. */
  readonly memory?: ArrayBufferLike;
  /** Ints of note for each slot; 0, the default, means no notes and no cost. */
  readonly noteInts?: number;
}

/**
 * Frame slots in one block of memory. A slot is named by the offset of its first byte; any offset inside it finds it again
 * by masking. Free slots are a stack, so the slot used next is the one most likely still in the cache.
 */
export class FrameSlab {
  readonly slotBytes: number;
  readonly slots: number;
  readonly headroom = HEADROOM_BYTES;
  readonly bytes: Uint8Array;
  readonly view: DataView;
  /** `noteInts` ints for each slot, or null when nobody asked for notes. */
  notes: Int32Array | null;
  readonly noteInts: number;
  /** Slots kept for frames that come in. */
  readonly receiveReserve: number;
  readonly #pool: RowPool;
  readonly #shift: number;
  #refused = 0;

  constructor(options: FrameSlabOptions = {}) {
    this.slotBytes = options.slotBytes ?? 2048;
    this.slots = options.slots ?? 4096;
    assert(
      (this.slotBytes & (this.slotBytes - 1)) === 0 && this.slotBytes >= 512,
      'slotBytes is a power of two, at least 512',
    );
    assert(this.slotBytes * this.slots <= 0x7fffffff, 'offsets in the slab fit an int32');
    const memory = options.memory ?? new ArrayBuffer(this.slotBytes * this.slots);
    assert(memory.byteLength >= this.slotBytes * this.slots, 'the memory given holds every slot');
    this.bytes = new Uint8Array(memory, 0, this.slotBytes * this.slots);
    this.view = new DataView(memory, 0, this.slotBytes * this.slots);
    this.noteInts = options.noteInts ?? 0;
    this.notes = this.noteInts > 0 ? new Int32Array(this.noteInts * this.slots) : null;
    this.#shift = 31 - Math.clz32(this.slotBytes);
    this.#pool = new RowPool(this.slots);
    this.receiveReserve = Math.min(RECEIVE_RESERVE, this.slots >>> 3);
  }

  /** The offset of a free slot's first byte, or -1 when all are taken. Its note, if any, is cleared. */
  take(): number {
    const index = this.#pool.take();
    if (index < 0) {
      this.#refused += 1;
      return -1;
    }
    if (this.notes !== null) {
      const row = index * this.noteInts;
      for (let i = 0; i < this.noteInts; i++) this.notes[row + i] = 0;
    }
    return index << this.#shift;
  }

  /** The same for a frame that is to be sent and may wait in a queue: not out of the slots kept for receiving. */
  takeToSend(): number {
    if (this.freeToSend > 0) return this.take();
    this.#refused += 1;
    return -1;
  }

  /** Gives back the slot that `offset` lies in. */
  give(offset: number): void {
    this.#pool.give(offset >> this.#shift);
  }

  get freeCount(): number {
    return this.slots - this.#pool.used;
  }
  /** Slots that `takeToSend` may take; below 1 when there are none. */
  get freeToSend(): number {
    return this.slots - this.#pool.used - this.receiveReserve;
  }
  /** Control path. */
  report(): PoolReport {
    return {
      name: 'net.frames',
      unit: 'frames',
      used: this.#pool.used,
      limit: this.slots,
      reserve: this.receiveReserve,
      highWater: this.#pool.highWater,
      refused: this.#refused,
      evicted: 0,
    };
  }
  /** The first byte of the slot that `offset` lies in. */
  slotOf(offset: number): number {
    return offset & -this.slotBytes;
  }
  /** Bytes from `offset` to the end of its slot. */
  roomFrom(offset: number): number {
    return this.slotBytes - (offset & (this.slotBytes - 1));
  }
  /** The longest frame a slot holds behind the headroom. */
  get frameBytesMax(): number {
    return this.slotBytes - this.headroom;
  }
  /** Where the note of the slot that `offset` lies in begins in `notes`. */
  noteRow(offset: number): number {
    return (offset >>> this.#shift) * this.noteInts;
  }
}
