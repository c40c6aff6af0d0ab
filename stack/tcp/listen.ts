import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { TcpFlag } from '../wire/tcp.js';
import { TcpOptionBit } from '../wire/tcp-options.js';
import { Verdict } from '../wire/verdict.js';
import { refuseSegment, SynOffer, sendSyn } from './bare-segment.js';
import { localPort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { agreesToEcn, listenerTos } from './ecn.js';
import { initialSequenceNumber, timestampOffset } from './isn.js';
import type { Listener } from './listener-table.js';
import { advertisedMss, DEFAULT_MSS, MSS_MIN, offeredShift } from './options.js';
import { State } from './state.js';
import { Syn, SynOption } from './syn-table.js';

/** Segment path. A segment for a listener: RFC 9293 §3.10.7.2, and the SYN-ACK with its repetitions. */

const offer = new SynOffer();

/** `issAtLeast`: where a connection in TIME-WAIT gave way to this SYN, what its sequence numbers must be beyond; else 0. */
export function listenArrives(tcp: TcpContext, listener: Listener, issAtLeast: number): Verdict {
  const { seg, synTable, net } = tcp;
  // First: RST. There is nothing it could refer to.
  if ((seg.flags & TcpFlag.RST) !== 0) return Verdict.TCP_RST_INVALID;
  // Second: ACK. It acknowledges something never sent.
  if ((seg.flags & TcpFlag.ACK) !== 0) {
    refuseSegment(tcp, Cause.RST_NO_CONNECTION, State.LISTEN);
    return Verdict.TCP_ACK_UNACCEPTABLE;
  }
  // Third: SYN. With a FIN it is nobody's connection attempt. As Linux it is dropped in silence.
  if ((seg.flags & TcpFlag.SYN) === 0) return Verdict.TCP_NO_ACK;
  if ((seg.flags & TcpFlag.FIN) !== 0) return Verdict.TCP_FLAGS;
  if (listener.full) {
    net.stats.tcpListenOverflows += 1;
    return Verdict.TCP_ACCEPT_QUEUE_FULL;
  }
  let row = synTable.take(seg.local, seg.remote, seg.ports);
  if (row < 0) {
    // RFC 4987 §3.5: the oldest gives way. In a flood that is the flood's; a true peer answers within a round trip.
    dropHalfOpen(tcp, synTable.oldest());
    net.stats.tcpListenDrops += 1;
    row = synTable.take(seg.local, seg.remote, seg.ports);
  }
  fill(tcp, listener, row, issAtLeast);
  sendSynAck(tcp, row);
  synTable.wheel.arm(row, (tcp.clock.ms + tcp.limits.rtoInitialMs) | 0);
  // Deviation: RFC 9293 allows text in a SYN to be kept for later. As everybody without Fast Open we let it be sent again.
  return Verdict.OK;
}

/** What the SYN said and what we answer. */
function fill(tcp: TcpContext, listener: Listener, row: number, issAtLeast: number): void {
  const { seg, options, limits, synTable } = tcp;
  const rows = synTable.rows;
  const at = row * Syn.SIZE;
  let iss = initialSequenceNumber(tcp, seg.local, seg.remote, seg.ports);
  if (issAtLeast !== 0 && ((iss - issAtLeast) | 0) < 0) iss = issAtLeast;
  rows[at + Syn.ISS] = iss;
  rows[at + Syn.IRS] = seg.SEQ;
  rows[at + Syn.SND_WND] = seg.WND;
  const present = options.present;
  let mss = (present & TcpOptionBit.MSS) !== 0 ? options.mss : DEFAULT_MSS;
  if (mss < MSS_MIN) mss = MSS_MIN;
  let word = mss;
  if (limits.windowScaling && (present & TcpOptionBit.WINDOW_SCALE) !== 0) {
    word |= SynOption.WINDOW_SCALE | (options.windowScale << 16);
  }
  if (limits.sack && (present & TcpOptionBit.SACK_PERMITTED) !== 0) word |= SynOption.SACK;
  if (limits.timestamps && (present & TcpOptionBit.TIMESTAMPS) !== 0) {
    word |= SynOption.TIMESTAMPS;
    rows[at + Syn.TS_RECENT] = options.tsVal;
  }
  if (agreesToEcn(tcp, listener)) word |= SynOption.ECN;
  rows[at + Syn.OPTIONS] = word;
  const receiveBytes = listener.defaults.receiveBytes ?? limits.receiveBytes;
  rows[at + Syn.RCV_WND] = receiveBytes < 0xffff ? receiveBytes : 0xffff;
  rows[at + Syn.SENT_AT_US] = tcp.clock.us32;
  listener.halfOpen += 1;
}

/** <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, with what both sides can do. */
export function sendSynAck(tcp: TcpContext, row: number): boolean {
  const { limits } = tcp;
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  const local = rows[at + Syn.LOCAL];
  const remote = rows[at + Syn.REMOTE];
  const ports = rows[at + Syn.PORTS];
  const word = rows[at + Syn.OPTIONS];
  offer.mss = advertisedMss(tcp, remote as Address);
  offer.sack = (word & SynOption.SACK) !== 0;
  offer.timestamps = (word & SynOption.TIMESTAMPS) !== 0;
  offer.tsVal = (tcp.clock.ms + timestampOffset(tcp, local, remote, ports)) | 0;
  offer.tsEcr = rows[at + Syn.TS_RECENT];
  offer.shift = (word & SynOption.WINDOW_SCALE) !== 0 ? offeredShift(limits.receiveBytesMax) : -1;
  // RFC 3168 §6.1.1: ECE alone agrees.
  const ecn = (word & SynOption.ECN) !== 0 ? TcpFlag.ECE : 0;
  offer.tos = ecn === 0 ? 0 : listenerTos(tcp, listenerOf(tcp, row));
  return sendSyn(
    tcp,
    local,
    remote,
    ports,
    rows[at + Syn.ISS],
    (rows[at + Syn.IRS] + 1) | 0,
    TcpFlag.SYN | TcpFlag.ACK | ecn,
    rows[at + Syn.RCV_WND],
    offer,
    Cause.SYN_ACK,
    State.SYN_RECEIVED,
  );
}

/** By address and not by row: between two segments the row may have become another port's listener. */
function listenerOf(tcp: TcpContext, row: number): Listener | undefined {
  const at = row * Syn.SIZE;
  return tcp.listeners.find(tcp.synTable.rows[at + Syn.LOCAL], localPort(tcp.synTable.rows[at + Syn.PORTS]));
}

/** The half-open connection is given up. */
export function dropHalfOpen(tcp: TcpContext, row: number): void {
  const listener = listenerOf(tcp, row);
  if (listener !== undefined && listener.halfOpen > 0) listener.halfOpen -= 1;
  tcp.synTable.give(row);
}

/** SYN-ACKs that were not answered: sent again, further and further apart, and given up in the end (RFC 9293 MUST-23). */
export function expireHalfOpen(tcp: TcpContext): void {
  const { synTable, limits } = tcp;
  const rows = synTable.rows;
  for (let row = synTable.wheel.expire(tcp.clock.ms); row >= 0; row = synTable.wheel.expire(tcp.clock.ms)) {
    const at = row * Syn.SIZE;
    const retransmits = rows[at + Syn.RETRANSMITS];
    if (retransmits >= limits.synAckRetries || listenerOf(tcp, row) === undefined) {
      tcp.net.stats.tcpAttemptFails += 1;
      dropHalfOpen(tcp, row);
      continue;
    }
    rows[at + Syn.RETRANSMITS] = retransmits + 1;
    tcp.net.stats.tcpRetransSegs += 1;
    sendSynAck(tcp, row);
    const wait = limits.rtoInitialMs * (1 << (retransmits + 1));
    synTable.wheel.arm(row, (tcp.clock.ms + (wait < limits.rtoMaxMs ? wait : limits.rtoMaxMs)) | 0);
  }
}
