import type { TcpContext } from './context.js';
import { Cold } from './tcb.js';

/**
 * Segment path. The smallest round trip of the last five minutes (Linux's tcp_min_rtt_wlen; RFC 8985 §6.2 asks for such a window): routes change, and a minimum for ever would not. The
 * best, and the best of what came after each, in three places: so the next is known when the best grows too old (Nichols' algorithm).
 */

/** Before the first sample. */
export const NO_RTT = 0x7fffffff;

export function minRttUs(tcp: TcpContext, k: number): number {
  return tcp.cold[k + Cold.MIN_RTT_US];
}

/** A round trip of `us` was measured. */
export function updateMinRtt(tcp: TcpContext, k: number, us: number): void {
  const { cold, clock, limits } = tcp;
  const now = clock.ms;
  const window = limits.minRttWindowMs;
  if (us <= cold[k + Cold.MIN_RTT_US] || ((now - cold[k + Cold.MIN_RTT_3_AT]) | 0) > window) {
    for (let i = 0; i < PLACES; i++) put(cold, k, i, us, now);
    return;
  }
  if (us <= cold[k + Cold.MIN_RTT_2_US]) {
    put(cold, k, 1, us, now);
    put(cold, k, 2, us, now);
  } else if (us <= cold[k + Cold.MIN_RTT_3_US]) put(cold, k, 2, us, now);
  const age = (now - cold[k + Cold.MIN_RTT_AT]) | 0;
  if (age > window) {
    // The best is too old: the others move up, and once more if the second is, too.
    moveUp(cold, k, us, now);
    if (((now - cold[k + Cold.MIN_RTT_AT]) | 0) > window) moveUp(cold, k, us, now);
  } else if (cold[k + Cold.MIN_RTT_2_AT] === cold[k + Cold.MIN_RTT_AT] && age > window / 4) {
    put(cold, k, 1, us, now);
    put(cold, k, 2, us, now);
  } else if (cold[k + Cold.MIN_RTT_3_AT] === cold[k + Cold.MIN_RTT_2_AT] && age > window / 2) {
    put(cold, k, 2, us, now);
  }
}

/** The connection wakes up: the smallest that is remembered, as if it had been measured when anything last happened. */
export function recallMinRtt(tcp: TcpContext, k: number, us: number, atMs: number): void {
  for (let i = 0; i < PLACES; i++) put(tcp.cold, k, i, us, atMs);
}

const PLACES = 3;

function put(cold: Int32Array, k: number, place: number, us: number, atMs: number): void {
  const at = place === 0 ? Cold.MIN_RTT_US : place === 1 ? Cold.MIN_RTT_2_US : Cold.MIN_RTT_3_US;
  const when = place === 0 ? Cold.MIN_RTT_AT : place === 1 ? Cold.MIN_RTT_2_AT : Cold.MIN_RTT_3_AT;
  cold[k + at] = us;
  cold[k + when] = atMs;
}

function moveUp(cold: Int32Array, k: number, us: number, now: number): void {
  put(cold, k, 0, cold[k + Cold.MIN_RTT_2_US], cold[k + Cold.MIN_RTT_2_AT]);
  put(cold, k, 1, cold[k + Cold.MIN_RTT_3_US], cold[k + Cold.MIN_RTT_3_AT]);
  put(cold, k, 2, us, now);
}
