import { assert } from '../base/assert.js';
import { isThisNetwork, LIMITED_BROADCAST } from './address.js';
import type { Context } from './context.js';
import { Local, type LocalAddresses } from './local-addresses.js';
import type { PathMtuTable } from './path-mtu.js';
import { Route, type RouteTable } from './route.js';

/** How a destination is reached. */
export const enum PathKind {
  UNROUTED = 0,
  UNICAST = 1,
  /** To ourselves: never on a wire. */
  LOCAL = 2,
  BROADCAST = 3,
  MULTICAST = 4,
  /** To a host whose only routes lead over links that are down. */
  DOWN = 5,
}

/** Columns of a path. */
export const enum Path {
  DESTINATION = 0,
  GENERATION = 1,
  KIND = 2,
  IFACE = 3,
  /** The gateway, or the destination itself when it is on the link. */
  NEXT_HOP = 4,
  /** Row of the next hop in the neighbour cache, or -1. A hint: it may be another's by now. */
  NEIGHBOR = 5,
  MTU = 6,
  /** Where to speak from. */
  SOURCE = 7,
  /** 1: the path is narrower than we believe possible, so DF must not be set. */
  LOCKED = 8,
  /** Of the first link alone: what we can receive, whatever the way there takes. */
  LINK_MTU = 9,
  STRIDE = 12,
}

/** A datagram to ourselves has no link to fit; a slot bounds it. */
const LOCAL_MTU_MAX = 65535;

/**
 * Route, neighbour and path MTU of the destinations in use, so that a datagram costs one compare instead of a route
 * look-up and two more. Direct-mapped: a collision costs a look-up, nothing else. Whatever changes a route, an address or
 * an MTU estimate raises the generation, and every path is found anew when next used.
 */
export class PathCache {
  readonly t: Int32Array;
  readonly #ctx: Context;
  readonly #local: LocalAddresses;
  readonly #shift: number;
  #generation = 1;

  constructor(
    ctx: Context,
    local: LocalAddresses,
    readonly routes: RouteTable,
    readonly pathMtu: PathMtuTable,
  ) {
    const entries = ctx.limits.pathsMax;
    assert(entries >= 2 && (entries & (entries - 1)) === 0, 'pathsMax is a power of two');
    this.#ctx = ctx;
    this.#local = local;
    this.#shift = Math.clz32(entries) + 1;
    this.t = new Int32Array(entries * Path.STRIDE);
  }

  /** Start of the destination's path in `t`. Never fails: a destination without a route has a path that says so. */
  find(destination: number): number {
    const p = (Math.imul(destination, 0x9e3779b1) >>> this.#shift) * Path.STRIDE;
    if (this.t[p + Path.DESTINATION] === destination && this.t[p + Path.GENERATION] === this.#generation) return p;
    this.#resolve(p, destination);
    return p;
  }

  /** Something changed that paths depend on. */
  invalidate(): void {
    this.#generation = (this.#generation + 1) | 0;
    if (this.#generation === 0) this.#generation = 1;
  }

  #resolve(p: number, destination: number): void {
    const t = this.t;
    t[p + Path.DESTINATION] = destination;
    t[p + Path.GENERATION] = this.#generation;
    t[p + Path.KIND] = PathKind.UNROUTED;
    t[p + Path.IFACE] = -1;
    t[p + Path.NEXT_HOP] = destination;
    t[p + Path.NEIGHBOR] = -1;
    t[p + Path.MTU] = 0;
    t[p + Path.SOURCE] = 0;
    t[p + Path.LOCKED] = 0;
    t[p + Path.LINK_MTU] = 0;
    switch (this.#local.classify(destination)) {
      case Local.OWN:
        // The slot's payload begins behind the headroom, and the IP header of a datagram in it before that.
        t[p + Path.KIND] = PathKind.LOCAL;
        t[p + Path.MTU] = Math.min(LOCAL_MTU_MAX, this.#ctx.slab.frameBytesMax);
        t[p + Path.LINK_MTU] = t[p + Path.MTU];
        t[p + Path.SOURCE] = destination;
        return;
      case Local.BROADCAST:
        this.#group(p, PathKind.BROADCAST, destination);
        return;
      case Local.MULTICAST:
        this.#group(p, PathKind.MULTICAST, destination);
        return;
      case Local.NONE:
        // RFC 1122 §3.2.1.3 (a), (b): 0.0.0.0/8 must not be sent to.
        if (!isThisNetwork(destination)) this.#unicast(p, destination);
        return;
    }
  }

  /**
   * A link that is down has no routes, as in Linux: a less specific one counts, and without any nothing new is opened. The path
   * keeps its MTU, because connections that exist may find their link again.
   */
  #unicast(p: number, destination: number): void {
    const t = this.t;
    const { interfaces } = this.#ctx;
    const rows = this.routes.rows;
    const best = this.routes.lookup(destination);
    if (best < 0) return;
    let r = best;
    while (r >= 0 && !interfaces[rows[r + Route.IFACE]].up) r = this.routes.lookup(destination, r);
    const down = r < 0;
    if (down) r = best;
    const iface = interfaces[rows[r + Route.IFACE]];
    const nextHop = rows[r + Route.GATEWAY] !== 0 ? rows[r + Route.GATEWAY] : destination;
    let mtu = iface.mtu;
    if (rows[r + Route.MTU] !== 0 && rows[r + Route.MTU] < mtu) mtu = rows[r + Route.MTU];
    const estimate = this.pathMtu.get(destination);
    if (estimate !== 0 && estimate < mtu) mtu = estimate;
    t[p + Path.KIND] = down ? PathKind.DOWN : PathKind.UNICAST;
    t[p + Path.IFACE] = iface.index;
    t[p + Path.NEXT_HOP] = nextHop;
    t[p + Path.MTU] = mtu;
    t[p + Path.LINK_MTU] = iface.mtu;
    t[p + Path.SOURCE] = down ? 0 : this.#sourceOn(iface.index, nextHop);
    t[p + Path.LOCKED] = this.pathMtu.locked(destination) ? 1 : 0;
  }

  /**
   * Broadcast goes out where the prefix is; limited broadcast and multicast where a route says, else by the first
   * interface (RFC 1122 §3.3.6 and §3.3.7 leave the choice to the host; a program that cares adds a route).
   */
  #group(p: number, kind: PathKind, destination: number): void {
    const t = this.t;
    let index = destination === LIMITED_BROADCAST ? -1 : this.#local.ifaceOf(destination);
    if (index < 0) {
      const r = this.routes.lookup(destination);
      index = r < 0 ? 0 : this.routes.rows[r + Route.IFACE];
    }
    if (index >= this.#ctx.interfaces.length) return;
    t[p + Path.KIND] = kind;
    t[p + Path.IFACE] = index;
    t[p + Path.MTU] = this.#ctx.interfaces[index].mtu;
    t[p + Path.LINK_MTU] = t[p + Path.MTU];
    t[p + Path.SOURCE] = this.#sourceOn(index, destination);
  }

  /** RFC 1122 §3.3.4.3: an address of the interface the datagram leaves by; failing that any of ours. */
  #sourceOn(index: number, nextHop: number): number {
    const source = this.#ctx.interfaces[index].addressFor(nextHop);
    if (source !== 0) return source;
    for (let i = 0; i < this.#ctx.interfaces.length; i++) {
      const other = this.#ctx.interfaces[i].addressFor(nextHop);
      if (other !== 0) return other;
    }
    return 0;
  }
}
