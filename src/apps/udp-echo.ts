import type { Address, UdpId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { StackHost } from '../host/stack-host.js';
import type { EventHandler } from '../reactor/event-handler.js';

/** Datagrams for one wake-up before others get their turn. */
const DATAGRAMS_MAX = 256;

/**
 * Below are the ports of services that answer every datagram themselves: echo, daytime, qotd, chargen, time, domain, ntp and
 * more. A forged datagram from there would set the two answering each other for ever. Nobody asks from there: programs ask
 * from ports that the system chose. inetd draws the same line.
 */
const ANSWERING_PORTS_END = 512;

/** RFC 862 over UDP: a datagram goes back to whoever sent it. */
export class UdpEcho implements EventHandler {
  readonly id: UdpId;
  datagrams = 0;
  /** Of those: not answered, because they came from where another service answers. */
  refused = 0;
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
      // Another echo of ours, or somebody else's service.
      if (udp.lastPort === this.#port || udp.lastPort < ANSWERING_PORTS_END) {
        this.refused += 1;
        continue;
      }
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
