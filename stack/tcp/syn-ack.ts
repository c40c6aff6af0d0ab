import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { OutputFlag } from '../net/transport.js';
import { TcpFlag } from '../wire/tcp.js';
import { sendSyn } from './bare-segment.js';
import type { TcpContext } from './context.js';
import { listenerTos, synAckEcnFlags, withholdAce } from './ecn.js';
import { Cookie } from './fast-open.js';
import { chooseWindow, WindowChoice } from './initial-window.js';
import { timestampOffset } from './isn.js';
import type { Listener } from './listener-table.js';
import { offeredMss } from './options.js';
import { TcpOption } from './socket-options.js';
import { State } from './state.js';
import { SynOffer } from './syn-options.js';
import { Syn, SynEcn, SynOption } from './syn-table.js';

/** Segment path. The SYN-ACK of a half-open connection, its repetitions, and how they end. */

/** Half-open connections of a listener below this many are not hurried: as Linux. */
const HURRY_ABOVE = 8;
/** However many there are, each has its SYN-ACK repeated this often. */
const HURRIED_RETRIES = 2;

const offer = new SynOffer();
const choice = new WindowChoice();
/** What the next SYN-ACK says of Fast Open; set by whoever has it sent. */
export const synAckCookie = new Cookie();

/**
 * <SEQ=ISS><ACK=RCV.NXT><CTL=SYN,ACK>, with what both sides can do. `at` is a row's place in `rows`: of the table, or a scratch row that lives only for
 * this answer. `tsVal` without the connection's offset. Whoever asks is a stranger yet, unless `kind` says otherwise.
 */
export function sendSynAck(
  tcp: TcpContext,
  rows: Int32Array,
  at: number,
  listener: Listener | undefined,
  tsVal: number,
  kind: OutputFlag = OutputFlag.ANSWER,
): boolean {
  const local = rows[at + Syn.LOCAL];
  const remote = rows[at + Syn.REMOTE];
  const ports = rows[at + Syn.PORTS];
  const word = rows[at + Syn.OPTIONS];
  const wishes = listener?.defaults.options;
  offer.cookieLength = synAckCookie.length;
  if (offer.cookieLength >= 0) {
    offer.cookie.set(synAckCookie.bytes);
    offer.experimental = synAckCookie.experimental;
    // Only the first SYN-ACK says it (as Linux): what a repeated one is lost to may be the option.
    synAckCookie.set(-1, false);
  }
  offer.mss = offeredMss(tcp, remote as Address, wishes?.get(TcpOption.MAX_SEGMENT) ?? 0);
  offer.sack = (word & SynOption.SACK) !== 0;
  offer.timestamps = (word & SynOption.TIMESTAMPS) !== 0;
  offer.tsVal = (tsVal + timestampOffset(tcp, local, remote, ports)) | 0;
  offer.tsEcr = rows[at + Syn.TS_RECENT];
  offer.shift = (word & SynOption.WINDOW_SCALE) !== 0 ? (word >>> 20) & 0xf : -1;
  const ecn = (word & SynOption.ECN) !== 0;
  const accurate = ecn && (rows[at + Syn.TOS] & SynEcn.ACCURATE) !== 0;
  // A SYN-ACK that was lost may have been lost for its option (RFC 9768 §3.2.3.2.2).
  offer.accEcn = accurate && tcp.limits.ecnOption !== 0 && rows[at + Syn.RETRANSMITS] === 0;
  offer.tos = (wishes?.get(TcpOption.TOS) ?? 0) | (ecn ? listenerTos(tcp, listener) : 0);
  offer.ttl = wishes?.get(TcpOption.TTL) ?? 0;
  return sendSyn(
    tcp,
    local,
    remote,
    ports,
    rows[at + Syn.ISS],
    (rows[at + Syn.IRS] + 1) | 0,
    TcpFlag.SYN | TcpFlag.ACK | (ecn ? synAckEcnFlags(rows[at + Syn.TOS]) : 0),
    rows[at + Syn.RCV_WND] < 0xffff ? rows[at + Syn.RCV_WND] : 0xffff,
    offer,
    Cause.SYN_ACK,
    State.SYN_RECEIVED,
    kind,
  );
}

