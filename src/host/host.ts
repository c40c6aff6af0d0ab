import { type DescriptorPoll, pollReadable } from '../../drivers/descriptor-poll.js';
import { errnoName } from '../../drivers/syscall.js';
import { StackError } from '../../stack/base/errors.js';
import type { Device } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import type { Stack } from '../../stack/stack.js';
import { StackDemultiplexer } from '../reactor/demultiplexer.js';
import { Reactor, type ReactorOptions } from '../reactor/reactor.js';
import { Alarm } from './alarm.js';
import { type HostClock, monotonicClock } from './clock.js';
import { runOutside, setImmediateOutside } from './context.js';
import { anyFailed, failureOf, type OnDeviceFailure, replaceDevice, retire, unheard } from './device-failure.js';
import type { StackHost } from './stack-host.js';
import { type Attachment, type AttachOptions, attachDevice, Turn } from './turn.js';

export interface HostOptions {
  readonly stack: Stack;
  /** Devices with the interfaces they carry. More can be attached while the host is stopped. */
  readonly devices?: readonly Attachment[];
  readonly clock?: HostClock;
  readonly reactor?: ReactorOptions;
  /** See `Host.onDeviceFailure`. */
  readonly onDeviceFailure?: OnDeviceFailure;
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
  /** A device has stopped to work, told once. Without a handler the error is uncaught, which ends the program unless it catches those. */
  onDeviceFailure: OnDeviceFailure;
  readonly #turn: Turn;
  readonly #alarm: Alarm;
  /** The one thing here that keeps the process alive, while it is wanted: polls and deadlines do not. */
  #anchor: NodeJS.Timeout | null = null;
  readonly #polls = new Map<Device, DescriptorPoll>();
  #running = false;
  #turning = false;
  #wakeScheduled = false;
  /** Sockets and servers that keep the process alive. */
  #references = 0;
  /** The host itself does, until `unref`. */
  #own = true;
  readonly #onReadable = (): void => this.#take(true);
  readonly #onCall = (): void => this.#take(false);
  readonly #onDeviceWake = (): void => this.#deviceWoke();
  readonly #onWake = (): void => {
    this.#wakeScheduled = false;
    if (this.#running) this.#take(false);
  };

  constructor(options: HostOptions) {
    this.stack = options.stack;
    this.clock = options.clock ?? monotonicClock;
    this.onDeviceFailure = options.onDeviceFailure ?? unheard;
    this.reactor = new Reactor(new StackDemultiplexer(this.stack), options.reactor);
    this.#turn = new Turn(this.stack, this.reactor, this.clock);
    this.#alarm = new Alarm(this.#onReadable);
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
    return this.#withDevice(device, () => attachDevice(this.#turn, device, options));
  }

  /**
   * Gives an interface whose device has failed another one, and its link is up again: addresses, routes and connections are as they
   * were. Throws EINVAL for a device of another kind, MAC address or smaller MTU; EBUSY while the old one works.
   */
  reattach(iface: Interface, device: Device): void {
    this.#withDevice(device, () => replaceDevice(this.#turn, iface, device));
  }

  /** Begins to take turns. Idempotent. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    try {
      for (const attachment of this.#turn.attachments) this.#listenTo(attachment.device);
    } catch (error) {
      this.#halt();
      throw error;
    }
    this.#applyReference();
    this.turn();
  }

  /**
   * Sends what is queued, takes no more turns, and closes the devices. Connections are not told: a program that wants its
   * peers to know closes them first. Idempotent.
   */
  stop(): void {
    if (!this.#running) return;
    runOutside(this.#onCall);
    this.#halt();
    for (const attachment of this.#turn.attachments) {
      if (wakes(attachment.device)) attachment.device.onWake(null);
      attachment.device.close(this.stack.slab);
    }
  }

  /** Takes one turn now: for hosts driven by hand, and for tests. Nothing when called from within a turn. */
  turn(): void {
    if (!this.#turning) runOutside(this.#onReadable);
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
    setImmediateOutside(this.#onWake);
  }

  dispatch(): void {
    if (this.#running && !this.#turning) runOutside(this.#onCall);
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
      return;
    } finally {
      this.#turning = false;
    }
    if (anyFailed(this.#turn.attachments)) this.#retireFailed();
    if (this.#running) this.#sleep();
    this.#turn.rest();
  }

  #retireFailed(): void {
    for (const attachment of [...this.#turn.attachments]) {
      const error = failureOf(attachment.device);
      if (error !== null) this.#retire(attachment, error);
    }
  }

  #retire(attachment: Attachment, error: StackError): void {
    this.#ignore(attachment.device);
    retire(this.#turn, attachment);
    // On its own, because a callback of koffi's that throws is not heard by anybody; and not within a call of the program's, which
    // may be in the middle of something.
    queueMicrotask(() => this.onDeviceFailure(attachment, error));
  }

  #sleep(): void {
    const turn = this.#turn;
    if (turn.more) {
      this.#alarm.soon();
      return;
    }
    let deadline = turn.deadline();
    const retry = turn.blocked ? this.stack.clock.us + RETRY_US : Infinity;
    if (retry < deadline) deadline = retry;
    // Reading the clock costs more than looking whether the alarm stands well already.
    if (deadline < this.#alarm.at) this.#alarm.set(deadline, this.clock.now());
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
    for (const poll of this.#polls.values()) poll.close();
    this.#polls.clear();
    this.#applyReference();
  }

  /** Listens to a device that `join` makes one of ours; when either fails, neither was done. */
  #withDevice<T>(device: Device, join: () => T): T {
    if (this.#running) this.#listenTo(device);
    try {
      const joined = join();
      this.wake();
      return joined;
    } catch (error) {
      this.#ignore(device);
      throw error;
    }
  }

  #ignore(device: Device): void {
    this.#polls.get(device)?.close();
    this.#polls.delete(device);
    if (wakes(device)) device.onWake(null);
  }

  #listenTo(device: Device): void {
    if (device.pollFd >= 0) {
      const poll = pollReadable(device.pollFd, this.#onReadable, (errno) => this.#pollFailed(device, errno));
      poll.unref();
      this.#polls.set(device, poll);
    } else if (wakes(device)) {
      device.onWake(this.#onDeviceWake);
    }
  }

  /**
   * Nothing will be heard of this descriptor again. The device says why when it is asked for frames. It need not know yet: while the
   * kernel takes an interface away, reading from it still finds that no frame waits.
   */
  #pollFailed(device: Device, errno: number): void {
    this.turn();
    const attachment = this.#turn.attachments.find((one) => one.device === device);
    if (attachment === undefined) return;
    const why = `its descriptor fails (${errnoName(errno)})`;
    this.#retire(
      attachment,
      new StackError('EIO', `${device.name} no longer works: ${why}. Was the interface deleted? Open it again`),
    );
  }

  /**
   * A device without a descriptor has frames. An immediate and not a microtask: two hosts in one process would otherwise
   * answer each other for ever without the event loop in between.
   */
  #deviceWoke(): void {
    if (!this.#running || this.#turning) return;
    const now = this.clock.now();
    this.stack.at(now);
    const deadline = anyFailed(this.#turn.attachments) ? now : this.#turn.deadline();
    this.#turn.rest();
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
