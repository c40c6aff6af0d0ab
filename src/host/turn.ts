import type { Us } from '../../stack/base/units.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import { type Device, FrameBatch } from '../../stack/net/device.js';
import type { Interface, InterfaceAddress } from '../../stack/net/interface.js';
import type { Stack } from '../../stack/stack.js';
import type { Reactor } from '../reactor/reactor.js';
import type { HostClock } from './clock.js';

/** A device and the interface of the stack that it carries the frames of. */
export interface Attachment {
  readonly device: Device;
  readonly iface: Interface;
}

export interface AttachOptions {
  readonly addresses?: readonly InterfaceAddress[];
  /** Default: what the device can carry. */
  readonly mtu?: number;
  readonly vlan?: number;
}

/** Gives the stack an interface for the device, with the device's name, medium, hardware address and MTU. */
export function attachDevice(turn: Turn, device: Device, options: AttachOptions): Interface {
  const iface = turn.stack.net.addInterface({
    name: device.name,
    medium: device.medium,
    mac: device.mac,
    mtu: Math.min(options.mtu ?? device.mtu, device.mtu),
    ...(options.addresses === undefined ? {} : { addresses: options.addresses }),
    ...(options.vlan === undefined ? {} : { vlan: options.vlan }),
  });
  turn.attachments.push({ device, iface });
  return iface;
}

/** Frames taken from a device at once. 64 notes and headers fit the level-1 cache; more gained nothing over a TAP. */
const BATCH_FRAMES = 64;
/**
 * Frames taken from one device in a turn. What they are answered with leaves at its end, so in a flood it is how long an
 * answer waits: at 1 to 2 µs a frame an eighth of a millisecond. A turn is no cheaper a frame with more of them.
 */
const TURN_FRAMES_MAX = 128;
/**
 * Frames taken in turns that follow each other at once: then Node's timers and other sockets get their share. A pass of the event loop is
 * not cheap where sockets make garbage, because V8 goes on with its collections in each; and with rarer ones a flood's echoes wait longer.
 */
const IN_A_ROW_MAX = 256;
/**
 * After a turn that took so many frames the next is taken at once, and again until one finds nothing: in a flood a frame waits for a few
 * others and not for the event loop to come round. With fewer frames the look at the device would cost more than it finds.
 */
const BUSY_FRAMES = 4;
/**
 * A kernel answers some frames while it is given them: our SYN-ACK and our FIN over a TAP. After a turn that sent, one more look at the devices
 * finds such an answer without a pass of the event loop, which costs as much as ten looks. Where peers are farther away the look finds
 * nothing. So an answer found pays for this many looks, and without that only one in so many turns that sent has a look at all.
 */
const ANSWER_CREDIT = 8;
const ANSWER_TRIAL_TURNS = 64;
/**
 * Rows of turns that may begin with a turn that leaves frames in a device, while timers wait for them: 4096 frames, more than a device queues
 * (a TAP 1000), so that whatever had arrived by the first of them is taken in. Then timers expire in spite of a flood.
 */
const UNDRAINED_ROWS_MAX = 16;
/** How often a turn refills a transmit queue that the device emptied at once: 8 × 1024 frames, then the program is heard. */
const FLUSHES_MAX = 8;

/**
 * The turn itself, apart from whoever decides when it is taken: receive, timers, dispatch, flush, transmit. What has arrived
 * counts before what has not: timers come after the frames that waited. Allocates nothing.
 */
export class Turn {
  readonly stack: Stack;
  readonly reactor: Reactor;
  readonly attachments: Attachment[] = [];
  /** The last turn left something to do at once: frames or events beyond the budget. */
  more = false;
  /** The next turn is to be taken at once, before the event loop comes round: frames come fast. */
  again = false;
  /** A device took less than it was offered. */
  blocked = false;
  readonly #slab: FrameSlab;
  readonly #batch = new FrameBatch(BATCH_FRAMES);
  /** Frames taken in turns that followed each other at once. */
  #inARow = 0;
  /** This turn handed frames to a device. */
  #sent = false;
  /** The turn that was asked for looks for answers to the last one. No other follows it at once: ticks and other descriptors wait. */
  #looks = false;
  #answerCredit = 0;
  /** Turns that sent and had no look. */
  #unlooked = 0;
  readonly #clock: HostClock;
  /** This turn left frames in a device. */
  #framesLeft = false;
  /** Rows of turns since timers last expired. */
  #undrained = 0;
  /** When the stack has something to do next, as far as that was asked since the last turn; else it may be at any time. */
  #due = 0;

  constructor(stack: Stack, reactor: Reactor, clock: HostClock) {
    this.stack = stack;
    this.reactor = reactor;
    this.#slab = stack.slab;
    this.#clock = clock;
    this.rest();
  }

  /** All of it. `rest` follows. */
  run(now: Us): void {
    this.stack.at(now);
    this.more = false;
    this.#framesLeft = false;
    this.#sent = false;
    const due = this.#due;
    this.#due = 0;
    // Most turns come for frames, and between two of the stack's deadlines. What these frames have armed is asked next.
    const expires = now >= due && !this.again;
    let taken = 0;
    for (let i = 0; i < this.attachments.length; i++) taken += this.#receive(this.attachments[i], now, expires);
    if (expires) this.#expire(now);
    this.#finish();
    this.#judge(taken);
  }

