import { Cause } from '../net/note.js';
import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import {
  ACCURATE_SYN,
  ACE_INITIAL,
  ACE_MASK,
  aceFlags,
  aceOf,
  asksAccurate,
  beginAccurate,
  isAccurate,
  isPureAck,
  NEVER_CAPABLE,
  noteSynField,
  reflection,
  takeAccurateSynAck,
  takeChildsAck,
  takeCrossedSynAck,
  takeThirdAck,
} from './acc-ecn.js';
import { AccEcn } from './cold-bits.js';
import { congestionOf } from './congestion.js';
import type { TcpContext } from './context.js';
import type { Listener } from './listener-table.js';
import { Syn, SynEcn, SynOption } from './syn-table.js';
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
  /** Accurate ECN is agreed to from here on: and asked for, or ECN as it was, or neither. */
  ACCURATE_REQUEST = 3,
  ACCURATE_ACCEPT_REQUEST = 4,
  ACCURATE_ACCEPT = 5,
}

const SETUP = TcpFlag.ECE | TcpFlag.CWR;
/** AE, CWR and ECE of a SYN of RFC 3168, and of a SYN-ACK that grants it. */
const CLASSIC_SYN = 0b011;
const CLASSIC_SYN_ACK = 0b001;
/** Table 2 of RFC 9768: our SYN arrived with CE. */
const MARKED_SYN_ACK = 0b110;

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
function agreesToEcn(tcp: TcpContext, listener: Listener): boolean {
  const { flags, tos } = tcp.seg;
  if ((flags & SETUP) !== SETUP) return false;
  if (listenerNeedsEcn(tcp, listener)) return true;
  // With AE the SYN is of a host that knows what came after RFC 3168, and so may be ECN-capable (RFC 8311 §4.3).
  return tcp.limits.ecn !== EcnPolicy.OFF && ((tos & Ecn.MASK) === Ecn.NOT_ECT || (flags & TcpFlag.AE) !== 0);
}

/** LISTEN: whether the SYN at hand is granted ECN of either kind; `rows` at `at` is the half-open connection. */
export function grantEcn(tcp: TcpContext, listener: Listener, rows: Int32Array, at: number): boolean {
  if (tcp.limits.ecn < EcnPolicy.ACCURATE_REQUEST) return agreesToEcn(tcp, listener);
  rows[at + Syn.TOS] |= kindOfSyn(tcp.seg.flags);
  if (!asksAccurate(tcp.seg.flags)) return agreesToEcn(tcp, listener);
  rows[at + Syn.TOS] |= SynEcn.ACCURATE;
  return true;
}

function kindOfSyn(flags: number): number {
  const ace = aceOf(flags);
  return ace === 0 ? 0 : ace === CLASSIC_SYN ? SynEcn.SAW_CLASSIC : SynEcn.SAW_ACCURATE;
}

/**
 * The SYN again (RFC 9768 §3.1.5): the latest one's IP field is told; one without AE, CWR and ECE ends our being
 * ECN-capable. False: it asks for the other kind of ECN than one before. Nobody could know then which kind is in use,
 * so the connection is to be reset.
 */
export function grantEcnAgain(tcp: TcpContext, rows: Int32Array, at: number): boolean {
  if (tcp.limits.ecn < EcnPolicy.ACCURATE_REQUEST) return true;
  const { flags, tos } = tcp.seg;
  const word = rows[at + Syn.TOS] | kindOfSyn(flags);
  if ((word & MIXED) === MIXED) return false;
  if ((word & SynEcn.ACCURATE) === 0) rows[at + Syn.TOS] = word;
  else rows[at + Syn.TOS] = (word & ~0xff) | tos | (aceOf(flags) === 0 ? SynEcn.DISTRUSTED : 0);
  return true;
}
const MIXED = SynEcn.SAW_CLASSIC | SynEcn.SAW_ACCURATE;

/** A pure ACK is left aside until data comes. What it says of our SYN-ACK is kept (RFC 9768 §3.2.2.1). */
export function keepAce(tcp: TcpContext, rows: Int32Array, at: number): void {
  const word = rows[at + Syn.TOS];
  if ((word & (SynEcn.ACCURATE | SynEcn.ACE_KEPT)) !== SynEcn.ACCURATE || !isPureAck(tcp)) return;
  rows[at + Syn.TOS] = word | SynEcn.ACE_KEPT | (aceOf(tcp.seg.flags) << SynEcn.ACE_SHIFT);
}

/**
 * The three bits of an ACK from a half-open connection: with AccECN the count as it begins, since the SYN is not in it
 * (RFC 9768 §3.2.2.2).
 */
export function halfOpenEcnFlags(rows: Int32Array, at: number): number {
  if ((rows[at + Syn.OPTIONS] & SynOption.ECN) === 0 || (rows[at + Syn.TOS] & SynEcn.ACCURATE) === 0) return 0;
  return ACE_INITIAL;
}

