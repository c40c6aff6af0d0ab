import { finish, intact, sum } from './checksum.js';
import { formatIpv4Address, IpProtocol, Ipv4, ipv4Destination, ipv4HeaderBytes, ipv4Protocol } from './ipv4.js';
import { Verdict } from './verdict.js';

/** RFC 792. The second word depends on the type. */
export const enum Icmpv4 {
  TYPE = 0,
  CODE = 1,
  CHECKSUM = 2,
  /** The second word: unused, gateway, pointer, or identifier and sequence number. */
  REST = 4,
  ID = 4,
  SEQ = 6,
  /** In "fragmentation needed": RFC 1191 §4. */
  NEXT_HOP_MTU = 6,
  POINTER = 4,
  GATEWAY = 4,
  /** The datagram that an error quotes; the data of an echo. */
  QUOTE = 8,
  DATA = 8,
  HEADER_BYTES = 8,
  /** Of the quoted datagram behind its IP header: RFC 792. */
  QUOTE_TRANSPORT_BYTES_MIN = 8,
}

export const enum Icmpv4Type {
  ECHO_REPLY = 0,
  DESTINATION_UNREACHABLE = 3,
  SOURCE_QUENCH = 4,
  REDIRECT = 5,
  ECHO = 8,
  ROUTER_ADVERTISEMENT = 9,
  ROUTER_SOLICITATION = 10,
  TIME_EXCEEDED = 11,
  PARAMETER_PROBLEM = 12,
  TIMESTAMP = 13,
  TIMESTAMP_REPLY = 14,
}

/** Codes of DESTINATION_UNREACHABLE: RFC 792, RFC 1122 §3.2.2.1, RFC 1812 §5.2.7.1. */
export const enum Unreachable {
  NET = 0,
  HOST = 1,
  PROTOCOL = 2,
  PORT = 3,
  FRAGMENTATION_NEEDED = 4,
  SOURCE_ROUTE_FAILED = 5,
  NET_UNKNOWN = 6,
  HOST_UNKNOWN = 7,
  SOURCE_HOST_ISOLATED = 8,
  NET_PROHIBITED = 9,
  HOST_PROHIBITED = 10,
  NET_TOS = 11,
  HOST_TOS = 12,
  COMMUNICATION_PROHIBITED = 13,
  HOST_PRECEDENCE = 14,
  PRECEDENCE_CUTOFF = 15,
}

export const enum TimeExceeded {
  IN_TRANSIT = 0,
  IN_REASSEMBLY = 1,
}

export const enum ParameterProblem {
  POINTER = 0,
  OPTION_MISSING = 1,
  BAD_LENGTH = 2,
}

export const enum Redirect {
  NET = 0,
  HOST = 1,
  TOS_NET = 2,
  TOS_HOST = 3,
}

export function icmpv4Type(view: DataView, at: number): number {
  return view.getUint8(at + Icmpv4.TYPE);
}
export function icmpv4Code(view: DataView, at: number): number {
  return view.getUint8(at + Icmpv4.CODE);
}
export function icmpv4Checksum(view: DataView, at: number): number {
  return view.getUint16(at + Icmpv4.CHECKSUM);
}
/** Of an echo or its reply. */
export function icmpv4Id(view: DataView, at: number): number {
  return view.getUint16(at + Icmpv4.ID);
}
export function icmpv4Seq(view: DataView, at: number): number {
  return view.getUint16(at + Icmpv4.SEQ);
}
/** Of "fragmentation needed"; zero from a router older than RFC 1191. */
export function icmpv4NextHopMtu(view: DataView, at: number): number {
  return view.getUint16(at + Icmpv4.NEXT_HOP_MTU);
}
/** Of a parameter problem: which byte of the quoted header is wrong. */
export function icmpv4Pointer(view: DataView, at: number): number {
  return view.getUint8(at + Icmpv4.POINTER);
}
/** Of a redirect. */
export function icmpv4Gateway(view: DataView, at: number): number {
  return view.getInt32(at + Icmpv4.GATEWAY);
}

