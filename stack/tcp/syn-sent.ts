import { seqGt, seqLeq } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { isAccurate } from './acc-ecn.js';
import { refuseSegment, sendSyn } from './bare-segment.js';
import { sendAtOnce } from './challenge-ack.js';
import { AccEcn } from './cold-bits.js';
import { fail, mark } from './connection.js';
import type { TcpContext } from './context.js';
import { ackNow, quicken } from './delayed-ack.js';
import { crossedEcnFlags, needsEcn, requestEcn, takeEcnAnswer } from './ecn.js';
import { ConnectionError } from './errors.js';
import { FastOpen, isChild } from './fast-open.js';
import { learnFromSynAck, recallCookie, repeatSynText, synCookie } from './fast-open-client.js';
import { chooseWindow, WindowChoice } from './initial-window.js';
import { DEFAULT_MSS, offeredMss, pathMss, receiveShift, setSendMss } from './options.js';
import { abandonMeasurement, beginMeasurement, endMeasurement, rtoMs, sampleByTimestamp } from './rtt.js';
import { State } from './state.js';
import { SynOffer } from './syn-options.js';
import { establish, noteInitials, startCongestionControl } from './syn-received.js';
import { addTo } from './tally.js';
import { Cold, Custom, Flag, Name, Tally, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer, timerRuns } from './timers.js';

/** Segment path. SYN-SENT, RFC 9293 §3.10.7.3, and the SYN itself. */

const offer = new SynOffer();
const choice = new WindowChoice();

/** Chooses the window our SYN offers and the shift that goes with it: once, every repetition says the same. */
export function chooseOwnWindow(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold } = tcp;
  const remote = tcp.names[(c >>> Tcb.SHIFT) * Name.SIZE + Name.REMOTE] as Address;
  const fixed = (cold[k + Cold.CUSTOM] & Custom.RCV_LIMIT) !== 0;
  const mss = offeredMss(tcp, remote, cold[k + Cold.MSS_CLAMP]);
  const clamp = (cold[k + Cold.CUSTOM] & Custom.WINDOW_CLAMP) !== 0 ? cold[k + Cold.WINDOW_CLAMP] : 0;
  chooseWindow(tcp, choice, cold[k + Cold.RCV_LIMIT], fixed, clamp, mss, tcp.limits.windowScaling);
  hot[c + Tcb.MSS_AND_SHIFTS] = choice.shift << 20;
  hot[c + Tcb.RCV_WND] = choice.window;
}

/** Whether our first SYN is still to be sent: OPEN only marks the connection. Its timer runs from the first one on. */
export function synIsUnsent(tcp: TcpContext, c: number, k: number): boolean {
  return (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_SENT && !timerRuns(tcp, k, Timer.RETRANSMIT);
}

/**
 * Sends the first SYN. RFC 6298 §5.1: the timer starts when the segment is sent; §3: so does the measurement. OPEN may have been
 * long before, where the program kept the event loop busy.
 */
export function sendFirstSyn(tcp: TcpContext, c: number, k: number): void {
  const { hot } = tcp;
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  recallCookie(tcp, c, k);
  // Beyond SYN's own number: what Fast Open sends with it.
  sendOwnSyn(tcp, c, k, (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA] - 1) | 0);
  startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, 0));
}

