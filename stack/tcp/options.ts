import type { Address } from '../base/units.js';
import { TcpOptionBytes } from '../wire/tcp-options.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/** Segment path. Sizes that depend on what was negotiated. */

/** RFC 9293 §3.7.1, MUST-15: what to assume of a peer that names no MSS; 1220 for IPv6 will join it. */
export const DEFAULT_MSS = 536;
/** The smallest MSS we accept: Linux's TCP_MIN_SND_MSS; with 40 bytes of options it still leaves room for data (the attack of CVE-2019-11479). */
export const MSS_MIN = 48;

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

/** Limits the MSS of a connection to what the peer said, the path carries and the program set. */
export function setSendMss(tcp: TcpContext, c: number, mss: number): void {
  const k = tcp.hot[c + Tcb.COLD];
  const clamp = k === 0 ? 0 : tcp.cold[k + Cold.MSS_CLAMP];
  if (clamp !== 0 && mss > clamp) mss = clamp;
  if (mss < MSS_MIN) mss = MSS_MIN;
  if (mss > 0xffff) mss = 0xffff;
  tcp.hot[c + Tcb.MSS_AND_SHIFTS] = (tcp.hot[c + Tcb.MSS_AND_SHIFTS] & ~0xffff) | mss;
}
