import type { Prng } from '../stack/base/prng.js';
import { copyBytes } from '../stack/memory/copy.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import type { FrameBatch } from '../stack/net/device.js';
import type { LaneFaults } from './fault-options.js';

export interface FaultCounters {
  /** Frames that came to be treated. */
  frames: number;
  lost: number;
  burstLost: number;
  corrupted: number;
  duplicated: number;
  reordered: number;
  /** Dropped because `limit` frames were held already. */
  overLimit: number;
}

/**
 * A reordered frame lets one to this many later ones pass. Three is what RFC 5681 takes for loss, so both sides of that
 * threshold are met.
 */
const PASSED_MAX = 4;
/** When nothing comes that could pass it, a frame is held no longer than this: less than any retransmission timeout. */
const HELD_US_MAX = 5_000;
/** Frames held for reordering at a time; more would only be a delay. */
const HELD_MAX = 16;
/**
 * Without rate and delay a frame leaves as soon as it came, and the queue only takes up what one batch of 64 becomes when each
 * is duplicated and the receiver takes none.
 */
const UNSHAPED_FRAMES = 256;

/**
 * One direction of a bad link. A frame meets, in this order: loss, corruption, duplication, reordering; then the queue, where
 * the rate and the delay decide when it leaves. The queue keeps order, so that jitter is jitter and only `reorder` reorders.
 * Frames stay in their slots: what is held is held in the slab.
 */
export class FaultLane {
  readonly counters: FaultCounters = {
    frames: 0,
    lost: 0,
    burstLost: 0,
    corrupted: 0,
    duplicated: 0,
    reordered: 0,
    overLimit: 0,
  };
  /** Whether frames are held for their time, so that the queue is a router's and drops what is too much. */
  readonly shaping: boolean;

  readonly #faults: Readonly<LaneFaults>;
  readonly #prng: Prng;
  #inBurst = false;
  /** When the line has sent everything queued. */
  #lineFree = 0;

  readonly #capacity: number;
  readonly #offsets: Int32Array;
  readonly #lengths: Int32Array;
  readonly #due: Float64Array;
  #head = 0;
  #count = 0;

  readonly #heldOffsets = new Int32Array(HELD_MAX);
  readonly #heldLengths = new Int32Array(HELD_MAX);
  readonly #heldPasses = new Int32Array(HELD_MAX);
  readonly #heldUntil = new Float64Array(HELD_MAX);
  #held = 0;

  constructor(faults: Readonly<LaneFaults>, prng: Prng) {
    this.#faults = faults;
    this.#prng = prng;
    this.shaping = faults.delayUs > 0 || faults.rateBits !== Number.POSITIVE_INFINITY;
    this.#capacity = this.shaping ? faults.limit : UNSHAPED_FRAMES;
    this.#offsets = new Int32Array(this.#capacity);
    this.#lengths = new Int32Array(this.#capacity);
    this.#due = new Float64Array(this.#capacity);
  }

  /** Frames in the queue and held back. */
  get count(): number {
    return this.#count + this.#held;
  }

  /** Takes a frame, whatever becomes of it. */
  admit(offset: number, length: number, slab: FrameSlab, now: number): void {
    const f = this.#faults;
    const c = this.counters;
    c.frames += 1;
    if (this.#lose()) {
      slab.give(offset);
      return;
    }
    if (f.corrupt > 0 && length > 0 && this.#prng.fraction() < f.corrupt) {
      // One bit: every checksum finds it, so that what is delivered in spite of it must still be right.
      const bit = this.#prng.below(length * 8);
      slab.bytes[offset + (bit >>> 3)] ^= 1 << (bit & 7);
      c.corrupted += 1;
    }
    const copy = f.duplicate > 0 && this.#prng.fraction() < f.duplicate ? duplicateOf(offset, length, slab) : -1;
    if (f.reorder > 0 && this.#prng.fraction() < f.reorder && this.#held < HELD_MAX) {
      this.#hold(offset, length, now);
    } else {
      this.#enqueue(offset, length, slab, now);
      this.#passHeld(slab, now);
    }
    if (copy >= 0) {
      c.duplicated += 1;
      this.#enqueue(copy, length, slab, now);
    }
  }

