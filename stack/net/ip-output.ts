import { keyedHash } from '../base/keyed-hash.js';
import { copyBytes } from '../memory/copy.js';
import { EtherType, Mac, multicastMacHi, multicastMacLo } from '../wire/ethernet.js';
import { emitIpv4, IpProtocol, Ipv4, Ipv4Fragment } from '../wire/ipv4.js';
import { FIRST_DROP, Verdict } from '../wire/verdict.js';
import type { Context } from './context.js';
import { Medium } from './device.js';
import { emitLink } from './link.js';
import type { LocalQueue } from './local-queue.js';
import type { NeighborCache } from './neighbor.js';
import { Cause, Note, NoteKind } from './note.js';
import { Path, type PathCache, PathKind } from './path.js';
import { OutputFlag } from './transport.js';

/**
 * Identification counters, by keyed hash of who speaks to whom. RFC 6864 §4.3 wants an ID not used again for the same source,
 * destination and protocol while the datagram may live; one counter for everybody would wrap too soon and tell
 * an onlooker how much we send. 2048 as Linux's least.
 */
const ID_COUNTERS = 2048;

/** Datagrams out: header, fragments, and on to a neighbour, to everybody, or to ourselves. */
export class IpOutput {
  readonly #ctx: Context;
  readonly #paths: PathCache;
  readonly #neighbors: NeighborCache;
  readonly #localQueue: LocalQueue;
  readonly #ids = new Uint16Array(ID_COUNTERS);
  readonly #secret0: number;
  readonly #secret1: number;
  /** For the first fragment of the datagram at hand. */
  #options: Uint8Array | null = null;
  #optionBytes = 0;

  constructor(ctx: Context, paths: PathCache, neighbors: NeighborCache, localQueue: LocalQueue) {
    this.#ctx = ctx;
    this.#paths = paths;
    this.#neighbors = neighbors;
    this.#localQueue = localQueue;
    this.#secret0 = ctx.prng.next();
    this.#secret1 = ctx.prng.next();
    for (let i = 0; i < ID_COUNTERS; i++) this.#ids[i] = keyedHash(this.#secret0, this.#secret1, i, 0, 0);
  }

  /** Sends what lies in a slot from `at` on; the room before it is ours. Takes the slot whatever happens. */
  output(
    at: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    tos: number,
    ttl: number,
    flags: number,
  ): Verdict {
    const ctx = this.#ctx;
    const slab = ctx.slab;
    ctx.stats.ipOutRequests += 1;
    if (slab.notes !== null) this.#note(at, protocol);
    const p = this.#paths.find(destination);
    const t = this.#paths.t;
    const total = length + Ipv4.HEADER_BYTES;
    const dontFragment = (flags & OutputFlag.DONT_FRAGMENT) !== 0 && t[p + Path.LOCKED] === 0;
    if (total > t[p + Path.MTU] || t[p + Path.KIND] === PathKind.BROADCAST) {
      const refused = this.#refused(p, flags, total, dontFragment);
      if (refused !== Verdict.OK) {
        slab.give(at);
        return refused;
      }
      if (total > t[p + Path.MTU]) {
        const verdict = this.#fragment(slab.bytes, at, length, protocol, source, destination, tos, ttl, flags, p, at);
        slab.give(at);
        return verdict;
      }
    }
    const ipAt = at - Ipv4.HEADER_BYTES;
    // RFC 6864 §4.1: an atomic datagram needs no ID; others must not repeat one.
    const id = dontFragment ? 0 : this.#nextId(source, destination, protocol);
    emitIpv4(
      slab.view,
      ipAt,
      Ipv4.HEADER_BYTES,
      tos,
      total,
      id,
      dontFragment ? Ipv4Fragment.DF : 0,
      ttl,
      protocol,
      source,
      destination,
    );
    return this.#forward(p, ipAt, total, (flags & OutputFlag.ANSWER) !== 0);
  }

  /** Sends a payload that lies anywhere, of up to 65,515 bytes, in as many fragments as the path wants. */
  outputFrom(
    bytes: Uint8Array,
    at: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    tos: number,
    ttl: number,
    flags: number,
    cause: Cause,
  ): Verdict {
    const ctx = this.#ctx;
    const slab = ctx.slab;
    const p = this.#paths.find(destination);
    const total = length + Ipv4.HEADER_BYTES;
    if (total > this.#paths.t[p + Path.MTU]) {
      ctx.stats.ipOutRequests += 1;
      const dontFragment = (flags & OutputFlag.DONT_FRAGMENT) !== 0 && this.#paths.t[p + Path.LOCKED] === 0;
      const refused = this.#refused(p, flags, total, dontFragment);
      if (refused !== Verdict.OK) return refused;
      return this.#fragment(bytes, at, length, protocol, source, destination, tos, ttl, flags, p, -1 - cause);
    }
    const slot = slab.takeToSend();
    if (slot < 0) {
      ctx.stats.ipOutDiscards += 1;
      return Verdict.NO_BUFFER;
    }
    const to = slot + slab.headroom;
    copyBytes(bytes, at, slab.bytes, to, length);
    if (slab.notes !== null) this.#noteCause(to, cause);
    return this.output(to, length, protocol, source, destination, tos, ttl, flags);
  }

