import { seqGt } from '../base/seq.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { burstEnds, burstSegments } from './burst.js';
import { roomFor, standInLine, wake, wayOf } from './connection.js';
import type { TcpContext } from './context.js';
import { restartAfterIdle, validateCwnd } from './cwnd-validation.js';
import { noteAnswer } from './delayed-ack.js';
import { recordRate } from './delivery-rate.js';
import { optionBytesNow, sendSegment } from './emit.js';
import { isChild } from './fast-open.js';
import { needRecord } from './make-way.js';
import { considerMtuProbe, MtuProbe, mtuProbeBytes, mtuProbeSent } from './mtu-probe.js';
import { sendMss } from './options.js';
import { acceptableSeq } from './own-reset.js';
import { awaitsDeparture } from './pacing.js';
import { inCwndReduction } from './prr.js';
import { Pending, rearmTimeout, scheduleProbe } from './retransmission-timer.js';
import { Resent, Rexmit, resend, resendHead, resendLostSegments } from './retransmit.js';
import { rtoMs } from './rtt.js';
import { CaState, cwndPackets, packetsInFlight, RecoveryBit } from './scoreboard.js';
import { bytesOfRecord, endIsUnpushed, markedBits, passMarks } from './send-marks.js';
import { offerRoom } from './send-room.js';
import { State } from './state.js';
import { mayProbe, probeSent } from './tail-loss-probe.js';
import { Busy, nowBusy } from './tally.js';
import { Cold, Custom, Flag, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer, timerRuns } from './timers.js';
import { SentFlag } from './transmit-pool.js';
import { appendRecord, roomForRecord } from './transmit-queue.js';
import { updateWorthTelling } from './window.js';

/**
 * Segment path. What may be sent now. This is the one place that decides it: everything else sets variables and marks the connection. The order is: what was
 * lost, what is new, the FIN, and an ACK if none of these carried it.
 */

/** Sends what may be sent, by `tcp.way`; false when frames ran out before that was all. */
export function output(tcp: TcpContext, c: number): boolean {
  const { hot } = tcp;
  const state = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  // SYNs are not sent here; there is nothing to send after the end. A Fast Open child answers before the handshake is complete.
  if (state < State.ESTABLISHED && !isChild(tcp, c)) return true;
  const k = wake(tcp, c);
  if (k === 0) return false;
  if (tcp.cold[k + Cold.REXMIT] !== Rexmit.NONE && !sendRecovery(tcp, c, k)) return false;
  return sendNew(tcp, c, k, false) && sendOwedAck(tcp, c, k);
}

/**
 * A segment with text or a FIN has been processed as far as its ACK: what recovery sends again for that leaves now, and acknowledges what was
 * acknowledged before, as Linux's tcp_xmit_recovery does.
 */
export function outputRecovery(tcp: TcpContext, c: number, k: number): void {
  tcp.way = wayOf(tcp, c);
  if (tcp.net.roomOn(tcp.way) > 0) sendRecovery(tcp, c, k);
}