/** The window a SYN-ACK of this listener offers, and its shift. */
export function chooseListenersWindow(
  tcp: TcpContext,
  listener: Listener,
  mss: number,
  scaling: boolean,
): WindowChoice {
  const { defaults } = listener;
  const asked = defaults.receiveBytes ?? defaults.options?.get(TcpOption.RECEIVE_BYTES);
  const clamp = defaults.options?.get(TcpOption.WINDOW_CLAMP) ?? 0;
  chooseWindow(tcp, choice, asked ?? tcp.limits.receiveBytes, asked !== undefined, clamp, mss, scaling);
  return choice;
}

/** By address and not by row: between two segments the row may have become another port's listener. */
export function listenerOf(tcp: TcpContext, row: number): Listener | undefined {
  const at = row * Syn.SIZE;
  const { rows } = tcp.synTable;
  return tcp.listeners.find(rows[at + Syn.LOCAL], rows[at + Syn.PORTS], rows[at + Syn.REMOTE]);
}

/** The half-open connection is given up. */
export function dropHalfOpen(tcp: TcpContext, row: number): void {
  giveHalfOpen(tcp, row, listenerOf(tcp, row));
}

/** The row is free again, and `listener`, whose it was, has one less. */
export function giveHalfOpen(tcp: TcpContext, row: number, listener: Listener | undefined): void {
  if (listener !== undefined && listener.halfOpen > 0) {
    listener.halfOpen -= 1;
    if (tcp.synTable.rows[row * Syn.SIZE + Syn.TIMEOUTS] === 0 && listener.young > 0) listener.young -= 1;
  }
  if (tcp.savedSyns.count !== 0) tcp.savedSyns.giveUp(row);
  tcp.synTable.give(row);
}

/** Once more. It counts as a repetition, whatever the reason: the answer no longer tells which one it answers (Karn). */
export function repeatSynAck(tcp: TcpContext, row: number, listener: Listener | undefined): boolean {
  const rows = tcp.synTable.rows;
  const at = row * Syn.SIZE;
  rows[at + Syn.RETRANSMITS] += 1;
  if (!sendSynAck(tcp, rows, at, listener, tcp.clock.ms)) {
    rows[at + Syn.RETRANSMITS] -= 1;
    return false;
  }
  tcp.net.stats.tcpRetransSegs += 1;
  noteLastSynAck(tcp, rows, at);
  return true;
}

/** When the first SYN-ACK went out, in ms as timestamps count. */
export function firstSynAckMs(us: number, us32: number, sentAtUs: number): number {
  return Math.floor((us - ((us32 - sentAtUs) | 0)) / 1000) | 0;
}

/** So many ms after the first the last SYN-ACK went out. */
export function lastSynAckMs(tcp: TcpContext, rows: Int32Array, at: number): number {
  const late = rows[at + Syn.TOS] >>> SynEcn.LAST_SENT_BIT;
  // It fits no more: then whatever is not in the future may be true.
  return late === LAST_SENT_MAX ? sinceFirst(tcp, rows, at) : late;
}

function noteLastSynAck(tcp: TcpContext, rows: Int32Array, at: number): void {
  const late = sinceFirst(tcp, rows, at);
  const fits = late >= 0 && late < LAST_SENT_MAX ? late : LAST_SENT_MAX;
  rows[at + Syn.TOS] = (rows[at + Syn.TOS] & ((1 << SynEcn.LAST_SENT_BIT) - 1)) | (fits << SynEcn.LAST_SENT_BIT);
}
/** Half a minute: by default the last SYN-ACK goes out after 31 seconds. */
const LAST_SENT_MAX = (1 << (32 - SynEcn.LAST_SENT_BIT)) - 1;

function sinceFirst(tcp: TcpContext, rows: Int32Array, at: number): number {
  const { clock } = tcp;
  return (clock.ms - firstSynAckMs(clock.us, clock.us32, rows[at + Syn.SENT_AT_US])) | 0;
}

/** Until the SYN-ACK goes again: doubled for each time it was not answered, RFC 6298 §5.5. */
export function armHalfOpen(tcp: TcpContext, row: number): void {
  const { limits, synTable } = tcp;
  const timeouts = synTable.rows[row * Syn.SIZE + Syn.TIMEOUTS];
  const wait = limits.rtoInitialMs * 2 ** timeouts;
  synTable.rows[row * Syn.SIZE + Syn.OPTIONS] &= ~SynOption.PUT_OFF;
  synTable.wheel.arm(row, (tcp.clock.ms + (wait < limits.rtoMaxMs ? wait : limits.rtoMaxMs)) | 0);
}

