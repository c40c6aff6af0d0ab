import type { Address, UdpId } from '../../../stack/base/units.js';
import { EventQueue, SocketKind } from '../../../stack/net/event-queue.js';
import { Udp, type UdpLimits } from '../../../stack/udp/udp.js';
import { SMALL_UDP } from '../../small-udp.js';
import { type Host, type HostOptions, Pair } from '../net/pair.js';

/** UDP on a host of a pair. */
export class UdpHost {
  readonly udp: Udp;
  readonly events: EventQueue;
  constructor(
    readonly host: Host,
    limits: Partial<UdpLimits> = {},
  ) {
    this.events = new EventQueue(1, 1, 4096);
    this.udp = new Udp({ net: host.net, events: this.events, limits: { ...SMALL_UDP, ...limits } });
  }
  at(text: string): Address {
    return this.host.net.parseAddress(text);
  }
  /** Sends text or bytes. */
  send(id: UdpId, data: string | Uint8Array, to?: string, port?: number) {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
    return to === undefined
      ? this.udp.send(id, bytes, 0, bytes.length)
      : this.udp.send(id, bytes, 0, bytes.length, this.at(to), port);
  }
  /** What waits at a socket, as text. */
  read(id: UdpId): string[] {
    const into = new Uint8Array(65_536);
    const texts: string[] = [];
    for (;;) {
      const length = this.udp.receive(id, into, 0, into.length);
      if (length < 0) return texts;
      texts.push(new TextDecoder().decode(into.slice(0, length)));
    }
  }
  /** Events since the last call, as `id: bits`. */
  happened(): string[] {
    const list: string[] = [];
    while (this.events.next())
      if (this.events.kind === SocketKind.UDP) list.push(`${this.udp.idOf(this.events.row)}: ${this.events.events}`);
    return list;
  }
}

/** Two hosts, 10.0.0.1 and 10.0.0.2, that know each other's MAC already. */
export function udpPair(
  options: HostOptions = {},
  limits: Partial<UdpLimits> = {},
): { pair: Pair; a: UdpHost; b: UdpHost } {
  const pair = new Pair(options, options);
  const a = new UdpHost(pair.a, limits);
  const b = new UdpHost(pair.b, limits);
  pair.pass(5000);
  pair.a.net.sendEcho(a.at('10.0.0.2'), 1, 1, 0);
  pair.run();
  return { pair, a, b };
}
