import { seqDiff, seqGt, seqLeq, seqLt } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Event } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { challenge, sendAtOnce } from './challenge-ack.js';
import { deliveredToControl } from './congestion.js';
import { enterTimeWait, finish, mark, tell } from './connection.js';
import type { TcpContext } from './context.js';
import { enterCwr } from './cwr.js';
import { echoArrived, takeCwr } from './ecn-echo.js';
import { orphanEntersFinWait2 } from './fin-wait-2.js';
import { onAllAcknowledged, onDuplicateAck, onNewAck } from './loss-recovery.js';
import { sendShift } from './options.js';
import { answeredWhileProbing } from './probe.js';
import { endMeasurement, rtoMs, takeSample } from './rtt.js';
import { readBlocks } from './sack.js';
import { State } from './state.js';
import { Busy, countDelivered, nowBusy } from './tally.js';
import { Cold, Flag, Name, Tally, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer, timerRuns } from './timers.js';
import { tuneSendBuffer } from './window.js';

/** Segment path. Fifth check of RFC 9293 §3.10.7.4 in a synchronized state: SEG.ACK and SEG.WND. */

/** OK: go on with the segment. Anything else: it is dropped, and whatever answer it needs is arranged. */
export function processAck(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  if (seqGt(seg.ACK, hot[c + Tcb.SND_NXT])) {
    // It acknowledges what was never sent: answer with an ACK and drop (MUST-80-like, with RFC 5961 §5's limit).
    challenge(tcp, c, k);
    return Verdict.TCP_ACK_UNSENT;
  }
  if (seqLt(seg.ACK, (una - cold[k + Cold.MAX_SND_WND]) | 0)) {
    // RFC 5961 §5.2: older than any ACK the peer can have sent in this window's lifetime.
    challenge(tcp, c, k);
    return Verdict.TCP_ACK_TOO_OLD;
  }
  if (tcp.tallies) tcp.tally[(c >>> Tcb.SHIFT) * Tally.SIZE + Tally.LAST_ACK_RECEIVED] = tcp.clock.ms;
  const sackIsNews = (tcp.options.present & TcpOptionBit.SACK) !== 0 && readBlocks(tcp, c, seg.ACK);
  const windowBefore = hot[c + Tcb.SND_WND];
  // An older ACK (SEG.ACK < SND.UNA) tells nothing about the window either.
  if (seqLt(seg.ACK, una)) return Verdict.OK;
  updateSendWindow(tcp, c, k);
  // The peer lives, and whatever ICMP had to say is past.
  cold[k + Cold.PROBES_OUT] = 0;
  cold[k + Cold.SOFT_ERROR] = 0;
  if (una === hot[c + Tcb.SND_NXT]) {
    if (timerRuns(tcp, k, Timer.PERSIST)) answeredWhileProbing(tcp, c, k);
  } else if (seqGt(seg.ACK, una)) takeAck(tcp, c, k);
  else {
    considerDuplicate(tcp, c, k, windowBefore, sackIsNews);
    if (echoArrived(tcp, c)) enterCwr(tcp, c, k);
  }
  takeCwr(tcp, c, k);
  return Verdict.OK;
}

/**
 * RFC 5681 §2, the five conditions: something is outstanding, no data, no SYN or FIN, the ACK is the greatest seen, the window is
 * unchanged. Where SACK is in use, news in its blocks decides instead of the last two (RFC 6675 §2).
 */
function considerDuplicate(tcp: TcpContext, c: number, k: number, windowBefore: number, sackIsNews: boolean): void {
  const { hot, seg } = tcp;
  if (hot[c + Tcb.SND_UNA] === hot[c + Tcb.SND_NXT] || seg.LEN !== 0) return;
  if ((hot[c + Tcb.STATE] & Flag.SACK) !== 0 ? sackIsNews : hot[c + Tcb.SND_WND] === windowBefore) {
    onDuplicateAck(tcp, c, k);
    mark(tcp, c);
  }
}

