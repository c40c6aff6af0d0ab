import type { CongestionControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { Cold, Tcb } from './tcb.js';

/** Segment path. RFC 5681 §3.1: slow start and congestion avoidance, counted in bytes. */
export const RENO: CongestionControl = {
  name: 'reno',

  onAck(tcp: TcpContext, c: number, k: number, acked: number): void {
    const { hot, cold } = tcp;
    const smss = effectiveMss(tcp, c);
    let cwnd = hot[c + Tcb.CWND];
    if (cwnd < hot[c + Tcb.SSTHRESH]) {
      // Deviation: equation 2 has cwnd grow by min(N, SMSS) for each ACK. As Linux we count every byte acknowledged (RFC 3465 with
      // no limit), for peers that acknowledge sixteen segments at once. What passes ssthresh goes to congestion avoidance.
      const room = hot[c + Tcb.SSTHRESH] - cwnd;
      const grown = acked < room ? acked : room;
      cwnd += grown;
      acked -= grown;
    }
    if (acked > 0) {
      // A segment's worth for each window's worth of acknowledged bytes: RFC 5681 §3.1, the recommended way.
      let credit = cold[k + Cold.CWND_CREDIT] + acked;
      if (credit >= cwnd) {
        credit -= cwnd;
        cwnd += smss;
        if (credit > cwnd) credit = cwnd;
      }
      cold[k + Cold.CWND_CREDIT] = credit;
    }
    hot[c + Tcb.CWND] = cwnd < CWND_MAX ? cwnd : CWND_MAX;
  },

  /** Equation 4: half of what is in flight, but two segments at the least. */
  onLoss(tcp: TcpContext, c: number, k: number, flight: number): void {
    const floor = 2 * effectiveMss(tcp, c);
    const half = flight >>> 1;
    tcp.cold[k + Cold.PRIOR_CWND] = tcp.hot[c + Tcb.CWND];
    tcp.hot[c + Tcb.SSTHRESH] = half > floor ? half : floor;
  },

  /** The loss window is one segment, RFC 5681 §3.1. */
  onTimeout(tcp: TcpContext, c: number, k: number, flight: number): void {
    RENO.onLoss(tcp, c, k, flight);
    tcp.hot[c + Tcb.CWND] = effectiveMss(tcp, c);
    tcp.cold[k + Cold.CWND_CREDIT] = 0;
  },

  onRecovered(tcp: TcpContext, _c: number, k: number): void {
    tcp.cold[k + Cold.CWND_CREDIT] = 0;
  },
};

/** The largest window scaling can express is 2^30; a larger cwnd would mean nothing. */
const CWND_MAX = 1 << 30;
