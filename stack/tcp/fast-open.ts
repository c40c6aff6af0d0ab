import { StackError } from '../base/errors.js';
import { keyedHash } from '../base/keyed-hash.js';
import { sipHash8 } from '../base/siphash.js';
import { FAST_OPEN_COOKIE_BYTES_MAX } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Cold, Name, Tcb } from './tcb.js';

/**
 * Segment path. What Fast Open (RFC 7413) has to know apart from the connections: the keys a server's cookies are made with, and a client's cookies. A server's half is in
 * fast-open-server.ts, a client's in fast-open-client.ts.
 */

/** Bits of `limits.fastOpen`, as Linux's tcp_fastopen has them. */
export const enum FastOpenBit {
  CLIENT = 1,
  SERVER = 2,
  /** Data in a SYN although no cookie is known. */
  CLIENT_WITHOUT_COOKIE = 4,
  /** Data in a SYN is taken without any cookie. */
  SERVER_WITHOUT_COOKIE = 0x200,
  /** Every listener takes part, with its backlog as the limit. */
  EVERY_LISTENER = 0x400,
}

/** Bits of `Cold.FAST_OPEN`. */
export const enum FastOpen {
  /** Our SYN had the option. */
  ASKED = 1,
  /** … in its experimental form. */
  EXPERIMENTAL = 2,
  /** Our SYN had data, and it was acknowledged with the SYN; on a server: data came with the SYN. */
  SYN_DATA = 4,
  SYN_DATA_ACKED = 8,
  /** Made from a SYN with a valid cookie: exchanges data before the handshake is complete. */
  CHILD = 16,
  /** A SYN may carry data without a cookie (TCP_FASTOPEN_NO_COOKIE). */
  NO_COOKIE = 32,
  /** Why it came to nothing: FastOpenFailure, from bit 8 on. */
  FAILURE_BIT = 8,
}

/** Linux's tcpi_fastopen_client_fail. */
export const enum FastOpenFailure {
  NONE = 0,
  COOKIE_UNAVAILABLE = 1,
  DATA_NOT_ACKED = 2,
  SYN_RETRANSMITTED = 3,
}

/** A server's cookies are eight bytes, which RFC 7413 §4.1.2 thinks enough: what SipHash gives. */
export const COOKIE_BYTES = 8;
const KEY_BYTES = 16;

/** A cookie on its way out: one record each for those that read or write it. */
export class Cookie {
  /** -1: no option; 0: a request. */
  length = -1;
  experimental = false;
  readonly bytes = new Uint8Array(FAST_OPEN_COOKIE_BYTES_MAX);

  set(length: number, experimental: boolean): void {
    this.length = length;
    this.experimental = experimental;
  }

  copyFrom(view: DataView, at: number, length: number): void {
    for (let i = 0; i < length; i++) this.bytes[i] = view.getUint8(at + i);
  }
}

