/**
 * An echo server on the reactor. A connection is an integer, one handler serves all of them, and an idle one costs this
 * program nothing: no object, no buffer, no closure. Needs root, as http-server.ts does.
 *
 *     node dist/examples/echo-reactor.js
 *     nc 10.0.0.2 7                     from another terminal
 */
import { getRandomValues, randomInt } from 'node:crypto';
import {
  Acceptor,
  type ConnectionId,
  Event,
  type Handle,
  Host,
  openDevice,
  type ServiceHandler,
  SocketKind,
  Stack,
  StackError,
} from 'millrace';

/** Reads for one connection before the others get their turn. */
const READS_MAX = 16;

class Echo implements ServiceHandler {
  /** One buffer for all: what is read is sent before the next is read. */
  readonly #buffer = new Uint8Array(65_536);
  /** What was read and could not be sent, of the few connections whose peers do not read. */
  readonly #held = new Map<ConnectionId, Uint8Array>();

  /** The integer returned here comes back as `cookie` with every event. One service for all needs none. */
  open(): number {
    return 0;
  }

  handleEvent(handle: Handle, events: number): void {
    const id = handle as ConnectionId;
    try {
      if ((events & Event.FAILED) === 0 && this.#serve(id)) return;
    } catch (error) {
      // A reset by the peer is thrown by `receive` and `send`. Anything else is a mistake of ours.
      if (!(error instanceof StackError)) throw error;
    }
    this.#held.delete(id);
    stack.tcp.close(id);
  }

  /** False at the peer's end, when everything has gone back. */
  #serve(id: ConnectionId): boolean {
    const held = this.#held.get(id);
    this.#held.delete(id);
    if (held !== undefined && !this.#send(id, held, held.length)) return true;
    for (let i = 0; i < READS_MAX; i++) {
      const count = stack.tcp.receive(id, this.#buffer, 0, this.#buffer.length);
      if (count <= 0) return count === 0;
      if (!this.#send(id, this.#buffer, count)) return true;
    }
    // There may be more: to be told again after the others.
    host.reactor.raise(SocketKind.CONNECTION, id, Event.READABLE);
    return true;
  }

  /** What `send` does not take is kept, and nothing more is read until WRITABLE: so the peer's window closes. */
  #send(id: ConnectionId, bytes: Uint8Array, count: number): boolean {
    const taken = stack.tcp.send(id, bytes, 0, count);
    if (taken < count) this.#held.set(id, bytes.slice(taken, count));
    return taken === count;
  }
}

const stack = new Stack({ seed: randomInt(2 ** 32), secret: getRandomValues(new Int32Array(4)) });
const host = new Host({ stack });
const device = openDevice('tap:mill1', { hostAddress: '10.0.0.1/24' });
host.attach(device, { addresses: [{ address: stack.net.parseAddress('10.0.0.2'), prefixLength: 24 }] });
host.start();

new Acceptor(stack, host.reactor, { port: 7 }, new Echo());
console.log('echo on 10.0.0.2, port 7');

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => host.stop());
