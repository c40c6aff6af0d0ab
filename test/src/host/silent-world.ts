import { createWire } from '../../../drivers/loopback.js';
import { VirtualClock } from '../../../src/host/clock.js';
import { Host } from '../../../src/host/host.js';
import type { StackHost } from '../../../src/host/stack-host.js';
import type { AttachOptions } from '../../../src/host/turn.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import type { Address, ConnectionId, ListenerId, UdpId, Us } from '../../../stack/base/units.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import type { Device, FrameBatch } from '../../../stack/net/device.js';
import { Event, SocketKind } from '../../../stack/net/event-queue.js';
import { Stack } from '../../../stack/stack.js';
import type { Tcp } from '../../../stack/tcp/tcp.js';

/** Ten minutes: longer than any timer that a quiet stack has running. */
export const SILENCE_US = 600_000_000;
const LATENCY_US = 10_000;
/** FIN-WAIT-2 and TIME-WAIT last a minute, a reachable neighbour 45 s. */
const REST_US = 150_000_000;
const PEER_PORT = 80;
const OWN_PORT = 81;

/** Each row of the test makes two stacks. */
const SMALL = {
  connectionsMax: 32,
  activeMax: 32,
  timeWaitMax: 16,
  synReceivedMax: 16,
  listenersMax: 8,
  bufferBytesMax: 262_144,
  outOfOrderMax: 64,
  transmitRecordsMax: 256,
};

/** Whoever turns the two stacks, in virtual time or on live hosts. */
interface Driver {
  readonly now: number;
  add(stack: Stack, device: Device, options: AttachOptions): StackHost;
  runFor(us: number): void;
  /** Time passes, and nobody takes a turn. */
  jump(us: number): void;
  stop(): void;
}

class VirtualDriver implements Driver {
  readonly #world = new VirtualWorld(1_000_000);
  get now(): number {
    return this.#world.now;
  }
  add(stack: Stack, device: Device, options: AttachOptions): StackHost {
    const host = this.#world.add('', stack);
    host.attach(device, options);
    return host;
  }
  runFor(us: number): void {
    this.#world.runFor(us);
  }
  jump(us: number): void {
    this.#world.clock.set(this.#world.now + us);
  }
  stop(): void {}
}

