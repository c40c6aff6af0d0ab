import type { Test } from 'tap';
import { FaultDevice } from '../../drivers/fault.js';
import { noFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import { DiscardService } from '../../src/apps/stream-services.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import { Acceptor, Connector, type ServiceHandler } from '../../src/reactor/acceptor.js';
import type { Handle } from '../../src/reactor/event-handler.js';
import type { Address, ConnectionId } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { PoolReport } from '../../stack/memory/pool-report.js';
import { Medium } from '../../stack/net/device.js';
import { Event } from '../../stack/net/event-queue.js';
import { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { FULL } from '../full.js';
import { type Behaviour, Horde } from './horde.js';
import { poolOf } from './pool.js';

/** A server between a horde of hostile peers and one honest client behind a path of some length. */

/** Everything at the size of the defaults in the full run, else at a sixteenth of it. */
export const SCALE = FULL ? 1 : 1 / 16;

/** Where the server of the horde answers with more than anybody reads, … */
export const ANSWERS = 80;
/** … where nobody ever reads, … */
export const UNREAD = 90;
/** … and the honest client's: what it sends is read at once; it is sent as much as it asks for. */
const DISCARD = 9;
const PAGE = 8080;

const LATENCY_US = 10_000;

/** Sends without end what nobody may ever read. */
class Answers implements ServiceHandler {
  readonly bytes = new Uint8Array(1 << 20);
  constructor(readonly host: VirtualHost) {}
  open(): number {
    return 0;
  }
  handleEvent(handle: Handle, events: number): void {
    const { tcp } = this.host.stack;
    const id = handle as ConnectionId;
    if ((events & (Event.FAILED | Event.CLOSED)) !== 0) {
      tcp.close(id);
      return;
    }
    while (tcp.send(id, this.bytes) === this.bytes.length);
  }
}

/** Leaves what comes where it is. */
class Unread implements ServiceHandler {
  constructor(readonly host: VirtualHost) {}
  open(): number {
    return 0;
  }
  handleEvent(handle: Handle, events: number): void {
    if ((events & (Event.FAILED | Event.CLOSED)) !== 0) this.host.stack.tcp.close(handle as ConnectionId);
  }
}

/** Sends as many bytes as it is to, and then closes its half. */
class Sends implements ServiceHandler {
  readonly #bytes = new Uint8Array(65_536);
  readonly #left = new Map<ConnectionId, number>();
  failure = '';
  constructor(
    readonly host: VirtualHost,
    readonly count: () => number,
  ) {}
  open(id: ConnectionId): number {
    this.#left.set(id, this.count());
    this.#go(id);
    return 0;
  }
  handleEvent(handle: Handle, events: number): void {
    const { tcp } = this.host.stack;
    const id = handle as ConnectionId;
    if ((events & Event.FAILED) !== 0) this.failure = String(tcp.takeError(id));
    if ((events & (Event.FAILED | Event.CLOSED)) !== 0) tcp.close(id);
    else this.#go(id);
  }
  #go(id: ConnectionId): void {
    const { tcp } = this.host.stack;
    let left = this.#left.get(id);
    if (left === undefined) return;
    while (left > 0) {
      const offered = Math.min(left, this.#bytes.length);
      const taken = tcp.send(id, this.#bytes, 0, offered);
      left -= taken;
      this.#left.set(id, left);
      if (taken < offered) return;
    }
    this.#left.delete(id);
    tcp.shutdown(id);
  }
}

export interface RigOptions {
  readonly server?: Partial<TcpLimits>;
  readonly loss?: number;
}

export class Rig {
  readonly world = new VirtualWorld(1_000_000);
  readonly server: VirtualHost;
  readonly client: VirtualHost;
  readonly horde: Horde;
  readonly serverAddress: Address;
  readonly #discards: DiscardService;
  readonly #reads: DiscardService;
  readonly #sends: Sends;
  readonly #pages: Sends;
  #pageBytes = 0;

  constructor(
    readonly t: Test,
    behaviour: Behaviour,
    options: RigOptions = {},
  ) {
    this.server = this.#host('server', 1, { ...LIMITS, ...options.server });
    this.client = this.#host('client', 2, { connectionsMax: 64, activeMax: 64, listenersMax: 4, synReceivedMax: 16 });
    const [near, far] = createWire({ latencyUs: LATENCY_US, medium: Medium.IP });
    const loss = { ...noFaults(), loss: options.loss ?? 0 };
    this.serverAddress = this.#attach(this.server, near, '10.0.0.1');
    this.#attach(this.client, new FaultDevice(far, { in: loss, out: loss }, 7), '10.0.0.2');
    this.horde = new Horde(this.server.stack.net.parseAddress('10.1.0.1'), behaviour);
    this.#attach(this.server, this.horde, '10.1.0.1');
    this.#discards = new DiscardService(this.server);
    this.#pages = new Sends(this.server, () => this.#pageBytes);
    this.#reads = new DiscardService(this.client);
    this.#sends = new Sends(this.client, () => this.#pageBytes);
    this.#serve(DISCARD, this.#discards);
    this.#serve(PAGE, this.#pages);
    this.#serve(ANSWERS, new Answers(this.server));
    for (let port = UNREAD; port < UNREAD + 4; port++) this.#serve(port, new Unread(this.server));
  }

  #host(name: string, seed: number, limits: Partial<TcpLimits>): VirtualHost {
    const slab = new FrameSlab({ slots: 4096 });
    // How many SYNs are answered in a second is another test's concern.
    const net = { synAnswersPerSecond: 1 << 20, synAnswersBurst: 1 << 20 };
    const stack = new Stack({ seed, now: this.world.now, slab, tcp: limits, net });
    return this.world.add(name, stack, {
      onHandlerError(error) {
        throw error;
      },
    });
  }

  #attach(host: VirtualHost, device: Parameters<VirtualHost['attach']>[0], text: string): Address {
    const address = host.stack.net.parseAddress(text);
    host.attach(device, { addresses: [{ address, prefixLength: 16 }] });
    return address;
  }

  #serve(port: number, service: ServiceHandler): void {
    new Acceptor(this.server.stack, this.server.reactor, { port, backlog: 1024 }, service);
  }

  /** So many hostile peers connect, some hundred at a time, and do what they are for. */
  invade(count: number, serverPort: number, first = 0): void {
    const base = this.server.stack.net.parseAddress('10.1.1.0');
    for (let i = first; i < first + count; i++) {
      this.horde.connect(base + 1 + Math.floor(i / 50_000), 1024 + (i % 50_000), serverPort);
      if (i % 256 === 255) this.world.settle();
    }
    this.world.settle();
  }

  /** Virtual time that an upload of so many bytes takes, from OPEN to the last byte read, µs. Fails after `limitUs`. */
  upload(bytes: number, limitUs: number): number {
    this.#pageBytes = bytes;
    const from = this.#discards.bytes;
    return this.#transfer(this.#sends, DISCARD, () => this.#discards.bytes - from >= bytes, limitUs);
  }

  /** The same for a page. */
  page(bytes: number, limitUs: number): number {
    this.#pageBytes = bytes;
    const from = this.#reads.bytes;
    return this.#transfer(this.#reads, PAGE, () => this.#reads.bytes - from >= bytes, limitUs);
  }

  #transfer(service: ServiceHandler, port: number, done: () => boolean, limitUs: number): number {
    const began = this.world.now;
    this.client.stack.advance(began);
    new Connector(this.client.stack, this.client.reactor, service).connect({
      remoteAddress: this.serverAddress,
      remotePort: port,
    });
    this.client.wake();
    const came = this.world.runUntil(began + limitUs, done);
    const tookUs = this.world.now - began;
    this.t.ok(came, `all bytes have come, ${this.#sends.failure}${this.#pages.failure}`);
    this.world.runFor(1_000_000);
    return tookUs;
  }

  pool(name: string): PoolReport {
    return poolOf(this.server.stack, name);
  }

  /** The horde leaves; when TIME-WAIT is over nothing of anybody may be left. */
  expectAllFreed(): void {
    this.horde.leave();
    this.world.runFor(130_000_000);
    const left = this.server.stack.pools().filter((pool) => pool.used !== 0);
    this.t.same(left, [], 'every pool is empty again');
    this.t.equal(this.server.stack.slab.freeCount, this.server.stack.slab.slots);
    this.checkAccounts();
  }

  /** What the holders are said to hold is what they do. */
  checkAccounts(): void {
    const { hot, holders, arena, table } = this.server.stack.tcp.context;
    let held = 0;
    for (let row = 0; row < table.highWater; row++) {
      const c = row * 16;
      if (hot[c + 14] !== 0) held += holders.chunksOf(hot[c + 14] as number);
    }
    this.t.equal(held, arena.queued, 'every chunk is on somebody’s account');
  }
}

/** The defaults at the scale of the run. */
export const LIMITS: Partial<TcpLimits> = {
  connectionsMax: FULL ? 1 << 18 : 1 << 14,
  activeMax: FULL ? 1 << 18 : 1 << 14,
  bufferBytesMax: (512 << 20) * SCALE,
  outOfOrderMax: (1 << 16) * SCALE,
  transmitRecordsMax: (1 << 18) * SCALE,
  listenersMax: 16,
};
