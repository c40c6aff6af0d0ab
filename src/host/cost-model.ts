import type { Driver } from '../../drivers/driver.js';
import type { StackError } from '../../stack/base/errors.js';
import type { Us } from '../../stack/base/units.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import { type Device, type DeviceCounters, FrameBatch, type Medium } from '../../stack/net/device.js';

/**
 * What a host's work costs in a virtual world, in µs of its one CPU. Without a model work takes no time, and no flood can be too much.
 * Bytes cost nothing here: of a small frame the calls are what it costs, and floods are made of small frames.
 */
export interface CostModel {
  /** A turn, however little there is to do: the event loop wakes, asks the device, and sleeps again. */
  readonly turnUs: number;
  /** A look at the device, whatever it finds. */
  readonly lookUs: number;
  /** A frame taken from the device and processed. */
  readonly receivedUs: number;
  /** A frame made and handed to the device. */
  readonly sentUs: number;
}

/**
 * Over a TAP, as `npm run bench -- cost` measured it on two cores of a virtual machine, Node 20.20, kernel 6.18; rounded. The constants
 * are data of tests: what they show must not depend on the machine they run on.
 */
export const TAP_COSTS: CostModel = { turnUs: 16, lookUs: 0.4, receivedUs: 1, sentUs: 1.2 };

/** The CPU of a host: when the work it has begun is done. */
export class Cpu {
  /** Where the work at hand has come to. */
  nowUs: number;
  /** All work so far, µs. */
  busyUs = 0;

  constructor(
    readonly costs: CostModel,
    nowUs: number,
  ) {
    this.nowUs = nowUs;
  }

  /** A turn begins; `atOnce`: right after another, without the event loop in between. */
  begin(now: Us, atOnce: boolean): void {
    this.nowUs = now;
    if (!atOnce) this.spend(this.costs.turnUs);
  }
  spend(us: number): void {
    this.nowUs += us;
    this.busyUs += us;
  }
}

/**
 * A device whose frames cost the host time. What is sent leaves when the work has come to it, and what arrives while the host works
 * is found by the next look at the device, in this turn or the next.
 */
export class CostlyDevice implements Device {
  readonly name: string;
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array;
  readonly counters: DeviceCounters;
  readonly pollFd: number;
  readonly #device: Device;
  readonly #cpu: Cpu;
  readonly #one = new FrameBatch(1);

  constructor(device: Device, cpu: Cpu) {
    this.#device = device;
    this.#cpu = cpu;
    this.name = device.name;
    this.medium = device.medium;
    this.mtu = device.mtu;
    this.mac = device.mac;
    this.counters = device.counters;
    this.pollFd = device.pollFd;
  }

  get failure(): StackError | null {
    return (this.#device as Driver).failure ?? null;
  }

  receive(into: FrameBatch, slab: FrameSlab): number {
    this.#device.advance(this.#now());
    const count = this.#device.receive(into, slab);
    this.#cpu.spend(this.#cpu.costs.lookUs + count * this.#cpu.costs.receivedUs);
    return count;
  }

  processed(batch: FrameBatch, slab: FrameSlab): void {
    this.#device.processed?.(batch, slab);
  }

  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    const one = this.#one;
    for (let i = first; i < from.count; i++) {
      this.#cpu.spend(this.#cpu.costs.sentUs);
      this.#device.advance(this.#now());
      one.clear();
      one.push(from.offsets[i], from.lengths[i]);
      // The call that found no room has cost as much as one that did.
      if (this.#device.transmit(one, 0, slab) === 0) return i - first;
    }
    return from.count - first;
  }

  /** The device's time is the CPU's, which may be ahead of the turn's beginning. */
  advance(now: Us): void {
    this.#device.advance(Math.max(now, this.#now()) as Us);
  }
  nextDeadline(): number {
    return this.#device.nextDeadline();
  }
  close(slab: FrameSlab): void {
    this.#device.close(slab);
  }

  #now(): Us {
    return Math.floor(this.#cpu.nowUs) as Us;
  }
}
