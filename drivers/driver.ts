import type { StackError } from '../stack/base/errors.js';
import type { Us } from '../stack/base/units.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import type { Device, DeviceCounters, FrameBatch, Medium } from '../stack/net/device.js';

/** A device, and what a host may want of it that the stack does not. All of it is optional, so every `Device` is one. */
export interface Driver extends Device {
  /** For devices without a descriptor: called when frames wait, or when there is room again after a short `transmit`. */
  onWake?(callback: (() => void) | null): void;
  /** Writes out what is buffered. The host calls it now and then, and `close` does. */
  flush?(): void;
  /**
   * Why the device no longer works, or null. Set once, and kept after `close`. A device that has failed receives nothing, and accepts,
   * drops and counts what it is to send. One without a descriptor calls `onWake`'s callback when it fails.
   */
  readonly failure?: StackError | null;
}

/** A middleware that changes nothing. The real ones override what they are about. */
export class Layer implements Driver {
  constructor(readonly inner: Driver) {}

  get name(): string {
    return this.inner.name;
  }
  get medium(): Medium {
    return this.inner.medium;
  }
  get mtu(): number {
    return this.inner.mtu;
  }
  get mac(): Uint8Array {
    return this.inner.mac;
  }
  get counters(): DeviceCounters {
    return this.inner.counters;
  }
  get pollFd(): number {
    return this.inner.pollFd;
  }
  get failure(): StackError | null {
    return this.inner.failure ?? null;
  }
  receive(into: FrameBatch, slab: FrameSlab): number {
    return this.inner.receive(into, slab);
  }
  processed(batch: FrameBatch, slab: FrameSlab): void {
    this.inner.processed?.(batch, slab);
  }
  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    return this.inner.transmit(from, first, slab);
  }
  advance(now: Us): void {
    this.inner.advance(now);
  }
  nextDeadline(): number {
    return this.inner.nextDeadline();
  }
  onWake(callback: (() => void) | null): void {
    this.inner.onWake?.(callback);
  }
  flush(): void {
    this.inner.flush?.();
  }
  close(slab: FrameSlab): void {
    this.inner.close(slab);
  }
}
