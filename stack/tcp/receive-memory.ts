import type { Address } from '../base/units.js';
import { AckBit } from './cold-bits.js';
import type { TcpContext } from './context.js';
import { Cold } from './tcb.js';

/**
 * Segment path. What the text that is held is charged, as Linux's sk_rmem_alloc would count it for frames read from a TUN device: the window on the wire
 * (RFC 9293 §3.8.6) follows from it (receive-space.ts). A buffer costs what it takes, not what is in it; a segment that fits behind the last one of its queue goes there for nothing.
 *
 * Deviation: our chunks cost less than Linux's buffers, and in fewer steps; the arena has a limit of its own besides.
 */

/** Of `limits.receiveWindowShare`: a profile whose windows are the whole buffer counts text alone. */
export const TEXT_ALONE = 256;

/**
 * Sizes of IP packet up to which a buffer of Linux's with room for 256, 704, 1728 and 3776 bytes is taken, 64 of them in front of the packet: as SO_MEMINFO told on 6.18.
 * Where a kernel is built with drivers for wireless or tunnels, the smallest is larger by 64 or 128.
 */
const PACKET_TINY = 192;
const PACKET_SMALL = 640;
const PACKET_MEDIUM = 1664;
const PACKET_LARGE = 3712;
const IN_FRONT = 64;
const PAGE = 4096;
/** How many bytes of text share one page when the queue is packed: what is left of it behind the book-keeping. */
const PACKED_TEXT = 3776;
const PACKED_COST = 4352;

/** What holding a packet of this size costs: the buffer and 576 bytes of book-keeping, and whole pages for what is beyond it. */
function truesize(packetBytes: number): number {
  if (packetBytes <= PACKET_TINY) return 832;
  if (packetBytes <= PACKET_SMALL) return 1280;
  if (packetBytes <= PACKET_MEDIUM) return 2304;
  if (packetBytes <= PACKET_LARGE) return PACKED_COST;
  return PACKED_COST + ((packetBytes - PACKET_LARGE + PAGE - 1) & -PAGE);
}

/** What holding the segment at hand is charged. */
export function costOfSegment(tcp: TcpContext): number {
  return tcp.limits.receiveWindowShare === TEXT_ALONE ? tcp.seg.textLength : truesize(packetBytes(tcp));
}

/** Bytes of that buffer left behind the packet. */
function tailroom(packetBytes: number): number {
  if (packetBytes <= PACKET_TINY) return PACKET_TINY - packetBytes;
  if (packetBytes <= PACKET_SMALL) return PACKET_SMALL - packetBytes;
  if (packetBytes <= PACKET_MEDIUM) return PACKET_MEDIUM - packetBytes;
  return packetBytes <= PACKET_LARGE ? PACKET_LARGE - packetBytes : 0;
}

function tailroomOfSegment(tcp: TcpContext): number {
  return tcp.limits.receiveWindowShare === TEXT_ALONE ? 0 : tailroom(packetBytes(tcp));
}

/** The size of the segment at hand as an IP packet. */
function packetBytes(tcp: TcpContext): number {
  return tcp.seg.bytesInAll + tcp.net.headerBytes(tcp.seg.remote as Address);
}

/** RCV_TAILROOM holds two: the room behind the last segment of the receive queue, and above it that behind the last one of what lies farthest ahead. */
const ROOM_MASK = 0xfff;
const ROOM_AHEAD_SHIFT = 12;

export function memoryUsed(tcp: TcpContext, k: number): number {
  return tcp.cold[k + Cold.RCV_MEM] + tcp.cold[k + Cold.OOO_MEM];
}

/** Neither read nor out of order does anything wait. */
export function nothingHeld(tcp: TcpContext, k: number): boolean {
  return memoryUsed(tcp, k) === 0;
}

/** The segment at hand joins the receive queue, which held `before` bytes, with the last `length` of its text. */
export function chargeInOrder(tcp: TcpContext, k: number, before: number, length: number): void {
  const cold = tcp.cold;
  const rooms = cold[k + Cold.RCV_TAILROOM];
  // What came in part for the second time keeps a buffer of its own.
  if (before > 0 && length <= (rooms & ROOM_MASK) && length === tcp.seg.textLength) {
    cold[k + Cold.RCV_TAILROOM] = rooms - length;
    return;
  }
  if (tcp.limits.receiveWindowShare === TEXT_ALONE) {
    cold[k + Cold.RCV_MEM] += tcp.seg.textLength;
    return;
  }
  const bytes = packetBytes(tcp);
  cold[k + Cold.RCV_MEM] += truesize(bytes);
  cold[k + Cold.RCV_TAILROOM] = (rooms & ~ROOM_MASK) | tailroom(bytes);
}

