import { StackError } from '../base/errors.js';
import type { Address } from '../base/units.js';
import { formatAddress, maskOf } from './address.js';

export interface RouteOptions {
  /** Bits beyond `prefixLength` must be zero. */
  readonly destination: Address;
  readonly prefixLength: number;
  /** The router; absent or 0 when the destination is on the link itself. */
  readonly gateway?: Address;
  /** Index of the interface; absent, the one on whose link the gateway is. */
  readonly iface?: number;
  /** A smaller MTU than the interface's, known beforehand. */
  readonly mtu?: number;
  /** Among equal prefixes the lowest wins. 0 by default, as connected routes have. */
  readonly metric?: number;
}

/** Columns of a route. */
export const enum Route {
  NETWORK = 0,
  MASK = 1,
  GATEWAY = 2,
  IFACE = 3,
  /** 0: the interface's. */
  MTU = 4,
  LENGTH = 5,
  METRIC = 6,
  STRIDE = 8,
}

/**
 * A host has few routes: those of its links, a default, perhaps a handful more. So the table is a list, longest prefix
 * first, and a look-up is the first match; with a dozen routes that is faster than any tree, and it is done once for each
 * destination and change, not for each datagram (see `path.ts`).
 */
export class RouteTable {
  rows = new Int32Array(16 * Route.STRIDE);
  count = 0;

  /**
   * Start of the row that decides for `destination` (RFC 1122 §3.3.1.2 and RFC 1812 §5.2.4.3), or -1. With `after`, the row that
   * decides if that one and those before it cannot be used.
   */
  lookup(destination: number, after = -Route.STRIDE): number {
    const rows = this.rows;
    const end = this.count * Route.STRIDE;
    for (let r = after + Route.STRIDE; r < end; r += Route.STRIDE)
      if ((destination & rows[r + Route.MASK]) === rows[r + Route.NETWORK]) return r;
    return -1;
  }

  add(options: RouteOptions, iface: number): void {
    checkPrefix(options.destination, options.prefixLength);
    const metric = options.metric ?? 0;
    if (this.#index(options, iface) >= 0)
      throw new StackError(
        'EADDRINUSE',
        `there is a route to ${formatAddress(options.destination)}/${options.prefixLength} with metric ${metric} already; remove it first`,
      );
    if ((this.count + 1) * Route.STRIDE > this.rows.length) this.#grow();
    let at = 0;
    while (at < this.count && !this.#after(at * Route.STRIDE, options.prefixLength, metric)) at++;
    const r = at * Route.STRIDE;
    this.rows.copyWithin(r + Route.STRIDE, r, this.count * Route.STRIDE);
    this.rows[r + Route.NETWORK] = options.destination;
    this.rows[r + Route.MASK] = maskOf(options.prefixLength);
    this.rows[r + Route.GATEWAY] = options.gateway ?? 0;
    this.rows[r + Route.IFACE] = iface;
    this.rows[r + Route.MTU] = options.mtu ?? 0;
    this.rows[r + Route.LENGTH] = options.prefixLength;
    this.rows[r + Route.METRIC] = metric;
    this.count += 1;
  }

  /** False when there was no such route. */
  remove(options: RouteOptions, iface: number): boolean {
    const index = this.#index(options, iface);
    if (index < 0) return false;
    this.rows.copyWithin(index * Route.STRIDE, (index + 1) * Route.STRIDE, this.count * Route.STRIDE);
    this.count -= 1;
    return true;
  }

  /** Whether an interface's prefix has the route to its link already. */
  hasConnected(network: number, prefixLength: number, iface: number): boolean {
    const { rows } = this;
    for (let r = 0; r < this.count * Route.STRIDE; r += Route.STRIDE)
      if (
        rows[r + Route.NETWORK] === network &&
        rows[r + Route.LENGTH] === prefixLength &&
        rows[r + Route.IFACE] === iface &&
        rows[r + Route.GATEWAY] === 0
      )
        return true;
    return false;
  }

  /** Every route, most specific first: for printing. */
  *list(): Iterable<RouteOptions> {
    for (let r = 0; r < this.count * Route.STRIDE; r += Route.STRIDE)
      yield {
        destination: this.rows[r + Route.NETWORK] as Address,
        prefixLength: this.rows[r + Route.LENGTH],
        gateway: this.rows[r + Route.GATEWAY] as Address,
        iface: this.rows[r + Route.IFACE],
        mtu: this.rows[r + Route.MTU],
        metric: this.rows[r + Route.METRIC],
      };
  }

  #grow(): void {
    const grown = new Int32Array(this.rows.length * 2);
    grown.set(this.rows);
    this.rows = grown;
  }

  /** Whether the row at `r` comes after a route of this length and metric. */
  #after(r: number, prefixLength: number, metric: number): boolean {
    const length = this.rows[r + Route.LENGTH];
    return length < prefixLength || (length === prefixLength && this.rows[r + Route.METRIC] > metric);
  }

  /** Routes are the same when network, length, metric, gateway and interface are. */
  #index(options: RouteOptions, iface: number): number {
    for (let i = 0; i < this.count; i++) {
      const r = i * Route.STRIDE;
      if (
        this.rows[r + Route.NETWORK] === options.destination &&
        this.rows[r + Route.LENGTH] === options.prefixLength &&
        this.rows[r + Route.METRIC] === (options.metric ?? 0) &&
        this.rows[r + Route.GATEWAY] === (options.gateway ?? 0) &&
        this.rows[r + Route.IFACE] === iface
      )
        return i;
    }
    return -1;
  }
}

/** A prefix a program gave us: the caller's mistakes are thrown. */
export function checkPrefix(network: Address, prefixLength: number): void {
  if (!Number.isInteger(prefixLength) || prefixLength < 0 || prefixLength > 32)
    throw new StackError('ERR_OUT_OF_RANGE', `a prefix length is 0 to 32, not ${prefixLength}`);
  if ((network & ~maskOf(prefixLength)) !== 0)
    throw new StackError(
      'EINVAL',
      `${formatAddress(network)}/${prefixLength} has bits behind its prefix; the network is ${formatAddress((network & maskOf(prefixLength)) as Address)}`,
    );
}
