import { Cause } from '../net/note.js';
import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import type { Listener } from './listener-table.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Explicit congestion notification, RFC 3168 §6.1: routers mark instead of dropping, the receiver says so in its ACKs (ECE) until the
 * sender has told it (CWR) that it has given way. What the sender does about it is in prr.ts, the receiver's part in
 * ecn-echo.ts; here is what both ends agree to, and what our segments carry.
 *
 * Deviation: of the experiments RFC 8311 §4 allows (ECT on control segments, ECT(1), a milder reduction) none is made unless the congestion control asks,
 * as Linux: a control that `needsEcn` has ECT(0) on all of its segments, the SYN too (RFC 8257 §3.6 and RFC 8311 §4.3).
 */

/** Values of `limits.ecn`, as Linux's tcp_ecn has them. */
export const enum EcnPolicy {
  OFF = 0,
  /** Asked for when we open, agreed to when the peer asks. */
  REQUEST = 1,
  ACCEPT = 2,
}

const SETUP = TcpFlag.ECE | TcpFlag.CWR;

/** Whether the control that a listener's connections will have wants ECN whatever the policy. */
function listenerNeedsEcn(tcp: TcpContext, listener: Listener): boolean {
  const { congestions } = tcp;
  const name = listener.defaults.congestion;
  const control = name === undefined ? congestions.standard : congestions.controls[congestions.find(name)];
  return control.needsEcn === true;
}

export function needsEcn(tcp: TcpContext, k: number): boolean {
  return congestionOf(tcp, k).needsEcn === true;
}

/**
 * §6.1.1: a SYN with ECE and CWR asks for ECN. As Linux not one that is itself ECN-capable: RFC 3168 has no such SYN, so something on the path
 * marks what it should not, unless both ends have agreed on a control that sends it.
 */
export function agreesToEcn(tcp: TcpContext, listener: Listener): boolean {
  if ((tcp.seg.flags & SETUP) !== SETUP) return false;
  if (listenerNeedsEcn(tcp, listener)) return true;
  return tcp.limits.ecn !== EcnPolicy.OFF && (tcp.seg.tos & Ecn.MASK) === Ecn.NOT_ECT;
}

/** The IP field of a SYN-ACK of this listener's. */
export function listenerTos(tcp: TcpContext, listener: Listener | undefined): number {
  return listener !== undefined && listenerNeedsEcn(tcp, listener) ? Ecn.ECT0 : 0;
}

/** Our SYN: whether it asks for ECN, which Flag.ECN remembers until the answer has come. */
export function requestEcn(tcp: TcpContext, c: number, k: number): number {
  if (tcp.limits.ecn !== EcnPolicy.REQUEST && !needsEcn(tcp, k)) return 0;
  tcp.hot[c + Tcb.STATE] |= Flag.ECN;
  // §6.1.1.1: a host or a firewall that cannot bear the two flags answers nothing, so the SYN goes again without (Linux: tcp_ecn_fallback).
  return tcp.limits.ecnFallback && tcp.cold[k + Cold.RETRANSMITS] > 0 ? 0 : SETUP;
}

/** The peer's SYN-ACK agrees with ECE and without CWR; both set are the reflection of our own by a server that copies what it does not know. A crossing SYN asks as ours does. */
export function takeEcnAnswer(tcp: TcpContext, c: number): void {
  const { flags } = tcp.seg;
  const agreed = (flags & TcpFlag.ACK) !== 0 ? TcpFlag.ECE : SETUP;
  if ((flags & SETUP) !== agreed) tcp.hot[c + Tcb.STATE] &= ~Flag.ECN;
}

// What we send

/** The control bits ECN adds to a segment. `fresh`: it brings data for the first time; only that carries CWR (§6.1.2). */
export function ecnFlags(tcp: TcpContext, c: number, fresh: boolean): number {
  const word = tcp.hot[c + Tcb.STATE];
  let flags = (word & Flag.ECN_ECHO) !== 0 ? TcpFlag.ECE : 0;
  if (fresh && (word & Flag.ECN_REDUCED) !== 0) flags |= TcpFlag.CWR;
  return flags;
}

/** The IP field: ECT(0) on data sent for the first time and on nothing else (§6.1.4 pure ACKs, §6.1.5 retransmissions, §6.1.6 window probes). */
export function ecnField(tcp: TcpContext, k: number, fresh: boolean): number {
  return fresh || needsEcn(tcp, k) ? Ecn.ECT0 : Ecn.NOT_ECT;
}

/** Whether a segment sent for `cause` with `length` bytes brings data for the first time. */
export function isFresh(cause: Cause, length: number): boolean {
  if (length === 0) return false;
  return (
    cause === Cause.DATA || cause === Cause.LIMITED_TRANSMIT || cause === Cause.URGENT || cause === Cause.LOSS_PROBE
  );
}
