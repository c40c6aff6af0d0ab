import { seqGt, seqLeq } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { Cold, Tcb } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';

/**
 * Segment path. The records of what is outstanding, in order of sequence numbers from Cold.SENT_HEAD to SENT_TAIL, and in order of sending from OLDEST to NEWEST. New ones come
 * in at the end and acknowledged ones leave at the front, so a list does; every 64th is on an express lane, so that the segment a SACK block begins
 * with is found without passing all that are before it (CVE-2019-11477 and its relatives were long walks that a peer could order; RFC 2018 sets no limit).
 */

const EXPRESS_STRIDE = 64;

/** Whether one more segment can be recorded. */
export function roomForRecord(tcp: TcpContext, k: number): boolean {
  const { free } = tcp.transmits;
  const out = tcp.cold[k + Cold.PACKETS_OUT];
  if (free > 0 && out < tcp.limits.transmitRecordsPerConnection && (out === 0 || out < shareOfRecords(tcp, free)))
    return true;
  tcp.net.stats.tcpRecordsRefused += 1;
  return false;
}

/**
 * Records that a connection may hold (docs/memory.md): any number while half of them are free, then an eighth of what is free; of the last eighth of all, as many as an initial window
 * and some more; of the last sixteenth one, so that nobody's first segment waits for another's acknowledgments.
 */
function shareOfRecords(tcp: TcpContext, free: number): number {
  const max = tcp.limits.transmitRecordsMax;
  if (free * 2 > max) return max;
  if (free * 16 <= max) return 1;
  const share = free * 8 > max ? free >>> 3 : 0;
  return share > RESERVED_RECORDS ? share : RESERVED_RECORDS;
}
const RESERVED_RECORDS = 16;

/** [seq, end) has been sent for the first time, and is SENT_TAIL from now on. There was room. */
export function appendRecord(tcp: TcpContext, c: number, k: number, seq: number, end: number, flags: number): void {
  const { cold, clock } = tcp;
  const { rows } = tcp.transmits;
  const at = tcp.transmits.take();
  if (cold[k + Cold.PACKETS_OUT] === 0) beginFlight(tcp, c, k);
  rows[at + Sent.SEQ] = seq;
  rows[at + Sent.END] = end;
  rows[at + Sent.AT_US] = clock.us32;
  rows[at + Sent.FLAGS] = flags;
  rows[at + Sent.NEXT] = 0;
  rows[at + Sent.RUN_END] = 0;
  rows[at + Sent.EXPRESS] = 0;
  const tail = cold[k + Cold.SENT_TAIL];
  if (tail === 0) cold[k + Cold.SENT_HEAD] = at;
  else rows[tail + Sent.NEXT] = at;
  cold[k + Cold.SENT_TAIL] = at;
  joinExpress(cold, rows, k, at);
  appendToOrder(cold, rows, k, at);
  cold[k + Cold.PACKETS_OUT] += 1;
}

/** The first segment with nothing outstanding: what was known of earlier transmissions no longer orders anything (and its times may have come round). */
function beginFlight(tcp: TcpContext, c: number, k: number): void {
  const { cold, clock } = tcp;
  cold[k + Cold.RACK_AT_US] = clock.us32;
  cold[k + Cold.RACK_END] = tcp.hot[c + Tcb.SND_UNA];
  cold[k + Cold.FIRST_SENT_AT_US] = clock.us32;
  cold[k + Cold.DELIVERED_AT_US] = clock.us32;
}

function joinExpress(cold: Int32Array, rows: Int32Array, k: number, at: number): void {
  const last = cold[k + Cold.EXPRESS_TAIL];
  if (last !== 0 && cold[k + Cold.EXPRESS_SINCE] < EXPRESS_STRIDE) {
    cold[k + Cold.EXPRESS_SINCE] += 1;
    return;
  }
  if (last === 0) cold[k + Cold.EXPRESS_HEAD] = at;
  else rows[last + Sent.EXPRESS] = at;
  cold[k + Cold.EXPRESS_TAIL] = at;
  cold[k + Cold.EXPRESS_SINCE] = 1;
}