/**
 * SYN-RECEIVED with a full row, Fast Open or SYNs that crossed: the SYN again. False: the two ask for different kinds
 * of ECN (RFC 9768 §3.1.5).
 */
export function takeSynAgain(tcp: TcpContext, c: number, k: number): boolean {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0 || tcp.limits.ecn < EcnPolicy.ACCURATE_REQUEST) return true;
  const ace = aceOf(tcp.seg.flags);
  if (!isAccurate(tcp, k)) return !asksAccurate(tcp.seg.flags);
  if (ace === CLASSIC_SYN) return false;
  noteSynField(tcp, k);
  tcp.cold[k + Cold.ACC_ECN] |= AccEcn.SYN_AGAIN;
  const server = (tcp.hot[c + Tcb.STATE] & Flag.PASSIVE) !== 0;
  if (ace === 0 && server) tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_DISTRUSTED;
  return true;
}

/** SYN cookies: AccECN was agreed to if the ACK has a count or a reflection where ECN would have at most ECE (RFC 9768 §5.1). */
export function grantEcnByCookie(tcp: TcpContext, rows: Int32Array): void {
  const accurate = tcp.limits.ecn >= EcnPolicy.ACCURATE_REQUEST && aceOf(tcp.seg.flags) > 1;
  rows[Syn.TOS] = tcp.seg.tos | (accurate ? SynEcn.ACCURATE : 0);
}

/** The SYN-ACK is about to go for the third time or more: without the bits it may get through (RFC 9768 §3.2.3.2.2). */
export function withholdAce(rows: Int32Array, at: number): void {
  if ((rows[at + Syn.TOS] & SynEcn.ACCURATE) !== 0) rows[at + Syn.TOS] |= SynEcn.WITHHELD;
}

/** The control bits of a SYN-ACK that grants ECN: ECE alone (§6.1.1), or with AccECN the reflection of the SYN's IP field. */
export function synAckEcnFlags(word: number): number {
  if ((word & SynEcn.ACCURATE) === 0) return TcpFlag.ECE;
  return (word & SynEcn.WITHHELD) !== 0 ? 0 : reflection(word & Ecn.MASK);
}

/**
 * The handshake is complete, or Fast Open does not wait for it: a full row takes over what was granted, `word` being
 * the half-open row's Syn.TOS.
 */
export function takeOverEcn(tcp: TcpContext, c: number, k: number, word: number): void {
  if ((word & SynEcn.ACCURATE) === 0) {
    tcp.hot[c + Tcb.STATE] |= Flag.ECN;
    return;
  }
  beginAccurate(tcp, c, k, word & Ecn.MASK);
  if ((word & SynEcn.WITHHELD) !== 0) tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_WITHHELD;
  if ((word & SynEcn.DISTRUSTED) !== 0) tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_DISTRUSTED;
  // Fast Open: the segment at hand is the SYN, which no counter takes in (§3.2).
  if ((tcp.seg.flags & TcpFlag.SYN) !== 0) return;
  const kept = (word & SynEcn.ACE_KEPT) !== 0 ? (word >>> SynEcn.ACE_SHIFT) & ACE_MASK : -1;
  takeThirdAck(tcp, c, k, sentField(tcp, k), kept);
}

/** The IP field of our SYN or SYN-ACK. */
function sentField(tcp: TcpContext, k: number): Ecn {
  return needsEcn(tcp, k) ? Ecn.ECT0 : Ecn.NOT_ECT;
}

/** The first ACK of a connection of Fast Open. */
export function takeChildsThirdAck(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) !== 0 && isAccurate(tcp, k)) takeChildsAck(tcp, k, sentField(tcp, k));
}

/** SYN-RECEIVED after SYNs that crossed, with ECN of either kind: an ACK in place of the peer's SYN-ACK. */
export function takeCrossedThirdAck(tcp: TcpContext, c: number, k: number): void {
  if (isAccurate(tcp, k)) takeThirdAck(tcp, c, k, sentField(tcp, k), -1);
}

/** The peer's SYN-ACK where SYNs have crossed, before its SYN is taken off. */
export function takeCrossedAnswer(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) !== 0 && isAccurate(tcp, k)) takeCrossedSynAck(tcp, k, sentField(tcp, k));
}

/** The IP field of a SYN-ACK of this listener's. */
export function listenerTos(tcp: TcpContext, listener: Listener | undefined): number {
  return listener !== undefined && listenerNeedsEcn(tcp, listener) ? Ecn.ECT0 : 0;
}

