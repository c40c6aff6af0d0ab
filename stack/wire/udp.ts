import { finish, intact, sum } from './checksum.js';
import { Verdict } from './verdict.js';

/** RFC 768. */
export const enum Udp {
  SOURCE_PORT = 0,
  DESTINATION_PORT = 2,
  LENGTH = 4,
  CHECKSUM = 6,
  HEADER_BYTES = 8,
}

export function udpSourcePort(view: DataView, at: number): number {
  return view.getUint16(at + Udp.SOURCE_PORT);
}
export function udpDestinationPort(view: DataView, at: number): number {
  return view.getUint16(at + Udp.DESTINATION_PORT);
}
/** Header and data. */
export function udpLength(view: DataView, at: number): number {
  return view.getUint16(at + Udp.LENGTH);
}
export function udpChecksum(view: DataView, at: number): number {
  return view.getUint16(at + Udp.CHECKSUM);
}

/**
 * `pseudoSum` is that of the IP payload's `length`. UDP has a length of its own, which may be shorter; the pseudo-header
 * then carries UDP's (RFC 768), so the difference is put right here and the caller needs not know.
 *
 * RFC 768: a checksum field of zero means that the sender computed none. RFC 1122 §4.1.3.4: that must be accepted, and a
 * wrong one dropped.
 */
export function parseUdp(
  view: DataView,
  at: number,
  length: number,
  pseudoSum: number,
  verifyChecksum = true,
): Verdict {
  if (length < Udp.HEADER_BYTES) return Verdict.UDP_TOO_SHORT;
  const udpBytes = udpLength(view, at);
  if (udpBytes < Udp.HEADER_BYTES || udpBytes > length) return Verdict.UDP_LENGTH;
  if (!verifyChecksum || udpChecksum(view, at) === 0) return Verdict.OK;
  const corrected = pseudoSum + (~length & 0xffff) + udpBytes;
  return intact(sum(view, at, udpBytes) + corrected) ? Verdict.OK : Verdict.UDP_CHECKSUM;
}

/** Writes the header with a checksum of zero, which is legal as it stands. */
export function emitUdp(view: DataView, at: number, sourcePort: number, destinationPort: number, length: number): void {
  view.setUint16(at + Udp.SOURCE_PORT, sourcePort);
  view.setUint16(at + Udp.DESTINATION_PORT, destinationPort);
  view.setUint16(at + Udp.LENGTH, length);
  view.setUint16(at + Udp.CHECKSUM, 0);
}

/** RFC 768: a sum that comes out as zero is sent as all ones, since zero says "none". */
export function finishUdpChecksum(view: DataView, at: number, length: number, pseudoSum: number): void {
  view.setUint16(at + Udp.CHECKSUM, 0);
  const checksum = finish(sum(view, at, length) + pseudoSum);
  view.setUint16(at + Udp.CHECKSUM, checksum === 0 ? 0xffff : checksum);
}

export function printUdp(view: DataView, at: number, length: number): string {
  if (length < Udp.HEADER_BYTES) return `UDP, truncated-udp, length ${length}`;
  const bytes = udpLength(view, at);
  if (bytes < Udp.HEADER_BYTES || bytes > length) return `UDP, bad length ${bytes} > ${length}`;
  return `UDP, length ${bytes - Udp.HEADER_BYTES}`;
}
