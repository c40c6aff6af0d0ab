import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit, type TcpOptions } from '../wire/tcp-options.js';
import { needFields } from './acc-ecn-option.js';
import { AccCoverage, AccEcn } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { countMarks } from './tally.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. Accurate ECN, RFC 9768: the receiver says how much was marked, not only that something was. The three bits AE, CWR and ECE are one number, ACE, the
 * count of marked packets modulo eight; an option (acc-ecn-option.ts) has the counts of bytes. Here are the handshake and the receiver's counters; what
 * the sender makes of the feedback is in acc-ecn-feedback.ts.
 *
 * Deviation: as Linux every segment is ECN-capable in this mode, pure ACKs and retransmissions too (the experiment RFC 8311 §4.3 allows): its marks are counted like
 * any other's, so nothing is lost by it.
 */

/** AE, CWR and ECE, which stand together, as a number. */
export function aceOf(flags: number): number {
  return (flags >>> ACE_SHIFT) & ACE_MASK;
}
const ACE_SHIFT = 6;
export const ACE_MASK = 7;
/** §3.2.1: where the count of marked packets begins, so that a path that clears the bits, or sets them, is seen. */
export const CEP_INITIAL = 5;
/** The same as the three bits of a segment. */
export const ACE_INITIAL: TcpFlag = CEP_INITIAL << ACE_SHIFT;

export function isAccurate(tcp: TcpContext, k: number): boolean {
  return (tcp.cold[k + Cold.ACC_ECN] & AccEcn.ON) !== 0;
}

// The handshake

/** §3.1.2: any combination in a SYN but none (000) and that of RFC 3168 (011) asks for AccECN, or what will come after it. */
export function asksAccurate(flags: number): boolean {
  const ace = aceOf(flags);
  return ace !== 0 && ace !== CLASSIC_SYN;
}
const CLASSIC_SYN = 0b011;

/** Table 2 and table 3 of RFC 9768: the IP field that a SYN or SYN-ACK came with, as the next segment of the handshake tells it. Four bits for each value of the field. */
export function reflection(field: number): number {
  return ((REFLECTIONS >>> (field << 2)) & ACE_MASK) << ACE_SHIFT;
}
const REFLECTIONS = 0x6432;

/** The same read: the field that our SYN or SYN-ACK arrived with. What the tables leave open is not looked up. */
function reflected(ace: number): number {
  return (REFLECTED >>> (ace << 2)) & Ecn.MASK;
}
const REFLECTED = 0x13121012;
/** Table 2, of a server to come: as if our SYN had arrived unchanged (§3.1.3). */
const RESERVED_SYN_ACK = 0b101;

/** §3.2.2.3: ECT may become CE, and the two ECTs each other; nothing makes ECN-capable what was not, or unmarks it. */
function plausible(sent: number, arrived: number): boolean {
  if (sent === arrived) return true;
  return sent !== Ecn.NOT_ECT && arrived !== Ecn.NOT_ECT && sent !== Ecn.CE;
}

/**
 * §3.2.2.3: if the path cannot have left the IP field alone, as far as the peer's answer shows, nothing of ours is
 * ECN-capable again. The peer's marks count all the same: a router behind the one that changes the field may mean them.
 */
function checkReflection(tcp: TcpContext, k: number, ace: number, sent: number): void {
  if (!tcp.limits.ecnFallback || plausible(sent, reflected(ace))) return;
  tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_DISTRUSTED;
}

/** AccECN is agreed on; `field` is the IP field of the peer's SYN or SYN-ACK. Counters of a sleeping connection would be lost, so the cold row stays. */
export function beginAccurate(tcp: TcpContext, c: number, k: number, field: number): void {
  const { hot, cold } = tcp;
  hot[c + Tcb.STATE] |= Flag.ECN | Flag.CUSTOM;
  cold[k + Cold.ACC_ECN] = AccEcn.ON | (field << AccEcn.SYN_FIELD_SHIFT);
  cold[k + Cold.R_FIELD] = field;
}

/** §3.1.5: what we reflect is the IP field of the latest SYN or SYN-ACK. */
export function noteSynField(tcp: TcpContext, k: number): void {
  const { cold, seg } = tcp;
  cold[k + Cold.ACC_ECN] =
    (cold[k + Cold.ACC_ECN] & ~(Ecn.MASK << AccEcn.SYN_FIELD_SHIFT)) | ((seg.tos & Ecn.MASK) << AccEcn.SYN_FIELD_SHIFT);
}

/**
 * The ACK that ends a handshake, or answers the SYN-ACK when it comes again, tells the field of the SYN-ACK instead of
 * a count (§3.2.2.1). A mark on it counts once, however often it comes (§3.2.2.2).
 */
export function reflectSynAck(tcp: TcpContext, k: number): void {
  noteSynField(tcp, k);
  tcp.cold[k + Cold.ACC_ECN] |= AccEcn.REFLECT;
  countSynAckMark(tcp, k);
}

