import type { Driver } from '../../drivers/driver.js';
import { FaultDevice } from '../../drivers/fault.js';
import { noFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import type { Address, ConnectionId, ListenerId } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { type Device, type FrameBatch, Medium } from '../../stack/net/device.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import { Stack } from '../../stack/stack.js';
import { State } from '../../stack/tcp/state.js';

/** Two stacks on a wire that loses nothing, and whoever turns them: late, as the test says. */

/** Twice what the transfer has segments: a wire and a slab that run out would lose some. */
const SLOTS = 2048;
const PORT = 80;

/** One end of the transfer: sends so many bytes, reads what comes, and keeps count of what its device was given. */
export class End {
  /** Segments whose sequence numbers had been sent before. */
  readonly repeated: string[] = [];
  received = 0;
  ended = false;
  #sent = 0;
  #shut = false;
  #id = 0 as ConnectionId;
  readonly #buffer = new Uint8Array(65_536);
  readonly #highest = new Map<number, number>();

  constructor(
    readonly host: VirtualHost,
    readonly address: Address,
    readonly bytes: number,
  ) {}

  get stack(): Stack {
    return this.host.stack;
  }
  get established(): boolean {
    return this.#id !== 0 && this.#tcp.state(this.#id) !== State.SYN_SENT;
  }
  get #tcp(): Stack['tcp'] {
    return this.host.stack.tcp;
  }

  /** What TCP says itself about what it sent again. */
  get blamed(): Record<string, number> {
    const { tcpRetransSegs, tcpTimeouts, tcpLossProbes, tcpZeroWindowProbes, tcpKeepalives } = this.stack.net.stats;
    return { tcpRetransSegs, tcpTimeouts, tcpLossProbes, tcpZeroWindowProbes, tcpKeepalives };
  }

  listen(): void {
    const listener = this.#tcp.listen({ port: PORT });
    this.host.reactor.registerHandler(SocketKind.LISTENER, listener, this, Event.ACCEPTABLE);
  }
  open(remoteAddress: Address): void {
    this.#serve(this.#tcp.open({ remoteAddress, remotePort: PORT }));
    this.host.wake();
  }

  handleEvent(handle: number): void {
    if (this.#id !== 0) {
      this.#go();
      return;
    }
    const id = this.#tcp.accept(handle as ListenerId);
    if (id !== 0) this.#serve(id);
  }
  #serve(id: ConnectionId): void {
    this.#id = id;
    const events = Event.CONNECTED | Event.READABLE | Event.WRITABLE | Event.PEER_CLOSED;
    this.host.reactor.registerHandler(SocketKind.CONNECTION, id, this, events);
    if (this.#tcp.localPort(id) === PORT) this.#go();
  }
  #go(): void {
    while (this.#sent < this.bytes) {
      const wanted = Math.min(this.bytes - this.#sent, this.#buffer.length);
      const taken = this.#tcp.send(this.#id, this.#buffer, 0, wanted);
      this.#sent += taken;
      if (taken < wanted) break;
    }
    if (this.#sent === this.bytes && !this.#shut) {
      this.#shut = true;
      this.#tcp.shutdown(this.#id);
    }
    for (;;) {
      const count = this.#tcp.receive(this.#id, this.#buffer);
      this.ended ||= count < 0;
      if (count <= 0) return;
      this.received += count;
    }
  }

  /** Looks at every segment that leaves by the device. */
  watch(device: Device): void {
    const transmit = device.transmit.bind(device);
    device.transmit = (from: FrameBatch, first: number, slab: FrameSlab): number => {
      const seen: [number, number, number][] = [];
      for (let i = first; i < from.count; i++) {
        const at = (from.offsets[i] as number) + 20;
        const flags = slab.view.getUint8(at + 13);
        const header = (slab.view.getUint8(at + 12) >>> 4) * 4;
        // A SYN and a FIN take a number each.
        const length = (from.lengths[i] as number) - 20 - header + (flags & 1) + ((flags >>> 1) & 1);
        seen.push([slab.view.getInt32(at), slab.view.getInt32(at + 4), length]);
      }
      const taken = transmit(from, first, slab);
      for (const [ports, seq, length] of seen.slice(0, taken)) this.#note(ports, seq, length);
      return taken;
    };
  }
  #note(ports: number, seq: number, length: number): void {
    const highest = this.#highest.get(ports);
    if (length > 0 && highest !== undefined && ((seq - highest) | 0) < 0) this.repeated.push(`${seq}+${length}`);
    const end = (seq + length) | 0;
    if (highest === undefined || ((end - highest) | 0) > 0) this.#highest.set(ports, end);
  }
}

