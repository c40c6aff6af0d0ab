import { seqLt } from '../base/seq.js';
import type { Address } from '../base/units.js';
import { Event, SocketKind } from '../net/event-queue.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { Verdict } from '../wire/verdict.js';
import { beginAcks } from './ack-memory.js';
import { refuseSegment, sendBare } from './bare-segment.js';
import { Behaviour } from './behaviour.js';
import { stackAllows } from './challenge-ack.js';
import { beginCongestionControl } from './congestion.js';
import { release, tell, wakeFirst } from './connection.js';
import type { TcpContext } from './context.js';
import { grantEcnAgain, halfOpenEcnFlags, keepAce, takeOverEcn } from './ecn.js';
import { timestampOffset } from './isn.js';
import type { Listener } from './listener-table.js';
import { considerMtuSearch } from './mtu-probe.js';
import { NO_SSTHRESH, pathMss, setSendMss } from './options.js';
import { boundWindow } from './receive-space.js';
import { sampleByTimestamp, takeSample } from './rtt.js';
import { countPackets } from './scoreboard.js';
import { applyDefaults } from './socket-options.js';
import { State } from './state.js';
import {
  armHalfOpen,
  chooseListenersWindow,
  deferredTimeouts,
  dropHalfOpen,
  firstSynAckMs,
  giveHalfOpen,
  lastSynAckMs,
  listenerOf,
  repeatSynAck,
} from './syn-ack.js';
import { CookieVerdict, takeCookie } from './syn-cookie.js';
import { Syn, SynOption } from './syn-table.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { Timer } from './timers.js';
import { initialWindow } from './window-growth.js';

/**
 * Segment path. SYN-RECEIVED from LISTEN, RFC 9293 §3.10.7.4 as far as it applies to a connection that has sent nothing but its SYN. The ACK that
 * completes the handshake makes it a full row, and then goes through the eight checks with it.
 */

/** A half-open connection that comes out of a cookie. */
const scratch = new Int32Array(Syn.SIZE);

/** The hot row's offset when the handshake is complete and the segment is to be processed there; else -1, and `tcp.verdict` says what became of it. */
export function synReceivedArrives(tcp: TcpContext, row: number): number {
  const { seg } = tcp;
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  const irs = rows[at + Syn.IRS];
  const rcvNxt = (irs + 1) | 0;
  const old = isOld(tcp, at);
  // A SYN again: our SYN-ACK was lost, or is late. As Linux it is repeated at once, but not twice within the limit on answers, and waited for anew.
  if ((seg.flags & HANDSHAKE_FLAGS) === TcpFlag.SYN && seg.SEQ === irs && !old) {
    if (!grantEcnAgain(tcp, rows, at)) return refuseMixed(tcp, row);
    if (mayAnswer(tcp, at) && repeatSynAck(tcp, row, listenerOf(tcp, row))) armHalfOpen(tcp, row);
    return drop(tcp, Verdict.TCP_DUPLICATE);
  }
  // Fifth check, before the first (as Linux): an ACK of what was never sent belongs to no connection, whatever its
  // sequence number. Since 6.18 the ACK field of a RST is not looked at: the second check comes before the fifth.
  const unchecked = (seg.flags & TcpFlag.RST) !== 0 && (tcp.behaviour & Behaviour.CHALLENGE_HALF_OPEN) !== 0;
  if ((seg.flags & TcpFlag.ACK) !== 0 && seg.ACK !== ((rows[at + Syn.ISS] + 1) | 0) && !unchecked) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_RECEIVED);
    return drop(tcp, Verdict.TCP_ACK_UNACCEPTABLE);
  }
  const invented = (tcp.behaviour & Behaviour.CHECK_ECHO) !== 0 && echoIsInvented(tcp, at);
  // First check: the sequence number.
  if (old || invented || !inWindow(seg.SEQ, seg.LEN, rcvNxt, saidWindow(rows, at))) {
    if ((seg.flags & TcpFlag.RST) === 0 && mayAnswer(tcp, at)) answer(tcp, at);
    if (old) tcp.net.stats.tcpPawsRejected += 1;
    else if (invented) tcp.net.stats.tcpEchoRejected += 1;
    return drop(tcp, old || invented ? Verdict.TCP_PAWS : Verdict.TCP_SEQUENCE);
  }
  if (seg.hasTimestamps && !seqLt(rcvNxt, seg.SEQ)) rows[at + Syn.TS_RECENT] = seg.TSval;
  // Second and fourth: RST, and a SYN that is not the one we have. RFC 5961 §3.2: a RST must have exactly the next number.
  // Deviation: until Linux 6.18 any in the window would do; and as Linux a SYN ends the attempt, though RFC 5961 §4.2
  // has it challenged: a peer that lives will try again.
  const syn = (seg.flags & TcpFlag.SYN) !== 0 && seg.SEQ !== irs;
  if ((seg.flags & TcpFlag.RST) !== 0 && seg.SEQ !== rcvNxt && (tcp.behaviour & Behaviour.CHALLENGE_HALF_OPEN) !== 0) {
    if (mayAnswer(tcp, at) && stackAllows(tcp)) {
      tcp.net.stats.tcpChallengeAcks += 1;
      answer(tcp, at);
    }
    return drop(tcp, Verdict.TCP_RST_CHALLENGED);
  }
  if ((seg.flags & TcpFlag.RST) !== 0 || syn) {
    refuseSegment(tcp, Cause.RST_UNACCEPTABLE_ACK, State.SYN_RECEIVED);
    tcp.net.stats.tcpAttemptFails += 1;
    tcp.net.stats.tcpEmbryonicResets += 1;
    dropHalfOpen(tcp, row);
    return drop(tcp, syn ? Verdict.TCP_SYN_IN_WINDOW : Verdict.TCP_RESET);
  }
  if ((seg.flags & TcpFlag.ACK) === 0) return drop(tcp, Verdict.TCP_NO_ACK);
  const listener = tcp.listeners.find(seg.local, seg.ports, seg.remote);
  if (listener === undefined) {
    refuseSegment(tcp, Cause.RST_LISTENER_CLOSED, State.SYN_RECEIVED);
    dropHalfOpen(tcp, row);
    return drop(tcp, Verdict.TCP_NO_CONNECTION);
  }
  // TCP_DEFER_ACCEPT: an ACK without data is left aside until the period is over, and nobody is woken for it.
  const bare = ((seg.SEQ + seg.LEN) | 0) === rcvNxt;
  if (bare && rows[at + Syn.TIMEOUTS] < deferredTimeouts(tcp, listener)) {
    rows[at + Syn.OPTIONS] |= SynOption.ACKED;
    keepAce(tcp, rows, at);
    tcp.net.stats.tcpDeferAcceptDrops += 1;
    return drop(tcp, Verdict.TCP_DEFERRED);
  }
  if (listener.full) return overflow(tcp, row);
  return promote(tcp, row, listener);
}

