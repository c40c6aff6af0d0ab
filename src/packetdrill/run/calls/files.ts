import { MESSAGE } from '../../../posix/constants.js';
import { ERRNO } from '../../../posix/errno.js';
import type { Outcome, PendingCall } from '../../../posix/socket-calls.js';
import { ScriptError, Unsupported } from '../../language/script-error.js';
import type { CallRun, Issued } from './call-run.js';

/** Sixteen pages, a pipe's size unless somebody changes it. */
const PIPE_BYTES = 65_536;
const SPLICE_F_NONBLOCK = 2;

/** What a script opens besides sockets. A file is zeros without end: scripts make theirs of `/dev/zero`, and no file is ever touched. */
export type Plain = { readonly kind: 'file' } | { readonly kind: 'pipe'; readonly pipe: { bytes: number } };

/** `open("/tmp/testfile", O_RDONLY) = 5` */
export function open(run: CallRun): Issued {
  run.takes(2, 3);
  if (run.number(1, 'flags') !== 0) throw new Unsupported(run.place, 'a file to write to');
  const fd = run.event.result === undefined ? -1 : run.stage.evaluator.number(run.event.result);
  run.stage.files.set(fd, { kind: 'file' });
  return { call: { result: fd, errno: 0 } };
}

/** `pipe([5, 6]) = 0` */
export function pipe(run: CallRun): Issued {
  run.takes(1, 2);
  const [ends] = run.args;
  if (ends.kind !== 'list' || ends.items.length !== 2)
    throw new ScriptError(ends.place, 'expected two descriptors: [5, 6]');
  const shared = { bytes: 0 };
  for (const end of ends.items) {
    if (end.kind !== 'number') throw new ScriptError(end.place, 'expected a descriptor');
    run.stage.files.set(end.value, { kind: 'pipe', pipe: shared });
  }
  return { call: { result: 0, errno: 0 } };
}

/** `sendfile(4, 5, [0], 5) = 5` */
export function sendfile(run: CallRun): Issued {
  run.takes(4);
  if (run.stage.files.get(run.number(1, 'a descriptor'))?.kind !== 'file') {
    throw new ScriptError(run.args[1].place, 'this is no descriptor of open()');
  }
  return { call: run.calls.send(run.fd(0), new Uint8Array(run.bytes(3)), 0) };
}

/** `splice(4, NULL, 6, NULL, 99, 0) = 99`: from a socket into a pipe, or from a pipe into a socket. */
export function splice(run: CallRun): Issued {
  run.takes(6);
  const [from, to] = [0, 2].map((i) => run.stage.files.get(run.number(i, 'a descriptor')));
  const count = run.bytes(4);
  const flags = (run.number(5, 'flags') & SPLICE_F_NONBLOCK) !== 0 ? MESSAGE.MSG_DONTWAIT : 0;
  if (to?.kind === 'pipe' && from === undefined) {
    const room = PIPE_BYTES - to.pipe.bytes;
    if (room === 0) return { call: full() };
    return moved(run.calls.recv(run.fd(0), Math.min(count, room), flags), (bytes) => {
      to.pipe.bytes += bytes;
    });
  }
  if (from?.kind === 'pipe' && to === undefined) {
    if (from.pipe.bytes === 0) return { call: full() };
    return moved(run.calls.send(run.fd(2), new Uint8Array(Math.min(count, from.pipe.bytes)), flags), (bytes) => {
      from.pipe.bytes -= bytes;
    });
  }
  throw new Unsupported(run.place, 'splice() other than between a socket and a pipe');
}

/** One that would wait for the other end of a pipe: nobody else is there to move it on. */
function full(): Outcome {
  return { result: -1, errno: ERRNO.EAGAIN };
}

function moved(call: PendingCall, take: (bytes: number) => void): Issued {
  return {
    call,
    finish: (outcome) => {
      if (outcome.result > 0) take(outcome.result);
    },
  };
}
