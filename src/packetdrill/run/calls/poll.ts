import type { PollFd } from '../../../posix/socket-calls.js';
import { ScriptError } from '../../language/script-error.js';
import { type CStruct, numberOf } from '../c-values.js';
import { flagText } from '../symbols.js';
import type { CallRun, Issued } from './call-run.js';

/** As many as the kernel's default limit of open files. */
const POLLED_MAX = 1024;

/** `poll([{fd=4, events=POLLIN, revents=POLLIN}], 1, 0) = 1` */
export function poll(run: CallRun): Issued {
  run.takes(3);
  const [list] = run.args;
  if (list.kind !== 'list' || list.items.length > POLLED_MAX)
    throw new ScriptError(list.place, 'expected a list of pollfds: [{fd=4, events=POLLIN}]');
  const count = run.number(1, 'a number of pollfds');
  if (count !== list.items.length)
    throw new ScriptError(list.place, `the call says ${count} pollfds, here are ${list.items.length}`);
  const wanted = list.items.map((item) => {
    if (item.kind === 'struct') return item;
    throw new ScriptError(item.place, 'expected a pollfd: {fd=4, events=POLLIN}');
  });
  const fds = wanted.map((item) => pollFd(run, item));
  return {
    call: run.calls.poll(fds, run.number(2, 'a timeout in ms')),
    finish: () => {
      for (const [i, item] of wanted.entries()) compareEvents(run, item, fds[i]);
    },
  };
}

function pollFd(run: CallRun, item: CStruct): PollFd {
  const fd = numberOf(item.fields.get('fd') ?? item.bare[0], 'a descriptor (fd=N)');
  const events = item.fields.get('events') ?? item.bare[1];
  return {
    fd: fd < 0 ? fd : run.liveFd(fd),
    events: events === undefined ? 0 : numberOf(events, 'events'),
    revents: 0,
  };
}

function compareEvents(run: CallRun, item: CStruct, seen: PollFd): void {
  const wanted = item.fields.get('revents') ?? item.bare[2];
  if (wanted === undefined || wanted.kind === 'any') return;
  const expected = numberOf(wanted, 'events');
  if (expected === seen.revents) return;
  const text = (events: number) => (events === 0 ? 'no event' : flagText(events, 'POLL'));
  run.mismatch('revents', text(expected), text(seen.revents), wanted.place);
}
