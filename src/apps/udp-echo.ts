import type { Address, UdpId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler } from '../reactor/event-handler.js';

/** Datagrams for one wake-up before others get their turn. */
const DATAGRAMS_MAX = 256;

/** RFC 862 over UDP: a datagram goes back to whoever sent it. */
export class UdpEcho implements EventHandler {
  readonly id: UdpId;
  datagrams = 0;
  readonly #host: StackHost;
  readonly #port: number;
  readonly #buffer = new Uint8Array(65_507);

  /** Throws EADDRINUSE, EADDRNOTAVAIL. */
  constructor(host: StackHost, address: Address, port: number) {
    this.#host = host;
    this.#port = port;
    this.id = host.stack.udp.open({ address, port });
    host.reactor.registerHandler(SocketKind.UDP, this.id, this, Event.READABLE);
  }

  handleEvent(): void {
    const udp = this.#host.stack.udp;
    for (let i = 0; i < DATAGRAMS_MAX; i++) {
      const length = udp.receive(this.id, this.#buffer, 0, this.#buffer.length);
      if (length < 0) return;
      this.datagrams += 1;
      // Two echo servers that were shown to each other by a forged datagram would never stop.
      if (udp.lastPort === this.#port) continue;
      // From the address it was sent to, unless that was everybody's. An answer that cannot be sent is lost, as any datagram may be.
      const source = this.#host.stack.net.isLocal(udp.lastDestination) ? udp.lastDestination : undefined;
      udp.send(this.id, this.#buffer, 0, length, udp.lastSource, udp.lastPort, source);
    }
    this.#host.reactor.raise(SocketKind.UDP, this.id, Event.READABLE);
  }

  close(): void {
    this.#host.reactor.removeHandler(SocketKind.UDP, this.id);
    this.#host.stack.udp.close(this.id);
  }
}
