import { SO } from '../../../posix/constants.js';
import { ERRNO } from '../../../posix/errno.js';
import type { Outcome, PendingCall, SocketAddress } from '../../../posix/socket-calls.js';
import type { CallEvent } from '../../language/ast.js';
import { type Place, ScriptError } from '../../language/script-error.js';
import { type CStruct, type CValue, field, numberOf } from '../c-values.js';
import type { ScriptSocket } from '../connections.js';
import { Mismatch } from '../failure.js';
import type { Stage } from '../stage.js';

/** A call that was made. */
export interface Issued {
  readonly call: PendingCall | Outcome;
  /** Compares what it gave besides its result, and remembers what follows from it. Throws a Mismatch. */
  finish?(outcome: Outcome): void;
}

/** Nobody writes or reads more with one call in a script; a number beyond is a slip or an attempt on our memory. */
export const IO_BYTES_MAX = 64 << 20;
/** … and all calls of a script together: what seconds of the largest allow. */
const IO_TOTAL_MAX = 16 * 2 ** 30;

/** One system call of a script: its arguments, taken one by one, with complaints that name their place. */
export class CallRun {
  readonly args: readonly CValue[];

  constructor(
    readonly stage: Stage,
    readonly event: CallEvent,
  ) {
    this.args = event.args.map((arg) => stage.evaluator.value(arg));
  }

  get place(): Place {
    return this.event.place;
  }

  get calls() {
    return this.stage.clock.world.calls;
  }

  /** How many arguments there must be. */
  takes(min: number, max = min): void {
    if (this.args.length >= min && this.args.length <= max) return;
    const count = min === max ? String(min) : `${min} to ${max}`;
    throw new ScriptError(this.place, `${this.event.name}() takes ${count} arguments, not ${this.args.length}`);
  }

  number(i: number, what = 'a number'): number {
    return numberOf(this.args[i], what);
  }

  /** The descriptor of the world for one of the script. What the script never opened is none in the world either. */
  fd(i: number): number {
    return this.liveFd(this.number(i, 'a descriptor'));
  }

  liveFd(scriptFd: number): number {
    return this.stage.connections.all.findLast((socket) => socket.scriptFd === scriptFd)?.liveFd ?? -1;
  }

  /** A null pointer. */
  isNull(i: number): boolean {
    const value = this.args[i];
    return value?.kind === 'number' && value.value === 0;
  }

  /** What a kernel says of a pointer that leads nowhere. A descriptor that is none, or no socket, it says first. */
  fault(fdAt: number): Outcome {
    const asked = this.calls.getsockopt(this.fd(fdAt), SO.SOL_SOCKET, SO.SO_TYPE, 4);
    return asked.result < 0 ? asked : { result: -1, errno: ERRNO.EFAULT };
  }

  socket(i: number): ScriptSocket | undefined {
    return this.stage.connections.byFd(this.number(i, 'a descriptor'));
  }

  bytes(i: number): number {
    return this.byteCount(this.number(i, 'a number of bytes'), this.args[i].place);
  }

  byteCount(count: number, place: Place): number {
    if (!(count >= 0 && count <= IO_BYTES_MAX))
      throw new ScriptError(place, `${count} is no number of bytes that a script may move: at most ${IO_BYTES_MAX}`);
    const { moved } = this.stage;
    moved.bytes += count;
    if (moved.bytes > IO_TOTAL_MAX)
      throw new ScriptError(place, `the calls of this script move more than ${IO_TOTAL_MAX} bytes together`);
    return count;
  }

  struct(i: number, what: string): CStruct {
    const value = this.args[i];
    if (value?.kind === 'struct') return value;
    throw new ScriptError(value?.place ?? this.place, `expected ${what} in braces`);
  }

  /** `{sa_family = AF_INET, sin_port = htons(80), sin_addr = inet_addr("…")}`; undefined for `...`. */
  address(value: CValue | undefined): SocketAddress | undefined {
    if (value === undefined || value.kind === 'any') return undefined;
    if (value.kind === 'number' && value.value === 0) return undefined;
    if (value.kind !== 'struct') throw new ScriptError(value.place, 'expected a socket address in braces, or "..."');
    const port = field(value, 'sin_port') ?? field(value, 'sin6_port');
    const host =
      field(value, 'sin_addr') ?? field(value, 'sin6_addr') ?? value.bare.find(({ kind }) => kind === 'string');
    return {
      family: numberOf(field(value, 'sa_family') ?? field(value, 'sin_family') ?? value, 'a family (sa_family)'),
      port: port === undefined ? 0 : numberOf(port, 'a port'),
      host: host === undefined ? '' : host.kind === 'string' ? host.value : dottedQuad(numberOf(host, 'an address')),
    };
  }

  /** The result of a call without its own comparison. */
  mismatch(what: string, expected: string, seen: string, place = this.place): never {
    throw new Mismatch(place, `${what}: expected ${expected}, seen ${seen}`);
  }

  compareAddress(wanted: CValue | undefined, seen: SocketAddress | undefined): void {
    const expected = this.address(wanted);
    if (expected === undefined || seen === undefined || wanted === undefined) return;
    const text = ({ host, port }: SocketAddress) => `${host}:${port}`;
    if (text(expected) !== text(seen)) this.mismatch('address', text(expected), text(seen), wanted.place);
  }
}

function dottedQuad(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}
