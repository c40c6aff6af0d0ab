import { printArp } from './arp.js';
import { intact, sum } from './checksum.js';
import { Ethernet, EtherType, ethernetType, printEthernet } from './ethernet.js';
import { Icmpv4, printIcmpv4 } from './icmpv4.js';
import {
  formatIpv4Address,
  IpProtocol,
  Ipv4,
  ipv4Destination,
  ipv4FragmentOffset,
  ipv4HeaderBytes,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4PseudoSum,
  ipv4Source,
  ipv4TotalLength,
  ipv4Version,
  parseIpv4,
  printIpv4Fragment,
} from './ipv4.js';
import { printIpv4Options } from './ipv4-options.js';
import { parseTcp, printTcp, Tcp, tcpDestinationPort, tcpSourcePort } from './tcp.js';
import { parseUdp, printUdp, Udp, udpDestinationPort, udpSourcePort } from './udp.js';
import { Verdict } from './verdict.js';
import { verdictText } from './verdict-text.js';
import { parseVlan, printVlan, Vlan, vlanType } from './vlan.js';

/** Tags inside tags (IEEE 802.1Q, 802.1ad); a frame that is nothing but tags must not make a line without end. */
const VLAN_TAGS_MAX = 4;

export interface PrintOptions {
  /** The sender's initial sequence number: its sequence numbers are printed relative to it. */
  readonly seqBase?: number;
  /** The other side's: acknowledgments and SACK blocks are printed relative to it. */
  readonly ackBase?: number;
  /** False for frames whose checksum is still to be filled in by a device, or was checked by one. Default true. */
  readonly checksums?: boolean;
}

/**
 * A whole Ethernet frame in one line, in tcpdump's manner. What is wrong with it is said in square brackets, and what can
 * still be read is printed; it never throws, whatever the bytes.
 */
export function printFrame(view: DataView, at: number, length: number, options: PrintOptions = {}): string {
  if (length < Ethernet.HEADER_BYTES) return `[|ether] length ${length}`;
  let type = ethernetType(view, at);
  let networkAt = at + Ethernet.HEADER_BYTES;
  let tags = '';
  for (let i = 0; isTag(type) && i < VLAN_TAGS_MAX; i++) {
    const left = at + length - networkAt;
    if (left < Vlan.HEADER_BYTES) return `${tags}[|vlan] length ${length}`;
    const reserved = parseVlan(view, networkAt, left) === Verdict.OK ? '' : ' [reserved id]';
    tags += `${printVlan(view, networkAt)}${reserved}, `;
    type = vlanType(view, networkAt);
    networkAt += Vlan.HEADER_BYTES;
  }
  const left = at + length - networkAt;
  if (type === EtherType.IPV4 || type === EtherType.IPV6) return tags + printPacket(view, networkAt, left, options);
  if (type === EtherType.ARP) return tags + printArp(view, networkAt, left);
  if (type < EtherType.MIN) return `${tags}${printEthernet(view, at)} [802.3], length ${length}`;
  return `${tags}${printEthernet(view, at)}, length ${length}`;
}

function isTag(type: number): boolean {
  return type === EtherType.VLAN || type === EtherType.SERVICE_VLAN;
}

