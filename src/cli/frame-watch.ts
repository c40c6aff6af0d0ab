import { Layer } from '../../drivers/driver.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { FrameBatch } from '../../stack/net/device.js';

/**
 * Calls back when the stack has looked at frames, for answers that are polled, as echo replies are; and when the device is used at
 * all, so that whoever looks after it may sleep while it is not.
 */
export class FrameWatch extends Layer {
  #callback: () => void = () => {};
  #onUse: () => void = () => {};

  onFrames(callback: () => void): void {
    this.#callback = callback;
  }

  onUse(callback: () => void): void {
    this.#onUse = callback;
  }

  override receive(into: FrameBatch, slab: FrameSlab): number {
    this.#onUse();
    return super.receive(into, slab);
  }
  override transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    this.#onUse();
    return super.transmit(from, first, slab);
  }
  override processed(batch: FrameBatch, slab: FrameSlab): void {
    super.processed(batch, slab);
    if (batch.count > 0) this.#callback();
  }
}
