import { keyedHash4 } from '../base/keyed-hash.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { EcnPolicy, grantEcnByCookie } from './ecn.js';
import { timestampOffset } from './isn.js';
import type { Listener } from './listener-table.js';
import { sendSynAck } from './syn-ack.js';
import { Syn, SynOption } from './syn-table.js';

/**
 * Segment path. SYN cookies, RFC 4987 §3.6: when there is no room for another half-open connection, what must be remembered of it is put into the
 * sequence number of the SYN-ACK, and into its timestamp, where the peer will echo both. Nothing is kept; the handshake's ACK brings it back.
 *
 * As Linux: the sequence number is a hash of the connection, plus the peer's sequence number, plus in the upper eight bits the minute, and in the lower 24
 * a second hash, of the minute as well, to which an index into a table of MSSs is added. Only who has seen the SYN-ACK can acknowledge it, and
 * only for a minute or two.
 */

/** What most peers offer: no MSS, PPP and tunnels, PPPoE, Ethernet. The largest that is not above the peer's is remembered. */
const MSS_TABLE: readonly number[] = [536, 1300, 1440, 1460];
const PERIOD_US = 60_000_000;
/** The minute a cookie was made in and the next: the handshake's ACK may be as late as that. */
const AGE_MAX = 2;
/** A listener that has sent no cookie for so long does not look for one in an ACK. */
const VALID_MS = (AGE_MAX * PERIOD_US) / 1000;
const LOW_BITS = 24;
const LOW_MASK = (1 << LOW_BITS) - 1;

/** The low six bits of TSval, which tells time a little coarser then: the peer's shift (or that there is none), SACK-permitted, and ECN agreed to. */
const TS_BITS = 6;
const TS_SHIFT_MASK = 0xf;
const TS_NO_SHIFT = 0xf;
const TS_SACK = 1 << 4;
const TS_ECN = 1 << 5;

/** Answers the SYN that `scratch` describes, and forgets it. Without timestamps nothing but the MSS can be remembered, so nothing else is offered. */
export function answerWithCookie(tcp: TcpContext, listener: Listener, scratch: Int32Array): void {
  const { seg, net } = tcp;
  const word = scratch[Syn.OPTIONS];
  let index = MSS_TABLE.length - 1;
  while (index > 0 && (word & 0xffff) < MSS_TABLE[index]) index -= 1;
  scratch[Syn.ISS] = makeCookie(tcp, seg.local, seg.remote, seg.ports, seg.SEQ, index);
  if ((word & SynOption.TIMESTAMPS) === 0) scratch[Syn.OPTIONS] = word & 0xffff;
  listener.cookiesSent = true;
  listener.cookieSentAt = tcp.clock.ms;
  net.stats.tcpSynCookiesSent += 1;
  sendSynAck(tcp, scratch, 0, listener, cookieTimestamp(tcp.clock.ms, word));
}

/** The first key makes the part that is always the same for a connection, the second the one that changes with the minute. */
function makeCookie(tcp: TcpContext, local: number, remote: number, ports: number, irs: number, index: number): number {
  const minute = minuteNow(tcp);
  const low = (hash(tcp, 1, local, remote, ports, minute) + index) & LOW_MASK;
  return (hash(tcp, 0, local, remote, ports, 0) + irs + (minute << LOW_BITS) + low) | 0;
}

function hash(tcp: TcpContext, which: number, local: number, remote: number, ports: number, minute: number): number {
  const { secret } = tcp;
  return keyedHash4(secret[2] ^ COOKIE_KEY ^ which, secret[3] ^ COOKIE_KEY, local, remote, ports, minute);
}
/** Keeps the hashes here apart from others under the same secret. */
const COOKIE_KEY = 0x636f6f6b;

function minuteNow(tcp: TcpContext): number {
  return Math.floor(tcp.clock.us / PERIOD_US) | 0;
}

