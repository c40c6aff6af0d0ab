import { KeyHash } from '../base/keyed-hash.js';
import { HashIndex } from '../memory/hash-index.js';
import type { PoolReport } from '../memory/pool-report.js';
import { RowLists } from '../memory/row-lists.js';
import { RowPool } from '../memory/row-pool.js';
import { EtherType, Mac } from '../wire/ethernet.js';
import { IpProtocol, ipv4Protocol } from '../wire/ipv4.js';
import { FIRST_DROP, Verdict } from '../wire/verdict.js';
import { sendArpRequest } from './arp-output.js';
import type { Context } from './context.js';
import type { Interface } from './interface.js';
import { emitLink } from './link.js';
import { NeighborQueues } from './neighbor-queue.js';
import { Claim, Heard, Neighbor, NeighborState, Proof } from './neighbor-row.js';
import { NeighborTimers } from './neighbor-timers.js';
import type { QuoteReader } from './quote.js';
import { TokenBucket } from './token-bucket.js';
import { PathError } from './transport.js';

/** RFC 4861 §10: REACHABLE_TIME, varied by MIN_ and MAX_RANDOM_FACTOR so that hosts do not probe in step. */
const REACHABLE_MS_BASE = 30_000;
const DELAY_MS = 5_000; // DELAY_FIRST_PROBE_TIME
/** RETRANS_TIMER; also RFC 1122 §2.3.2.1's most one request a second for each destination. */
const RETRANSMIT_MS = 1_000;
/** MAX_UNICAST_SOLICIT and MAX_MULTICAST_SOLICIT */
const PROBES_MAX = 3;
/** An answer that contradicts what changed within this time is a proxy's or a forger's: Linux's locktime. */
const LOCK_MS = 1_000;
/** A request that the limit held back is tried again after this time: short against the second between two requests. */
const LIMITED_MS = 100;
/** Entries looked at to find one to give up. */
const VICTIM_SAMPLE = 16;

export class NeighborCache {
  readonly t: Int32Array;
  readonly #ctx: Context;
  readonly #rows: RowPool;
  readonly #index: HashIndex;
  readonly timers: NeighborTimers;
  readonly #queues: NeighborQueues;
  readonly #quotes: QuoteReader;
  /** By `Proof`; of those confirmed there is none, since the clock hand finds them. */
  readonly #unproven: RowLists;
  #unresolved = 0;
  #unresolvedHighWater = 0;
  #unresolvedEvicted = 0;
  /** Where the search for a victim goes on. */
  #hand = 0;
  /** Resolutions that may be begun now for answers to strangers. */
  readonly #answers: TokenBucket;
  /** Requests to everybody, those that connections need on top of these, and requests to who is known by his own word alone. */
  readonly #broadcasts: TokenBucket;
  readonly #connections: TokenBucket;
  readonly #verifications: TokenBucket;
  #answersRefused = 0;

  constructor(ctx: Context, quotes: QuoteReader) {
    this.#ctx = ctx;
    this.#quotes = quotes;
    const max = ctx.limits.neighborsMax;
    this.t = new Int32Array(max * Neighbor.STRIDE);
    this.#rows = new RowPool(max);
    this.#index = new HashIndex(this.t, Neighbor.STRIDE, new KeyHash(ctx.prng.next(), ctx.prng.next()));
    this.timers = new NeighborTimers(ctx, max);
    this.#queues = new NeighborQueues(ctx);
    this.#unproven = new RowLists(max, Proof.CONFIRMED);
    const { clock, prng, limits } = ctx;
    this.#answers = new TokenBucket(clock, prng, limits.neighborAnswersPerSecond, limits.neighborAnswersBurst);
    this.#broadcasts = new TokenBucket(clock, prng, limits.arpRequestsPerSecond, limits.arpRequestsBurst);
    this.#connections = new TokenBucket(clock, prng, limits.arpRequestsPerSecond, limits.arpRequestsBurst);
    this.#verifications = new TokenBucket(clock, prng, limits.arpRequestsPerSecond, limits.arpRequestsBurst);
  }

