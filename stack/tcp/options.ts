import type { Address } from '../base/units.js';
import { TcpOptionBytes } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Cold, Custom, Flag, Name, Tcb } from './tcb.js';

/** Segment path. Sizes that depend on what was negotiated. */

/** RFC 9293 §3.7.1, MUST-15: what to assume of a peer that names no MSS; 1220 for IPv6 will join it. */
export const DEFAULT_MSS = 536;
/** The smallest MSS we accept: Linux's TCP_MIN_SND_MSS; with 40 bytes of options it still leaves room for data (the attack of CVE-2019-11479). */
export const MSS_MIN = 48;
/** IPv4's and TCP's header without options. */
export const FIXED_HEADER_BYTES = 40;

/** MSS as the peer allows and the path permits, without allowing for options: RFC 6691 has them subtracted per segment. */
export function sendMss(tcp: TcpContext, c: number): number {
  return tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff;
}

/** Bytes of options in a data segment without SACK blocks. */
export function dataOptionBytes(word: number): number {
  return (word & Flag.TIMESTAMPS) !== 0 ? TcpOptionBytes.TIMESTAMPS_PADDED : 0;
}

/** Eff.snd.MSS, RFC 9293 §3.7.1 MUST-16: what fits into a segment beside the options it always carries. SMSS of RFC 5681. */
export function effectiveMss(tcp: TcpContext, c: number): number {
  return (tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff) - dataOptionBytes(tcp.hot[c + Tcb.STATE]);
}

export function sendShift(tcp: TcpContext, c: number): number {
  return (tcp.hot[c + Tcb.MSS_AND_SHIFTS] >>> 16) & 0xf;
}
export function receiveShift(tcp: TcpContext, c: number): number {
  return (tcp.hot[c + Tcb.MSS_AND_SHIFTS] >>> 20) & 0xf;
}

/** The MSS we tell the peer: the interface's MTU towards it less the fixed headers, RFC 9293 §3.7.1 (RFC 6691 §2). */
export function advertisedMss(tcp: TcpContext, remote: Address): number {
  const mss = tcp.net.interfaceMtu(remote) - tcp.net.headerBytes(remote) - 20;
  return mss < 0xffff ? mss : 0xffff;
}

/** What our SYN says: that, unless the program wants less (TCP_MAXSEG). */
export function offeredMss(tcp: TcpContext, remote: Address, clamp: number): number {
  const mss = advertisedMss(tcp, remote);
  return clamp !== 0 && clamp < mss ? clamp : mss;
}

/** The MSS the path to `remote` carries now. */
export function pathMss(tcp: TcpContext, remote: Address): number {
  const mss = tcp.net.pathMtu(remote) - tcp.net.headerBytes(remote) - 20;
  return mss > MSS_MIN ? mss : MSS_MIN;
}

/**
 * What the peer's MSS option (or its absence) and the program's own limit allow: Linux's mss_clamp. The path and the peer's window may bring it down
 * further, and give it back: `syncMss`.
 */
export function setSendMss(tcp: TcpContext, c: number, mss: number): void {
  const { hot, cold } = tcp;
  const k = hot[c + Tcb.COLD];
  const clamp = k === 0 ? 0 : cold[k + Cold.MSS_CLAMP];
  if (clamp !== 0 && mss > clamp) mss = clamp;
  if (mss < MSS_MIN) mss = MSS_MIN;
  if (mss > 0xffff) mss = 0xffff;
  putMss(tcp, c, mss);
  if (k === 0) return;
  cold[k + Cold.PEER_MSS] = mss;
  syncMss(tcp, c, k);
}

function putMss(tcp: TcpContext, c: number, mss: number): void {
  tcp.hot[c + Tcb.MSS_AND_SHIFTS] = (tcp.hot[c + Tcb.MSS_AND_SHIFTS] & ~0xffff) | mss;
}

/**
 * Asleep the hot row holds what the peer allows; awake, what may be sent now. cwnd stays the same number of segments,
 * both ways.
 */
export function sleepingMss(tcp: TcpContext, c: number, k: number): void {
  if (tcp.cold[k + Cold.PEER_MSS] !== 0) changeMss(tcp, c, tcp.cold[k + Cold.PEER_MSS]);
}
export function wakingMss(tcp: TcpContext, c: number, k: number): void {
  tcp.cold[k + Cold.PEER_MSS] = tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff;
  syncMss(tcp, c, k);
}

