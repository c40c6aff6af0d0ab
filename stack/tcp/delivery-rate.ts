import type { TcpContext } from './context.js';
import { minRttUs } from './min-rtt.js';
import { effectiveMss } from './options.js';
import { cwndPackets, packetsInFlight, RecoveryBit } from './scoreboard.js';
import { Cold } from './tcb.js';
import { Sent, SentFlag, sentAfter } from './transmit-pool.js';

/**
 * Segment path. The rate at which the path delivers (draft-cheng-iccrg-delivery-rate-estimation; Linux's tcp_rate): for each ACK, what was delivered since the newest of the segments it tells
 * of was sent, over the longer of the times it took to send that and to have it acknowledged. So neither a burst of sending nor a train of ACKs looks fast.
 */

/** A segment leaves, for the first time or again. */
export function recordRate(tcp: TcpContext, k: number, at: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  rows[at + Sent.DELIVERED] = cold[k + Cold.DELIVERED];
  rows[at + Sent.DELIVERED_AT_US] = cold[k + Cold.DELIVERED_AT_US];
  rows[at + Sent.FIRST_AT_US] = cold[k + Cold.FIRST_SENT_AT_US];
  const flags = rows[at + Sent.FLAGS] & ~SentFlag.APP_LIMITED;
  rows[at + Sent.FLAGS] = flags | SentFlag.RATED | (cold[k + Cold.APP_LIMITED] !== 0 ? SentFlag.APP_LIMITED : 0);
}

/** It has arrived: of all that this ACK tells of, the one sent last is the sample. */
export function rateDelivered(tcp: TcpContext, k: number, at: number): void {
  const { cold, ack } = tcp;
  const { rows } = tcp.transmits;
  if ((rows[at + Sent.FLAGS] & SentFlag.RATED) === 0) return;
  const sentAtUs = rows[at + Sent.AT_US];
  const end = rows[at + Sent.END];
  if (ack.rated && !sentAfter(sentAtUs, end, cold[k + Cold.FIRST_SENT_AT_US], ack.rateEnd)) return;
  ack.rated = true;
  ack.rateDelivered = rows[at + Sent.DELIVERED];
  ack.rateDeliveredAtUs = rows[at + Sent.DELIVERED_AT_US];
  ack.rateEnd = end;
  ack.rateAppLimited = (rows[at + Sent.FLAGS] & SentFlag.APP_LIMITED) !== 0;
  ack.rateSendUs = (sentAtUs - rows[at + Sent.FIRST_AT_US]) | 0;
  cold[k + Cold.FIRST_SENT_AT_US] = sentAtUs;
}

/** At the end of an ACK. Where the program was the limit, a sample only raises what is known. */
export function generateRate(tcp: TcpContext, k: number): void {
  const { cold, clock, ack } = tcp;
  const now = cold[k + Cold.DELIVERED];
  if (cold[k + Cold.APP_LIMITED] !== 0 && ((now - cold[k + Cold.APP_LIMITED]) | 0) > 0) cold[k + Cold.APP_LIMITED] = 0;
  if (ack.delivered > 0) cold[k + Cold.DELIVERED_AT_US] = clock.us32;
  if (!ack.rated || (cold[k + Cold.RECOVERY_BITS] & RecoveryBit.RENEGED) !== 0) return;
  const packets = (now - ack.rateDelivered) | 0;
  const ackUs = (clock.us32 - ack.rateDeliveredAtUs) | 0;
  const intervalUs = ackUs > ack.rateSendUs ? ackUs : ack.rateSendUs;
  if (intervalUs <= 0 || intervalUs < minRttUs(tcp, k)) return;
  if (ack.rateAppLimited && packets * cold[k + Cold.RATE_INTERVAL_US] < cold[k + Cold.RATE_PACKETS] * intervalUs)
    return;
  cold[k + Cold.RATE_PACKETS] = packets;
  cold[k + Cold.RATE_INTERVAL_US] = intervalUs;
  cold[k + Cold.RATE_APP_LIMITED] = ack.rateAppLimited ? 1 : 0;
}

/** Bytes a second; 0: not known. */
export function deliveryRate(tcp: TcpContext, c: number, k: number): number {
  const { cold } = tcp;
  if (k === 0 || cold[k + Cold.RATE_INTERVAL_US] === 0) return 0;
  return Math.floor((cold[k + Cold.RATE_PACKETS] * effectiveMss(tcp, c) * 1e6) / cold[k + Cold.RATE_INTERVAL_US]);
}

/** The program writes, and until now there was less than a segment to send though cwnd had room: what is in flight says how fast the program is. */
export function noteAppLimited(tcp: TcpContext, c: number, k: number, unsent: number): void {
  const { cold } = tcp;
  const inFlight = packetsInFlight(cold, k);
  if (unsent >= effectiveMss(tcp, c) || inFlight >= cwndPackets(tcp, c)) return;
  if (cold[k + Cold.LOST_OUT] > cold[k + Cold.RETRANS_OUT]) return;
  const until = (cold[k + Cold.DELIVERED] + inFlight) | 0;
  cold[k + Cold.APP_LIMITED] = until === 0 ? 1 : until;
}
