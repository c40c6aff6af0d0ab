import {
  Ecn,
  emitIpv4,
  Ipv4,
  ipv4HeaderBytes,
  ipv4PseudoSum,
  ipv4Tos,
  ipv4TotalLength,
  parseIpv4,
} from '../../../stack/wire/ipv4.js';
import {
  emitTcp,
  finishTcpChecksum,
  parseTcp,
  printTcp,
  Tcp,
  tcpAck,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderBytes,
  tcpSeq,
  tcpSourcePort,
  tcpUrgentPointer,
  tcpWindow,
} from '../../../stack/wire/tcp.js';
import {
  emitAccEcn,
  emitFastOpen,
  emitMss,
  emitNop,
  emitSackBlock,
  emitSackHeader,
  emitSackPermitted,
  emitTcpPadding,
  emitTimestamps,
  emitWindowScale,
  parseTcpOptions,
  TcpOptionBit,
  TcpOptionKind,
  TcpOptions,
} from '../../../stack/wire/tcp-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';

/** A segment as a test writes it and reads it: numbers relative to the initial ones, flags in tcpdump's letters. */

export interface SegmentOptions {
  readonly mss?: number;
  readonly wscale?: number;
  readonly sackOk?: boolean;
  /** TSval and TSecr, as they stand. */
  readonly ts?: readonly [number, number];
  /** Edges in pairs, relative. */
  readonly sack?: readonly (readonly [number, number])[];
  /** Fast Open's cookie in hexadecimal; empty: a request. */
  readonly fastOpen?: string;
  /** … in its experimental form. */
  readonly experimental?: boolean;
  /** Bytes as they stand, in front of all the others. */
  readonly raw?: readonly number[];
  /** AccECN's counters as they stand: e1b, ceb, e0b, as many as there are; and in the other order. */
  readonly accEcn?: readonly number[];
  readonly accEcn0?: readonly number[];
}

/** Both ends' addresses and ports, and what their sequence numbers count from. */
export interface Direction {
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seqBase: number;
  readonly ackBase: number;
}

export interface SegmentSpec {
  /** `S`, `F`, `R`, `P`, `U`, `E`, `W` (CWR), `A` (AE), and `.` for ACK. */
  readonly flags: string;
  readonly seq: number;
  readonly ack: number;
  readonly win: number;
  readonly data?: Uint8Array;
  readonly urgent?: number;
  readonly options?: SegmentOptions;
  /** The ECN field of the IP header: 0 Not-ECT, 1 ECT(1), 2 ECT(0), 3 CE. */
  readonly ecn?: number;
}

export interface Segment extends SegmentSpec {
  readonly data: Uint8Array;
  readonly urgent: number;
  readonly options: SegmentOptions;
  readonly ecn: number;
  readonly length: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** The whole datagram, for ICMP errors to quote. */
  readonly datagram: Uint8Array;
  readonly atUs: number;
  readonly line: string;
}

const LETTERS = 'FSRP.UEWA';

function flagBits(flags: string): number {
  let bits = 0;
  for (const letter of flags) {
    const bit = LETTERS.indexOf(letter);
    if (bit < 0) throw new Error(`"${letter}" is no flag`);
    bits |= 1 << bit;
  }
  return bits;
}

function flagLetters(bits: number): string {
  return [...LETTERS].filter((_, bit) => (bits & (1 << bit)) !== 0).join('');
}

function putOptions(view: DataView, headerAt: number, options: SegmentOptions, seqBase: number): number {
  let at = headerAt + Tcp.OPTIONS;
  for (const byte of options.raw ?? []) view.setUint8(at++, byte);
  if (options.mss !== undefined) at = emitMss(view, at, options.mss);
  if (options.sackOk === true) at = emitSackPermitted(view, at);
  if (options.ts !== undefined) at = emitTimestamps(view, at, options.ts[0], options.ts[1]);
  if (options.wscale !== undefined) at = emitWindowScale(view, emitNop(view, at), options.wscale);
  const counters = options.accEcn ?? options.accEcn0;
  if (counters !== undefined) {
    const [first = 0, second = 0, third = 0] = counters;
    const end = emitAccEcn(view, at, counters.length, first, second, third);
    if (options.accEcn === undefined) view.setUint8(at, TcpOptionKind.ACC_ECN_0);
    at = end;
  }
  if (options.sack !== undefined) {
    at = emitSackHeader(view, at, options.sack.length);
    for (const [left, right] of options.sack) at = emitSackBlock(view, at, left + seqBase, right + seqBase);
  }
  if (options.fastOpen !== undefined) {
    const cookie = Buffer.from(options.fastOpen, 'hex');
    at = emitFastOpen(view, at, cookie, cookie.length, options.experimental === true);
  }
  return emitTcpPadding(view, headerAt, at);
}

