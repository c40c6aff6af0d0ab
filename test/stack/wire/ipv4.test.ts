import t from 'tap';
import {
  emitIpv4,
  finishIpv4Checksum,
  formatIpv4Address,
  IpProtocol,
  Ipv4,
  Ipv4Fragment,
  ipv4Checksum,
  ipv4Destination,
  ipv4DontFragment,
  ipv4FragmentOffset,
  ipv4FragmentWord,
  ipv4HeaderBytes,
  ipv4Id,
  ipv4IsFragment,
  ipv4MoreFragments,
  ipv4Protocol,
  ipv4PseudoSum,
  ipv4Source,
  ipv4Tos,
  ipv4TotalLength,
  ipv4Ttl,
  ipv4Version,
  isMulticastIpv4,
  parseIpv4,
  parseIpv4Address,
} from '../../../stack/wire/ipv4.js';
import { emitRouterAlert } from '../../../stack/wire/ipv4-options.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { bytesOf, CAPTURED, IP_AT, viewOf } from './frames.js';

/** A textbook's header: UDP, 115 bytes, checksum b861. */
const HEADER = '45000073000040004011b861c0a80001c0a800c7';

t.test('headers that Linux made → OK', (t) => {
  for (const { hex, text } of CAPTURED) {
    const view = viewOf(hex);
    t.equal(parseIpv4(view, IP_AT, view.byteLength - IP_AT), Verdict.OK, text);
  }
  t.end();
});

t.test('every field of a header → as it stands', (t) => {
  const view = viewOf('4628' + '0123' + 'abcd' + '6007' + '3f06' + '0000' + 'fffefdfc' + 'e00000fb' + '00000000', 5);
  finishIpv4Checksum(view, 5);
  t.equal(parseIpv4(view, 5, 0x123), Verdict.OK);
  t.equal(ipv4Version(view, 5), 4);
  t.equal(ipv4HeaderBytes(view, 5), 24);
  t.equal(ipv4Tos(view, 5), 0x28);
  t.equal(ipv4TotalLength(view, 5), 0x123);
  t.equal(ipv4Id(view, 5), 0xabcd);
  t.equal(ipv4FragmentWord(view, 5), 0x6007);
  t.ok(ipv4DontFragment(view, 5));
  t.ok(ipv4MoreFragments(view, 5));
  t.equal(ipv4FragmentOffset(view, 5), 56);
  t.ok(ipv4IsFragment(view, 5));
  t.equal(ipv4Ttl(view, 5), 63);
  t.equal(ipv4Protocol(view, 5), IpProtocol.TCP);
  t.equal(ipv4Source(view, 5), 0xfffefdfc | 0);
  t.equal(ipv4Destination(view, 5), 0xe00000fb | 0);
  t.end();
});

t.test('a fragment → first, middle and last are known as such; DF alone is none', (t) => {
  const view = viewOf(HEADER);
  for (const [word, fragment] of [
    [0x0000, false],
    [Ipv4Fragment.DF, false],
    [Ipv4Fragment.MF, true],
    [Ipv4Fragment.MF | 185, true],
    [185, true],
  ] as const) {
    view.setUint16(Ipv4.FRAGMENT, word);
    t.equal(ipv4IsFragment(view, 0), fragment, word.toString(16));
  }
  t.end();
});

t.test('emitted → the textbook’s bytes and checksum', (t) => {
  const view = new DataView(new ArrayBuffer(21));
  const [source, destination] = [parseIpv4Address('192.168.0.1') ?? 0, parseIpv4Address('192.168.0.199') ?? 0];
  emitIpv4(view, 1, 20, 0, 0x73, 0, Ipv4Fragment.DF, 64, IpProtocol.UDP, source, destination);
  t.equal(bytesOf(view, 1, 20), HEADER);
  t.end();
});

t.test('emitted with extremes in every field → parses as OK', (t) => {
  const view = new DataView(new ArrayBuffer(65535));
  emitIpv4(view, 0, 20, 0xff, 65535, 0xffff, 0xffff, 255, 255, -1, -1);
  t.equal(parseIpv4(view, 0, 65535), Verdict.OK);
  t.equal(ipv4TotalLength(view, 0), 65535);
  emitIpv4(view, 0, 20, 0, 20, 0, 0, 0, 0, 0, 0);
  t.equal(parseIpv4(view, 0, 20), Verdict.OK);
  t.equal(ipv4Checksum(view, 0), 0xbaeb);
  t.end();
});

