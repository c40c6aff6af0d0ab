import { HashIndex } from '../memory/hash-index.js';
import { RowPool } from '../memory/row-pool.js';
import { TimerWheel } from '../time/timer-wheel.js';
import { EtherType, Mac } from '../wire/ethernet.js';
import { FIRST_DROP, Verdict } from '../wire/verdict.js';
import { sendArpRequest } from './arp-output.js';
import type { Context } from './context.js';
import type { Interface } from './interface.js';
import { emitLink } from './link.js';
import { SlotChain } from './neighbor-queue.js';
import type { QuoteReader } from './quote.js';
import { PathError } from './transport.js';

/** RFC 4861 §7.3.2, applied to ARP as Linux does (its NUD states): RFC 826 knows of no neighbour that goes away. */
export const enum NeighborState {
  FREE = 0,
  /** Asked for; nobody has answered yet. */
  INCOMPLETE = 1,
  /** Known to be there: an answer, or a transport's progress, within the last reachable time. */
  REACHABLE = 2,
  /** Was there once. Used as it is, and verified on first use. */
  STALE = 3,
  /** In use again; a transport is given five seconds to confirm before we ask. */
  DELAY = 4,
  /** Asked, by unicast. */
  PROBE = 5,
}

/** Columns of a neighbour. The first three are the key. */
export const enum Neighbor {
  ADDRESS = 0,
  IFACE = 1,
  ZERO = 2,
  STATE = 3,
  MAC_HI = 4,
  MAC_LO = 5,
  /** Requests sent in INCOMPLETE or PROBE. */
  PROBES = 6,
  /** Packets waiting: the first and last offset, 0 for none, and how many. */
  HEAD = 7,
  TAIL = 8,
  WAITING = 9,
  USED_MS = 10,
  CONFIRMED_MS = 11,
  UPDATED_MS = 12,
  /** This entry's reachable time. */
  REACHABLE_MS = 13,
  STRIDE = 16,
}

/** How a sender's address pair reached us. */
export const enum Heard {
  /** Overheard, or an announcement: may correct an entry, never make one. */
  OVERHEARD = 0,
  /** A request for an address of ours: whoever asks will be spoken to next (RFC 826's reason to learn from it). */
  ASKING_US = 1,
  /** A reply sent to us. */
  ANSWERING_US = 2,
}

/** RFC 4861 §10: REACHABLE_TIME, varied by MIN_ and MAX_RANDOM_FACTOR so that hosts do not probe in step. */
const REACHABLE_MS_BASE = 30_000;
/** DELAY_FIRST_PROBE_TIME */
const DELAY_MS = 5_000;
/** RETRANS_TIMER; also RFC 1122 §2.3.2.1's most one request a second for each destination. */
const RETRANSMIT_MS = 1_000;
/** MAX_UNICAST_SOLICIT and MAX_MULTICAST_SOLICIT */
const PROBES_MAX = 3;
/** A second answer that contradicts the first within this time is a proxy's or a forger's: Linux's locktime. */
const LOCK_MS = 1_000;
/** Entries looked at to find one to give up. */
const VICTIM_SAMPLE = 16;

export class NeighborCache {
  readonly t: Int32Array;
  readonly #ctx: Context;
  readonly #rows: RowPool;
  readonly #index: HashIndex;
  readonly #timers: TimerWheel;
  readonly #chain: SlotChain;
  readonly #quotes: QuoteReader;
  #waiting = 0;
  /** Where the search for a victim goes on. */
  #hand = 0;

  constructor(ctx: Context, quotes: QuoteReader) {
    this.#ctx = ctx;
    this.#quotes = quotes;
    const max = ctx.limits.neighborsMax;
    this.t = new Int32Array(max * Neighbor.STRIDE);
    this.#rows = new RowPool(max);
    this.#index = new HashIndex(this.t, Neighbor.STRIDE, ctx.prng.next(), ctx.prng.next());
    this.#timers = new TimerWheel(max, ctx.clock.ms);
    this.#chain = new SlotChain(ctx.slab);
  }

