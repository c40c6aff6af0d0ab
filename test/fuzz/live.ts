import { createWire } from '../../drivers/loopback.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import type { Address, ConnectionId } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Stack } from '../../stack/stack.js';
import { PATTERN } from '../sim/program.js';
import { SMALL_UDP } from '../small-udp.js';

const LIVE_PORT = 80;
/** What each direction of each live connection writes between two bursts of fuzz: a trickle that never stops. */
const WRITE_BYTES = 700;

/** One direction of a live connection. */
class Stream {
  sent = 0;
  received = 0;
  ended = false;
  constructor(
    readonly from: Stack,
    readonly fromId: ConnectionId,
    readonly to: Stack,
    readonly toId: ConnectionId,
    readonly salt: number,
  ) {}

  write(count: number): void {
    const at = (this.sent + this.salt) % PATTERN.length;
    this.sent += this.from.tcp.send(this.fromId, PATTERN, at, Math.min(at + count, PATTERN.length));
  }
  /** Reads all there is and checks it. */
  read(into: Uint8Array): void {
    for (;;) {
      const n = this.to.tcp.receive(this.toId, into);
      if (n < 0) this.ended = true;
      if (n <= 0) return;
      for (let i = 0; i < n; i++) {
        if (into[i] !== PATTERN[(this.received + i + this.salt) % PATTERN.length])
          throw new Error(`byte ${this.received + i} of a live connection is wrong`);
      }
      this.received += n;
    }
  }
}

/** Two stacks on a clean wire with connections between them that never stop talking. The near one is what the fuzz is thrown at. */
export class LiveWorld {
  readonly world = new VirtualWorld(1_000_000);
  readonly near: Stack;
  readonly far: Stack;
  readonly nearHost: VirtualHost;
  readonly farHost: VirtualHost;
  readonly nearAddress: Address;
  readonly farAddress: Address;
  readonly ids: ConnectionId[] = [];
  readonly streams: Stream[] = [];
  readonly #into = new Uint8Array(65_536);

  constructor(seed: number, connections: number, noteInts = 0) {
    const [near, far] = createWire({ latencyUs: 100 });
    const limits = {
      connectionsMax: 256,
      activeMax: 256,
      synReceivedMax: 64,
      timeWaitMax: 64,
      listenersMax: 4,
      bufferBytesMax: 16 << 20,
      outOfOrderMax: 512,
      transmitRecordsMax: 4096,
    };
    this.near = new Stack({
      seed,
      now: this.world.now,
      slab: new FrameSlab({ slots: 1024, noteInts }),
      tcp: limits,
      udp: SMALL_UDP,
    });
    this.far = new Stack({
      seed: seed + 1,
      now: this.world.now,
      slab: new FrameSlab({ slots: 1024 }),
      tcp: limits,
      udp: SMALL_UDP,
    });
    this.nearHost = this.world.add('near', this.near);
    this.farHost = this.world.add('far', this.far);
    this.nearAddress = this.near.net.parseAddress('10.0.0.1');
    this.farAddress = this.far.net.parseAddress('10.0.0.2');
    this.nearHost.attach(near, { addresses: [{ address: this.nearAddress, prefixLength: 24 }] });
    this.farHost.attach(far, { addresses: [{ address: this.farAddress, prefixLength: 24 }] });
    for (let i = 0; i < connections; i++) this.#connect(i);
  }

  /** Every second one is opened by the near side. */
  #connect(i: number): void {
    const [opener, server] = i % 2 === 0 ? [this.near, this.far] : [this.far, this.near];
    const port = LIVE_PORT + i;
    const listener = server.tcp.listen({ port });
    const remoteAddress = server === this.far ? this.farAddress : this.nearAddress;
    const openerId = opener.tcp.open({ remoteAddress, remotePort: port });
    this.wake();
    this.world.runFor(10_000);
    const serverId = server.tcp.accept(listener) as ConnectionId;
    server.tcp.closeListener(listener);
    this.ids.push(opener === this.near ? openerId : serverId);
    this.streams.push(new Stream(opener, openerId, server, serverId, i * 1000));
    this.streams.push(new Stream(server, serverId, opener, openerId, i * 2000 + 7));
  }

  wake(): void {
    this.nearHost.wake();
    this.farHost.wake();
  }

  /** The live connections say something more; time passes. */
  breathe(us: number): void {
    for (const stream of this.streams) stream.write(WRITE_BYTES);
    this.wake();
    this.world.runFor(us);
    for (const stream of this.streams) stream.read(this.#into);
    this.wake();
  }

  /** The live connections end in good order; everything that was sent has arrived. */
  finish(): void {
    for (const stream of this.streams) stream.from.tcp.shutdown(stream.fromId);
    this.wake();
    for (let i = 0; i < 1000 && this.streams.some((stream) => !stream.ended); i++) {
      this.world.runFor(100_000);
      for (const stream of this.streams) stream.read(this.#into);
      this.wake();
    }
    for (const stream of this.streams) stream.to.tcp.close(stream.toId);
    this.wake();
  }
}