t.test('emitted with an option in place → the checksum covers it', (t) => {
  const view = new DataView(new ArrayBuffer(24));
  t.equal(emitRouterAlert(view, Ipv4.OPTIONS), 24);
  t.equal(bytesOf(view, 20, 4), '94040000');
  emitIpv4(view, 0, 24, 0xc0, 24, 1, Ipv4Fragment.DF, 1, IpProtocol.IGMP, 0x0a000001, 0xe0000016);
  t.equal(parseIpv4(view, 0, 24), Verdict.OK);
  view.setUint8(23, 1);
  t.equal(parseIpv4(view, 0, 24), Verdict.IP_CHECKSUM);
  t.end();
});

t.test('every length below the header → IP_TOO_SHORT', (t) => {
  for (let length = 0; length < 20; length++)
    t.equal(parseIpv4(viewOf(HEADER), 20 - length, length), Verdict.IP_TOO_SHORT);
  t.end();
});

t.test('every version but 4 → IP_VERSION', (t) => {
  for (let version = 0; version < 16; version++) {
    const view = viewOf(HEADER, 0, 95);
    view.setUint8(0, (version << 4) | 5);
    t.equal(parseIpv4(view, 0, 115), version === 4 ? Verdict.OK : Verdict.IP_VERSION);
  }
  t.end();
});

t.test('a header length below 20 or past the frame → IP_HEADER_LENGTH', (t) => {
  for (let ihl = 0; ihl < 5; ihl++) {
    const view = viewOf(HEADER, 0, 95);
    view.setUint8(0, 0x40 | ihl);
    t.equal(parseIpv4(view, 0, 115), Verdict.IP_HEADER_LENGTH);
  }
  const view = viewOf(HEADER, 0, 3);
  view.setUint8(0, 0x46);
  t.equal(parseIpv4(view, 0, 23), Verdict.IP_HEADER_LENGTH);
  t.end();
});

t.test('a total length below the header or past the frame → IP_TOTAL_LENGTH; below the frame (padding) → OK', (t) => {
  const view = viewOf(HEADER, 0, 200);
  t.equal(parseIpv4(view, 0, 114), Verdict.IP_TOTAL_LENGTH);
  t.equal(parseIpv4(view, 0, 115), Verdict.OK);
  t.equal(parseIpv4(view, 0, 220), Verdict.OK);
  view.setUint16(Ipv4.TOTAL_LENGTH, 19);
  finishIpv4Checksum(view, 0);
  t.equal(parseIpv4(view, 0, 220), Verdict.IP_TOTAL_LENGTH);
  view.setUint16(Ipv4.TOTAL_LENGTH, 20);
  finishIpv4Checksum(view, 0);
  t.equal(parseIpv4(view, 0, 220), Verdict.OK);
  t.end();
});

t.test(
  'any one bit of the header flipped → never OK, and OK again when the check of the sum is waived and lengths fit',
  (t) => {
    for (let bit = 0; bit < 160; bit++) {
      const view = viewOf(HEADER, 0, 200);
      view.setUint8(bit >> 3, view.getUint8(bit >> 3) ^ (0x80 >> (bit & 7)));
      t.not(parseIpv4(view, 0, 115), Verdict.OK, `bit ${bit}`);
      if (bit >= 32) t.equal(parseIpv4(view, 0, 115, false), Verdict.OK);
    }
    t.end();
  },
);

t.test('addresses as text, both ways; what is not four decimal numbers → undefined', (t) => {
  for (const text of ['0.0.0.0', '10.0.0.1', '127.0.0.1', '192.168.255.254', '255.255.255.255']) {
    const address = parseIpv4Address(text);
    t.equal(address, (address ?? 0.5) | 0, 'an int32');
    t.equal(formatIpv4Address(address ?? 0), text);
  }
  t.equal(parseIpv4Address('255.255.255.255'), -1);
  for (const text of [
    '',
    '1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4 ',
    '0x1.2.3.4',
    '1.2.3.-4',
    '1..3.4',
    '1.2.3.1e1',
  ]) {
    t.equal(parseIpv4Address(text), undefined, JSON.stringify(text));
  }
  t.ok(isMulticastIpv4(parseIpv4Address('224.0.0.0') ?? 0));
  t.ok(isMulticastIpv4(parseIpv4Address('239.255.255.255') ?? 0));
  t.notOk(isMulticastIpv4(parseIpv4Address('223.255.255.255') ?? 0));
  t.notOk(isMulticastIpv4(parseIpv4Address('240.0.0.0') ?? 0));
  t.end();
});

t.test('the pseudo-header’s sum → its six words', (t) => {
  t.equal(ipv4PseudoSum(0x7f000001, 0x7f000001, 17, 13), 0x7f00 + 1 + 0x7f00 + 1 + 17 + 13);
  t.equal(ipv4PseudoSum(-1, -1, 6, 65535), 4 * 0xffff + 6 + 65535);
  t.end();
});
