import t from 'tap';
import {
  emitIcmpv4,
  finishIcmpv4Checksum,
  Icmpv4,
  Icmpv4Type,
  icmpv4Checksum,
  icmpv4Code,
  icmpv4Gateway,
  icmpv4Id,
  icmpv4IsError,
  icmpv4NextHopMtu,
  icmpv4Pointer,
  icmpv4QuoteTransport,
  icmpv4Seq,
  icmpv4Type,
  parseIcmpv4,
  parseIcmpv4Quote,
  printIcmpv4,
  Unreachable,
} from '../../../stack/wire/icmpv4.js';
import { formatIpv4Address, ipv4Destination } from '../../../stack/wire/ipv4.js';
import { udpDestinationPort } from '../../../stack/wire/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { ECHO, ECHO_REPLY, PORT_UNREACHABLE, TRANSPORT_AT, viewOf } from './frames.js';

/** A quoted datagram: TCP from 10.0.0.1 port 80 to 10.0.0.9 port 4242, with 8 bytes of its header. */
const QUOTE = '4500003c000140003f0600000a0000010a000009' + '0050109212345678';

function message(type: number, code: number, rest: number, quote = QUOTE): DataView {
  const view = viewOf(`0000000000000000${quote}`);
  emitIcmpv4(view, 0, type, code, rest);
  finishIcmpv4Checksum(view, 0, view.byteLength);
  return view;
}
const print = (view: DataView) => printIcmpv4(view, 0, view.byteLength);

t.test('a ping and its answer from Linux → OK, the same identifier, sequence and data', (t) => {
  for (const [{ hex }, type] of [
    [ECHO, Icmpv4Type.ECHO],
    [ECHO_REPLY, Icmpv4Type.ECHO_REPLY],
  ] as const) {
    const view = viewOf(hex);
    t.equal(parseIcmpv4(view, TRANSPORT_AT, 64), Verdict.OK);
    t.equal(icmpv4Type(view, TRANSPORT_AT), type);
    t.equal(icmpv4Code(view, TRANSPORT_AT), 0);
    t.equal(icmpv4Id(view, TRANSPORT_AT), 17145);
    t.equal(icmpv4Seq(view, TRANSPORT_AT), 1);
    t.notOk(icmpv4IsError(type));
  }
  t.end();
});

t.test('the reply made from the request → the checksum that Linux computed', (t) => {
  const view = viewOf(ECHO.hex);
  emitIcmpv4(view, TRANSPORT_AT, Icmpv4Type.ECHO_REPLY, 0, view.getInt32(TRANSPORT_AT + Icmpv4.REST));
  finishIcmpv4Checksum(view, TRANSPORT_AT, 64);
  t.equal(icmpv4Checksum(view, TRANSPORT_AT), icmpv4Checksum(viewOf(ECHO_REPLY.hex), TRANSPORT_AT));
  t.end();
});

t.test('port unreachable from Linux → OK, and the quote leads to address and port', (t) => {
  const view = viewOf(PORT_UNREACHABLE.hex);
  t.equal(parseIcmpv4(view, TRANSPORT_AT, 41), Verdict.OK);
  t.equal(icmpv4Code(view, TRANSPORT_AT), Unreachable.PORT);
  t.equal(parseIcmpv4Quote(view, TRANSPORT_AT, 41), Verdict.OK);
  t.equal(formatIpv4Address(ipv4Destination(view, TRANSPORT_AT + Icmpv4.QUOTE)), '127.0.0.1');
  t.equal(udpDestinationPort(view, icmpv4QuoteTransport(view, TRANSPORT_AT)), 9);
  t.end();
});

t.test('each error’s own field → read from the second word', (t) => {
  t.equal(icmpv4NextHopMtu(message(3, 4, 1400), 0), 1400);
  t.equal(icmpv4Pointer(message(12, 0, 20 << 24), 0), 20);
  t.equal(icmpv4Gateway(message(5, 1, 0xc0a80001), 0), 0xc0a80001 | 0);
  for (const type of [3, 4, 5, 11, 12]) t.ok(icmpv4IsError(type));
  for (const type of [0, 8, 9, 10, 13, 14, 255]) t.notOk(icmpv4IsError(type));
  t.end();
});

