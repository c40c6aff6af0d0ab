import { seqGt, seqLt } from '../base/seq.js';
import { Event, SocketKind } from '../net/event-queue.js';
import { OutputFlag } from '../net/transport.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { beginAcks } from './ack-memory.js';
import { mark } from './connection.js';
import type { TcpContext } from './context.js';
import { COOKIE_BYTES, checkCookie, FastOpen, FastOpenBit, KeyMatch, makeCookie, settleChild } from './fast-open.js';
import type { Listener } from './listener-table.js';
import { needMemory } from './make-way.js';
import { settle } from './memory.js';
import { sendShift } from './options.js';
import { chargeInOrder } from './receive-memory.js';
import { boundWindow } from './receive-space.js';
import { rearmTimeout } from './retransmission-timer.js';
import { rtoMs, sampleByTimestamp, takeSample } from './rtt.js';
import { saveSyn, savesSyns } from './saved-syns.js';
import { countPackets } from './scoreboard.js';
import { TcpOption } from './socket-options.js';
import { State } from './state.js';
import { sendSynAck, synAckCookie } from './syn-ack.js';
import { becomeRow, startCongestionControl } from './syn-received.js';
import { Syn } from './syn-table.js';
import { addTo } from './tally.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';
import { startTimer, Timer } from './timers.js';

/**
 * Segment path. A server's half of Fast Open, RFC 7413 §4.2: a SYN with the cookie we once gave to its address has shown that it comes from there, so its data is taken,
 * and answered, before the handshake is complete.
 */

/** A reset of a connection that was not complete counts against the listener's limit for so long: a spoofer who has a cookie gains no more than that (as Linux). */
const RESET_COUNTS_MS = 60_000;

/**
 * The SYN at hand, described by `scratch`, as Fast Open has it. True: there is a connection now, the SYN-ACK is sent, and the listener has it to accept. False: go on as
 * without; `synAckCookie` is what to say.
 */
export function tryFastOpen(tcp: TcpContext, listener: Listener, scratch: Int32Array): boolean {
  const { seg, options, limits } = tcp;
  synAckCookie.set(-1, false);
  if ((limits.fastOpen & FastOpenBit.SERVER) === 0) return false;
  const asks = (options.present & TcpOptionBit.FAST_OPEN) !== 0;
  const length = asks ? options.fastOpenLength : -1;
  if (seg.textLength === 0 && length < 0) return false;
  if (!hasRoom(tcp, listener)) return false;
  const keys = listener.fastOpenKeys ?? tcp.fastOpenKeys;
  let match = KeyMatch.PRESENT;
  if (!needsNoCookie(tcp, listener)) {
    if (length < 0) return false;
    match =
      length === 0 ? KeyMatch.NONE : checkCookie(keys, seg.local, seg.remote, options.view, options.fastOpenAt, length);
    if (match !== KeyMatch.PRESENT) {
      // §4.1.1: asked for, wrong, or made with a key that is going out of use: here is the right one.
      makeCookie(keys, 0, seg.local, seg.remote, synAckCookie);
      synAckCookie.set(COOKIE_BYTES, options.fastOpenExperimental);
    }
    if (match === KeyMatch.NONE) {
      if (length > 0) tcp.net.stats.tcpFastOpenPassiveFail += 1;
      return false;
    }
  }
  return openChild(tcp, listener, scratch);
}

function needsNoCookie(tcp: TcpContext, listener: Listener): boolean {
  if ((tcp.limits.fastOpen & FastOpenBit.SERVER_WITHOUT_COOKIE) !== 0) return true;
  return listener.defaults.options?.get(TcpOption.FAST_OPEN_NO_COOKIE) === 1;
}

/** §5.1: how many connections a listener may have before their handshakes are complete; 0: none, it does not take part. */
function hasRoom(tcp: TcpContext, listener: Listener): boolean {
  const every = (tcp.limits.fastOpen & FastOpenBit.EVERY_LISTENER) !== 0 ? listener.backlog : 0;
  const asked = listener.defaults.options?.get(TcpOption.FAST_OPEN_QUEUE) ?? 0;
  const max = asked === 0 ? every : asked;
  if (max === 0) return false;
  if (listener.fastOpenResets > 0 && ((tcp.clock.ms - listener.fastOpenResetAt) | 0) >= RESET_COUNTS_MS) {
    listener.fastOpenResets = 0;
  }
  if (listener.fastOpenPending + listener.fastOpenResets < max) return true;
  tcp.net.stats.tcpFastOpenOverflows += 1;
  return false;
}

