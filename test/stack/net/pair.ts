import { Prng } from '../../../stack/base/prng.js';
import type { Us } from '../../../stack/base/units.js';
import { FrameSlab, HEADROOM_BYTES } from '../../../stack/memory/frame-slab.js';
import { parseAddress } from '../../../stack/net/address.js';
import type { NetworkLimits } from '../../../stack/net/context.js';
import { Medium } from '../../../stack/net/device.js';
import type { Interface, InterfaceOptions } from '../../../stack/net/interface.js';
import { Neighbor, NeighborState } from '../../../stack/net/neighbor-row.js';
import { Network } from '../../../stack/net/network.js';
import { Note } from '../../../stack/net/note.js';
import type { ErrorReport, InboundPacket, Transport } from '../../../stack/net/transport.js';
import { Clock } from '../../../stack/time/clock.js';
import { Verdict } from '../../../stack/wire/verdict.js';

export interface HostOptions extends Partial<InterfaceOptions> {
  readonly address?: string;
  readonly prefixLength?: number;
  readonly seed?: number;
  readonly slots?: number;
  readonly limits?: Partial<NetworkLimits>;
  readonly notes?: boolean;
}

/** A network layer of its own with one interface and its frames. */
export class Host {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly net: Network;
  readonly iface: Interface;
  readonly slotsAtStart: number;

  constructor(number: number, options: HostOptions = {}) {
    const { address, prefixLength, seed, slots, limits, notes, ...rest } = options;
    this.slab = new FrameSlab({ slots: slots ?? 1024, noteInts: notes === true ? Note.SIZE : 0 });
    this.slotsAtStart = this.slab.freeCount;
    this.clock = new Clock();
    this.net = new Network({
      slab: this.slab,
      clock: this.clock,
      prng: new Prng(seed ?? number),
      ...(limits === undefined ? {} : { limits }),
    });
    this.iface = this.net.addInterface({
      name: `eth${number}`,
      medium: Medium.ETHERNET,
      mac: Uint8Array.of(2, 0, 0, 0, 0, number),
      addresses: [{ address: parseAddress(address ?? `10.0.0.${number}`), prefixLength: prefixLength ?? 24 }],
      ...rest,
    });
  }

  /** Takes what waits to be sent, as bytes; the slots go back. */
  sent(): Uint8Array[] {
    this.net.finishFlush();
    const queue = this.iface.transmitQueue;
    const frames: Uint8Array[] = [];
    for (let i = queue.first; i < queue.count; i++) {
      frames.push(this.slab.bytes.slice(queue.offsets[i], queue.offsets[i] + queue.lengths[i]));
      this.slab.give(queue.offsets[i]);
    }
    queue.sent(queue.length);
    return frames;
  }

  /** A frame comes in, as the host's turn would bring it. */
  hear(frame: Uint8Array): Verdict {
    const slot = this.slab.take();
    if (slot < 0) throw new Error('no slot for a test frame');
    const at = slot + HEADROOM_BYTES;
    this.slab.bytes.set(frame, at);
    const verdict = this.net.receive(this.iface.index, at, frame.length);
    this.slab.give(at);
    return verdict;
  }

  advanceTo(us: number): void {
    this.clock.advance(us as Us);
    this.net.advance();
  }
}

/** Two hosts back to back. Frames move when `run` says so; `filter` may drop or change them. */
export class Pair {
  readonly a: Host;
  readonly b: Host;
  now = 0;
  /** Returns what arrives instead: the frame, others, none. */
  filter: (frame: Uint8Array, from: Host) => Uint8Array[] = (frame) => [frame];

  constructor(a: HostOptions = {}, b: HostOptions = {}) {
    this.a = new Host(1, a);
    this.b = new Host(2, b);
  }

  /** Carries frames until both sides are silent. Returns how many arrived. */
  run(): number {
    let carried = 0;
    for (let round = 0; round < 1000; round++) {
      let moved = this.#carry(this.a, this.b) + this.#carry(this.b, this.a);
      moved += this.a.net.deliverLocal() + this.b.net.deliverLocal();
      if (moved === 0) return carried;
      carried += moved;
    }
    throw new Error('the two hosts do not come to rest');
  }

  /** Lets time pass in the steps the hosts ask for, carrying frames. */
  pass(ms: number): void {
    const end = this.now + ms * 1000;
    this.run();
    while (this.now < end) {
      const next = Math.min(this.a.net.msToNext(), this.b.net.msToNext());
      this.now = Math.min(end, this.now + Math.max(1, Math.min(next, 1e9)) * 1000);
      this.a.advanceTo(this.now);
      this.b.advanceTo(this.now);
      this.run();
    }
  }

  #carry(from: Host, to: Host): number {
    const frames = from.sent();
    for (const frame of frames)
      for (const arriving of this.filter(frame, from)) {
        // A device without a slot to put a frame in loses it.
        if (to.slab.freeCount > 0) to.hear(arriving);
      }
    return frames.length;
  }
}

/** A transport that remembers what it was given. */
export class Probe implements Transport {
  readonly packets: { data: Uint8Array; source: string; destination: string; broadcast: boolean; tos: number }[] = [];
  readonly errors: { error: number; mtu: number; destination: string; reporter: string; data: Uint8Array }[] = [];
  constructor(
    readonly net: Network,
    readonly protocol = 253,
  ) {
    net.register(protocol, this);
  }
  input(packet: InboundPacket): Verdict {
    this.packets.push({
      data: packet.bytes.slice(packet.at, packet.at + packet.length),
      source: this.net.formatAddress(packet.source),
      destination: this.net.formatAddress(packet.destination),
      broadcast: packet.broadcast,
      tos: packet.tos,
    });
    return Verdict.OK;
  }
  error(report: ErrorReport): Verdict {
    this.errors.push({
      error: report.error,
      mtu: report.mtu,
      destination: this.net.formatAddress(report.destination),
      reporter: this.net.formatAddress(report.reporter),
      data: new Uint8Array(report.view.buffer, report.at, report.length).slice(),
    });
    return Verdict.OK;
  }
  /** Sends a payload of `length` bytes that can be recognised. */
  send(destination: string, length: number, flags = 0): Verdict {
    const bytes = pattern(length);
    const to = this.net.parseAddress(destination);
    return this.net.outputFrom(bytes, 0, length, this.protocol, this.net.sourceFor(to), to, 0, 64, flags, 0);
  }
}

/** What is known of a neighbour. */
export function stateOf(host: Host, address: string): NeighborState {
  const row = host.net.neighbors.find(0, host.net.parseAddress(address));
  return row < 0 ? NeighborState.FREE : host.net.neighbors.t[row * Neighbor.STRIDE + Neighbor.STATE];
}
/** A pair in which nothing is under way: the announcements of the start are over. */
export function quiet(a: HostOptions = {}, b: HostOptions = {}): Pair {
  const pair = new Pair(a, b);
  pair.pass(5000);
  return pair;
}

/** Bytes that differ from their neighbours far and near. */
export function pattern(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + 1) & 0xff;
  return bytes;
}
