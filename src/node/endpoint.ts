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