  /**
   * As `outputFrom`, with IP options, a multiple of four bytes of them. Where the datagram needs fragments only the first has
   * the options: for those whose type has the copied flag (RFC 791 §3.1) this is not made.
   */
  outputWithOptions(
    bytes: Uint8Array,
    at: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    tos: number,
    ttl: number,
    flags: number,
    cause: Cause,
    options: Uint8Array,
    optionBytes: number,
  ): Verdict {
    this.#ctx.stats.ipOutRequests += 1;
    const p = this.#paths.find(destination);
    const refused = this.#refused(p, flags, length + Ipv4.HEADER_BYTES + optionBytes, false);
    if (refused !== Verdict.OK) return refused;
    this.#options = options;
    this.#optionBytes = optionBytes;
    const verdict = this.#fragment(bytes, at, length, protocol, source, destination, tos, ttl, flags, p, -1 - cause);
    this.#optionBytes = 0;
    return verdict;
  }

  /** Why a datagram that is too long, or for everybody, must not go; OK when it may. */
  #refused(p: number, flags: number, total: number, dontFragment: boolean): Verdict {
    const t = this.#paths.t;
    const kind = t[p + Path.KIND];
    if (kind === PathKind.UNROUTED) {
      this.#ctx.stats.ipOutNoRoutes += 1;
      return Verdict.NO_ROUTE;
    }
    // Broadcast is asked for, not stumbled into; a transport that did not ask has not looked at its destination.
    if (kind === PathKind.BROADCAST && (flags & OutputFlag.BROADCAST) === 0) {
      this.#ctx.stats.ipOutDiscards += 1;
      return Verdict.NO_ROUTE;
    }
    if (total > t[p + Path.MTU] && (dontFragment || total > Ipv4.DATAGRAM_BYTES_MAX)) {
      this.#ctx.stats.ipFragFails += 1;
      return Verdict.TOO_BIG;
    }
    return Verdict.OK;
  }

  /**
   * RFC 791 §3.2, "An Example Fragmentation Procedure". All fragments or none: a datagram with a hole only costs its receiver
   * memory. What fits is one fragment, and is none. `noteFrom` is an offset in the slot whose note the fragments share, or -1 - Cause.
   */
  #fragment(
    bytes: Uint8Array,
    at: number,
    length: number,
    protocol: number,
    source: number,
    destination: number,
    tos: number,
    ttl: number,
    flags: number,
    p: number,
    noteFrom: number,
  ): Verdict {
    const ctx = this.#ctx;
    const slab = ctx.slab;
    const t = this.#paths.t;
    const mtu = Math.min(t[p + Path.MTU], slab.frameBytesMax);
    const perFragment = (mtu - Ipv4.HEADER_BYTES) & ~7;
    let headerBytes = Ipv4.HEADER_BYTES + this.#optionBytes;
    const whole = length + headerBytes <= mtu;
    const first = whole ? length : (mtu - headerBytes) & ~7;
    const count = 1 + Math.ceil((length - first) / perFragment);
    const isAnswer = (flags & OutputFlag.ANSWER) !== 0;
    const room = t[p + Path.KIND] === PathKind.LOCAL ? this.#localQueue.room : this.#roomFor(p, isAnswer);
    if (slab.freeToSend < count || room < count) {
      if (whole) ctx.stats.ipOutDiscards += 1;
      else ctx.stats.ipFragFails += 1;
      return Verdict.NO_BUFFER;
    }
    const id = this.#nextId(source, destination, protocol);
    let verdict: Verdict = Verdict.OK;
    for (let offset = 0, size = first; offset < length; offset += size, headerBytes = Ipv4.HEADER_BYTES) {
      if (offset > 0) size = Math.min(perFragment, length - offset);
      const to = slab.takeToSend() + slab.headroom;
      copyBytes(bytes, at + offset, slab.bytes, to, size);
      if (slab.notes !== null) {
        if (noteFrom < 0) this.#noteCause(to, -1 - noteFrom);
        else {
          const from = slab.noteRow(noteFrom);
          slab.notes.copyWithin(slab.noteRow(to), from, from + slab.noteInts);
        }
      }
      const more = offset + size < length ? Ipv4Fragment.MF : 0;
      const total = size + headerBytes;
      const ipAt = to - headerBytes;
      if (headerBytes > Ipv4.HEADER_BYTES && this.#options !== null)
        copyBytes(this.#options, 0, slab.bytes, ipAt + Ipv4.OPTIONS, this.#optionBytes);
      emitIpv4(slab.view, ipAt, headerBytes, tos, total, id, more | (offset >>> 3), ttl, protocol, source, destination);
      if (!whole) ctx.stats.ipFragCreates += 1;
      const result = this.#forward(p, ipAt, total, isAnswer);
      if (result >= FIRST_DROP && result !== Verdict.NEIGHBOR_PENDING) {
        if (!whole) ctx.stats.ipFragFails += 1;
        return result;
      }
      verdict = result;
    }
    if (!whole) ctx.stats.ipFragOKs += 1;
    return verdict;
  }

  #roomFor(p: number, isAnswer: boolean): number {
    const iface = this.#ctx.interfaces[this.#paths.t[p + Path.IFACE]];
    return isAnswer ? iface.answerRoom : iface.transmitQueue.room;
  }

  /** A finished datagram on its way along the path. Takes the slot. */
  #forward(p: number, ipAt: number, total: number, isAnswer: boolean): Verdict {
    const ctx = this.#ctx;
    const t = this.#paths.t;
    const kind = t[p + Path.KIND];
    if (kind === PathKind.LOCAL) return this.#localQueue.push(ipAt, total);
    if (kind === PathKind.UNROUTED) {
      ctx.slab.give(ipAt);
      ctx.stats.ipOutNoRoutes += 1;
      return Verdict.NO_ROUTE;
    }
    const iface = ctx.interfaces[t[p + Path.IFACE]];
    if (kind === PathKind.DOWN) {
      ctx.slab.give(ipAt);
      ctx.stats.ipOutDiscards += 1;
      iface.counters.dropsSent += 1;
      return Verdict.INTERFACE_DOWN;
    }
    let verdict: Verdict;
    if (iface.medium === Medium.IP) verdict = isAnswer ? iface.enqueueAnswer(ipAt, total) : iface.enqueue(ipAt, total);
    else if (kind === PathKind.UNICAST) {
      let row = t[p + Path.NEIGHBOR];
      if (row < 0 || !this.#neighbors.holds(row, iface.index, t[p + Path.NEXT_HOP])) {
        const hop = t[p + Path.NEXT_HOP];
        row = this.#neighbors.find(iface.index, hop);
        if (row < 0 && isAnswer && !this.#neighbors.mayAnswerUnknown()) {
          ctx.slab.give(ipAt);
          ctx.stats.ipOutDiscards += 1;
          return Verdict.NO_NEIGHBOR;
        }
        if (row < 0) row = this.#neighbors.create(iface.index, hop);
        if (hop !== t[p + Path.DESTINATION]) this.#neighbors.markGateway(row);
        t[p + Path.NEIGHBOR] = row;
      }
      verdict = this.#neighbors.send(row, iface, ipAt, total, isAnswer);
      if (verdict === Verdict.NEIGHBOR_PENDING) return verdict;
    } else {
      const group = t[p + Path.DESTINATION];
      const multicast = kind === PathKind.MULTICAST;
      const frame = emitLink(
        ctx.slab.view,
        iface,
        ipAt,
        multicast ? multicastMacHi() : Mac.BROADCAST_HI,
        multicast ? multicastMacLo(group) : Mac.BROADCAST_LO,
        EtherType.IPV4,
      );
      verdict = iface.enqueue(frame, total + ipAt - frame);
    }
    if (verdict !== Verdict.OK) ctx.stats.ipOutDiscards += 1;
    if (verdict === Verdict.ANSWER_QUEUE_FULL) ctx.stats.answerQueueDrops += 1;
    return verdict;
  }

  /** A hash of an address that nobody outside can foresee: for tables of peers. */
  peerHash(address: number): number {
    return keyedHash(this.#secret0, this.#secret1, address, ~address, -1);
  }

  #nextId(source: number, destination: number, protocol: number): number {
    const i = keyedHash(this.#secret0, this.#secret1, source, destination, protocol) & (ID_COUNTERS - 1);
    this.#ids[i] += 1;
    return this.#ids[i];
  }

  /** TCP and ICMP have said already why they send; for the others the protocol says it. */
  #note(at: number, protocol: number): void {
    const notes = this.#ctx.slab.notes;
    if (notes === null) return;
    if (notes[this.#ctx.slab.noteRow(at) + Note.KIND] !== NoteKind.NONE) return;
    this.#noteCause(at, protocol === IpProtocol.UDP ? Cause.UDP_DATA : Cause.NONE);
  }
  #noteCause(at: number, cause: Cause): void {
    const notes = this.#ctx.slab.notes;
    if (notes === null) return;
    const row = this.#ctx.slab.noteRow(at);
    notes[row + Note.KIND] = NoteKind.SENT;
    notes[row + Note.REASON] = cause;
    notes[row + Note.ROW] = -1;
  }
}