const HANDSHAKE_FLAGS = TcpFlag.SYN | TcpFlag.ACK | TcpFlag.RST;

/** The window as the SYN-ACK could say it, without scaling (RFC 7323 §2.2). */
function saidWindow(rows: Int32Array, at: number): number {
  return rows[at + Syn.RCV_WND] < 0xffff ? rows[at + Syn.RCV_WND] : 0xffff;
}

/** The four cases of §3.4, table 6, with Linux's reading of the edge: an empty segment may stand at it. */
function inWindow(seq: number, length: number, left: number, window: number): boolean {
  if (seq === left) return true;
  const right = (left + window) | 0;
  if (seqLt(left, (seq + length) | 0) && seqLt(seq, right)) return true;
  return seq === right && length === 0;
}

/** Answers that only a lost segment or a forger asks for: one in `challengeAckIntervalMs` (Linux: tcp_invalid_ratelimit). */
function mayAnswer(tcp: TcpContext, at: number): boolean {
  const rows = tcp.synTable.rows;
  // Text is no part of a loop of ACKs.
  if (tcp.seg.LEN > 0 && (tcp.seg.flags & TcpFlag.SYN) === 0) return true;
  const elapsed = (tcp.clock.ms - rows[at + Syn.ANSWERED_AT]) | 0;
  const answered = (rows[at + Syn.OPTIONS] & SynOption.ANSWERED) !== 0;
  if (answered && elapsed >= 0 && elapsed < tcp.limits.challengeAckIntervalMs) return false;
  rows[at + Syn.OPTIONS] |= SynOption.ANSWERED;
  rows[at + Syn.ANSWERED_AT] = tcp.clock.ms;
  return true;
}

/** The accept queue is full. As Linux the ACK is as good as lost, and our SYN-ACK will ask for it again; or the peer is told at once. */
function overflow(tcp: TcpContext, row: number): number {
  tcp.net.stats.tcpListenOverflows += 1;
  tcp.net.stats.tcpListenDrops += 1;
  if (tcp.limits.abortOnOverflow) {
    refuseSegment(tcp, Cause.RST_ABORT, State.SYN_RECEIVED);
    tcp.net.stats.tcpEmbryonicResets += 1;
    dropHalfOpen(tcp, row);
  } else tcp.synTable.rows[row * Syn.SIZE + Syn.OPTIONS] |= SynOption.ACKED;
  return drop(tcp, Verdict.TCP_ACCEPT_QUEUE_FULL);
}

