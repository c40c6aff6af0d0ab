import { isIPv6 } from 'node:net';
import { StackError } from '../../stack/base/errors.js';
import type { Address } from '../../stack/base/units.js';
import type { Network } from '../../stack/net/network.js';

/** Where one end of a socket is, as Node's `address()` has it. */
export interface Endpoint {
  address: string;
  port: number;
  family: string;
}

/** True, as the calls that fill one in report success. */
export function fill(into: Partial<Endpoint>, address: string, port: number): boolean {
  into.address = address;
  into.family = address.includes(':') ? 'IPv6' : 'IPv4';
  into.port = port;
  return true;
}

/** The address is a number already, looked up by Node; a family the stack does not speak is said as the kernel says it. */
export function parseAddress(net: Network, address: string): Address {
  if (isIPv6(address)) throw new StackError('EAFNOSUPPORT', `${address} is an IPv6 address; the stack speaks IPv4`);
  return net.parseAddress(address);
}

export function formatAddress(net: Network, address: Address): string {
  return address === 0 ? '0.0.0.0' : net.formatAddress(address);
}
