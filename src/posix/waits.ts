import { assert } from '../../stack/base/assert.js';
import { failed } from './outcome.js';
import type { Outcome, PendingCall } from './socket-calls.js';

/** Whatever a call can wait for: its waiting calls are tried again when something happens to it. */
export interface Waitable {
  readonly waiting: Set<WaitingCall>;
}

/** A call with a second try: `attempt` is made at once and whenever something happened to one of the sockets it waits for. */
export class WaitingCall implements PendingCall {
  outcome: Outcome | undefined;
  completedUs = 0;

  constructor(
    /** Undefined: it has to wait on. */
    readonly attempt: () => Outcome | undefined,
    readonly on: readonly Waitable[],
    /** When it waits no longer; Infinity for never. */
    readonly deadlineUs: number,
    /** What it comes to then. */
    readonly expired: () => Outcome,
    readonly waits: Waits,
  ) {}

  cancel(): void {
    if (this.outcome === undefined) this.waits.complete(this, failed('EINTR'));
  }
}

/** A call that did not have to wait. */
export class DoneCall implements PendingCall {
  constructor(
    readonly outcome: Outcome,
    readonly completedUs: number,
  ) {}
  cancel(): void {}
}

/**
 * The calls that wait. A call is a thread that stands still, so there are few of them, and those with a deadline are looked through from
 * end to end; the sockets are not.
 */
export class Waits {
  readonly #timed = new Set<WaitingCall>();
  /** Those that wait for what no event tells. */
  readonly #watching = new Set<WaitingCall>();

  constructor(readonly nowUs: () => number) {}

  /**
   * Makes the call, and lets it wait for `on` if it must; `timeoutMs` 0 is not at all, Infinity as long as it takes. Without anything to wait on
   * it is tried again after everything that happens.
   */
  call(
    attempt: () => Outcome | undefined,
    on: readonly Waitable[],
    timeoutMs: number,
    expired: () => Outcome,
  ): PendingCall {
    const outcome = attempt();
    if (outcome !== undefined) return new DoneCall(outcome, this.nowUs());
    if (timeoutMs <= 0) return new DoneCall(expired(), this.nowUs());
    const waiting = new WaitingCall(attempt, on, this.nowUs() + timeoutMs * 1000, expired, this);
    for (const socket of on) socket.waiting.add(waiting);
    if (on.length === 0) this.#watching.add(waiting);
    if (waiting.deadlineUs !== Infinity) this.#timed.add(waiting);
    return waiting;
  }

  done(outcome: Outcome): PendingCall {
    return new DoneCall(outcome, this.nowUs());
  }

  /** Something has happened to the socket. */
  retry(socket: Waitable): void {
    for (const call of [...socket.waiting]) this.#try(call);
  }

  /** Something has happened somewhere. */
  retryWatching(): void {
    for (const call of [...this.#watching]) this.#try(call);
  }

  #try(call: WaitingCall): void {
    if (call.outcome !== undefined) return;
    const outcome = call.attempt();
    if (outcome !== undefined) this.complete(call, outcome);
  }

  complete(call: WaitingCall, outcome: Outcome): void {
    assert(call.outcome === undefined, 'a call is completed once');
    call.outcome = outcome;
    call.completedUs = this.nowUs();
    for (const socket of call.on) socket.waiting.delete(call);
    this.#watching.delete(call);
    this.#timed.delete(call);
  }

  /** Infinity when no call has a deadline. */
  nextDeadlineUs(): number {
    let next = Infinity;
    for (const call of this.#timed) next = Math.min(next, call.deadlineUs);
    return next;
  }

  /** Those whose time has come. */
  expire(): void {
    for (const call of [...this.#timed]) {
      if (call.outcome === undefined && call.deadlineUs <= this.nowUs()) this.complete(call, call.expired());
    }
  }
}
