import type { TcpContext } from './context.js';
import { effectiveMss } from './options.js';
import { Cold } from './tcb.js';

/**
 * What a congestion control must answer, and all it may touch: cwnd and ssthresh of the row, and the private area of the cold row,
 * `cold[k + Cold.CC]` and the words after it, `CC_WORDS` in all. Loss recovery decides that something was lost; congestion control decides what that
 * means for the rate. cwnd and ssthresh are bytes; where Linux counts segments, a segment is SMSS bytes.
 *
 * A method never sends, never allocates and never throws. One module serves all connections, so it keeps nothing of its own.
 */
export interface CongestionControl {
  /** As TCP_CONGESTION names it: 1 to 15 characters, as Linux has it. */
  readonly name: string;
  /** Wants ECN whatever `limits.ecn` says, on every segment, and to hear of each mark (RFC 8257). */
  readonly needsEcn?: boolean;
  /** Wants its segments spread over the round trip, whatever the stack's setting. */
  readonly paces?: boolean;

  /** The connection begins with this control, or was switched to it, or is awake again after a silence: the private words are zero. */
  init?(tcp: TcpContext, c: number, k: number): void;
  /** `acked` bytes were newly acknowledged, not in recovery, and the flight was limited by cwnd. */
  onAck(tcp: TcpContext, c: number, k: number, acked: number): void;
  /** A loss was detected by its consequences: set ssthresh. `flight` is FlightSize, RFC 5681 §2. */
  onLoss(tcp: TcpContext, c: number, k: number, flight: number): void;
  /** The retransmission timer expired, for the first time for this data. Set ssthresh and cwnd. */
  onTimeout(tcp: TcpContext, c: number, k: number, flight: number): void;
  /** Recovery is over; cwnd has been set to what recovery leaves. */
  onRecovered(tcp: TcpContext, c: number, k: number): void;

  /** ECN told of congestion, once a round trip: set ssthresh. Without it `onLoss` is asked (RFC 3168 §6.1.2: as if a segment were lost). */
  onEcn?(tcp: TcpContext, c: number, k: number, flight: number): void;
  /** The reduction was for nothing (Eifel, D-SACK, F-RTO): cwnd and ssthresh are again what they were before `onLoss` or `onTimeout`. */
  onUndo?(tcp: TcpContext, c: number, k: number): void;
  /** An ACK of new data let a round trip be measured, in µs, at least 1; before `onAck` of the same segment. */
  onSample?(tcp: TcpContext, c: number, k: number, rttUs: number): void;
  /** An ACK was taken in any state, `delivered` bytes with it, `ce` of them marked (RFC 8257 §3.3, RFC 9768); before `onAck`. */
  onDelivered?(tcp: TcpContext, c: number, k: number, delivered: number, ce: number): void;
  /**
   * The connection rests, and its private words are about to go with the cold row; `init` begins anew when it wakes up.
   * False while something in them is worth the row, which is then kept for as long as the path is remembered
   * (`limits.pathMemoryMs`). Without it they go when all are zero.
   */
  rests?(tcp: TcpContext, c: number, k: number): boolean;
  /** Which of the private words is kept through sleep: set again after `init`, where the stack has tallies. */
  readonly keeps?: number;
  /** Data is about to be sent with nothing in flight, `silentMs` after data was last sent. */
  onRestart?(tcp: TcpContext, c: number, k: number, silentMs: number): void;
}

/** Words of the private area. */
export const CC_WORDS = 16;

/** The congestion control of a connection. */
export function congestionOf(tcp: TcpContext, k: number): CongestionControl {
  return tcp.congestions.controls[tcp.cold[k + Cold.CONGESTION]];
}

/** A reduction for ECN's mark begins: ssthresh is set. */
export function reduceForMark(tcp: TcpContext, c: number, k: number, flight: number): void {
  const control = congestionOf(tcp, k);
  if (control.onEcn !== undefined) control.onEcn(tcp, c, k, flight);
  else control.onLoss(tcp, c, k, flight);
}

/** A round trip of `rttUs` was measured with the ACK at hand. */
export function sampleForControl(tcp: TcpContext, c: number, k: number, rttUs: number): void {
  const control = congestionOf(tcp, k);
  if (control.onSample !== undefined) control.onSample(tcp, c, k, rttUs);
}

/** What was delivered since it was last told, and `marks` packets of it reported as marked. */
export function deliveredToControl(tcp: TcpContext, c: number, k: number, marks: number): void {
  const control = congestionOf(tcp, k);
  if (control.onDelivered === undefined) return;
  const { cold } = tcp;
  const packets = (cold[k + Cold.DELIVERED] - cold[k + Cold.CC_DELIVERED]) | 0;
  cold[k + Cold.CC_DELIVERED] = cold[k + Cold.DELIVERED];
  const smss = effectiveMss(tcp, c);
  control.onDelivered(tcp, c, k, packets * smss, (marks < packets ? marks : packets) * smss);
}

/** The private area is emptied, and the control begins. */
export function beginCongestionControl(tcp: TcpContext, c: number, k: number): void {
  for (let i = 0; i < CC_WORDS; i++) tcp.cold[k + Cold.CC + i] = 0;
  tcp.cold[k + Cold.CC_DELIVERED] = tcp.cold[k + Cold.DELIVERED];
  const control = congestionOf(tcp, k);
  if (control.init !== undefined) control.init(tcp, c, k);
}
