import { ERRNO } from '../../../posix/errno.js';
import type { Outcome, PendingCall, PollFd } from '../../../posix/socket-calls.js';
import { ScriptError, Unsupported } from '../../language/script-error.js';
import { type CStruct, type CValue, numberOf } from '../c-values.js';
import type { ScriptSocket } from '../connections.js';
import { flagText } from '../symbols.js';
import type { CallRun, Issued } from './call-run.js';

const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;
/** What is reported whether it was asked for or not. */
const ALWAYS = 0x8 | 0x10;
const READING = 0x1 | 0x40 | 0x2000;
/** Above these bits stand what is no event: EPOLLET, EPOLLONESHOT, EPOLLWAKEUP, EPOLLEXCLUSIVE. */
const EVENTS = 0xffff;
const EDGE = 0x80000000;
const ONE_SHOT = 0x40000000;

interface Item {
  readonly fd: number;
  readonly socket: ScriptSocket | undefined;
  /** Undefined once it was told, when that is to happen once. */
  events: number | undefined;
  edge: boolean;
  oneShot: boolean;
  /** `fd=4`, or another number by which the program knows it. */
  data: number;
  /** How much had arrived when it was last told, and what was told; undefined before. */
  told: { readonly arrivals: number; readonly texts: number; readonly events: number } | undefined;
}

/**
 * epoll, worked out from poll(): the socket layer has none yet. What an edge is follows from what arrived: text for those who read, an error or
 * something that was not there when it was last told for all.
 */
export class EpollSet {
  private readonly items = new Map<number, Item>();

  control(operation: number, fd: number, socket: ScriptSocket | undefined, events: number, data: number): number {
    const known = this.items.get(fd);
    if (fd < 0) return ERRNO.EBADF;
    if (operation === EPOLL_CTL_ADD && known !== undefined) return ERRNO.EEXIST;
    if (operation !== EPOLL_CTL_ADD && known === undefined) return ERRNO.ENOENT;
    if (operation === EPOLL_CTL_DEL) this.items.delete(fd);
    else if (operation === EPOLL_CTL_ADD || operation === EPOLL_CTL_MOD)
      this.items.set(fd, item(fd, socket, events, data));
    else return ERRNO.EINVAL;
    return 0;
  }

  /** What is asked of poll(). */
  asked(): PollFd[] {
    return [...this.items.values()].flatMap(({ fd, events }) =>
      events === undefined ? [] : [{ fd, events, revents: 0 }],
    );
  }

  get hasEdges(): boolean {
    return [...this.items.values()].some(({ edge, told }) => edge && told !== undefined);
  }

  /** Of what poll() gave, what there is to tell. */
  tell(polled: readonly PollFd[], most: number): { readonly events: number; readonly data: number }[] {
    const ready: { events: number; data: number }[] = [];
    for (const { fd, revents } of polled) {
      const item = this.items.get(fd);
      if (item === undefined || revents === 0 || ready.length === most || !isNews(item, revents)) continue;
      const { socket } = item;
      item.told = { arrivals: socket?.arrivals ?? 0, texts: socket?.texts ?? 0, events: revents };
      if (item.oneShot) item.events = undefined;
      ready.push({ events: revents, data: item.data });
    }
    return ready;
  }
}

function item(fd: number, socket: ScriptSocket | undefined, events: number, data: number): Item {
  const flags = BigInt(events);
  return {
    fd,
    socket,
    events: Number(flags & BigInt(EVENTS)) | ALWAYS,
    edge: (flags & BigInt(EDGE)) !== 0n,
    oneShot: (flags & BigInt(ONE_SHOT)) !== 0n,
    data,
    told: undefined,
  };
}

function isNews({ edge, told, socket, events }: Item, revents: number): boolean {
  if (!edge || told === undefined || socket === undefined) return true;
  if (socket.arrivals === told.arrivals) return false;
  const text = socket.texts !== told.texts && ((events ?? 0) & READING) !== 0;
  return text || (revents & ALWAYS) !== 0 || (revents & ~told.events) !== 0;
}

/** epoll_create and epoll_create1 */
export function epollCreate(run: CallRun): Issued {
  run.takes(1);
  const fd = run.event.result === undefined ? -1 : run.stage.evaluator.number(run.event.result);
  run.stage.epolls.set(fd, new EpollSet());
  return { call: { result: fd, errno: 0 } };
}

export function epollCtl(run: CallRun): Issued {
  run.takes(4);
  const set = setOf(run);
  const event = run.args[3];
  const struct = event.kind === 'struct' ? event : undefined;
  const events = struct?.fields.get('events');
  const fd = run.number(2, 'a descriptor');
  const errno = set.control(
    run.number(1, 'an operation'),
    run.liveFd(fd),
    run.socket(2),
    events === undefined ? 0 : numberOf(events, 'events'),
    struct === undefined ? fd : dataOf(struct),
  );
  return { call: { result: errno === 0 ? 0 : -1, errno } };
}

/** `epoll_wait(5, {events=EPOLLOUT, fd=4}, 1, 0) = 1` */
export function epollWait(run: CallRun): Issued {
  run.takes(4, 6);
  const set = setOf(run);
  const timeoutMs = run.number(3, 'a timeout in ms');
  const most = run.number(2, 'a number of events');
  if (timeoutMs !== 0 && set.hasEdges) throw new Unsupported(run.place, 'epoll_wait() that waits for an edge');
  const polled = set.asked();
  const waits = run.calls.poll(polled, timeoutMs);
  let ready: { readonly events: number; readonly data: number }[] = [];
  return {
    call: new Told(waits, () => {
      ready = set.tell(polled, most);
      return ready.length;
    }),
    finish: () => compareReady(run, ready),
  };
}

/** A poll() whose result is counted anew when it is complete. */
class Told implements PendingCall {
  private result: Outcome | undefined;

  constructor(
    private readonly waits: PendingCall,
    private readonly count: () => number,
  ) {}

  get outcome(): Outcome | undefined {
    if (this.result === undefined && this.waits.outcome !== undefined) this.result = { result: this.count(), errno: 0 };
    return this.result;
  }

  get completedUs(): number {
    return this.waits.completedUs;
  }

  cancel(): void {
    this.waits.cancel();
  }
}

function setOf(run: CallRun): EpollSet {
  const set = run.stage.epolls.get(run.number(0, 'a descriptor'));
  if (set === undefined) throw new ScriptError(run.args[0].place, 'this is no descriptor of epoll_create()');
  return set;
}

function dataOf(struct: CStruct): number {
  for (const name of ['fd', 'ptr', 'u32', 'u64']) {
    const value = struct.fields.get(name);
    if (value !== undefined) return numberOf(value, 'a number');
  }
  return 0;
}

function compareReady(run: CallRun, ready: readonly { readonly events: number; readonly data: number }[]): void {
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
    if (data !== seen.data) run.mismatch('data', String(data), String(seen.data), expected.place);
  }
}
