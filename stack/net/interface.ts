import { assert } from '../base/assert.js';
import { StackError } from '../base/errors.js';
import type { Address } from '../base/units.js';
import type { FrameSlab } from '../memory/frame-slab.js';
import type { PoolReport } from '../memory/pool-report.js';
import { Ethernet } from '../wire/ethernet.js';
import { Verdict } from '../wire/verdict.js';
import { Vlan } from '../wire/vlan.js';
import { maskOf } from './address.js';
import { FrameBatch, Medium } from './device.js';

/**
 * Frames on their way to the device. A `FrameBatch`, so that the host hands it to `device.transmit` as it is, with
 * `first` as the place to begin; then it calls `sent` with what the device took.
 *
 * The arrays are twice as long as the limit: entries slide to the front only after at least as many pushes as there are
 * entries to move, so a push costs a constant amount however slowly the device drains.
 */
export class TransmitQueue extends FrameBatch {
  /** Entries before this one are the device's already. */
  first = 0;
  /** Of all frames that were ever queued: how many the device has, and how many there were up to the last answer to a stranger. */
  #taken = 0;
  #answersEnd = 0;
  /** Frames that may wait: what was asked for, or the interface's share of the slab's slots where that is less (`shareSlots`). */
  limit: number;
  highWater = 0;

  constructor(
    readonly limitMax: number,
    answersMax: number,
  ) {
    super((limitMax + answersMax) * 2);
    this.limit = limitMax;
  }
  get length(): number {
    return this.count - this.first;
  }
  /** How many frames may still be queued. */
  get room(): number {
    return this.limit - this.count + this.first;
  }
  override get full(): boolean {
    return this.count - this.first >= this.limit;
  }
  /** An answer to a stranger is still on its way to the device. */
  get hasAnswers(): boolean {
    return this.#answersEnd > this.#taken;
  }
  override push(offset: number, length: number): void {
    if (this.count === this.capacity) this.#compact();
    this.offsets[this.count] = offset;
    this.lengths[this.count] = length;
    this.count += 1;
    if (this.length > this.highWater) this.highWater = this.length;
  }
  /** The frame queued last is an answer to a stranger. */
  markAnswer(): void {
    this.#answersEnd = this.#taken + this.length;
  }
  /** The device has accepted the next `frames` frames. */
  sent(frames: number): void {
    this.first += frames;
    this.#taken += frames;
    assert(this.first <= this.count, 'a device accepts no more than it was offered');
    if (this.first === this.count) this.clear();
  }
  override clear(): void {
    this.first = 0;
    this.count = 0;
  }
  #compact(): void {
    this.offsets.copyWithin(0, this.first, this.count);
    this.lengths.copyWithin(0, this.first, this.count);
    this.count -= this.first;
    this.first = 0;
  }
}

/** An address of ours on an interface, with the prefix that is on the link. */
export interface InterfaceAddress {
  readonly address: Address;
  readonly prefixLength: number;
}

export interface InterfaceOptions {
  readonly name: string;
  readonly medium: Medium;
  /** Six bytes; needed when the medium is Ethernet. */
  readonly mac?: Uint8Array;
  /** The largest IP datagram. 1500 by default, as Ethernet has. */
  readonly mtu?: number;
  readonly addresses?: readonly InterfaceAddress[];
  /** 802.1Q VLAN to live in, 1…4094. Without it frames are untagged, and tagged ones only accepted with VLAN 0. */
  readonly vlan?: number;
  /** Frames that may wait for the device. 1024: as Linux's txqueuelen, 1.5 MB and 12 ms at 1 Gbit/s. */
  readonly transmitQueueFrames?: number;
}

/** By interface, as ifTable of the IF-MIB (RFC 2863) has them. */
export interface InterfaceCounters {
  framesReceived: number;
  bytesReceived: number;
  framesSent: number;
  bytesSent: number;
  /** Received and not used: any verdict from `FIRST_DROP` on. */
  dropsReceived: number;
  /** Not queued: the transmit queue was full or the interface down. */
  dropsSent: number;
}

