import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { refuseSegment } from './bare-segment.js';
import type { TcpContext } from './context.js';
import { grantEcn } from './ecn.js';
import { FastOpenBit } from './fast-open.js';
import { tryFastOpen } from './fast-open-server.js';
import { initialSequenceNumber } from './isn.js';
import type { Listener } from './listener-table.js';
import { DEFAULT_MSS, MSS_MIN, offeredMss } from './options.js';
import { saveSyn, savesSyns } from './saved-syns.js';
import { TcpOption } from './socket-options.js';
import { State } from './state.js';
import { armHalfOpen, chooseListenersWindow, dropHalfOpen, sendSynAck } from './syn-ack.js';
import { answerWithCookie } from './syn-cookie.js';
import { Syn, SynOption } from './syn-table.js';

/** Segment path. A segment for a listener: RFC 9293 §3.10.7.2. */

/** Half of a row of the SYN table: for an answer after which nothing is kept. */
const scratch = new Int32Array(Syn.SIZE);

/** `issAtLeast`: where a connection in TIME-WAIT gave way to this SYN, what its sequence numbers must be beyond; else 0. */
export function listenArrives(tcp: TcpContext, listener: Listener, issAtLeast: number): Verdict {
  const { seg, net, limits } = tcp;
  // First: RST. There is nothing it could refer to.
  if ((seg.flags & TcpFlag.RST) !== 0) return Verdict.TCP_RST_INVALID;
  // Second: ACK. It acknowledges something never sent. (That of a SYN cookie has been looked at before.)
  if ((seg.flags & TcpFlag.ACK) !== 0) {
    refuseSegment(tcp, Cause.RST_NO_CONNECTION, State.LISTEN);
    return Verdict.TCP_ACK_UNACCEPTABLE;
  }
  // Third: SYN. With a FIN it is nobody's connection attempt. As Linux it is dropped in silence.
  if ((seg.flags & TcpFlag.SYN) === 0) return Verdict.TCP_NO_ACK;
  if ((seg.flags & TcpFlag.FIN) !== 0) return Verdict.TCP_FLAGS;
  // Before anything is kept of it: what is not answered now is sent again in a second.
  if (issAtLeast === 0 && !net.answers.mayAnswerSyn()) {
    net.stats.tcpListenDrops += 1;
    return Verdict.TCP_SYN_RATE_LIMITED;
  }
  // A pair that comes out of TIME-WAIT is somebody we know, and is not turned away.
  const full = listener.synQueueFull || (tcp.synTable.full && limits.synCookies !== 0);
  if (full && issAtLeast === 0 && limits.synCookies === 0) {
    net.stats.tcpSynQueueFullDrops += 1;
    net.stats.tcpListenDrops += 1;
    return Verdict.TCP_SYN_QUEUE_FULL;
  }
  if (listener.full) {
    net.stats.tcpListenOverflows += 1;
    net.stats.tcpListenDrops += 1;
    return Verdict.TCP_ACCEPT_QUEUE_FULL;
  }
  if (issAtLeast === 0 && (full || limits.synCookies === 2)) {
    name(tcp, scratch);
    fill(tcp, listener, scratch, 0);
    answerWithCookie(tcp, listener, scratch);
    return Verdict.OK;
  }
  if (limits.synCookies === 0 && issAtLeast === 0 && isLastQuarter(tcp, listener)) {
    net.stats.tcpListenDrops += 1;
    return Verdict.TCP_SYN_QUEUE_FULL;
  }
  if (mayFastOpen(tcp)) {
    name(tcp, scratch);
    fill(tcp, listener, scratch, 0);
    scratch[Syn.ISS] = isnFor(tcp, issAtLeast);
    if (tryFastOpen(tcp, listener, scratch)) return Verdict.OK;
  }
  const row = takeRow(tcp);
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  fill(tcp, listener, rows, at);
  rows[at + Syn.ISS] = isnFor(tcp, issAtLeast);
  if (savesSyns(listener)) tcp.savedSyns.await(row, saveSyn(tcp, listener));
  listener.halfOpen += 1;
  listener.young += 1;
  sendSynAck(tcp, rows, at, listener, tcp.clock.ms);
  armHalfOpen(tcp, row);
  // Deviation: RFC 9293 allows text in a SYN to be kept for later. As everybody without Fast Open we let it be sent again.
  return Verdict.OK;
}

