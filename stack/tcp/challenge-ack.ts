import { Cause } from '../net/note.js';
import { roomFor } from './connection.js';
import type { TcpContext } from './context.js';
import { ackNow } from './delayed-ack.js';
import { sendSegment } from './emit.js';
import { acceptableSeq } from './own-reset.js';
import { Cold } from './tcb.js';

/**
 * Segment path. Challenge ACKs, RFC 5961: to a segment that only somebody guessing would send, the answer is our sequence numbers; a true
 * peer can tell from them what to do. Limited for the connection and for the stack (§7), so that the answer is no weapon.
 */
export function challenge(tcp: TcpContext, c: number, k: number): void {
  if (answeredLately(tcp, k) || !stackAllows(tcp)) return;
  tcp.net.stats.tcpChallengeAcks += 1;
  sendAtOnce(tcp, c, k, Cause.CHALLENGE_ACK);
}

/** Within tcp_invalid_ratelimit another answer has gone to a segment that was not acceptable or not believed; else this one counts. */
export function answeredLately(tcp: TcpContext, k: number): boolean {
  const { cold, clock } = tcp;
  if ((clock.ms - cold[k + Cold.CHALLENGED_AT]) >>> 0 < tcp.limits.challengeAckIntervalMs) return true;
  cold[k + Cold.CHALLENGED_AT] = clock.ms;
  return false;
}

/** A bucket for each second. Its size is public by §7; which connection emptied it is not to be told from outside, hence the limit per connection first. */
export function stackAllows(tcp: TcpContext): boolean {
  if (tcp.limits.challengeAcksPerSecond === UNLIMITED) return true;
  const second = Math.floor(tcp.clock.us / 1e6);
  if (second !== tcp.challengeSecond) {
    tcp.challengeSecond = second;
    tcp.challengeLeft = tcp.limits.challengeAcksPerSecond;
  }
  if (tcp.challengeLeft === 0) return false;
  tcp.challengeLeft -= 1;
  return true;
}

const UNLIMITED = 0x7fffffff;

/** An ACK that must not be merged with others: each one counts for the peer. If no frame is free the next flush sends it. */
export function sendAtOnce(tcp: TcpContext, c: number, k: number, cause: Cause): void {
  if (roomFor(tcp, c) > 0 && sendSegment(tcp, c, k, acceptableSeq(tcp, c), 0, 0, cause)) return;
  ackNow(tcp, c, k, cause);
}
