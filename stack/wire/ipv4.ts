import { finish, intact, sum } from './checksum.js';
import { Verdict } from './verdict.js';

/** RFC 791 §3.1. */
export const enum Ipv4 {
  VERSION_IHL = 0,
  TOS = 1,
  TOTAL_LENGTH = 2,
  ID = 4,
  /** Three flags and the fragment offset. */
  FRAGMENT = 6,
  TTL = 8,
  PROTOCOL = 9,
  CHECKSUM = 10,
  SOURCE = 12,
  DESTINATION = 16,
  OPTIONS = 20,
  /** Without options. */
  HEADER_BYTES = 20,
  HEADER_BYTES_MAX = 60,
  DATAGRAM_BYTES_MAX = 65535,
}

/** In the 16-bit word at `Ipv4.FRAGMENT`. */
export const enum Ipv4Fragment {
  DF = 0x4000,
  MF = 0x2000,
  OFFSET_MASK = 0x1fff,
}

export const enum IpProtocol {
  ICMP = 1,
  IGMP = 2,
  TCP = 6,
  UDP = 17,
  ICMPV6 = 58,
}

/** The lower two bits of the type of service octet: RFC 3168 §5. */
export const enum Ecn {
  NOT_ECT = 0,
  ECT1 = 1,
  ECT0 = 2,
  CE = 3,
  MASK = 3,
}

export const IPV4_BROADCAST = -1;

export function ipv4Version(view: DataView, at: number): number {
  return view.getUint8(at) >>> 4;
}
export function ipv4HeaderBytes(view: DataView, at: number): number {
  return (view.getUint8(at) & 0x0f) << 2;
}
export function ipv4Tos(view: DataView, at: number): number {
  return view.getUint8(at + Ipv4.TOS);
}
export function ipv4TotalLength(view: DataView, at: number): number {
  return view.getUint16(at + Ipv4.TOTAL_LENGTH);
}
export function ipv4Id(view: DataView, at: number): number {
  return view.getUint16(at + Ipv4.ID);
}
/** Flags and offset as they stand: zero but for DF means an unfragmented datagram. */
export function ipv4FragmentWord(view: DataView, at: number): number {
  return view.getUint16(at + Ipv4.FRAGMENT);
}
export function ipv4DontFragment(view: DataView, at: number): boolean {
  return (view.getUint16(at + Ipv4.FRAGMENT) & Ipv4Fragment.DF) !== 0;
}
export function ipv4MoreFragments(view: DataView, at: number): boolean {
  return (view.getUint16(at + Ipv4.FRAGMENT) & Ipv4Fragment.MF) !== 0;
}
/** In bytes. */
export function ipv4FragmentOffset(view: DataView, at: number): number {
  return (view.getUint16(at + Ipv4.FRAGMENT) & Ipv4Fragment.OFFSET_MASK) << 3;
}
/** Part of a datagram: more fragments follow, or it is not the first. */
export function ipv4IsFragment(view: DataView, at: number): boolean {
  return (view.getUint16(at + Ipv4.FRAGMENT) & (Ipv4Fragment.MF | Ipv4Fragment.OFFSET_MASK)) !== 0;
}
export function ipv4Ttl(view: DataView, at: number): number {
  return view.getUint8(at + Ipv4.TTL);
}
export function ipv4Protocol(view: DataView, at: number): number {
  return view.getUint8(at + Ipv4.PROTOCOL);
}
export function ipv4Checksum(view: DataView, at: number): number {
  return view.getUint16(at + Ipv4.CHECKSUM);
}
export function ipv4Source(view: DataView, at: number): number {
  return view.getInt32(at + Ipv4.SOURCE);
}
export function ipv4Destination(view: DataView, at: number): number {
  return view.getInt32(at + Ipv4.DESTINATION);
}

/**
 * RFC 1122 §3.2.1: version and checksum must be verified, and what fails is dropped in silence. `length` is what the link
 * delivered, which may be longer than the datagram (Ethernet pads) but never shorter.
 */
