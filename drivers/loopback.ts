import { StackError } from '../stack/base/errors.js';
import type { Us } from '../stack/base/units.js';
import { copyBytes } from '../stack/memory/copy.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import { type DeviceCounters, type FrameBatch, Medium } from '../stack/net/device.js';
import type { Driver } from './driver.js';
import { hardwareAddressFor } from './mac.js';

export interface WireOptions {
  readonly medium?: Medium;
  /** Default 1500. */
  readonly mtu?: number;
  /** From one end to the other. Default 0: a frame sent is there at once. */
  readonly latencyUs?: number;
  /** Frames under way in one direction before a sender has to wait. Default 1024. */
  readonly queueFrames?: number;
  /** What becomes of a frame for which there is no room: it waits at the sender (default), or it is lost, as in a TAP's queue. */
  readonly whenFull?: 'wait' | 'drop';
  /** Of the two ends. */
  readonly names?: readonly [string, string];
  readonly macs?: readonly [Uint8Array, Uint8Array];
  /** For the MAC addresses. */
  readonly seed?: number;
}

/** Ethernet header and one VLAN tag. */
const LINK_BYTES_MAX = 18;
const MTU_MAX = 65535;

/** One direction of the wire: frames in the order they were sent, each with the time it arrives. */
class Lane {
  readonly #bytes: Uint8Array;
  readonly #lengths: Int32Array;
  readonly #arrivals: Float64Array;
  readonly #slotBytes: number;
  #head = 0;
  count = 0;
  /** The sender was told to wait. */
  blocked = false;

  constructor(
    readonly capacity: number,
    readonly frameBytesMax: number,
    readonly drops: boolean,
  ) {
    this.#slotBytes = (frameBytesMax + 63) & -64;
    // Memory that no frame has reached yet is not resident.
    this.#bytes = new Uint8Array(this.#slotBytes * capacity);
    this.#lengths = new Int32Array(capacity);
    this.#arrivals = new Float64Array(capacity);
  }

