import { Prng } from '../stack/base/prng.js';
import type { Us } from '../stack/base/units.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import { FrameBatch } from '../stack/net/device.js';
import { type Driver, Layer } from './driver.js';
import { type FaultCounters, FaultLane } from './fault-lane.js';
import type { FaultOptions } from './fault-options.js';

/** Frames taken from the device below in one go. */
const BATCH_FRAMES = 64;
/** A device below that takes no more frames does not say when it will: ask again after this long. */
const RETRY_US = 1_000;
/** Apart, so that the two directions draw from streams of their own: what one sees never depends on the other's traffic. */
const OUT_STREAM = 0x6f757400;

/**
 * A bad link in front of a device: it loses, corrupts, duplicates, reorders and delays frames, each direction for itself. The
 * same seed does the same to the same frames.
 */
export class FaultDevice extends Layer {
  readonly #in: FaultLane;
  readonly #out: FaultLane;
  readonly #arrived = new FrameBatch(BATCH_FRAMES);
  /** Frames whose time has come and that the device below has yet to take. */
  readonly #ready = new FrameBatch(BATCH_FRAMES);
  /** The slab that held frames lie in; `advance` is not told. */
  #slab: FrameSlab | null = null;
  #now = 0;
  #closed = false;

  constructor(inner: Driver, options: FaultOptions, seed: number) {
    super(inner);
    this.#in = new FaultLane(options.in, new Prng(seed));
    this.#out = new FaultLane(options.out, new Prng(seed ^ OUT_STREAM));
  }

  /** What was done to frames, by direction as the stack sees it. */
  get faults(): { readonly in: Readonly<FaultCounters>; readonly out: Readonly<FaultCounters> } {
    return { in: this.#in.counters, out: this.#out.counters };
  }

  override receive(into: FrameBatch, slab: FrameSlab): number {
    if (this.#closed) return 0;
    this.#slab = slab;
    const before = into.count;
    const arrived = this.#arrived;
    this.#in.drain(into, this.#now);
    while (into.count < into.capacity) {
      arrived.clear();
      const count = this.inner.receive(arrived, slab);
      for (let i = 0; i < count; i++) {
        this.#in.admit(arrived.offsets[i], arrived.lengths[i], slab, this.#now);
        this.#in.drain(into, this.#now);
      }
      if (count < arrived.capacity) break;
    }
    return into.count - before;
  }

  override transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    if (this.#closed) return this.inner.transmit(from, first, slab);
    this.#slab = slab;
    let i = first;
    for (; i < from.count; i++) {
      // A link without a queue of its own holds nothing back for the device below: what that refuses, we refuse.
      if (!this.#out.shaping && this.#ready.full) {
        this.#sendReady(slab);
        if (this.#ready.full) break;
      }
      this.#out.admit(from.offsets[i], from.lengths[i], slab, this.#now);
      this.#out.drain(this.#ready, this.#now);
    }
    this.#pump(slab);
    return i - first;
  }

  override advance(now: Us): void {
    super.advance(now);
    this.#now = now;
    if (this.#slab === null) return;
    this.#in.advance(this.#slab, now);
    this.#out.advance(this.#slab, now);
    this.#pump(this.#slab);
  }

  override nextDeadline(): number {
    let deadline = Math.min(
      this.inner.nextDeadline(),
      this.#in.nextDue(),
      this.#in.nextRelease(),
      this.#out.nextRelease(),
    );
    // When the device below is stuck, that a frame is due says nothing.
    if (this.#ready.count > 0) deadline = Math.min(deadline, this.#now + RETRY_US);
    else deadline = Math.min(deadline, this.#out.nextDue());
    return deadline;
  }

  override close(slab: FrameSlab): void {
    if (!this.#closed) {
      this.#closed = true;
      this.#in.clear(slab);
      this.#out.clear(slab);
      for (let i = 0; i < this.#ready.count; i++) slab.give(this.#ready.offsets[i]);
      this.#ready.clear();
      this.#slab = null;
    }
    super.close(slab);
  }

  /** Sends every frame whose time has come, as far as the device below takes them. */
  #pump(slab: FrameSlab): void {
    for (;;) {
      this.#out.drain(this.#ready, this.#now);
      if (this.#ready.count === 0) return;
      this.#sendReady(slab);
      if (this.#ready.count > 0) return;
    }
  }

  #sendReady(slab: FrameSlab): void {
    const ready = this.#ready;
    const sent = this.inner.transmit(ready, 0, slab);
    ready.offsets.copyWithin(0, sent, ready.count);
    ready.lengths.copyWithin(0, sent, ready.count);
    ready.count -= sent;
  }
}
