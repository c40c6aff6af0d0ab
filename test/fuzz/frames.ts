import { Prng } from '../../stack/base/prng.js';
import { Tcb } from '../../stack/tcp/tcb.js';
import { Arp, emitArp } from '../../stack/wire/arp.js';
import { Ethernet, EtherType, emitEthernet } from '../../stack/wire/ethernet.js';
import { emitIcmpv4, finishIcmpv4Checksum } from '../../stack/wire/icmpv4.js';
import { emitIpv4, Ipv4, ipv4PseudoSum } from '../../stack/wire/ipv4.js';
import { emitTcp, finishTcpChecksum, Tcp, TcpFlag } from '../../stack/wire/tcp.js';
import { emitTimestampsPadded } from '../../stack/wire/tcp-options.js';
import { emitUdp, finishUdpChecksum } from '../../stack/wire/udp.js';
import type { LiveWorld } from './live.js';

/** Frames to throw at a stack, written where the caller says. Each method returns the frame's length. */

/** A stranger's hardware address; nobody on the wire has it. */
const STRANGER_HI = 0x0200;
const STRANGER_LO = 0x00bad000;
/** Ports the near stack serves strangers on, beside those where nobody listens. */
export const VICTIM_PORT = 7000;
export const UDP_PORT = 7001;

export class FrameMaker {
  /** How many of each kind were made. */
  readonly made: Record<string, number> = {};
  /** Frames of live connections, to be mutated and replayed. */
  readonly #seen: Uint8Array[] = [];
  readonly #prng: Prng;

  constructor(
    seed: number,
    readonly live: LiveWorld,
  ) {
    this.#prng = new Prng(seed);
  }

  /** A frame that came for the near stack from a live connection. Of ARP there is none: a lie in it nothing could find. */
  remember(bytes: Uint8Array): void {
    if (bytes[Ethernet.TYPE] !== EtherType.IPV4 >> 8 || bytes[Ethernet.TYPE + 1] !== (EtherType.IPV4 & 0xff)) return;
    if (this.#seen.length < 256) this.#seen.push(bytes.slice());
    else this.#seen[this.#prng.below(256)] = bytes.slice();
  }

  make(bytes: Uint8Array, view: DataView, at: number): number {
    const kind = KINDS[this.#prng.below(KINDS.length)] as Kind;
    this.made[kind] = (this.made[kind] ?? 0) + 1;
    return this[kind](bytes, view, at);
  }

  #stranger(): number {
    return (this.live.nearAddress & ~0xff) | (100 + this.#prng.below(8));
  }
  #ethernet(view: DataView, at: number, type: number): number {
    const { macHi, macLo } = this.live.near.net.interfaces[0] as { macHi: number; macLo: number };
    const toAll = this.#prng.below(50) === 0;
    emitEthernet(view, at, toAll ? 0xffff : macHi, toAll ? -1 : macLo, STRANGER_HI, STRANGER_LO, type);
    return at + Ethernet.HEADER_BYTES;
  }
  #fill(bytes: Uint8Array, at: number, count: number): void {
    for (let i = 0; i < count; i++) bytes[at + i] = this.#prng.next();
  }

  /** Noise, with an Ethernet header that would be for us, or not even that. */
  noise(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const length = prng.below(4) === 0 ? prng.below(1515) : prng.below(100);
    this.#fill(bytes, at, length);
    if (length < Ethernet.HEADER_BYTES || prng.below(8) === 0) return length;
    const types = [EtherType.IPV4, EtherType.ARP, EtherType.VLAN, 0x86dd, prng.below(65_536)];
    this.#ethernet(view, at, types[prng.below(types.length)] as number);
    // Something that looks like IPv4 gets a little further.
    if (length > Ethernet.HEADER_BYTES) bytes[at + Ethernet.HEADER_BYTES] = 0x45;
    return length;
  }

  /** A live connection's own frame with one byte wrong, or cut: some checksum or length finds it. */
  damaged(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const frame = this.#seen[prng.below(Math.max(1, this.#seen.length))];
    if (frame === undefined) return this.noise(bytes, view, at);
    bytes.set(frame, at);
    if (prng.below(4) === 0) return prng.below(frame.length);
    bytes[at + prng.below(frame.length)] ^= 1 + prng.below(255);
    return frame.length;
  }

  /** The same frame again: an old duplicate. */
  replayed(bytes: Uint8Array, view: DataView, at: number): number {
    const frame = this.#seen[this.#prng.below(Math.max(1, this.#seen.length))];
    if (frame === undefined) return this.noise(bytes, view, at);
    bytes.set(frame, at);
    return frame.length;
  }