/** A whole IP packet, without link header. */
export function printPacket(view: DataView, at: number, length: number, options: PrintOptions = {}): string {
  if (length < 1) return `IP [|ip] length ${length}`;
  if (ipv4Version(view, at) === 6) return `IP6, length ${length}`;
  if (length < Ipv4.HEADER_BYTES) return `IP [|ip] length ${length}`;
  const verdict = parseIpv4(view, at, length);
  // A wrong checksum leaves the rest readable, and so does a length that passes the end of a frame cut for a capture.
  const readable = verdict === Verdict.OK || verdict === Verdict.IP_CHECKSUM || verdict === Verdict.IP_TOTAL_LENGTH;
  const headerBytes = ipv4HeaderBytes(view, at);
  const addresses = `${formatIpv4Address(ipv4Source(view, at))} > ${formatIpv4Address(ipv4Destination(view, at))}`;
  if (!readable) return `IP ${addresses} [${verdictText(verdict)}], length ${length}`;
  const wrong = verdict === Verdict.OK ? '' : ` [${verdictText(verdict)}]`;
  const transportAt = at + headerBytes;
  const claimed = ipv4TotalLength(view, at) - headerBytes;
  const transportBytes = verdict === Verdict.IP_TOTAL_LENGTH ? length - headerBytes : claimed;
  const extras = wrong + printExtras(view, at, headerBytes);
  if (ipv4IsFragment(view, at)) return `IP ${addresses}: ${printFragment(view, at)}${extras}`;
  return `IP ${printTransport(view, at, transportAt, transportBytes, addresses, options)}${extras}`;
}

function printExtras(view: DataView, at: number, headerBytes: number): string {
  const ipOptions = printIpv4Options(view, at + Ipv4.OPTIONS, headerBytes - Ipv4.HEADER_BYTES);
  return ipOptions === '' ? '' : `, ${ipOptions}`;
}

/** Only the first fragment has a transport header, and no checksum can be verified before all are there. */
function printFragment(view: DataView, at: number): string {
  const protocol = ipv4Protocol(view, at);
  return `${protocolName(protocol)} (${printIpv4Fragment(view, at)})${ipv4FragmentOffset(view, at) === 0 ? ' first' : ''}`;
}

function protocolName(protocol: number): string {
  switch (protocol) {
    case IpProtocol.ICMP:
      return 'icmp';
    case IpProtocol.IGMP:
      return 'igmp';
    case IpProtocol.TCP:
      return 'tcp';
    case IpProtocol.UDP:
      return 'udp';
    default:
      return `ip-proto-${protocol}`;
  }
}

function printTransport(
  view: DataView,
  ipAt: number,
  at: number,
  length: number,
  addresses: string,
  options: PrintOptions,
): string {
  const source = ipv4Source(view, ipAt);
  const destination = ipv4Destination(view, ipAt);
  const protocol = ipv4Protocol(view, ipAt);
  const checksums = options.checksums ?? true;
  const pseudo = ipv4PseudoSum(source, destination, protocol, length);
  switch (protocol) {
    case IpProtocol.TCP: {
      const text = printTcp(view, at, length, options.seqBase, options.ackBase);
      if (length < Tcp.HEADER_BYTES) return `${addresses}: ${text}`;
      const bad = checksums && parseTcp(view, at, length, pseudo) === Verdict.TCP_CHECKSUM;
      const ends = withPorts(source, tcpSourcePort(view, at), destination, tcpDestinationPort(view, at));
      return `${ends}: ${text}${bad ? ' [bad tcp cksum]' : ''}`;
    }
    case IpProtocol.UDP: {
      const text = printUdp(view, at, length);
      if (length < Udp.HEADER_BYTES) return `${addresses}: ${text}`;
      const bad = checksums && parseUdp(view, at, length, pseudo) === Verdict.UDP_CHECKSUM;
      const ends = withPorts(source, udpSourcePort(view, at), destination, udpDestinationPort(view, at));
      return `${ends}: ${text}${bad ? ' [bad udp cksum]' : ''}`;
    }
    case IpProtocol.ICMP: {
      const bad = checksums && length >= Icmpv4.HEADER_BYTES && !intact(sum(view, at, length));
      return `${addresses}: ${printIcmpv4(view, at, length)}${bad ? ' [bad icmp cksum]' : ''}`;
    }
    default:
      return `${addresses}: ${protocolName(protocol)}, length ${length}`;
  }
}

function withPorts(source: number, sourcePort: number, destination: number, destinationPort: number): string {
  return `${formatIpv4Address(source)}.${sourcePort} > ${formatIpv4Address(destination)}.${destinationPort}`;
}
