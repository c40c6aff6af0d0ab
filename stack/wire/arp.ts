import { EtherType, formatMac } from './ethernet.js';
import { formatIpv4Address } from './ipv4.js';
import { Verdict } from './verdict.js';

/** ARP for IPv4 over Ethernet: RFC 826. */
export const enum Arp {
  HARDWARE = 0,
  PROTOCOL = 2,
  HARDWARE_LENGTH = 4,
  PROTOCOL_LENGTH = 5,
  OPERATION = 6,
  SENDER_MAC = 8,
  SENDER_IP = 14,
  TARGET_MAC = 18,
  TARGET_IP = 24,
  PACKET_BYTES = 28,
  HARDWARE_ETHERNET = 1,
}

export const enum ArpOperation {
  REQUEST = 1,
  REPLY = 2,
}

export function arpOperation(view: DataView, at: number): number {
  return view.getUint16(at + Arp.OPERATION);
}
export function arpSenderMacHi(view: DataView, at: number): number {
  return view.getUint16(at + Arp.SENDER_MAC);
}
export function arpSenderMacLo(view: DataView, at: number): number {
  return view.getInt32(at + Arp.SENDER_MAC + 2);
}
export function arpSenderIp(view: DataView, at: number): number {
  return view.getInt32(at + Arp.SENDER_IP);
}
export function arpTargetMacHi(view: DataView, at: number): number {
  return view.getUint16(at + Arp.TARGET_MAC);
}
export function arpTargetMacLo(view: DataView, at: number): number {
  return view.getInt32(at + Arp.TARGET_MAC + 2);
}
export function arpTargetIp(view: DataView, at: number): number {
  return view.getInt32(at + Arp.TARGET_IP);
}

/**
 * RFC 826, "Packet Reception": the questions of hardware type, protocol and lengths, before anything is believed. Other
 * operations than request and reply are legal and left to the caller. A sender that is a group address is a forgery:
 * answering it would send to everyone.
 */
export function parseArp(view: DataView, at: number, length: number): Verdict {
  if (length < Arp.PACKET_BYTES) return Verdict.ARP_TOO_SHORT;
  // Hardware length 6 and protocol length 4, read at once.
  if (
    view.getUint16(at + Arp.HARDWARE) !== Arp.HARDWARE_ETHERNET ||
    view.getUint16(at + Arp.PROTOCOL) !== EtherType.IPV4 ||
    view.getUint16(at + Arp.HARDWARE_LENGTH) !== 0x0604
  ) {
    return Verdict.ARP_MALFORMED;
  }
  if ((arpSenderMacHi(view, at) & 0x0100) !== 0) return Verdict.ARP_MALFORMED;
  return Verdict.OK;
}

export function emitArp(
  view: DataView,
  at: number,
  operation: number,
  senderMacHi: number,
  senderMacLo: number,
  senderIp: number,
  targetMacHi: number,
  targetMacLo: number,
  targetIp: number,
): void {
  view.setUint16(at + Arp.HARDWARE, Arp.HARDWARE_ETHERNET);
  view.setUint16(at + Arp.PROTOCOL, EtherType.IPV4);
  view.setUint16(at + Arp.HARDWARE_LENGTH, 0x0604);
  view.setUint16(at + Arp.OPERATION, operation);
  view.setUint16(at + Arp.SENDER_MAC, senderMacHi);
  view.setInt32(at + Arp.SENDER_MAC + 2, senderMacLo);
  view.setInt32(at + Arp.SENDER_IP, senderIp);
  view.setUint16(at + Arp.TARGET_MAC, targetMacHi);
  view.setInt32(at + Arp.TARGET_MAC + 2, targetMacLo);
  view.setInt32(at + Arp.TARGET_IP, targetIp);
}

export function printArp(view: DataView, at: number, length: number): string {
  if (length < Arp.PACKET_BYTES) return `ARP, truncated, length ${length}`;
  if (parseArp(view, at, length) !== Verdict.OK) return `ARP, malformed, length ${length}`;
  const sender = formatIpv4Address(arpSenderIp(view, at));
  const target = formatIpv4Address(arpTargetIp(view, at));
  const operation = arpOperation(view, at);
  if (operation === ArpOperation.REQUEST) {
    if (sender === target) return `ARP, Announcement ${sender}, length ${length}`;
    if (arpSenderIp(view, at) === 0) return `ARP, Probe ${target}, length ${length}`;
    return `ARP, Request who-has ${target} tell ${sender}, length ${length}`;
  }
  if (operation === ArpOperation.REPLY) {
    const mac = formatMac(arpSenderMacHi(view, at), arpSenderMacLo(view, at));
    return `ARP, Reply ${sender} is-at ${mac}, length ${length}`;
  }
  return `ARP, operation ${operation}, length ${length}`;
}