function countSynAckMark(tcp: TcpContext, k: number): void {
  const { cold, seg } = tcp;
  if ((seg.tos & Ecn.MASK) !== Ecn.CE || (cold[k + Cold.ACC_ECN] & AccEcn.SYN_ACK_MARKED) !== 0) return;
  cold[k + Cold.ACC_ECN] |= AccEcn.SYN_ACK_MARKED;
  countMark(tcp, k);
}

/** SYN-SENT, table 2: the SYN-ACK agreed. `sent`: the IP field of our SYN. */
export function takeAccurateSynAck(tcp: TcpContext, c: number, k: number, sent: number): void {
  const { cold, seg, limits } = tcp;
  beginAccurate(tcp, c, k, seg.tos & Ecn.MASK);
  reflectSynAck(tcp, k);
  if (limits.ecnOption !== 0 && noteOption(tcp, k)) cold[k + Cold.ACC_OPTION_DEMAND] = 2;
  const ace = aceOf(seg.flags);
  if (ace !== RESERVED_SYN_ACK) checkReflection(tcp, k, ace, sent);
}

/**
 * Simultaneous open: the peer's SYN-ACK, behind its SYN. Nobody acknowledges it, but it reflects our SYN, and its mark
 * counts.
 */
export function takeCrossedSynAck(tcp: TcpContext, k: number, sent: number): void {
  countSynAckMark(tcp, k);
  const ace = aceOf(tcp.seg.flags);
  if (ace !== 0 && ace !== RESERVED_SYN_ACK) checkReflection(tcp, k, ace, sent);
}

/** Whether ACE is a reflection: in a pure ACK without SACK blocks, before the handshake is complete (§3.2.2.1). */
export function isPureAck(tcp: TcpContext): boolean {
  return tcp.seg.LEN === 0 && (tcp.options.present & TcpOptionBit.SACK) === 0;
}

/**
 * SYN-RECEIVED, table 4: the first ACK tells how our SYN-ACK arrived, if it brings nothing else; in other segments ACE
 * is a count. `sent`: the IP field of our SYN-ACK; `kept`: ACE of a pure ACK that came before and was left aside, or
 * -1.
 */
export function takeThirdAck(tcp: TcpContext, c: number, k: number, sent: number, kept: number): void {
  const ace = isPureAck(tcp) ? aceOf(tcp.seg.flags) : kept;
  const marks = ace >= 0 ? takeReflection(tcp, k, ace, sent) : 0;
  if (marks > 0) countMarks(tcp, c, k, marks);
  noteOption(tcp, k);
  tcp.cold[k + Cold.ACC_OPTION_DEMAND] = 1;
  countArrival(tcp, c, k, tcp.seg.textLength);
}

/**
 * How many marks the reflection reports: one or none. Zero is nothing that a client in this mode sends here: it is in
 * another mode, or somebody clears the bits. Note 1: nothing of ours is ECN-capable from now on, and no mark is
 * answered; ours are reported all the same.
 */
function takeReflection(tcp: TcpContext, k: number, ace: number, sent: number): number {
  if (ace === 0) tcp.cold[k + Cold.ACC_ECN] |= AccEcn.ACE_DISTRUSTED | AccEcn.ACE_IGNORED | AccEcn.OPTION_DISTRUSTED;
  if (ace === 0 || !isHandshakeEncoding(ace)) return 0;
  checkReflection(tcp, k, ace, sent);
  return reflected(ace) === Ecn.CE ? 1 : 0;
}

/** The others, 001, 101 and 111, stand for no field, and the count stays as it begins. */
function isHandshakeEncoding(ace: number): boolean {
  return (ace & 1) === 0 || ace === 0b011;
}

/**
 * Fast Open: the first ACK of a connection that has its full row already goes on to the fifth check like any other.
 * There ACE is a count, so the reflection is put into that form.
 */
export function takeChildsAck(tcp: TcpContext, k: number, sent: number): void {
  const { cold, seg } = tcp;
  if (isPureAck(tcp)) {
    const count = CEP_INITIAL + takeReflection(tcp, k, aceOf(seg.flags), sent);
    seg.flags = (seg.flags & ~(ACE_MASK << ACE_SHIFT)) | (count << ACE_SHIFT);
  }
  noteOption(tcp, k);
  cold[k + Cold.ACC_OPTION_DEMAND] = 1;
}

// The peer's option

/**
 * §3.2.3.1: the first option with counters is looked at. They begin at one; a zero was put there by somebody on the path, and the option is not
 * believed again. True when the segment at hand has an option.
 */
export function noteOption(tcp: TcpContext, k: number): boolean {
  const { cold, options } = tcp;
  if ((options.present & TcpOptionBit.ACC_ECN) === 0) return false;
  if ((cold[k + Cold.ACC_ECN] & AccEcn.COUNTERS_SEEN) !== 0) return true;
  cold[k + Cold.ACC_ECN] |= AccEcn.OPTION_SEEN;
  if (options.accEcnFields === 0) return true;
  cold[k + Cold.ACC_ECN] |= AccEcn.COUNTERS_SEEN;
  if (zeroed(options)) cold[k + Cold.ACC_ECN] |= AccEcn.OPTION_DISTRUSTED;
  return true;
}