/** The segment at hand follows what lies farthest ahead: what it is charged. */
export function chargeBehindLast(tcp: TcpContext, k: number): number {
  const rooms = tcp.cold[k + Cold.RCV_TAILROOM];
  const length = tcp.seg.textLength;
  if (length <= rooms >>> ROOM_AHEAD_SHIFT) {
    tcp.cold[k + Cold.RCV_TAILROOM] = rooms - (length << ROOM_AHEAD_SHIFT);
    return 0;
  }
  noteLastAhead(tcp, k);
  return costOfSegment(tcp);
}

/** The segment at hand is the end of what lies farthest ahead, in a buffer of its own. */
export function noteLastAhead(tcp: TcpContext, k: number): void {
  const rooms = tcp.cold[k + Cold.RCV_TAILROOM];
  tcp.cold[k + Cold.RCV_TAILROOM] = (rooms & ROOM_MASK) | (tailroomOfSegment(tcp) << ROOM_AHEAD_SHIFT);
}

/** What lay farthest ahead is gone; what does so now had its last segment at a time that is forgotten. */
export function forgetLastAhead(tcp: TcpContext, k: number): void {
  tcp.cold[k + Cold.RCV_TAILROOM] &= ROOM_MASK;
}

/**
 * What was out of order, `length` bytes for which `memory` was charged, joins the receive queue, which holds `before` bytes: all of it or, where `whole` is false, an end of it.
 * `last`: nothing lay farther ahead.
 */
export function chargeDelivered(
  tcp: TcpContext,
  k: number,
  before: number,
  length: number,
  memory: number,
  whole: boolean,
  last: boolean,
): void {
  const cold = tcp.cold;
  const rooms = cold[k + Cold.RCV_TAILROOM];
  if (before > 0 && whole && length <= (rooms & ROOM_MASK)) {
    cold[k + Cold.RCV_TAILROOM] = rooms - length;
    return;
  }
  cold[k + Cold.RCV_MEM] += memory;
  cold[k + Cold.RCV_TAILROOM] = last ? rooms >>> ROOM_AHEAD_SHIFT : rooms & ~ROOM_MASK;
}

/**
 * The program has read `count` bytes, `left` are there still. Deviation: Linux charges a segment until its last byte is read. Which segments the bytes came in is not kept here, so
 * what was read of one goes at once.
 */
export function releaseRead(tcp: TcpContext, k: number, count: number, left: number): void {
  const cold = tcp.cold;
  tcp.holders.noteRead(k, tcp.clock.ms);
  // A segment found no room, and now there is some: the ACK that has not gone yet says so, or the peer would wait for a probe of its own.
  cold[k + Cold.ACK_BITS] &= ~AckBit.NO_ROOM;
  if (left === 0) {
    cold[k + Cold.RCV_MEM] = 0;
    cold[k + Cold.RCV_TAILROOM] &= ~ROOM_MASK;
  } else {
    cold[k + Cold.RCV_MEM] = Math.floor(cold[k + Cold.RCV_MEM] * (left / (left + count)));
  }
}

/**
 * What waits to be read, `held` bytes, is counted as if it were copied into buffers of a page and one for the rest, where that is less: as Linux's tcp_collapse. There is no room
 * in front of the bytes then.
 */
export function packQueue(tcp: TcpContext, k: number, held: number): void {
  const cold = tcp.cold;
  const alone = tcp.limits.receiveWindowShare === TEXT_ALONE;
  const rest = held % PACKED_TEXT;
  const pages = (held - rest) / PACKED_TEXT;
  const packed = alone ? held : pages * PACKED_COST + (rest > 0 ? truesize(rest - IN_FRONT) : 0);
  if (packed >= cold[k + Cold.RCV_MEM]) return;
  cold[k + Cold.RCV_MEM] = packed;
  cold[k + Cold.RCV_TAILROOM] &= ~ROOM_MASK;
  if (!alone && rest > 0) cold[k + Cold.RCV_TAILROOM] |= tailroom(rest - IN_FRONT);
}