/** An ACK is to leave by itself: what new data may be sent goes before, and carries it, as Linux's tcp_data_snd_check does. */
export function outputBeforeAck(tcp: TcpContext, c: number, k: number): void {
  if ((tcp.hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0 || !hasUnsent(tcp, c)) return;
  tcp.way = wayOf(tcp, c);
  if (tcp.net.roomOn(tcp.way) > 0) sendNew(tcp, c, k, false);
}

/** What loss recovery wants sent: the first segment after a timeout, a probe, what is lost, or new data to see whether anything is. */
function sendRecovery(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  const what: Rexmit = cold[k + Cold.REXMIT];
  cold[k + Cold.REXMIT] = Rexmit.NONE;
  let done: boolean;
  switch (what) {
    case Rexmit.HEAD:
      done = resendHead(tcp, c, k);
      break;
    case Rexmit.PROBE:
      done = sendProbe(tcp, c, k);
      break;
    case Rexmit.NEW:
      done = sendNew(tcp, c, k, true);
      if (!done || seqGt(hot[c + Tcb.SND_NXT], cold[k + Cold.HIGH_SEQ])) break;
      // There was none that could be sent: recovery goes its usual way.
      cold[k + Cold.RECOVERY_BITS] &= ~RecoveryBit.FRTO;
      done = resendLostSegments(tcp, c, k);
      if (!done) cold[k + Cold.REXMIT] = Rexmit.LOST;
      return done;
    default:
      done = resendLostSegments(tcp, c, k);
  }
  if (!done) cold[k + Cold.REXMIT] = what;
  return done;
}

/** A tail loss probe, RFC 8985 §7.3: a segment of new data if the window has room for it, else the last one again. */
function sendProbe(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  const last = cold[k + Cold.SENT_TAIL];
  if (last === 0) return true;
  if (!mayProbe(tcp, k)) {
    rearmTimeout(tcp, c, k);
    return true;
  }
  if (tcp.net.roomOn(tcp.way) <= 0) return false;
  const nxt = hot[c + Tcb.SND_NXT];
  const outstanding = (nxt - hot[c + Tcb.SND_UNA]) | 0;
  const unsent = tcp.arena.length(hot[c + Tcb.SND_QUEUE]) - outstanding;
  const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
  const part = wholePart(tcp, k, nxt, unsent, mss);
  const length = part < mss ? part : mss;
  const byWindow = hot[c + Tcb.SND_WND] - outstanding;
  if (hasUnsent(tcp, c) && length <= byWindow && roomForRecord(tcp, k)) {
    const fin = length === unsent && (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0 && length < byWindow;
    if (length > 0 || fin) {
      // For the trace: it is no ordinary data.
      cold[k + Cold.REXMIT] = Rexmit.PROBE;
      const sent = sendOne(tcp, c, k, nxt, length, mss, length === unsent, fin, false);
      cold[k + Cold.REXMIT] = Rexmit.NONE;
      if (!sent) return false;
      if (inCwndReduction(cold, k)) cold[k + Cold.PRR_OUT] += 1;
      probeSent(tcp, c, k, false);
      return true;
    }
  }
  const resent = resend(tcp, c, k, last, Cause.RETRANSMIT_PROBE, false);
  if (resent === Resent.SENT) probeSent(tcp, c, k, true);
  else rearmTimeout(tcp, c, k);
  return true;
}

/**
 * New data as window, congestion window, Nagle and the silly-window rule allow, and the FIN behind the last of it. As Linux cwnd counts packets, whatever their size: a small
 * one uses up as much of it as a large one.
 */
function sendNew(tcp: TcpContext, c: number, k: number, evenSmall: boolean): boolean {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0 || !hasUnsent(tcp, c)) return bookIdle(tcp, c, k);
  if (hot[c + Tcb.SND_NXT] === hot[c + Tcb.SND_UNA] && hot[c + Tcb.SND_QUEUE] !== 0 && hot[c + Tcb.SND_WND] > 0)
    restartAfterIdle(tcp, c, k);
  const before = cold[k + Cold.PACKETS_OUT];
  const quota = cwndPackets(tcp, c) - packetsInFlight(cold, k);
  const custom = cold[k + Cold.CUSTOM];
  const probed = (custom & Custom.MTU_SEARCH) === 0 ? 0 : sendMtuProbe(tcp, c, k);
  if (probed < 0) return probed === MTU_WAIT;
  // A FIN alone is not cut, does not wait for Nagle, and is no burst.
  const bare = hot[c + Tcb.SND_QUEUE] === 0;
  const allSent = bare ? sendBareFin(tcp, c, k, quota) : sendWithin(tcp, c, k, quota - probed, evenSmall);
  const sent = cold[k + Cold.PACKETS_OUT] - before;
  const limited = quota <= sent;
  if (sent > 0 || limited) validateCwnd(tcp, c, k, limited);
  if (sent === 0) return allSent;
  if (inCwndReduction(cold, k)) cold[k + Cold.PRR_OUT] += sent;
  armAfterSending(tcp, c, k, before);
  return allSent;
}

/** `sendMtuProbe` without a probe: the window must have room for one first; there was no frame for it. */
const MTU_WAIT = -1;
const MTU_NO_FRAME = -2;

/** A segment larger than any that is known to arrive, if it is time for one: packets it takes of cwnd's quota. */
function sendMtuProbe(tcp: TcpContext, c: number, k: number): number {
  const { hot } = tcp;
  const nxt = hot[c + Tcb.SND_NXT];
  const unsent = tcp.arena.length(hot[c + Tcb.SND_QUEUE]) - ((nxt - hot[c + Tcb.SND_UNA]) | 0);
  // As Linux: a probe is not sent where a record ends within it.
  const bytes = mtuProbeBytes(tcp, c, k);
  if (wholePart(tcp, k, nxt, unsent, bytes) < (unsent < bytes ? unsent : bytes)) return 0;
  const now = considerMtuProbe(tcp, c, k, unsent);
  if (now !== MtuProbe.SEND) return now === MtuProbe.WAIT ? MTU_WAIT : 0;
  if (tcp.net.roomOn(tcp.way) <= 0 || !roomForRecord(tcp, k)) return MTU_NO_FRAME;
  if (!sendOne(tcp, c, k, nxt, bytes, bytes, false, false, false)) return MTU_NO_FRAME;
  mtuProbeSent(tcp, c, k, nxt, bytes);
  return 2;
}

/** There is nothing new to send: what is under way keeps the buffer busy, or nothing does. */
function bookIdle(tcp: TcpContext, c: number, k: number): boolean {
  const { hot } = tcp;
  if (hot[c + Tcb.SND_NXT] !== hot[c + Tcb.SND_UNA])
    nowBusy(tcp, c, k, (hot[c + Tcb.STATE] & Flag.WRITE_BLOCKED) !== 0 ? Busy.SEND_BUFFER : Busy.SENDING);
  return true;
}

/** The timer runs from the first segment of a flight on, and a probe is due some time after the last (RFC 6298 §5.1, RFC 8985 §7.2). */
function armAfterSending(tcp: TcpContext, c: number, k: number, packetsBefore: number): void {
  // Until its handshake is complete a Fast Open child's timer is for the SYN-ACK (as Linux).
  if (isChild(tcp, c)) return;
  const due = packetsBefore === 0 || tcp.cold[k + Cold.PENDING] === Pending.PROBE;
  // With something in flight the persist timer has done its work; what is held back later waits its own time.
  if (timerRuns(tcp, k, Timer.PERSIST)) stopTimer(tcp, k, Timer.PERSIST);
  // The probe comes first, and the timeout is armed when it has been sent.
  if (!scheduleProbe(tcp, c, k, false) && due) rearmTimeout(tcp, c, k);
}

/** At most `quota` segments. False when frames or records ran out. */
function sendWithin(tcp: TcpContext, c: number, k: number, quota: number, evenSmall: boolean): boolean {
  const { hot } = tcp;
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  const finQueued = (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
  const extra = tcp.cold[k + Cold.EXTRA];
  const outstandingBefore = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  // Segments left of the burst at hand, and whether it has more than one.
  let burstLeft = 0;
  let burst = false;
  for (let left = quota; ; left--) {
    const nxt = hot[c + Tcb.SND_NXT];
    const outstanding = (nxt - hot[c + Tcb.SND_UNA]) | 0;
    const unsent = queued - outstanding;
    if (unsent <= 0 && !finQueued) return bookIdle(tcp, c, k);
    if (left <= 0) {
      nowBusy(tcp, c, k, Busy.SENDING);
      return true;
    }
    const mss = sendMss(tcp, c) - optionBytesNow(tcp, c, k);
    const byWindow = hot[c + Tcb.SND_WND] - outstanding;
    const part = extra === 0 ? unsent : bytesOfRecord(tcp, extra, nxt, unsent, mss);
    let length = part < mss ? part : mss;
    if (length > byWindow) length = byWindow > 0 ? byWindow : 0;
    const last = length === unsent;
    // Where a record ends and another follows there is nothing to wait for.
    const ends = length === part && part < unsent;
    // The FIN takes a sequence number, and the window must hold that too.
    const fin = last && finQueued && length < byWindow;
    const urgent = (hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0;
    // A segment that the window cuts goes only in one burst with whole ones, where Nagle lets it: to Linux they are one. So does one whose FIN does not fit.
    const cut = length < mss && (length < part || (finQueued && length === byWindow));
    const worth = cut
      ? burstLeft > 0 && length > 0 && !urgent && worthSending(tcp, c, k, length, mss, true, false, outstandingBefore)
      : (evenSmall && last) || ends || worthSending(tcp, c, k, length, mss, last, finQueued, outstanding);
    if ((length === 0 && !fin) || !worth) {
      // With nothing in flight no ACK will come to release it, so the persist timer does (§3.8.6.1, §3.8.6.2.1).
      nowBusy(tcp, c, k, byWindow < mss && byWindow < unsent ? Busy.PEER_WINDOW : Busy.SENDING);
      awaitWindow(tcp, c, k, outstanding);
      return true;
    }
    if (awaitsDeparture(tcp, c, k)) return true;
    if (!roomForRecord(tcp, k) && !(needRecord(tcp, c) && roomForRecord(tcp, k))) return awaitRecord(tcp, c, k);
    // The last of all is no burst.
    if (burstLeft === 0 && last) burst = false;
    else if (burstLeft === 0) {
      burstLeft = burstSegments(tcp, c, k, mss, cwndPackets(tcp, c), left);
      // Urgent data makes no bursts (as Linux): it is not to wait for what comes after it.
      burst = burstLeft > 1 && !urgent;
      const full = Math.floor((unsent < byWindow ? unsent : byWindow) / mss);
      if (full < burstLeft)
        burstLeft = full + tailLength(tcp, c, k, unsent, byWindow, mss, finQueued, outstandingBefore);
      if (burstLeft < 2) burst = false;
    }
    burstLeft = burstLeft > 0 ? burstLeft - 1 : 0;
    const ended = burstLeft === 0 && tcp.limits.pushBursts;
    if (tcp.net.roomOn(tcp.way) <= 0 || !sendOne(tcp, c, k, nxt, length, mss, last, fin, burst && ended)) return false;
    if (ended) burstEnds(tcp, k);
    if (fin) return true;
  }
}

/** The FIN with no data before it. False when frames or records ran out. */
function sendBareFin(tcp: TcpContext, c: number, k: number, quota: number): boolean {
  const { hot } = tcp;
  const nxt = hot[c + Tcb.SND_NXT];
  const outstanding = (nxt - hot[c + Tcb.SND_UNA]) | 0;
  if (quota <= 0 || hot[c + Tcb.SND_WND] <= outstanding) {
    nowBusy(tcp, c, k, quota <= 0 ? Busy.SENDING : Busy.PEER_WINDOW);
    if (quota > 0) awaitWindow(tcp, c, k, outstanding);
    return true;
  }
  if (awaitsDeparture(tcp, c, k)) return true;
  if (!roomForRecord(tcp, k) && !(needRecord(tcp, c) && roomForRecord(tcp, k))) return awaitRecord(tcp, c, k);
  return tcp.net.roomOn(tcp.way) > 0 && sendOne(tcp, c, k, nxt, 0, 1, true, true, true);
}

/** 1 when what is left behind the full segments goes with them, 0 when Nagle holds it back. */
function tailLength(
  tcp: TcpContext,
  c: number,
  k: number,
  unsent: number,
  byWindow: number,
  mss: number,
  finQueued: boolean,
  outstandingBefore: number,
): number {
  if (unsent > byWindow) {
    const cut = byWindow % mss;
    return cut !== 0 && worthSending(tcp, c, k, cut, mss, true, false, outstandingBefore) ? 1 : 0;
  }
  const tail = unsent % mss;
  if (tail === 0) return 0;
  return worthSending(tcp, c, k, tail, mss, true, finQueued, mss) ? 1 : 0;
}

/** Others have all records. An acknowledgment frees some of ours, if there is one to come; else the connection stands in line. */
function awaitRecord(tcp: TcpContext, c: number, k: number): boolean {
  if (tcp.cold[k + Cold.PACKETS_OUT] === 0) standInLine(tcp, c);
  return true;
}

/** Of `unsent` bytes those that may go in one segment of `most`, or more. */
function wholePart(tcp: TcpContext, k: number, nxt: number, unsent: number, most: number): number {
  const extra = tcp.cold[k + Cold.EXTRA];
  return extra === 0 ? unsent : bytesOfRecord(tcp, extra, nxt, unsent, most);
}

/** One segment of new data, or the FIN, or both. PSH where a write ends (`last`: there is nothing behind it), and for `push`. */
function sendOne(
  tcp: TcpContext,
  c: number,
  k: number,
  nxt: number,
  length: number,
  mss: number,
  last: boolean,
  fin: boolean,
  push: boolean,
): boolean {
  const { hot, cold } = tcp;
  const extra = cold[k + Cold.EXTRA];
  let marks = last ? SentFlag.PUSH : 0;
  if (extra !== 0) {
    if (last && endIsUnpushed(tcp, extra)) marks = 0;
    marks |= markedBits(tcp, extra, (nxt + length) | 0);
  }
  if (length === 0) marks = 0;
  const pushed = (marks & SentFlag.PUSH) !== 0 || (push && length > 0);
  const flags = (pushed ? TcpFlag.PSH : 0) | (fin ? TcpFlag.FIN : 0);
  const cause = length === 0 ? Cause.FIN : causeOfNew(tcp, c, k);
  const end = (nxt + length + (fin ? 1 : 0)) | 0;
  // The variables are moved first, so that the trace shows what holds once the segment is out.
  hot[c + Tcb.SND_NXT] = end;
  if (fin) hot[c + Tcb.STATE] |= Flag.FIN_SENT;
  if (!sendSegment(tcp, c, k, nxt, length, flags, cause)) {
    hot[c + Tcb.SND_NXT] = nxt;
    if (fin) hot[c + Tcb.STATE] &= ~Flag.FIN_SENT;
    return false;
  }
  appendRecord(tcp, c, k, nxt, end, fin ? marks | SentFlag.FIN : marks);
  recordRate(tcp, k, cold[k + Cold.SENT_TAIL]);
  if (length > 0) noteAnswer(tcp, c, k);
  if (length < mss) cold[k + Cold.SND_SML] = end;
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  if (extra !== 0) {
    passMarks(tcp, c, k, extra, (nxt + length) | 0, last);
    offerRoom(tcp, c, k);
  }
  return true;
}

/** Data; in Disorder, beyond what cwnd would let out but for duplicate ACKs, limited transmit (RFC 3042). */
function causeOfNew(tcp: TcpContext, c: number, k: number): Cause {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0) return Cause.URGENT;
  if (cold[k + Cold.REXMIT] === Rexmit.PROBE) return Cause.LOSS_PROBE;
  const limited = cold[k + Cold.CA_STATE] === CaState.DISORDER && cold[k + Cold.PACKETS_OUT] >= cwndPackets(tcp, c);
  return limited ? Cause.LIMITED_TRANSMIT : Cause.DATA;
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
    if ((word & Flag.CORK) === 0 || (tcp.cold[k + Cold.CUSTOM] & Custom.RELEASED) !== 0) {
      if ((word & Flag.NODELAY) !== 0 || inFlight === 0) return true;
      if (!seqGt(tcp.cold[k + Cold.SND_SML], tcp.hot[c + Tcb.SND_UNA])) return true;
    }
    return false;
  }
  return false;
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
  const part = wholePart(tcp, k, hot[c + Tcb.SND_NXT], unsent, mss);
  if (part < unsent || unsent > mss) return part < mss ? part : mss;
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
  const part = wholePart(tcp, k, hot[c + Tcb.SND_NXT], queued, mss);
  let length = part < mss ? part : mss;
  if (length > hot[c + Tcb.SND_WND]) length = hot[c + Tcb.SND_WND];
  const last = length === queued;
  const fin = last && (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0 && length < hot[c + Tcb.SND_WND];
  if ((length === 0 && !fin) || roomFor(tcp, c) <= 0 || !roomForRecord(tcp, k)) return false;
  if (!sendOne(tcp, c, k, hot[c + Tcb.SND_NXT], length, mss, last, fin, true)) return false;
  armAfterSending(tcp, c, k, 0);
  return true;
}

/** An ACK that is due and was not carried by data, and a window update the program's reading has made worthwhile. */
function sendOwedAck(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold } = tcp;
  const word = hot[c + Tcb.STATE];
  if ((word & Flag.ACK_NOW) !== 0) {
    if (tcp.net.roomOn(tcp.way) <= 0) return false;
    return sendSegment(tcp, c, k, acceptableSeq(tcp, c), 0, 0, cold[k + Cold.ACK_CAUSE] || Cause.ACK_NOW);
  }
  if ((word & Flag.WINDOW_CHECK) !== 0) {
    hot[c + Tcb.STATE] &= ~Flag.WINDOW_CHECK;
    const open = (word & Flag.FIN_RECEIVED) === 0;
    if (open && updateWorthTelling(tcp, c, k)) {
      if (tcp.net.roomOn(tcp.way) <= 0) return false;
      return sendSegment(tcp, c, k, acceptableSeq(tcp, c), 0, 0, Cause.WINDOW_UPDATE);
    }
  }
  return true;
}
