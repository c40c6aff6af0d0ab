import { FaultDevice } from '../../drivers/fault.js';
import { noFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import { type VirtualHost, VirtualWorld } from '../../src/host/virtual-world.js';
import type { Address, ConnectionId, ListenerId } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { PoolReport } from '../../stack/memory/pool-report.js';
import type { NetworkLimits } from '../../stack/net/context.js';
import type { Interface } from '../../stack/net/interface.js';
import { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { Verdict } from '../../stack/wire/verdict.js';
import { arp } from '../stack/net/frames.js';
import { pattern } from '../stack/tcp/peer.js';
import { poolOf } from './pool.js';

export interface BesiegedOptions {
  readonly net?: Partial<NetworkLimits>;
  /** Of both ends. */
  readonly tcp?: Partial<TcpLimits>;
  readonly slots?: number;
  readonly rateBits?: number;
}

const PORT = 80;
const STEP_US = 1000;
/** Virtual time after which a transfer is taken to have been stopped. */
const LIMIT_MS = 120_000;

/**
 * A stack, one honest peer behind a link of 20 Mbit/s and half a millisecond, and somebody hostile: whatever a test does in each millisecond, from the link or
 * from within. Everything is in virtual time.
 */
export class Besieged {
  readonly world = new VirtualWorld(1_000_000);
  readonly stack: Stack;
  readonly peer: Stack;
  readonly iface: Interface;
  readonly address: Address;
  readonly peerAddress: Address;
  readonly #hosts: readonly VirtualHost[];
  readonly #listener: ListenerId;
  readonly #peerListener: ListenerId;
  readonly #chores: (() => void)[] = [];
  #ms = 0;

  constructor(options: BesiegedOptions = {}) {
    const [near, far] = createWire({ latencyUs: 500 });
    const slow = { ...noFaults(), rateBits: options.rateBits ?? 20e6 };
    const rows = { connectionsMax: 64, activeMax: 64, synReceivedMax: 64, timeWaitMax: 64, bufferBytesMax: 16 << 20 };
    const tcp = { ...rows, ...options.tcp };
    const slab = new FrameSlab({ slots: options.slots ?? 4096 });
    this.stack = new Stack({ seed: 1, now: this.world.now, slab, tcp, net: options.net ?? {} });
    this.peer = new Stack({ seed: 2, now: this.world.now, tcp });
    this.address = this.stack.net.parseAddress('10.0.0.1');
    this.peerAddress = this.peer.net.parseAddress('10.0.0.2');
    const host = this.world.add('stack', this.stack);
    const peerHost = this.world.add('peer', this.peer);
    this.iface = host.attach(new FaultDevice(near, { in: slow, out: slow }, 1), {
      addresses: [{ address: this.address, prefixLength: 16 }],
    });
    peerHost.attach(far, { addresses: [{ address: this.peerAddress, prefixLength: 16 }] });
    this.#hosts = [host, peerHost];
    this.#listener = this.stack.tcp.listen({ port: PORT });
    this.#peerListener = this.peer.tcp.listen({ port: PORT });
  }

  /** MAC addresses as test frames want them. */
  get mac(): string {
    return macText(this.iface.mac);
  }
  get peerMac(): string {
    return macText((this.peer.net.interfaces[0] as Interface).mac);
  }

  /** A frame reaches the stack from the link, past the honest peer's queue. */
  hear(bytes: Uint8Array): Verdict {
    const { slab } = this.stack;
    const slot = slab.take();
    // As a device would: what finds no slot is lost.
    if (slot < 0) return Verdict.NO_BUFFER;
    slab.bytes.set(bytes, slot + slab.headroom);
    const verdict = this.stack.receive(this.iface.index, slot + slab.headroom, bytes.length);
    slab.give(slot);
    return verdict;
  }

  /** Something an honest program does in every millisecond. */
  everyStep(chore: () => void): void {
    this.#chores.push(chore);
  }

  /** 200 neighbours that are there and in use: each has asked for us, was sent a datagram, and a transport has heard of it. */
  makeAcquaintances(): Address[] {
    const { net, udp } = this.stack;
    const id = udp.open();
    const known = Array.from({ length: 200 }, (_, i) => `10.0.1.${i}`);
    for (const senderIp of known) {
      this.hear(arp({ senderIp, senderMac: '02:00:00:00:00:77' }));
      udp.send(id, new Uint8Array(1), 0, 1, net.parseAddress(senderIp), 9);
      net.confirmReachable(net.parseAddress(senderIp));
    }
    udp.close(id);
    return known.map((text) => net.parseAddress(text));
  }
  /** Those of them that the stack has in its table no more. */
  forgotten(known: readonly Address[]): Address[] {
    const { neighbors } = this.stack.net;
    return known.filter((address) => neighbors.find(0, address) < 0);
  }

  /** Lets a millisecond pass; `hostile` has its turn first. */
  step(hostile?: (ms: number) => void): void {
    hostile?.(this.#ms);
    for (const chore of this.#chores) chore();
    this.#ms += 1;
    for (const host of this.#hosts) host.wake();
    this.world.runFor(STEP_US);
  }
  pass(ms: number, hostile?: (ms: number) => void): void {
    for (let i = 0; i < ms; i++) this.step(hostile);
  }

  /** One connection, `bytes` over it, and its end. Returns the virtual milliseconds until all had arrived, unchanged. */
  transfer(bytes: number, way: 'in' | 'out', hostile?: (ms: number) => void): number {
    const [from, to] = way === 'in' ? [this.peer, this.stack] : [this.stack, this.peer];
    const listener = way === 'in' ? this.#listener : this.#peerListener;
    const remoteAddress = way === 'in' ? this.address : this.peerAddress;
    const sent = pattern(bytes);
    const got = new Uint8Array(bytes);
    const id = from.tcp.open({ remoteAddress, remotePort: PORT });
    let accepted: ConnectionId | 0 = 0;
    let written = 0;
    let read = 0;
    const began = this.#ms;
    while (read < bytes) {
      if (this.#ms - began > LIMIT_MS) throw new Error(`${read} of ${bytes} bytes in ${LIMIT_MS} ms`);
      const error = from.tcp.takeError(id);
      if (error !== undefined) throw new Error(`the honest connection failed: ${error}`);
      if (written < bytes) written += from.tcp.send(id, sent, written);
      this.step(hostile);
      if (accepted === 0) accepted = to.tcp.accept(listener);
      if (accepted !== 0) read += Math.max(0, to.tcp.receive(accepted, got, read));
    }
    if (accepted === 0 || !got.every((byte, i) => byte === sent[i])) throw new Error('other bytes arrived');
    from.tcp.close(id);
    to.tcp.close(accepted);
    return this.#ms - began;
  }

  pool(name: string): PoolReport {
    return poolOf(this.stack, name);
  }
  /** Units in use of each pool named. */
  used(...names: string[]): number[] {
    return names.map((name) => this.pool(name).used);
  }
}

function macText(mac: Uint8Array): string {
  return [...mac].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
}

/** The address `i` of 10.0.0.0/16 that nobody has: from 10.0.16.0 on, 32,768 of them. */
export function nobody(i: number): string {
  const host = 0x1000 + (i % 0x8000);
  return `10.0.${host >>> 8}.${host & 0xff}`;
}
