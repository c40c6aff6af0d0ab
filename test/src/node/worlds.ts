import type t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { Host } from '../../../src/host/host.js';
import { NodeNet, type NodeNetOptions } from '../../../src/node/node-net.js';
import type { Address } from '../../../stack/base/units.js';
import { Stack, type StackOptions } from '../../../stack/stack.js';
import { SMALL_UDP } from '../../small-udp.js';

/** Two machines in this process, on Node's event loop, with a wire between them. */
export interface TwoHosts {
  readonly server: Host;
  readonly client: Host;
  readonly serverAddress: string;
  readonly clientAddress: string;
}
type Test = Pick<typeof t, 'teardown'>;

export const SERVER = '10.0.0.1';
export const CLIENT = '10.0.0.2';
export const PREFIX_LENGTH = 24;

/** Enough for the tests, and small enough to make two for each. */
const SMALL: StackOptions = { seed: 1, tcp: { connectionsMax: 4096, activeMax: 4096 }, udp: SMALL_UDP };

export function twoHosts(t: Test, options: Partial<StackOptions> = {}): TwoHosts {
  const [near, far] = createWire();
  const hosts = [SERVER, CLIENT].map((address, i) => {
    const stack = new Stack({ ...SMALL, seed: i + 1, ...options });
    const host = new Host({ stack });
    host.attach(i === 0 ? near : far, { addresses: [at(stack, address)] });
    host.start();
    // A test that leaves a socket open should say so by hanging, not the host.
    host.unref();
    t.teardown(() => host.stop());
    return host;
  });
  return { server: hosts[0], client: hosts[1], serverAddress: SERVER, clientAddress: CLIENT };
}

export function at(stack: Stack, address: string): { address: Address; prefixLength: number } {
  return { address: stack.net.parseAddress(address), prefixLength: PREFIX_LENGTH };
}

export function twoNets(t: Test, options: NodeNetOptions = {}) {
  const hosts = twoHosts(t);
  return {
    ...hosts,
    server: new NodeNet(hosts.server, options),
    client: new NodeNet(hosts.client, options),
  };
}