/** Sends our SYN, or SYN-ACK after a simultaneous open or for Fast Open. The timer that repeats it is the caller's. `textLength`: so much of the send queue goes with it. */
export function sendOwnSyn(tcp: TcpContext, c: number, k: number, textLength = 0): void {
  const { hot, cold, limits } = tcp;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const remote = tcp.names[n + Name.REMOTE] as Address;
  const answering = (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_RECEIVED;
  const word = hot[c + Tcb.STATE];
  const tooBig = (word & Flag.CUSTOM) !== 0 && (cold[k + Cold.FAST_OPEN] & FastOpen.SYN_TOO_BIG) !== 0;
  offer.mss = offeredMss(tcp, remote, cold[k + Cold.MSS_CLAMP]);
  if (tooBig) offer.mss = Math.min(offer.mss, pathMss(tcp, remote));
  // In answer to a SYN only what that one offered: RFC 7323 §2.2, §3.2, RFC 2018 §2.
  offer.sack = answering ? (word & Flag.SACK) !== 0 : limits.sack;
  offer.timestamps = answering ? (word & Flag.TIMESTAMPS) !== 0 : limits.timestamps;
  offer.tsVal = (tcp.clock.ms + cold[k + Cold.TS_OFFSET]) | 0;
  offer.tsEcr = answering ? hot[c + Tcb.TS_RECENT] : 0;
  const scaling = answering ? (word & Flag.WINDOW_SCALE) !== 0 : limits.windowScaling;
  offer.shift = scaling ? receiveShift(tcp, c) : -1;
  const ecn = answering ? crossedEcnFlags(tcp, c, k) : requestEcn(tcp, c, k);
  offer.accEcn = answering && isAccurate(tcp, k) && limits.ecnOption !== 0 && !repeatsSynAck(tcp, k);
  offer.tos = (cold[k + Cold.TOS_AND_TTL] >>> 8) | (ecn !== 0 && needsEcn(tcp, k) ? Ecn.ECT0 : 0);
  offer.ttl = cold[k + Cold.TOS_AND_TTL] & 0xff;
  // Fast Open's option goes with the first SYN only (as Linux): a repeated one is to get through whatever is on the way.
  offer.cookieLength = answering || tooBig || cold[k + Cold.RETRANSMITS] > 0 ? -1 : synCookie.length;
  if (offer.cookieLength >= 0) {
    offer.experimental = synCookie.experimental;
    offer.cookie.set(synCookie.bytes);
  }
  offer.textQueue = hot[c + Tcb.SND_QUEUE];
  offer.textLength = textLength;
  sendSyn(
    tcp,
    tcp.names[n + Name.LOCAL],
    remote,
    tcp.names[n + Name.PORTS],
    // That of a Fast Open child is out of the way already.
    (hot[c + Tcb.SND_UNA] - (isChild(tcp, c) ? 1 : 0)) | 0,
    answering ? hot[c + Tcb.RCV_NXT] : 0,
    (answering ? TcpFlag.SYN | TcpFlag.ACK : TcpFlag.SYN) | ecn,
    // Never scaled (RFC 7323 §2.2): what is beyond is not told yet.
    hot[c + Tcb.RCV_WND] < 0xffff ? hot[c + Tcb.RCV_WND] : 0xffff,
    offer,
    answering ? Cause.SYN_ACK : Cause.SYN,
    answering ? State.SYN_RECEIVED : State.SYN_SENT,
  );
  if (cold[k + Cold.RETRANSMITS] === 0 && !tooBig) beginMeasurement(tcp, k);
  else abandonMeasurement(tcp, k);
}

/** Gives the segment its verdict. After OK the connection may be established, and the text of the segment is the caller's to process. */
export function synSentArrives(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, cold, seg } = tcp;
  const acks = (seg.flags & TcpFlag.ACK) !== 0;
  if (synIsUnsent(tcp, c, k)) sendFirstSyn(tcp, c, k);
  // First: ACK. SND.UNA is ISS here.
  if (acks && (seqLeq(seg.ACK, hot[c + Tcb.SND_UNA]) || seqGt(seg.ACK, hot[c + Tcb.SND_NXT]))) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_SENT);
    // Some old connection of the same name stood in the way, and our RST has removed it. As Linux the SYN goes again at once, if it is the first.
    if (cold[k + Cold.RETRANSMITS] === 0) startTimer(tcp, c, k, Timer.RETRANSMIT, TIMER_MS_MIN);
    return Verdict.TCP_ACK_UNACCEPTABLE;
  }
  if (acks && echoesNothingOfOurs(tcp, c, k)) {
    // As Linux: a SYN-ACK that echoes a time before our first SYN, or one to come, answers somebody else's.
    tcp.net.stats.tcpPawsRejected += 1;
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_SENT);
    return Verdict.TCP_PAWS;
  }
  // Second: RST. Only one that acknowledges our SYN can come from whom we called (RFC 5961 §3.2's reasoning).
  if ((seg.flags & TcpFlag.RST) !== 0) {
    if (!acks) return Verdict.TCP_RST_INVALID;
    tcp.net.stats.tcpAttemptFails += 1;
    fail(tcp, c, ConnectionError.REFUSED);
    return Verdict.TCP_RESET;
  }
  // Third: security; nothing to compare. Fourth: SYN.
  if ((seg.flags & TcpFlag.SYN) === 0) return Verdict.TCP_NO_ACK;
  takeSyn(tcp, c, k);
  const marked = (hot[c + Tcb.STATE] & Flag.ECN) !== 0 && takeEcnAnswer(tcp, c, k);
  if (acks) {
    const lost = handshakeWasLost(tcp, c, k);
    learnFromSynAck(tcp, c, k);
    passSyn(tcp, c);
    if (!endMeasurement(tcp, c, k)) sampleByTimestamp(tcp, c, k);
    stopTimer(tcp, k, Timer.RETRANSMIT);
    startCongestionControl(tcp, c, k, lost || marked);
    establish(tcp, c, k);
    acknowledgeSynAck(tcp, c, k);
    if (hot[c + Tcb.SND_UNA] !== hot[c + Tcb.SND_NXT]) repeatSynText(tcp, c, k);
    mark(tcp, c);
    return Verdict.OK;
  }
  // Simultaneous open: both have sent SYN. Ours goes again, with an ACK for theirs; the timer of the first goes on (as Linux).
  tcp.table.setState(c, State.SYN_RECEIVED);
  startCongestionControl(tcp, c, k, false);
  sendOwnSyn(tcp, c, k);
  return Verdict.OK;
}

