import { seqLt } from '../base/seq.js';
import { Behaviour } from './behaviour.js';
import { AckBit } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { Cold, Flag, Tcb } from './tcb.js';

/**
 * Segment path. The receiver's view of the round trip, for auto-tuning the buffer and for SACK compression: a receiver that sends nothing cannot measure as RFC 6298 does. Two ways,
 * as Linux: how long a window takes to be filled, which is a round trip at the least; and, where timestamps are in use, how old the one is that data echoes.
 */

/** In-order data has come: a window after the measurement began it ends, and the next one begins. */
export function measureByWindow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, clock } = tcp;
  if ((cold[k + Cold.ACK_BITS] & AckBit.MEASURING) !== 0) {
    if (seqLt(hot[c + Tcb.RCV_NXT], cold[k + Cold.RCV_RTT_SEQ])) return;
    const us = (clock.us32 - cold[k + Cold.RCV_RTT_AT_US]) >>> 0;
    takeReceiveSample(tcp, k, us === 0 ? 1 : us, true);
  }
  cold[k + Cold.ACK_BITS] |= AckBit.MEASURING;
  cold[k + Cold.RCV_RTT_SEQ] = (hot[c + Tcb.RCV_NXT] + hot[c + Tcb.RCV_WND]) | 0;
  cold[k + Cold.RCV_RTT_AT_US] = clock.us32;
}

/** A full segment that echoes another timestamp than the last did: the age of what it echoes. Less than full it may have waited at the sender. */
export function measureByTimestamp(tcp: TcpContext, c: number, k: number): void {
  const { cold, seg } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps) return;
  if (seg.TSecr === cold[k + Cold.RCV_RTT_TSECR]) return;
  cold[k + Cold.RCV_RTT_TSECR] = seg.TSecr;
  if (seg.LEN < cold[k + Cold.RCV_MSS] || seg.LEN === 0) return;
  const ms = (tcp.clock.ms + cold[k + Cold.TS_OFFSET] - seg.TSecr) | 0;
  if (ms < 0 || ms > ECHO_MS_MAX) return;
  const us = ms === 0 ? 1000 : ms * 1000;
  // What waits for the program makes the round trip look longer than the path is: since 7 Linux leaves a longer sample out.
  const longer = us << 3 >= cold[k + Cold.RCV_RTT] && cold[k + Cold.RCV_RTT] !== 0;
  if (longer && (tcp.behaviour & Behaviour.TUNES_AS_7) !== 0 && tcp.hot[c + Tcb.RCV_QUEUE] !== 0) return;
  takeReceiveSample(tcp, k, us, false);
}
/** Older than this an echo is invented, or of no use. */
const ECHO_MS_MAX = 60_000;

/** Smoothed by an eighth. A window's worth may have waited for the program at the other end, so there only the smallest counts. */
function takeReceiveSample(tcp: TcpContext, k: number, us: number, byWindow: boolean): void {
  const cold = tcp.cold;
  const sample = us < SAMPLE_US_MAX ? us : SAMPLE_US_MAX;
  const known = cold[k + Cold.RCV_RTT];
  if (known === 0) cold[k + Cold.RCV_RTT] = sample << 3;
  else if (!byWindow) cold[k + Cold.RCV_RTT] = known + sample - (known >> 3);
  else if (sample << 3 < known) cold[k + Cold.RCV_RTT] = sample << 3;
}
/** In 1/8 µs it must stay an int32. */
const SAMPLE_US_MAX = 0x7fffffff >> 4;
