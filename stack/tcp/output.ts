import { seqGt, seqLt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { mark, wake } from './connection.js';
import type { TcpContext } from './context.js';
import { restartAfterIdle, validateCwnd } from './cwnd-validation.js';
import { noteAnswer } from './delayed-ack.js';
import { optionBytesNow, sendSegment } from './emit.js';
import { sendMss } from './options.js';
import { awaitsDeparture } from './pacing.js';
import { abandonMeasurement, beginMeasurement, rtoMs } from './rtt.js';
import { State } from './state.js';
import { addTo, Busy, nowBusy } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { startTimer, Timer, timerRuns } from './timers.js';
import { updateWorthTelling } from './window.js';

/**
 * Segment path. What may be sent now. This is the one place that decides it: everything else sets variables and marks the connection. The order is: what was
 * lost, what is new, the FIN, and an ACK if none of these carried it.
 */

/** Every marked connection in the order they were marked, as long as frames fit. The rest stays marked for the next flush. */
export function outputMarked(tcp: TcpContext): void {
  for (let left = tcp.marked.length; left > 0; left--) {
    if (tcp.net.room() <= 0) break;
    const c = tcp.marked.shift();
    if ((tcp.hot[c + Tcb.STATE] & Flag.MARKED) === 0) continue;
    tcp.hot[c + Tcb.STATE] &= ~Flag.MARKED;
    if (!output(tcp, c)) mark(tcp, c);
  }
  tcp.outOfRoom = tcp.marked.length > 0 && tcp.net.room() <= 0;
}

/** Sends what may be sent; false when frames ran out before that was all. */
export function output(tcp: TcpContext, c: number): boolean {
  const { hot } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  // SYNs are sent by those who open; there is nothing to send after the end.
  if (state < State.ESTABLISHED) return true;
  const k = wake(tcp, c);
  if (k === 0) return false;
  if (!sendLost(tcp, c, k)) return false;
  const nxt = hot[c + Tcb.SND_NXT];
  const allSent = sendNew(tcp, c, k);
  const moved = nxt !== hot[c + Tcb.SND_NXT];
  if (moved || hasUnsent(tcp, c)) validateCwnd(tcp, c, k, moved, flightSize(tcp, c, k));
  if (!allSent) return false;
  return sendOwedAck(tcp, c, k);
}

/** Bytes in the network as far as we know: sent, not acknowledged, not taken for lost. */
export function flightSize(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold } = tcp;
  return ((hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0) - ((cold[k + Cold.RTX_END] - cold[k + Cold.RTX_NXT]) | 0);
}

/** What loss recovery wants sent again. The first segment after a duplicate-ACK event goes out whatever cwnd says (RFC 5681 §3.2 step 3). */
function sendLost(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  while (seqLt(cold[k + Cold.RTX_NXT], cold[k + Cold.RTX_END])) {
    const cause = cold[k + Cold.RTX_CAUSE];
    const seq = cold[k + Cold.RTX_NXT];
    const flight = flightSize(tcp, c, k);
    if (cause === Cause.RETRANSMIT_TIMEOUT && flight > 0 && flight >= hot[c + Tcb.CWND]) return true;
    if (awaitsDeparture(tcp, c, k)) return true;
    if (tcp.net.room() <= 0) return false;
    const sent = retransmitAt(tcp, c, k, seq, cause);
    if (sent < 0) return false;
    // The peer's window has shrunk to nothing in front of it: probing takes over.
    if (sent === 0) return true;
  }
  return true;
}

/** Sends one segment from `seq` again; bytes of sequence space sent, 0 when the window forbids it, -1 without a frame. */
function retransmitAt(tcp: TcpContext, c: number, k: number, seq: number, cause: Cause): number {
  const { hot, cold } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const offset = (seq - una) | 0;
  const end = cold[k + Cold.RTX_END];
  const finSeq = finSequence(tcp, c);
  const finSent = (hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0;
  let length = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  const toEnd = ((finSent && seqGt(end, finSeq) ? finSeq : end) - seq) | 0;
  if (length > toEnd) length = toEnd;
  // Only what the peer still offers (SHLD-16); at SND.UNA one segment may always go, it was offered once.
  const inWindow = hot[c + Tcb.SND_WND] - offset;
  if (length > inWindow && offset > 0) length = inWindow > 0 ? inWindow : 0;
  const withFin = finSent && ((seq + length) | 0) === finSeq && seqGt(end, finSeq);
  if (length <= 0 && !withFin) return 0;
  const flags = (withFin ? TcpFlag.FIN : 0) | (length > 0 && length === toEnd ? TcpFlag.PSH : 0);
  if (!sendSegment(tcp, c, k, seq, length, flags, cause)) return -1;
  abandonMeasurement(tcp, k);
  const advance = length + (withFin ? 1 : 0);
  cold[k + Cold.RTX_NXT] = (seq + advance) | 0;
  tcp.net.stats.tcpRetransSegs += 1;
  if (tcp.tallies) {
    const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
    tcp.tally[at + Tally.RETRANSMITTED] += 1;
    addTo(tcp.tally, at + Tally.BYTES_RETRANSMITTED, length);
  }
  if (!timerRuns(tcp, k, Timer.RETRANSMIT))
    startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
  return advance;
}

/** Where our FIN stands in sequence space, once everything queued is before it. */
function finSequence(tcp: TcpContext, c: number): number {
  return (tcp.hot[c + Tcb.SND_UNA] + tcp.arena.length(tcp.hot[c + Tcb.SND_QUEUE])) | 0;
}

/** New data as window, congestion window, Nagle and the silly-window rule allow, and the FIN behind the last of it. */
function sendNew(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0) return true;
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  const finQueued = (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
  if (hot[c + Tcb.SND_NXT] === hot[c + Tcb.SND_UNA] && queued > 0 && hot[c + Tcb.SND_WND] > 0)
    restartAfterIdle(tcp, c, k);
  for (;;) {
    const nxt = hot[c + Tcb.SND_NXT];
    const inFlight = (nxt - hot[c + Tcb.SND_UNA]) | 0;
    const unsent = queued - inFlight;
    if (unsent <= 0 && !finQueued) {
      if (inFlight > 0)
        nowBusy(tcp, c, k, (hot[c + Tcb.STATE] & Flag.WRITE_BLOCKED) !== 0 ? Busy.SEND_BUFFER : Busy.SENDING);
      return true;
    }
    const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
    const byWindow = hot[c + Tcb.SND_WND] - inFlight;
    const byCwnd = hot[c + Tcb.CWND] + cold[k + Cold.LIMITED_BYTES] - flightSize(tcp, c, k);
    let length = unsent < mss ? unsent : mss;
    if (length > byWindow) length = byWindow > 0 ? byWindow : 0;
    // cwnd counts whole segments: a fragment of one is not worth sending while others are in flight.
    if (length > byCwnd && !(inFlight === 0 && byCwnd > 0)) {
      nowBusy(tcp, c, k, Busy.SENDING);
      return true;
    }
    const last = length === unsent;
    // The FIN takes a sequence number, and the window must hold that too.
    const fin = last && finQueued && length < byWindow;
    if ((length === 0 && !fin) || !worthSending(tcp, c, k, length, mss, last, finQueued, inFlight)) {
      // With nothing in flight no ACK will come to release it, so the persist timer does (§3.8.6.1, §3.8.6.2.1).
      nowBusy(tcp, c, k, byWindow < mss && byWindow < unsent ? Busy.PEER_WINDOW : Busy.SENDING);
      awaitWindow(tcp, c, k, inFlight);
      return true;
    }
    if (awaitsDeparture(tcp, c, k)) return true;
    if (tcp.net.room() <= 0) return false;
    if (!sendOne(tcp, c, k, nxt, length, mss, last, fin)) return false;
    if (fin) return true;
  }
}

/** One segment of new data, or the FIN, or both. */
function sendOne(
  tcp: TcpContext,
  c: number,
  k: number,
  nxt: number,
  length: number,
  mss: number,
  last: boolean,
  fin: boolean,
): boolean {
  const { hot, cold } = tcp;
  const flags = (last && length > 0 ? TcpFlag.PSH : 0) | (fin ? TcpFlag.FIN : 0);
  // Beyond cwnd, as RFC 3042 allows; what cwnd lets out anyway is plain data.
  const limited = cold[k + Cold.LIMITED_BYTES] > 0 && flightSize(tcp, c, k) + length > hot[c + Tcb.CWND];
  const cause = length === 0 ? Cause.FIN : limited ? Cause.LIMITED_TRANSMIT : urgentCause(tcp, c);
  const end = (nxt + length + (fin ? 1 : 0)) | 0;
  // The variables are moved first, so that the trace shows what holds once the segment is out.
  hot[c + Tcb.SND_NXT] = end;
  if (fin) hot[c + Tcb.STATE] |= Flag.FIN_SENT;
  if (!sendSegment(tcp, c, k, nxt, length, flags, cause)) {
    hot[c + Tcb.SND_NXT] = nxt;
    if (fin) hot[c + Tcb.STATE] &= ~Flag.FIN_SENT;
    return false;
  }
  if (length > 0) noteAnswer(tcp, c, k);
  if (length < mss) cold[k + Cold.SND_SML] = end;
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  if (cold[k + Cold.RTX_NXT] === cold[k + Cold.RTX_END]) {
    cold[k + Cold.RTX_NXT] = end;
    cold[k + Cold.RTX_END] = end;
  }
  beginMeasurement(tcp, k, end);
  if (!timerRuns(tcp, k, Timer.RETRANSMIT))
    startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
  return true;
}

function urgentCause(tcp: TcpContext, c: number): Cause {
  return (tcp.hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0 ? Cause.URGENT : Cause.DATA;
}

/**
 * Nagle (RFC 9293 §3.7.4) and the sender's silly-window rule (§3.8.6.2.1): a full segment, or the last of the data when nothing
 * small is outstanding, or half of the largest window the peer ever offered.
 * Deviation: as Linux ("Minshall's modification") only an outstanding segment that was itself small holds back the next
 * small one, so a large write followed by its tail is not delayed.
 */
function worthSending(
  tcp: TcpContext,
  c: number,
  k: number,
  length: number,
  mss: number,
  last: boolean,
  finQueued: boolean,
  inFlight: number,
): boolean {
  if (length >= mss) return true;
  const word = tcp.hot[c + Tcb.STATE];
  if (last) {
    if (finQueued || (word & Flag.SND_URGENT) !== 0) return true;
    if ((word & Flag.CORK) === 0) {
      if ((word & Flag.NODELAY) !== 0 || inFlight === 0) return true;
      if (!seqGt(tcp.cold[k + Cold.SND_SML], tcp.hot[c + Tcb.SND_UNA])) return true;
    }
    return false;
  }
  return length > 0 && length >= tcp.cold[k + Cold.MAX_SND_WND] >>> 1;
}

/** The window is shut, or not worth using: if nothing is in flight whose ACK would tell more, the persist timer asks (§3.8.6.1). */
function awaitWindow(tcp: TcpContext, c: number, k: number, inFlight: number): void {
  if (inFlight !== 0 || timerRuns(tcp, k, Timer.PERSIST)) return;
  tcp.cold[k + Cold.BACKOFF] = 0;
  startTimer(tcp, c, k, Timer.PERSIST, rtoMs(tcp, c, 0));
}

/** Sequence space of the next segment of new data, if it is sent whole; 0 when there is nothing new. */
export function firstUnsentBytes(tcp: TcpContext, c: number, k: number): number {
  const { hot } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0) return 0;
  const sent = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  const unsent = tcp.arena.length(hot[c + Tcb.SND_QUEUE]) - sent;
  const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  if (unsent > mss) return mss;
  return unsent + ((hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0 ? 1 : 0);
}

export function hasUnsent(tcp: TcpContext, c: number): boolean {
  const { hot } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0) return false;
  const sent = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  return tcp.arena.length(hot[c + Tcb.SND_QUEUE]) > sent || (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
}

/** The override time has passed: what was held back as too small goes out as it is. */
export function sendHeld(tcp: TcpContext, c: number, k: number): boolean {
  const { hot } = tcp;
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  let length = queued < mss ? queued : mss;
  if (length > hot[c + Tcb.SND_WND]) length = hot[c + Tcb.SND_WND];
  const last = length === queued;
  const fin = last && (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0 && length < hot[c + Tcb.SND_WND];
  if ((length === 0 && !fin) || tcp.net.room() <= 0) return false;
  return sendOne(tcp, c, k, hot[c + Tcb.SND_NXT], length, mss, last, fin);
}

/** An ACK that is due and was not carried by data, and a window update the program's reading has made worthwhile. */
function sendOwedAck(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.STATE];
  if ((word & Flag.ACK_NOW) !== 0) {
    if (tcp.net.room() <= 0) return false;
    return sendSegment(tcp, c, k, hot[c + Tcb.SND_NXT], 0, 0, cold[k + Cold.ACK_CAUSE] || Cause.ACK_NOW);
  }
  if ((word & Flag.WINDOW_CHECK) !== 0) {
    hot[c + Tcb.STATE] &= ~Flag.WINDOW_CHECK;
    const open = (word & Flag.FIN_RECEIVED) === 0;
    if (open && updateWorthTelling(tcp, c, k)) {
      if (tcp.net.room() <= 0) return false;
      return sendSegment(tcp, c, k, hot[c + Tcb.SND_NXT], 0, 0, Cause.WINDOW_UPDATE);
    }
  }
  return true;
}
