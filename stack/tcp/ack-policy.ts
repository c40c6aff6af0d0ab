import { Cause } from '../net/note.js';
import { Behaviour } from './behaviour.js';
import { sendAtOnce } from './challenge-ack.js';
import { AckBit } from './cold-bits.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { ackNow, delayAck, isQuick } from './delayed-ack.js';
import { outputBeforeAck } from './output.js';
import { nothingHeld } from './receive-memory.js';
import { windowOffered } from './receive-space.js';
import { Cold, Flag, Tcb } from './tcb.js';
import { startTimer, Timer, timerRuns } from './timers.js';
import { usefulWindow, windowIsLow } from './window.js';

/**
 * Segment path. When an acknowledgment that is owed is sent: asked once for each segment that has been processed, and when the program has read. RFC 5681 §4.2 has the bounds
 * (every second full segment, at once while there is a gap), Linux the details that a sender can see.
 */

/** So many duplicate ACKs go at once whatever comes: the peer's fast retransmit counts them (RFC 5681 §3.2, with the one before). */
const DUPACKS_AT_ONCE = 3;

/** A segment has been processed. `gap`: it left something out of order, so its ACK counts by itself and is not merged with others. */
export function considerAck(tcp: TcpContext, c: number, k: number, gap: boolean): void {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.ACK_PENDING) === 0) return;
  // What there is to tell comes first: where it finds that the window runs low, quick ACKs end.
  if ((hot[c + Tcb.STATE] & Flag.ACK_NOW) !== 0 || enoughToTell(tcp, c, k) || isQuick(tcp, c, k)) {
    acknowledge(tcp, c, k, gap);
    return;
  }
  if (cold[k + Cold.OOO_COUNT] === 0 && cold[k + Cold.FIN_WAITING] === 0) {
    delayAck(tcp, c, k);
    return;
  }
  const delay = mayCompress(tcp, c, k) ? compressionMs(tcp, c, k) : 0;
  if (delay === 0) {
    acknowledge(tcp, c, k, gap);
    return;
  }
  cold[k + Cold.COMPRESSED_ACKS] += 1;
  if (!timerRuns(tcp, k, Timer.DELAYED_ACK)) startTimer(tcp, c, k, Timer.DELAYED_ACK, delay);
}

function acknowledge(tcp: TcpContext, c: number, k: number, gap: boolean): void {
  if (!gap) {
    ackNow(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  outputBeforeAck(tcp, c, k);
  if ((tcp.hot[c + Tcb.STATE] & Flag.ACK_PENDING) !== 0) sendAtOnce(tcp, c, k, Cause.ACK_DUPLICATE);
}

/** More than one full segment since the last ACK, and the window would not close by it: where it would, the ACK waits for the program to read. */
function enoughToTell(tcp: TcpContext, c: number, k: number): boolean {
  const unacked = (tcp.hot[c + Tcb.RCV_NXT] - tcp.cold[k + Cold.LAST_ACK_SENT]) | 0;
  return unacked > tcp.cold[k + Cold.RCV_MSS] && usefulWindow(tcp, c, k) >= windowOffered(tcp, c, k);
}

/**
 * SACK compression, as Linux: while there is a gap and the peer has had enough duplicate ACKs to see it, one ACK may speak for several
 * segments, for its blocks say as much. Without it an ACK for each segment that comes behind a lost one loads the way back for nothing.
 */
function mayCompress(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, limits } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.SACK) === 0 || cold[k + Cold.COMPRESSED_ACKS] >= limits.compressedAcksMax)
    return false;
  if (cold[k + Cold.COMPRESSED_AT] !== hot[c + Tcb.RCV_NXT]) {
    cold[k + Cold.COMPRESSED_AT] = hot[c + Tcb.RCV_NXT];
    cold[k + Cold.DUPACKS_SENT] = 0;
  }
  if (cold[k + Cold.DUPACKS_SENT] >= DUPACKS_AT_ONCE) return true;
  cold[k + Cold.DUPACKS_SENT] += 1;
  return false;
}

/** A part of the round trip, at most tcp_comp_sack_delay_ns: later it would slow the peer's recovery down. In whole ms, for that is what timers count. */
function compressionMs(tcp: TcpContext, c: number, k: number): number {
  let rttUs = tcp.cold[k + Cold.RCV_RTT] >>> 3;
  const srttUs = tcp.hot[c + Tcb.SRTT] >>> 3;
  if (srttUs !== 0 && srttUs < rttUs) rttUs = srttUs;
  const us = (rttUs * tcp.limits.compressedAckRttPercent) / 100;
  return Math.ceil((us < tcp.limits.compressedAckDelayUs ? us : tcp.limits.compressedAckDelayUs) / 1000);
}

/** An ACK that was held back by compression goes now, before what it says changes. */
export function releaseCompressed(tcp: TcpContext, c: number, k: number): void {
  if (tcp.cold[k + Cold.COMPRESSED_ACKS] > 0) sendAtOnce(tcp, c, k, Cause.ACK_DUPLICATE);
}

/**
 * The program has read, or asks for an ACK (Linux: tcp_cleanup_rbuf). One that is owed goes if more than a full segment waits for it, or if the queue is empty now and
 * held the end of a write: the sender may be waiting for this ACK before it sends more (Nagle). Else the next flush looks at the window.
 */
export function ackAfterRead(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.STATE];
  if ((word & Flag.ACK_PENDING) !== 0 && (tcp.behaviour & Behaviour.BSD_ACKS) === 0) {
    const unacked = (hot[c + Tcb.RCV_NXT] - cold[k + Cold.LAST_ACK_SENT]) | 0;
    if (unacked > cold[k + Cold.RCV_MSS] || (endsWrite(word, cold[k + Cold.ACK_BITS]) && nothingHeld(tcp, k))) {
      ackNow(tcp, c, k, Cause.ACK_NOW);
      return;
    }
  }
  if ((word & Flag.FIN_RECEIVED) !== 0 || !windowIsLow(tcp, c, k)) return;
  hot[c + Tcb.STATE] |= Flag.WINDOW_CHECK;
  mark(tcp, c);
}

function endsWrite(word: number, bits: number): boolean {
  if ((bits & AckBit.PUSHED_TWICE) !== 0) return true;
  return (bits & AckBit.PUSHED) !== 0 && (word & Flag.INTERACTIVE) === 0;
}
