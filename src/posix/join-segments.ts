import {
  finishIpv4Checksum,
  IpProtocol,
  Ipv4,
  ipv4Destination,
  ipv4HeaderBytes,
  ipv4IsFragment,
  ipv4Protocol,
  ipv4PseudoSum,
  ipv4Source,
  ipv4TotalLength,
  parseIpv4,
} from '../../stack/wire/ipv4.js';
import { finishTcpChecksum, parseTcp, TcpFlag, tcpFlags, tcpHeaderBytes, tcpSeq } from '../../stack/wire/tcp.js';
import { Verdict } from '../../stack/wire/verdict.js';

/**
 * Segments as a device with segmentation offload is handed them: what was sent in one burst is one datagram, up to 64 KiB of it. Linux gives packetdrill's device
 * such datagrams, and its scripts are written for them (`> P. 1:10001(10000)`). A burst ends where the sender says PSH, at a segment that is not full, and at one whose
 * header differs in anything but its place.
 */
export function joinSegments(datagrams: readonly Uint8Array[]): Uint8Array[] {
  const joined: Uint8Array[] = [];
  let run: Segment[] = [];
  let bytes = 0;
  const finish = (): void => {
    const last = run.at(-1);
    // Without its end it is no burst: segments that were sent again, one for each acknowledgment.
    if (run.length > 1 && ((last?.flags ?? 0) & AT_THE_END) !== 0) joined.push(join(run));
    else for (const segment of run) joined.push(segment.datagram);
    run = [];
  };
  for (const datagram of datagrams) {
    const segment = readText(datagram);
    if (segment === undefined) {
      finish();
      joined.push(datagram);
      continue;
    }
    const last = run.at(-1);
    if (last === undefined || !follows(run[0], last, segment) || bytes + segment.textBytes > Ipv4.DATAGRAM_BYTES_MAX) {
      finish();
      bytes = segment.textAt;
    }
    run.push(segment);
    bytes += segment.textBytes;
  }
  finish();
  return joined;
}

interface Segment {
  readonly datagram: Uint8Array;
  readonly view: DataView;
  readonly tcpAt: number;
  readonly textAt: number;
  readonly textBytes: number;
  readonly flags: number;
}

/** The last segment of a burst may say these, and those before it not. */
const AT_THE_END = TcpFlag.PSH | TcpFlag.FIN;
/** Segments with any of these stand alone. */
const ALONE = TcpFlag.SYN | TcpFlag.RST | TcpFlag.URG;

/** A segment with text and right checksums: a wrong one is for whoever looks at the wire to see, and stays as it is. */
function readText(datagram: Uint8Array): Segment | undefined {
  const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  if (parseIpv4(view, 0, datagram.length) !== Verdict.OK) return undefined;
  if (ipv4Protocol(view, 0) !== IpProtocol.TCP || ipv4IsFragment(view, 0)) return undefined;
  const tcpAt = ipv4HeaderBytes(view, 0);
  const length = ipv4TotalLength(view, 0) - tcpAt;
  const pseudo = ipv4PseudoSum(ipv4Source(view, 0), ipv4Destination(view, 0), IpProtocol.TCP, length);
  if (parseTcp(view, tcpAt, length, pseudo) !== Verdict.OK) return undefined;
  const textAt = tcpAt + tcpHeaderBytes(view, tcpAt);
  const textBytes = tcpAt + length - textAt;
  const flags = tcpFlags(view, tcpAt);
  if (textBytes === 0 || (flags & ALONE) !== 0) return undefined;
  return { datagram, view, tcpAt, textAt, textBytes, flags };
}

function follows(first: Segment, last: Segment, next: Segment): boolean {
  if ((last.flags & AT_THE_END) !== 0 || last.textBytes !== first.textBytes || next.textBytes > first.textBytes)
    return false;
  // CWR is said once, by the burst's first (RFC 3168 §6.1.2): offload takes it from there.
  if ((next.flags & ~AT_THE_END) !== (first.flags & ~TcpFlag.CWR)) return false;
  if (tcpSeq(next.view, next.tcpAt) !== ((tcpSeq(last.view, last.tcpAt) + last.textBytes) | 0)) return false;
  return sameHeaders(first, next);
}

/** Bytes of the headers that a segment of a burst has to itself: length, identification and checksum of IP; sequence number, flags and checksum of TCP. */
const IP_OWN: readonly number[] = [2, 3, 4, 5, 10, 11];
const TCP_OWN: readonly number[] = [4, 5, 6, 7, 13, 16, 17];

function sameHeaders(one: Segment, other: Segment): boolean {
  if (one.textAt !== other.textAt || one.tcpAt !== other.tcpAt) return false;
  for (let i = 0; i < one.textAt; i++) {
    if (one.datagram[i] === other.datagram[i]) continue;
    if (i < one.tcpAt ? !IP_OWN.includes(i) : !TCP_OWN.includes(i - one.tcpAt)) return false;
  }
  return true;
}

function join(run: readonly Segment[]): Uint8Array {
  const [first] = run;
  const textBytes = run.reduce((sum, segment) => sum + segment.textBytes, 0);
  const datagram = new Uint8Array(first.textAt + textBytes);
  datagram.set(first.datagram.subarray(0, first.textAt));
  let at = first.textAt;
  for (const segment of run) {
    datagram.set(segment.datagram.subarray(segment.textAt, segment.textAt + segment.textBytes), at);
    at += segment.textBytes;
  }
  const view = new DataView(datagram.buffer);
  view.setUint16(Ipv4.TOTAL_LENGTH, datagram.length);
  finishIpv4Checksum(view, 0);
  const last = run[run.length - 1];
  view.setUint8(first.tcpAt + FLAGS_AT, view.getUint8(first.tcpAt + FLAGS_AT) | (last.flags & AT_THE_END));
  const length = datagram.length - first.tcpAt;
  const pseudo = ipv4PseudoSum(ipv4Source(view, 0), ipv4Destination(view, 0), IpProtocol.TCP, length);
  finishTcpChecksum(view, first.tcpAt, length, pseudo);
  return datagram;
}

const FLAGS_AT = 13;