/** `lateUs`: by how much the next turn of that end comes too late. */
export class LateWorld {
  readonly world = new VirtualWorld(1_000_000);
  readonly ends: readonly [End, End];
  readonly #at = [Infinity, Infinity];

  /** `slow`: which end is behind a link of 10 Mbit/s, which spreads the ACKs of a flight; that end must be on time. */
  constructor(seed: number, latencyUs: number, bytes: readonly [number, number], slow?: number) {
    const wires: Driver[] = createWire({ latencyUs, medium: Medium.IP, queueFrames: SLOTS });
    const lane = { ...noFaults(), rateBits: 1e7 };
    if (slow !== undefined) wires[slow] = new FaultDevice(wires[slow] as Driver, { in: lane, out: lane }, seed);
    this.ends = [0, 1].map((which) => {
      const slab = new FrameSlab({ slots: SLOTS });
      const options = { now: this.world.now, slab, tcp: SMALL, udp: { receiveBytesTotal: 65_536 } };
      const stack = new Stack({ seed: seed * 2 + which, ...options });
      const host = this.world.add(`end ${which}`, stack, {
        onHandlerError(error) {
          throw error;
        },
      });
      const address = stack.net.parseAddress(`10.0.0.${which + 1}`);
      const device = wires[which] as Device;
      host.attach(device, { addresses: [{ address, prefixLength: 24 }] });
      const end = new End(host, address, bytes[which] as number);
      end.watch(device);
      return end;
    }) as unknown as [End, End];
    this.ends[1].listen();
    this.ends[0].open(this.ends[1].address);
  }

  get done(): boolean {
    return this.ends.every((end) => end.ended);
  }

  /** Each end's turns are late by themselves. */
  run(lateUs: (which: number) => number, limitUs: number): void {
    const until = this.world.now + limitUs;
    while (!this.done) {
      let next = Infinity;
      for (const [i, { host }] of this.ends.entries()) {
        const due = host.dirty ? this.world.now : host.turns.deadline();
        if (this.#at[i] === Infinity && due <= this.world.now) this.#at[i] = this.world.now + lateUs(i);
        next = Math.min(next, this.#at[i] === Infinity ? due : (this.#at[i] as number));
      }
      if (next > until) return;
      this.world.clock.set(next);
      for (const [i, { host }] of this.ends.entries()) if ((this.#at[i] as number) <= next) this.#turn(i, host);
    }
  }
  #turn(i: number, host: VirtualHost): void {
    this.#at[i] = Infinity;
    host.dirty = false;
    host.turns.run(this.world.now);
    host.turns.rest();
    if (host.turns.more || host.turns.again) host.dirty = true;
  }

  /** Both ends in one process, which does not run for a time whenever something is due. */
  runStalled(stallUs: () => number, limitUs: number): void {
    stall(this.world, stallUs, limitUs, () => this.done);
  }
}

export function stall(world: VirtualWorld, stallUs: () => number, limitUs: number, done: () => boolean): void {
  const until = world.now + limitUs;
  while (world.now < until && !done()) {
    const next = world.deadline();
    if (next === Infinity) return;
    world.clock.set(next + stallUs());
    world.round();
  }
}

/** Tables just large enough. */
export const SMALL = {
  connectionsMax: 64,
  activeMax: 64,
  timeWaitMax: 16,
  synReceivedMax: 16,
  listenersMax: 4,
  bufferBytesMax: 4 << 20,
  outOfOrderMax: 1024,
  transmitRecordsMax: 4096,
};
