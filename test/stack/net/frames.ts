import { parseAddress } from '../../../stack/net/address.js';
import { ArpOperation, emitArp } from '../../../stack/wire/arp.js';
import { EtherType, emitEthernet } from '../../../stack/wire/ethernet.js';
import { emitIcmpv4, finishIcmpv4Checksum } from '../../../stack/wire/icmpv4.js';
import { emitIpv4, ipv4PseudoSum } from '../../../stack/wire/ipv4.js';
import { emitUdp, finishUdpChecksum } from '../../../stack/wire/udp.js';

export const BROADCAST_MAC = 'ff:ff:ff:ff:ff:ff';
/** Of the hosts in `pair.ts`. */
export function macOf(number: number): string {
  return `02:00:00:00:00:0${number}`;
}

function macHi(mac: string): number {
  return Number.parseInt(mac.replaceAll(':', '').slice(0, 4), 16);
}
function macLo(mac: string): number {
  return Number.parseInt(mac.replaceAll(':', '').slice(4), 16) | 0;
}

export function ethernet(to: string, from: string, type: number, payload: Uint8Array): Uint8Array {
  const frame = new Uint8Array(14 + payload.length);
  emitEthernet(new DataView(frame.buffer), 0, macHi(to), macLo(to), macHi(from), macLo(from), type);
  frame.set(payload, 14);
  return frame;
}

export interface Ip {
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: number;
  readonly payload?: Uint8Array;
  readonly options?: readonly number[];
  readonly id?: number;
  /** In bytes. */
  readonly offset?: number;
  readonly more?: boolean;
  readonly df?: boolean;
  readonly ttl?: number;
  readonly tos?: number;
  /** Says another length than there is. */
  readonly totalLength?: number;
}

/** A datagram from 10.0.0.2 to 10.0.0.1, as far as nothing else is said. */
export function datagram(ip: Ip): Uint8Array {
  const options = ip.options ?? [];
  const payload = ip.payload ?? new Uint8Array(0);
  const headerBytes = 20 + options.length;
  const bytes = new Uint8Array(headerBytes + payload.length);
  bytes.set(options, 20);
  bytes.set(payload, headerBytes);
  const fragment = (ip.df === true ? 0x4000 : 0) | (ip.more === true ? 0x2000 : 0) | ((ip.offset ?? 0) >>> 3);
  emitIpv4(
    new DataView(bytes.buffer),
    0,
    headerBytes,
    ip.tos ?? 0,
    ip.totalLength ?? bytes.length,
    ip.id ?? 1,
    fragment,
    ip.ttl ?? 64,
    ip.protocol ?? 253,
    parseAddress(ip.from ?? '10.0.0.2'),
    parseAddress(ip.to ?? '10.0.0.1'),
  );
  return bytes;
}

/** The datagram in a frame from host 2 to host 1. */
export function frame(ip: Ip, to = macOf(1), from = macOf(2)): Uint8Array {
  return ethernet(to, from, EtherType.IPV4, datagram(ip));
}

export function udp(
  sourcePort: number,
  destinationPort: number,
  data: Uint8Array,
  from = '10.0.0.2',
  to = '10.0.0.1',
): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  const view = new DataView(bytes.buffer);
  emitUdp(view, 0, sourcePort, destinationPort, bytes.length);
  bytes.set(data, 8);
  finishUdpChecksum(view, 0, bytes.length, ipv4PseudoSum(parseAddress(from), parseAddress(to), 17, bytes.length));
  return bytes;
}

export function icmp(type: number, code: number, rest: number, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const bytes = new Uint8Array(8 + data.length);
  const view = new DataView(bytes.buffer);
  emitIcmpv4(view, 0, type, code, rest);
  bytes.set(data, 8);
  finishIcmpv4Checksum(view, 0, bytes.length);
  return bytes;
}

export interface ArpPacket {
  readonly operation?: ArpOperation;
  readonly senderMac?: string;
  readonly senderIp?: string;
  readonly targetMac?: string;
  readonly targetIp?: string;
  /** Ethernet destination. */
  readonly to?: string;
}

/** "Who has 10.0.0.1? Tell 10.0.0.2", as far as nothing else is said. */
export function arp(packet: ArpPacket = {}): Uint8Array {
  const bytes = new Uint8Array(28);
  const sender = packet.senderMac ?? macOf(2);
  const target = packet.targetMac ?? '00:00:00:00:00:00';
  emitArp(
    new DataView(bytes.buffer),
    0,
    packet.operation ?? ArpOperation.REQUEST,
    macHi(sender),
    macLo(sender),
    parseAddress(packet.senderIp ?? '10.0.0.2'),
    macHi(target),
    macLo(target),
    parseAddress(packet.targetIp ?? '10.0.0.1'),
  );
  return ethernet(packet.to ?? BROADCAST_MAC, sender, EtherType.ARP, bytes);
}

/** What a frame is, in a word or two, for comparing sequences of them. */
export function summary(bytes: Uint8Array): string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const to = [...bytes.subarray(0, 6)].map((byte) => byte.toString(16).padStart(2, '0')).join(':');
  const type = view.getUint16(12);
  if (type === EtherType.ARP) {
    const operation = view.getUint16(20);
    const sender = [...bytes.subarray(28, 32)].join('.');
    const target = [...bytes.subarray(38, 42)].join('.');
    const what = operation === 2 ? 'reply' : sender === target ? 'announce' : 'request';
    return `arp ${what} ${target} to ${to === BROADCAST_MAC ? 'all' : to}`;
  }
  if (type !== EtherType.IPV4) return `type ${type.toString(16)}`;
  return `ip ${view.getUint8(23)} to ${[...bytes.subarray(30, 34)].join('.')} by ${to}`;
}
