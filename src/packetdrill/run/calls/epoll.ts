import type { EpollEvent } from '../../../posix/socket-calls.js';
import { type CStruct, type CValue, numberOf } from '../c-values.js';
import { flagText } from '../symbols.js';
import type { CallRun, Issued } from './call-run.js';

/** epoll_create, whose size says nothing, and epoll_create1, whose argument is flags. */
export function epollCreate(run: CallRun): Issued {
  run.takes(1);
  const argument = run.number(0);
  const call = run.calls.epollCreate(run.event.name === 'epoll_create1' ? argument : 0);
  return {
    call,
    finish: (outcome) => {
      if (outcome.result < 0) return;
      const fd = run.event.result === undefined ? outcome.result : run.stage.evaluator.number(run.event.result);
      run.stage.epolls.set(fd, outcome.result);
    },
  };
}

/** `epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0` */
export function epollCtl(run: CallRun): Issued {
  run.takes(4);
  const fd = run.number(2, 'a descriptor');
  const event = run.args[3];
  const struct = event.kind === 'struct' ? event : undefined;
  const events = struct?.fields.get('events');
  const call = run.calls.epollControl(
    epollOf(run),
    run.number(1, 'an operation'),
    run.liveFd(fd),
    events === undefined ? 0 : numberOf(events, 'events'),
    BigInt(struct === undefined ? fd : dataOf(struct)),
  );
  return { call };
}

/** `epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1` */
export function epollWait(run: CallRun): Issued {
  run.takes(4, 6);
  return {
    call: run.calls.epollWait(epollOf(run), run.number(2, 'a number of events'), run.number(3, 'a timeout in ms')),
    finish: (outcome) => compareReady(run, outcome.events ?? []),
  };
}

/** The script's number for it, or for a socket that somebody takes for one. */
function epollOf(run: CallRun): number {
  const fd = run.number(0, 'a descriptor');
  return run.stage.epolls.get(fd) ?? run.liveFd(fd);
}

/** What comes back with the events is the script's own, so `fd=4` is its number and not the world's. */
function dataOf(struct: CStruct): number {
  for (const name of ['fd', 'ptr', 'u32', 'u64']) {
    const value = struct.fields.get(name);
    if (value !== undefined) return numberOf(value, 'a number');
  }
  return 0;
}

function compareReady(run: CallRun, ready: readonly EpollEvent[]): void {
  const [, wanted] = run.args;
  if (wanted.kind === 'any' || ready.length === 0) return;
  const items: readonly CValue[] = wanted.kind === 'list' ? wanted.items : [wanted];
  for (const [i, expected] of items.entries()) {
    const seen = ready[i];
    if (expected.kind !== 'struct' || seen === undefined) continue;
    const events = expected.fields.get('events');
    const mask = events === undefined ? seen.events : numberOf(events, 'events');
    if (mask !== seen.events)
      run.mismatch('events', flagText(mask, 'EPOLL'), flagText(seen.events, 'EPOLL'), expected.place);
    const data = dataOf(expected);
    if (BigInt(data) !== seen.data) run.mismatch('data', String(data), String(seen.data), expected.place);
  }
}
