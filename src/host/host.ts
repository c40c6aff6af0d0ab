import { type DescriptorPoll, pollReadable } from '../../drivers/syscall.js';
import type { Device } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import type { Stack } from '../../stack/stack.js';
import { StackDemultiplexer } from '../reactor/demultiplexer.js';
import { Reactor, type ReactorOptions } from '../reactor/reactor.js';
import { Alarm } from './alarm.js';
import { type HostClock, monotonicClock } from './clock.js';
import type { StackHost } from './stack-host.js';
import { type Attachment, type AttachOptions, attachDevice, Turn } from './turn.js';

export interface HostOptions {
  readonly stack: Stack;
  /** Devices with the interfaces they carry. More can be attached while the host is stopped. */
  readonly devices?: readonly Attachment[];
  readonly clock?: HostClock;
  readonly reactor?: ReactorOptions;
}

/** Device frames that a queue could not get rid of are offered again after this long: a TAP's reader is a kernel thread away. */
const RETRY_US = 1000;

/** Days: a timer that is there so that Node does not end, and otherwise of no account. */
const ANCHOR_MS = 0x7fffffff;

/**
 * A stack on Node's event loop. It sleeps until a device is readable, the next deadline is due, or the program has sent
 * something; when nothing is going on it costs nothing.
 *
 * Whoever calls the stack outside an event handler says so with `wake()`; everything in `src/` that sends does.
 */
export class Host implements StackHost {
  readonly stack: Stack;
  readonly reactor: Reactor;
  readonly clock: HostClock;
  readonly #turn: Turn;
  readonly #alarm: Alarm;
  /** The one thing here that keeps the process alive, while it is wanted: polls and deadlines do not. */
  #anchor: NodeJS.Timeout | null = null;
  readonly #polls: DescriptorPoll[] = [];
  #running = false;
  #turning = false;
  #wakeScheduled = false;
  /** Sockets and servers that keep the process alive. */
  #references = 0;
  /** The host itself does, until `unref`. */
  #own = true;
  readonly #onReadable = (): void => this.turn();
  readonly #onDeviceWake = (): void => this.#deviceWoke();
  readonly #onWake = (): void => {
    this.#wakeScheduled = false;
    if (this.#running) this.#take(false);
  };

  constructor(options: HostOptions) {
    this.stack = options.stack;
    this.clock = options.clock ?? monotonicClock;
    this.reactor = new Reactor(new StackDemultiplexer(this.stack), options.reactor);
    this.#turn = new Turn(this.stack, this.reactor);
    this.#alarm = new Alarm(() => this.turn());
    for (const attachment of options.devices ?? []) this.#turn.attachments.push(attachment);
  }

  get attachments(): readonly Attachment[] {
    return this.#turn.attachments;
  }
  get running(): boolean {
    return this.#running;
  }

  /** Gives the stack an interface for the device, with the device's name, medium, hardware address and MTU. */
  attach(device: Device, options: AttachOptions = {}): Interface {
    const iface = attachDevice(this.#turn, device, options);
    if (this.#running) this.#listenTo(device);
    return iface;
  }

  /** Begins to take turns. Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    for (const attachment of this.#turn.attachments) this.#listenTo(attachment.device);
    this.#applyReference();
    this.turn();
  }

  /**
   * Sends what is queued, takes no more turns, and closes the devices. Connections are not told: a program that wants its
   * peers to know closes them first. Idempotent.
   */
  stop(): void {
    if (!this.#running) return;
    this.#take(false);
    this.#halt();
    for (const attachment of this.#turn.attachments) {
      if (wakes(attachment.device)) attachment.device.onWake(null);
      attachment.device.close(this.stack.slab);
    }
  }

  /** Takes one turn now: for hosts driven by hand, and for tests. Nothing when called from within a turn. */
  turn(): void {
    this.#take(true);
  }

  /**
   * The program has called the stack: what that made it want to send goes out soon. An immediate, which comes when all the
   * JavaScript of this pass of the event loop has run, promises included: two writes with an `await` between them leave as one
   * segment. Measured against a microtask: the same round trip, half the segments. Within a turn there is nothing to do: the
   * turn ends with sending.
   */
  wake(): void {
    if (this.#turning || this.#wakeScheduled || !this.#running) return;
    this.#wakeScheduled = true;
    setImmediate(this.#onWake);
  }

  /** As Node's servers have it: whether the host keeps the process alive when no socket on it does. */
  ref(): this {
    this.#own = true;
    this.#applyReference();
    return this;
  }
  unref(): this {
    this.#own = false;
    this.#applyReference();
    return this;
  }
  /** A socket wants the process alive (1), or no longer (-1). */
  reference(change: 1 | -1): void {
    const before = this.#references;
    this.#references = before + change;
    if (!this.#own && (before === 0 || this.#references === 0)) this.#applyReference();
  }

  #take(receive: boolean): void {
    if (this.#turning) return;
    this.#turning = true;
    try {
      if (receive) {
        do this.#turn.run(this.clock.now());
        while (this.#turn.again);
      } else this.#turn.send(this.clock.now());
    } catch (error) {
      this.#broken(error);
    } finally {
      this.#turning = false;
    }
    if (this.#running) this.#sleep();
  }

  #sleep(): void {
    const turn = this.#turn;
    if (turn.more) {
      this.#alarm.soon();
      return;
    }
    const now = this.clock.now();
    let deadline = turn.deadline();
    if (turn.blocked && now + RETRY_US < deadline) deadline = now + RETRY_US;
    if (deadline !== Infinity) this.#alarm.set(deadline, now);
  }

  /**
   * An invariant of the stack does not hold. Going on would corrupt: the host stops, and the error surfaces as uncaught. It
   * is thrown on its own because a poll callback that throws is not heard by anybody.
   */
  #broken(error: unknown): void {
    this.#halt();
    queueMicrotask(() => {
      throw error;
    });
  }

  #halt(): void {
    this.#running = false;
    this.#alarm.clear();
    for (const poll of this.#polls) poll.close();
    this.#polls.length = 0;
    this.#applyReference();
  }

  #listenTo(device: Device): void {
    if (device.pollFd >= 0) {
      const poll = pollReadable(device.pollFd, this.#onReadable);
      poll.unref();
      this.#polls.push(poll);
    } else if (wakes(device)) {
      device.onWake(this.#onDeviceWake);
    }
  }

  /**
   * A device without a descriptor has frames. An immediate and not a microtask: two hosts in one process would otherwise
   * answer each other for ever without the event loop in between.
   */
  #deviceWoke(): void {
    if (!this.#running || this.#turning) return;
    const now = this.clock.now();
    const deadline = this.#turn.deadline();
    if (deadline <= now) this.#alarm.soon();
    else this.#alarm.set(deadline, now);
  }

  #applyReference(): void {
    const wanted = this.#running && (this.#own || this.#references > 0);
    if (wanted === (this.#anchor !== null)) return;
    if (this.#anchor === null) {
      this.#anchor = setInterval(() => {}, ANCHOR_MS);
    } else {
      clearInterval(this.#anchor);
      this.#anchor = null;
    }
  }
}

interface Wakes extends Device {
  onWake(callback: (() => void) | null): void;
}
function wakes(device: Device): device is Wakes {
  return 'onWake' in device && typeof device.onWake === 'function';
}