/** The ACK of a SYN cookie, if it is one: -1 and OK when none is expected, and the segment is the listener's like any other. */
export function cookieArrives(tcp: TcpContext, listener: Listener): number {
  const { seg } = tcp;
  tcp.verdict = Verdict.OK;
  if ((seg.flags & (TcpFlag.ACK | TcpFlag.SYN | TcpFlag.RST)) !== TcpFlag.ACK) return -1;
  const verdict = takeCookie(tcp, listener, scratch);
  if (verdict !== CookieVerdict.VALID) return -1;
  // What Linux calls listen_drop: nothing is kept, so the peer's next segment will try again.
  if (listener.full) {
    tcp.net.stats.tcpListenOverflows += 1;
    tcp.net.stats.tcpListenDrops += 1;
    return drop(tcp, Verdict.TCP_ACCEPT_QUEUE_FULL);
  }
  const scaling = (scratch[Syn.OPTIONS] & SynOption.WINDOW_SCALE) !== 0;
  const choice = chooseListenersWindow(tcp, listener, scratch[Syn.OPTIONS] & 0xffff, scaling);
  scratch[Syn.OPTIONS] |= choice.shift << 20;
  scratch[Syn.RCV_WND] = choice.window;
  const c = becomeRow(tcp, scratch, 0, listener);
  if (c < 0) return -1;
  const k = tcp.hot[c + Tcb.COLD];
  sampleByTimestamp(tcp, c, k);
  startCongestionControl(tcp, c, k, tcp.cold[k + Cold.DELIVERED_CE] !== 0);
  return c;
}

/**
 * RFC 9768 §3.1.5: two kinds of SYN in one handshake. <SEQ=SND.NXT><ACK=RCV.NXT><CTL=RST,ACK>: acceptable to a client
 * that has our SYN-ACK, and to one that has not.
 */
function refuseMixed(tcp: TcpContext, row: number): number {
  if (tcp.net.answers.mayReset()) answer(tcp, row * Syn.SIZE, TcpFlag.RST | TcpFlag.ACK, Cause.RST_ECN_MIXED);
  tcp.net.stats.tcpAttemptFails += 1;
  tcp.net.stats.tcpEmbryonicResets += 1;
  dropHalfOpen(tcp, row);
  return drop(tcp, Verdict.TCP_SYN_IN_WINDOW);
}

function drop(tcp: TcpContext, verdict: Verdict): number {
  tcp.verdict = verdict;
  return -1;
}

/** TSecr is of no SYN-ACK: before the first or after the last. Zero says nothing (RFC 7323 §3.2). */
function echoIsInvented(tcp: TcpContext, at: number): boolean {
  const { seg, clock } = tcp;
  const rows = tcp.synTable.rows;
  if ((rows[at + Syn.OPTIONS] & SynOption.TIMESTAMPS) === 0 || !seg.hasTimestamps || seg.TSecr === 0) return false;
  const first = firstSynAckMs(clock.us, clock.us32, rows[at + Syn.SENT_AT_US]);
  const offset = timestampOffset(tcp, rows[at + Syn.LOCAL], rows[at + Syn.REMOTE], rows[at + Syn.PORTS]);
  const sinceFirst = (seg.TSecr - first - offset) | 0;
  return sinceFirst < 0 || sinceFirst > lastSynAckMs(tcp, rows, at);
}

function isOld(tcp: TcpContext, at: number): boolean {
  const rows = tcp.synTable.rows;
  return (
    (rows[at + Syn.OPTIONS] & SynOption.TIMESTAMPS) !== 0 &&
    tcp.seg.hasTimestamps &&
    (tcp.seg.flags & TcpFlag.RST) === 0 &&
    seqLt(tcp.seg.TSval, rows[at + Syn.TS_RECENT])
  );
}