  get full(): boolean {
    return this.count === this.capacity;
  }
  push(from: Uint8Array, at: number, length: number, arrival: number): void {
    const i = (this.#head + this.count) % this.capacity;
    copyBytes(from, at, this.#bytes, i * this.#slotBytes, length);
    this.#lengths[i] = length;
    this.#arrivals[i] = arrival;
    this.count += 1;
  }
  /** When the first frame arrives. */
  get arrival(): number {
    return this.count === 0 ? Number.POSITIVE_INFINITY : this.#arrivals[this.#head];
  }
  get length(): number {
    return this.#lengths[this.#head];
  }
  copyFirst(into: Uint8Array, at: number): void {
    copyBytes(this.#bytes, this.#head * this.#slotBytes, into, at, this.#lengths[this.#head]);
  }
  drop(): void {
    this.#head = (this.#head + 1) % this.capacity;
    this.count -= 1;
  }
  clear(): void {
    this.count = 0;
    this.blocked = false;
  }
}

/** One end of a wire. What one end sends the other receives, in order, nothing lost. */
export class LoopbackDevice implements Driver {
  readonly counters: DeviceCounters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  readonly pollFd = -1;
  /** Why this end no longer works: `fail` was called. */
  failure: StackError | null = null;
  #peer: LoopbackDevice | null = null;
  #now = 0;
  #closed = false;
  #wake: (() => void) | null = null;

  constructor(
    readonly name: string,
    readonly medium: Medium,
    readonly mtu: number,
    readonly mac: Uint8Array,
    readonly latencyUs: number,
    private readonly sends: Lane,
    private readonly receives: Lane,
  ) {}

  /** The other end. */
  get peer(): LoopbackDevice {
    return this.#peer as LoopbackDevice;
  }
  join(peer: LoopbackDevice): void {
    this.#peer = peer;
  }

  onWake(callback: (() => void) | null): void {
    this.#wake = callback;
  }

  receive(into: FrameBatch, slab: FrameSlab): number {
    if (this.failure !== null) return 0;
    const lane = this.receives;
    const c = this.counters;
    let appended = 0;
    while (into.count < into.capacity && lane.arrival <= this.#now) {
      const length = lane.length;
      const slot = length <= slab.frameBytesMax ? slab.take() : -1;
      if (slot < 0) {
        lane.drop();
        c.dropsReceived += 1;
        continue;
      }
      const at = slot + slab.headroom;
      lane.copyFirst(slab.bytes, at);
      lane.drop();
      into.push(at, length);
      appended += 1;
      c.framesReceived += 1;
      c.bytesReceived += length;
    }
    if (lane.blocked && !lane.full) {
      lane.blocked = false;
      this.peer.#callWake();
    }
    return appended;
  }

  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    const lane = this.sends;
    const c = this.counters;
    const peer = this.peer;
    const before = lane.count;
    let i = first;
    for (; i < from.count; i++) {
      const at = from.offsets[i];
      const length = from.lengths[i];
      if (
        this.#closed ||
        this.failure !== null ||
        peer.#closed ||
        peer.failure !== null ||
        length > lane.frameBytesMax ||
        (lane.drops && lane.full)
      ) {
        c.dropsSent += 1;
      } else if (lane.full) {
        lane.blocked = true;
        break;
      } else {
        lane.push(slab.bytes, at, length, this.#now + this.latencyUs);
        c.framesSent += 1;
        c.bytesSent += length;
      }
      slab.give(at);
    }
    if (before === 0 && lane.count > 0) peer.#callWake();
    return i - first;
  }

  advance(now: Us): void {
    this.#now = now;
  }

  nextDeadline(): number {
    // A sender that waits can go on when the first frame under way arrives; once it has, the peer's `receive` wakes it.
    const arrival = this.sends.arrival;
    const room = this.sends.blocked && arrival > this.#now ? arrival : Number.POSITIVE_INFINITY;
    return Math.min(this.receives.arrival, room);
  }

  /**
   * This end stops to work, as an interface does that is deleted: for tests of what a program does then. What it had sent still
   * arrives. Nothing the second time.
   */
  fail(error = new StackError('EIO', `${this.name} no longer works: fail() was called. Make another wire`)): void {
    if (this.failure !== null) return;
    this.failure = error;
    this.receives.clear();
    this.#callWake();
    this.peer.#callWake();
  }

  close(_slab: FrameSlab): void {
    if (this.#closed) return;
    this.#closed = true;
    // What we have sent still arrives; what was for us does not.
    this.receives.clear();
    this.#wake = null;
    this.peer.#callWake();
  }

  #callWake(): void {
    if (this.#wake !== null) this.#wake();
  }
}

/** Two devices joined by a wire. Time is what their hosts say it is, so a test may pass an hour in a millisecond. */
export function createWire(options: WireOptions = {}): [LoopbackDevice, LoopbackDevice] {
  const medium = options.medium ?? Medium.ETHERNET;
  const mtu = whole('mtu', options.mtu ?? 1500, 68, MTU_MAX);
  const latencyUs = whole('latencyUs', options.latencyUs ?? 0, 0, 3_600_000_000);
  const queueFrames = whole('queueFrames', options.queueFrames ?? 1024, 1, 65536);
  const [nearName, farName] = options.names ?? ['loopback:a', 'loopback:b'];
  const seed = options.seed ?? 0;
  const macFor = (name: string) => (medium === Medium.IP ? new Uint8Array(6) : hardwareAddressFor(name, seed));
  const [nearMac, farMac] = options.macs ?? [macFor(nearName), macFor(farName)];
  const frameBytesMax = mtu + (medium === Medium.IP ? 0 : LINK_BYTES_MAX);
  const drops = options.whenFull === 'drop';
  const there = new Lane(queueFrames, frameBytesMax, drops);
  const back = new Lane(queueFrames, frameBytesMax, drops);
  const near = new LoopbackDevice(nearName, medium, mtu, nearMac, latencyUs, there, back);
  const far = new LoopbackDevice(farName, medium, mtu, farMac, latencyUs, back, there);
  near.join(far);
  far.join(near);
  return [near, far];
}

function whole(option: string, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new StackError('ERR_OUT_OF_RANGE', `${option} is ${value}: allowed is a whole number from ${min} to ${max}`);
}