/** A full row at once, in SYN-RECEIVED, with the SYN's data to read. Its SYN is never in the send queue: SND.UNA is beyond it from the start. */
function openChild(tcp: TcpContext, listener: Listener, scratch: Int32Array): boolean {
  const { hot, cold, seg } = tcp;
  const c = becomeRow(tcp, scratch, 0, listener);
  if (c < 0) {
    tcp.net.stats.tcpFastOpenPassiveFail += 1;
    return false;
  }
  if (savesSyns(listener)) tcp.savedSyns.assign(saveSyn(tcp, listener), c >>> Tcb.SHIFT);
  const k = hot[c + Tcb.COLD];
  beginAcks(tcp, c, k);
  hot[c + Tcb.SND_UNA] = hot[c + Tcb.SND_NXT];
  // The row stays: `info` tells of the SYN's data for as long as the connection lives.
  hot[c + Tcb.STATE] |= Flag.CUSTOM;
  cold[k + Cold.FAST_OPEN] = FastOpen.CHILD | FastOpen.WAS_CHILD;
  const taken = takeSynText(tcp, c);
  if (taken > 0) cold[k + Cold.FAST_OPEN] |= FastOpen.SYN_DATA_ACKED;
  if (tcp.tallies && taken > 0) {
    const at = (c >>> Tcb.SHIFT) * Tally.SIZE;
    tcp.tally[at + Tally.DATA_SEGS_IN] += 1;
    addTo(tcp.tally, at + Tally.BYTES_RECEIVED, taken);
  }
  tcp.net.stats.tcpFastOpenPassive += 1;
  startCongestionControl(tcp, c, k, false);
  listener.fastOpenPending += 1;
  cold[k + Cold.HIGH_SEQ] = hot[c + Tcb.SND_UNA];
  cold[k + Cold.RTT_SEQ] = hot[c + Tcb.SND_NXT];
  cold[k + Cold.SND_SML] = hot[c + Tcb.SND_UNA];
  scratch[Syn.IRS] = (hot[c + Tcb.RCV_NXT] - 1) | 0;
  // Data may follow at once and must not overtake it.
  sendSynAck(tcp, scratch, 0, listener, tcp.clock.ms, OutputFlag.NONE);
  cold[k + Cold.LAST_ACK_SENT] = hot[c + Tcb.RCV_NXT];
  cold[k + Cold.SYN_SENT_AT_US] = tcp.clock.us32;
  beginAcks(tcp, c, k);
  boundWindow(tcp, c, k);
  startTimer(tcp, c, k, Timer.RETRANSMIT, rtoMs(tcp, c, 0));
  hot[c + Tcb.STATE] |= Flag.UNACCEPTED;
  listener.push(c);
  tcp.events.push(SocketKind.LISTENER, listener.row, Event.ACCEPTABLE);
  seg.textLength = 0;
  return true;
}

/** As much of the SYN's text as there is memory for; the rest is not acknowledged and comes again. The window counts from there. */
function takeSynText(tcp: TcpContext, c: number): number {
  const { hot, seg, arena } = tcp;
  const k = hot[c + Tcb.COLD];
  const window = hot[c + Tcb.RCV_WND];
  const length = seg.textLength < window ? seg.textLength : window;
  if (length === 0) return 0;
  needMemory(tcp, c, true);
  hot[c + Tcb.RCV_QUEUE] = arena.append(hot[c + Tcb.RCV_QUEUE], seg.bytes, seg.textAt, length);
  settle(tcp, c);
  if (arena.moved > 0) chargeInOrder(tcp, k, 0, arena.moved);
  hot[c + Tcb.RCV_NXT] = (hot[c + Tcb.RCV_NXT] + arena.moved) | 0;
  return arena.moved;
}

/**
 * A child's first acceptable ACK, RFC 7413 §4.2.2: the handshake is complete, and what the program has sent meanwhile goes on as any flight does. The segment's
 * fifth check follows.
 */
export function completeChild(tcp: TcpContext, c: number, k: number): boolean {
  const { hot, cold, seg } = tcp;
  if (seqLt(seg.ACK, hot[c + Tcb.SND_UNA]) || seqGt(seg.ACK, hot[c + Tcb.SND_NXT])) return false;
  if (hot[c + Tcb.SRTT] === 0) {
    if (cold[k + Cold.RETRANSMITS] === 0) takeSample(tcp, c, k, (tcp.clock.us32 - cold[k + Cold.SYN_SENT_AT_US]) | 0);
    else if (!sampleByTimestamp(tcp, c, k)) hot[c + Tcb.RTTVAR] = tcp.limits.rtoFallbackMs * 1000;
  }
  settleChild(tcp, c, k, false);
  const closed = (hot[c + Tcb.STATE] & Flag.FIN_QUEUED) !== 0;
  tcp.table.setState(c, closed ? State.FIN_WAIT_1 : State.ESTABLISHED);
  if (!closed) tcp.net.stats.tcpCurrEstab += 1;
  tcp.net.stats.tcpPassiveOpens += 1;
  hot[c + Tcb.LAST_ACTIVITY] = tcp.clock.ms;
  hot[c + Tcb.SND_WND] = seg.WND << ((hot[c + Tcb.STATE] & Flag.WINDOW_SCALE) !== 0 ? sendShift(tcp, c) : 0);
  if (hot[c + Tcb.SND_WND] > cold[k + Cold.MAX_SND_WND]) cold[k + Cold.MAX_SND_WND] = hot[c + Tcb.SND_WND];
  cold[k + Cold.SND_WL1] = seg.SEQ;
  cold[k + Cold.SND_WL2] = seg.ACK;
  cold[k + Cold.RETRANSMITS] = 0;
  cold[k + Cold.BACKOFF] = 0;
  cold[k + Cold.TROUBLE_SINCE] = 0;
  // The SYN has been delivered, as Linux counts; to congestion control it is nothing.
  countPackets(tcp, c, k, 1);
  cold[k + Cold.CC_DELIVERED] = cold[k + Cold.DELIVERED];
  rearmTimeout(tcp, c, k);
  mark(tcp, c);
  return true;
}
