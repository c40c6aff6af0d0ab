import { StackError } from '../base/errors.js';
import { sipHash8 } from '../base/siphash.js';
import { FAST_OPEN_COOKIE_BYTES_MAX } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Name, Tcb } from './tcb.js';

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
  /** It was one: `info` shows it for good. */
  WAS_CHILD = 64,
  /** A SYN may carry data without a cookie (TCP_FASTOPEN_NO_COOKIE). */
  NO_COOKIE = 32,
  /** A router could not forward our SYN with its data: it has gone again, without. */
  SYN_TOO_BIG = 64,
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

/** A child that its program has not accepted yet: nobody would miss it. */
export function isUnaccepted(tcp: TcpContext, c: number): boolean {
  return (tcp.hot[c + Tcb.STATE] & Flag.UNACCEPTED) !== 0;
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
