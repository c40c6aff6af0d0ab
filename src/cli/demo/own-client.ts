import { LoopbackDevice } from '../../../drivers/loopback.js';
import type { Address } from '../../../stack/base/units.js';
import { Stack } from '../../../stack/stack.js';
import { monotonicClock } from '../../host/clock.js';
import { Host } from '../../host/host.js';
import { NodeNet } from '../../node/node-net.js';
import { FrameWatch } from '../frame-watch.js';
import { Pinger } from '../pinger.js';
import { formatIpv4, type Subnet } from '../values.js';
import type { Client } from './checks.js';
import { request } from './kernel-client.js';

const PINGS = 3;

/** A second stack of ours at the other end of the wire, for where no kernel can be the peer. */
export class OwnClient implements Client {
  readonly fetcher = 'http';
  readonly #host: Host;
  readonly #net: NodeNet;
  readonly #watch: FrameWatch;

  constructor(
    device: LoopbackDevice,
    address: Subnet,
    readonly server: Address,
    seed: number,
    readonly signal: AbortSignal,
  ) {
    this.#watch = new FrameWatch(device);
    this.#host = new Host({ stack: new Stack({ seed, now: monotonicClock.now() }) });
    this.#host.attach(this.#watch, {
      addresses: [{ address: address.address as Address, prefixLength: address.prefixLength }],
    });
    this.#host.start();
    this.#net = new NodeNet(this.#host);
  }

  async ping() {
    const options = {
      destination: this.server,
      count: PINGS,
      intervalUs: 200_000,
      timeoutUs: 2_000_000,
      payloadBytes: 56,
      ttl: 64,
      dontFragment: false,
    };
    const pinger = new Pinger(this.#host, this.#watch, 1, options, () => {});
    this.signal.addEventListener('abort', () => pinger.stop());
    const { received, rtt } = await pinger.run();
    const average = rtt === undefined ? '' : `, ${(rtt.avgUs / 1000).toFixed(3)} ms on average`;
    const text = `${received} of ${PINGS} echo requests answered${average}`;
    return { name: 'ping', outcome: received > 0 ? 'passed' : 'failed', text } as const;
  }

  get(path: string) {
    return this.#request(path, 'GET', 0);
  }
  put(path: string, bytes: number) {
    return this.#request(path, 'PUT', bytes);
  }

  #request(path: string, method: string, uploadBytes: number) {
    // An agent each: nothing is kept alive, so the connection is closed as curl does.
    return request(`http://${formatIpv4(this.server)}${path}`, method, uploadBytes, this.signal, this.#net.agent());
  }

  close(): void {
    this.#host.stop();
  }
}