function zeroed(options: TcpOptions): boolean {
  return options.accEcn[0] === 0 || (options.accEcnFields === 3 && options.accEcn[2] === 0);
}

// The receiver's counters

/** Linux: at least one option for each 2^22 bytes, long before the 24 bits wrap. */
const OPTION_BYTES_SHIFT = 22;

/** §3.2.1: a segment that is acceptable has come, with so many bytes of text. Packets are counted with and without text, bytes only of text. */
export function countArrival(tcp: TcpContext, c: number, k: number, textLength: number): void {
  const { cold, seg } = tcp;
  const field = seg.tos & Ecn.MASK;
  if (field !== Ecn.NOT_ECT) {
    tcp.hot[c + Tcb.STATE] |= Flag.ECN_SEEN;
    if (field === Ecn.CE) countMark(tcp, k);
    if (textLength > 0) countText(tcp, k, field, textLength);
  }
  const edge = field !== cold[k + Cold.R_FIELD];
  if (!edge && field !== Ecn.CE) return;
  // §3.2.3.3: the field has changed: the next ACK goes at once if there is one to send, and two options tell which bytes were which.
  cold[k + Cold.R_FIELD] = field;
  cold[k + Cold.ACC_OPTION_DEMAND] = 2;
  if (edge) cold[k + Cold.ACC_ECN] |= AccEcn.ACK_TEXT;
}

function countMark(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.R_CEP] += 1;
  tcp.cold[k + Cold.R_CE_PENDING] += 1;
}

function countText(tcp: TcpContext, k: number, field: number, textLength: number): void {
  const { cold } = tcp;
  const at = k + Cold.R_BYTES + field;
  const before = cold[at];
  cold[at] = (before + textLength) | 0;
  // The option must reach as far as this counter: ECT(1) stands first, then CE, then ECT(0).
  needFields(tcp, k, field === Ecn.ECT1 ? 1 : field === Ecn.CE ? 2 : 3);
  if (before >>> OPTION_BYTES_SHIFT !== cold[at] >>> OPTION_BYTES_SHIFT && cold[k + Cold.ACC_OPTION_DEMAND] === 0)
    cold[k + Cold.ACC_OPTION_DEMAND] = 1;
}

/**
 * §3.2.3.2.2: a duplicate of what the last option with a D-SACK reported already. Neither that ACK nor the one before has arrived, and the option may be why: none is sent
 * again, unless the stack is told to persist.
 */
export function noteDuplicate(tcp: TcpContext, c: number, k: number): void {
  const { cold, seg } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0 || !isAccurate(tcp, k) || seg.textLength === 0) return;
  if ((cold[k + Cold.ACC_ECN] & AccEcn.DUPLICATE_TOLD) !== 0 && seg.SEQ === cold[k + Cold.ACC_DUPLICATE_SEQ])
    cold[k + Cold.ACC_ECN] |= AccEcn.OPTION_BARRED;
}

// What we send

/**
 * ACE: the count, or in the ACK that ends the handshake the field of the SYN-ACK. `pure`: the segment is an ACK and no
 * more, without SACK blocks.
 */
export function aceFlags(tcp: TcpContext, k: number, pure: boolean): number {
  const { cold } = tcp;
  const state = cold[k + Cold.ACC_ECN];
  cold[k + Cold.ACC_ECN] = state & ~(AccEcn.REFLECT | AccEcn.ACK_TEXT | AccEcn.MARKS_ONLY);
  if (pure && (state & NEVER_CAPABLE) === 0) noteAckOut(tcp, k);
  if (pure && (state & AccEcn.REFLECT) !== 0) return reflection((state >>> AccEcn.SYN_FIELD_SHIFT) & Ecn.MASK);
  cold[k + Cold.R_CE_PENDING] = 0;
  return ((cold[k + Cold.R_CEP] + CEP_INITIAL) & ACE_MASK) << ACE_SHIFT;
}

/** The three bits of a SYN that asks for AccECN (§3.1.1). */
export const ACCURATE_SYN: TcpFlag = TcpFlag.AE | TcpFlag.CWR | TcpFlag.ECE;

/** Nothing of ours is ECN-capable then. */
export const NEVER_CAPABLE = AccEcn.ACE_WITHHELD | AccEcn.ACE_DISTRUSTED;

/** A pure ACK of ours leaves, and may be marked. */
function noteAckOut(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const acks = (cold[k + Cold.ACC_COVERAGE] >>> AccCoverage.ACKS_SHIFT) & AccCoverage.MASK;
  if (acks < AccCoverage.MASK) cold[k + Cold.ACC_COVERAGE] += 1 << AccCoverage.ACKS_SHIFT;
}

// For `info`, as Linux tells them.

/** What is not to be relied on: the four bits of AccEcn from ACE_WITHHELD on lie as Linux's do. */
export function failures(state: number): number {
  return (state >>> 2) & 0xf;
}
export function optionSeen(state: number): number {
  if ((state & AccEcn.COUNTERS_SEEN) !== 0) return (state & AccEcn.OPTION_DISTRUSTED) !== 0 ? 3 : 2;
  return (state & AccEcn.OPTION_SEEN) !== 0 ? 1 : 0;
}