  get size(): number {
    return this.#rows.used;
  }
  /** Packets waiting for any neighbour. */
  get waiting(): number {
    return this.#waiting;
  }
  /** Row, or -1. */
  find(iface: number, address: number): number {
    return this.#index.find(address, iface, 0);
  }
  /** Row, made if need be: INCOMPLETE, and nobody asked yet. */
  entry(iface: number, address: number): number {
    const row = this.find(iface, address);
    return row >= 0 ? row : this.#create(iface, address);
  }
  /** Whether the row still is that neighbour's. */
  holds(row: number, iface: number, address: number): boolean {
    const n = row * Neighbor.STRIDE;
    return (
      this.t[n + Neighbor.ADDRESS] === address &&
      this.t[n + Neighbor.IFACE] === iface &&
      this.t[n + Neighbor.STATE] !== NeighborState.FREE
    );
  }

  /** Sends the IP datagram at `at` to the neighbour, now or when it answers. Takes the slot. */
  send(row: number, iface: Interface, at: number, length: number, isAnswer = false): Verdict {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    const state = t[n + Neighbor.STATE];
    t[n + Neighbor.USED_MS] = this.#ctx.clock.ms;
    if (state === NeighborState.INCOMPLETE) return this.#wait(row, iface, at, length);
    // RFC 4861 §7.3.3: the first use of a stale entry starts its verification; the packet goes at once.
    if (state === NeighborState.STALE) this.#enter(row, NeighborState.DELAY, DELAY_MS);
    const frame = emitLink(
      this.#ctx.slab.view,
      iface,
      at,
      t[n + Neighbor.MAC_HI],
      t[n + Neighbor.MAC_LO],
      EtherType.IPV4,
    );
    return isAnswer ? iface.enqueueAnswer(frame, length + at - frame) : iface.enqueue(frame, length + at - frame);
  }

  /** A transport got an answer through this neighbour: RFC 4861 §7.3.1, RFC 1122 §2.3.2.1 (4). */
  confirm(row: number): void {
    const n = row * Neighbor.STRIDE;
    const state = this.t[n + Neighbor.STATE];
    if (state < NeighborState.REACHABLE) return;
    this.t[n + Neighbor.CONFIRMED_MS] = this.#ctx.clock.ms;
    // In REACHABLE the timer, when it comes, sees that it came too early: no re-arming per segment.
    if (state !== NeighborState.REACHABLE) this.#reachable(row);
  }

  /** A transport waits for answers through this neighbour in vain (RFC 9293 MUST-20): the next datagram begins its verification. */
  doubt(row: number): void {
    if (this.t[row * Neighbor.STRIDE + Neighbor.STATE] === NeighborState.REACHABLE)
      this.#enter(row, NeighborState.STALE, 0);
  }

