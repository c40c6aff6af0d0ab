/** A server that echoes, a client that asks, and a flood beside them, on a wire with a TAP's queue; the server's work takes time. */
import { createWire, type LoopbackDevice } from '../../drivers/loopback.js';
import { EchoService } from '../../src/apps/stream-services.js';
import { TAP_COSTS } from '../../src/host/cost-model.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import { Acceptor } from '../../src/reactor/acceptor.js';
import { Prng } from '../../stack/base/prng.js';
import type { Address, ConnectionId, Us } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { FrameBatch } from '../../stack/net/device.js';
import { Stack, type StackOptions } from '../../stack/stack.js';
import { State } from '../../stack/tcp/state.js';
import { type FloodKind, floodFrames } from '../../tools/bench/flood-frames.js';

/** From the client's write to the server's device, and back: half of what a round trip over a TAP takes beside the server's turn. */
const LATENCY_US = 5;
/** As a TAP of ours has. */
const QUEUE_FRAMES = 4096;
const ECHO_PORT = 7;
const CLOSED_PORT = 9;
const LIMITS = {
  connectionsMax: 1024,
  activeMax: 1024,
  synReceivedMax: 256,
  timeWaitMax: 64,
  bufferBytesMax: 16 << 20,
};

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

export class FloodWorld {
  readonly world = new VirtualWorld(1_000_000);
  readonly server: VirtualHost;
  readonly client: VirtualHost;
  readonly serverAddress: Address;
  readonly clientAddress: Address;
  readonly #id: ConnectionId;
  /** The kernel's end of the wire. */
  readonly #far: LoopbackDevice;
  readonly #frames: Uint8Array[];
  readonly #slab = new FrameSlab({ slots: 8 });
  readonly #batch = new FrameBatch(1);
  readonly #prng = new Prng(31);
  readonly #into = new Uint8Array(64);
  #next = 0;