/** An error, which quotes what caused it and must never cause another: RFC 1122 §3.2.2. */
export function icmpv4IsError(type: number): boolean {
  return (
    type === Icmpv4Type.DESTINATION_UNREACHABLE ||
    type === Icmpv4Type.SOURCE_QUENCH ||
    type === Icmpv4Type.REDIRECT ||
    type === Icmpv4Type.TIME_EXCEEDED ||
    type === Icmpv4Type.PARAMETER_PROBLEM
  );
}

/** Every type has at least the two words; what stands behind them is checked by `parseIcmpv4Quote` for errors. */
export function parseIcmpv4(view: DataView, at: number, length: number, verifyChecksum = true): Verdict {
  if (length < Icmpv4.HEADER_BYTES) return Verdict.ICMP_TOO_SHORT;
  if (verifyChecksum && !intact(sum(view, at, length))) return Verdict.ICMP_CHECKSUM;
  return Verdict.OK;
}

/**
 * `length` is that of the whole ICMP message at `at`. After OK the IPv4 accessors are safe at `at + Icmpv4.QUOTE` and 8
 * bytes of the transport header at `icmpv4QuoteTransport`. The quoted total length is larger than the quote, as a rule,
 * and the quoted checksum is not verified: routers count down the TTL before they quote.
 */
export function parseIcmpv4Quote(view: DataView, at: number, length: number): Verdict {
  const quoted = length - Icmpv4.QUOTE;
  if (quoted < Ipv4.HEADER_BYTES) return Verdict.ICMP_QUOTE_INVALID;
  const quoteAt = at + Icmpv4.QUOTE;
  if (view.getUint8(quoteAt) >>> 4 !== 4) return Verdict.ICMP_QUOTE_INVALID;
  const headerBytes = ipv4HeaderBytes(view, quoteAt);
  if (headerBytes < Ipv4.HEADER_BYTES || headerBytes + Icmpv4.QUOTE_TRANSPORT_BYTES_MIN > quoted) {
    return Verdict.ICMP_QUOTE_INVALID;
  }
  return Verdict.OK;
}
/** Offset of the quoted transport header. */
export function icmpv4QuoteTransport(view: DataView, at: number): number {
  return at + Icmpv4.QUOTE + ipv4HeaderBytes(view, at + Icmpv4.QUOTE);
}

/** Writes the two words with a checksum of zero; `finishIcmpv4Checksum` follows when the rest is in place. */
export function emitIcmpv4(view: DataView, at: number, type: number, code: number, rest: number): void {
  view.setUint8(at + Icmpv4.TYPE, type);
  view.setUint8(at + Icmpv4.CODE, code);
  view.setUint16(at + Icmpv4.CHECKSUM, 0);
  view.setInt32(at + Icmpv4.REST, rest);
}

/** No pseudo-header: RFC 792. */
export function finishIcmpv4Checksum(view: DataView, at: number, length: number): void {
  view.setUint16(at + Icmpv4.CHECKSUM, 0);
  view.setUint16(at + Icmpv4.CHECKSUM, finish(sum(view, at, length)));
}

/** `ICMP echo request, id 1, seq 2, length 64` */
export function printIcmpv4(view: DataView, at: number, length: number): string {
  if (length < Icmpv4.HEADER_BYTES) return `ICMP, truncated, length ${length}`;
  return `ICMP ${printMessage(view, at, length)}, length ${length}`;
}