  /** A sender's addresses, as `how` they came to us. Only what we asked for, or who asked us, makes an entry. */
  heard(iface: Interface, address: number, macHi: number, macLo: number, how: Heard): void {
    let row = this.find(iface.index, address);
    if (row < 0) {
      if (how !== Heard.ASKING_US || !iface.onLink(address)) return;
      row = this.#create(iface.index, address);
      if (row < 0) return;
      this.#setMac(row, macHi, macLo);
      this.#enter(row, NeighborState.STALE, 0);
      return;
    }
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    const state = t[n + Neighbor.STATE];
    const answer = how === Heard.ANSWERING_US && (state === NeighborState.INCOMPLETE || state === NeighborState.PROBE);
    if (state === NeighborState.INCOMPLETE) {
      this.#setMac(row, macHi, macLo);
      if (answer) this.#reachable(row);
      else this.#enter(row, NeighborState.STALE, 0);
      this.#release(row, iface);
      return;
    }
    if (t[n + Neighbor.MAC_HI] !== macHi || t[n + Neighbor.MAC_LO] !== macLo) {
      if (((this.#ctx.clock.ms - t[n + Neighbor.UPDATED_MS]) | 0) < LOCK_MS) return;
      this.#setMac(row, macHi, macLo);
      // RFC 4861 §7.2.5: another MAC, unasked, is to be used and not yet to be trusted.
      if (!answer) this.#enter(row, NeighborState.STALE, 0);
    }
    if (answer) this.#reachable(row);
  }

  /** Drops what is known of an interface's neighbours: it went down, or the link changed. */
  flush(iface: number): void {
    for (let row = 0; row < this.#rows.highWater; row++) {
      const n = row * Neighbor.STRIDE;
      if (this.t[n + Neighbor.STATE] !== NeighborState.FREE && this.t[n + Neighbor.IFACE] === iface)
        this.#remove(row, false);
    }
  }

  advance(): void {
    const now = this.#ctx.clock.ms;
    for (let row = this.#timers.expire(now); row >= 0; row = this.#timers.expire(now)) this.#expired(row, now);
  }
  msToNext(): number {
    return this.#timers.msToNext(this.#ctx.clock.ms);
  }

  #expired(row: number, now: number): void {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    switch (t[n + Neighbor.STATE]) {
      case NeighborState.REACHABLE: {
        const left = (t[n + Neighbor.CONFIRMED_MS] + t[n + Neighbor.REACHABLE_MS] - now) | 0;
        if (left > 0) this.#timers.arm(row, (now + left) | 0);
        else t[n + Neighbor.STATE] = NeighborState.STALE;
        return;
      }
      case NeighborState.DELAY:
        t[n + Neighbor.STATE] = NeighborState.PROBE;
        t[n + Neighbor.PROBES] = 0;
        this.#ask(row);
        return;
      default:
        if (t[n + Neighbor.PROBES] < PROBES_MAX) this.#ask(row);
        else {
          this.#ctx.stats.neighborFailures += 1;
          this.#remove(row, true);
        }
    }
  }

  /** One more request: to everybody while the MAC is unknown, to its holder when it is to be verified. */
  #ask(row: number): void {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    const known = t[n + Neighbor.STATE] === NeighborState.PROBE;
    t[n + Neighbor.PROBES] += 1;
    this.#timers.arm(row, (this.#ctx.clock.ms + RETRANSMIT_MS) | 0);
    sendArpRequest(
      this.#ctx,
      this.#ctx.interfaces[t[n + Neighbor.IFACE]],
      t[n + Neighbor.ADDRESS],
      known ? t[n + Neighbor.MAC_HI] : Mac.BROADCAST_HI,
      known ? t[n + Neighbor.MAC_LO] : Mac.BROADCAST_LO,
    );
  }

  /**
   * RFC 1122 §2.3.2.2: the latest packet must be kept, not thrown away, until the address is resolved. RFC 4861 §7.2.2: when the queue
   * is full the new packet replaces the oldest.
   */
  #wait(row: number, iface: Interface, at: number, length: number): Verdict {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    const limits = this.#ctx.limits;
    if (!iface.up) {
      this.#ctx.slab.give(at);
      return Verdict.INTERFACE_DOWN;
    }
    if (t[n + Neighbor.WAITING] >= limits.neighborQueueFrames || this.#waiting >= limits.neighborQueueFramesTotal) {
      this.#ctx.stats.neighborQueueDrops += 1;
      if (t[n + Neighbor.WAITING] === 0) {
        this.#ctx.slab.give(at);
        return Verdict.NEIGHBOR_QUEUE_FULL;
      }
      const oldest = t[n + Neighbor.HEAD];
      t[n + Neighbor.HEAD] = this.#chain.nextOf(oldest);
      t[n + Neighbor.WAITING] -= 1;
      this.#waiting -= 1;
      this.#ctx.slab.give(oldest);
    }
    this.#chain.put(at, length);
    if (t[n + Neighbor.WAITING] === 0) t[n + Neighbor.HEAD] = at;
    else this.#chain.link(t[n + Neighbor.TAIL], at);
    t[n + Neighbor.TAIL] = at;
    t[n + Neighbor.WAITING] += 1;
    this.#waiting += 1;
    if (t[n + Neighbor.PROBES] === 0) this.#ask(row);
    return Verdict.NEIGHBOR_PENDING;
  }

  /** The MAC is known: what waited goes, in order. */
  #release(row: number, iface: Interface): void {
    for (let at = this.#takeWaiting(row); at !== 0; ) {
      // `send` may give the slot away, chain and all.
      const next = this.#chain.nextOf(at);
      if (this.send(row, iface, at, this.#chain.lengthOf(at)) >= FIRST_DROP) this.#ctx.stats.neighborQueueDrops += 1;
      at = next;
    }
  }

  /** Unhooks the packets that wait; returns the first, or 0. */
  #takeWaiting(row: number): number {
    const n = row * Neighbor.STRIDE;
    const head = this.t[n + Neighbor.WAITING] === 0 ? 0 : this.t[n + Neighbor.HEAD];
    this.#waiting -= this.t[n + Neighbor.WAITING];
    this.t[n + Neighbor.WAITING] = 0;
    this.t[n + Neighbor.HEAD] = 0;
    this.t[n + Neighbor.TAIL] = 0;
    return head;
  }

