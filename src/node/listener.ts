import { StackError } from '../../stack/base/errors.js';
import type { Address, ConnectionId, ListenerId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { contextOf, runIn } from '../host/context.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler } from '../reactor/event-handler.js';
import type { Endpoint } from './endpoint.js';
import { codeOf } from './errno.js';

/** A listening port as servers of both kinds see it. */
export class Listener implements EventHandler {
  readonly #host: StackHost;
  readonly #address: Address;
  readonly #onConnection: (id: ConnectionId) => void;
  /** In which the program hears of connections: that of who called `listen`. */
  readonly #context = contextOf('MillraceServer');
  #port: number;
  #id = 0 as ListenerId;
  #referenced = true;

  constructor(host: StackHost, address: string, port: number, onConnection: (id: ConnectionId) => void) {
    this.#host = host;
    this.#address = host.stack.net.parseAddress(address);
    this.#port = port;
    this.#onConnection = onConnection;
  }

  get listening(): boolean {
    return this.#id !== 0;
  }

  /** Throws EADDRINUSE, EADDRNOTAVAIL. */
  listen(backlog: number): void {
    if (this.#id !== 0) throw new StackError('EINVAL', 'the server listens already');
    this.#id = this.#port === 0 ? this.#listenAnywhere(backlog) : this.#listenAt(this.#port, backlog);
    this.#host.reactor.registerHandler(SocketKind.LISTENER, this.#id, this, Event.ACCEPTABLE);
    if (this.#referenced) this.#host.reference(1);
    this.#host.wake();
  }

  #listenAt(port: number, backlog: number): ListenerId {
    return this.#host.stack.tcp.listen({ address: this.#address, port, backlog });
  }

  /** Port 0: an ephemeral one that nobody listens on, from a place in their range that is not always the same. */
  #listenAnywhere(backlog: number): ListenerId {
    const { portFirst, portLast } = this.#host.stack.tcp.limits;
    const ports = portLast - portFirst + 1;
    const start = Math.floor(Math.random() * ports);
    for (let i = 0; i < ports; i++) {
      const port = portFirst + ((start + i) % ports);
      try {
        const id = this.#listenAt(port, backlog);
        this.#port = port;
        return id;
      } catch (error) {
        if (codeOf(error) !== 'EADDRINUSE') throw error;
      }
    }
    throw new StackError('EADDRINUSE', `all ports from ${portFirst} to ${portLast} have listeners`);
  }

  /** All that wait, in one go: ticks and promises run after the last of them. */
  handleEvent(): void {
    runIn(this.#context, this.#acceptAll);
  }

  readonly #acceptAll = (): void => {
    const tcp = this.#host.stack.tcp;
    while (this.#id !== 0) {
      const id = tcp.accept(this.#id);
      if (id === 0) return;
      try {
        this.#onConnection(id);
      } catch (error) {
        // A listener of the program's threw: its error is the program's, the other connections are not to suffer.
        this.#host.reactor.onHandlerError(error, SocketKind.LISTENER, this.#id);
      }
    }
  };

  close(): void {
    if (this.#id === 0) return;
    this.#host.reactor.removeHandler(SocketKind.LISTENER, this.#id);
    this.#host.stack.tcp.closeListener(this.#id);
    this.#id = 0 as ListenerId;
    if (this.#referenced) this.#host.reference(-1);
    this.#host.wake();
  }

  get referenced(): boolean {
    return this.#referenced;
  }
  set referenced(value: boolean) {
    if (value === this.#referenced) return;
    this.#referenced = value;
    if (this.#id !== 0) this.#host.reference(value ? 1 : -1);
  }

  endpoint(into: Partial<Endpoint>): void {
    const address = this.#address === 0 ? '0.0.0.0' : this.#host.stack.net.formatAddress(this.#address);
    into.address = address;
    into.family = address.includes(':') ? 'IPv6' : 'IPv4';
    into.port = this.#port;
  }
}