/** `at` leaves the express lane, if it stands there. */
function leaveExpress(cold: Int32Array, rows: Int32Array, k: number, at: number): void {
  let lane = cold[k + Cold.EXPRESS_HEAD];
  if (lane === at) {
    cold[k + Cold.EXPRESS_HEAD] = rows[at + Sent.EXPRESS];
    if (cold[k + Cold.EXPRESS_TAIL] === at) cold[k + Cold.EXPRESS_TAIL] = 0;
    return;
  }
  while (lane !== 0 && rows[lane + Sent.EXPRESS] !== at) lane = rows[lane + Sent.EXPRESS];
  if (lane === 0) return;
  rows[lane + Sent.EXPRESS] = rows[at + Sent.EXPRESS];
  if (cold[k + Cold.EXPRESS_TAIL] === at) cold[k + Cold.EXPRESS_TAIL] = lane;
}

// In order of sending

export function appendToOrder(cold: Int32Array, rows: Int32Array, k: number, at: number): void {
  const newest = cold[k + Cold.NEWEST];
  rows[at + Sent.EARLIER] = newest;
  rows[at + Sent.LATER] = 0;
  if (newest === 0) cold[k + Cold.OLDEST] = at;
  else rows[newest + Sent.LATER] = at;
  cold[k + Cold.NEWEST] = at;
  rows[at + Sent.FLAGS] |= SentFlag.TIMED;
}

/** It has arrived, or it is lost: its time no longer says anything. */
export function leaveOrder(cold: Int32Array, rows: Int32Array, k: number, at: number): void {
  if ((rows[at + Sent.FLAGS] & SentFlag.TIMED) === 0) return;
  rows[at + Sent.FLAGS] &= ~SentFlag.TIMED;
  const earlier = rows[at + Sent.EARLIER];
  const later = rows[at + Sent.LATER];
  if (earlier === 0) cold[k + Cold.OLDEST] = later;
  else rows[earlier + Sent.LATER] = later;
  if (later === 0) cold[k + Cold.NEWEST] = earlier;
  else rows[later + Sent.EARLIER] = earlier;
}

// In sequence

/** The record that holds `seq`, or the first one after it; zero: none. */
export function findRecord(tcp: TcpContext, k: number, seq: number): number {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  let at = cold[k + Cold.SACK_HINT];
  if (at !== 0 && seqLeq(rows[at + Sent.SEQ], seq)) {
    // Blocks grow at their right edge, so the next one usually begins where the last one ended.
    for (let steps = 0; steps < EXPRESS_STRIDE && at !== 0; steps++) {
      if (seqGt(rows[at + Sent.END], seq)) return at;
      at = rows[endOfRun(rows, at) + Sent.NEXT];
    }
    if (at === 0) return 0;
  }
  at = cold[k + Cold.SENT_HEAD];
  let lane = cold[k + Cold.EXPRESS_HEAD];
  while (lane !== 0 && seqLeq(rows[lane + Sent.SEQ], seq)) {
    at = lane;
    lane = rows[lane + Sent.EXPRESS];
  }
  while (at !== 0 && !seqGt(rows[at + Sent.END], seq)) at = rows[at + Sent.NEXT];
  return at;
}

/** The last record known to be SACKed together with `at` and all between; `at` itself if it is not. */
export function endOfRun(rows: Int32Array, at: number): number {
  let last = at;
  while ((rows[last + Sent.FLAGS] & SentFlag.SACKED) !== 0 && rows[last + Sent.RUN_END] !== 0)
    last = rows[last + Sent.RUN_END];
  return last;
}

/** The first record has been acknowledged, or is given up with the connection. */
export function dropHead(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const at = cold[k + Cold.SENT_HEAD];
  const next = rows[at + Sent.NEXT];
  leaveOrder(cold, rows, k, at);
  if (cold[k + Cold.EXPRESS_HEAD] === at) leaveExpress(cold, rows, k, at);
  if (cold[k + Cold.SACK_HINT] === at) cold[k + Cold.SACK_HINT] = 0;
  if (cold[k + Cold.RETRANSMIT_HINT] === at) cold[k + Cold.RETRANSMIT_HINT] = 0;
  if (cold[k + Cold.LOST_HINT] === at) cold[k + Cold.LOST_HINT] = 0;
  cold[k + Cold.SENT_HEAD] = next;
  if (next === 0) cold[k + Cold.SENT_TAIL] = 0;
  cold[k + Cold.PACKETS_OUT] -= 1;
  tcp.transmits.give(at);
}