/** <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, or with other control bits. */
function answer(tcp: TcpContext, at: number, flags = TcpFlag.ACK, cause = Cause.CHALLENGE_ACK): void {
  const rows = tcp.synTable.rows;
  const local = rows[at + Syn.LOCAL];
  const remote = rows[at + Syn.REMOTE];
  const ports = rows[at + Syn.PORTS];
  sendBare(
    tcp,
    local,
    remote,
    ports,
    (rows[at + Syn.ISS] + 1) | 0,
    (rows[at + Syn.IRS] + 1) | 0,
    flags === TcpFlag.ACK ? flags | halfOpenEcnFlags(rows, at) : flags,
    // Not a SYN any more, so the window is scaled (RFC 7323 §2.2).
    saidWindow(rows, at) >>>
      ((rows[at + Syn.OPTIONS] & SynOption.WINDOW_SCALE) !== 0 ? (rows[at + Syn.OPTIONS] >>> 20) & 0xf : 0),
    (rows[at + Syn.OPTIONS] & SynOption.TIMESTAMPS) !== 0,
    (tcp.clock.ms + timestampOffset(tcp, local, remote, ports)) | 0,
    rows[at + Syn.TS_RECENT],
    cause,
    State.SYN_RECEIVED,
  );
}

/** The handshake is complete: the small row becomes a full one. */
function promote(tcp: TcpContext, row: number, listener: Listener): number {
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  const c = becomeRow(tcp, rows, at, listener);
  if (c < 0) return -1;
  if (tcp.savedSyns.count !== 0) tcp.savedSyns.promote(row, c >>> Tcb.SHIFT);
  const k = tcp.hot[c + Tcb.COLD];
  const repeated = rows[at + Syn.RETRANSMITS];
  // RFC 6298 §3, Karn: only if the SYN-ACK was sent once.
  if (repeated === 0) takeSample(tcp, c, k, (tcp.clock.us32 - rows[at + Syn.SENT_AT_US]) | 0);
  else sampleByTimestamp(tcp, c, k);
  const lost = repeated > 1 && rows[at + Syn.TIMEOUTS] > 0 && !answersFirstSynAck(tcp, c, k, rows[at + Syn.SENT_AT_US]);
  giveHalfOpen(tcp, row, listener);
  // A count so early is of a SYN-ACK that was marked.
  startCongestionControl(tcp, c, k, lost || tcp.cold[k + Cold.DELIVERED_CE] !== 0);
  return c;
}

/** The echoed timestamp is that of the first SYN-ACK: it was only late, and the repetitions were needless (RFC 4015). */
function answersFirstSynAck(tcp: TcpContext, c: number, k: number, sentAtUs: number): boolean {
  const { seg } = tcp;
  if ((tcp.hot[c + Tcb.STATE] & Flag.TIMESTAMPS) === 0 || !seg.hasTimestamps || seg.TSecr === 0) return false;
  const agoMs = (tcp.clock.ms + tcp.cold[k + Cold.TS_OFFSET] - seg.TSecr) | 0;
  const sentMs = firstSynAckMs(tcp.clock.us, tcp.clock.us32, sentAtUs);
  return ((tcp.clock.ms - sentMs) | 0) === agoMs;
}

/** A full row, still in SYN-RECEIVED, of a half-open connection; the fifth check will establish it. -1 without memory. */
export function becomeRow(tcp: TcpContext, rows: Int32Array, at: number, listener: Listener): number {
  const { hot } = tcp;
  const remote = rows[at + Syn.REMOTE] as Address;
  const c = tcp.table.take(rows[at + Syn.LOCAL], remote, rows[at + Syn.PORTS]);
  if (c < 0) {
    tcp.net.stats.tcpConnectionsRefused += 1;
    tcp.net.stats.tcpListenDrops += 1;
    return drop(tcp, Verdict.TCP_CONNECTION_LIMIT);
  }
  tcp.net.answers.synWasHonest();
  const word = rows[at + Syn.OPTIONS];
  const iss = rows[at + Syn.ISS];
  const irs = rows[at + Syn.IRS];
  const scaled = (word & SynOption.WINDOW_SCALE) !== 0;
  hot[c + Tcb.STATE] |=
    State.LISTEN |
    Flag.PASSIVE |
    ((word & SynOption.TIMESTAMPS) !== 0 ? Flag.TIMESTAMPS : 0) |
    ((word & SynOption.SACK) !== 0 ? Flag.SACK : 0) |
    (scaled ? Flag.WINDOW_SCALE : 0);
  tcp.table.setState(c, State.SYN_RECEIVED);
  hot[c + Tcb.SND_UNA] = iss;
  hot[c + Tcb.SND_NXT] = (iss + 1) | 0;
  hot[c + Tcb.SND_WND] = rows[at + Syn.SND_WND];
  hot[c + Tcb.RCV_NXT] = (irs + 1) | 0;
  hot[c + Tcb.RCV_WND] = rows[at + Syn.RCV_WND];
  hot[c + Tcb.TS_RECENT] = rows[at + Syn.TS_RECENT];
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  // Both shifts lie as they do in the hot row.
  hot[c + Tcb.MSS_AND_SHIFTS] = scaled ? word & 0xff_0000 : 0;
  const k = wakeFirst(tcp, c);
  if (k === 0) {
    tcp.table.unname(c);
    release(tcp, c);
    return drop(tcp, Verdict.TCP_CONNECTION_LIMIT);
  }
  noteInitials(tcp, c, iss, irs);
  applyDefaults(tcp, c, k, listener.defaults);
  const peerMss = word & 0xffff;
  const mss = pathMss(tcp, remote);
  setSendMss(tcp, c, peerMss < mss ? peerMss : mss);
  if ((word & SynOption.ECN) !== 0) takeOverEcn(tcp, c, k, rows[at + Syn.TOS]);
  return c;
}