/** Control path. One key, or the present one and the one before it, of 16 bytes each, as words. */
export function fastOpenKeys(bytes: Uint8Array): Int32Array {
  if (bytes.length !== KEY_BYTES && bytes.length !== 2 * KEY_BYTES) {
    throw new StackError('ERR_INVALID_ARG_VALUE', `a Fast Open key is 16 bytes, or 32 for two; not ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  return Int32Array.from({ length: bytes.length / 4 }, (_, i) => view.getInt32(4 * i, true));
}

/** Which of a server's keys made a cookie. */
export const enum KeyMatch {
  NONE = 0,
  PRESENT = 1,
  FORMER = 2,
}

const made = new Int32Array(2);

/** RFC 7413 §4.1.2: a cookie is a keyed hash of the client's address; ours as well, as Linux. No state, and no clock: it ends when the key is changed. */
export function makeCookie(keys: Int32Array, which: number, local: number, remote: number, into: Cookie): void {
  hashInto(keys, which, local, remote);
  const { bytes } = into;
  for (let i = 0; i < COOKIE_BYTES; i++) bytes[i] = made[i >>> 2] >>> (8 * (i & 3));
}

function hashInto(keys: Int32Array, which: number, local: number, remote: number): void {
  sipHash8(keys, which * 4, swapBytes(remote), swapBytes(local), made);
}

/** Addresses are hashed as they stand in the header. */
function swapBytes(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
}

/** The cookie at `at` against the present key and the former. */
export function checkCookie(
  keys: Int32Array,
  local: number,
  remote: number,
  view: DataView,
  at: number,
  length: number,
): KeyMatch {
  if (length !== COOKIE_BYTES) return KeyMatch.NONE;
  for (let which = 0; which * 4 < keys.length; which++) {
    hashInto(keys, which, local, remote);
    if (view.getInt32(at, true) === made[0] && view.getInt32(at + 4, true) === made[1]) {
      return which === 0 ? KeyMatch.PRESENT : KeyMatch.FORMER;
    }
  }
  return KeyMatch.NONE;
}

/** Made from a SYN, and its handshake not complete yet. */
export function isChild(tcp: TcpContext, c: number): boolean {
  const k = tcp.hot[c + Tcb.COLD];
  return k !== 0 && (tcp.cold[k + Cold.FAST_OPEN] & FastOpen.CHILD) !== 0;
}

/** The handshake of a child is over, one way or the other: the listener has room for another, after a while where it was reset. */
export function settleChild(tcp: TcpContext, c: number, k: number, reset: boolean): void {
  tcp.cold[k + Cold.FAST_OPEN] &= ~FastOpen.CHILD;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const { names } = tcp;
  const listener = tcp.listeners.find(names[n + Name.LOCAL], names[n + Name.PORTS], names[n + Name.REMOTE]);
  if (listener === undefined) return;
  if (listener.fastOpenPending > 0) listener.fastOpenPending -= 1;
  if (!reset) return;
  listener.fastOpenResets += 1;
  listener.fastOpenResetAt = tcp.clock.ms;
}

/** A row of the client's cache: 8 int32. */
const enum Row {
  REMOTE = 0,
  MSS = 1,
  /** The cookie's length, and Tried from bit 8 on. */
  LENGTH = 2,
  COOKIE = 4,
  SIZE = 8,
}

/** Which forms of the option a server has left unanswered: the next request uses the other, and after both the standard one. */
export const enum Tried {
  NOTHING = 0,
  STANDARD = 1,
  BOTH = 2,
}

/** How many servers' cookies are kept: 32 KiB. A newer one of the same place replaces an older; what is lost is asked for again. */
const ROWS = 1024;

/** RFC 7413 §4.1.3: cookies by server address, with the MSS that goes with them, and the pause after a path has swallowed a SYN with data. */
export class CookieCache {
  readonly #rows = new Int32Array(ROWS * Row.SIZE);
  readonly #secret0: number;
  readonly #secret1: number;
  /** Fast Open is paused up to then, ms; valid while `pauses` is not zero. */
  #pausedUntil = 0;
  /** How often in a row it has been: each pause is twice as long. */
  pauses = 0;
  mss = 0;
  /** Servers known of, and how often one took another's place. */
  used = 0;
  highWater = 0;
  replaced = 0;
  readonly max = ROWS;

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
    const at = this.#place(remote);
    const rows = this.#rows;
    this.mss = 0;
    into.set(0, false);
    if (rows[at + Row.REMOTE] !== remote) return;
    this.mss = rows[at + Row.MSS];
    const word = rows[at + Row.LENGTH];
    into.set(
      word & LENGTH_MASK,
      (word & EXPERIMENTAL) !== 0 || ((word & LENGTH_MASK) === 0 && word >>> TRIED_BIT === Tried.STANDARD),
    );
    for (let i = 0; i < into.length; i++) into.bytes[i] = rows[at + Row.COOKIE + (i >>> 2)] >>> (8 * (i & 3));
  }

  /** A server's answer: its MSS, and its cookie if it gave one. */
  put(remote: number, mss: number, cookie: Cookie, tried: Tried): void {
    const at = this.#place(remote);
    const rows = this.#rows;
    if (rows[at + Row.REMOTE] !== remote) {
      if (rows[at + Row.REMOTE] !== 0) this.replaced += 1;
      else if (++this.used > this.highWater) this.highWater = this.used;
      rows.fill(0, at, at + Row.SIZE);
    }
    rows[at + Row.REMOTE] = remote;
    rows[at + Row.MSS] = mss;
    if (cookie.length > 0) {
      rows[at + Row.LENGTH] = cookie.length | (cookie.experimental ? EXPERIMENTAL : 0);
      for (let i = 0; i < 4; i++) rows[at + Row.COOKIE + i] = 0;
      for (let i = 0; i < cookie.length; i++) rows[at + Row.COOKIE + (i >>> 2)] |= cookie.bytes[i] << (8 * (i & 3));
      return;
    }
    const word = rows[at + Row.LENGTH];
    if ((word & LENGTH_MASK) === 0 && tried > word >>> TRIED_BIT) rows[at + Row.LENGTH] = tried << TRIED_BIT;
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

  #place(remote: number): number {
    return (keyedHash(this.#secret0, this.#secret1, remote, 0, 0) & (ROWS - 1)) * Row.SIZE;
  }
}
const LENGTH_MASK = 0x7f;
const EXPERIMENTAL = 1 << 7;
const TRIED_BIT = 8;
/** Linux: 64 times the first pause at the most. */
const PAUSE_DOUBLINGS_MAX = 6;
