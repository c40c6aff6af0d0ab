import type { Prng } from '../../stack/base/prng.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { State } from '../../stack/tcp/state.js';
import type { Side } from './world.js';
import { pick } from './world.js';

/** Bytes to send: any stretch of it tells where it belongs. The length is prime, so no power of two hides a shift. */
export const PATTERN = new Uint8Array(65_521);
for (let i = 0, x = 1; i < PATTERN.length; i++) {
  x = Math.imul(x ^ (x >>> 13), 0x9e3779b1) + i;
  PATTERN[i] = x >>> 24;
}

/** How a program ends its half. */
export const enum Ending {
  /** Half-close after the last byte, close after the peer's end: the only one that must lose nothing. */
  SHUTDOWN = 0,
  /** Close after the last byte, whatever still comes. */
  CLOSE = 1,
  /** Abort half-way. */
  ABORT = 2,
}

export interface ProgramPlan {
  readonly sendBytes: number;
  readonly writeMax: number;
  readonly readMax: number;
  /** Longest pause between two calls, µs; 0: acts on events only. */
  readonly pauseUs: number;
  readonly ending: Ending;
}

export function drawProgram(prng: Prng): ProgramPlan {
  return {
    sendBytes: pick(prng, [0, 1, 1000, 30_000, 100_000]) + prng.below(2000),
    writeMax: pick(prng, [1, 100, 1460, 10_000, 200_000]),
    readMax: pick(prng, [100, 1460, 10_000, 200_000]),
    pauseUs: pick(prng, [0, 0, 3000, 50_000, 400_000]),
    ending: pick(prng, [
      Ending.SHUTDOWN,
      Ending.SHUTDOWN,
      Ending.SHUTDOWN,
      Ending.SHUTDOWN,
      Ending.CLOSE,
      Ending.ABORT,
    ]),
  };
}

const INTO = new Uint8Array(200_000);
/** Calls a program makes at one moment; the rest waits for the next. */
const CALLS_MAX = 64;

/** One end of a connection: writes and reads at its own pace, and keeps account. */
export class Program {
  sent = 0;
  received = 0;
  error = '';
  done = false;
  sawEnd = false;
  /** What was wrong with the bytes, if anything. */
  fault = '';
  nextAt = Number.POSITIVE_INFINITY;
  peer: Program | null = null;
  /** The opener's: what both ends know the connection by. */
  readonly port: number;
  #writable = true;
  #shut = false;

  constructor(
    readonly side: Side,
    readonly id: ConnectionId,
    /** Accepted, not opened. */
    readonly serves: boolean,
    readonly plan: ProgramPlan,
    /** Where in the pattern its bytes begin. */
    readonly salt: number,
    readonly prng: Prng,
  ) {
    const { tcp } = side.stack;
    this.port = serves ? tcp.remotePort(id) : tcp.localPort(id);
    side.host.reactor.registerHandler(SocketKind.CONNECTION, id, this, 0xff);
    if (plan.pauseUs > 0) this.#later();
  }

  handleEvent(_handle: number, events: number): void {
    if (this.done) return;
    // A write to a connection that has failed says why; a read may say just that the peer had ended before.
    if ((events & (Event.WRITABLE | Event.CONNECTED | Event.FAILED)) !== 0) this.#writable = true;
    if (this.plan.pauseUs === 0) this.step();
    else if (this.nextAt === Number.POSITIVE_INFINITY) this.#later();
  }

  #later(): void {
    this.nextAt = this.side.stack.clock.us + this.prng.below(this.plan.pauseUs) + 1;
  }

  /** As much as it is in the mood for. */
  step(): void {
    this.nextAt = Number.POSITIVE_INFINITY;
    if (this.done) return;
    const { tcp } = this.side.stack;
    try {
      const state = tcp.state(this.id);
      if (state === State.SYN_SENT || state === State.SYN_RECEIVED) return;
      const calls = this.plan.pauseUs === 0 ? CALLS_MAX : 1 + this.prng.below(4);
      const wrote = this.#write(calls);
      const read = this.#read(calls);
      this.#end();
      // More could be done now: come back, as a program does that shares its thread.
      if (!this.done && (wrote || read)) {
        if (this.plan.pauseUs > 0) this.#later();
        else this.nextAt = this.side.stack.clock.us + 1;
      }
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (typeof code !== 'string') throw error;
      // Rows may come free; a connection that gave way to others for memory is gone.
      if (code === 'ENOBUFS' && tcp.state(this.id) !== State.CLOSED) {
        this.nextAt = this.side.stack.clock.us + 50_000;
        return;
      }
      this.error = code;
      this.#finish();
    }
    this.side.host.wake();
  }

  /** True when there was more to write and it was taken. */
  #write(calls: number): boolean {
    const { tcp } = this.side.stack;
    for (let i = 0; i < calls && this.#writable && this.sent < this.plan.sendBytes; i++) {
      const at = (this.sent + this.salt) % PATTERN.length;
      const wanted = Math.min(
        1 + this.prng.below(this.plan.writeMax),
        this.plan.sendBytes - this.sent,
        PATTERN.length - at,
      );
      const taken = tcp.send(this.id, PATTERN, at, at + wanted);
      this.sent += taken;
      if (taken < wanted) this.#writable = false;
    }
    if (this.sent === this.plan.sendBytes && !this.#shut && this.plan.ending === Ending.SHUTDOWN) {
      this.#shut = true;
      tcp.shutdown(this.id);
    }
    return this.#writable && this.sent < this.plan.sendBytes;
  }

  /** True when more may wait. */
  #read(calls: number): boolean {
    const { tcp } = this.side.stack;
    for (let i = 0; i < calls; i++) {
      const n = tcp.receive(this.id, INTO, 0, 1 + this.prng.below(this.plan.readMax));
      if (n < 0) this.sawEnd = true;
      if (n <= 0) return false;
      this.#check(n);
    }
    return true;
  }

  #check(n: number): void {
    const salt = this.peer === null ? 0 : this.peer.salt;
    for (let i = 0; i < n; i++) {
      if (INTO[i] !== PATTERN[(this.received + i + salt) % PATTERN.length]) {
        this.fault = `byte ${this.received + i} is wrong`;
        break;
      }
    }
    this.received += n;
  }

  #end(): void {
    const { tcp } = this.side.stack;
    switch (this.plan.ending) {
      case Ending.SHUTDOWN:
        if (this.sawEnd && this.#shut) {
          tcp.close(this.id);
          this.done = true;
        }
        break;
      case Ending.CLOSE:
        if (this.sent === this.plan.sendBytes) {
          tcp.close(this.id);
          this.done = true;
        }
        break;
      case Ending.ABORT:
        if (this.sent * 2 >= this.plan.sendBytes) {
          tcp.abort(this.id);
          this.done = true;
        }
        break;
    }
  }

  #finish(): void {
    this.side.stack.tcp.close(this.id);
    this.done = true;
  }
}