/** Where frames come from and go to: a device as the stack sees it. */
export class Interface {
  readonly name: string;
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** The MAC as `wire/ethernet.ts` holds one. */
  readonly macHi: number;
  readonly macLo: number;
  /** 0: none. */
  readonly vlan: number;
  /** Bytes before the IP header. */
  readonly linkHeaderBytes: number;
  /** The first is the one to speak from when nothing else decides. Changed through `Network.addAddress`. */
  readonly addresses: InterfaceAddress[] = [];
  readonly transmitQueue: TransmitQueue;
  /** A device that lost its carrier: nothing is sent, nothing queued. */
  up = true;
  readonly counters: InterfaceCounters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  /** Answers to strangers that wait for `admitAnswers`, oldest first. */
  readonly #answers: FrameBatch;
  /** How many may: as many as was asked for, or the interface's share. */
  answersLimit: number;
  #answersHighWater = 0;
  #answersRefused = 0;
  readonly #slab: FrameSlab;
  #refused = 0;

  constructor(
    readonly index: number,
    options: InterfaceOptions,
    slab: FrameSlab,
    readonly answersMax: number,
  ) {
    this.name = options.name;
    this.medium = options.medium;
    this.mtu = options.mtu ?? 1500;
    this.mac = Uint8Array.from(options.mac ?? new Uint8Array(6));
    this.vlan = options.vlan ?? 0;
    this.transmitQueue = new TransmitQueue(options.transmitQueueFrames ?? 1024, answersMax);
    this.#answers = new FrameBatch(answersMax);
    this.answersLimit = answersMax;
    this.#slab = slab;
    const mac = new DataView(this.mac.buffer);
    this.macHi = mac.getUint16(0);
    this.macLo = mac.getInt32(2);
    this.linkHeaderBytes =
      this.medium === Medium.IP ? 0 : Ethernet.HEADER_BYTES + (this.vlan === 0 ? 0 : Vlan.HEADER_BYTES);
  }

  /** Queues a whole frame for the device. Takes the slot whatever happens. */
  enqueue(offset: number, length: number): Verdict {
    if (!this.up || this.transmitQueue.full) {
      this.counters.dropsSent += 1;
      if (this.up) this.#refused += 1;
      this.#slab.give(offset);
      return this.up ? Verdict.NO_BUFFER : Verdict.INTERFACE_DOWN;
    }
    this.counters.framesSent += 1;
    this.counters.bytesSent += length;
    this.transmitQueue.push(offset, length);
    return Verdict.OK;
  }

  /** Control path. */
  reports(): readonly PoolReport[] {
    const { length, limit, highWater } = this.transmitQueue;
    return [
      {
        name: `net.transmitQueue.${this.name}`,
        unit: 'frames',
        used: length,
        limit,
        reserve: limit,
        highWater,
        refused: this.#refused,
        evicted: 0,
      },
      {
        name: `net.answerQueue.${this.name}`,
        unit: 'frames',
        used: this.#answers.count,
        limit: this.answersLimit,
        reserve: this.answersLimit,
        highWater: this.#answersHighWater,
        refused: this.#answersRefused,
        evicted: 0,
      },
    ];
  }

  /** How many answers to strangers may still be queued. */
  get answerRoom(): number {
    return this.answersLimit - this.#answers.count;
  }
  /** Answers wait, because those before them are not the device's yet. */
  get hasAnswersWaiting(): boolean {
    return this.#answers.count > 0;
  }