  #create(iface: number, address: number): number {
    let row = this.#rows.take();
    if (row < 0) {
      this.#remove(this.#victim(), false);
      this.#ctx.stats.neighborEvictions += 1;
      row = this.#rows.take();
    }
    const n = row * Neighbor.STRIDE;
    this.t.fill(0, n, n + Neighbor.STRIDE);
    this.t[n + Neighbor.ADDRESS] = address;
    this.t[n + Neighbor.IFACE] = iface;
    this.t[n + Neighbor.STATE] = NeighborState.INCOMPLETE;
    this.t[n + Neighbor.USED_MS] = this.#ctx.clock.ms;
    this.#index.insert(row);
    return row;
  }

  /**
   * The least useful of a few, found by a clock hand. An entry that only waits for an answer is worth less than one that had
   * one, since a scan or a forged flood makes thousands of those; among equals the one unused for longest goes.
   */
  #victim(): number {
    const t = this.t;
    const now = this.#ctx.clock.ms;
    let victim = -1;
    let worst = -1;
    for (let i = 0; i < VICTIM_SAMPLE; i++) {
      const row = this.#hand;
      this.#hand = row + 1 === this.#rows.max ? 0 : row + 1;
      const n = row * Neighbor.STRIDE;
      const state = t[n + Neighbor.STATE];
      const idle = (now - t[n + Neighbor.USED_MS]) | 0;
      const rank = state === NeighborState.INCOMPLETE ? 2 : state === NeighborState.STALE ? 1 : 0;
      // Ranks are 2^31 ms apart: idleness only decides between equals. Unused STALE entries of a minute are worth nothing.
      const score = (rank === 1 && idle > 60_000 ? 3 : rank) * 0x8000_0000 + Math.max(0, idle);
      if (score > worst) {
        worst = score;
        victim = row;
      }
    }
    return victim;
  }

  /**
   * Forgets the neighbour. What waited for it is lost; when it is because nobody answered, the transports hear of it (RFC 1122
   * §2.3.2.2 and §3.3.1.4: the host itself is not sent an ICMP message for that).
   */
  #remove(row: number, failed: boolean): void {
    const n = row * Neighbor.STRIDE;
    let at = this.#takeWaiting(row);
    this.#index.remove(row);
    this.#timers.cancel(row);
    this.t[n + Neighbor.STATE] = NeighborState.FREE;
    this.#rows.give(row);
    const slab = this.#ctx.slab;
    while (at !== 0) {
      const next = this.#chain.nextOf(at);
      const length = this.#chain.lengthOf(at);
      this.#ctx.stats.neighborQueueDrops += 1;
      // A transport may send from here, and even make a new entry for this neighbour: the row is no longer ours.
      if (failed) this.#quotes.deliver(slab.view, at, length, PathError.HOST_DOWN, 0, 0, 0);
      slab.give(at);
      at = next;
    }
  }

  #setMac(row: number, macHi: number, macLo: number): void {
    const n = row * Neighbor.STRIDE;
    this.t[n + Neighbor.MAC_HI] = macHi;
    this.t[n + Neighbor.MAC_LO] = macLo;
    this.t[n + Neighbor.UPDATED_MS] = this.#ctx.clock.ms;
  }

  #reachable(row: number): void {
    const n = row * Neighbor.STRIDE;
    const ms = REACHABLE_MS_BASE / 2 + this.#ctx.prng.below(REACHABLE_MS_BASE + 1);
    this.t[n + Neighbor.CONFIRMED_MS] = this.#ctx.clock.ms;
    this.t[n + Neighbor.REACHABLE_MS] = ms;
    this.#enter(row, NeighborState.REACHABLE, ms);
  }

  /** `timeoutMs` 0: the state lasts until something happens. */
  #enter(row: number, state: NeighborState, timeoutMs: number): void {
    this.t[row * Neighbor.STRIDE + Neighbor.STATE] = state;
    if (timeoutMs === 0) this.#timers.cancel(row);
    else this.#timers.arm(row, (this.#ctx.clock.ms + timeoutMs) | 0);
  }
}
