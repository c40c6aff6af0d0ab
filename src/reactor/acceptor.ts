import type { ConnectionId, ListenerId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { Stack } from '../../stack/stack.js';
import type { ListenOptions } from '../../stack/tcp/tcp.js';
import type { OpenOptions } from '../../stack/tcp/user-calls.js';
import type { EventHandler, Handle } from './event-handler.js';
import type { Reactor } from './reactor.js';

/**
 * The pattern's Service Handler: what serves connections once they stand. One object may serve them all; the cookie that
 * `open` returns comes back with every event.
 */
export interface ServiceHandler extends EventHandler {
  /** A connection stands. The integer returned is its cookie. */
  open(id: ConnectionId): number;
}

/** Everything a service is told of, unless it says otherwise. */
export const SERVICE_EVENTS =
  Event.READABLE | Event.WRITABLE | Event.PEER_CLOSED | Event.FAILED | Event.CLOSED | Event.URGENT;

/** The pattern's Acceptor: turns connections that come into handles of the reactor. */
export class Acceptor implements EventHandler {
  readonly listener: ListenerId;
  readonly #stack: Stack;
  readonly #reactor: Reactor;
  readonly #service: ServiceHandler;
  readonly #mask: number;
  #closed = false;

  /** Throws what `tcp.listen` throws: EADDRINUSE, EADDRNOTAVAIL. */
  constructor(stack: Stack, reactor: Reactor, options: ListenOptions, service: ServiceHandler, mask = SERVICE_EVENTS) {
    this.#stack = stack;
    this.#reactor = reactor;
    this.#service = service;
    this.#mask = mask;
    this.listener = stack.tcp.listen(options);
    reactor.registerHandler(SocketKind.LISTENER, this.listener, this, Event.ACCEPTABLE);
  }

  handleEvent(): void {
    while (!this.#closed) {
      const id = this.#stack.tcp.accept(this.listener);
      if (id === 0) return;
      try {
        const cookie = this.#service.open(id);
        // `open` may have thought better of it and closed the connection.
        if (this.#reactor.isOpen(SocketKind.CONNECTION, id)) {
          this.#reactor.registerHandler(SocketKind.CONNECTION, id, this.#service, this.#mask, cookie);
        }
      } catch (error) {
        // A connection its service could not take is nobody's: ended here, or it would stay for ever.
        if (this.#reactor.isOpen(SocketKind.CONNECTION, id)) this.#stack.tcp.abort(id);
        this.#reactor.onHandlerError(error, SocketKind.CONNECTION, id);
      }
    }
  }

  /** Accepts no more. Connections already accepted live on. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#reactor.removeHandler(SocketKind.LISTENER, this.listener);
    this.#stack.tcp.closeListener(this.listener);
  }
}

/** The pattern's Connector: active OPEN, and the service is called when it is established, or told FAILED. */
export class Connector implements EventHandler {
  readonly #stack: Stack;
  readonly #reactor: Reactor;
  readonly #service: ServiceHandler;
  readonly #mask: number;

  constructor(stack: Stack, reactor: Reactor, service: ServiceHandler, mask = SERVICE_EVENTS) {
    this.#stack = stack;
    this.#reactor = reactor;
    this.#service = service;
    this.#mask = mask;
  }

  /** Throws what `tcp.open` throws: ENETUNREACH, EADDRINUSE, EADDRNOTAVAIL. */
  connect(options: OpenOptions): ConnectionId {
    const id = this.#stack.tcp.open(options);
    this.#reactor.registerHandler(SocketKind.CONNECTION, id, this, Event.CONNECTED | Event.FAILED);
    return id;
  }

  handleEvent(handle: Handle, events: number): void {
    const id = handle as ConnectionId;
    // Not established: the service gets the connection without `open`, and FAILED from its state on registration.
    const cookie = (events & Event.CONNECTED) !== 0 ? this.#service.open(id) : 0;
    if (!this.#reactor.isOpen(SocketKind.CONNECTION, id)) return;
    this.#reactor.registerHandler(SocketKind.CONNECTION, id, this.#service, this.#mask, cookie);
  }
}
