import { Ecn } from '../wire/ipv4.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { ACE_MASK, aceOf, CEP_INITIAL, noteOption } from './acc-ecn.js';
import { CEB_INITIAL, E0B_INITIAL, E1B_INITIAL } from './acc-ecn-option.js';
import { AckFlag } from './ack-sample.js';
import { AccCoverage, AccEcn } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { CaState, usesSack } from './scoreboard.js';
import { countMarks } from './tally.js';
import { Cold, Tally, Tcb } from './tcb.js';

/**
 * Segment path. What the sender learns from AccECN's feedback, RFC 9768 §3.2.2.5 and appendix A: how many of its
 * packets were marked. The three bits of ACE count modulo eight, so an ACK of more than seven packets leaves open how
 * often the count went round. Where the option is there, the bytes it counts decide; where not, the worst is assumed
 * that the number of packets allows, unless the path's ACKs are known to deliver many each.
 *
 * The method is Linux's: it wants nothing but the ACK at hand and the counters so far.
 */

/** Half: a byte count below half of what the worst case would have marked speaks for the best case. */
const SAFETY_SHIFT = 1;
/**
 * Appendix A.2.1, Linux: on a path whose ACKs deliver more than so many packets on average, an ACK of many is no sign
 * of lost ACKs.
 */
const PACKETS_AN_ACK_MAX = 4;
/** The average moves by 1/64, in 1/64 of a packet. */
const AVERAGE_SHIFT = 6;
const AVERAGE_MAX = 0xffff;
/** Linux: without any option by then its counters could have wrapped unseen, and it is not taken up any more. */
const OPTION_BYTES_MAX = (1 << 23) - 1;

/** How many packets the ACK at hand newly reports as marked. `packets` and `bytes` were newly delivered with it; `limited`: an undisturbed flow (no loss recovery, or SACK). */
export function marksReported(
  tcp: TcpContext,
  c: number,
  k: number,
  packets: number,
  bytes: number,
  limited: boolean,
): number {
  const { cold, seg } = tcp;
  const cebBefore = cold[k + Cold.S_BYTES + Ecn.CE];
  if (packets > 0) notePackets(tcp, k, packets);
  const byOption = takeCounters(tcp, c, k, bytes);
  // §3.2.2.1, note 1.
  if ((cold[k + Cold.ACC_ECN] & AccEcn.ACE_IGNORED) !== 0) return 0;
  const delta = (aceOf(seg.flags) - CEP_INITIAL - cold[k + Cold.DELIVERED_CE]) & ACE_MASK;
  const marks =
    packets <= ACE_MASK
      ? delta
      : goneRound(
          tcp,
          c,
          k,
          packets,
          bytes,
          delta,
          byOption ? (cold[k + Cold.S_BYTES + Ecn.CE] - cebBefore) | 0 : -1,
          limited,
        );
  if (marks > 0) {
    cold[k + Cold.ACC_COVERAGE] |= AccCoverage.MOVED;
    countMarks(tcp, c, k, marks);
  }
  if (showsCeBytes(tcp, k)) reconcile(tcp, k, (cold[k + Cold.S_BYTES + Ecn.CE] - cebBefore) | 0);
  return marks;
}

/**
 * So many were delivered: the average of an ACK, and what has been under way since the last option. Something arrived,
 * so options may be sent again.
 */
function notePackets(tcp: TcpContext, k: number, packets: number): void {
  const { cold } = tcp;
  cold[k + Cold.ACC_ECN] &= ~AccEcn.OPTION_HELD;
  const word = cold[k + Cold.ACC_COVERAGE];
  const before = word >>> AccCoverage.AVERAGE_SHIFT;
  const average =
    before === 0
      ? packets << AVERAGE_SHIFT
      : ((before << AVERAGE_SHIFT) - before + (packets << AVERAGE_SHIFT)) >>> AVERAGE_SHIFT;
  const since = (word & AccCoverage.MASK) + packets;
  cold[k + Cold.ACC_COVERAGE] =
    ((average < AVERAGE_MAX ? average : AVERAGE_MAX) << AccCoverage.AVERAGE_SHIFT) |
    (word & (0xffff & ~AccCoverage.MASK)) |
    (since < AccCoverage.MASK ? since : AccCoverage.MASK);
}

function acksOfMany(tcp: TcpContext, k: number): boolean {
  const average = tcp.cold[k + Cold.ACC_COVERAGE] >>> AccCoverage.AVERAGE_SHIFT;
  return average > PACKETS_AN_ACK_MAX << AVERAGE_SHIFT;
}

/** The segment at hand has an option that reaches as far as the bytes with CE, and options are believed. */
function showsCeBytes(tcp: TcpContext, k: number): boolean {
  const { options } = tcp;
  if ((options.present & TcpOptionBit.ACC_ECN) === 0 || options.accEcnFields < 2) return false;
  return (tcp.cold[k + Cold.ACC_ECN] & AccEcn.OPTION_DISTRUSTED) === 0;
}

/**
 * §3.2.3.2.5: bytes with CE have arrived at the peer, and the count of packets with CE has not moved since its last
 * option. If too few of ours have been under way for the three bits to go round, something on the path changes the
 * feedback, and nothing of ours is ECN-capable from now on. What was sent twice is not in the sum: then nothing is
 * concluded. Pure ACKs may be marked, too; those of two intervals count, since the older may have arrived later.
 */