  /**
   * Queues a frame that answers somebody who need not be a peer. It waits apart until `admitAnswers`, and where too many wait it is the
   * newest that is dropped. Takes the slot whatever happens.
   */
  enqueueAnswer(offset: number, length: number): Verdict {
    const answers = this.#answers;
    if (!this.up || this.answerRoom <= 0) {
      this.counters.dropsSent += 1;
      if (this.up) this.#answersRefused += 1;
      this.#slab.give(offset);
      return this.up ? Verdict.ANSWER_QUEUE_FULL : Verdict.INTERFACE_DOWN;
    }
    answers.push(offset, length);
    if (answers.count > this.#answersHighWater) this.#answersHighWater = answers.count;
    return Verdict.OK;
  }

  /**
   * Answers that wait go behind what is in the transmit queue, when none of those admitted before is still in it. So connections wait for one
   * load of answers at most, and answers are sent even where connections always fill the queue.
   */
  admitAnswers(): void {
    const answers = this.#answers;
    const queue = this.transmitQueue;
    if (answers.count === 0 || queue.hasAnswers) return;
    for (let i = 0; i < answers.count; i++) {
      this.counters.framesSent += 1;
      this.counters.bytesSent += answers.lengths[i];
      queue.push(answers.offsets[i], answers.lengths[i]);
    }
    queue.markAnswer();
    answers.clear();
  }

  /** Nobody will take what is queued: the device is gone. */
  discardQueue(): void {
    const queue = this.transmitQueue;
    const answers = this.#answers;
    for (let i = queue.first; i < queue.count; i++) this.#slab.give(queue.offsets[i]);
    for (let i = 0; i < answers.count; i++) this.#slab.give(answers.offsets[i]);
    this.counters.dropsSent += queue.length + answers.count;
    queue.clear();
    answers.clear();
  }

  /** Our address on the same link as `neighbor`; else the first; 0 when there is none. */
  addressFor(neighbor: number): Address {
    for (let i = 0; i < this.addresses.length; i++) {
      const own = this.addresses[i];
      if (((own.address ^ neighbor) & maskOf(own.prefixLength)) === 0) return own.address;
    }
    return this.addresses.length > 0 ? this.addresses[0].address : (0 as Address);
  }

  /** Whether `address` is on this link, by the prefixes of our addresses. */
  onLink(address: number): boolean {
    for (let i = 0; i < this.addresses.length; i++) {
      const own = this.addresses[i];
      if (((own.address ^ address) & maskOf(own.prefixLength)) === 0) return true;
    }
    return false;
  }
}

/**
 * Control path. Interfaces share half of the slots for what connections and programs send, and an eighth for answers to strangers that wait (twice: as many may
 * be in the transmit queue). So one whose device does not drain leaves the others theirs; the rest is for what waits for neighbours and for what comes in. With the
 * default slab two interfaces have the queues they ask for.
 */
export function shareSlots(interfaces: readonly Interface[], slab: FrameSlab): void {
  const frames = Math.max(1, Math.floor(slab.slots / 2 / interfaces.length));
  const answers = Math.max(1, Math.floor(slab.slots / 8 / interfaces.length));
  for (const iface of interfaces) {
    iface.transmitQueue.limit = Math.min(iface.transmitQueue.limitMax, frames);
    iface.answersLimit = Math.min(iface.answersMax, answers);
  }
}

/** Control path. RFC 791 asks 68 bytes of every link; a frame must fit a slot. */
export function checkInterface(options: InterfaceOptions, slab: FrameSlab): void {
  const mtu = options.mtu ?? 1500;
  const mtuMax = Math.min(65535, slab.frameBytesMax - (options.medium === Medium.ETHERNET ? 18 : 0));
  if (!Number.isInteger(mtu) || mtu < 68 || mtu > mtuMax)
    throw new StackError(
      'ERR_OUT_OF_RANGE',
      `the MTU of ${options.name} is 68 to ${mtuMax} with these slots, not ${mtu}`,
    );
  const vlan = options.vlan ?? 0;
  if (!Number.isInteger(vlan) || vlan < 0 || vlan > 4094)
    throw new StackError('ERR_OUT_OF_RANGE', `a VLAN is 1 to 4094, not ${vlan}`);
  if (options.medium === Medium.IP) {
    if (vlan !== 0) throw new StackError('EINVAL', `${options.name} carries no Ethernet frames, so it has no VLAN`);
    return;
  }
  const mac = options.mac;
  if (mac === undefined || mac.length !== 6 || (mac[0] & 1) !== 0 || mac.every((byte) => byte === 0))
    throw new StackError('EINVAL', `${options.name} needs a MAC address of six bytes that is no group's and not zero`);
}
