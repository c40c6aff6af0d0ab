import type { Test } from 'tap';
import type { Us } from '../../../stack/base/units.js';
import { beginCongestionControl, type CongestionControl, congestionOf } from '../../../stack/tcp/congestion.js';
import type { TcpContext } from '../../../stack/tcp/context.js';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { Cold, Tcb } from '../../../stack/tcp/tcb.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

export const MSS = 1000;

/**
 * A congestion control alone: the row of a real connection, whose window is used up, and nothing that sends. Windows are in segments and time is in ms, as the
 * RFCs' formulas have them.
 */
export class Rig {
  readonly peer: Peer;
  readonly tcp: TcpContext;
  readonly c: number;
  readonly k: number;
  nowUs: number;

  constructor(t: Test, name: string, limits: Partial<TcpLimits> = {}) {
    this.peer = established(t, { syn: { mss: MSS }, tcp: { congestion: name, ...limits } });
    this.tcp = this.peer.tcp.context;
    this.c = this.peer.tcp.rowOf(this.peer.id) << Tcb.SHIFT;
    // A later second: the first samples of a second are as good as any.
    this.nowUs = this.peer.nowUs;
    this.peer.write(1);
    this.k = this.tcp.hot[this.c + Tcb.COLD];
    this.advanceMs(10_000);
    this.tcp.hot[this.c + Tcb.SND_UNA] = this.tcp.hot[this.c + Tcb.SND_NXT];
    this.begin();
  }

  get control(): CongestionControl {
    return congestionOf(this.tcp, this.k);
  }
  begin(): void {
    beginCongestionControl(this.tcp, this.c, this.k);
  }
  get cwnd(): number {
    return this.tcp.hot[this.c + Tcb.CWND] / MSS;
  }
  set cwnd(segments: number) {
    this.tcp.hot[this.c + Tcb.CWND] = segments * MSS;
  }
  get ssthresh(): number {
    return this.tcp.hot[this.c + Tcb.SSTHRESH] / MSS;
  }
  set ssthresh(segments: number) {
    this.tcp.hot[this.c + Tcb.SSTHRESH] = segments * MSS;
  }
  word(i: number): number {
    return this.tcp.cold[this.k + Cold.CC + i];
  }

  /** The clock, and nothing else. */
  advanceMs(ms: number): void {
    this.nowUs += Math.round(ms * 1000);
    this.tcp.clock.advance(this.nowUs as Us);
  }

  /** One ACK of so many segments, with a round trip if one is measured. */
  ack(segments = 1, rttMs?: number): void {
    this.moveUna(segments);
    if (rttMs !== undefined) this.control.onSample?.(this.tcp, this.c, this.k, Math.round(rttMs * 1000));
    this.control.onAck(this.tcp, this.c, this.k, segments * MSS);
  }

  /** A round trip: every segment of the window is acknowledged, `perAck` at a time, evenly spaced. */
  round(rttMs: number, perAck = 1): void {
    const segments = Math.floor(this.cwnd);
    this.tcp.hot[this.c + Tcb.SND_NXT] = (this.tcp.hot[this.c + Tcb.SND_UNA] + segments * MSS) | 0;
    const acks = Math.ceil(segments / perAck);
    for (let i = 0; i < acks; i++) {
      this.advanceMs(rttMs / acks);
      this.ack(Math.min(perAck, segments - i * perAck), rttMs);
    }
  }

  loss(): void {
    this.control.onLoss(this.tcp, this.c, this.k, this.tcp.hot[this.c + Tcb.CWND]);
  }
  /** A loss, and the recovery from it, in no time. */
  reduce(): void {
    this.loss();
    this.cwnd = this.ssthresh;
    this.control.onRecovered(this.tcp, this.c, this.k);
  }
  timeout(): void {
    this.control.onTimeout(this.tcp, this.c, this.k, this.tcp.hot[this.c + Tcb.CWND]);
  }

  moveUna(segments: number): void {
    this.tcp.hot[this.c + Tcb.SND_UNA] = (this.tcp.hot[this.c + Tcb.SND_UNA] + segments * MSS) | 0;
    const { hot } = this.tcp;
    if (((hot[this.c + Tcb.SND_NXT] - hot[this.c + Tcb.SND_UNA]) | 0) < 0)
      hot[this.c + Tcb.SND_NXT] = hot[this.c + Tcb.SND_UNA];
  }
}
