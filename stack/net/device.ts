import type { Us } from '../base/units.js';
import type { FrameSlab } from '../memory/frame-slab.js';

/**
 * What a device must offer, and all that `drivers/` and `stack/` know of each other. A middleware (fault, capture, trace)
 * takes a device and is one.
 *
 * A frame is a slot of the slab: the offset of its first byte and its length. Ownership moves with it: whoever has
 * accepted a frame gives its slot back. On the way in the host gives the slots back after `processed`; on the way out the
 * device does, when it no longer needs the bytes (a ring may keep them for a while).
 */
export const enum Medium {
  /** Frames begin with an Ethernet header. */
  ETHERNET = 0,
  /** Frames begin with an IP header. */
  IP = 1,
}

/** Frames side by side: `offsets[i]`, `lengths[i]`. Reused from turn to turn; nothing is allocated per frame. */
export class FrameBatch {
  readonly offsets: Int32Array;
  readonly lengths: Int32Array;
  count = 0;
  constructor(readonly capacity: number) {
    this.offsets = new Int32Array(capacity);
    this.lengths = new Int32Array(capacity);
  }
  get full(): boolean {
    return this.count === this.capacity;
  }
  push(offset: number, length: number): void {
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.count += 1;
  }
  clear(): void {
    this.count = 0;
  }
}

export interface DeviceCounters {
  framesReceived: number;
  bytesReceived: number;
  framesSent: number;
  bytesSent: number;
  /** Lost on the way in: longer than a slot, or no slot was free. */
  dropsReceived: number;
  /** Lost on the way out: refused by what lies below. */
  dropsSent: number;
}

export interface Device {
  /** As the user named it: `tap:mill0`. */
  readonly name: string;
  readonly medium: Medium;
  /** The largest IP datagram, without the link header. */
  readonly mtu: number;
  /** Six bytes; zeroes where the medium has no addresses. */
  readonly mac: Uint8Array;
  readonly counters: DeviceCounters;
  /** A descriptor that turns readable when frames wait, or -1 where there is none (loopback). */
  readonly pollFd: number;

  /**
   * Takes slots from the slab, fills them with waiting frames and appends them to `into` until it is full or no frame
   * waits. Frames begin `slab.headroom` bytes into their slot. Returns how many were appended.
   */
  receive(into: FrameBatch, slab: FrameSlab): number;
  /**
   * The stack has looked at the frames of the last `receive`: their notes are filled in and the slots are about to be given
   * back. What a capture with comments waits for. Optional.
   */
  processed?(batch: FrameBatch, slab: FrameSlab): void;
  /**
   * Sends `from.offsets[first…]`. Returns how many it accepted, in order; the rest is offered again later. An accepted
   * slot is the device's to give back.
   */
  transmit(from: FrameBatch, first: number, slab: FrameSlab): number;

  /** The time, for devices that hold frames back. Called before `receive`, every turn. */
  advance(now: Us): void;
  /** When the device wants the next `advance` and `receive`; Infinity for never. */
  nextDeadline(): number;
  /** Gives back what it holds. Idempotent. */
  close(slab: FrameSlab): void;
}