/** Hosts as a program has them, with a clock that the test sets: it takes the turns that are due then. */
class LiveDriver implements Driver {
  readonly #clock = new VirtualClock(1_000_000);
  readonly #hosts: Host[] = [];
  get now(): number {
    return this.#clock.now();
  }
  add(stack: Stack, device: Device, options: AttachOptions): StackHost {
    const host = new Host({ stack, clock: this.#clock }).unref();
    host.attach(device, options);
    host.start();
    this.#hosts.push(host);
    return host;
  }
  runFor(us: number): void {
    const until = this.now + us;
    for (;;) {
      for (const host of this.#hosts) host.turn();
      let next = Infinity;
      for (const { stack, attachments } of this.#hosts) {
        next = Math.min(next, stack.nextDeadline(), ...attachments.map(({ device }) => device.nextDeadline()));
      }
      if (next > until) break;
      this.#clock.set(next);
    }
    this.#clock.set(until);
  }
  jump(us: number): void {
    this.#clock.set(this.now + us);
  }
  stop(): void {
    for (const host of this.#hosts) host.stop();
  }
}

export type Kind = 'in virtual time' | 'on a live host';

/**
 * A stack with a connection in each state that a program may hold for long, and a peer that answers. All of it has come to
 * rest: no timer runs. Then ten minutes pass, as they pass on a host that nothing wakes.
 */
export class SilentWorld {
  readonly driver: Driver;
  readonly stack: Stack;
  readonly host: StackHost;
  readonly peer: Stack;
  readonly peerAddress: Address;
  readonly listener: ListenerId;
  readonly spare: ListenerId;
  /** Established; with a byte to read; closed on our side, so that it is in FIN-WAIT-2. */
  readonly open: ConnectionId;
  readonly unread: ConnectionId;
  readonly half: ConnectionId;
  readonly udp: UdpId;
  /** A UDP socket that is connected to the peer. */
  readonly paired: UdpId;
  readonly buffer = new Uint8Array(1000);
  /** Timestamps of segments that were sent after the silence with a time from before it. */
  readonly oldStamps: string[] = [];
  readonly #lastStamp = new Map<number, number>();
  #silent = false;

  constructor(kind: Kind) {
    this.driver = kind === 'in virtual time' ? new VirtualDriver() : new LiveDriver();
    const [near, far] = createWire({ latencyUs: LATENCY_US, queueFrames: 64 });
    this.#watch(near);
    this.stack = this.#stack(1);
    this.peer = this.#stack(2);
    this.host = this.driver.add(this.stack, near, this.#address(this.stack, '10.0.0.1'));
    const peerHost = this.driver.add(this.peer, far, this.#address(this.peer, '10.0.0.2'));
    this.peerAddress = this.stack.net.parseAddress('10.0.0.2');
    const { tcp, udp } = this.stack;
    const accepts = this.peer.tcp.listen({ port: PEER_PORT });
    // It accepts, sends one byte to the second that comes, and never closes.
    let accepted = 0;
    const handleEvent = (): void => {
      for (let id = this.peer.tcp.accept(accepts); id !== 0; id = this.peer.tcp.accept(accepts)) {
        accepted += 1;
        if (accepted === 2) this.peer.tcp.send(id, this.buffer, 0, 1);
      }
    };
    peerHost.reactor.registerHandler(SocketKind.LISTENER, accepts, { handleEvent }, Event.ACCEPTABLE);
    this.listener = tcp.listen({ port: OWN_PORT });
    this.spare = tcp.listen({ port: OWN_PORT + 1 });
    this.open = this.#connect();
    this.unread = this.#connect();
    this.half = this.#connect();
    tcp.send(this.open, this.buffer, 0, 1);
    tcp.shutdown(this.half);
    // Nobody accepts it on our side.
    this.peer.tcp.open({ remoteAddress: this.stack.net.parseAddress('10.0.0.1'), remotePort: OWN_PORT });
    this.udp = udp.open({ port: 7 });
    this.paired = udp.open({ port: 8 });
    udp.connect(this.paired, this.peerAddress, 9);
    peerHost.wake();
    this.#rest();
    const back = this.peer.udp.open({ port: 9 });
    this.peer.udp.send(back, this.buffer, 0, 10, this.stack.net.parseAddress('10.0.0.1'), 8);
    peerHost.wake();
    this.#rest();
  }

  #connect(): ConnectionId {
    const id = this.stack.tcp.open({ remoteAddress: this.peerAddress, remotePort: PEER_PORT });
    this.#rest();
    return id;
  }
  #rest(): void {
    this.host.wake();
    this.driver.runFor(REST_US);
  }
  #stack(seed: number): Stack {
    const slab = new FrameSlab({ slots: 256 });
    const udp = { socketsMax: 16, receiveBytesTotal: 65_536 };
    return new Stack({ seed, now: 1_000_000 as Us, slab, tcp: SMALL, udp, net: { neighborsMax: 64 } });
  }
  #address(stack: Stack, text: string): AttachOptions {
    return { addresses: [{ address: stack.net.parseAddress(text), prefixLength: 24 }] };
  }

  /** Whether nothing was to be done any more: then a host sleeps, and its stack's clock stands where it was. */
  get atRest(): boolean {
    return this.stack.nextDeadline() === Infinity;
  }
  beSilent(): void {
    this.driver.jump(SILENCE_US);
    this.#silent = true;
  }
  /** A timer is due already, although the call that armed it was just now. */
  get overdue(): boolean {
    return this.stack.nextDeadline() <= this.driver.now;
  }
  /** What is known of every connection's round trip, and of what was sent again: neither may have the silence in it. */
  get wrong(): string[] {
    const { tcpRetransSegs, tcpTimeouts, tcpLossProbes, tcpKeepalives } = this.stack.net.stats;
    const found = Object.entries({ tcpRetransSegs, tcpTimeouts, tcpLossProbes, tcpKeepalives })
      .filter(([, count]) => count > 0)
      .map(([name, count]) => `${name} ${count}`);
    for (const id of this.stack.tcp.connections()) {
      const { rttUs, rcvRttUs, rtoUs } = info(this.stack.tcp, id);
      if (rttUs > 100_000 || rcvRttUs > 100_000 || rtoUs > 1_500_000)
        found.push(`rtt ${rttUs} ${rcvRttUs}, rto ${rtoUs}`);
    }
    return [...found, ...this.oldStamps];
  }

  #watch(device: Device): void {
    const transmit = device.transmit.bind(device);
    device.transmit = (from: FrameBatch, first: number, slab: FrameSlab): number => {
      for (let i = first; i < from.count; i++) this.#look(slab.view, from.offsets[i] as number);
      return transmit(from, first, slab);
    };
  }
  /** An Ethernet frame is about to leave: if it is a TCP segment with timestamps, its TSval. */
  #look(view: DataView, at: number): void {
    const tcp = at + 34;
    if (view.getUint16(at + 12) !== 0x0800 || view.getUint8(at + 23) !== 6) return;
    const end = tcp + (view.getUint8(tcp + 12) >>> 4) * 4;
    for (let option = tcp + 20; option < end && view.getUint8(option) !== 0; ) {
      const kind = view.getUint8(option);
      if (kind === 8) this.#stamp(view.getInt32(tcp), view.getInt32(option + 2));
      option += kind === 1 ? 1 : view.getUint8(option + 1);
    }
  }
  #stamp(ports: number, value: number): void {
    const before = this.#lastStamp.get(ports);
    if (this.#silent && before !== undefined && ((value - before) | 0) < SILENCE_US / 1000)
      this.oldStamps.push(`a TSval only ${(value - before) | 0} ms after the last`);
    if (!this.#silent) this.#lastStamp.set(ports, value);
  }
}

function info(tcp: Tcp, id: ConnectionId): ReturnType<Tcp['info']> {
  return tcp.info(id);
}
