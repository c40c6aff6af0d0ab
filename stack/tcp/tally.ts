import type { TcpContext } from './context.js';
import { CaState } from './scoreboard.js';
import { Cold, Tally, Tcb } from './tcb.js';

/**
 * Segment path. What only STATUS (RFC 9293 §3.9.1.7) tells and the protocol never reads. Without tallies every function here returns at once.
 */

/** What keeps the bytes of a send buffer from being gone, as Linux's tcp_chrono has it. */
export const enum Busy {
  /** There are none. */
  NO = 0,
  /** They are on their way, or cwnd holds them back. */
  SENDING = 1,
  /** The peer's window does. */
  PEER_WINDOW = 2,
  /** All are sent, and the program waits for room to write more. */
  SEND_BUFFER = 3,
}

/** Adds to a 64-bit counter kept as two halves. */
export function addTo(tally: Int32Array, at: number, n: number): void {
  const low = (tally[at] + n) | 0;
  if (low >>> 0 < tally[at] >>> 0) tally[at + 1] += 1;
  tally[at] = low;
}

/** From now on it is `what`; the time since the last change is booked to what it was. */
export function nowBusy(tcp: TcpContext, c: number, k: number, what: Busy): void {
  const cold = tcp.cold;
  const was: Busy = cold[k + Cold.BUSY];
  if (was === what || !tcp.tallies) return;
  bookBusy(tcp, c, k);
  cold[k + Cold.BUSY] = what;
}

/** Books the time until now. */
export function bookBusy(tcp: TcpContext, c: number, k: number): void {
  const cold = tcp.cold;
  const us = (tcp.clock.us32 - cold[k + Cold.BUSY_SINCE_US]) | 0;
  cold[k + Cold.BUSY_SINCE_US] = tcp.clock.us32;
  const was: Busy = cold[k + Cold.BUSY];
  if (was === Busy.NO || us <= 0) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  addTo(tcp.tally, at + Tally.BUSY_US, us);
  if (was === Busy.PEER_WINDOW) addTo(tcp.tally, at + Tally.PEER_WINDOW_US, us);
  if (was === Busy.SEND_BUFFER) addTo(tcp.tally, at + Tally.SEND_BUFFER_US, us);
}

/** `bytes` were newly acknowledged. */
export function countAcknowledged(tcp: TcpContext, c: number, bytes: number): void {
  if (tcp.tallies) addTo(tcp.tally, (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_ACKED, bytes);
}

/** The state is about to change; if it was Loss, recovery from a timeout is over. */
export function timeoutRecovered(tcp: TcpContext, c: number, k: number): void {
  if (!tcp.tallies || tcp.cold[k + Cold.CA_STATE] !== CaState.LOSS) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.RTO_TIME_MS] += (tcp.clock.ms - tcp.cold[k + Cold.TIMED_OUT_AT]) | 0;
}

/** The retransmission timer has expired; `first`: for the first time in a row. */
export function countTimeout(tcp: TcpContext, c: number, first: boolean): void {
  if (!tcp.tallies) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.RTO_COUNTS;
  const counts = tcp.tally[at] + (first ? 0x1_0000 : 0);
  tcp.tally[at] = (counts & ~0xffff) | ((counts + 1) & 0xffff);
}

/** So many packets were reported as marked. */
export function countMarks(tcp: TcpContext, c: number, k: number, packets: number): void {
  tcp.cold[k + Cold.DELIVERED_CE] = (tcp.cold[k + Cold.DELIVERED_CE] + packets) | 0;
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.DELIVERED_CE] += packets;
}