/** SEG.ACK acknowledges our SYN, and as much of its text as it says. */
export function passSyn(tcp: TcpContext, c: number): void {
  const { hot, seg } = tcp;
  const text = (seg.ACK - hot[c + Tcb.SND_UNA] - 1) | 0;
  hot[c + Tcb.SND_UNA] = seg.ACK;
  if (text <= 0) return;
  hot[c + Tcb.SND_QUEUE] = tcp.arena.drop(hot[c + Tcb.SND_QUEUE], text);
  if (tcp.tallies) addTo(tcp.tally, (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_ACKED, text);
}

/** Linux's TCP_TIMEOUT_MIN: two ticks of mostly 4 ms, of which the first has begun. What answers our RST comes first. */
const TIMER_MS_MIN = 6;

/** The first SYN went when LAST_ACTIVITY was set: nothing has come since. */
function echoesNothingOfOurs(tcp: TcpContext, c: number, k: number): boolean {
  const { seg } = tcp;
  if (!seg.hasTimestamps || seg.TSecr === 0) return false;
  const echoed = (seg.TSecr - tcp.cold[k + Cold.TS_OFFSET]) | 0;
  return ((echoed - tcp.hot[c + Tcb.LAST_ACTIVITY]) | 0) < 0 || ((tcp.clock.ms - echoed) | 0) < 0;
}

/**
 * RFC 5681 §3.1 takes a lost SYN for congestion. Deviation: as Linux only the second loss counts, since RFC 6298 has brought the first wait down to a
 * second, which a SYN may well be on its way; and not where the echoed timestamp shows that the first SYN has arrived after all (RFC 4015's reasoning).
 */
export function handshakeWasLost(tcp: TcpContext, c: number, k: number): boolean {
  const { seg } = tcp;
  if (tcp.cold[k + Cold.RETRANSMITS] < 2) return false;
  if (!seg.hasTimestamps || seg.TSecr === 0) return true;
  return ((seg.TSecr - tcp.cold[k + Cold.TS_OFFSET]) | 0) !== tcp.hot[c + Tcb.LAST_ACTIVITY];
}

/** RFC 9768 §3.2.3.2.2: our SYN-ACK goes again, and the option may be why the first did not arrive. */
function repeatsSynAck(tcp: TcpContext, k: number): boolean {
  return tcp.cold[k + Cold.RETRANSMITS] > 0 || (tcp.cold[k + Cold.ACC_ECN] & AccEcn.SYN_AGAIN) !== 0;
}

/**
 * At once; but if the program is about to send, or has asked for it, the ACK waits for the data (as Linux). What is
 * queued already carries it in any case. With AccECN a pure ACK leaves before any data: no other can reflect the
 * SYN-ACK's IP field (RFC 9768 §3.2.2.1, §5.2).
 */
function acknowledgeSynAck(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  if ((hot[c + Tcb.STATE] & Flag.ECN) !== 0 && isAccurate(tcp, k)) {
    hot[c + Tcb.STATE] &= ~Flag.INTERACTIVE;
    sendAtOnce(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  if ((hot[c + Tcb.STATE] & Flag.INTERACTIVE) === 0 && cold[k + Cold.DEFER_ACCEPT] === 0) {
    ackNow(tcp, c, k, Cause.ACK_NOW);
    return;
  }
  // As Linux the ACKs to come are quick, unless data leaves now: then it is a conversation.
  quicken(tcp, c, k);
  cold[k + Cold.LAST_DATA_AT] = tcp.clock.ms;
  hot[c + Tcb.STATE] |= Flag.ACK_PENDING;
  startTimer(tcp, c, k, Timer.DELAYED_ACK, limits.delayedAckMaxMs);
}

/** What the peer's SYN says: IRS, its window, which is not scaled, and its options. */
function takeSyn(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, seg, options, limits } = tcp;
  hot[c + Tcb.RCV_NXT] = (seg.SEQ + 1) | 0;
  hot[c + Tcb.SND_WND] = seg.WND;
  cold[k + Cold.SND_WL1] = seg.SEQ;
  cold[k + Cold.SND_WL2] = seg.ACK;
  cold[k + Cold.MAX_SND_WND] = seg.WND;
  cold[k + Cold.LAST_ACK_SENT] = hot[c + Tcb.RCV_NXT];
  noteInitials(tcp, c, hot[c + Tcb.SND_UNA], seg.SEQ);
  const present = options.present;
  let word = hot[c + Tcb.STATE] & ~(Flag.SACK | Flag.TIMESTAMPS | Flag.WINDOW_SCALE);
  if (limits.sack && (present & TcpOptionBit.SACK_PERMITTED) !== 0) word |= Flag.SACK;
  if (limits.timestamps && (present & TcpOptionBit.TIMESTAMPS) !== 0) {
    word |= Flag.TIMESTAMPS;
    hot[c + Tcb.TS_RECENT] = options.tsVal;
  }
  let shifts = 0;
  if (limits.windowScaling && (present & TcpOptionBit.WINDOW_SCALE) !== 0) {
    word |= Flag.WINDOW_SCALE;
    shifts = (options.windowScale << 16) | (receiveShift(tcp, c) << 20);
  }
  hot[c + Tcb.STATE] = word;
  hot[c + Tcb.MSS_AND_SHIFTS] = shifts;
  const peer = (present & TcpOptionBit.MSS) !== 0 ? options.mss : DEFAULT_MSS;
  const path = pathMss(tcp, seg.remote as Address);
  setSendMss(tcp, c, peer < path ? peer : path);
}
