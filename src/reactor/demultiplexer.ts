import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { Stack } from '../../stack/stack.js';
import { State } from '../../stack/tcp/state.js';
import type { Handle } from './event-handler.js';

/**
 * The pattern's Synchronous Event Demultiplexer: `select` says which handle something has happened on. Synchronous, because
 * it never waits: waiting is the host's, who knows of devices and clocks. Nothing in it is linear in the number of handles.
 */
export interface SynchronousEventDemultiplexer {
  /** Takes the next ready handle into `kind`, `row` and `events`; false when none is ready. */
  select(): boolean;
  readonly kind: SocketKind;
  /** The handle's row in the stack's table of its kind: an index for tables beside it. */
  readonly row: number;
  /** Bits of `Event`. */
  readonly events: number;
  /** The handle that `row` now stands for. */
  handleOf(kind: SocketKind, row: number): Handle;
  rowOf(kind: SocketKind, handle: Handle): number;
  /** What can be said of the handle without waiting for an event: bits of `Event`. */
  readiness(kind: SocketKind, handle: Handle): number;
  /** Makes `select` report these events, at the end of the queue. */
  raise(kind: SocketKind, row: number, events: number): void;
}

/** Over the event queue of a stack. */
export class StackDemultiplexer implements SynchronousEventDemultiplexer {
  readonly #stack: Stack;
  constructor(stack: Stack) {
    this.#stack = stack;
  }
  get kind(): SocketKind {
    return this.#stack.events.kind;
  }
  get row(): number {
    return this.#stack.events.row;
  }
  get events(): number {
    return this.#stack.events.events;
  }
  select(): boolean {
    return this.#stack.events.next();
  }
  raise(kind: SocketKind, row: number, events: number): void {
    this.#stack.events.push(kind, row, events);
  }

  handleOf(kind: SocketKind, row: number): Handle {
    switch (kind) {
      case SocketKind.CONNECTION:
        return this.#stack.tcp.idOf(row);
      case SocketKind.LISTENER:
        return this.#stack.tcp.listenerOf(row);
      case SocketKind.UDP:
        return this.#stack.udp.idOf(row);
    }
  }

  rowOf(_kind: SocketKind, handle: Handle): number {
    return handle & (ROWS_MAX - 1);
  }

  readiness(kind: SocketKind, handle: Handle): number {
    switch (kind) {
      case SocketKind.CONNECTION:
        return this.#connectionReadiness(handle as ConnectionId);
      case SocketKind.LISTENER:
        return Event.ACCEPTABLE;
      case SocketKind.UDP:
        return Event.READABLE;
    }
  }

  /**
   * An event may have come and gone before anybody registered for it: bytes on a connection nobody had accepted yet. So a
   * registration begins with what the state of the connection says.
   */
  #connectionReadiness(id: ConnectionId): number {
    const tcp = this.#stack.tcp;
    switch (tcp.state(id)) {
      case State.SYN_SENT:
      case State.SYN_RECEIVED:
        return 0;
      case State.CLOSED:
        // As the stack reports it: a connection that failed has neither ended in order nor delivered everything.
        return tcp.takeError(id) === undefined
          ? Event.READABLE | Event.PEER_CLOSED | Event.CLOSED | Event.SENT
          : Event.READABLE | Event.FAILED;
      case State.FIN_WAIT_2:
        return Event.SENT | (tcp.readable(id) > 0 ? Event.READABLE : 0);
      case State.CLOSE_WAIT:
      case State.CLOSING:
      case State.LAST_ACK:
        return Event.READABLE | Event.PEER_CLOSED;
      default:
        return tcp.readable(id) > 0 ? Event.READABLE : 0;
    }
  }
}

/** A handle is generation × 2^24 + row, in every table of the stack. */
const ROWS_MAX = 1 << 24;
