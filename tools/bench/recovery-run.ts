/** One transfer over a lossy link in virtual time: a cell of `bench recovery`, for one seed. */

import { FaultDevice } from '../../drivers/fault.js';
import { noFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import { Acceptor, Connector, type ServiceHandler } from '../../src/reactor/acceptor.js';
import type { Handle } from '../../src/reactor/event-handler.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { Device } from '../../stack/net/device.js';
import { Medium } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';

export interface TransferPlan {
  /** The chance that a data segment is lost; ACKs are not. */
  readonly loss: number;
  readonly rttMs: number;
  /** Send buffer and receive buffer, fixed. */
  readonly bufferBytes: number;
  /** What the sender's stack is made with. */
  readonly tcp: Partial<TcpLimits>;
  readonly seed: number;
}

export interface TransferResult {
  readonly bytes: number;
  readonly seconds: number;
  /** Bits a second that reached the reader. */
  readonly goodput: number;
  /** Retransmission timeouts, and segments sent again. */
  readonly timeouts: number;
  readonly retransmitted: number;
  readonly lost: number;
}

/** 100 Mbit/s: a lossless transfer is limited by the buffer at long round trips and by the link at short ones, as in life. */
const RATE_BITS = 100e6;
/** The router’s queue: 1000 frames are 120 ms, as much as routers at homes have. */
const QUEUE_FRAMES = 1000;
/** A transfer ends after so many bytes or so many seconds, whichever is first. */
const BYTES = 4 << 20;
const SECONDS = 60;
const MTU = 1500;
const PORT = 9;
const IN_FLIGHT_FRAMES = 8192;

const CHUNK = new Uint8Array(65_536);

/** Writes without end. */
class Source implements ServiceHandler {
  id = 0 as ConnectionId;
  constructor(readonly stack: Stack) {}
  open(id: ConnectionId): number {
    this.id = id;
    this.handleEvent(id);
    return 0;
  }
  handleEvent(handle: Handle): void {
    while (this.stack.tcp.send(handle as ConnectionId, CHUNK) === CHUNK.length);
  }
}

/** Reads at once, and counts. */
class Reader implements ServiceHandler {
  bytes = 0;
  readonly #into = new Uint8Array(65_536);
  constructor(readonly stack: Stack) {}
  open(): number {
    return 0;
  }
  handleEvent(handle: Handle): void {
    for (;;) {
      const count = this.stack.tcp.receive(handle as ConnectionId, this.#into);
      if (count <= 0) return;
      this.bytes += count;
    }
  }
}

function addHost(
  world: VirtualWorld,
  name: string,
  address: string,
  device: Device,
  seed: number,
  tcp: Partial<TcpLimits>,
): VirtualHost {
  const slab = new FrameSlab({ slots: 2048 });
  const stack = new Stack({
    seed,
    slab,
    now: world.now,
    tcp: { ...SMALL, ...tcp },
    udp: { receiveBytesTotal: 1 << 20 },
  });
  const host = world.add(name, stack, {
    onHandlerError(error) {
      throw error;
    },
  });
  host.attach(device, { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
  return host;
}

/** Tables just large enough: a grid makes thousands of stacks. */
const SMALL: Partial<TcpLimits> = {
  connectionsMax: 4,
  activeMax: 4,
  synReceivedMax: 4,
  timeWaitMax: 4,
  listenersMax: 1,
  bufferBytesMax: 32 << 20,
  outOfOrderMax: 8192,
  transmitRecordsMax: 8192,
  outOfOrderPerConnection: 8192,
};

/** `watch`, if given, is called for each moment of virtual time, with the stack and the connection that send. */
export function transfer(
  plan: TransferPlan,
  watch?: (stack: Stack, id: ConnectionId, nowUs: number) => void,
): TransferResult {
  const world = new VirtualWorld(1_000_000);
  const latencyUs = plan.rttMs * 500;
  const [near, far] = createWire({ latencyUs, mtu: MTU, medium: Medium.IP, queueFrames: IN_FLIGHT_FRAMES });
  const out = noFaults();
  out.loss = plan.loss;
  out.rateBits = RATE_BITS;
  out.limit = QUEUE_FRAMES;
  const link = new FaultDevice(near, { in: noFaults(), out }, plan.seed);
  // A window of the size meant: half of the buffer is (docs/receiving.md).
  const buffers = { receiveBytes: 2 * plan.bufferBytes, sendBytes: plan.bufferBytes };
  const limits = { receiveBytesMax: Math.max(2 * plan.bufferBytes, 131_072), sendBytesMax: plan.bufferBytes };
  const sender = addHost(world, 'sender', '10.0.0.1', link, plan.seed, { ...plan.tcp, ...limits });
  const receiver = addHost(world, 'receiver', '10.0.0.2', far, plan.seed + 1, { ...sackOf(plan.tcp), ...limits });
  const reader = new Reader(receiver.stack);
  new Acceptor(receiver.stack, receiver.reactor, { port: PORT, ...buffers }, reader);
  const source = new Source(sender.stack);
  const remoteAddress = sender.stack.net.parseAddress('10.0.0.2');
  new Connector(sender.stack, sender.reactor, source).connect({ remoteAddress, remotePort: PORT, ...buffers });
  world.runUntil(world.now + SECONDS * 1e6, () => source.id !== 0);
  const began = world.now;
  const done = (): boolean => {
    if (watch !== undefined) watch(sender.stack, source.id, world.now);
    return reader.bytes >= BYTES;
  };
  world.runUntil(began + SECONDS * 1e6, done);
  const seconds = (world.now - began) / 1e6;
  const { tcpTimeouts, tcpRetransSegs } = sender.stack.net.stats;
  const { lost } = link.faults.out;
  link.close(sender.stack.slab);
  far.close(receiver.stack.slab);
  return {
    bytes: reader.bytes,
    seconds,
    goodput: (reader.bytes * 8) / seconds,
    timeouts: tcpTimeouts,
    retransmitted: tcpRetransSegs,
    lost,
  };
}

/** SACK has to be agreed: the receiver's half of what the sender is made with. */
function sackOf(tcp: Partial<TcpLimits>): Partial<TcpLimits> {
  return tcp.sack === undefined ? {} : { sack: tcp.sack };
}