  /** A segment that somebody could send who knows a live connection's addresses, ports and windows, but not its exact numbers. */
  guessed(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const { near, nearAddress, farAddress, ids } = this.live;
    const tcp = near.tcp.context;
    const id = ids[prng.below(ids.length)] as (typeof ids)[0];
    const c = near.tcp.rowOf(id) << Tcb.SHIFT;
    const nxt = tcp.hot[c + Tcb.RCV_NXT] as number;
    const una = tcp.hot[c + Tcb.SND_UNA] as number;
    let seq = (nxt + 1 + prng.below(30_000)) | 0;
    let ack = una;
    let flags = TcpFlag.ACK;
    switch (prng.below(6)) {
      case 0:
        flags = TcpFlag.RST | (prng.below(2) === 0 ? TcpFlag.ACK : 0);
        break;
      case 1:
        flags = TcpFlag.SYN | (prng.below(2) === 0 ? TcpFlag.ACK : 0);
        if (prng.below(2) === 0) seq = prng.next();
        break;
      case 2:
        // Acknowledges what was never sent.
        ack = ((tcp.hot[c + Tcb.SND_NXT] as number) + 1 + prng.below(1 << 30)) | 0;
        break;
      case 3:
        ack = (una - (1 << 28) - prng.below(1 << 29)) | 0;
        break;
      case 4:
        flags = prng.below(16) & ~(TcpFlag.FIN | TcpFlag.ACK);
        break;
      default:
        // Beyond the window, or long past.
        seq = (nxt + (1 << 24) + prng.below(1 << 30)) | 0;
        if (prng.below(2) === 0) seq = (nxt - 1 - (1 << 20) - prng.below(1 << 30)) | 0;
        flags |= prng.below(16);
    }
    const { remotePort, localPort } = { remotePort: near.tcp.remotePort(id), localPort: near.tcp.localPort(id) };
    return this.#segment(bytes, view, at, farAddress, nearAddress, remotePort, localPort, seq, ack, flags, 0);
  }

  /** Any segment at all for the port that serves strangers, near the window of one of its connections. */
  strange(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const tcp = this.live.near.tcp.context;
    const source = this.#stranger();
    const remotePort = 1000 + prng.below(16);
    const localPort = prng.below(16) === 0 ? prng.below(65_536) : VICTIM_PORT;
    const ports = (localPort << 16) | remotePort;
    let seq = prng.next();
    let ack = prng.next();
    let flags = TcpFlag.SYN;
    const row = tcp.table.find(this.live.nearAddress, source, ports);
    const half = tcp.synTable.find(this.live.nearAddress, source, ports);
    if (row >= 0) {
      const c = row << Tcb.SHIFT;
      seq = tcp.hot[c + Tcb.RCV_NXT] as number;
      ack = tcp.hot[c + Tcb.SND_NXT] as number;
      if (prng.below(4) === 0) seq = (seq + prng.below(8000) - 2000) | 0;
      if (prng.below(4) === 0) ack = (ack - prng.below(3000) + 100) | 0;
      flags = prng.below(20) === 0 ? prng.below(256) : TcpFlag.ACK | (prng.below(30) === 0 ? TcpFlag.FIN : 0);
    } else if (half >= 0 && prng.below(3) > 0) {
      // The fields of a half-open row: ISS and IRS are its fourth and fifth.
      seq = ((tcp.synTable.rows[half * 16 + 5] as number) + 1) | 0;
      ack = ((tcp.synTable.rows[half * 16 + 4] as number) + 1) | 0;
      flags = TcpFlag.ACK;
    } else if (prng.below(10) === 0) flags = prng.below(256);
    const data = prng.below(3) === 0 ? prng.below(1400) : 0;
    return this.#segment(bytes, view, at, source, this.live.nearAddress, remotePort, localPort, seq, ack, flags, data);
  }