function printMessage(view: DataView, at: number, length: number): string {
  const type = icmpv4Type(view, at);
  const code = icmpv4Code(view, at);
  switch (type) {
    case Icmpv4Type.ECHO_REPLY:
    case Icmpv4Type.ECHO: {
      const name = type === Icmpv4Type.ECHO ? 'echo request' : 'echo reply';
      return `${name}, id ${icmpv4Id(view, at)}, seq ${icmpv4Seq(view, at)}`;
    }
    case Icmpv4Type.DESTINATION_UNREACHABLE:
      return printUnreachable(view, at, length, code);
    case Icmpv4Type.SOURCE_QUENCH:
      return 'source quench';
    case Icmpv4Type.REDIRECT: {
      const gateway = formatIpv4Address(icmpv4Gateway(view, at));
      const scope = ['net', 'host', 'tos-net', 'tos-host'][code] ?? `code ${code}`;
      return `redirect ${quotedDestination(view, at, length)} to ${scope} ${gateway}`;
    }
    case Icmpv4Type.ROUTER_ADVERTISEMENT:
      return 'router advertisement';
    case Icmpv4Type.ROUTER_SOLICITATION:
      return 'router solicitation';
    case Icmpv4Type.TIME_EXCEEDED:
      if (code === TimeExceeded.IN_TRANSIT) return 'time exceeded in-transit';
      return code === TimeExceeded.IN_REASSEMBLY ? 'ip reassembly time exceeded' : `time exceeded code ${code}`;
    case Icmpv4Type.PARAMETER_PROBLEM:
      if (code === ParameterProblem.POINTER) return `parameter problem - octet ${icmpv4Pointer(view, at)}`;
      return `parameter problem - code ${code}`;
    case Icmpv4Type.TIMESTAMP:
      return 'time stamp query';
    case Icmpv4Type.TIMESTAMP_REPLY:
      return 'time stamp reply';
    default:
      return `type-#${type} code ${code}`;
  }
}

function quotedDestination(view: DataView, at: number, length: number): string {
  if (parseIcmpv4Quote(view, at, length) !== Verdict.OK) return '[bad quote]';
  return formatIpv4Address(ipv4Destination(view, at + Icmpv4.QUOTE));
}

function printUnreachable(view: DataView, at: number, length: number, code: number): string {
  const host = quotedDestination(view, at, length);
  switch (code) {
    case Unreachable.NET:
      return `net ${host} unreachable`;
    case Unreachable.HOST:
      return `host ${host} unreachable`;
    case Unreachable.PROTOCOL:
    case Unreachable.PORT: {
      if (parseIcmpv4Quote(view, at, length) !== Verdict.OK) return `${host} unreachable - code ${code}`;
      const protocol = ipv4Protocol(view, at + Icmpv4.QUOTE);
      if (code === Unreachable.PROTOCOL) return `${host} protocol ${protocol} unreachable`;
      // Both transports begin with source port and destination port.
      const port = view.getUint16(icmpv4QuoteTransport(view, at) + 2);
      const name = protocol === IpProtocol.TCP ? 'tcp' : protocol === IpProtocol.UDP ? 'udp' : `protocol ${protocol}`;
      return `${host} ${name} port ${port} unreachable`;
    }
    case Unreachable.FRAGMENTATION_NEEDED:
      return `${host} unreachable - need to frag (mtu ${icmpv4NextHopMtu(view, at)})`;
    case Unreachable.SOURCE_ROUTE_FAILED:
      return `${host} unreachable - source route failed`;
    case Unreachable.NET_UNKNOWN:
      return `net ${host} unreachable - unknown`;
    case Unreachable.HOST_UNKNOWN:
      return `host ${host} unreachable - unknown`;
    case Unreachable.SOURCE_HOST_ISOLATED:
      return `${host} unreachable - source host isolated`;
    case Unreachable.NET_PROHIBITED:
      return `net ${host} unreachable - admin prohibited`;
    case Unreachable.HOST_PROHIBITED:
      return `host ${host} unreachable - admin prohibited`;
    case Unreachable.NET_TOS:
      return `net ${host} unreachable - tos prohibited`;
    case Unreachable.HOST_TOS:
      return `host ${host} unreachable - tos prohibited`;
    case Unreachable.COMMUNICATION_PROHIBITED:
      return `host ${host} unreachable - admin prohibited filter`;
    case Unreachable.HOST_PRECEDENCE:
      return `host ${host} unreachable - host precedence violation`;
    case Unreachable.PRECEDENCE_CUTOFF:
      return `host ${host} unreachable - precedence cutoff`;
    default:
      return `${host} unreachable - #${code}`;
  }
}
