import { seqGeq } from '../base/seq.js';
import type { CongestionControl } from './congestion.js';
import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { RENO } from './reno.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { cwndSegments, reducedWindow } from './window-growth.js';

/**
 * Segment path. DCTCP, RFC 8257: in a data centre switches mark early and often, and the sender gives way in proportion to how much was marked, not by half. Everything
 * but that is Reno. Where the peer has not agreed to ECN no mark ever comes, and it is Reno altogether.
 */
/** Words of the private area. */
const enum Dctcp {
  /** DCTCP.Alpha in 1/1024. */
  ALPHA = 0,
  /** DCTCP.WindowEnd. */
  WINDOW_END = 1,
  /** DCTCP.BytesAcked and DCTCP.BytesMarked. */
  BYTES_ACKED = 2,
  BYTES_MARKED = 3,
}

/** Alpha of one: until the first window is judged, a mark halves cwnd (RFC 8257 §3.3 initialises it so; Linux's dctcp_alpha_on_init). */
const ALPHA_ONE = 1024;
/** g = 1/16: §4.2's recommendation, Linux's dctcp_shift_g. */
const G_SHIFT = 4;

export const DCTCP: CongestionControl = {
  name: 'dctcp',
  needsEcn: true,

  init(tcp: TcpContext, c: number, k: number): void {
    tcp.cold[k + Cold.CC + Dctcp.ALPHA] = ALPHA_ONE;
    tcp.cold[k + Cold.CC + Dctcp.WINDOW_END] = tcp.hot[c + Tcb.SND_NXT];
  },

  /** Without ECN alpha is never asked. */
  rests(tcp: TcpContext, c: number, _k: number): boolean {
    return (tcp.hot[c + Tcb.STATE] & Flag.ECN) === 0;
  },

  onAck: RENO.onAck,
  /** §3.5: what was lost without a mark is answered as any TCP answers it. */
  onLoss: RENO.onLoss,
  onTimeout: RENO.onTimeout,
  onRecovered: RENO.onRecovered,

  /** §3.3 step 9: cwnd (1 - Alpha / 2). */
  onEcn(tcp: TcpContext, c: number, k: number, _flight: number): void {
    const { hot, cold } = tcp;
    const smss = effectiveMss(tcp, c);
    const cwnd = cwndSegments(tcp, c, smss);
    const kept = cwnd - ((cwnd * cold[k + Cold.CC + Dctcp.ALPHA]) >>> 11);
    hot[c + Tcb.SSTHRESH] = kept > 2 ? kept * smss : reducedWindow(tcp, c, 0);
    cold[k + Cold.CWND_CREDIT] = 0;
  },

  /** §3.3 steps 1 to 8. What AccECN or SACK tell more exactly comes in the same two numbers. */
  onDelivered(tcp: TcpContext, c: number, k: number, delivered: number, ce: number): void {
    const { hot, cold } = tcp;
    const w = k + Cold.CC;
    cold[w + Dctcp.BYTES_ACKED] += delivered;
    cold[w + Dctcp.BYTES_MARKED] += ce;
    // Deviation: §3.3 step 3 waits for an acknowledgment beyond WindowEnd; as Linux one of just that ends the window, too.
    if (!seqGeq(hot[c + Tcb.SND_UNA], cold[w + Dctcp.WINDOW_END])) return;
    let alpha = cold[w + Dctcp.ALPHA];
    const step = alpha >>> G_SHIFT;
    // Below 1/64 the shift is nothing, and alpha would never come to rest: then the remainder goes at once (Linux).
    alpha -= step === 0 ? alpha : step;
    const acked = cold[w + Dctcp.BYTES_ACKED];
    if (cold[w + Dctcp.BYTES_MARKED] > 0) {
      alpha += Math.floor((cold[w + Dctcp.BYTES_MARKED] * (ALPHA_ONE >>> G_SHIFT)) / (acked > 0 ? acked : 1));
    }
    cold[w + Dctcp.ALPHA] = alpha < ALPHA_ONE ? alpha : ALPHA_ONE;
    cold[w + Dctcp.WINDOW_END] = hot[c + Tcb.SND_NXT];
    cold[w + Dctcp.BYTES_ACKED] = 0;
    cold[w + Dctcp.BYTES_MARKED] = 0;
  },
};
