import type { Address } from '../base/units.js';
import { Icmpv4Type, ParameterProblem, Unreachable } from '../wire/icmpv4.js';
import {
  Ipv4,
  ipv4Destination,
  ipv4HeaderBytes,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
  parseIpv4,
} from '../wire/ipv4.js';
import { Ipv4OptionBit, Ipv4Options, parseIpv4Options } from '../wire/ipv4-options.js';
import { Verdict } from '../wire/verdict.js';
import { isLoopback, isThisNetwork } from './address.js';
import type { Context } from './context.js';
import { Reassembly } from './fragments.js';
import type { IcmpErrors } from './icmp-error.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import type { InboundPacket } from './transport.js';

/** Index of the interface of a datagram that never saw a wire. */
export const IFACE_LOCAL = -1;

/** Datagrams in: RFC 1122 §3.2.1 in its order. A check returns a verdict; nothing is answered but where the RFC says so. */
export class IpInput {
  readonly reassembly: Reassembly;
  readonly #ctx: Context;
  readonly #local: LocalAddresses;
  readonly #errors: IcmpErrors;
  readonly #packet: InboundPacket;
  readonly #parsed = new Ipv4Options();

  constructor(ctx: Context, local: LocalAddresses, errors: IcmpErrors) {
    this.#ctx = ctx;
    this.#local = local;
    this.#errors = errors;
    this.reassembly = new Reassembly(ctx, (view, at, length, broadcast) => {
      errors.send(Icmpv4Type.TIME_EXCEEDED, 1, 0, this.reassembly.bytes, view, at, length, broadcast);
    });
    this.#packet = {
      bytes: ctx.slab.bytes,
      view: ctx.slab.view,
      at: 0,
      length: 0,
      source: 0 as Address,
      destination: 0 as Address,
      broadcast: false,
      tos: 0,
      ttl: 0,
      iface: 0,
      ipAt: 0,
      slot: -1,
    };
  }

  /** The datagram at `at`, of which the link brought `length` bytes. `linkBroadcast`: it came to a group MAC. */
  input(iface: number, at: number, length: number, linkBroadcast: boolean): Verdict {
    const view = this.#ctx.slab.view;
    const stats = this.#ctx.stats;
    stats.ipInReceives += 1;
    let verdict = parseIpv4(view, at, length);
    if (verdict !== Verdict.OK) {
      stats.ipInHdrErrors += 1;
      return verdict;
    }
    const destination = ipv4Destination(view, at);
    const kind = this.#local.classify(destination);
    verdict = this.#addressed(iface, kind, ipv4Source(view, at), destination, linkBroadcast);
    if (verdict !== Verdict.OK) {
      stats.ipInAddrErrors += 1;
      return verdict;
    }
    const broadcast = linkBroadcast || kind !== Local.OWN;
    const headerBytes = ipv4HeaderBytes(view, at);
    if (headerBytes > Ipv4.HEADER_BYTES) {
      verdict = this.#options(at, headerBytes, broadcast);
      if (verdict !== Verdict.OK) {
        stats.ipInHdrErrors += 1;
        return verdict;
      }
    }
    if (ipv4IsFragment(view, at)) {
      verdict = this.reassembly.input(this.#ctx.slab.bytes, view, at, broadcast);
      if (verdict !== Verdict.OK) return verdict;
      return this.#deliver(this.reassembly.bytes, this.reassembly.view, 0, iface, -1, this.reassembly.broadcast);
    }
    return this.#deliver(this.#ctx.slab.bytes, view, at, iface, this.#ctx.slab.slotOf(at), broadcast);
  }

  /**
   * To us, from a host that can be: RFC 1122 §3.2.1.3. Any of our addresses will do on any interface: of §3.3.4.2's two models
   * this is the weak one, as Linux's.
   */
  #addressed(iface: number, kind: Local, source: number, destination: number, linkBroadcast: boolean): Verdict {
    if (kind === Local.NONE) return Verdict.IP_NOT_FOR_US;
    if (kind === Local.MULTICAST && !this.#local.member(destination)) return Verdict.IP_NOT_FOR_US;
    if (iface === IFACE_LOCAL) return Verdict.OK;
    // RFC 1122 §3.3.6: sent to everybody on the link but to one host in IP: somebody's mistake, or an attempt to have all answer.
    if (linkBroadcast && kind === Local.OWN) return Verdict.IP_NOT_FOR_US;
    // RFC 1122 §3.2.1.3 (g): 127.0.0.0/8 never comes from a wire.
    if (isLoopback(destination) || isLoopback(source)) return Verdict.IP_SOURCE_INVALID;
    // (a): who does not know its address yet may ask everybody; (b) to (f) are no sources; our own is a forgery.
    if (isThisNetwork(source)) return source === 0 && kind !== Local.OWN ? Verdict.OK : Verdict.IP_SOURCE_INVALID;
    return this.#local.classify(source) === Local.NONE ? Verdict.OK : Verdict.IP_SOURCE_INVALID;
  }

  /**
   * RFC 1122 §3.2.1.8: options that mean nothing to us are passed over by their length; one whose length lies makes the rest
   * unreadable. Record route and timestamp are for echo requests (`EchoOptions`) and nothing to the other protocols: §3.2.1.8
   * (d) and (e) let a host do without.
   *
   * Deviation: a datagram that was source routed is refused even at its end, where RFC 1122 (c) would have us take it and
   * answer along the reversed route. That lets anyone speak in another's name; RFC 7126 §4.3 advises against it and Linux has
   * it off.
   */
  #options(at: number, headerBytes: number, broadcast: boolean): Verdict {
    const view = this.#ctx.slab.view;
    const parsed = this.#parsed;
    if (parseIpv4Options(view, at + Ipv4.OPTIONS, headerBytes - Ipv4.HEADER_BYTES, parsed) === Verdict.OK) {
      const sourceRoute = Ipv4OptionBit.LOOSE_SOURCE_ROUTE | Ipv4OptionBit.STRICT_SOURCE_ROUTE;
      return (parsed.present & sourceRoute) === 0 ? Verdict.OK : Verdict.IP_SOURCE_ROUTED;
    }
    // RFC 1122 §3.2.2.5: the pointer names the byte.
    this.#errors.send(
      Icmpv4Type.PARAMETER_PROBLEM,
      ParameterProblem.POINTER,
      (Ipv4.OPTIONS + parsed.problem) << 24,
      this.#ctx.slab.bytes,
      view,
      at,
      ipv4TotalLength(view, at),
      broadcast,
    );
    return Verdict.IP_OPTIONS;
  }

  /** A whole datagram to its transport. */
  #deliver(bytes: Uint8Array, view: DataView, at: number, iface: number, slot: number, broadcast: boolean): Verdict {
    const headerBytes = ipv4HeaderBytes(view, at);
    const transport = this.#ctx.transports[ipv4Protocol(view, at)];
    if (transport === undefined) {
      this.#ctx.stats.ipInUnknownProtos += 1;
      // RFC 1122 §3.2.2.1: should be told.
      this.#errors.send(
        Icmpv4Type.DESTINATION_UNREACHABLE,
        Unreachable.PROTOCOL,
        0,
        bytes,
        view,
        at,
        ipv4TotalLength(view, at),
        broadcast,
      );
      return Verdict.IP_PROTOCOL_UNKNOWN;
    }
    const packet = this.#packet;
    packet.bytes = bytes;
    packet.view = view;
    packet.at = at + headerBytes;
    packet.length = ipv4TotalLength(view, at) - headerBytes;
    packet.source = ipv4Source(view, at) as Address;
    packet.destination = ipv4Destination(view, at) as Address;
    packet.broadcast = broadcast;
    packet.tos = ipv4Tos(view, at);
    packet.ttl = ipv4Ttl(view, at);
    packet.iface = iface;
    packet.ipAt = at;
    packet.slot = slot;
    this.#ctx.stats.ipInDelivers += 1;
    return transport.input(packet);
  }
}
