import { StackError } from '../../stack/base/errors.js';
import { SocketKind } from '../../stack/net/event-queue.js';
import type { SynchronousEventDemultiplexer } from './demultiplexer.js';
import type { EventHandler, Handle } from './event-handler.js';

export interface ReactorOptions {
  /**
   * Where an error thrown by a handler goes. By default it is thrown again on its own, so that Node reports it as uncaught
   * with the handler's stack, while the other handlers and the stack run on.
   */
  readonly onHandlerError?: (error: unknown, kind: SocketKind, handle: Handle) => void;
}

/**
 * Dispatches per `handleEvents`. A flood of events must not keep the host from its device for longer than about a
 * millisecond; 1024 calls are less.
 */
const DISPATCHES_MAX = 1024;

/**
 * The pattern's Initiation Dispatcher. Registrations are rows of typed arrays beside the stack's own tables, so ten million
 * connections served by one handler cost 180 megabytes outside the heap and nothing in it.
 */
export class Reactor {
  onHandlerError: (error: unknown, kind: SocketKind, handle: Handle) => void;
  /** The last `handleEvents` called a handler: time may have passed meanwhile. */
  handlersRan = false;
  readonly demultiplexer: SynchronousEventDemultiplexer;
  readonly #registrations: [Registrations, Registrations, Registrations] = [
    new Registrations(),
    new Registrations(),
    new Registrations(),
  ];
  /** Handlers by number; zero is nobody. The handlers are few, the handles many. */
  readonly #handlers: (EventHandler | undefined)[] = [undefined];
  readonly #uses: number[] = [0];
  readonly #numbers = new Map<EventHandler, number>();
  readonly #freeNumbers: number[] = [];

  constructor(demultiplexer: SynchronousEventDemultiplexer, options: ReactorOptions = {}) {
    this.demultiplexer = demultiplexer;
    this.onHandlerError = options.onHandlerError ?? throwAlone;
  }

  /**
   * From now on `handler` is told of the events in `mask` (bits of `Event`), beginning with what is already the case. One
   * handler a handle: a second registration replaces the first.
   */
  registerHandler(kind: SocketKind, handle: Handle, handler: EventHandler, mask: number, cookie = 0): void {
    const row = this.demultiplexer.rowOf(kind, handle);
    if (!this.isOpen(kind, handle)) {
      throw new StackError('EBADF', `the handle ${handle} is not open: register it before it is closed`);
    }
    const table = this.#registrations[kind];
    table.reach(row);
    const before = table.handlers[row];
    table.handles[row] = handle;
    table.handlers[row] = this.#retain(handler);
    if (before !== 0) this.#release(before);
    table.cookies[row] = cookie;
    table.masks[row] = mask;
    const ready = this.demultiplexer.readiness(kind, handle) & mask;
    if (ready !== 0) this.demultiplexer.raise(kind, row, ready);
  }

  /** Whether the handle still names a socket. */
  isOpen(kind: SocketKind, handle: Handle): boolean {
    return handle > 0 && this.demultiplexer.handleOf(kind, this.demultiplexer.rowOf(kind, handle)) === handle;
  }

  /** Nobody is told of the handle's events any more. Closing a socket does as much: its handle is never used again. */
  removeHandler(kind: SocketKind, handle: Handle): void {
    const row = this.demultiplexer.rowOf(kind, handle);
    const table = this.#registrations[kind];
    if (table.has(row, handle)) this.#forget(table, row);
  }

  /** Changes what a registered handler is told of. Events now wanted that are already the case are told again. */
  setMask(kind: SocketKind, handle: Handle, mask: number): void {
    const row = this.demultiplexer.rowOf(kind, handle);
    const table = this.#registrations[kind];
    if (!table.has(row, handle)) throw new StackError('EBADF', `no handler is registered for ${handle}`);
    const added = mask & ~table.masks[row];
    table.masks[row] = mask;
    const ready = added === 0 ? 0 : this.demultiplexer.readiness(kind, handle) & added;
    if (ready !== 0) this.demultiplexer.raise(kind, row, ready);
  }

  /** Has the handler told of `events` at the end of the queue: how a handler that stops half-way asks to go on. */
  raise(kind: SocketKind, handle: Handle, events: number): void {
    this.demultiplexer.raise(kind, this.demultiplexer.rowOf(kind, handle), events);
  }

  /** Dispatches what is ready. True when the budget ended before the events did: to be called again soon. */
  handleEvents(): boolean {
    const demultiplexer = this.demultiplexer;
    this.handlersRan = false;
    for (let left = DISPATCHES_MAX; left > 0; left--) {
      if (!demultiplexer.select()) return false;
      const kind = demultiplexer.kind;
      const row = demultiplexer.row;
      const table = this.#registrations[kind];
      if (row >= table.handlers.length) continue;
      const handler = this.#handlers[table.handlers[row]];
      if (handler === undefined) continue;
      const handle = demultiplexer.handleOf(kind, row);
      if (table.handles[row] !== handle) {
        // The row is another socket's by now.
        this.#forget(table, row);
        continue;
      }
      const events = demultiplexer.events & table.masks[row];
      if (events === 0) continue;
      this.handlersRan = true;
      try {
        handler.handleEvent(handle, events, table.cookies[row]);
      } catch (error) {
        this.onHandlerError(error, kind, handle);
      }
    }
    return true;
  }

  #forget(table: Registrations, row: number): void {
    this.#release(table.handlers[row]);
    table.handlers[row] = 0;
    table.handles[row] = 0;
    table.masks[row] = 0;
  }

  #retain(handler: EventHandler): number {
    let number = this.#numbers.get(handler);
    if (number === undefined) {
      number = this.#freeNumbers.pop() ?? this.#handlers.length;
      this.#handlers[number] = handler;
      this.#uses[number] = 0;
      this.#numbers.set(handler, number);
    }
    this.#uses[number] += 1;
    return number;
  }

  #release(number: number): void {
    this.#uses[number] -= 1;
    if (this.#uses[number] > 0) return;
    const handler = this.#handlers[number];
    if (handler !== undefined) this.#numbers.delete(handler);
    this.#handlers[number] = undefined;
    this.#freeNumbers.push(number);
  }
}

/** Registrations of one kind of socket, by row. Grown by doubling, so that a program with ten sockets pays for few. */
class Registrations {
  handles = new Float64Array(64);
  handlers = new Int32Array(64);
  cookies = new Int32Array(64);
  /** Two bytes, as the event queue has: the bits of `Event` reach above the eighth. */
  masks = new Uint16Array(64);

  has(row: number, handle: Handle): boolean {
    return row < this.handles.length && this.handles[row] === handle && this.handlers[row] !== 0;
  }
  reach(row: number): void {
    let size = this.handlers.length;
    if (row < size) return;
    while (size <= row) size *= 2;
    this.handles = grown(this.handles, new Float64Array(size));
    this.handlers = grown(this.handlers, new Int32Array(size));
    this.cookies = grown(this.cookies, new Int32Array(size));
    this.masks = grown(this.masks, new Uint16Array(size));
  }
}

function grown<A extends Float64Array | Int32Array | Uint16Array>(from: A, into: A): A {
  into.set(from);
  return into;
}

function throwAlone(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