t.test('every length below 8 → ICMP_TOO_SHORT; any bit flipped → ICMP_CHECKSUM, unless the check is waived', (t) => {
  const view = viewOf(ECHO.hex);
  for (let length = 0; length < 8; length++) {
    t.equal(parseIcmpv4(view, view.byteLength - length, length), Verdict.ICMP_TOO_SHORT);
  }
  for (let bit = 0; bit < 64 * 8; bit++) {
    const at = TRANSPORT_AT + (bit >> 3);
    view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)));
    t.equal(parseIcmpv4(view, TRANSPORT_AT, 64), Verdict.ICMP_CHECKSUM);
    t.equal(parseIcmpv4(view, TRANSPORT_AT, 64, false), Verdict.OK);
    view.setUint8(at, view.getUint8(at) ^ (1 << (bit & 7)));
  }
  t.end();
});

t.test('a quote too short, of another version, or with a header that lies → ICMP_QUOTE_INVALID', (t) => {
  const view = message(3, 1, 0);
  t.equal(parseIcmpv4Quote(view, 0, view.byteLength), Verdict.OK);
  // RFC 792: the header and eight bytes at least.
  for (let length = 8; length < view.byteLength; length++) {
    t.equal(parseIcmpv4Quote(view, 0, length), Verdict.ICMP_QUOTE_INVALID, `${length}`);
  }
  for (const first of [0x65, 0x05, 0x44, 0x40, 0x46, 0x4f]) {
    view.setUint8(8, first);
    t.equal(parseIcmpv4Quote(view, 0, view.byteLength), Verdict.ICMP_QUOTE_INVALID, first.toString(16));
  }
  t.end();
});

t.test('printed → as tcpdump does', (t) => {
  const unreachable = [
    'net 10.0.0.9 unreachable',
    'host 10.0.0.9 unreachable',
    '10.0.0.9 protocol 6 unreachable',
    '10.0.0.9 tcp port 4242 unreachable',
    '10.0.0.9 unreachable - need to frag (mtu 1400)',
    '10.0.0.9 unreachable - source route failed',
    'net 10.0.0.9 unreachable - unknown',
    'host 10.0.0.9 unreachable - unknown',
    '10.0.0.9 unreachable - source host isolated',
    'net 10.0.0.9 unreachable - admin prohibited',
    'host 10.0.0.9 unreachable - admin prohibited',
    'net 10.0.0.9 unreachable - tos prohibited',
    'host 10.0.0.9 unreachable - tos prohibited',
    'host 10.0.0.9 unreachable - admin prohibited filter',
    'host 10.0.0.9 unreachable - host precedence violation',
    'host 10.0.0.9 unreachable - precedence cutoff',
    '10.0.0.9 unreachable - #16',
  ];
  unreachable.forEach((text, code) => {
    t.equal(print(message(3, code, 1400)), `ICMP ${text}, length 36`);
  });
  for (const [type, code, rest, text] of [
    [4, 0, 0, 'source quench'],
    [5, 0, 0x0a000001, 'redirect 10.0.0.9 to net 10.0.0.1'],
    [5, 1, 0x0a000001, 'redirect 10.0.0.9 to host 10.0.0.1'],
    [5, 2, 0x0a000001, 'redirect 10.0.0.9 to tos-net 10.0.0.1'],
    [5, 3, 0x0a000001, 'redirect 10.0.0.9 to tos-host 10.0.0.1'],
    [5, 4, 0x0a000001, 'redirect 10.0.0.9 to code 4 10.0.0.1'],
    [9, 0, 0, 'router advertisement'],
    [10, 0, 0, 'router solicitation'],
    [11, 0, 0, 'time exceeded in-transit'],
    [11, 1, 0, 'ip reassembly time exceeded'],
    [11, 2, 0, 'time exceeded code 2'],
    [12, 0, 20 << 24, 'parameter problem - octet 20'],
    [12, 1, 0, 'parameter problem - code 1'],
    [13, 0, 0, 'time stamp query'],
    [14, 0, 0, 'time stamp reply'],
    [40, 1, 0, 'type-#40 code 1'],
  ] as const) {
    t.equal(print(message(type, code, rest)), `ICMP ${text}, length 36`);
  }
  t.equal(print(message(3, 3, 0, '4500')), 'ICMP [bad quote] unreachable - code 3, length 10');
  t.equal(print(message(3, 1, 0, '')), 'ICMP host [bad quote] unreachable, length 8');
  t.equal(printIcmpv4(viewOf('0800'), 0, 2), 'ICMP, truncated, length 2');
  t.end();
});
