import { emitIcmpv4, finishIcmpv4Checksum, Icmpv4, Icmpv4Type } from '../../../stack/wire/icmpv4.js';
import { Ecn, emitIpv4, IpProtocol, Ipv4, Ipv4Fragment, ipv4PseudoSum } from '../../../stack/wire/ipv4.js';
import { emitTcp, finishTcpChecksum, Tcp } from '../../../stack/wire/tcp.js';
import { emitUdp, finishUdpChecksum, Udp } from '../../../stack/wire/udp.js';
import type { IcmpPacket, IpMarks, TcpPacket, UdpPacket } from '../language/ast.js';
import { encodeTcpOptions } from './tcp-options.js';

/** Who speaks to whom, as the wire has it. Addresses are int32. */
export interface Route {
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** What packets have that do not say otherwise, as packetdrill's do. */
const DEFAULT_TTL = 255;
const ECN_BITS = { noecn: Ecn.NOT_ECT, ect0: Ecn.ECT0, ect1: Ecn.ECT1, ect01: Ecn.ECT0, ce: Ecn.CE } as const;
/** RFC 792: of the datagram that is complained of, the header and eight bytes. */
const QUOTED_BYTES = 8;

/** A TCP segment as an IPv4 datagram; its numbers are already those of the wire, its data zeros. */
export function buildTcp(packet: TcpPacket, route: Route): Uint8Array {
  const options = encodeTcpOptions(packet.options ?? []);
  const headerBytes = Tcp.HEADER_BYTES + options.length;
  const { bytes, view } = datagram(packet.marks, route, IpProtocol.TCP, headerBytes + packet.range.length);
  const at = Ipv4.HEADER_BYTES;
  emitTcp(
    view,
    at,
    route.sourcePort,
    route.destinationPort,
    packet.range.start | 0,
    (packet.ack ?? 0) | 0,
    headerBytes,
    packet.flags,
    packet.window ?? 0,
    packet.urgent ?? 0,
  );
  bytes.set(options, at + Tcp.HEADER_BYTES);
  const length = bytes.length - at;
  finishTcpChecksum(view, at, length, ipv4PseudoSum(route.source, route.destination, IpProtocol.TCP, length));
  return bytes;
}

export function buildUdp(packet: UdpPacket, route: Route): Uint8Array {
  const length = Udp.HEADER_BYTES + packet.length;
  const { bytes, view } = datagram(packet.marks, route, IpProtocol.UDP, length);
  const at = Ipv4.HEADER_BYTES;
  emitUdp(view, at, route.sourcePort, route.destinationPort, length);
  finishUdpChecksum(view, at, length, ipv4PseudoSum(route.source, route.destination, IpProtocol.UDP, length));
  return bytes;
}

/** `quoted`: the way of the datagram that is complained of, which is the other way round. */
export function buildIcmp(packet: IcmpPacket, route: Route, quoted: Route | undefined): Uint8Array {
  const quote = packet.quoted === undefined || quoted === undefined ? undefined : buildQuote(packet.quoted, quoted);
  const length = Icmpv4.HEADER_BYTES + (quote?.length ?? 0);
  const { bytes, view } = datagram(packet.marks, route, IpProtocol.ICMP, length);
  const at = Ipv4.HEADER_BYTES;
  const echo = packet.type === Icmpv4Type.ECHO || packet.type === Icmpv4Type.ECHO_REPLY;
  emitIcmpv4(view, at, packet.type, packet.code, echo ? (packet.id << 16) | packet.seq : (packet.mtu ?? 0));
  if (quote !== undefined) bytes.set(quote, at + Icmpv4.HEADER_BYTES);
  finishIcmpv4Checksum(view, at, length);
  return bytes;
}

function buildQuote(quoted: NonNullable<IcmpPacket['quoted']>, route: Route): Uint8Array {
  const bytes = new Uint8Array(Ipv4.HEADER_BYTES + QUOTED_BYTES);
  const view = new DataView(bytes.buffer);
  const tcp = quoted.protocol === 'tcp';
  const length = tcp ? Tcp.HEADER_BYTES + quoted.range.length : Udp.HEADER_BYTES + quoted.length;
  const at = Ipv4.HEADER_BYTES;
  emitIpv4(
    view,
    0,
    at,
    0,
    at + length,
    0,
    Ipv4Fragment.DF,
    DEFAULT_TTL,
    tcp ? IpProtocol.TCP : IpProtocol.UDP,
    route.source,
    route.destination,
  );
  view.setUint16(at, route.sourcePort);
  view.setUint16(at + 2, route.destinationPort);
  if (tcp) view.setInt32(at + 4, quoted.range.start | 0);
  else view.setUint16(at + 4, length);
  return bytes;
}

function datagram(marks: IpMarks, route: Route, protocol: number, payloadBytes: number) {
  const bytes = new Uint8Array(Ipv4.HEADER_BYTES + payloadBytes);
  const view = new DataView(bytes.buffer);
  const ecn = marks.ecn === undefined ? 0 : ECN_BITS[marks.ecn];
  const tos = marks.tos === undefined ? ecn : (marks.tos & ~(marks.ecn === undefined ? 0 : Ecn.MASK)) | ecn;
  emitIpv4(
    view,
    0,
    Ipv4.HEADER_BYTES,
    tos,
    bytes.length,
    0,
    Ipv4Fragment.DF,
    marks.ttl ?? DEFAULT_TTL,
    protocol,
    route.source,
    route.destination,
  );
  return { bytes, view };
}