/** SND.UNA < SEG.ACK =< SND.NXT. */
function takeAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const una = hot[c + Tcb.SND_UNA];
  const acked = seqDiff(seg.ACK, una);
  const finAcked = (hot[c + Tcb.STATE] & Flag.FIN_SENT) !== 0 && seg.ACK === hot[c + Tcb.SND_NXT];
  const bytesAcked = acked - (finAcked ? 1 : 0);
  if (bytesAcked > 0) hot[c + Tcb.SND_QUEUE] = tcp.arena.drop(hot[c + Tcb.SND_QUEUE], bytesAcked);
  hot[c + Tcb.SND_UNA] = seg.ACK;
  countDelivered(tcp, c, k, bytesAcked);
  deliveredToControl(tcp, c, k, bytesAcked, echoArrived(tcp, c));

  const measured = endMeasurement(tcp, c, k, seg.ACK);
  // Karn's second half: back-off ends with a measurement, not with an ACK that may answer either transmission (RFC 6298 §5, Linux
  // alike). Else a path grown slower than the RTO would time out on every segment for ever.
  if (measured || (cold[k + Cold.BACKOFF] > 0 && sampleByTimestamp(tcp, c, k))) cold[k + Cold.BACKOFF] = 0;
  if (measured) tcp.net.confirmReachable(tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address);
  // Progress: the count and the user timeout start anew.
  cold[k + Cold.RETRANSMITS] = 0;
  cold[k + Cold.TROUBLE_SINCE] = 0;
  if ((hot[c + Tcb.STATE] & Flag.SND_URGENT) !== 0 && seqLeq(cold[k + Cold.SND_UP], seg.ACK)) {
    hot[c + Tcb.STATE] &= ~Flag.SND_URGENT;
  }
  onNewAck(tcp, c, k, bytesAcked);
  if (seg.ACK === hot[c + Tcb.SND_NXT]) {
    // RFC 6298 §5.2.
    stopTimer(tcp, k, Timer.RETRANSMIT);
    onAllAcknowledged(tcp, c, k);
    if (hot[c + Tcb.SND_QUEUE] === 0) nowBusy(tcp, c, k, Busy.NO);
  } else {
    // §5.3.
    startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
  }
  tuneSendBuffer(tcp, c, k);
  offerRoom(tcp, c, k);
  mark(tcp, c);
  if (finAcked) finAcknowledged(tcp, c, k);
}

/** What was sent twice can still be timed by the timestamp the peer echoes: RFC 7323 §4.1. To the millisecond. True when it was. */
export function sampleByTimestamp(tcp: TcpContext, c: number, k: number): boolean {
  const { seg, cold } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps || seg.TSecr === 0) return false;
  const ms = (tcp.clock.ms + cold[k + Cold.TS_OFFSET] - seg.TSecr) | 0;
  if (ms < 0 || ms >= SAMPLE_MS_MAX) return false;
  takeSample(tcp, c, k, ms === 0 ? 1000 : ms * 1000);
  return true;
}
/** Older than the longest RTO an echo is of no use, or invented. */
const SAMPLE_MS_MAX = 120_000;

/** WRITABLE once a third of the send buffer is free: not for each segment, and not only when it has run dry. */
function offerRoom(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.WRITE_BLOCKED) === 0) return;
  const limit = cold[k + Cold.SND_LIMIT];
  const queued = tcp.arena.length(hot[c + Tcb.SND_QUEUE]);
  if (queued * 3 > limit * 2) return;
  const lowWater = cold[k + Cold.NOTSENT_LOWAT];
  if (lowWater !== 0 && queued - ((hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0) >= lowWater) return;
  hot[c + Tcb.STATE] &= ~Flag.WRITE_BLOCKED;
  tell(tcp, c, Event.WRITABLE);
}

/** FIN-WAIT-1, CLOSING, LAST-ACK: our FIN is acknowledged. */
function finAcknowledged(tcp: TcpContext, c: number, k: number): void {
  switch (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) {
    case State.FIN_WAIT_1:
      tcp.table.setState(c, State.FIN_WAIT_2);
      if ((tcp.hot[c + Tcb.STATE] & Flag.ORPHAN) !== 0) orphanEntersFinWait2(tcp, c, k);
      else tell(tcp, c, Event.SENT);
      break;
    case State.CLOSING:
      // The row ends here, and cannot be flushed later.
      if ((tcp.hot[c + Tcb.STATE] & Flag.ACK_NOW) !== 0) sendAtOnce(tcp, c, k, Cause.ACK_NOW);
      enterTimeWait(tcp, c);
      break;
    case State.LAST_ACK:
      finish(tcp, c);
      break;
  }
}

/**
 * SND.WND from this segment, if it is not older than the one it was last taken from: SND.WL1 < SEG.SEQ, or equal and
 * SND.WL2 =< SEG.ACK.
 */
function updateSendWindow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg } = tcp;
  const wl1 = cold[k + Cold.SND_WL1];
  if (!(seqLt(wl1, seg.SEQ) || (wl1 === seg.SEQ && seqLeq(cold[k + Cold.SND_WL2], seg.ACK)))) return;
  const shift =
    (hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 && (seg.flags & TcpFlag.SYN) === 0 ? sendShift(tcp, c) : 0;
  const window = seg.WND << shift;
  const before = hot[c + Tcb.SND_WND];
  cold[k + Cold.SND_WL1] = seg.SEQ;
  cold[k + Cold.SND_WL2] = seg.ACK;
  hot[c + Tcb.SND_WND] = window;
  if (window > cold[k + Cold.MAX_SND_WND]) cold[k + Cold.MAX_SND_WND] = window;
  if (window !== before) mark(tcp, c);
}
