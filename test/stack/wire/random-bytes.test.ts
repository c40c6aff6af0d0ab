import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { parseArp } from '../../../stack/wire/arp.js';
import { parseEthernet } from '../../../stack/wire/ethernet.js';
import { parseIcmpv4, parseIcmpv4Quote } from '../../../stack/wire/icmpv4.js';
import { ipv4HeaderBytes, parseIpv4 } from '../../../stack/wire/ipv4.js';
import { Ipv4Options, parseIpv4Options } from '../../../stack/wire/ipv4-options.js';
import { printFrame, printPacket } from '../../../stack/wire/print.js';
import { parseTcp, tcpHeaderBytes } from '../../../stack/wire/tcp.js';
import { parseTcpOptions, TcpOptions } from '../../../stack/wire/tcp-options.js';
import { parseUdp } from '../../../stack/wire/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { parseVlan } from '../../../stack/wire/vlan.js';
import { CAPTURED, ipv4Frame, viewOf } from './frames.js';

/**
 * Every parser over bytes that mean nothing, or nearly something. The view given ends exactly where the frame does, so one
 * read too far is a RangeError, and the test with it.
 */
const FRAMES = 100_000;
const ipOptions = new Ipv4Options();
const tcpOptions = new TcpOptions();

/** Runs all parsers at all places where a header may begin, and counts the verdicts. */
function parseAll(view: DataView, counts: Int32Array): void {
  const length = view.byteLength;
  counts[parseEthernet(view, 0, length)] += 1;
  for (const at of [0, 14, 18, 34]) {
    const left = length - at;
    if (left < 0) break;
    counts[parseVlan(view, at, left)] += 1;
    counts[parseArp(view, at, left)] += 1;
    const ip = parseIpv4(view, at, left, false);
    counts[ip] += 1;
    if (ip === Verdict.OK) {
      counts[parseIpv4Options(view, at + 20, ipv4HeaderBytes(view, at) - 20, ipOptions)] += 1;
    }
    counts[parseIcmpv4(view, at, left)] += 1;
    if (left >= 8) counts[parseIcmpv4Quote(view, at, left)] += 1;
    counts[parseUdp(view, at, left, 0)] += 1;
    const tcp = parseTcp(view, at, left, 0, false);
    counts[tcp] += 1;
    if (tcp === Verdict.OK) {
      counts[parseTcpOptions(view, at + 20, tcpHeaderBytes(view, at) - 20, tcpOptions)] += 1;
    }
    counts[parseTcp(view, at, left, 0)] += 1;
  }
}

/** True when the line is one line, and no hole in the printer shows. */
function lineOk(line: string): boolean {
  return line.length > 0 && line.length < 2000 && !/\n|undefined|NaN|null|\[object/.test(line);
}

t.test('100,000 frames of random bytes → a verdict from every parser, a line from the printer, no exception', (t) => {
  const prng = new Prng(1);
  const counts = new Int32Array(Verdict.COUNT);
  let badLines = 0;
  for (let i = 0; i < FRAMES; i++) {
    const view = new DataView(new ArrayBuffer(prng.below(120)));
    for (let at = 0; at < view.byteLength; at++) view.setUint8(at, prng.next());
    // Every other frame is at least announced as something we speak.
    if ((i & 1) === 0 && view.byteLength >= 15) {
      view.setUint16(12, [0x0800, 0x0806, 0x8100, 0x86dd][prng.below(4)]);
      view.setUint8(14, 0x45 + prng.below(4));
    }
    parseAll(view, counts);
    if (!lineOk(printFrame(view, 0, view.byteLength)) || !lineOk(printPacket(view, 0, view.byteLength))) badLines += 1;
  }
  t.equal(badLines, 0);
  for (const verdict of [
    Verdict.OK,
    Verdict.FRAME_TOO_SHORT,
    Verdict.ARP_TOO_SHORT,
    Verdict.ARP_MALFORMED,
    Verdict.IP_TOO_SHORT,
    Verdict.IP_VERSION,
    Verdict.IP_HEADER_LENGTH,
    Verdict.IP_TOTAL_LENGTH,
    Verdict.ICMP_TOO_SHORT,
    Verdict.ICMP_CHECKSUM,
    Verdict.ICMP_QUOTE_INVALID,
    Verdict.UDP_TOO_SHORT,
    Verdict.UDP_LENGTH,
    Verdict.UDP_CHECKSUM,
    Verdict.TCP_TOO_SHORT,
    Verdict.TCP_DATA_OFFSET,
    Verdict.TCP_CHECKSUM,
    Verdict.TCP_OPTION_LENGTH,
  ]) {
    t.ok(counts[verdict] > 0, `verdict ${verdict} was reached`);
  }
  t.end();
});

t.test('100,000 real frames with a few bytes changed or cut off → the same', (t) => {
  const prng = new Prng(2);
  const counts = new Int32Array(Verdict.COUNT);
  const originals = CAPTURED.map(({ hex }) => viewOf(hex));
  originals.push(
    ipv4Frame(6, `005010920000000100000002f012ffff00000000${'0101080a0000000100000002'.repeat(3)}${'0'.repeat(8)}`),
  );
  originals.push(ipv4Frame(1, '0b000000000000004600003c000140003f0600000a0000010a000009940400000050109212345678'));
  originals.push(ipv4Frame(17, '0035003500080000', `44080500000000008307040a00000100`));
  originals.push(viewOf('020000000001020000000002080600010800060400010200000000010a0000010000000000000a000002'));
  let badLines = 0;
  for (let i = 0; i < FRAMES; i++) {
    const original = originals[i % originals.length];
    const length = prng.below(4) === 0 ? prng.below(original.byteLength + 1) : original.byteLength;
    const view = new DataView(original.buffer.slice(0, length));
    for (let changes = prng.below(4); changes > 0 && length > 12; changes--) {
      view.setUint8(12 + prng.below(length - 12), prng.next());
    }
    parseAll(view, counts);
    if (!lineOk(printFrame(view, 0, length))) badLines += 1;
  }
  t.equal(badLines, 0);
  t.ok(counts[Verdict.IP_OPTIONS] > 0);
  t.ok(counts[Verdict.TCP_OPTION_LENGTH] > 0);
  t.end();
});