/** Writes an IPv4 datagram with the segment in it; its length. */
export function writeSegment(view: DataView, at: number, spec: SegmentSpec, way: Direction): number {
  const tcpAt = at + Ipv4.HEADER_BYTES;
  const data = spec.data ?? new Uint8Array(0);
  const end = putOptions(view, tcpAt, spec.options ?? {}, way.ackBase);
  new Uint8Array(view.buffer, view.byteOffset).set(data, end);
  const length = end - tcpAt + data.length;
  const seq = (spec.seq + way.seqBase) | 0;
  const ack = spec.flags.includes('.') ? (spec.ack + way.ackBase) | 0 : 0;
  const { sourcePort, destinationPort, source, destination } = way;
  const flags = flagBits(spec.flags);
  emitTcp(view, tcpAt, sourcePort, destinationPort, seq, ack, end - tcpAt, flags, spec.win, spec.urgent ?? 0);
  finishTcpChecksum(view, tcpAt, length, ipv4PseudoSum(source, destination, 6, length));
  emitIpv4(view, at, Ipv4.HEADER_BYTES, spec.ecn ?? 0, Ipv4.HEADER_BYTES + length, 1, 0, 64, 6, source, destination);
  return Ipv4.HEADER_BYTES + length;
}

/** Reads one that the stack has sent; throws when it is not what every receiver must accept. */
export function readSegment(view: DataView, at: number, length: number, way: Direction, nowUs: number): Segment {
  const wrong = parseIpv4(view, at, length);
  if (wrong !== Verdict.OK) throw new Error(`the stack sent a bad IP header: verdict ${wrong}`);
  const tcpAt = at + ipv4HeaderBytes(view, at);
  const tcpLength = ipv4TotalLength(view, at) - ipv4HeaderBytes(view, at);
  const bad = parseTcp(view, tcpAt, tcpLength, ipv4PseudoSum(way.source, way.destination, 6, tcpLength));
  if (bad !== Verdict.OK) throw new Error(`the stack sent a bad TCP header: verdict ${bad}`);
  const headerBytes = tcpHeaderBytes(view, tcpAt);
  const parsed = new TcpOptions();
  if (parseTcpOptions(view, tcpAt + Tcp.OPTIONS, headerBytes - Tcp.HEADER_BYTES, parsed) !== Verdict.OK)
    throw new Error('the stack sent bad options');
  const bits = tcpFlags(view, tcpAt);
  const bytes = new Uint8Array(view.buffer, view.byteOffset);
  // An RST to nobody's ACK has an acknowledgment of its own making; relative it would only confuse.
  const seqBase = (bits & 2) !== 0 ? tcpSeq(view, tcpAt) : way.seqBase;
  return {
    flags: flagLetters(bits),
    seq: (tcpSeq(view, tcpAt) - seqBase) | 0,
    ack: (bits & 16) !== 0 ? (tcpAck(view, tcpAt) - way.ackBase) | 0 : 0,
    win: tcpWindow(view, tcpAt),
    urgent: tcpUrgentPointer(view, tcpAt),
    options: asOptions(parsed, way.ackBase),
    ecn: ipv4Tos(view, at) & Ecn.MASK,
    data: bytes.slice(tcpAt + headerBytes, tcpAt + tcpLength),
    length: tcpLength - headerBytes,
    sourcePort: tcpSourcePort(view, tcpAt),
    destinationPort: tcpDestinationPort(view, tcpAt),
    datagram: bytes.slice(at, at + ipv4TotalLength(view, at)),
    atUs: nowUs,
    line: `${(nowUs / 1e6).toFixed(3)} ${printTcp(view, tcpAt, tcpLength, seqBase, way.ackBase)}`,
  };
}

function asOptions(parsed: TcpOptions, base: number): SegmentOptions {
  const { present } = parsed;
  const sack: [number, number][] = [];
  if ((present & TcpOptionBit.SACK) !== 0) {
    for (let i = 0; i < parsed.sackCount; i++)
      sack.push([((parsed.sack[2 * i] as number) - base) | 0, ((parsed.sack[2 * i + 1] as number) - base) | 0]);
  }
  return {
    ...((present & TcpOptionBit.MSS) !== 0 ? { mss: parsed.mss } : {}),
    ...((present & TcpOptionBit.WINDOW_SCALE) !== 0 ? { wscale: parsed.windowScale } : {}),
    ...((present & TcpOptionBit.SACK_PERMITTED) !== 0 ? { sackOk: true } : {}),
    ...((present & TcpOptionBit.TIMESTAMPS) !== 0 ? { ts: [parsed.tsVal, parsed.tsEcr] as const } : {}),
    ...(sack.length > 0 ? { sack } : {}),
    ...((present & TcpOptionBit.ACC_ECN) !== 0
      ? { [parsed.accEcnOrder1 ? 'accEcn' : 'accEcn0']: [...parsed.accEcn.subarray(0, parsed.accEcnFields)] }
      : {}),
    ...((present & TcpOptionBit.FAST_OPEN) !== 0 ? { fastOpen: cookieOf(parsed) } : {}),
    ...((present & TcpOptionBit.FAST_OPEN) !== 0 && parsed.fastOpenExperimental ? { experimental: true } : {}),
  };
}

function cookieOf(parsed: TcpOptions): string {
  let text = '';
  for (let i = 0; i < parsed.fastOpenLength; i++)
    text += parsed.view
      .getUint8(parsed.fastOpenAt + i)
      .toString(16)
      .padStart(2, '0');
  return text;
}