/** The connection is over. Control path. */
export function freeRecords(tcp: TcpContext, k: number): void {
  while (tcp.cold[k + Cold.SENT_HEAD] !== 0) dropHead(tcp, k);
}

/** By so many packets the counts that hold `flags` change. */
function recount(cold: Int32Array, k: number, flags: number, packets: number): void {
  cold[k + Cold.PACKETS_OUT] += packets;
  if ((flags & SentFlag.SACKED) !== 0) cold[k + Cold.SACKED_OUT] += packets;
  if ((flags & SentFlag.LOST) !== 0) cold[k + Cold.LOST_OUT] += packets;
  if ((flags & SentFlag.RETRANS) !== 0) cold[k + Cold.RETRANS_OUT] += packets;
}

/**
 * The MSS has shrunk, or the window has: what is beyond `length` bytes becomes a record of its own, sent when the whole was. False without memory. RFC 1191 §6.5.
 */
export function splitRecord(tcp: TcpContext, k: number, at: number, length: number): boolean {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const rest = tcp.transmits.take();
  if (rest === 0) return false;
  const middle = (rows[at + Sent.SEQ] + length) | 0;
  const flags = rows[at + Sent.FLAGS];
  for (let i = 0; i < Sent.SIZE; i++) rows[rest + i] = rows[at + i];
  rows[rest + Sent.SEQ] = middle;
  rows[rest + Sent.EXPRESS] = 0;
  rows[rest + Sent.FLAGS] = flags & ~SentFlag.TIMED;
  rows[at + Sent.END] = middle;
  rows[at + Sent.FLAGS] = flags & ~ENDS;
  rows[at + Sent.NEXT] = rest;
  if (cold[k + Cold.SENT_TAIL] === at) cold[k + Cold.SENT_TAIL] = rest;
  if ((flags & SentFlag.TIMED) !== 0) insertAfterInOrder(cold, rows, k, at, rest);
  recount(cold, k, flags, 1);
  return true;
}

function insertAfterInOrder(cold: Int32Array, rows: Int32Array, k: number, at: number, rest: number): void {
  const later = rows[at + Sent.LATER];
  rows[rest + Sent.EARLIER] = at;
  rows[rest + Sent.LATER] = later;
  rows[at + Sent.LATER] = rest;
  if (later === 0) cold[k + Cold.NEWEST] = rest;
  else rows[later + Sent.EARLIER] = rest;
  rows[rest + Sent.FLAGS] |= SentFlag.TIMED;
}

/** What belongs to the last byte of a record. */
const ENDS = SentFlag.PUSH | SentFlag.FIN | SentFlag.RECORD_END | SentFlag.BURST_END;
/** What a record takes over from the one that joins it. */
const JOINED = ENDS | SentFlag.EVER_RETRANS;

/** The record after `at` joins it: the two are sent again as one segment. */
export function mergeNext(tcp: TcpContext, k: number, at: number): void {
  const { cold } = tcp;
  const { rows } = tcp.transmits;
  const next = rows[at + Sent.NEXT];
  const flags = rows[next + Sent.FLAGS];
  rows[at + Sent.END] = rows[next + Sent.END];
  rows[at + Sent.FLAGS] |= flags & JOINED;
  rows[at + Sent.NEXT] = rows[next + Sent.NEXT];
  if (cold[k + Cold.SENT_TAIL] === next) cold[k + Cold.SENT_TAIL] = at;
  leaveOrder(cold, rows, k, next);
  leaveExpress(cold, rows, k, next);
  if (cold[k + Cold.SACK_HINT] === next) cold[k + Cold.SACK_HINT] = at;
  if (cold[k + Cold.RETRANSMIT_HINT] === next) cold[k + Cold.RETRANSMIT_HINT] = at;
  cold[k + Cold.LOST_HINT] = 0;
  recount(cold, k, flags, -1);
  tcp.transmits.give(next);
}

/** Data bytes of a record: the FIN has a number and no byte. */
export function bytesOf(rows: Int32Array, at: number): number {
  return ((rows[at + Sent.END] - rows[at + Sent.SEQ]) | 0) - ((rows[at + Sent.FLAGS] & SentFlag.FIN) !== 0 ? 1 : 0);
}
