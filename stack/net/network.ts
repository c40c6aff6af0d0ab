import type { Prng } from '../base/prng.js';
import type { Address } from '../base/units.js';
import type { FrameSlab } from '../memory/frame-slab.js';
import type { Clock } from '../time/clock.js';
import { Verdict } from '../wire/verdict.js';
import { Interface, type InterfaceOptions } from './interface.js';
import { Stats } from './stats.js';
import type { OutputFlag, Transport } from './transport.js';

export interface NetworkOptions {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly prng: Prng;
}
export interface RouteOptions {
  readonly destination: Address;
  readonly prefixLength: number;
  readonly gateway?: Address;
  readonly iface?: number;
  readonly mtu?: number;
}

/** Joins the parts of the network layer. Types first; the parts follow. */
export class Network {
  readonly slab: FrameSlab;
  readonly clock: Clock;
  readonly prng: Prng;
  readonly stats = new Stats();
  readonly interfaces: Interface[] = [];

  constructor(options: NetworkOptions) {
    this.slab = options.slab;
    this.clock = options.clock;
    this.prng = options.prng;
  }
  addInterface(options: InterfaceOptions): Interface {
    const iface = new Interface(this.interfaces.length, options);
    this.interfaces.push(iface);
    return iface;
  }
  addAddress(_iface: number, _address: Address, _prefixLength: number): void {}
  addRoute(_options: RouteOptions): void {}
  removeRoute(_options: RouteOptions): void {}
  register(_protocol: number, _transport: Transport): void {}

  receive(_iface: number, _offset: number, _length: number): Verdict {
    return Verdict.NOT_FOR_US;
  }
  advance(): void {}
  /** Delivers what we have sent to ourselves; returns how many datagrams that were. */
  deliverLocal(): number {
    return 0;
  }
  msToNext(): number {
    return Infinity;
  }
  takeSegment(): number {
    const slot = this.slab.take();
    return slot < 0 ? -1 : slot + this.slab.headroom;
  }
  room(): number {
    return 0;
  }
  output(
    _at: number,
    _length: number,
    _protocol: number,
    _source: Address,
    _destination: Address,
    _tos: number,
    _ttl: number,
    _flags: OutputFlag,
  ): Verdict {
    return Verdict.NO_ROUTE;
  }
  pseudoHeaderSum(_source: Address, _destination: Address, _protocol: number, _length: number): number {
    return 0;
  }
  sourceFor(_destination: Address): Address {
    return 0 as Address;
  }
  isLocal(_address: Address): boolean {
    return false;
  }
  /** Limited, subnet-directed or multicast. */
  isBroadcast(_address: Address): boolean {
    return false;
  }
  pathMtu(_destination: Address): number {
    return 1500;
  }
  headerBytes(_destination: Address): number {
    return 20;
  }
  confirmReachable(_destination: Address): void {}
  lowerPathMtu(_destination: Address, _mtu: number): void {}
  parseAddress(_text: string): Address {
    return 0 as Address;
  }
  formatAddress(_address: Address): string {
    return '';
  }
}