/** Only then is there more to look at. */
function mayFastOpen(tcp: TcpContext): boolean {
  if ((tcp.limits.fastOpen & FastOpenBit.SERVER) === 0) return false;
  return tcp.seg.textLength > 0 || (tcp.options.present & TcpOptionBit.FAST_OPEN) !== 0;
}

function isnFor(tcp: TcpContext, issAtLeast: number): number {
  const { seg } = tcp;
  const iss = initialSequenceNumber(tcp, seg.local, seg.remote, seg.ports);
  return issAtLeast !== 0 && ((iss - issAtLeast) | 0) < 0 ? issAtLeast : iss;
}

/** RFC 4987 §3.5: in a full table the oldest gives way. In a flood that is the flood's; a true peer answers within a round trip. */
function takeRow(tcp: TcpContext): number {
  const { seg, synTable } = tcp;
  const row = synTable.take(seg.local, seg.remote, seg.ports);
  if (row >= 0) return row;
  dropHalfOpen(tcp, synTable.oldest());
  tcp.net.stats.tcpListenDrops += 1;
  tcp.net.stats.tcpHalfOpenEvicted += 1;
  return synTable.take(seg.local, seg.remote, seg.ports);
}

/** As Linux: without cookies the last quarter of the queue (tcp_max_syn_backlog) is for peers known from before, and we know none. */
function isLastQuarter(tcp: TcpContext, listener: Listener): boolean {
  const max = tcp.limits.synBacklogMax;
  return max - listener.halfOpen < max >>> 2;
}

function name(tcp: TcpContext, rows: Int32Array): void {
  const { seg } = tcp;
  rows.fill(0);
  rows[Syn.LOCAL] = seg.local;
  rows[Syn.REMOTE] = seg.remote;
  rows[Syn.PORTS] = seg.ports;
}

/** What the SYN said and what we answer, but for our sequence number. */
function fill(tcp: TcpContext, listener: Listener, rows: Int32Array, at: number): void {
  const { seg, options, limits } = tcp;
  const wishes = listener.defaults.options;
  rows[at + Syn.IRS] = seg.SEQ;
  rows[at + Syn.SND_WND] = seg.WND;
  rows[at + Syn.TOS] = seg.tos;
  const present = options.present;
  let mss = (present & TcpOptionBit.MSS) !== 0 ? options.mss : DEFAULT_MSS;
  if (mss < MSS_MIN) mss = MSS_MIN;
  let word = mss;
  const scaling = limits.windowScaling && (present & TcpOptionBit.WINDOW_SCALE) !== 0;
  if (limits.sack && (present & TcpOptionBit.SACK_PERMITTED) !== 0) word |= SynOption.SACK;
  let overhead = 0;
  if (limits.timestamps && (present & TcpOptionBit.TIMESTAMPS) !== 0) {
    word |= SynOption.TIMESTAMPS;
    rows[at + Syn.TS_RECENT] = options.tsVal;
    overhead = 12;
  }
  if (grantEcn(tcp, listener, rows, at)) word |= SynOption.ECN;
  const choice = chooseListenersWindow(
    tcp,
    listener,
    offeredMss(tcp, seg.remote as Address, wishes?.get(TcpOption.MAX_SEGMENT) ?? 0) - overhead,
    scaling,
  );
  if (scaling) word |= SynOption.WINDOW_SCALE | (options.windowScale << 16) | (choice.shift << 20);
  rows[at + Syn.OPTIONS] = word;
  rows[at + Syn.RCV_WND] = choice.window;
  rows[at + Syn.SENT_AT_US] = tcp.clock.us32;
}
