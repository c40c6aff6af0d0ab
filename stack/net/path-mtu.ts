import type { PoolReport } from '../memory/pool-report.js';
import type { Clock } from '../time/clock.js';

/**
 * The smallest MTU we believe. RFC 1191 §3 allows down to 68 octets; with segments so small a forged report would multiply
 * our packet count by thirty (RFC 5927 §7.1). Deviation: 552, as Linux's min_pmtu. A report below it is taken as 552 and datagrams to
 * there are sent without DF, so a link that is really narrower still gets them, in fragments.
 */
export const PATH_MTU_MIN = 552;
/** RFC 1191 §6.3: an estimate is forgotten after ten minutes, so that a path that grew wider is found again. */
const AGE_MS_MAX = 600_000;
/**
 * Destinations remembered. Each costs 16 bytes; a thousand paths narrower than their first link is far more than a host
 * sees. Beyond it one of a set of four gives way: the oldest whose report proved nothing, then the oldest. A report that proves nothing takes no place
 * from one that did: else a forger could make a connection learn its path again and again, and each time costs it a round trip and a loss.
 */
const SETS = 256;
const WAYS = 4;

const enum Entry {
  DESTINATION = 0,
  /** 0: the entry is free. */
  MTU = 1,
  EXPIRES_MS = 2,
  /** EntryBit bits. */
  BITS = 3,
  STRIDE = 4,
}

const enum EntryBit {
  /** The report was below the minimum. */
  LOCKED = 1,
  /** Whoever sent it has seen what only the path to there sees. */
  PROVEN = 2,
}

/** MTUs that links really have, RFC 1191 §7, table 7-1, without those below our minimum. */
const PLATEAUS = Int32Array.of(65535, 32000, 17914, 8166, 4352, 2002, 1492, 1006, PATH_MTU_MIN);

/** RFC 1191 §5: an old router does not say its MTU. Guess the next plateau below the datagram it refused. */
export function plateauBelow(totalLength: number): number {
  for (let i = 0; i < PLATEAUS.length; i++) if (PLATEAUS[i] < totalLength) return PLATEAUS[i];
  return PATH_MTU_MIN;
}

/** What is known of paths narrower than their first link. Consulted when a path is looked up anew, not per datagram. */
export class PathMtuTable {
  readonly #t = new Int32Array(SETS * WAYS * Entry.STRIDE);
  #count = 0;
  /** No entry expires before this moment. */
  #nextMs = 0;
  #highWater = 0;
  #refused = 0;
  #evicted = 0;

  constructor(readonly clock: Clock) {}

  /** The estimate, or 0 when there is none. */
  get(destination: number): number {
    const e = this.#find(destination);
    return e < 0 ? 0 : this.#t[e + Entry.MTU];
  }
  /** Whether the report was below the minimum, so that DF must not be set. */
  locked(destination: number): boolean {
    const e = this.#find(destination);
    return e >= 0 && (this.#t[e + Entry.BITS] & EntryBit.LOCKED) !== 0;
  }

  /**
   * Takes a report, whose `mtu` must be below what is `current`; RFC 1191 §3: never raised by a report. `proven`: the transport has checked that it
   * quotes something it has in flight (RFC 5927 §4). True when it changed anything.
   */
  lower(destination: number, mtu: number, current: number, proven: boolean): boolean {
    if (mtu >= current || mtu < 68) return false;
    let e = this.#find(destination);
    const before = e < 0 ? 0 : this.#t[e + Entry.BITS] & EntryBit.PROVEN;
    if (e < 0) e = this.#victim(destination, proven);
    if (e < 0) {
      this.#refused += 1;
      return false;
    }
    if (this.#t[e + Entry.MTU] === 0) this.#count += 1;
    else if (this.#t[e + Entry.DESTINATION] !== destination) this.#evicted += 1;
    if (this.#count > this.#highWater) this.#highWater = this.#count;
    const expires = (this.clock.ms + AGE_MS_MAX) | 0;
    this.#t[e + Entry.DESTINATION] = destination;
    this.#t[e + Entry.MTU] = mtu < PATH_MTU_MIN ? PATH_MTU_MIN : mtu;
    this.#t[e + Entry.BITS] = (mtu < PATH_MTU_MIN ? EntryBit.LOCKED : 0) | (proven ? EntryBit.PROVEN : before);
    this.#t[e + Entry.EXPIRES_MS] = expires;
    if (this.#count === 1 || ((expires - this.#nextMs) | 0) < 0) this.#nextMs = expires;
    return true;
  }

  /** Forgets what is too old; returns how many entries that were. */
  expire(): number {
    const now = this.clock.ms;
    if (this.#count === 0 || ((this.#nextMs - now) | 0) > 0) return 0;
    let forgotten = 0;
    let next = (now + AGE_MS_MAX) | 0;
    for (let e = 0; e < this.#t.length; e += Entry.STRIDE) {
      if (this.#t[e + Entry.MTU] === 0) continue;
      const expires = this.#t[e + Entry.EXPIRES_MS];
      if (((expires - now) | 0) <= 0) {
        this.#t[e + Entry.MTU] = 0;
        this.#count -= 1;
        forgotten += 1;
      } else if (((expires - next) | 0) < 0) next = expires;
    }
    this.#nextMs = next;
    return forgotten;
  }

  msToNext(): number {
    return this.#count === 0 ? Infinity : Math.max(0, (this.#nextMs - this.clock.ms) | 0);
  }
  get size(): number {
    return this.#count;
  }
  /** Control path. */
  report(): PoolReport {
    return {
      name: 'net.pathMtus',
      unit: 'entries',
      used: this.#count,
      limit: SETS * WAYS,
      reserve: 0,
      highWater: this.#highWater,
      refused: this.#refused,
      evicted: this.#evicted,
    };
  }

  #setOf(destination: number): number {
    return (Math.imul(destination, 0x9e3779b1) >>> 24) * WAYS * Entry.STRIDE;
  }
  #find(destination: number): number {
    if (this.#count === 0) return -1;
    const first = this.#setOf(destination);
    for (let e = first; e < first + WAYS * Entry.STRIDE; e += Entry.STRIDE)
      if (this.#t[e + Entry.DESTINATION] === destination && this.#t[e + Entry.MTU] !== 0) return e;
    return -1;
  }
  /** A free entry of the destination's set, or the one that gives way; -1 when none does. */
  #victim(destination: number, proven: boolean): number {
    const first = this.#setOf(destination);
    let victim = -1;
    let victimProven = true;
    for (let e = first; e < first + WAYS * Entry.STRIDE; e += Entry.STRIDE) {
      if (this.#t[e + Entry.MTU] === 0) return e;
      const isProven = (this.#t[e + Entry.BITS] & EntryBit.PROVEN) !== 0;
      if (isProven && (!proven || !victimProven)) continue;
      const older = victim < 0 || ((this.#t[e + Entry.EXPIRES_MS] - this.#t[victim + Entry.EXPIRES_MS]) | 0) < 0;
      if (!older && isProven === victimProven) continue;
      victim = e;
      victimProven = isProven;
    }
    return victim;
  }
}