/** The MSS a cookie remembers, or 0 where it is none of ours or too old. */
function readCookie(tcp: TcpContext): number {
  const { seg } = tcp;
  const irs = (seg.SEQ - 1) | 0;
  const rest = (seg.ACK - 1 - hash(tcp, 0, seg.local, seg.remote, seg.ports, 0) - irs) | 0;
  const minute = minuteNow(tcp);
  const age = (minute - (rest >>> LOW_BITS)) & 0xff;
  if (age >= AGE_MAX) return 0;
  const index = ((rest & LOW_MASK) - hash(tcp, 1, seg.local, seg.remote, seg.ports, minute - age)) & LOW_MASK;
  return index < MSS_TABLE.length ? MSS_TABLE[index] : 0;
}

/** Now or a little earlier, never later: peers check that what they echo has been. */
function cookieTimestamp(nowMs: number, word: number): number {
  const shift = (word & SynOption.WINDOW_SCALE) !== 0 ? (word >>> 16) & 0xf : TS_NO_SHIFT;
  const said = shift | ((word & SynOption.SACK) !== 0 ? TS_SACK : 0) | ((word & SynOption.ECN) !== 0 ? TS_ECN : 0);
  const value = ((nowMs >> TS_BITS) << TS_BITS) | said;
  return value - nowMs > 0 ? (value - (1 << TS_BITS)) | 0 : value;
}

/** What the listener makes of an ACK for no connection. */
export const enum CookieVerdict {
  /** It has sent no cookie lately: none is expected. */
  NONE = 0,
  /** It is not one of ours, or too old. */
  INVALID = 1,
  /** The half-open connection stands in the scratch row. */
  VALID = 2,
}

/** Reads the cookie in the segment at hand, and makes `scratch` the half-open connection it was made of; windows are the caller's to choose. */
export function takeCookie(tcp: TcpContext, listener: Listener, scratch: Int32Array): CookieVerdict {
  const { seg, net, limits } = tcp;
  if (limits.synCookies === 0 || !listener.cookiesSent) return CookieVerdict.NONE;
  if ((tcp.clock.ms - listener.cookieSentAt) >>> 0 > VALID_MS) {
    listener.cookiesSent = false;
    return CookieVerdict.NONE;
  }
  const mss = readCookie(tcp);
  if (mss === 0) {
    net.stats.tcpSynCookiesFailed += 1;
    return CookieVerdict.INVALID;
  }
  net.stats.tcpSynCookiesReceived += 1;
  scratch.fill(0);
  scratch[Syn.LOCAL] = seg.local;
  scratch[Syn.REMOTE] = seg.remote;
  scratch[Syn.PORTS] = seg.ports;
  scratch[Syn.ISS] = (seg.ACK - 1) | 0;
  scratch[Syn.IRS] = (seg.SEQ - 1) | 0;
  scratch[Syn.SND_WND] = seg.WND;
  grantEcnByCookie(tcp, scratch);
  const said = rememberedOptions(tcp);
  if (said < 0) return CookieVerdict.INVALID;
  scratch[Syn.OPTIONS] = mss | said;
  if ((said & SynOption.TIMESTAMPS) !== 0) scratch[Syn.TS_RECENT] = seg.TSval;
  return CookieVerdict.VALID;
}

/** What the echoed timestamp says was agreed; -1 where it says what we would not have agreed to. */
function rememberedOptions(tcp: TcpContext): number {
  const { seg, limits, options } = tcp;
  if ((options.present & TcpOptionBit.TIMESTAMPS) === 0) return 0;
  if (!limits.timestamps) return -1;
  const said = seg.TSecr === 0 ? 0 : (seg.TSecr - timestampOffset(tcp, seg.local, seg.remote, seg.ports)) | 0;
  let word: number = SynOption.TIMESTAMPS;
  if ((said & TS_SACK) !== 0) {
    if (!limits.sack) return -1;
    word |= SynOption.SACK;
  }
  if ((said & TS_ECN) !== 0 && limits.ecn !== EcnPolicy.OFF) word |= SynOption.ECN;
  if ((said & TS_SHIFT_MASK) !== TS_NO_SHIFT) {
    if (!limits.windowScaling) return -1;
    word |= SynOption.WINDOW_SCALE | ((said & TS_SHIFT_MASK) << 16);
  }
  return word;
}
