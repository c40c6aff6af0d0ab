import { keyedHash } from '../base/keyed-hash.js';
import type { Cookie } from './fast-open.js';

/**
 * RFC 7413 §4.1.3: the cookies a client was given, by server address, with the MSS that goes with them, and the pause
 * after a path has swallowed a SYN with data.
 */

/** Columns of a row: 8 int32. */
const enum Row {
  REMOTE = 0,
  MSS = 1,
  /** The cookie's length, WORKED, EXPERIMENTAL, and Tried from bit 8 on. */
  LENGTH = 2,
  /** When it was last asked for or filled, counted in such calls. */
  USED = 3,
  COOKIE = 4,
  SIZE = 8,
}

/** Which forms of the option a server has left unanswered: the next request uses the other, and after both the standard one. */
export const enum Tried {
  NOTHING = 0,
  STANDARD = 1,
  BOTH = 2,
}

/** What became of the data of a SYN. */
export const enum SynData {
  NONE = 0,
  TAKEN = 1,
  NOT_TAKEN = 2,
}

/**
 * How many servers' cookies are kept: 1024 rows, 32 KiB, in sets of four. In a full set the one unused for longest gives
 * way of those whose cookie has not worked yet, then of all. So a program that goes through any number of servers, one
 * connection each, takes no place from a server whose cookie is in use.
 */
const SETS = 256;
const WAYS = 4;

export class CookieCache {
  readonly #rows = new Int32Array(SETS * WAYS * Row.SIZE);
  readonly #secret0: number;
  readonly #secret1: number;
  #uses = 0;
  /** Fast Open is paused up to then, ms; valid while `pauses` is not zero. */
  #pausedUntil = 0;
  /** How often in a row it has been: each pause is twice as long. */
  pauses = 0;
  mss = 0;
  /** Servers known of, and how often one took another's place. */
  used = 0;
  highWater = 0;
  replaced = 0;
  readonly max = SETS * WAYS;

  constructor(secret0: number, secret1: number) {
    this.#secret0 = secret0;
    this.#secret1 = secret1;
  }

  /** Control path. */
  clear(): void {
    this.#rows.fill(0);
    this.used = 0;
    this.pauses = 0;
  }

  /** Fills in the cookie for a server, or a request for one; `mss` is what the server said, 0 where it is not known. */
  get(remote: number, into: Cookie): void {
    const at = this.#find(remote);
    const rows = this.#rows;
    this.mss = 0;
    into.set(0, false);
    if (at < 0) return;
    this.#use(at);
    this.mss = rows[at + Row.MSS];
    const word = rows[at + Row.LENGTH];
    into.set(
      word & LENGTH_MASK,
      (word & EXPERIMENTAL) !== 0 || ((word & LENGTH_MASK) === 0 && word >>> TRIED_BIT === Tried.STANDARD),
    );
    for (let i = 0; i < into.length; i++) into.bytes[i] = rows[at + Row.COOKIE + (i >>> 2)] >>> (8 * (i & 3));
  }

  /** A server's answer: its MSS, its cookie if it gave one, and whether it took the SYN's data. */
  put(remote: number, mss: number, cookie: Cookie, tried: Tried, data: SynData): void {
    let at = this.#find(remote);
    const rows = this.#rows;
    if (at < 0) {
      at = this.#victim(remote);
      if (rows[at + Row.REMOTE] !== 0) this.replaced += 1;
      else if (++this.used > this.highWater) this.highWater = this.used;
      rows.fill(0, at, at + Row.SIZE);
      rows[at + Row.REMOTE] = remote;
    }
    this.#use(at);
    rows[at + Row.MSS] = mss;
    if (data === SynData.TAKEN) rows[at + Row.LENGTH] |= WORKED;
    else if (data === SynData.NOT_TAKEN) rows[at + Row.LENGTH] &= ~WORKED;
    const word = rows[at + Row.LENGTH];
    if (cookie.length > 0) {
      rows[at + Row.LENGTH] = cookie.length | (cookie.experimental ? EXPERIMENTAL : 0) | (word & WORKED);
      for (let i = 0; i < 4; i++) rows[at + Row.COOKIE + i] = 0;
      for (let i = 0; i < cookie.length; i++) rows[at + Row.COOKIE + (i >>> 2)] |= cookie.bytes[i] << (8 * (i & 3));
      return;
    }
    if ((word & LENGTH_MASK) === 0 && tried > word >>> TRIED_BIT) {
      rows[at + Row.LENGTH] = (tried << TRIED_BIT) | (word & WORKED);
    }
  }

  /** Linux's tcp_fastopen_blackhole_timeout_sec: some box on the way does not bear data in SYNs, so none is sent for a while, twice as long each time. */
  pause(nowMs: number, seconds: number): void {
    if (seconds === 0) return;
    this.pauses += 1;
    const times = this.pauses - 1 < PAUSE_DOUBLINGS_MAX ? this.pauses - 1 : PAUSE_DOUBLINGS_MAX;
    this.#pausedUntil = (nowMs + seconds * 1000 * 2 ** times) | 0;
  }

  paused(nowMs: number): boolean {
    return this.pauses > 0 && ((this.#pausedUntil - nowMs) | 0) > 0;
  }

  #use(at: number): void {
    this.#uses = (this.#uses + 1) | 0;
    this.#rows[at + Row.USED] = this.#uses;
  }

  #setOf(remote: number): number {
    return (keyedHash(this.#secret0, this.#secret1, remote, 0, 0) & (SETS - 1)) * WAYS * Row.SIZE;
  }

  /** -1: the server is not known. */
  #find(remote: number): number {
    const first = this.#setOf(remote);
    for (let at = first; at < first + WAYS * Row.SIZE; at += Row.SIZE) {
      if (this.#rows[at + Row.REMOTE] === remote) return at;
    }
    return -1;
  }

  /** A free row of the server's set, or the one that gives way. */
  #victim(remote: number): number {
    const rows = this.#rows;
    const first = this.#setOf(remote);
    let victim = -1;
    for (let at = first; at < first + WAYS * Row.SIZE; at += Row.SIZE) {
      if (rows[at + Row.REMOTE] === 0) return at;
      if (victim < 0 || this.#givesWayBefore(at, victim)) victim = at;
    }
    return victim;
  }

  #givesWayBefore(at: number, other: number): boolean {
    const rows = this.#rows;
    const worked = rows[at + Row.LENGTH] & WORKED;
    if (worked !== (rows[other + Row.LENGTH] & WORKED)) return worked === 0;
    return ((rows[at + Row.USED] - rows[other + Row.USED]) | 0) < 0;
  }
}
const LENGTH_MASK = 0x3f;
/** The server has taken data that came with a SYN. */
const WORKED = 1 << 6;
const EXPERIMENTAL = 1 << 7;
const TRIED_BIT = 8;
/** Linux: 64 times the first pause at the most. */
const PAUSE_DOUBLINGS_MAX = 6;