  #segment(
    bytes: Uint8Array,
    view: DataView,
    at: number,
    source: number,
    destination: number,
    sourcePort: number,
    destinationPort: number,
    seq: number,
    ack: number,
    flags: number,
    dataBytes: number,
  ): number {
    const prng = this.#prng;
    const ip = this.#ethernet(view, at, EtherType.IPV4);
    const tcp = ip + Ipv4.HEADER_BYTES;
    let end = tcp + Tcp.HEADER_BYTES;
    switch (prng.below(4)) {
      case 0:
        end = emitTimestampsPadded(view, end, prng.next(), prng.next());
        break;
      case 1: {
        // Options that lie about their lengths, mostly.
        const optionBytes = 4 * prng.below(11);
        this.#fill(bytes, end, optionBytes);
        end += optionBytes;
        break;
      }
    }
    this.#fill(bytes, end, dataBytes);
    const length = end - tcp + dataBytes;
    const urgent = prng.below(2000);
    emitTcp(view, tcp, sourcePort, destinationPort, seq, ack, end - tcp, flags, prng.below(65_536), urgent);
    finishTcpChecksum(view, tcp, length, ipv4PseudoSum(source, destination, 6, length));
    return Ethernet.HEADER_BYTES + this.#ip(view, ip, 6, length, source, destination);
  }

  #ip(view: DataView, at: number, protocol: number, length: number, source: number, destination: number): number {
    const total = Ipv4.HEADER_BYTES + length;
    const id = this.#prng.below(65_536);
    emitIpv4(view, at, Ipv4.HEADER_BYTES, 0, total, id, 0, 64, protocol, source, destination);
    return total;
  }

  /** A piece of something, of few ids so that pieces meet, overlap and never complete. */
  fragment(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const ip = this.#ethernet(view, at, EtherType.IPV4);
    const length = prng.below(1400);
    this.#fill(bytes, ip + Ipv4.HEADER_BYTES, length);
    const offset = prng.below(3) === 0 ? 0 : prng.below(prng.below(2) === 0 ? 64 : 8192);
    const word = offset | (prng.below(2) === 0 ? 0x2000 : 0);
    const protocol = [1, 6, 17, prng.below(256)][prng.below(4)] as number;
    const total = Ipv4.HEADER_BYTES + length;
    const source = this.#stranger();
    emitIpv4(view, ip, Ipv4.HEADER_BYTES, 0, total, prng.below(32), word, 64, protocol, source, this.live.nearAddress);
    return Ethernet.HEADER_BYTES + total;
  }

  /** ARP about strangers, or about addresses nobody can have. About the peers of live connections it would be believed. */
  arp(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const arp = this.#ethernet(view, at, EtherType.ARP);
    const sender = prng.below(8) === 0 ? [0, -1, prng.next() | 0x8000_0000][prng.below(3)] : this.#stranger();
    const target = prng.below(3) === 0 ? this.#stranger() : this.live.nearAddress;
    const operation = prng.below(16) === 0 ? prng.below(65_536) : 1 + prng.below(2);
    const macLo = prng.below(4) === 0 ? prng.next() : STRANGER_LO;
    emitArp(view, arp, operation, STRANGER_HI, macLo, sender as number, 0, 0, target);
    if (prng.below(16) === 0) bytes[arp + prng.below(8)] ^= 1 << prng.below(8);
    return Ethernet.HEADER_BYTES + prng.below(20) + Arp.PACKET_BYTES - (prng.below(16) === 0 ? 1 + prng.below(20) : 0);
  }

  /** Echo requests, errors about nothing, and errors that quote a live connection with a number it has not sent. */
  icmp(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const ip = this.#ethernet(view, at, EtherType.IPV4);
    const icmp = ip + Ipv4.HEADER_BYTES;
    const type = [8, 0, 3, 3, 3, 4, 5, 11, 12, 13, prng.below(256)][prng.below(11)] as number;
    emitIcmpv4(view, icmp, type, prng.below(16), prng.next());
    let length = 8 + prng.below(200);
    this.#fill(bytes, icmp + 8, length - 8);
    if (prng.below(2) === 0) length = 8 + this.#quote(view, icmp + 8);
    finishIcmpv4Checksum(view, icmp, length);
    return Ethernet.HEADER_BYTES + this.#ip(view, ip, 1, length, this.#stranger(), this.live.nearAddress);
  }

  #quote(view: DataView, at: number): number {
    const prng = this.#prng;
    const { near, nearAddress, farAddress, ids } = this.live;
    const id = ids[prng.below(ids.length)] as (typeof ids)[0];
    const nxt = near.tcp.context.hot[(near.tcp.rowOf(id) << Tcb.SHIFT) + Tcb.SND_NXT] as number;
    emitIpv4(view, at, Ipv4.HEADER_BYTES, 0, 1500, 1, 0x4000, 64, 6, nearAddress, farAddress);
    const tcp = at + Ipv4.HEADER_BYTES;
    view.setUint16(tcp, near.tcp.localPort(id));
    view.setUint16(tcp + 2, near.tcp.remotePort(id));
    view.setInt32(tcp + 4, (nxt + prng.below(1 << 30)) | 0);
    return Ipv4.HEADER_BYTES + 8;
  }

  udp(bytes: Uint8Array, view: DataView, at: number): number {
    const prng = this.#prng;
    const ip = this.#ethernet(view, at, EtherType.IPV4);
    const udp = ip + Ipv4.HEADER_BYTES;
    const length = 8 + prng.below(600);
    this.#fill(bytes, udp + 8, length - 8);
    const source = this.#stranger();
    const destination = prng.below(10) === 0 ? -1 : this.live.nearAddress;
    const says = prng.below(8) === 0 ? prng.below(65_536) : length;
    emitUdp(view, udp, prng.below(65_536), prng.below(2) === 0 ? UDP_PORT : prng.below(65_536), says);
    if (prng.below(3) > 0) finishUdpChecksum(view, udp, length, ipv4PseudoSum(source, destination, 17, length));
    return Ethernet.HEADER_BYTES + this.#ip(view, ip, 17, length, source, destination);
  }
}

const KINDS = [
  'noise',
  'damaged',
  'replayed',
  'guessed',
  'strange',
  'strange',
  'fragment',
  'arp',
  'icmp',
  'udp',
] as const;
type Kind = (typeof KINDS)[number];