  constructor(kind: FloodKind, options: Partial<StackOptions> = {}) {
    const { world } = this;
    const [near, far] = createWire({ latencyUs: LATENCY_US, queueFrames: QUEUE_FRAMES, whenFull: 'drop' });
    this.#far = far;
    const serverStack = new Stack({ seed: 1, now: world.now, tcp: LIMITS, ...options });
    const clientStack = new Stack({ seed: 2, now: world.now, tcp: LIMITS });
    this.server = world.add('server', serverStack, {}, TAP_COSTS);
    this.client = world.add('client', clientStack);
    this.serverAddress = serverStack.net.parseAddress('10.0.0.1');
    this.clientAddress = clientStack.net.parseAddress('10.0.0.2');
    this.server.attach(near, { addresses: [{ address: this.serverAddress, prefixLength: 24 }] });
    this.client.attach(far, { addresses: [{ address: this.clientAddress, prefixLength: 24 }] });
    const listen = { address: this.serverAddress, port: ECHO_PORT, backlog: 128, noDelay: true };
    new Acceptor(serverStack, this.server.reactor, listen, new EchoService(this.server));
    this.#id = clientStack.tcp.open({ remoteAddress: this.serverAddress, remotePort: ECHO_PORT });
    this.client.wake();
    world.runFor(100_000);
    this.#frames = floodFrames(kind, {
      mac: near.mac,
      address: this.serverAddress,
      openPort: ECHO_PORT,
      closedPort: CLOSED_PORT,
      fromMac: far.mac,
      from: this.clientAddress,
    });
    this.echo();
  }

  /** One byte there and back, µs. */
  echo(): number {
    const { tcp } = this.client.stack;
    const start = this.world.now;
    tcp.send(this.#id, this.#into, 0, 1);
    this.client.wake();
    return this.#until(() => tcp.receive(this.#id, this.#into) === 1) - start;
  }

  #until(condition: () => boolean): Us {
    if (!this.world.runUntil(this.world.now + 10_000_000, condition)) throw new Error('no echo within ten seconds');
    return this.world.now;
  }

  /** One frame of the flood, now. Lost where the queue is full. */
  flood(): void {
    const frame = this.#frames[this.#next++ % this.#frames.length];
    const at = this.#slab.take() + this.#slab.headroom;
    this.#slab.bytes.set(frame, at);
    this.#batch.clear();
    this.#batch.push(at, frame.length);
    this.#far.advance(this.world.now);
    this.#far.transmit(this.#batch, 0, this.#slab);
  }

  /** Frames a second that the server takes in when there are always more. */
  saturation(durationUs: number): number {
    const { counters } = this.server.attachments[0].iface;
    const overload = (until: number): void => {
      while (this.world.now < until) {
        // More than the fastest server could take in this time.
        for (let i = 0; i < 200; i++) this.flood();
        this.world.runFor(100);
      }
    };
    overload(this.world.now + SATURATED_AFTER_US);
    const before = counters.framesReceived;
    overload(this.world.now + durationUs);
    return ((counters.framesReceived - before) / durationUs) * 1e6;
  }

  /** Echoes, one every so often, with frames of the flood at a rate, at random distances. */
  latency(perSecond: number, echoes: number): Latency {
    const samples: number[] = [];
    const { world } = this;
    let floodAt = perSecond === 0 ? Infinity : world.now;
    // The bursts that the rate limits allow are over by then.
    const steady = world.now + STEADY_AFTER_US;
    while (floodAt < steady) floodAt = this.#floodAt(floodAt, perSecond);
    const { tcp } = this.client.stack;
    for (let i = 0; i < echoes; i++) {
      const start = world.now + Math.ceil(this.#gap(ECHO_EVERY_US));
      while (floodAt < start) floodAt = this.#floodAt(floodAt, perSecond);
      world.runUntil(start);
      tcp.send(this.#id, this.#into, 0, 1);
      this.client.wake();
      let answered = -1;
      const isAnswered = (): boolean => {
        if (tcp.receive(this.#id, this.#into) !== 1) return false;
        answered = world.now;
        return true;
      };
      while (answered < 0) {
        if (floodAt === Infinity) world.runUntil(start + 10_000_000, isAnswered);
        else if (!world.runUntil(Math.floor(floodAt), isAnswered)) floodAt = this.#floodAt(floodAt, perSecond);
        if (world.now - start >= 10_000_000) throw new Error('no echo within ten seconds');
      }
      samples.push(answered - start);
    }
    samples.sort((a, b) => a - b);
    return { p50: samples[samples.length >> 1], p99: samples[Math.floor(samples.length * 0.99)] };
  }

  /** Requests of a peer that pings a thousand times a second beside the flood: how many were answered. */
  pings(perSecond: number, count: number): number {
    const { net } = this.client.stack;
    for (let i = 0; i < count; i++) {
      net.sendEcho(this.serverAddress, 5, i, 56);
      this.client.wake();
      this.#floodFor(1000, perSecond);
    }
    let answered = 0;
    while (net.nextEcho()) answered += net.echoResult.error === -1 ? 1 : 0;
    return answered;
  }

  /** A new connection beside the flood: is it established before a SYN would be repeated for the third time? */
  connects(perSecond: number): boolean {
    const { tcp } = this.client.stack;
    const id = tcp.open({ remoteAddress: this.serverAddress, remotePort: ECHO_PORT });
    this.client.wake();
    const end = this.world.now + 7_000_000;
    while (this.world.now < end) {
      this.#floodFor(1000, perSecond);
      if (tcp.state(id) === State.ESTABLISHED) return true;
    }
    return false;
  }

  #floodFor(us: number, perSecond: number): void {
    const end = this.world.now + us;
    let at: number = this.world.now;
    while (at < end) at = this.#floodAt(at, perSecond);
    this.world.runUntil(end);
  }

  /** Sends the frame that is due, and says when the next one is. */
  #floodAt(at: number, perSecond: number): number {
    this.world.runUntil(Math.floor(at));
    this.flood();
    return at + this.#gap(1e6 / perSecond);
  }

  /** A time with this mean, as between independent events. */
  #gap(meanUs: number): number {
    return -Math.log(1 - this.#prng.fraction()) * meanUs;
  }
}

/** From the beginning of an overload to the first frame that counts: those of the bursts that the limits allow have been taken. */
const SATURATED_AFTER_US = 20_000;
/** From the beginning of a flood to the first echo. */
const STEADY_AFTER_US = 100_000;
/** Between an echo's answer and the next request, on average. */
const ECHO_EVERY_US = 500;