/**
 * The MSS as of now: within the path's MTU, within what probing has shown to arrive, and no more than half of the largest window the peer has offered. That
 * last rule is Linux's way to keep silly windows out (RFC 9293 §3.8.6.2.1 would wait for half of that window instead): a segment always fits, and two do. cwnd is a
 * number of segments to whoever watches, so it follows in bytes.
 */
export function syncMss(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, names } = tcp;
  let mss = cold[k + Cold.PEER_MSS];
  if (mss === 0) return;
  const remote = names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address;
  const path = pathMss(tcp, remote);
  if (mss > path) mss = path;
  if ((cold[k + Cold.CUSTOM] & Custom.MTU_SEARCH) !== 0) {
    if (cold[k + Cold.MTU_HIGH] > path + FIXED_HEADER_BYTES) cold[k + Cold.MTU_HIGH] = path + FIXED_HEADER_BYTES;
    const arrives = cold[k + Cold.MTU_LOW] - FIXED_HEADER_BYTES;
    if (mss > arrives) mss = arrives > MSS_MIN ? arrives : MSS_MIN;
  }
  const options = dataOptionBytes(hot[c + Tcb.STATE]);
  const widest = cold[k + Cold.MAX_SND_WND];
  const half = widest > DEFAULT_MSS ? widest >>> 1 : widest;
  if (half > 0 && mss - options > half) mss = (half > HALF_WINDOW_MIN ? half : HALF_WINDOW_MIN) + options;
  changeMss(tcp, c, mss);
}

function changeMss(tcp: TcpContext, c: number, mss: number): void {
  const { hot } = tcp;
  const before = effectiveMss(tcp, c);
  putMss(tcp, c, mss);
  const after = mss - dataOptionBytes(hot[c + Tcb.STATE]);
  if (after === before || before <= 0) return;
  hot[c + Tcb.CWND] = rescaled(hot[c + Tcb.CWND], before, after);
  if (hot[c + Tcb.SSTHRESH] !== NO_SSTHRESH) hot[c + Tcb.SSTHRESH] = rescaled(hot[c + Tcb.SSTHRESH], before, after);
}
/** Half of a window is no segment below this: RFC 791's smallest datagram less the headers. */
const HALF_WINDOW_MIN = 28;
/** ssthresh of a connection that has met no congestion, RFC 5681 §3.1: "arbitrarily high". */
export const NO_SSTHRESH = 0x7fffffff;

/** As many segments, of the new size. */
function rescaled(bytes: number, before: number, after: number): number {
  const scaled = Math.floor(bytes / before) * after;
  return scaled < NO_SSTHRESH ? scaled : NO_SSTHRESH;
}

/** IP_MTU_DISCOVER, in Linux's numbers. */
export const enum MtuDiscover {
  /** Fragments are welcome: no DF, and reports of smaller MTUs are passed over. */
  DONT = 0,
  /** DF, and the path's MTU is followed. */
  WANT = 1,
  /** DF even where the path's MTU is below what we believe. */
  DO = 2,
  /** No DF; the others of the three go by what the interface carries alone, or nearly so. */
  PROBE = 3,
  INTERFACE = 4,
  OMIT = 5,
}

const MTU_DISCOVER_MASK = 0x7;

/** Of a word of Cold.CUSTOM. */
export function mtuDiscover(custom: number): MtuDiscover {
  return ((custom >>> Custom.MTU_DISCOVER_BIT) & MTU_DISCOVER_MASK) ^ MtuDiscover.WANT;
}
export function withMtuDiscover(custom: number, value: MtuDiscover): number {
  const cleared = custom & ~(MTU_DISCOVER_MASK << Custom.MTU_DISCOVER_BIT);
  return cleared | ((value ^ MtuDiscover.WANT) << Custom.MTU_DISCOVER_BIT);
}

/** IP_MINTTL: what comes from farther away is dropped (RFC 5082). Of a word of Cold.CUSTOM. */
export function leastTtl(custom: number): number {
  return (custom >>> Custom.MIN_TTL_BIT) & 0xff;
}
export function withLeastTtl(custom: number, value: number): number {
  return (custom & ~(0xff << Custom.MIN_TTL_BIT)) | (value << Custom.MIN_TTL_BIT);
}