  get size(): number {
    return this.#rows.used;
  }
  /** Packets waiting for any neighbour. */
  get waiting(): number {
    return this.#queues.used;
  }
  /** Row, or -1. */
  find(iface: number, address: number): number {
    return this.#index.find(address, iface, 0);
  }
  /**
   * Whether an answer to a stranger may begin a resolution: false where that many were begun already. Who asks us on the link has asked for our MAC
   * before, which makes him known, and who asks from elsewhere is answered by the gateway. So what is left are nearly always forged senders, and
   * each would make us send three broadcasts (RFC 6583 §6.4).
   */
  mayAnswerUnknown(): boolean {
    if (this.#answers.take()) return true;
    this.#answersRefused += 1;
    return false;
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

  /** Others are reached through this neighbour. */
  markGateway(row: number): void {
    this.t[row * Neighbor.STRIDE + Neighbor.CLAIM] = Claim.GATEWAY;
  }

  /** Sends the IP datagram at `at` to the neighbour, now or when it answers. Takes the slot. */
  send(row: number, iface: Interface, at: number, length: number, isAnswer = false): Verdict {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    const state = t[n + Neighbor.STATE];
    t[n + Neighbor.USED_MS] = this.#ctx.clock.ms;
    if (state === NeighborState.INCOMPLETE) return this.#wait(row, iface, at, length, isAnswer);
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

  /**
   * A sender's addresses, as `how` they came to us. Only what we asked for, or who asked us, makes an entry.
   *
   * A neighbour that moves to another MAC announces itself or asks for us, and that is believed at once, as by Linux. Its
   * locktime holds for what merely contradicts: an answer, or what was overheard, within a second of a change.
   */
  heard(iface: Interface, address: number, macHi: number, macLo: number, how: Heard): void {
    let row = this.find(iface.index, address);
    if (row < 0) {
      if (how !== Heard.ASKING_US || !iface.onLink(address)) return;
      row = this.create(iface.index, address, Proof.HEARD);
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
      this.#prove(row, Proof.HEARD);
      if (answer) this.#reachable(row);
      else this.#enter(row, NeighborState.STALE, 0);
      this.#release(row, iface);
      return;
    }
    if (t[n + Neighbor.MAC_HI] !== macHi || t[n + Neighbor.MAC_LO] !== macLo) {
      const own = how === Heard.ASKING_US || how === Heard.ANNOUNCING;
      if (!own && ((this.#ctx.clock.ms - t[n + Neighbor.UPDATED_MS]) | 0) < LOCK_MS) return;
      this.#setMac(row, macHi, macLo);
      // RFC 4861 §7.2.5: another MAC, unasked, is to be used and not yet to be trusted.
      // Deviation: Linux trusts one that came in a reply to us, asked for or not.
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

  /** Control path. */
  reports(): readonly PoolReport[] {
    const { neighborsMax, neighborsUnresolvedMax } = this.#ctx.limits;
    return [
      {
        name: 'net.neighbors',
        unit: 'entries',
        used: this.#rows.used,
        limit: neighborsMax,
        reserve: 0,
        highWater: this.#rows.highWater,
        refused: 0,
        evicted: this.#ctx.stats.neighborEvictions,
      },
      {
        name: 'net.neighborsUnresolved',
        unit: 'entries',
        used: this.#unresolved,
        limit: neighborsUnresolvedMax,
        reserve: 0,
        highWater: this.#unresolvedHighWater,
        refused: this.#answersRefused,
        evicted: this.#unresolvedEvicted,
      },
      this.#queues.report(),
    ];
  }

  advance(): void {
    const now = this.#ctx.clock.ms;
    for (let row = this.timers.expire(); row >= 0; row = this.timers.expire()) this.#expired(row, now);
  }
  msToNext(): number {
    return this.timers.msToNext();
  }

  #expired(row: number, now: number): void {
    const t = this.t;
    const n = row * Neighbor.STRIDE;
    switch (t[n + Neighbor.STATE]) {
      case NeighborState.REACHABLE: {
        const left = (t[n + Neighbor.CONFIRMED_MS] + t[n + Neighbor.REACHABLE_MS] - now) | 0;
        if (left > 0) this.timers.arm(row, left);
        else this.#enter(row, NeighborState.STALE, 0);
        return;
      }
      case NeighborState.DELAY:
        this.#enter(row, NeighborState.PROBE, 0);
        t[n + Neighbor.PROBES] = 0;
        this.#ask(row);
        return;
      default:
        if (this.timers.putOff(row)) return;
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
    if (!this.#mayAsk(n, known)) {
      this.#ctx.stats.arpRequestsRateLimited += 1;
      this.timers.arm(row, LIMITED_MS);
      return;
    }
    t[n + Neighbor.PROBES] += 1;
    this.timers.armAtFlush(row, RETRANSMIT_MS);
    sendArpRequest(
      this.#ctx,
      this.#ctx.interfaces[t[n + Neighbor.IFACE]],
      t[n + Neighbor.ADDRESS],
      known ? t[n + Neighbor.MAC_HI] : Mac.BROADCAST_HI,
      known ? t[n + Neighbor.MAC_LO] : Mac.BROADCAST_LO,
    );
  }

  /**
   * Requests are limited in all, because whoever makes a program answer forged senders chooses how many neighbours we ask
   * for (RFC 6583 §6.4). Connections that programs open have as much for themselves. Not limited are gateways, of which there
   * are few, and the verification of those who have answered before: nobody who is not there can use up what these need. An
   * entry that has to wait keeps its three requests.
   */
  #mayAsk(n: number, known: boolean): boolean {
    const claim = this.t[n + Neighbor.CLAIM];
    if (claim === Claim.GATEWAY) return true;
    if (known) return this.t[n + Neighbor.PROOF] === Proof.CONFIRMED || this.#verifications.take();
    return this.#broadcasts.take() || (claim === Claim.CONNECTION && this.#connections.take());
  }

  /** Asking costs no place in a queue: whatever becomes of the packet, the neighbour is asked for, once a second as long as there is an entry. */
  #wait(row: number, iface: Interface, at: number, length: number, isAnswer: boolean): Verdict {
    const { slab } = this.#ctx;
    if (!iface.up) {
      slab.give(at);
      return Verdict.INTERFACE_DOWN;
    }
    const n = row * Neighbor.STRIDE;
    if (this.t[n + Neighbor.CLAIM] === Claim.ANYBODY && !isAnswer && ipv4Protocol(slab.view, at) === IpProtocol.TCP)
      this.t[n + Neighbor.CLAIM] = Claim.CONNECTION;
    const queued = this.#queues.put(row, at, length);
    if (this.t[n + Neighbor.PROBES] === 0) this.#ask(row);
    return queued ? Verdict.NEIGHBOR_PENDING : Verdict.NEIGHBOR_QUEUE_FULL;
  }

  /** The MAC is known: what waited goes, in order. */
  #release(row: number, iface: Interface): void {
    for (let at = this.#queues.takeAll(row); at !== 0; ) {
      // `send` may give the slot away, chain and all.
      const next = this.#queues.nextOf(at);
      if (this.send(row, iface, at, this.#queues.lengthOf(at)) >= FIRST_DROP) this.#ctx.stats.neighborQueueDrops += 1;
      at = next;
    }
  }

  /** A row for a neighbour that has none: INCOMPLETE, and nobody asked yet. */
  create(iface: number, address: number, proof = Proof.NONE): number {
    this.#makeRoom(proof);
    const row = this.#rows.take();
    const n = row * Neighbor.STRIDE;
    this.t.fill(0, n, n + Neighbor.STRIDE);
    this.t[n + Neighbor.ADDRESS] = address;
    this.t[n + Neighbor.IFACE] = iface;
    this.t[n + Neighbor.STATE] = NeighborState.INCOMPLETE;
    this.t[n + Neighbor.USED_MS] = this.#ctx.clock.ms;
    this.#index.insert(row);
    this.#list(row, proof);
    return row;
  }

  /**
   * Who gives way, RFC 6583 §7.1: a scan of the link must not push out the neighbours that are there. Entries that nobody has answered for
   * have a share of the table, and beyond it the one asked for longest ago goes. When the table is full, the oldest of those goes that are known
   * by their own word alone, then one that was confirmed and is not in use.
   */
  #makeRoom(proof: Proof): void {
    let victim = -1;
    if (proof === Proof.NONE && this.#unresolved >= this.#ctx.limits.neighborsUnresolvedMax) {
      victim = this.#unproven.first(Proof.NONE);
      this.#unresolvedEvicted += 1;
    } else if (this.#rows.used === this.#rows.max) {
      victim = this.#unproven.first(Proof.HEARD);
      if (victim < 0) victim = this.#leastUsed();
    }
    if (victim < 0) return;
    this.#remove(victim, false);
    this.#ctx.stats.neighborEvictions += 1;
  }

  /** Of a few confirmed entries, found by a clock hand, the one unused for longest; one in use only where there is nothing else. */
  #leastUsed(): number {
    const t = this.t;
    const now = this.#ctx.clock.ms;
    let victim = -1;
    let longest = -1;
    for (let i = 0; i < VICTIM_SAMPLE; i++) {
      const row = this.#hand;
      this.#hand = row + 1 === this.#rows.max ? 0 : row + 1;
      const n = row * Neighbor.STRIDE;
      if (t[n + Neighbor.STATE] !== NeighborState.STALE) continue;
      const idle = (now - t[n + Neighbor.USED_MS]) | 0;
      if (idle > longest) {
        longest = idle;
        victim = row;
      }
    }
    if (victim >= 0) return victim;
    const unresolved = this.#unproven.first(Proof.NONE);
    return unresolved >= 0 ? unresolved : this.#hand;
  }

  /** Enters a new row into the list of its kind. */
  #list(row: number, proof: Proof): void {
    this.t[row * Neighbor.STRIDE + Neighbor.PROOF] = proof;
    if (proof === Proof.CONFIRMED) return;
    this.#unproven.append(proof, row);
    if (proof !== Proof.NONE) return;
    this.#unresolved += 1;
    if (this.#unresolved > this.#unresolvedHighWater) this.#unresolvedHighWater = this.#unresolved;
  }
  #unlist(row: number): void {
    const proof = this.t[row * Neighbor.STRIDE + Neighbor.PROOF];
    if (proof === Proof.CONFIRMED) return;
    this.#unproven.remove(proof, row);
    if (proof === Proof.NONE) this.#unresolved -= 1;
  }
  #prove(row: number, proof: Proof): void {
    this.#unlist(row);
    this.#list(row, proof);
  }

  /**
   * Forgets the neighbour. What waited for it is lost; when it is because nobody answered, the transports hear of it (RFC 1122
   * §2.3.2.2 and §3.3.1.4: the host itself is not sent an ICMP message for that).
   */
  #remove(row: number, failed: boolean): void {
    const n = row * Neighbor.STRIDE;
    let at = this.#queues.takeAll(row);
    this.#unlist(row);
    this.#index.remove(row);
    this.timers.cancel(row);
    this.t[n + Neighbor.STATE] = NeighborState.FREE;
    this.#rows.give(row);
    const slab = this.#ctx.slab;
    while (at !== 0) {
      const next = this.#queues.nextOf(at);
      const length = this.#queues.lengthOf(at);
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
  }

  #reachable(row: number): void {
    const n = row * Neighbor.STRIDE;
    const ms = REACHABLE_MS_BASE / 2 + this.#ctx.prng.below(REACHABLE_MS_BASE + 1);
    this.#prove(row, Proof.CONFIRMED);
    this.t[n + Neighbor.CONFIRMED_MS] = this.#ctx.clock.ms;
    this.t[n + Neighbor.REACHABLE_MS] = ms;
    this.#enter(row, NeighborState.REACHABLE, ms);
  }

  /** The state, or the MAC, is another now. `timeoutMs` 0: the state lasts until something happens. */
  #enter(row: number, state: NeighborState, timeoutMs: number): void {
    const n = row * Neighbor.STRIDE;
    this.t[n + Neighbor.STATE] = state;
    this.t[n + Neighbor.UPDATED_MS] = this.#ctx.clock.ms;
    if (timeoutMs === 0) this.timers.cancel(row);
    else if (state === NeighborState.DELAY) this.timers.armAtFlush(row, timeoutMs);
    else this.timers.arm(row, timeoutMs);
  }
}