  /** Is the next turn to follow at once? As long as the turns in a row have a turn's budget left together. */
  #judge(taken: number): void {
    const looked = this.#looks;
    if (looked) this.#answerCredit = taken > 0 ? ANSWER_CREDIT : Math.max(0, this.#answerCredit - 1);
    // A turn that looked for answers says nothing of how fast frames come.
    const busy = taken >= BUSY_FRAMES || (this.again && !looked && taken > 0);
    this.#inARow = busy ? this.#inARow + taken : 0;
    this.again = busy && !this.more && this.#inARow < IN_A_ROW_MAX;
    if (this.again) {
      this.#looks = false;
      return;
    }
    if (busy || this.#framesLeft) this.more = true;
    this.#inARow = 0;
    this.again = this.#sent && !looked && !this.more && !this.blocked && this.#looksForAnswers();
    this.#looks = this.again;
  }

  #looksForAnswers(): boolean {
    if (this.#answerCredit > 0) return true;
    this.#unlooked += 1;
    if (this.#unlooked < ANSWER_TRIAL_TURNS) return false;
    this.#unlooked = 0;
    return true;
  }

  /**
   * Its second half: for what the program has done since, without asking the devices for frames. So timers do not expire:
   * what they wait for may be among those. If one is due, so is a whole turn. `rest` follows.
   */
  send(now: Us): void {
    this.#due = 0;
    this.#at(now);
    this.#finish();
  }

  /** Until the next turn the program may call the stack at any time: that is the time of its calls. */
  rest(): void {
    this.stack.clock.follow(this.#clock);
  }

  /** A device that delays frames must know when they were sent. */
  #at(now: Us): void {
    this.stack.at(now);
    for (let i = 0; i < this.attachments.length; i++) this.attachments[i].device.advance(now);
  }

  /**
   * Where turns follow each other at once only the first looks at timers: to one that waits for "one more turn" it is of no
   * use before the event loop has come round, and with it whoever may answer in this process.
   */
  #expire(now: Us): void {
    if (this.#framesLeft && this.#undrained < UNDRAINED_ROWS_MAX) {
      this.#undrained += 1;
      return;
    }
    this.#undrained = 0;
    this.stack.advance(now);
  }

  #finish(): void {
    if (this.reactor.handleEvents()) this.more = true;
    // Handlers take as long as they like. What is sent is stamped with the time it is sent at, and its timers start then.
    if (this.reactor.handlersRan) this.#at(this.#clock.now());
    for (let i = 0; i < FLUSHES_MAX; i++) {
      this.stack.flush();
      if (this.#transmit()) continue;
      // What a flush delivers to addresses of this stack raises events, too: to be reported in a turn of their own.
      if (this.stack.events.length > 0) this.more = true;
      return;
    }
    this.more = true;
  }

  /** When the next turn is due: µs, `Infinity` when nothing is pending. */
  deadline(): number {
    let deadline = this.stack.nextDeadline();
    this.#due = deadline;
    for (let i = 0; i < this.attachments.length; i++) {
      const due = this.attachments[i].device.nextDeadline();
      if (due < deadline) deadline = due;
    }
    return deadline;
  }

  /**
   * How many frames it took. A short batch says that the device holds no more, and asking again would be one more system
   * call; but a driver may trust that a few frames are all (`TapDevice`). Before timers expire, `toTheLast`, it is asked until
   * it has none: what they wait for may lie behind those few.
   */
  #receive(attachment: Attachment, now: Us, toTheLast: boolean): number {
    const device = attachment.device;
    const iface = attachment.iface.index;
    const batch = this.#batch;
    const slab = this.#slab;
    device.advance(now);
    let taken = 0;
    while (taken < TURN_FRAMES_MAX) {
      const count = device.receive(batch, slab);
      for (let i = 0; i < count; i++) this.stack.receive(iface, batch.offsets[i], batch.lengths[i]);
      if (device.processed !== undefined) device.processed(batch, slab);
      for (let i = 0; i < count; i++) slab.give(batch.offsets[i]);
      batch.clear();
      taken += count;
      if (count === 0 || (count < BATCH_FRAMES && !toTheLast)) return taken;
    }
    this.#framesLeft = true;
    return taken;
  }

  /** True when a queue was full and is empty now: the stack may have more for it. */
  #transmit(): boolean {
    let refill = false;
    this.blocked = false;
    for (let i = 0; i < this.attachments.length; i++) {
      const attachment = this.attachments[i];
      const queue = attachment.iface.transmitQueue;
      if (queue.length === 0) continue;
      const full = queue.full;
      this.#sent = true;
      queue.sent(attachment.device.transmit(queue, queue.first, this.#slab));
      if (queue.length > 0) this.blocked = true;
      // Answers to strangers that had to wait for others before them may follow now.
      else if (full || attachment.iface.hasAnswersWaiting) refill = true;
    }
    return refill;
  }
}