export function parseIpv4(view: DataView, at: number, length: number, verifyChecksum = true): Verdict {
  if (length < Ipv4.HEADER_BYTES) return Verdict.IP_TOO_SHORT;
  const versionIhl = view.getUint8(at);
  if (versionIhl >>> 4 !== 4) return Verdict.IP_VERSION;
  const headerBytes = (versionIhl & 0x0f) << 2;
  if (headerBytes < Ipv4.HEADER_BYTES || headerBytes > length) return Verdict.IP_HEADER_LENGTH;
  const totalLength = view.getUint16(at + Ipv4.TOTAL_LENGTH);
  if (totalLength < headerBytes || totalLength > length) return Verdict.IP_TOTAL_LENGTH;
  if (verifyChecksum && !intact(sum(view, at, headerBytes))) return Verdict.IP_CHECKSUM;
  return Verdict.OK;
}

/** Options, if `headerBytes` has room for any, are in place already: the checksum, written here, covers them. */
export function emitIpv4(
  view: DataView,
  at: number,
  headerBytes: number,
  tos: number,
  totalLength: number,
  id: number,
  fragmentWord: number,
  ttl: number,
  protocol: number,
  source: number,
  destination: number,
): void {
  view.setUint16(at, 0x4000 | (headerBytes << 6) | tos);
  view.setUint16(at + Ipv4.TOTAL_LENGTH, totalLength);
  view.setUint16(at + Ipv4.ID, id);
  view.setUint16(at + Ipv4.FRAGMENT, fragmentWord);
  view.setUint16(at + Ipv4.TTL, (ttl << 8) | protocol);
  view.setInt32(at + Ipv4.SOURCE, source);
  view.setInt32(at + Ipv4.DESTINATION, destination);
  if (headerBytes > Ipv4.HEADER_BYTES) {
    finishIpv4Checksum(view, at);
    return;
  }
  // Summed from the arguments: cheaper than reading back what was just written.
  const words =
    (0x4000 | (headerBytes << 6) | tos) +
    (totalLength & 0xffff) +
    (id & 0xffff) +
    (fragmentWord & 0xffff) +
    ((ttl << 8) | protocol) +
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff);
  view.setUint16(at + Ipv4.CHECKSUM, finish(words));
}

/** Computes the header's checksum anew, after a change to it. */
export function finishIpv4Checksum(view: DataView, at: number): void {
  view.setUint16(at + Ipv4.CHECKSUM, 0);
  view.setUint16(at + Ipv4.CHECKSUM, finish(sum(view, at, ipv4HeaderBytes(view, at))));
}

/** The sum of the pseudo-header that TCP (RFC 9293 §3.1) and UDP (RFC 768) put before their own. Not folded. */
export function ipv4PseudoSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

/** 224.0.0.0/4: RFC 1112 §4. */
export function isMulticastIpv4(address: number): boolean {
  return address >>> 28 === 0xe;
}

/** `10.0.0.1` */
export function formatIpv4Address(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/**
 * Four decimal numbers, no more and no less; undefined for anything else. A leading zero is refused: some read it as
 * octal, and what two programs read differently is a hole.
 */
export function parseIpv4Address(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let address = 0;
  for (let i = 1; i <= 4; i++) {
    const part = Number(match[i]);
    if (part > 255 || String(part) !== match[i]) return undefined;
    address = (address << 8) | part;
  }
  return address;
}

/** What tcpdump puts in brackets after `IP` when there is something unusual to say; empty otherwise. */
export function printIpv4Fragment(view: DataView, at: number): string {
  if (!ipv4IsFragment(view, at)) return '';
  const bytes = ipv4TotalLength(view, at) - ipv4HeaderBytes(view, at);
  const more = ipv4MoreFragments(view, at) ? '+' : '';
  return `frag ${ipv4Id(view, at)}:${bytes}@${ipv4FragmentOffset(view, at)}${more}`;
}
