import { StackError } from '../base/errors.js';
import type { Address } from '../base/units.js';
import { ALL_HOSTS, formatAddress, isLoopback, isThisNetwork, LIMITED_BROADCAST, maskOf } from './address.js';
import type { Interface } from './interface.js';

/** What an address is to this host. */
export const enum Local {
  /** Somebody else's. */
  NONE = 0,
  /** One of ours, or of 127.0.0.0/8. */
  OWN = 1,
  /** Limited, or directed to a prefix we are on. */
  BROADCAST = 2,
  /** A group. `member` says whether it is one of ours. */
  MULTICAST = 3,
}

const enum Slot {
  ADDRESS = 0,
  /** Local.OWN or Local.BROADCAST; 0: empty. */
  KIND = 1,
  IFACE = 2,
  STRIDE = 4,
}

/**
 * Asked twice for every datagram that comes in, so it is a small open-addressing table, at most a quarter full, rebuilt
 * when an address comes or goes.
 */
export class LocalAddresses {
  #t = new Int32Array(16 * Slot.STRIDE);
  #mask = 15;

  classify(address: number): Local {
    const s = this.#find(address);
    const kind = this.#t[s + Slot.KIND];
    if (kind !== 0) return kind;
    if (isLoopback(address)) return Local.OWN;
    if (address >>> 28 === 0xe) return Local.MULTICAST;
    return address === LIMITED_BROADCAST ? Local.BROADCAST : Local.NONE;
  }

  /** The interface that an address of kind OWN or BROADCAST belongs to, or -1. */
  ifaceOf(address: number): number {
    const s = this.#find(address);
    return this.#t[s + Slot.KIND] === 0 ? -1 : this.#t[s + Slot.IFACE];
  }

  /** Groups we are in. Joining others needs IGMP (RFC 3376), which is not there yet. */
  member(group: number): boolean {
    return group === ALL_HOSTS;
  }

  /** Control path. */
  rebuild(interfaces: readonly Interface[]): void {
    let count = 0;
    for (const iface of interfaces) count += iface.addresses.length * 2;
    let size = 16;
    while (size < count * 4) size *= 2;
    this.#t = new Int32Array(size * Slot.STRIDE);
    this.#mask = size - 1;
    for (const iface of interfaces)
      for (const { address, prefixLength } of iface.addresses) {
        this.#insert(address, Local.OWN, iface.index);
        // RFC 3021 §2.2 and common sense: prefixes of 31 and 32 bits have no broadcast address.
        if (prefixLength <= 30) this.#insert(address | ~maskOf(prefixLength), Local.BROADCAST, iface.index);
      }
  }

  /** Control path. Throws where an address cannot become ours. */
  checkNew(address: Address, prefixLength: number): void {
    const text = formatAddress(address);
    if (!Number.isInteger(prefixLength) || prefixLength < 1 || prefixLength > 32)
      throw new StackError('ERR_OUT_OF_RANGE', `the prefix length of ${text} is 1 to 32, not ${prefixLength}`);
    if (isThisNetwork(address) || isLoopback(address) || address >>> 28 >= 0xe)
      throw new StackError('EINVAL', `${text} cannot be a host's address; take one from the link's network`);
    const host = address & ~maskOf(prefixLength);
    if (prefixLength <= 30 && (host === 0 || host === ~maskOf(prefixLength)))
      throw new StackError('EINVAL', `${text}/${prefixLength} is the network or its broadcast address, not a host's`);
    if (this.classify(address) !== Local.NONE)
      throw new StackError('EADDRINUSE', `${text} is ours, or a broadcast address, already`);
  }

  #insert(address: number, kind: Local, iface: number): void {
    const s = this.#find(address);
    if (this.#t[s + Slot.KIND] !== 0) return;
    this.#t[s + Slot.ADDRESS] = address;
    this.#t[s + Slot.KIND] = kind;
    this.#t[s + Slot.IFACE] = iface;
  }

  /** The slot that holds `address`, or the empty one where it would be. */
  #find(address: number): number {
    const hash = Math.imul(address, 0x9e3779b1);
    let i = (hash ^ (hash >>> 16)) & this.#mask;
    for (;;) {
      const s = i * Slot.STRIDE;
      if (this.#t[s + Slot.KIND] === 0 || this.#t[s + Slot.ADDRESS] === address) return s;
      i = (i + 1) & this.#mask;
    }
  }
}
