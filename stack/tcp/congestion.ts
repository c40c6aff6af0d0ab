import type { TcpContext } from './context.js';

/**
 * What a congestion control must answer, and all it may touch: cwnd and ssthresh of the row, and its own fields of the
 * cold row. Loss recovery decides that something was lost; congestion control decides what that means for the rate.
 */
export interface CongestionControl {
  /** As TCP_CONGESTION names it. */
  readonly name: string;
  /** `acked` bytes were newly acknowledged, not in recovery, and the flight was limited by cwnd. */
  onAck(tcp: TcpContext, c: number, k: number, acked: number): void;
  /** A loss was detected by its consequences (duplicate ACKs): set ssthresh. `flight` is FlightSize, RFC 5681 §2. */
  onLoss(tcp: TcpContext, c: number, k: number, flight: number): void;
  /** The retransmission timer expired, for the first time for this data. Set ssthresh and cwnd. */
  onTimeout(tcp: TcpContext, c: number, k: number, flight: number): void;
  /** Recovery is over; cwnd has been set to what recovery leaves. */
  onRecovered(tcp: TcpContext, c: number, k: number): void;
}
