import { Layer } from '../../drivers/driver.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { FrameBatch } from '../../stack/net/device.js';

/** Calls back when the stack has looked at frames: for answers that are polled, as echo replies are. */
export class FrameWatch extends Layer {
  #callback: () => void = () => {};

  onFrames(callback: () => void): void {
    this.#callback = callback;
  }

  override processed(batch: FrameBatch, slab: FrameSlab): void {
    super.processed(batch, slab);
    if (batch.count > 0) this.#callback();
  }
}
