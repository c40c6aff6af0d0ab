import type { PendingCall } from '../../posix/socket-calls.js';
import type { World } from '../../posix/world.js';
import { type Place, ScriptError } from '../language/script-error.js';
import { readDatagram, type SeenDatagram } from '../wire/read.js';

/** Bounds of one script, so that none can keep the machine: far beyond what any script needs. */
export interface Bounds {
  readonly virtualUs: number;
  readonly steps: number;
  readonly packets: number;
}

/** A week: keepalive sleeps two hours, a connection gives up after a quarter of one. */
export const BOUNDS: Bounds = { virtualUs: 7 * 86_400 * 1e6, steps: 500_000, packets: 200_000 };

/** The world's clock and its wire, as a script sees them: time counts from its beginning, and what was sent waits to be looked at. */
export class Clockwork {
  private readonly startUs: number;
  private readonly sent: SeenDatagram[] = [];
  private next = 0;
  private steps = 0;
  private packets = 0;
  /** Called for each datagram as it leaves. */
  onSent: (seen: SeenDatagram) => void = () => {};

  constructor(
    readonly world: World,
    private readonly bounds: Bounds = BOUNDS,
  ) {
    this.startUs = world.nowUs;
  }

  /** Since the script began. */
  get nowUs(): number {
    return this.world.nowUs - this.startUs;
  }

  /** From one of the world's instants. */
  sinceStart(us: number): number {
    return us - this.startUs;
  }

  advanceTo(us: number, place: Place): void {
    if (us > this.bounds.virtualUs) throw new ScriptError(place, 'the script goes on for more than a week');
    // From deadline to deadline, so that a world that never rests is noticed.
    while (this.nowUs < us) {
      const deadlineUs = Math.max(this.world.nextDeadlineUs() - this.startUs, this.nowUs);
      this.step(Math.min(deadlineUs, us), place);
      if (deadlineUs >= us) break;
    }
    if (this.nowUs < us) this.step(us, place);
  }

  deliver(datagram: Uint8Array, place: Place): void {
    this.count(place);
    this.world.deliver(datagram);
    this.collect(place);
  }

  /** The oldest datagram nobody has looked at. */
  get oldest(): SeenDatagram | undefined {
    return this.sent[this.next];
  }

  take(): void {
    this.next += 1;
    // Let go of in pieces: what was looked at is never needed again.
    if (this.next === 1024) {
      this.sent.splice(0, this.next);
      this.next = 0;
    }
  }

  /** All that nobody has looked at. */
  get unseen(): readonly SeenDatagram[] {
    return this.sent.slice(this.next);
  }

  get unseenCount(): number {
    return this.sent.length - this.next;
  }

  /** Time goes on until something was sent that nobody looked at, or until `limitUs`. False when nothing came. */
  awaitSent(limitUs: number, place: Place): boolean {
    return this.goOn(() => this.oldest !== undefined, limitUs, place);
  }

  /** Time goes on until the call is complete, or until `limitUs`. False when it is not. */
  awaitCall(call: PendingCall, place: Place, limitUs = Infinity): boolean {
    return this.goOn(() => call.outcome !== undefined, limitUs, place);
  }

  private goOn(done: () => boolean, limitUs: number, place: Place): boolean {
    this.collect(place);
    while (!done()) {
      const deadlineUs = this.world.nextDeadlineUs() - this.startUs;
      if (!(deadlineUs <= Math.min(limitUs, this.bounds.virtualUs))) return false;
      this.step(Math.max(deadlineUs, this.nowUs), place);
    }
    return true;
  }

  private step(us: number, place: Place): void {
    this.count(place);
    this.world.advance(this.startUs + us);
    this.collect(place);
  }

  private count(place: Place): void {
    this.steps += 1;
    if (this.steps > this.bounds.steps)
      throw new ScriptError(place, `no end in sight after ${this.bounds.steps} steps of the clock`);
  }

  /** Call after everything that may send. */
  collect(place: Place): void {
    for (let each = this.world.takeSent(); each !== undefined; each = this.world.takeSent()) {
      this.packets += 1;
      if (this.packets > this.bounds.packets)
        throw new ScriptError(place, `the stack sent more than ${this.bounds.packets} packets`);
      const seen = readDatagram(each.datagram, each.timeUs - this.startUs);
      this.sent.push(seen);
      this.onSent(seen);
    }
  }
}
