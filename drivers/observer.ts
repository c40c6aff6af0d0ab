import type { Us } from '../stack/base/units.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import type { FrameBatch } from '../stack/net/device.js';
import { Direction } from '../stack/wire/pcapng.js';
import { type Driver, Layer } from './driver.js';

/** Says in words what the stack thought about the frame at `offset`, or nothing. */
export type Describe = (slab: FrameSlab, offset: number) => string | undefined;

/**
 * A middleware that looks at each frame once, and changes none. One that waits for notes sees received frames when the host
 * says that they are processed; one that does not sees them as they come.
 */
export abstract class Observer extends Layer {
  protected now = 0;
  readonly #waitsForNotes: boolean;
  /** Frames seen that the device below has not taken: they come first when it is offered them again. */
  #ahead = 0;

  constructor(inner: Driver, waitsForNotes: boolean) {
    super(inner);
    this.#waitsForNotes = waitsForNotes;
  }

  protected abstract see(direction: Direction, offset: number, length: number, slab: FrameSlab): void;

  override receive(into: FrameBatch, slab: FrameSlab): number {
    const before = into.count;
    const appended = super.receive(into, slab);
    if (!this.#waitsForNotes) {
      for (let i = before; i < into.count; i++) this.see(Direction.INBOUND, into.offsets[i], into.lengths[i], slab);
    }
    return appended;
  }

  override processed(batch: FrameBatch, slab: FrameSlab): void {
    if (this.#waitsForNotes) {
      for (let i = 0; i < batch.count; i++) this.see(Direction.INBOUND, batch.offsets[i], batch.lengths[i], slab);
    }
    super.processed(batch, slab);
  }

  override transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    // Seen before they are handed down: an accepted slot is no longer ours to read.
    for (let i = first + this.#ahead; i < from.count; i++) {
      this.see(Direction.OUTBOUND, from.offsets[i], from.lengths[i], slab);
    }
    const seen = Math.max(this.#ahead, from.count - first);
    const accepted = super.transmit(from, first, slab);
    this.#ahead = seen - accepted;
    return accepted;
  }

  override advance(now: Us): void {
    this.now = now;
    super.advance(now);
  }
}
