import type { CongestionControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { Cold, Tcb } from './tcb.js';
import { cwndSegments, growLinearly, growSlowStart, inSlowStart, reducedWindow } from './window-growth.js';

/** Segment path. RFC 5681 §3.1: slow start, congestion avoidance, and half of the window after a loss. */
export const RENO: CongestionControl = {
  name: 'reno',

  onAck(tcp: TcpContext, c: number, k: number, acked: number): void {
    if (inSlowStart(tcp, c)) {
      acked = growSlowStart(tcp, c, acked);
      if (acked === 0) return;
    }
    growLinearly(tcp, c, k, cwndSegments(tcp, c, effectiveMss(tcp, c)), acked);
  },

  /**
   * Equation 4: half, but two segments at the least.
   * Deviation: half of cwnd, as Linux, and not of FlightSize. What an idle program leaves unused of cwnd, validation takes back (cwnd-validation.ts).
   */
  onLoss(tcp: TcpContext, c: number, k: number, _flight: number): void {
    tcp.hot[c + Tcb.SSTHRESH] = reducedWindow(tcp, c, HALF);
    tcp.cold[k + Cold.CWND_CREDIT] = 0;
  },

  /** The loss window is one segment, RFC 5681 §3.1. */
  onTimeout(tcp: TcpContext, c: number, k: number, flight: number): void {
    RENO.onLoss(tcp, c, k, flight);
    tcp.hot[c + Tcb.CWND] = effectiveMss(tcp, c);
  },

  onRecovered(tcp: TcpContext, _c: number, k: number): void {
    tcp.cold[k + Cold.CWND_CREDIT] = 0;
  },
};

/** In 1/1024. */
const HALF = 512;