  /** Lets go of frames held back for too long. */
  advance(slab: FrameSlab, now: number): void {
    for (let i = 0; i < this.#held; ) {
      if (this.#heldUntil[i] <= now) this.#release(i, slab, now);
      else i += 1;
    }
  }

  /** Moves frames whose time has come to `into`, until it is full. */
  drain(into: FrameBatch, now: number): void {
    while (this.#count > 0 && into.count < into.capacity && this.#due[this.#head] <= now) {
      into.push(this.#offsets[this.#head], this.#lengths[this.#head]);
      this.#head = this.#head + 1 === this.#capacity ? 0 : this.#head + 1;
      this.#count -= 1;
    }
  }

  /** When the next frame leaves the queue. */
  nextDue(): number {
    return this.#count === 0 ? Number.POSITIVE_INFINITY : this.#due[this.#head];
  }
  /** When `advance` has something to do. */
  nextRelease(): number {
    let first = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.#held; i++) if (this.#heldUntil[i] < first) first = this.#heldUntil[i];
    return first;
  }

  /** Gives back everything. */
  clear(slab: FrameSlab): void {
    for (let i = 0; i < this.#count; i++) slab.give(this.#offsets[(this.#head + i) % this.#capacity]);
    for (let i = 0; i < this.#held; i++) slab.give(this.#heldOffsets[i]);
    this.#count = 0;
    this.#held = 0;
  }

  #lose(): boolean {
    const f = this.#faults;
    if (f.loss > 0 && this.#prng.fraction() < f.loss) {
      this.counters.lost += 1;
      return true;
    }
    if (f.burstStart === 0) return false;
    if (!this.#inBurst && this.#prng.fraction() >= f.burstStart) return false;
    // Leaving with chance 1/n after each frame makes a burst n frames long on average.
    this.#inBurst = this.#prng.fraction() >= 1 / f.burstFrames;
    if (f.burstLoss < 1 && this.#prng.fraction() >= f.burstLoss) return false;
    this.counters.burstLost += 1;
    return true;
  }

  #hold(offset: number, length: number, now: number): void {
    const i = this.#held;
    this.#heldOffsets[i] = offset;
    this.#heldLengths[i] = length;
    this.#heldPasses[i] = 1 + this.#prng.below(PASSED_MAX);
    this.#heldUntil[i] = now + HELD_US_MAX;
    this.#held += 1;
  }

  /** A frame has gone ahead of those held back. */
  #passHeld(slab: FrameSlab, now: number): void {
    for (let i = 0; i < this.#held; ) {
      this.#heldPasses[i] -= 1;
      if (this.#heldPasses[i] === 0) {
        this.counters.reordered += 1;
        this.#release(i, slab, now);
      } else {
        i += 1;
      }
    }
  }

  #release(i: number, slab: FrameSlab, now: number): void {
    const offset = this.#heldOffsets[i];
    const length = this.#heldLengths[i];
    this.#held -= 1;
    this.#heldOffsets.copyWithin(i, i + 1, this.#held + 1);
    this.#heldLengths.copyWithin(i, i + 1, this.#held + 1);
    this.#heldPasses.copyWithin(i, i + 1, this.#held + 1);
    this.#heldUntil.copyWithin(i, i + 1, this.#held + 1);
    this.#enqueue(offset, length, slab, now);
  }

  #enqueue(offset: number, length: number, slab: FrameSlab, now: number): void {
    const f = this.#faults;
    if (this.#count === this.#capacity) {
      this.counters.overLimit += 1;
      slab.give(offset);
      return;
    }
    let due = now;
    if (f.rateBits !== Number.POSITIVE_INFINITY) {
      this.#lineFree = Math.max(now, this.#lineFree) + (length * 8e6) / f.rateBits;
      due = this.#lineFree;
    }
    due += f.delayUs;
    if (f.jitterUs > 0) due += (this.#prng.fraction() * 2 - 1) * f.jitterUs;
    const i = (this.#head + this.#count) % this.#capacity;
    this.#offsets[i] = offset;
    this.#lengths[i] = length;
    // The clock has whole microseconds: rounded up, the deadline is never early. One that lies before that of the frame in
    // front is as good as equal, as nothing leaves out of order.
    this.#due[i] = Math.ceil(due);
    this.#count += 1;
  }
}

/** A copy in a slot of its own, with its note; -1 when there is no slot for it. */
function duplicateOf(offset: number, length: number, slab: FrameSlab): number {
  const slot = slab.take();
  if (slot < 0) return -1;
  const at = slot + (offset - slab.slotOf(offset));
  copyBytes(slab.bytes, offset, slab.bytes, at, length);
  if (slab.notes !== null) {
    const row = slab.noteRow(offset);
    slab.notes.copyWithin(slab.noteRow(at), row, row + slab.noteInts);
  }
  return at;
}
