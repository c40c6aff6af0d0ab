import { finish, intact, sum } from './checksum.js';
import { printTcpOptions } from './tcp-options.js';
import { Verdict } from './verdict.js';

/** RFC 9293 §3.1. */
export const enum Tcp {
  SOURCE_PORT = 0,
  DESTINATION_PORT = 2,
  SEQ = 4,
  ACK = 8,
  /** Data offset (4 bits), reserved (3), and the nine flags. */
  OFFSET_FLAGS = 12,
  WINDOW = 14,
  CHECKSUM = 16,
  URGENT = 18,
  OPTIONS = 20,
  /** Without options. */
  HEADER_BYTES = 20,
  HEADER_BYTES_MAX = 60,
  OPTION_BYTES_MAX = 40,
}

/** The control bits, as `tcpFlags` returns them. */
export const enum TcpFlag {
  FIN = 0x001,
  SYN = 0x002,
  RST = 0x004,
  PSH = 0x008,
  ACK = 0x010,
  URG = 0x020,
  ECE = 0x040,
  CWR = 0x080,
  /** Accurate ECN (RFC 9768); the nonce sum of RFC 3540 before it. */
  AE = 0x100,
  MASK = 0x1ff,
}

export function tcpSourcePort(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.SOURCE_PORT);
}
export function tcpDestinationPort(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.DESTINATION_PORT);
}
export function tcpSeq(view: DataView, at: number): number {
  return view.getInt32(at + Tcp.SEQ);
}
export function tcpAck(view: DataView, at: number): number {
  return view.getInt32(at + Tcp.ACK);
}
/** The data offset in bytes: where the data begins, counted from the header. */
export function tcpHeaderBytes(view: DataView, at: number): number {
  return (view.getUint8(at + Tcp.OFFSET_FLAGS) >>> 4) << 2;
}
export function tcpFlags(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.OFFSET_FLAGS) & TcpFlag.MASK;
}
/** As it stands, unscaled. */
export function tcpWindow(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.WINDOW);
}
export function tcpChecksum(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.CHECKSUM);
}
export function tcpUrgentPointer(view: DataView, at: number): number {
  return view.getUint16(at + Tcp.URGENT);
}

/**
 * `length` is the whole segment's, and `pseudoSum` the sum of the pseudo-header with that length in it. RFC 9293 §3.1,
 * MUST-3: the receiver must check the checksum; only a device that has done so already excuses us. The reserved bits are
 * ignored, as the same section demands.
 */
export function parseTcp(
  view: DataView,
  at: number,
  length: number,
  pseudoSum: number,
  verifyChecksum = true,
): Verdict {
  if (length < Tcp.HEADER_BYTES) return Verdict.TCP_TOO_SHORT;
  const headerBytes = tcpHeaderBytes(view, at);
  if (headerBytes < Tcp.HEADER_BYTES || headerBytes > length) return Verdict.TCP_DATA_OFFSET;
  if (verifyChecksum && !intact(sum(view, at, length) + pseudoSum)) return Verdict.TCP_CHECKSUM;
  return Verdict.OK;
}

/** Writes the fixed header with a checksum of zero; `finishTcpChecksum` follows when options and data are in place. */
export function emitTcp(
  view: DataView,
  at: number,
  sourcePort: number,
  destinationPort: number,
  seq: number,
  ack: number,
  headerBytes: number,
  flags: number,
  window: number,
  urgentPointer: number,
): void {
  view.setUint16(at + Tcp.SOURCE_PORT, sourcePort);
  view.setUint16(at + Tcp.DESTINATION_PORT, destinationPort);
  view.setInt32(at + Tcp.SEQ, seq);
  view.setInt32(at + Tcp.ACK, ack);
  view.setUint16(at + Tcp.OFFSET_FLAGS, (headerBytes << 10) | flags);
  view.setUint16(at + Tcp.WINDOW, window);
  view.setUint16(at + Tcp.CHECKSUM, 0);
  view.setUint16(at + Tcp.URGENT, urgentPointer);
}

/** RFC 9293 §3.1, MUST-2. Unlike UDP's, a checksum of zero is sent as it is. */
export function finishTcpChecksum(view: DataView, at: number, length: number, pseudoSum: number): void {
  view.setUint16(at + Tcp.CHECKSUM, 0);
  view.setUint16(at + Tcp.CHECKSUM, finish(sum(view, at, length) + pseudoSum));
}

/**
 * `Flags [S.], seq 1, ack 2, win 65535, options [mss 1460], length 0`. Sequence numbers are given less `seqBase` and
 * acknowledgments less `ackBase`: with both sides' initial sequence numbers they come out relative, as tcpdump shows them.
 */
export function printTcp(view: DataView, at: number, length: number, seqBase = 0, ackBase = 0): string {
  if (length < Tcp.HEADER_BYTES) return `tcp truncated, length ${length}`;
  const headerBytes = tcpHeaderBytes(view, at);
  if (headerBytes < Tcp.HEADER_BYTES || headerBytes > length) {
    return `tcp bad hdr length ${headerBytes}, length ${length}`;
  }
  const flags = tcpFlags(view, at);
  const data = length - headerBytes;
  const seq = (tcpSeq(view, at) - seqBase) >>> 0;
  let text = `Flags [${printTcpFlags(flags)}]`;
  if (data > 0) text += `, seq ${seq}:${(seq + data) >>> 0}`;
  else if ((flags & (TcpFlag.SYN | TcpFlag.FIN | TcpFlag.RST)) !== 0) text += `, seq ${seq}`;
  if ((flags & TcpFlag.ACK) !== 0) text += `, ack ${(tcpAck(view, at) - ackBase) >>> 0}`;
  text += `, win ${tcpWindow(view, at)}`;
  if ((flags & TcpFlag.URG) !== 0) text += `, urg ${tcpUrgentPointer(view, at)}`;
  const options = printTcpOptions(view, at + Tcp.OPTIONS, headerBytes - Tcp.HEADER_BYTES, ackBase);
  if (options !== '') text += `, options [${options}]`;
  return `${text}, length ${data}`;
}

/** tcpdump's letters, in the bits' order; a dot for ACK. */
function printTcpFlags(flags: number): string {
  if (flags === 0) return 'none';
  let text = '';
  for (let bit = 0; bit < 9; bit++) if ((flags & (1 << bit)) !== 0) text += 'FSRP.UEWe'[bit];
  return text;
}
