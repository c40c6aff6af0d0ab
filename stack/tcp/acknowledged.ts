import { seqGt, seqLt } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { AckFlag } from './ack-sample.js';
import { sampleForControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { rateDelivered } from './delivery-rate.js';
import { minRttUs } from './min-rtt.js';
import { considerMtuArrival } from './mtu-probe.js';
import { acknowledgeDuplicates } from './newreno.js';
import { effectiveMss } from './options.js';
import { rackAdvance } from './rack.js';
import { echoedRttUs, takeSamples } from './rtt.js';
import { countPackets, noteReordering, usesSack } from './scoreboard.js';
import { Cold, Name, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';
import { dropHead } from './transmit-queue.js';
import { echoBefore } from './undo.js';

/** Segment path. The records of what SND.UNA has passed leave, and tell what they know: round trips (RFC 6298 §3), reordering, and what RACK goes by. */

/** What the loop over the records has found. One record for all. */
class Cleaned {
  packets = 0;
  /** When the first and the last of those sent once, and not told of before, had left. */
  timed = false;
  firstAtUs = 0;
  lastAtUs = 0;
  reorderedFrom = 0;
}
const cleaned = new Cleaned();

export function cleanQueue(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, ack } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const { rows } = tcp.transmits;
  cleaned.packets = 0;
  cleaned.timed = false;
  cleaned.reorderedFrom = hot[c + Tcb.SND_NXT];
  const sackedBefore = cold[k + Cold.SACKED_OUT];
  const sack = usesSack(tcp, c);
  let head = cold[k + Cold.SENT_HEAD];
  while (head !== 0 && !seqGt(rows[head + Sent.END], una)) {
    takeHead(tcp, c, k, head, sack);
    head = cold[k + Cold.SENT_HEAD];
  }
  if (cold[k + Cold.MTU_PROBED] !== 0) considerMtuArrival(tcp, c, k);
  if (head !== 0 && (rows[head + Sent.FLAGS] & SentFlag.SACKED) !== 0) ack.flags |= AckFlag.RENEGING;
  // The count that goes with the hint is of SACKed segments before it.
  const gone = sackedBefore - cold[k + Cold.SACKED_OUT];
  const count = cold[k + Cold.LOST_HINT_COUNT] - gone;
  cold[k + Cold.LOST_HINT_COUNT] = count > 0 ? count : 0;
  if (cleaned.packets > 0) ack.flags |= AckFlag.DATA_ACKED;
  const sackUs = ack.sackTimed ? (tcp.clock.us32 - ack.firstSackedAtUs) | 0 : -1;
  const measured = measure(tcp, c, k, sackUs);
  if (cleaned.packets > 0) {
    ack.flags |= AckFlag.SET_TIMER;
    if (sack) {
      // A hole filled by what was sent once: reordering.
      if (seqLt(cleaned.reorderedFrom, ack.priorHighestSack)) noteReordering(tcp, c, k, cleaned.reorderedFrom);
    } else {
      acknowledgeDuplicates(tcp, c, k, cleaned.packets);
      // Without SACK nothing tells whether the original or what was sent again arrived.
      if ((ack.flags & AckFlag.RETRANS_ACKED) !== 0) ack.flags &= ~AckFlag.ORIGINAL_ARRIVED;
    }
  } else if (head !== 0 && measured && sackUs > ((tcp.clock.us32 - rows[head + Sent.AT_US]) | 0)) {
    // What was SACKed was sent before the first segment was last sent: the timeout may start anew. Else it would be put off for as long as recovery lasts.
    ack.flags |= AckFlag.SET_TIMER;
  }
  if (ack.rttUs >= 0) sampleForControl(tcp, c, k, ack.rttUs < 1 ? 1 : ack.rttUs);
}

/** One segment is acknowledged as a whole. */
function takeHead(tcp: TcpContext, c: number, k: number, head: number, sack: boolean): void {
  const { cold, ack } = tcp;
  const { rows } = tcp.transmits;
  const flags = rows[head + Sent.FLAGS];
  const end = rows[head + Sent.END];
  const sentAtUs = rows[head + Sent.AT_US];
  const again = (flags & SentFlag.RETRANSMITTED) !== 0;
  if (again) {
    if ((flags & SentFlag.RETRANS) !== 0) cold[k + Cold.RETRANS_OUT] -= 1;
    ack.flags |= AckFlag.RETRANS_ACKED;
  } else if ((flags & SentFlag.SACKED) === 0) {
    cleaned.lastAtUs = sentAtUs;
    if (!cleaned.timed) cleaned.firstAtUs = sentAtUs;
    cleaned.timed = true;
    if (seqLt(rows[head + Sent.SEQ], cleaned.reorderedFrom)) cleaned.reorderedFrom = rows[head + Sent.SEQ];
    if (!seqGt(end, cold[k + Cold.HIGH_SEQ])) ack.flags |= AckFlag.ORIGINAL_ARRIVED;
  }
  if ((flags & SentFlag.SACKED) === 0) ack.bytes += (end - rows[head + Sent.SEQ]) | 0;
  if ((flags & SentFlag.SACKED) !== 0) cold[k + Cold.SACKED_OUT] -= 1;
  else if (sack) {
    countPackets(tcp, c, k, 1);
    // The echo of an older timestamp: it was the original, which says nothing about what was sent with the retransmission.
    if (!again || !echoBefore(tcp, k, sentAtMs(tcp, sentAtUs), tcp.seg.hasTimestamps))
      rackAdvance(tcp, k, flags, end, sentAtUs);
  }
  if ((flags & SentFlag.LOST) !== 0) cold[k + Cold.LOST_OUT] -= 1;
  cleaned.packets += 1;
  rateDelivered(tcp, k, head);
  dropHead(tcp, k);
}

/** The clock in ms when it showed these µs. */
function sentAtMs(tcp: TcpContext, sentAtUs: number): number {
  const { clock } = tcp;
  const beyond = ((clock.us32 - sentAtUs) | 0) - (clock.us % 1000);
  return beyond <= 0 ? clock.ms : (clock.ms - Math.ceil(beyond / 1000)) | 0;
}

/**
 * The round trip: of the first segment acknowledged, or SACKed, that was sent once (Karn); if there is none, by the timestamp echoed (RFC 7323 §4.1). Congestion control hears of the
 * last of them. True when there was one.
 */
function measure(tcp: TcpContext, c: number, k: number, sackUs: number): boolean {
  const { cold, ack, clock, seg } = tcp;
  let seqUs = -1;
  let controlUs = -1;
  if (cleaned.timed && (ack.flags & AckFlag.RETRANS_ACKED) === 0) {
    seqUs = (clock.us32 - cleaned.firstAtUs) | 0;
    controlUs = (clock.us32 - cleaned.lastAtUs) | 0;
    if (
      cleaned.packets === 1 &&
      ack.priorSackedOut === 0 &&
      ((seg.ACK - ack.priorUna) | 0) < effectiveMss(tcp, c) &&
      ((ack.rateDelivered + 1) | 0) === cold[k + Cold.DELIVERED] &&
      (ack.flags & AckFlag.ALERT) === 0
    )
      ack.flags |= AckFlag.MAYBE_DELAYED;
  }
  if (ack.sackTimed) controlUs = (clock.us32 - ack.lastSackedAtUs) | 0;
  if (seqUs < 0) seqUs = sackUs;
  if (seqUs < 0 && cleaned.packets > 0) {
    seqUs = echoedRttUs(tcp, c, k);
    controlUs = seqUs;
  }
  ack.rttUs = controlUs;
  if (seqUs < 0) return false;
  const delayed = (ack.flags & AckFlag.MAYBE_DELAYED) !== 0 && controlUs > minRttUs(tcp, k);
  takeSamples(tcp, c, k, seqUs, delayed ? -1 : controlUs);
  // Back-off ends with a measurement, not with an ACK that may answer either transmission (RFC 6298 §5, Karn's second half). Else a path
  // grown slower than the RTO would time out on every segment for ever.
  cold[k + Cold.BACKOFF] = 0;
  tcp.net.confirmReachable(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address);
  return true;
}
