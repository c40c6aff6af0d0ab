import type { Us } from '../../stack/base/units.js';
import type { Device } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import type { Stack } from '../../stack/stack.js';
import { StackDemultiplexer } from '../reactor/demultiplexer.js';
import { Reactor, type ReactorOptions } from '../reactor/reactor.js';
import { VirtualClock } from './clock.js';
import { CostlyDevice, type CostModel, Cpu } from './cost-model.js';
import { anyFailed, failureOf, type OnDeviceFailure, replaceDevice, retire, unheard } from './device-failure.js';
import type { StackHost } from './stack-host.js';
import { type Attachment, type AttachOptions, attachDevice, Turn } from './turn.js';

/** Turns at one moment before the world is taken to be caught in a loop: a million frames there and back in no time. */
const ROUNDS_MAX = 1_000_000;

/** Empty passes of the event loop after which programs with promises and streams are taken to have nothing more to do now. */
const QUIET_PASSES = 4;

/** A stack in a virtual world. */
export class VirtualHost implements StackHost {
  readonly reactor: Reactor;
  readonly turns: Turn;
  /** Something is to be done at the present moment. */
  dirty = true;
  /** A device has stopped to work, told once. Without a handler the error comes out of the call that lets time pass. */
  onDeviceFailure: OnDeviceFailure = unheard;

  /** When its work costs time. */
  readonly cpu: Cpu | null;

  constructor(
    readonly name: string,
    readonly stack: Stack,
    options: ReactorOptions,
    clock: VirtualClock,
    cpu: Cpu | null = null,
  ) {
    this.cpu = cpu;
    this.reactor = new Reactor(new StackDemultiplexer(stack), options);
    this.turns = new Turn(stack, this.reactor, clock);
  }
  attach(device: Device, options: AttachOptions = {}): Interface {
    return attachDevice(this.turns, this.cpu === null ? device : new CostlyDevice(device, this.cpu), options);
  }
  /** As `Host.reattach`. */
  reattach(iface: Interface, device: Device): void {
    replaceDevice(this.turns, iface, device);
    this.dirty = true;
  }
  get attachments(): readonly Attachment[] {
    return this.turns.attachments;
  }
  /** Takes devices that failed out of the turns, and reports each. */
  lookAtDevices(): void {
    if (!anyFailed(this.attachments)) return;
    for (const attachment of [...this.attachments]) {
      const error = failureOf(attachment.device);
      if (error === null) continue;
      retire(this.turns, attachment);
      this.dirty = true;
      this.onDeviceFailure(attachment, error);
    }
  }
  wake(): void {
    this.dirty = true;
  }
  /** The world takes the turns. */
  dispatch(): void {
    this.dirty = true;
  }
  /** It works until then; nothing is begun before. */
  get busyUntilUs(): number {
    return this.cpu === null ? 0 : Math.ceil(this.cpu.nowUs);
  }
  /** Virtual time keeps no process alive. */
  reference(): void {}
}

/**
 * Stacks joined by wires, in a time that jumps from deadline to deadline: an hour of retransmissions passes in a millisecond,
 * and the same seeds give the same frames at the same microseconds every time. Stacks take their turns in the order they
 * were added.
 */
export class VirtualWorld {
  readonly clock: VirtualClock;
  readonly hosts: VirtualHost[] = [];

  constructor(startUs = 0) {
    this.clock = new VirtualClock(startUs);
  }
  get now(): Us {
    return this.clock.now();
  }

  /** With `costs` the host's work takes time: frames that arrive meanwhile wait, and timers are late. */
  add(name: string, stack: Stack, options: ReactorOptions = {}, costs?: CostModel): VirtualHost {
    const cpu = costs === undefined ? null : new Cpu(costs, this.now);
    const host = new VirtualHost(name, stack, options, this.clock, cpu);
    this.hosts.push(host);
    return host;
  }

  /** When something is next to be done; `Infinity` when nothing ever is. */
  deadline(): number {
    let deadline = Infinity;
    for (const host of this.hosts) {
      const due = host.dirty ? this.now : host.turns.deadline();
      deadline = Math.min(deadline, Math.max(due, host.busyUntilUs));
    }
    return deadline;
  }

  /** Lets each stack that has something to do at the present moment take one turn. True when one had. */
  round(): boolean {
    let turned = false;
    for (const host of this.hosts) {
      host.lookAtDevices();
      if (host.busyUntilUs > this.now || (!host.dirty && host.turns.deadline() > this.now)) continue;
      host.dirty = false;
      host.cpu?.begin(this.now, host.turns.again);
      host.turns.run(this.now);
      host.turns.rest();
      if (host.turns.more || host.turns.again) host.dirty = true;
      turned = true;
    }
    return turned;
  }

  /** Rounds until nothing is left to do at the present moment, or the condition holds. */
  settle(condition?: () => boolean): boolean {
    for (let round = 0; round < ROUNDS_MAX; round++) {
      if (!this.round()) return condition?.() === true;
      if (condition?.() === true) return true;
    }
    throw new Error(
      `millrace: the stacks do not come to rest at ${this.now} µs: over a wire without latency two of them answer each other without end`,
    );
  }

  /** Runs until the condition holds, nothing is pending, or the time has come; in the last case the clock stands there. */
  runUntil(untilUs: number, condition?: () => boolean): boolean {
    for (;;) {
      if (this.settle(condition)) return true;
      const next = this.deadline();
      if (next > untilUs || next === Infinity) {
        if (untilUs !== Infinity) this.clock.set(untilUs);
        return false;
      }
      this.clock.set(next);
    }
  }
  runFor(us: number): void {
    this.runUntil(this.now + us);
  }

  /**
   * The same for programs that use promises and streams: between two moments of virtual time Node's event loop runs until
   * they have nothing more to say. Resolves when `condition` holds; rejects when the time has come and it does not.
   */
  async runProgram(condition: () => boolean, limitUs = 3_600_000_000): Promise<void> {
    const until = this.now + limitUs;
    for (;;) {
      for (let quiet = 0; quiet < QUIET_PASSES; quiet++) {
        while (this.round()) quiet = 0;
        if (condition()) return;
        await new Promise<void>((resolve) => setImmediate(resolve));
      }
      const next = this.deadline();
      if (next > until)
        throw new Error(`millrace: ${limitUs} µs of virtual time have passed and the condition does not hold`);
      this.clock.set(next);
    }
  }
}
