import { seqDiff, seqLt } from '../base/seq.js';
import type { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { sendBare } from './bare-segment.js';
import { roomFor, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { sendSegment } from './emit.js';
import { receiveShift } from './options.js';
import { Flag, Name, Tcb } from './tcb.js';

/** Segment path. RST of our own accord, and the sequence number that a segment without text may carry. */

/**
 * SND.NXT; or, where the peer's window has shrunk in front of it, the window's edge: beyond that it would not take the segment. A window that scaling
 * has rounded down does not count as shrunk. As Linux.
 */
export function acceptableSeq(tcp: TcpContext, c: number): number {
  const { hot } = tcp;
  const nxt = hot[c + Tcb.SND_NXT];
  if (nxt === hot[c + Tcb.SND_UNA]) return nxt;
  const edge = (hot[c + Tcb.SND_UNA] + hot[c + Tcb.SND_WND]) | 0;
  if (!seqLt(edge, nxt)) return nxt;
  const scaled = (hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0;
  return scaled && seqDiff(nxt, edge) < 1 << receiveShift(tcp, c) ? nxt : edge;
}

/**
 * <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: RFC 9293 §3.10.5 ABORT. As Linux with the options and the window of any other segment; what answers a
 * segment instead (refuseSegment) carries neither.
 */
export function sendOwnReset(tcp: TcpContext, c: number, cause: Cause): void {
  const { hot, names } = tcp;
  // One that is asleep is woken: what its options say is in the cold row.
  const k = wake(tcp, c);
  const flags = TcpFlag.RST | TcpFlag.ACK;
  const seq = acceptableSeq(tcp, c);
  if (k !== 0) {
    if (roomFor(tcp, c) > 0 && sendSegment(tcp, c, k, seq, 0, flags, cause)) tcp.net.stats.tcpOutRsts += 1;
    return;
  }
  // No memory to build it as the others are.
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  sendBare(
    tcp,
    names[n + Name.LOCAL],
    names[n + Name.REMOTE],
    names[n + Name.PORTS],
    seq,
    hot[c + Tcb.RCV_NXT],
    flags,
    0,
    false,
    0,
    0,
    cause,
    state,
  );
}