function reconcile(tcp: TcpContext, k: number, newCeBytes: number): void {
  const { cold } = tcp;
  const word = cold[k + Cold.ACC_COVERAGE];
  const acks = (word >>> AccCoverage.ACKS_SHIFT) & AccCoverage.MASK;
  const sent = (word & AccCoverage.MASK) + acks + ((word >>> AccCoverage.ACKS_BEFORE_SHIFT) & AccCoverage.MASK);
  cold[k + Cold.ACC_COVERAGE] = (word & (-1 << AccCoverage.AVERAGE_SHIFT)) | (acks << AccCoverage.ACKS_BEFORE_SHIFT);
  if (newCeBytes <= 0 || (word & AccCoverage.MOVED) !== 0 || sent > ACE_MASK) return;
  const state: CaState = cold[k + Cold.CA_STATE];
  if ((state !== CaState.OPEN && state !== CaState.CWR) || (tcp.ack.flags & AckFlag.DSACK) !== 0) return;
  cold[k + Cold.ACC_ECN] |= AccEcn.ACE_DISTRUSTED;
}

/** More than seven packets: `delta` and however many rounds of eight. `ceBytes`: bytes newly marked by the option, -1 when it does not tell. */
function goneRound(
  tcp: TcpContext,
  c: number,
  k: number,
  packets: number,
  bytes: number,
  delta: number,
  ceBytes: number,
  limited: boolean,
): number {
  // The most that fit into the packets delivered.
  const worst = packets - ((packets - delta) & ACE_MASK);
  if (ceBytes < 0) return acksOfMany(tcp, k) ? delta : worst;
  if (ceBytes === 0) return delta;
  const smss = effectiveMss(tcp, c);
  if (packets >= (ACE_MASK + 1) * 2 && limited) {
    if (bytes <= ceBytes) return worst;
    const estimate = delta + (Math.ceil((ceBytes * packets) / bytes) & ~ACE_MASK);
    return estimate < worst ? estimate : worst;
  }
  if (ceBytes > delta * smss) return worst;
  return ceBytes < (worst * smss) >> SAFETY_SHIFT ? delta : worst;
}

/**
 * The option's counters, or without one what must have happened to them if all packets of late had the same field. True when what
 * they say of CE's bytes can be relied on.
 */
function takeCounters(tcp: TcpContext, c: number, k: number, bytes: number): boolean {
  const { cold, options } = tcp;
  if ((cold[k + Cold.ACC_ECN] & AccEcn.OPTION_DISTRUSTED) !== 0) return false;
  const estimate = cold[k + Cold.S_FIELD];
  if ((options.present & TcpOptionBit.ACC_ECN) === 0) {
    if ((cold[k + Cold.ACC_ECN] & AccEcn.OPTION_SEEN) === 0) {
      if (sentTooMuch(tcp, c)) cold[k + Cold.ACC_ECN] |= AccEcn.OPTION_DISTRUSTED;
      return false;
    }
    if (estimate === Ecn.NOT_ECT) return false;
    cold[k + Cold.S_BYTES + estimate] = (cold[k + Cold.S_BYTES + estimate] + bytes) | 0;
    return true;
  }
  noteOption(tcp, k);
  return compare(tcp, k, estimate);
}

/** Each counter of the option against ours. One that moved alone is the field of late; one that went back, or two that moved, leave it open. */
function compare(tcp: TcpContext, k: number, estimate: number): boolean {
  const { cold, options } = tcp;
  let ambiguous = false;
  let changed = false;
  for (let i = 0; i < options.accEcnFields; i++) {
    const field = fieldAt(i, options.accEcnOrder1);
    const at = k + Cold.S_BYTES + field;
    // 24 bits, signed: an ACK that was overtaken has the smaller value.
    const moved = ((options.accEcn[i] - initialOf(field) - cold[at]) << 8) >> 8;
    cold[at] = (cold[at] + moved) | 0;
    if (moved < 0) ambiguous = true;
    if (moved !== 0 && field !== estimate) {
      if (changed) ambiguous = true;
      else cold[k + Cold.S_FIELD] = field;
      changed = true;
    }
  }
  if (ambiguous) cold[k + Cold.S_FIELD] = Ecn.NOT_ECT;
  return !ambiguous && estimate !== Ecn.NOT_ECT;
}

/** Figures 3 and 4 of §3.2.3: whose counter stands in which place. */
function fieldAt(place: number, order1: boolean): number {
  if (place === 1) return Ecn.CE;
  return (place === 0) === order1 ? Ecn.ECT1 : Ecn.ECT0;
}

function initialOf(field: number): number {
  return field === Ecn.CE ? CEB_INITIAL : field === Ecn.ECT0 ? E0B_INITIAL : E1B_INITIAL;
}

/** Only the tally knows how much was ever sent; without it the option may be taken up at any time, which needs 8 MiB sent unseen to go wrong. */
function sentTooMuch(tcp: TcpContext, c: number): boolean {
  if (!tcp.tallies) return false;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_SENT;
  return tcp.tally[at + 1] !== 0 || tcp.tally[at] >>> 0 >= OPTION_BYTES_MAX;
}

/** Whether packets are counted exactly: by SACK, or since nothing is lost. */
export function accountedFor(tcp: TcpContext, c: number, k: number): boolean {
  const state: CaState = tcp.cold[k + Cold.CA_STATE];
  return usesSack(tcp, c) || state === CaState.OPEN || state === CaState.CWR;
}
