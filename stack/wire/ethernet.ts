import { Verdict } from './verdict.js';

/** Ethernet II: RFC 894. */
export const enum Ethernet {
  DESTINATION = 0,
  SOURCE = 6,
  TYPE = 12,
  HEADER_BYTES = 14,
  /** Shortest frame without its checksum; what is shorter was padded, or comes from a virtual wire, which does not pad. */
  FRAME_BYTES_MIN = 60,
}

export const enum EtherType {
  IPV4 = 0x0800,
  ARP = 0x0806,
  VLAN = 0x8100,
  IPV6 = 0x86dd,
  /** The outer of two tags: IEEE 802.1ad. */
  SERVICE_VLAN = 0x88a8,
  /** Lower values are a length: an IEEE 802.3 frame, with an LLC header. */
  MIN = 0x0600,
}

/** A MAC address is two ints: the upper 16 bits, unsigned, and the lower 32, signed. */
export const enum Mac {
  BROADCAST_HI = 0xffff,
  BROADCAST_LO = -1,
  /** Set in the upper 16 bits of a group address: the lowest bit of the first byte. */
  GROUP_BIT = 0x0100,
}

export function ethernetDestinationHi(view: DataView, at: number): number {
  return view.getUint16(at + Ethernet.DESTINATION);
}
export function ethernetDestinationLo(view: DataView, at: number): number {
  return view.getInt32(at + Ethernet.DESTINATION + 2);
}
export function ethernetSourceHi(view: DataView, at: number): number {
  return view.getUint16(at + Ethernet.SOURCE);
}
export function ethernetSourceLo(view: DataView, at: number): number {
  return view.getInt32(at + Ethernet.SOURCE + 2);
}
export function ethernetType(view: DataView, at: number): number {
  return view.getUint16(at + Ethernet.TYPE);
}

/**
 * RFC 1122 §2.3.3: a host must take RFC 894 frames; RFC 1042's (802.3 with LLC and SNAP) it should take.
 * Deviation: we do not take 802.3, as Linux does not for IP. Their length field reads as an unknown type.
 */
export function parseEthernet(view: DataView, at: number, length: number): Verdict {
  if (length < Ethernet.HEADER_BYTES) return Verdict.FRAME_TOO_SHORT;
  return ethernetType(view, at) < EtherType.MIN ? Verdict.ETHERTYPE_UNKNOWN : Verdict.OK;
}

export function emitEthernet(
  view: DataView,
  at: number,
  destinationHi: number,
  destinationLo: number,
  sourceHi: number,
  sourceLo: number,
  type: number,
): void {
  view.setUint16(at, destinationHi);
  view.setInt32(at + 2, destinationLo);
  view.setUint16(at + Ethernet.SOURCE, sourceHi);
  view.setInt32(at + Ethernet.SOURCE + 2, sourceLo);
  view.setUint16(at + Ethernet.TYPE, type);
}

export function isGroupMac(hi: number): boolean {
  return (hi & Mac.GROUP_BIT) !== 0;
}
export function isBroadcastMac(hi: number, lo: number): boolean {
  return hi === Mac.BROADCAST_HI && (lo | 0) === Mac.BROADCAST_LO;
}

/** The MAC of an IPv4 multicast group: 01:00:5e and the group's lower 23 bits (RFC 1112 §6.4). The upper 16 bits … */
export function multicastMacHi(): number {
  return 0x0100;
}
/** … and the lower 32. */
export function multicastMacLo(group: number): number {
  return 0x5e000000 | (group & 0x7fffff);
}

/** `02:00:00:00:00:01` */
export function formatMac(hi: number, lo: number): string {
  const digits = (hi & 0xffff).toString(16).padStart(4, '0') + (lo >>> 0).toString(16).padStart(8, '0');
  return digits.replace(/..(?=.)/g, '$&:');
}

/** The six bytes of `02:00:00:00:00:01` (or with hyphens), or undefined for any other text. Control path. */
export function parseMac(text: string): Uint8Array | undefined {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return undefined;
  return Uint8Array.from(text.split(/[:-]/), (byte) => Number.parseInt(byte, 16));
}

export function printEthernet(view: DataView, at: number): string {
  const source = formatMac(ethernetSourceHi(view, at), ethernetSourceLo(view, at));
  const destination = formatMac(ethernetDestinationHi(view, at), ethernetDestinationLo(view, at));
  return `${source} > ${destination}, ethertype 0x${ethernetType(view, at).toString(16).padStart(4, '0')}`;
}
