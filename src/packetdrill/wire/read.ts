import { intact, sum } from '../../../stack/wire/checksum.js';
import {
  Icmpv4,
  Icmpv4Type,
  icmpv4Code,
  icmpv4Id,
  icmpv4NextHopMtu,
  icmpv4Seq,
  icmpv4Type,
} from '../../../stack/wire/icmpv4.js';
import {
  IpProtocol,
  ipv4Destination,
  ipv4HeaderBytes,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4PseudoSum,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
  parseIpv4,
} from '../../../stack/wire/ipv4.js';
import {
  parseTcp,
  Tcp,
  TcpFlag,
  tcpAck,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderBytes,
  tcpSeq,
  tcpSourcePort,
  tcpUrgentPointer,
  tcpWindow,
} from '../../../stack/wire/tcp.js';
import { parseUdp, Udp, udpDestinationPort, udpLength, udpSourcePort } from '../../../stack/wire/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { verdictText } from '../../../stack/wire/verdict-text.js';
import type { EcnMark, IcmpPacket, ScriptPacket } from '../language/ast.js';
import { decodeTcpOptions } from './tcp-options.js';

/** A datagram the stack sent, taken apart. The numbers in `packet` are the wire's. */
export interface SeenDatagram {
  readonly timeUs: number;
  /** int32 */
  readonly source: number;
  readonly destination: number;
  readonly tos: number;
  readonly ttl: number;
  /** Undefined when it is none of the protocols we know, or `fault` says what is wrong with it. */
  readonly packet: ScriptPacket | undefined;
  /** What no host may send: a wrong checksum or length. */
  readonly fault: string | undefined;
}

const ECN_NAMES: readonly EcnMark[] = ['noecn', 'ect1', 'ect0', 'ce'];

export function readDatagram(bytes: Uint8Array, timeUs: number): SeenDatagram {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const verdict = parseIpv4(view, 0, bytes.length);
  if (verdict !== Verdict.OK) {
    const fault = `a datagram with a bad IP header: ${verdictText(verdict)}`;
    return { timeUs, source: 0, destination: 0, tos: 0, ttl: 0, packet: undefined, fault };
  }
  const base = {
    timeUs,
    source: ipv4Source(view, 0),
    destination: ipv4Destination(view, 0),
    tos: ipv4Tos(view, 0),
    ttl: ipv4Ttl(view, 0),
  };
  return { ...base, ...readPayload(view) };
}

type Payload = Pick<SeenDatagram, 'packet' | 'fault'>;

function readPayload(view: DataView): Payload {
  const at = ipv4HeaderBytes(view, 0);
  const length = ipv4TotalLength(view, 0) - at;
  const protocol = ipv4Protocol(view, 0);
  const pseudo = ipv4PseudoSum(ipv4Source(view, 0), ipv4Destination(view, 0), protocol, length);
  if (ipv4IsFragment(view, 0)) return { packet: undefined, fault: undefined };
  switch (protocol) {
    case IpProtocol.TCP: {
      const verdict = parseTcp(view, at, length, pseudo);
      if (verdict !== Verdict.OK) return faulty('TCP segment', verdict);
      return { packet: readTcp(view, at, length), fault: undefined };
    }
    case IpProtocol.UDP: {
      const verdict = parseUdp(view, at, length, pseudo);
      if (verdict !== Verdict.OK) return faulty('UDP datagram', verdict);
      const ports = { source: udpSourcePort(view, at), destination: udpDestinationPort(view, at) };
      const bytes = udpLength(view, at) - Udp.HEADER_BYTES;
      return { packet: { protocol: 'udp', marks: readMarks(view), ports, length: bytes }, fault: undefined };
    }
    case IpProtocol.ICMP:
      if (length < Icmpv4.HEADER_BYTES) return { packet: undefined, fault: 'an ICMP message that is too short' };
      if (!intact(sum(view, at, length))) return { packet: undefined, fault: 'an ICMP message with a wrong checksum' };
      return { packet: readIcmp(view, at), fault: undefined };
    default:
      return { packet: undefined, fault: undefined };
  }
}

function faulty(what: string, verdict: Verdict): Payload {
  return { packet: undefined, fault: `a ${what} that is wrong: ${verdictText(verdict)}` };
}

function readTcp(view: DataView, at: number, bytes: number): ScriptPacket {
  const headerBytes = tcpHeaderBytes(view, at);
  const length = bytes - headerBytes;
  const start = tcpSeq(view, at) >>> 0;
  const flags = tcpFlags(view, at);
  return {
    protocol: 'tcp',
    marks: readMarks(view),
    ports: { source: tcpSourcePort(view, at), destination: tcpDestinationPort(view, at) },
    flags,
    range: { start, end: (start + length) >>> 0, length },
    ack: (flags & TcpFlag.ACK) === 0 ? undefined : tcpAck(view, at) >>> 0,
    window: tcpWindow(view, at),
    urgent: (flags & TcpFlag.URG) === 0 ? undefined : tcpUrgentPointer(view, at),
    options: decodeTcpOptions(view, at + Tcp.HEADER_BYTES, headerBytes - Tcp.HEADER_BYTES),
  };
}

function readIcmp(view: DataView, at: number): IcmpPacket {
  const type = icmpv4Type(view, at);
  const echo = type === Icmpv4Type.ECHO || type === Icmpv4Type.ECHO_REPLY;
  return {
    protocol: 'icmp',
    version: 4,
    marks: readMarks(view),
    type,
    code: icmpv4Code(view, at),
    mtu: type === Icmpv4Type.DESTINATION_UNREACHABLE ? icmpv4NextHopMtu(view, at) || undefined : undefined,
    id: echo ? icmpv4Id(view, at) : 0,
    seq: echo ? icmpv4Seq(view, at) : 0,
    quoted: undefined,
  };
}

function readMarks(view: DataView): ScriptPacket['marks'] {
  const tos = ipv4Tos(view, 0);
  return { ecn: ECN_NAMES[tos & 3], tos, ttl: ipv4Ttl(view, 0) };
}
