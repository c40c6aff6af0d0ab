import { seqLt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { minRttUs } from './min-rtt.js';
import { CaState, markLost, Recovery, RecoveryBit } from './scoreboard.js';
import { Cold, Tcb } from './tcb.js';
import { Sent, SentFlag, sentAfter } from './transmit-pool.js';

/**
 * Segment path. RACK, RFC 8985 §6: a segment is lost when one sent later has arrived, and so much time has passed since it left that it cannot be on its way any more: a round trip and
 * a window for reordering. It needs no count of duplicates, so it finds what is lost at the end of a flight, and retransmissions lost in their turn.
 */

/** §6.2 step 4, RACK.reo_wnd_persist: recoveries for which a wider window is kept. */
const WINDOW_RECOVERIES = 16;
const WINDOW_STEPS_MAX = 255;
/** Below this, Linux's timer for reordering does not wait: two milliseconds on top of the window. */
const TIMER_SLACK_US = 2_000;

/** §6.2 step 2: a segment has arrived that was sent at `sentAtUs`. */
export function rackAdvance(tcp: TcpContext, k: number, flags: number, end: number, sentAtUs: number): void {
  const { cold, clock } = tcp;
  const rttUs = (clock.us32 - sentAtUs) | 0;
  // Sooner than a round trip can be: what arrived is an earlier transmission.
  if ((flags & SentFlag.RETRANSMITTED) !== 0 && rttUs < minRttUs(tcp, k)) return;
  cold[k + Cold.RECOVERY_BITS] |= RecoveryBit.RACK_ADVANCED;
  cold[k + Cold.RACK_RTT_US] = rttUs;
  if (!sentAfter(sentAtUs, end, cold[k + Cold.RACK_AT_US], cold[k + Cold.RACK_END])) return;
  cold[k + Cold.RACK_AT_US] = sentAtUs;
  cold[k + Cold.RACK_END] = end;
}

/**
 * §6.2 step 4, RACK.reo_wnd: nothing before reordering was seen, in recovery or once three segments are SACKed; else a quarter of the smallest round trip, more of them
 * after D-SACKs, up to SRTT.
 */
function reorderingWindowUs(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, limits } = tcp;
  if (cold[k + Cold.REORD_SEEN] === 0) {
    if (cold[k + Cold.CA_STATE] >= CaState.RECOVERY) return 0;
    const threshold = (limits.recovery & Recovery.NO_THRESHOLD) === 0;
    if (threshold && cold[k + Cold.SACKED_OUT] >= cold[k + Cold.REORDERING]) return 0;
  }
  const window = (minRttUs(tcp, k) >>> 2) * cold[k + Cold.RACK_STEPS];
  const srtt = hot[c + Tcb.SRTT] >> 3;
  return window < srtt ? window : srtt;
}

/** µs until a segment sent at `sentAtUs` counts as lost. */
export function rackTimeLeftUs(tcp: TcpContext, k: number, sentAtUs: number, windowUs: number): number {
  return tcp.cold[k + Cold.RACK_RTT_US] + windowUs - ((tcp.clock.us32 - sentAtUs) | 0);
}

/** §6.2 step 5: marks what is lost; µs until the last of the others that later ones have overtaken would be, 0 when there are none. */
export function rackDetectLoss(tcp: TcpContext, c: number, k: number): number {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const windowUs = reorderingWindowUs(tcp, c, k);
  const newestUs = cold[k + Cold.RACK_AT_US];
  const newestEnd = cold[k + Cold.RACK_END];
  let timeoutUs = 0;
  let later = 0;
  for (let at = cold[k + Cold.OLDEST]; at !== 0; at = later) {
    later = rows[at + Sent.LATER];
    const sentAtUs = rows[at + Sent.AT_US];
    if (!sentAfter(newestUs, newestEnd, sentAtUs, rows[at + Sent.END])) break;
    const left = rackTimeLeftUs(tcp, k, sentAtUs, windowUs);
    if (left <= 0) markLost(tcp, k, at);
    else if (left > timeoutUs) timeoutUs = left;
  }
  return timeoutUs;
}

/** After an acknowledgment. Ms until the rest must be looked at again; 0: no need. */
export function rackMarkLost(tcp: TcpContext, c: number, k: number): number {
  const { cold } = tcp;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.RACK_ADVANCED) === 0) return 0;
  cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.RACK_ADVANCED;
  const timeoutUs = rackDetectLoss(tcp, c, k);
  return timeoutUs === 0 ? 0 : Math.ceil((timeoutUs + TIMER_SLACK_US) / 1000);
}

/** §6.2 step 4: a D-SACK widens the window, at most once in a round trip; sixteen recoveries without one narrow it again. */
export function rackUpdateWindow(tcp: TcpContext, k: number): void {
  const { cold, ack, limits } = tcp;
  if ((limits.recovery & Recovery.STATIC_WINDOW) !== 0 || !ack.rated) return;
  if (seqLt(ack.rateDelivered, cold[k + Cold.RACK_LAST_DELIVERED]))
    cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.RACK_DSACK;
  if ((cold[k + Cold.RECOVERY_BITS] & RecoveryBit.RACK_DSACK) !== 0) {
    const steps = cold[k + Cold.RACK_STEPS] + 1;
    cold[k + Cold.RACK_STEPS] = steps < WINDOW_STEPS_MAX ? steps : WINDOW_STEPS_MAX;
    cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.RACK_DSACK;
    cold[k + Cold.RACK_LAST_DELIVERED] = cold[k + Cold.DELIVERED];
    cold[k + Cold.RACK_PERSIST] = WINDOW_RECOVERIES;
  } else if (cold[k + Cold.RACK_PERSIST] === 0) cold[k + Cold.RACK_STEPS] = 1;
}

/** A recovery was undone by D-SACKs: the wider window is kept for one more. */
export function rackUndone(tcp: TcpContext, k: number): void {
  const kept = tcp.cold[k + Cold.RACK_PERSIST] + 1;
  tcp.cold[k + Cold.RACK_PERSIST] = kept < WINDOW_RECOVERIES ? kept : WINDOW_RECOVERIES;
}