/** Our SYN: whether it asks for ECN, which Flag.ECN remembers until the answer has come. */
export function requestEcn(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, limits } = tcp;
  const accurate = limits.ecn === EcnPolicy.ACCURATE_REQUEST;
  const classic = limits.ecn === EcnPolicy.REQUEST || limits.ecn === EcnPolicy.ACCURATE_ACCEPT_REQUEST;
  if (!accurate && !classic && !needsEcn(tcp, k)) return 0;
  hot[c + Tcb.STATE] |= Flag.ECN;
  if (accurate) cold[k + Cold.ACC_ECN] = AccEcn.ASKED;
  // §6.1.1.1: a host or a firewall that cannot bear the flags answers nothing, so the SYN goes again without (Linux: tcp_ecn_fallback). With AccECN one more is
  // sent with them first, since it is likelier that a single SYN was lost (RFC 9768 §3.1.4.1).
  if (limits.ecnFallback && cold[k + Cold.RETRANSMITS] > (accurate ? 1 : 0)) return 0;
  return accurate ? ACCURATE_SYN : SETUP;
}

/**
 * SYN-SENT, we have asked: the peer's SYN-ACK, or a SYN that crosses ours and asks as ours does. True: the peer says
 * that our SYN was marked. That asks for a smaller window (RFC 9768 §3.2.2.2), but is not counted.
 */
export function takeEcnAnswer(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, seg } = tcp;
  const asked = (cold[k + Cold.ACC_ECN] & AccEcn.ASKED) !== 0;
  const synAck = (seg.flags & TcpFlag.ACK) !== 0;
  cold[k + Cold.ACC_ECN] = 0;
  if (!answersEcn(tcp, c, k, asked, synAck)) hot[c + Tcb.STATE] &= ~Flag.ECN;
  return synAck && asked && aceOf(seg.flags) === MARKED_SYN_ACK;
}

/**
 * Whether either kind of ECN is agreed on. A SYN-ACK agrees to that of RFC 3168 with ECE and without CWR; both set are
 * the reflection of our own by a server that copies what it does not know. When we have asked for AccECN (RFC 9768
 * table 2), ECE alone is a server of the older kind, none or all three is one without ECN, and the rest agrees, what is
 * reserved included (§3.1.3).
 */
function answersEcn(tcp: TcpContext, c: number, k: number, asked: boolean, synAck: boolean): boolean {
  const { flags, tos } = tcp.seg;
  if (!synAck) {
    if (!asked || !asksAccurate(flags)) return (flags & SETUP) === SETUP;
    beginAccurate(tcp, c, k, tos & Ecn.MASK);
    return true;
  }
  const ace = aceOf(flags);
  if (!asked || ace === CLASSIC_SYN_ACK) return (flags & SETUP) === TcpFlag.ECE;
  if (ace === 0 || (flags & ACCURATE_SYN) === ACCURATE_SYN) return false;
  takeAccurateSynAck(tcp, c, k, sentField(tcp, k));
  return true;
}

/**
 * Our SYN-ACK from a full row, where two SYNs have crossed or for Fast Open. Sent for the third time it goes without
 * the bits, as others do.
 */
export function crossedEcnFlags(tcp: TcpContext, c: number, k: number): number {
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0) return 0;
  if (!isAccurate(tcp, k)) return TcpFlag.ECE;
  if (tcp.cold[k + Cold.RETRANSMITS] > 1) tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_WITHHELD;
  if ((tcp.cold[k + Cold.ACC_ECN] & AccEcn.ACE_WITHHELD) !== 0) return 0;
  return reflection((tcp.cold[k + Cold.ACC_ECN] >>> AccEcn.SYN_FIELD_SHIFT) & Ecn.MASK);
}

// What we send

/** The control bits ECN adds to a segment. `fresh`: it brings data for the first time; only that carries CWR (§6.1.2). `pure`: it has neither data nor FIN. */
export function ecnFlags(tcp: TcpContext, c: number, k: number, fresh: boolean, pure: boolean): number {
  if (isAccurate(tcp, k)) return aceFlags(tcp, k, pure);
  const word = tcp.hot[c + Tcb.STATE];
  let flags = (word & Flag.ECN_ECHO) !== 0 ? TcpFlag.ECE : 0;
  if (fresh && (word & Flag.ECN_REDUCED) !== 0) flags |= TcpFlag.CWR;
  return flags;
}

/** The IP field: ECT(0) on data sent for the first time and on nothing else (§6.1.4 pure ACKs, §6.1.5 retransmissions, §6.1.6 window probes). */
export function ecnField(tcp: TcpContext, k: number, fresh: boolean): number {
  const accurate = tcp.cold[k + Cold.ACC_ECN];
  if (accurate !== 0) return (accurate & NEVER_CAPABLE) !== 0 ? Ecn.NOT_ECT : Ecn.ECT0;
  return fresh || needsEcn(tcp, k) ? Ecn.ECT0 : Ecn.NOT_ECT;
}

/** Whether a segment sent for `cause` with `length` bytes brings data for the first time. */
export function isFresh(cause: Cause, length: number): boolean {
  if (length === 0) return false;
  return (
    cause === Cause.DATA || cause === Cause.LIMITED_TRANSMIT || cause === Cause.URGENT || cause === Cause.LOSS_PROBE
  );
}
