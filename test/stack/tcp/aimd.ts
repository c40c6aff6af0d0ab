import type { CongestionControl } from '../../../stack/tcp/congestion.js';
import { effectiveMss } from '../../../stack/tcp/options.js';
import { Cold, Tcb } from '../../../stack/tcp/tcb.js';

/**
 * A congestion control as a user would write one, with nothing of the stack's own: two segments more a round trip, three quarters of the window after a loss. It counts its reductions in
 * the first of its private words.
 */
export const AIMD: CongestionControl = {
  name: 'aimd-2-75',

  onAck(tcp, c, k, acked) {
    const { hot, cold } = tcp;
    const smss = effectiveMss(tcp, c);
    const cwnd = hot[c + Tcb.CWND];
    if (cwnd < hot[c + Tcb.SSTHRESH]) {
      hot[c + Tcb.CWND] = Math.min(cwnd + acked, hot[c + Tcb.SSTHRESH], tcp.limits.cwndMaxBytes);
      return;
    }
    const credit = cold[k + Cold.CC + 1] + 2 * acked;
    const steps = Math.floor(credit / cwnd);
    cold[k + Cold.CC + 1] = credit - steps * cwnd;
    hot[c + Tcb.CWND] = Math.min(cwnd + Math.min(steps, 2) * smss, tcp.limits.cwndMaxBytes);
  },

  onLoss(tcp, c, k) {
    const smss = effectiveMss(tcp, c);
    const segments = Math.floor((tcp.hot[c + Tcb.CWND] * 3) / 4 / smss);
    tcp.hot[c + Tcb.SSTHRESH] = Math.max(2, segments) * smss;
    tcp.cold[k + Cold.CC] += 1;
  },

  onTimeout(tcp, c, k, flight) {
    AIMD.onLoss(tcp, c, k, flight);
    tcp.hot[c + Tcb.CWND] = effectiveMss(tcp, c);
  },

  onRecovered() {},
};
