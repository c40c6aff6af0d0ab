import { CaptureDevice } from '../../drivers/capture.js';
import type { Driver } from '../../drivers/driver.js';
import { FaultDevice } from '../../drivers/fault.js';
import { type LaneFaults, noFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import type { Sink } from '../../drivers/sink.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import { describeFrame, NOTE_INTS } from '../../src/trace/describe.js';
import { Prng } from '../../stack/base/prng.js';
import type { Address } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Medium } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { SMALL_UDP } from '../small-udp.js';

/** Two stacks and a bad link between them, all of it drawn from one seed. */
export interface LinkPlan {
  readonly medium: Medium;
  readonly mtu: number;
  readonly latencyUs: number;
  /** As the near side sees it. */
  readonly faults: { readonly in: LaneFaults; readonly out: LaneFaults };
  readonly limits: readonly [Partial<TcpLimits>, Partial<TcpLimits>];
  readonly slots: number;
}

export interface Side {
  readonly host: VirtualHost;
  readonly stack: Stack;
  readonly address: Address;
}

export class JoinedWorld {
  readonly world = new VirtualWorld(1_000_000);
  readonly near: Side;
  readonly far: Side;
  readonly link: FaultDevice;

  /** With a sink, what the near stack receives and sends is captured there, comments and all. */
  constructor(seed: number, plan: LinkPlan, sink?: Sink) {
    const [near, far] = createWire({ latencyUs: plan.latencyUs, mtu: plan.mtu, medium: plan.medium, queueFrames: 256 });
    this.link = new FaultDevice(near, plan.faults, seed);
    const tapped: Driver =
      sink === undefined ? this.link : new CaptureDevice(this.link, { sink, describe: describeFrame });
    this.near = this.#side('near', '10.0.0.1', seed, plan, 0, tapped, sink === undefined ? 0 : NOTE_INTS);
    this.far = this.#side('far', '10.0.0.2', seed ^ 0x5eed, plan, 1, far, 0);
  }

  #side(
    name: string,
    text: string,
    seed: number,
    plan: LinkPlan,
    which: 0 | 1,
    device: Driver,
    noteInts: number,
  ): Side {
    const slab = new FrameSlab({ slots: plan.slots, noteInts });
    const stack = new Stack({
      seed,
      now: this.world.now,
      slab,
      tcp: { ...SMALL, ...plan.limits[which] },
      udp: SMALL_UDP,
    });
    const host = this.world.add(name, stack, {
      onHandlerError(error) {
        throw error;
      },
    });
    const address = stack.net.parseAddress(text);
    host.attach(device, { addresses: [{ address, prefixLength: 24 }] });
    return { host, stack, address };
  }

  close(): void {
    for (const side of this.sides) for (const { device } of side.host.attachments) device.close(side.stack.slab);
  }

  get sides(): readonly [Side, Side] {
    return [this.near, this.far];
  }
}

/** Tables just large enough: a simulation makes hundreds of stacks. */
const SMALL: Partial<TcpLimits> = {
  connectionsMax: 64,
  activeMax: 64,
  synReceivedMax: 32,
  timeWaitMax: 64,
  listenersMax: 4,
  bufferBytesMax: 16 << 20,
  outOfOrderMax: 1024,
  transmitRecordsMax: 4096,
  // An abort whose RST was lost leaves the other end half open, and only keepalive finds out (RFC 9293 §3.5.1).
  keepIdleMs: 30_000,
  keepIntervalMs: 5000,
};

/** A link as bad as seeds can make it, yet good enough that no connection may time out on it. */
export function drawPlan(prng: Prng): LinkPlan {
  const roughness = prng.below(4);
  const faults = { in: drawFaults(prng, roughness), out: drawFaults(prng, roughness) };
  return {
    // A wrong bit in an ARP packet is found by nothing: corrupted links have none.
    medium: faults.in.corrupt > 0 || faults.out.corrupt > 0 || prng.below(2) === 0 ? Medium.IP : Medium.ETHERNET,
    mtu: pick(prng, [1500, 1500, 1500, 576, 296, 1280, 1006]),
    latencyUs: pick(prng, [0, 50, 1000, 20_000]),
    faults,
    limits: [drawLimits(prng), drawLimits(prng)],
    slots: pick(prng, [4096, 1024, 320]),
  };
}

function drawFaults(prng: Prng, roughness: number): LaneFaults {
  const faults = noFaults();
  if (roughness === 0) return faults;
  const scale = roughness / 3;
  if (prng.below(2) === 0) faults.loss = prng.fraction() * 0.1 * scale;
  if (prng.below(4) === 0) {
    faults.burstStart = 0.005 * scale;
    faults.burstFrames = 4;
  }
  if (prng.below(2) === 0) faults.duplicate = prng.fraction() * 0.1 * scale;
  if (prng.below(2) === 0) faults.reorder = prng.fraction() * 0.2 * scale;
  if (prng.below(3) === 0) faults.corrupt = prng.fraction() * 0.03 * scale;
  if (prng.below(2) === 0) {
    faults.delayUs = prng.below(100_000);
    faults.jitterUs = prng.below(faults.delayUs + 1);
  }
  if (prng.below(3) === 0) faults.rateBits = pick(prng, [1e6, 1e7, 1e8]);
  if (prng.below(3) === 0) faults.limit = pick(prng, [8, 30, 100]);
  return faults;
}

function drawLimits(prng: Prng): Partial<TcpLimits> {
  return {
    timestamps: prng.below(3) > 0,
    windowScaling: prng.below(3) > 0,
    sack: prng.below(3) > 0,
    tally: prng.below(2) === 0,
    receiveBytes: pick(prng, [131_072, 131_072, 16_384, 4096, 2304]),
    sendBytes: pick(prng, [131_072, 131_072, 16_384, 4608]),
    receiveBytesMax: pick(prng, [6 << 20, 262_144]),
    bufferBytesMax: pick(prng, [16 << 20, 16 << 20, 1 << 20, 262_144]),
    outOfOrderMax: pick(prng, [1024, 1024, 16, 3]),
    transmitRecordsMax: pick(prng, [4096, 4096, 64, 5]),
    outOfOrderPerConnection: pick(prng, [512, 512, 2]),
    activeMax: pick(prng, [64, 64, 16]),
    ecn: pick(prng, [0, 1, 2, 3, 3, 5]),
    ecnOption: pick(prng, [0, 1, 2, 3]),
    congestion: pick(prng, ['cubic', 'cubic', 'reno', 'dctcp']),
  };
}

export function pick<T>(prng: Prng, from: readonly T[]): T {
  return from[prng.below(from.length)] as T;
}
