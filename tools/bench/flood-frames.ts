/** The frames of a flood: of each kind as many different ones as a flood has senders, ready made. */
import { Prng } from '../../stack/base/prng.js';
import type { Address } from '../../stack/base/units.js';
import { Ethernet, EtherType, emitEthernet } from '../../stack/wire/ethernet.js';
import { emitIcmpv4, finishIcmpv4Checksum, Icmpv4, Icmpv4Type } from '../../stack/wire/icmpv4.js';
import { emitIpv4, IpProtocol, Ipv4, Ipv4Fragment, ipv4PseudoSum } from '../../stack/wire/ipv4.js';
import { emitTcp, finishTcpChecksum, Tcp, TcpFlag } from '../../stack/wire/tcp.js';
import { emitUdp, finishUdpChecksum, Udp } from '../../stack/wire/udp.js';

export const FLOODS = ['syn', 'ack', 'rst', 'icmp', 'udp'] as const;
export type FloodKind = (typeof FLOODS)[number];

/** Of the live echo; µs. */
export interface Latency {
  /** Frames of the flood that were really sent. */
  readonly perSecond: number;
  readonly echoes: number;
  readonly p50: number;
  readonly p99: number;
}

/** What `flood-load.ts` prints. */
export interface FloodResult {
  readonly kind: FloodKind;
  /** Frames a second that the server took when there were always more. */
  readonly saturation: number;
  readonly quiet: Latency;
  readonly flooded: Latency;
}

export interface FloodTarget {
  /** Of the stack's interface. */
  readonly mac: Uint8Array;
  readonly address: Address;
  /** A port somebody listens on, for SYN; and one nobody does, for the rest. */
  readonly openPort: number;
  readonly closedPort: number;
  /** Whom the answers go to: `from`, and the addresses above it. One that exists, or each would wait for a neighbour. */
  readonly fromMac: Uint8Array;
  readonly from: Address;
}

/** Different senders, by port: none of them is known to the stack, and no table of it holds them all. */
const VARIANTS = 4096;
const SEED = 20;

/** Frames of one kind, to be sent one after the other and again from the start. */
export function floodFrames(kind: FloodKind, target: FloodTarget, variants = VARIANTS): Uint8Array[] {
  const prng = new Prng(SEED);
  const frames: Uint8Array[] = [];
  for (let i = 0; i < variants; i++) frames.push(frameOf(kind, target, 1024 + (i % 60_000), prng));
  return frames;
}

function frameOf(kind: FloodKind, target: FloodTarget, port: number, prng: Prng): Uint8Array {
  const payloadBytes =
    kind === 'icmp' ? Icmpv4.HEADER_BYTES + 56 : kind === 'udp' ? Udp.HEADER_BYTES + 18 : Tcp.OPTIONS;
  const total = Ipv4.HEADER_BYTES + payloadBytes;
  const frame = new Uint8Array(Ethernet.HEADER_BYTES + total);
  const view = new DataView(frame.buffer);
  emitEthernet(view, 0, hi(target.mac), lo(target.mac), hi(target.fromMac), lo(target.fromMac), EtherType.IPV4);
  const ipAt = Ethernet.HEADER_BYTES;
  const at = ipAt + Ipv4.HEADER_BYTES;
  const protocol = kind === 'icmp' ? IpProtocol.ICMP : kind === 'udp' ? IpProtocol.UDP : IpProtocol.TCP;
  emitIpv4(view, ipAt, Ipv4.HEADER_BYTES, 0, total, 0, Ipv4Fragment.DF, 64, protocol, target.from, target.address);
  const pseudo = ipv4PseudoSum(target.from, target.address, protocol, payloadBytes);
  switch (kind) {
    case 'icmp':
      emitIcmpv4(view, at, Icmpv4Type.ECHO, 0, (port << 16) | 1);
      finishIcmpv4Checksum(view, at, payloadBytes);
      break;
    case 'udp':
      emitUdp(view, at, port, target.closedPort, payloadBytes);
      finishUdpChecksum(view, at, payloadBytes, pseudo);
      break;
    default: {
      const flags = kind === 'syn' ? TcpFlag.SYN : kind === 'ack' ? TcpFlag.ACK : TcpFlag.RST;
      const to = kind === 'syn' ? target.openPort : target.closedPort;
      emitTcp(view, at, port, to, prng.next(), kind === 'syn' ? 0 : prng.next(), Tcp.OPTIONS, flags, 65_535, 0);
      finishTcpChecksum(view, at, payloadBytes, pseudo);
    }
  }
  return frame;
}

function hi(mac: Uint8Array): number {
  return (mac[0] << 8) | mac[1];
}
function lo(mac: Uint8Array): number {
  return (mac[2] << 24) | (mac[3] << 16) | (mac[4] << 8) | mac[5];
}