/** So many in one turn; a flood's all come up in the same moment, and nobody else should wait for them. The next turn follows at once. */
const EXPIRED_MAX = 64;

/** SYN-ACKs that were not answered: sent again, further and further apart, and given up in the end (RFC 9293 MUST-23). */
export function expireHalfOpen(tcp: TcpContext): void {
  const { synTable } = tcp;
  const rows = synTable.rows;
  for (let left = EXPIRED_MAX; left > 0; left--) {
    const row = synTable.wheel.expire(tcp.clock.ms);
    if (row < 0) return;
    const at = row * Syn.SIZE;
    // As in `expireTimers`: late, it waits for one more turn.
    const late = ((tcp.clock.ms - synTable.wheel.deadlineOf(row)) | 0) > 0;
    if (late && (rows[at + Syn.OPTIONS] & SynOption.PUT_OFF) === 0) {
      rows[at + Syn.OPTIONS] |= SynOption.PUT_OFF;
      tcp.putOff = true;
      synTable.wheel.arm(row, tcp.clock.ms);
      continue;
    }
    const listener = listenerOf(tcp, row);
    const acked = (rows[at + Syn.OPTIONS] & SynOption.ACKED) !== 0;
    const timeouts = rows[at + Syn.TIMEOUTS];
    const deferred = listener === undefined ? 0 : deferredTimeouts(tcp, listener);
    const retries = listener === undefined ? 0 : synAckRetries(tcp, listener);
    // Whose ACK came and waits for data has all of the deferring period, however short the retries.
    if (timeouts >= retries && (deferred === 0 || !acked || timeouts >= deferred)) {
      tcp.net.stats.tcpAttemptFails += 1;
      dropHalfOpen(tcp, row);
      continue;
    }
    // While data is waited for the peer is not asked again, but for one last chance at the end of the period.
    const ask = deferred === 0 || !acked || timeouts >= deferred - 1;
    if (timeouts > 0) withholdAce(rows, at);
    if (ask) repeatSynAck(tcp, row, listener);
    if (timeouts === 0 && listener !== undefined && listener.young > 0) listener.young -= 1;
    rows[at + Syn.TIMEOUTS] = timeouts + 1;
    armHalfOpen(tcp, row);
  }
}

/**
 * tcp_synack_retries, or the listener's own (TCP_SYNCNT). Where more than half of the queue is taken, and most of it by those that did not answer the first SYN-ACK,
 * they are given up sooner, as Linux does: in a flood the place is worth more.
 */
function synAckRetries(tcp: TcpContext, listener: Listener): number {
  let retries = listener.defaults.options?.get(TcpOption.SYN_RETRIES) ?? tcp.limits.synAckRetries;
  const backlog = listener.backlog > HURRY_ABOVE ? listener.backlog : HURRY_ABOVE;
  if (listener.halfOpen * 2 <= backlog) return retries;
  let young = listener.young * 2;
  while (retries > HURRIED_RETRIES && listener.halfOpen >= young) {
    retries -= 1;
    young *= 2;
    if (young === 0) return HURRIED_RETRIES;
  }
  return retries;
}

/**
 * TCP_DEFER_ACCEPT in seconds as a number of time-outs of the SYN-ACK, which is how Linux counts it: the first lasts a second, each next twice as
 * long. Zero: not asked for.
 */
export function deferredTimeouts(tcp: TcpContext, listener: Listener): number {
  const seconds = listener.defaults.options?.get(TcpOption.DEFER_ACCEPT_SECONDS) ?? 0;
  if (seconds <= 0) return 0;
  const { limits } = tcp;
  let wait = limits.rtoInitialMs;
  let period = wait;
  let timeouts = 1;
  while (seconds * 1000 > period && timeouts < TIMEOUTS_MAX) {
    timeouts += 1;
    wait = wait * 2 < limits.rtoMaxMs ? wait * 2 : limits.rtoMaxMs;
    period += wait;
  }
  return timeouts;
}
/** One octet in Linux. */
const TIMEOUTS_MAX = 255;
