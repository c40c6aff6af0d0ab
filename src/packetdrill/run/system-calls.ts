import { ERRNO, errnoName } from '../../posix/errno.js';
import type { Outcome, PendingCall } from '../../posix/socket-calls.js';
import type { CallEvent } from '../language/ast.js';
import { ScriptError, Unsupported } from '../language/script-error.js';
import { CallRun, type Issued } from './calls/call-run.js';
import { callOf, isKnownElsewhere } from './calls/table.js';
import { Mismatch } from './failure.js';
import type { Stage } from './stage.js';
import { type Due, secondsText } from './timing.js';

interface Waiting {
  readonly event: CallEvent;
  readonly run: CallRun;
  readonly issued: Issued;
  readonly call: PendingCall;
  readonly due: Due;
  readonly returnsUs: number;
}

/** A script's system calls. One may wait while events go on, as packetdrill has one thread for it. */
export class SystemCalls {
  private waiting: Waiting | undefined;

  constructor(private readonly stage: Stage) {}

  run(event: CallEvent, due: Due): void {
    // packetdrill's thread for calls that wait does one at a time, and all others wait for it.
    this.finishWaiting(event);
    const make = callOf(event.name);
    if (make === undefined) {
      if (isKnownElsewhere(event.name)) throw new Unsupported(event.place, `the system call ${event.name}()`);
      throw new ScriptError(event.place, `there is no system call ${event.name}()`);
    }
    this.checkNames(event);
    const run = new CallRun(this.stage, event);
    this.stage.tell(`${secondsText(this.stage.clock.nowUs)} ${callText(event)}`);
    const issued = make(run);
    this.stage.clock.collect(event.place);
    const call = 'outcome' in issued.call ? issued.call : completed(issued.call, this.stage.clock.world.nowUs);
    if (due.returnsUs !== undefined) {
      this.waiting = { event, run, issued, call, due, returnsUs: due.returnsUs };
      this.look();
      return;
    }
    if (!this.stage.clock.awaitCall(call, event.place) || call.outcome === undefined) {
      throw new Mismatch(
        event.place,
        `${event.name}() waits, and nothing will ever wake it`,
        resultText(event),
        'no result',
      );
    }
    finish(run, issued, call.outcome);
  }

  /** Judges the call that waits, when it has returned. */
  look(): void {
    const { waiting } = this;
    if (waiting?.call.outcome === undefined) return;
    this.waiting = undefined;
    const { event, call } = waiting;
    const { timing, clock } = this.stage;
    finish(waiting.run, waiting.issued, waiting.call.outcome as Outcome);
    timing.check(event, `the return of ${event.name}()`, this.returned(waiting), clock.sinceStart(call.completedUs));
  }

  /** `next`: what cannot happen before the call has returned; undefined at the script's end. */
  finishWaiting(next?: CallEvent): void {
    this.look();
    const { waiting } = this;
    if (waiting === undefined) return;
    const { event, returnsUs } = waiting;
    if (!this.stage.clock.awaitCall(waiting.call, event.place, returnsUs + this.returned(waiting).toleranceUs)) {
      const when = next === undefined ? '' : `, and the call in line ${next.place.line} waits for it`;
      throw new Mismatch(
        event.place,
        `${event.name}() has not returned by ${secondsText(returnsUs)} s${when}`,
        resultText(event),
        'no result',
      );
    }
    this.look();
  }

  /** When it is due to return. */
  private returned({ due, returnsUs }: Waiting): Due {
    return {
      fromUs: returnsUs,
      toUs: returnsUs,
      any: false,
      returnsUs: undefined,
      toleranceUs: Math.max(due.toleranceUs, this.stage.timing.tolerance(returnsUs - due.fromUs)),
    };
  }

  /** An error that no kernel has would never be seen. */
  private checkNames({ errno, place }: CallEvent): void {
    if (errno !== undefined && !Object.hasOwn(ERRNO, errno)) throw new ScriptError(place, `there is no error ${errno}`);
  }
}

function completed(outcome: Outcome, nowUs: number): PendingCall {
  return { outcome, completedUs: nowUs, cancel: () => {} };
}

function finish(run: CallRun, issued: Issued, outcome: Outcome): void {
  compareResult(run, outcome);
  issued.finish?.(outcome);
}

function compareResult({ event, stage, place }: CallRun, { result, errno }: Outcome): void {
  if (event.result === undefined) return;
  const value = stage.evaluator.value(event.result);
  const seen = result < 0 ? `-1 ${errnoName(errno)}` : String(result);
  if (value.kind === 'any') return;
  if (value.kind !== 'number') throw new ScriptError(value.place, 'the result of a call is a number');
  // A call that makes a descriptor: its number is the script's own.
  const opens = /^(?:socket|accept4?|epoll_create1?)$/.test(event.name);
  const right = opens && value.value >= 0 ? result >= 0 : result === value.value;
  const wanted = event.errno === undefined ? undefined : ERRNO[event.errno as keyof typeof ERRNO];
  if (right && (wanted === undefined || result >= 0 || wanted === errno)) return;
  throw new Mismatch(place, `the result of ${event.name}()`, resultText(event), seen);
}

function resultText({ source, result, errno }: CallEvent): string {
  if (result === undefined) return '?';
  const text = source.slice(source.lastIndexOf(') = ') + 4).replace(/\s*\([^)]*\)$/, '');
  return errno === undefined || text.includes(errno) ? text : `${text} ${errno}`;
}

/** `listen(3, 1) = 0`: the source without its time. */
function callText({ source }: CallEvent): string {
  return source.replace(/^[+*~.\d\s]+/, '');
}