export function noteInitials(tcp: TcpContext, c: number, iss: number, irs: number): void {
  if (!tcp.tallies) return;
  const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
  tcp.tally[at + Tally.ISS] = iss;
  tcp.tally[at + Tally.IRS] = irs;
  // As Linux: "since the last" counts from the handshake until there is a first.
  tcp.tally[at + Tally.LAST_DATA_SENT] = tcp.clock.ms;
  tcp.tally[at + Tally.LAST_DATA_RECEIVED] = tcp.clock.ms;
  tcp.tally[at + Tally.LAST_ACK_RECEIVED] = tcp.clock.ms;
}

/**
 * RFC 5681 §3.1: IW, one segment if the SYN or SYN-ACK was lost (syn-sent.ts says what counts as that), or marked (RFC
 * 9768 §3.2.2.2); ssthresh as high as can be.
 */
export function startCongestionControl(tcp: TcpContext, c: number, k: number, handshakeLost: boolean): void {
  considerMtuSearch(tcp, c, k);
  tcp.hot[c + Tcb.SSTHRESH] = NO_SSTHRESH;
  tcp.hot[c + Tcb.CWND] = handshakeLost ? tcp.hot[c + Tcb.MSS_AND_SHIFTS] & 0xffff : initialWindow(tcp, c);
  beginCongestionControl(tcp, c, k);
}

/**
 * The connection is established, from SYN-RECEIVED or SYN-SENT: SND.UNA has just taken in our SYN. A passive one is offered to
 * its listener.
 */
export function establish(tcp: TcpContext, c: number, k: number): void {
  const { hot } = tcp;
  // Where CLOSE was called before, its FIN may go now (§3.10.4).
  const closed = (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
  if (closed && (hot[c + Tcb.STATE] & Flag.STATE_MASK) === State.SYN_RECEIVED) tcp.table.setState(c, State.FIN_WAIT_1);
  else {
    tcp.table.setState(c, State.ESTABLISHED);
    if (closed) tcp.table.setState(c, State.FIN_WAIT_1);
    else tcp.net.stats.tcpCurrEstab += 1;
  }
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  // RFC 6298 §5.7: after a SYN was lost and nothing could be measured, data begins with an RTO of three seconds; the first measurement replaces it.
  if (hot[c + Tcb.SRTT] === 0) hot[c + Tcb.RTTVAR] = tcp.limits.rtoFallbackMs * 1000;
  tcp.cold[k + Cold.BACKOFF] = 0;
  tcp.cold[k + Cold.RETRANSMITS] = 0;
  tcp.cold[k + Cold.TROUBLE_SINCE] = 0;
  beginAcks(tcp, c, k);
  boundWindow(tcp, c, k);
  tcp.cold[k + Cold.TIMERS] &= 1 << Timer.KEEPALIVE;
  tcp.cold[k + Cold.SND_SML] = hot[c + Tcb.SND_UNA];
  tcp.cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_UNA];
  tcp.cold[k + Cold.RTT_SEQ] = hot[c + Tcb.SND_NXT];
  // The SYN has been delivered, as Linux counts; to congestion control it is nothing.
  countPackets(tcp, c, k, 1);
  tcp.cold[k + Cold.CC_DELIVERED] = tcp.cold[k + Cold.DELIVERED];
  if ((hot[c + Tcb.STATE] & Flag.PASSIVE) === 0) {
    tell(tcp, c, Event.CONNECTED | Event.WRITABLE);
    return;
  }
  tcp.net.stats.tcpPassiveOpens += 1;
  const { seg } = tcp;
  const listener = tcp.listeners.find(seg.local, seg.ports, seg.remote);
  if (listener === undefined) return;
  hot[c + Tcb.STATE] |= Flag.UNACCEPTED;
  listener.push(c);
  tcp.events.push(SocketKind.LISTENER, listener.row, Event.ACCEPTABLE);
}
