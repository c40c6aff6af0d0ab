import { seqGt } from '../base/seq.js';
import { AckFlag } from './ack-sample.js';
import type { TcpContext } from './context.js';
import { markFirstLost } from './newreno.js';
import { effectiveMss } from './options.js';
import { rackMarkLost } from './rack.js';
import { Pending, setPending } from './retransmission-timer.js';
import { highestSack, markLost, usesRack, usesSack } from './scoreboard.js';
import { Cold, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';

/** Segment path. Who decides what is lost: RACK, or RFC 6675's count of what was SACKed above, or without SACK the count of duplicates. */

/** What an acknowledgment shows to be lost, by time or by duplicates. */
export function identifyLosses(tcp: TcpContext, c: number, k: number): void {
  const { cold, ack } = tcp;
  if (cold[k + Cold.SENT_HEAD] === 0) return;
  if (!usesSack(tcp, c)) {
    markFirstLost(tcp, k, (ack.flags & AckFlag.SND_UNA_ADVANCED) !== 0);
    return;
  }
  if (!usesRack(tcp)) return;
  const before = cold[k + Cold.RETRANS_OUT];
  const waitMs = rackMarkLost(tcp, c, k);
  if (waitMs > 0) {
    setPending(tcp, c, k, Pending.REORDERING, waitMs);
    ack.flags &= ~AckFlag.SET_TIMER;
  }
  if (before > cold[k + Cold.RETRANS_OUT]) ack.flags |= AckFlag.LOST_RETRANS;
}

/** Whether recovery has to begin: something is known to be lost, or (RFC 6675 §5 (2)) more than two segments have arrived above it. */
export function timeToRecover(tcp: TcpContext, k: number): boolean {
  const { cold } = tcp;
  if (cold[k + Cold.LOST_OUT] > 0) return true;
  return !usesRack(tcp) && cold[k + Cold.SACKED_OUT] + 1 > cold[k + Cold.REORDERING];
}

/** A SACKed segment is so far above SND.UNA that the first is lost by RFC 6675's second test, IsLost by bytes. */
export function sackedFarAbove(tcp: TcpContext, c: number, k: number): boolean {
  const una = tcp.hot[c + Tcb.SND_UNA];
  const reach = tcp.cold[k + Cold.REORDERING] * effectiveMss(tcp, c);
  return seqGt(highestSack(tcp, c, k), (una + reach) | 0);
}

/** RFC 6675 §4, IsLost: every segment with at least DupThresh SACKed ones above; at the start of recovery the first in any case (§5 step 4.1). */
export function markBySacks(tcp: TcpContext, c: number, k: number, entering: boolean): void {
  const { cold } = tcp;
  if (!usesSack(tcp, c)) return;
  const upTo = cold[k + Cold.SACKED_OUT] - cold[k + Cold.REORDERING];
  if (upTo >= 0) markHead(tcp, c, k, upTo, false);
  else if (entering) markHead(tcp, c, k, 1, true);
}

/** From the first record, or where the last call came to, until more than `sacked` SACKed ones have been passed. */
function markHead(tcp: TcpContext, c: number, k: number, sacked: number, onlyFirst: boolean): void {
  const { hot, cold } = tcp;
  const { rows } = tcp.transmits;
  let at = cold[k + Cold.LOST_HINT];
  let count = cold[k + Cold.LOST_HINT_COUNT];
  if (at === 0) {
    at = cold[k + Cold.SENT_HEAD];
    count = 0;
  } else if (onlyFirst && seqGt(rows[at + Sent.SEQ], hot[c + Tcb.SND_UNA])) return;
  for (; at !== 0; at = rows[at + Sent.NEXT]) {
    cold[k + Cold.LOST_HINT] = at;
    cold[k + Cold.LOST_HINT_COUNT] = count;
    const flags = rows[at + Sent.FLAGS];
    if ((flags & SentFlag.SACKED) !== 0) count += 1;
    if (count > sacked) return;
    if ((flags & SentFlag.LOST) === 0) markLost(tcp, k, at);
    if (onlyFirst) return;
  }
}
