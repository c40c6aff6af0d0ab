import { Ecn } from '../wire/ipv4.js';
import { Tcp } from '../wire/tcp.js';
import { ACC_ECN_FIELDS_MAX, emitAccEcn, emitNop, TcpOptionBytes } from '../wire/tcp-options.js';
import { AccEcn } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. When the AccECN option is sent and with how many counters, RFC 9768 §3.2.3.3: as Linux always in the order ECT(1), CE, ECT(0), so that a path without ECT(1), which is
 * most of them, needs no more than the first two for its marks.
 */

/** Values of `limits.ecnOption`, as Linux's tcp_ecn_option has them. */
export const enum AccEcnOption {
  NEVER = 0,
  /** When a counter has moved in a way the three bits do not tell, and at intervals. */
  MINIMUM = 1,
  /** Whenever there is room. */
  FULL = 2,
  /** The same, even when it seems that ACKs with it do not arrive. */
  PERSIST = 3,
}

/** §2.2: the byte counters of the two ECTs begin at one, that of CE at zero; cleared by somebody on the path they are impossible. */
export const E1B_INITIAL = 1;
export const CEB_INITIAL = 0;
export const E0B_INITIAL = 1;
const COUNTER_MASK = 0xff_ffff;
const FIELDS_MASK = 3;

/**
 * Whether the next segment carries the option. Deviation: §3.2.3.2.3 has a host send options even if none arrives from
 * the peer. As Linux none is sent until the peer's is seen: that shows that the path lets options through.
 */
function wanted(tcp: TcpContext, c: number, k: number): boolean {
  const { cold, limits } = tcp;
  const state = cold[k + Cold.ACC_ECN];
  const policy = limits.ecnOption;
  if (policy === AccEcnOption.NEVER || (state & AccEcn.OPTION_SEEN) === 0) return false;
  if ((state & (AccEcn.OPTION_BARRED | AccEcn.OPTION_HELD)) !== 0 && policy < AccEcnOption.PERSIST) return false;
  return policy >= AccEcnOption.FULL || cold[k + Cold.ACC_OPTION_DEMAND] > 0 || beaconDue(tcp, c, k);
}

/** §3.2.3.3, "Regular": three in a round trip, or as the stack is set. */
function beaconDue(tcp: TcpContext, c: number, k: number): boolean {
  const times = tcp.limits.ecnOptionBeacon;
  if (times === 0) return false;
  const sinceUs = (tcp.clock.us32 - tcp.cold[k + Cold.ACC_OPTION_AT_US]) >>> 0;
  return sinceUs * times >= tcp.hot[c + Tcb.SRTT] >> 3;
}

/**
 * Puts the option beside `blocks` SACK blocks, `spare` bytes being left: the blocks, one fewer if a counter that has moved would else not fit, in
 * bits 0–3; the number of counters plus one in bits 4–7, zero: no option.
 */
export function fitCounters(tcp: TcpContext, c: number, k: number, blocks: number, spare: number): number {
  const state = tcp.cold[k + Cold.ACC_ECN];
  const most = (state & AccEcn.MARKS_ONLY) !== 0 ? 0 : blocks;
  if (!wanted(tcp, c, k)) return most;
  const needed = (state >>> AccEcn.OPTION_FIELDS_SHIFT) & FIELDS_MASK;
  let left = most === blocks ? spare : SPARE_LEAST;
  let kept = most;
  let fields = ACC_ECN_FIELDS_MAX;
  while (fields >= needed) {
    if (left >= counterBytes(fields, kept)) return kept | ((fields + 1) << 4);
    if (fields === needed && kept > 2 && needed > 0) {
      kept -= 1;
      left += TcpOptionBytes.SACK_BLOCK;
      fields = ACC_ECN_FIELDS_MAX;
    } else fields -= 1;
  }
  return most;
}
/** Room beside timestamps alone. */
const SPARE_LEAST = Tcp.OPTION_BYTES_MAX - TcpOptionBytes.TIMESTAMPS_PADDED;

/** Bytes the option adds: two of them may stand where SACK blocks have two NOPs in front. */
export function counterBytes(fields: number, blocks: number): number {
  const bytes = TcpOptionBytes.ACC_ECN_HEADER + fields * TcpOptionBytes.ACC_ECN_FIELD;
  return (bytes & 3) <= (blocks > 0 ? 2 : 0) ? bytes & ~3 : (bytes + 3) & ~3;
}

/** Writes it at `to`, with NOPs up to where SACK's option or a multiple of four begins; `headerAt` is the header's. */
export function emitCounters(
  tcp: TcpContext,
  k: number,
  view: DataView,
  headerAt: number,
  to: number,
  fields: number,
  blocks: number,
): number {
  const { cold } = tcp;
  const bytes = k + Cold.R_BYTES;
  let end = emitAccEcn(
    view,
    to,
    fields,
    (cold[bytes + Ecn.ECT1] + E1B_INITIAL) & COUNTER_MASK,
    (cold[bytes + Ecn.CE] + CEB_INITIAL) & COUNTER_MASK,
    (cold[bytes + Ecn.ECT0] + E0B_INITIAL) & COUNTER_MASK,
  );
  const place = blocks > 0 ? 2 : 0;
  while (((end - headerAt) & 3) !== place) end = emitNop(view, end);
  noteTold(tcp, k);
  return end;
}

/** A counter has moved: the next option must reach as far as it. */
export function needFields(tcp: TcpContext, k: number, fields: number): void {
  const { cold } = tcp;
  const state = cold[k + Cold.ACC_ECN];
  if (((state >>> AccEcn.OPTION_FIELDS_SHIFT) & FIELDS_MASK) >= fields) return;
  cold[k + Cold.ACC_ECN] =
    (state & ~(FIELDS_MASK << AccEcn.OPTION_FIELDS_SHIFT)) | (fields << AccEcn.OPTION_FIELDS_SHIFT);
}

/**
 * §3.2.3.2.2: data of ours is sent again before anything of ours has arrived. The option may be why, so none is sent
 * until something arrives. Only by who has opened: the server's SYN-ACK has shown that its options get through.
 */
export function holdOption(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((cold[k + Cold.ACC_ECN] & AccEcn.ON) === 0 || (hot[c + Tcb.STATE] & Flag.PASSIVE) !== 0) return;
  // The SYN counts as delivered.
  if (cold[k + Cold.DELIVERED] >>> 0 <= 1) cold[k + Cold.ACC_ECN] |= AccEcn.OPTION_HELD;
}

function noteTold(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  cold[k + Cold.ACC_ECN] &= ~(FIELDS_MASK << AccEcn.OPTION_FIELDS_SHIFT);
  cold[k + Cold.ACC_OPTION_AT_US] = tcp.clock.us32;
  if (cold[k + Cold.ACC_OPTION_DEMAND] > 0) cold[k + Cold.ACC_OPTION_DEMAND] -= 1;
  // Remembered with the duplicate it reports: if that comes once more, the ACK may have been lost for the option's sake (acc-ecn.ts).
  if (cold[k + Cold.DSACK_LEFT] === cold[k + Cold.DSACK_RIGHT]) cold[k + Cold.ACC_ECN] &= ~AccEcn.DUPLICATE_TOLD;
  else {
    cold[k + Cold.ACC_ECN] |= AccEcn.DUPLICATE_TOLD;
    cold[k + Cold.ACC_DUPLICATE_SEQ] = cold[k + Cold.DSACK_LEFT];
  }
}
