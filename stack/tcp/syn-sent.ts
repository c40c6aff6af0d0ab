import { seqGt, seqLeq } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { Ecn } from '../wire/ipv4.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { sampleByTimestamp } from './ack.js';
import { refuseSegment, SynOffer, sendSyn } from './bare-segment.js';
import { fail, mark } from './connection.js';
import type { TcpContext } from './context.js';
import { ackNow } from './delayed-ack.js';
import { needsEcn, requestEcn, takeEcnAnswer } from './ecn.js';
import { ConnectionError } from './errors.js';
import { advertisedMss, DEFAULT_MSS, offeredShift, pathMss, setSendMss } from './options.js';
import { abandonMeasurement, beginMeasurement, endMeasurement, rtoMs } from './rtt.js';
import { State } from './state.js';
import { establish, noteInitials, startCongestionControl } from './syn-received.js';
import { Cold, Flag, Name, Tcb } from './tcb.js';
import { startTimer, stopTimer, Timer } from './timers.js';

/** Segment path. SYN-SENT, RFC 9293 §3.10.7.3, and the SYN itself. */

const offer = new SynOffer();

/** Sends our SYN, or SYN-ACK after a simultaneous open, and starts the timer that repeats it. */
export function sendOwnSyn(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, limits } = tcp;
  const n = (c >>> Tcb.SHIFT) * Name.SIZE;
  const remote = tcp.names[n + Name.REMOTE] as Address;
  const answering = (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_RECEIVED;
  const word = hot[c + Tcb.STATE];
  offer.mss = advertisedMss(tcp, remote);
  if (cold[k + Cold.MSS_CLAMP] !== 0 && cold[k + Cold.MSS_CLAMP] < offer.mss) offer.mss = cold[k + Cold.MSS_CLAMP];
  // In answer to a SYN only what that one offered: RFC 7323 §2.2, §3.2, RFC 2018 §2.
  offer.sack = answering ? (word & Flag.SACK) !== 0 : limits.sack;
  offer.timestamps = answering ? (word & Flag.TIMESTAMPS) !== 0 : limits.timestamps;
  offer.tsVal = (tcp.clock.ms + cold[k + Cold.TS_OFFSET]) | 0;
  offer.tsEcr = answering ? hot[c + Tcb.TS_RECENT] : 0;
  const scaling = answering ? (word & Flag.WINDOW_SCALE) !== 0 : limits.windowScaling;
  offer.shift = scaling ? offeredShift(limits.receiveBytesMax) : -1;
  const window = cold[k + Cold.RCV_LIMIT] < 0xffff ? cold[k + Cold.RCV_LIMIT] : 0xffff;
  hot[c + Tcb.RCV_WND] = window;
  const ecn = answering ? ((word & Flag.ECN) !== 0 ? TcpFlag.ECE : 0) : requestEcn(tcp, c, k);
  offer.tos = (cold[k + Cold.TOS_AND_TTL] >>> 8) | (ecn !== 0 && needsEcn(tcp, k) ? Ecn.ECT0 : 0);
  sendSyn(
    tcp,
    tcp.names[n + Name.LOCAL],
    remote,
    tcp.names[n + Name.PORTS],
    hot[c + Tcb.SND_UNA],
    answering ? hot[c + Tcb.RCV_NXT] : 0,
    (answering ? TcpFlag.SYN | TcpFlag.ACK : TcpFlag.SYN) | ecn,
    window,
    offer,
    answering ? Cause.SYN_ACK : Cause.SYN,
    answering ? State.SYN_RECEIVED : State.SYN_SENT,
  );
  if (cold[k + Cold.RETRANSMITS] === 0) beginMeasurement(tcp, k, hot[c + Tcb.SND_NXT]);
  else abandonMeasurement(tcp, k);
  startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, cold[k + Cold.BACKOFF]));
}

/** Gives the segment its verdict. After OK the connection may be established, and the text of the segment is the caller's to process. */
export function synSentArrives(tcp: TcpContext, c: number, k: number): Verdict {
  const { hot, seg } = tcp;
  const acks = (seg.flags & TcpFlag.ACK) !== 0;
  // First: ACK. SND.UNA is ISS here.
  if (acks && (seqLeq(seg.ACK, hot[c + Tcb.SND_UNA]) || seqGt(seg.ACK, hot[c + Tcb.SND_NXT]))) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_SENT);
    return Verdict.TCP_ACK_UNACCEPTABLE;
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
  takeEcnAnswer(tcp, c);
  if (acks) {
    hot[c + Tcb.SND_UNA] = seg.ACK;
    if (!endMeasurement(tcp, c, k, seg.ACK)) sampleByTimestamp(tcp, c, k);
    const lost = tcp.cold[k + Cold.RETRANSMITS] > 0;
    stopTimer(tcp, k, Timer.RETRANSMIT);
    startCongestionControl(tcp, c, k, lost);
    establish(tcp, c, k);
    ackNow(tcp, c, k, Cause.ACK_NOW);
    mark(tcp, c);
    return Verdict.OK;
  }
  // Simultaneous open: both have sent SYN. Ours goes again, with an ACK for theirs.
  tcp.table.setState(c, State.SYN_RECEIVED);
  startCongestionControl(tcp, c, k, tcp.cold[k + Cold.RETRANSMITS] > 0);
  sendOwnSyn(tcp, c, k);
  return Verdict.OK;
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
    shifts = (options.windowScale << 16) | (offeredShift(limits.receiveBytesMax) << 20);
  }
  hot[c + Tcb.STATE] = word;
  hot[c + Tcb.MSS_AND_SHIFTS] = shifts;
  const peer = (present & TcpOptionBit.MSS) !== 0 ? options.mss : DEFAULT_MSS;
  const path = pathMss(tcp, seg.remote as Address);
  setSendMss(tcp, c, peer < path ? peer : path);
}
