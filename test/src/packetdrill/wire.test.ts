import t from 'tap';
import type { PacketEvent, ScriptPacket, TcpPacket } from '../../../src/packetdrill/language/ast.js';
import { parseScript } from '../../../src/packetdrill/language/parse-script.js';
import { buildIcmp, buildTcp, buildUdp, type Route } from '../../../src/packetdrill/wire/build.js';
import { difference, WHOLE } from '../../../src/packetdrill/wire/match.js';
import { printPacket } from '../../../src/packetdrill/wire/print.js';
import { readDatagram } from '../../../src/packetdrill/wire/read.js';
import { Icmpv4 } from '../../../stack/wire/icmpv4.js';
import { Ipv4, parseIpv4Address } from '../../../stack/wire/ipv4.js';

const ROUTE: Route = {
  source: parseIpv4Address('192.0.2.1') ?? 0,
  destination: parseIpv4Address('192.168.0.1') ?? 0,
  sourcePort: 40_001,
  destinationPort: 8080,
};

function parsed(text: string): ScriptPacket {
  return (parseScript('a.pkt', `0 > ${text}`).events[0] as PacketEvent).packet;
}

function tcp(text: string): TcpPacket {
  return parsed(text) as TcpPacket;
}

const SEGMENTS = [
  'S 123:123(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>',
  'S. 0:0(0) ack 1 win 65535 <mss 1460,sackOK,TS val 100 ecr 200,nop,wscale 8>',
  'FPUE. 1:1001(1000) ack 4294967295 win 257 urg 9 <nop,nop,sack 1:2 3:4>',
  'WA. 1:2(1) ack 1 win 1 <ECN e1b 1 ceb 0 e0b 16777215,nop>',
  'S 0:500(500) win 1 <FO abcd1234,nop,nop>',
  'S 0:0(0) win 1 <FOEXP abcd,nop,nop>',
  'R 5:5(0) win 0',
  '. 1:1(0) ack 1 win 514 <md5 000102030405060708090a0b0c0d0e0f,nop,nop>',
  '- 1:1(0) win 0 <kind 77 aabb>',
];

t.test('a segment that is built and read again → the same, in the same notation', (t) => {
  for (const text of SEGMENTS) {
    const seen = readDatagram(buildTcp(tcp(text), ROUTE), 0);
    t.equal(seen.fault, undefined, text);
    t.equal(printPacket(seen.packet as TcpPacket), text);
    t.equal(difference(tcp(text), seen.packet as TcpPacket), undefined, text);
  }
  t.end();
});

t.test('marks of the IP header → in the datagram, and compared where they are written', (t) => {
  const seen = readDatagram(buildTcp(tcp('[ce, ttl 7] . 1:1(0) ack 1 win 1'), ROUTE), 0).packet as TcpPacket;
  t.match(seen.marks, { ecn: 'ce', ttl: 7 });
  t.equal(difference(tcp('. 1:1(0) ack 1'), seen), undefined, 'what is not written is not compared');
  t.equal(difference(tcp('[ect0] . 1:1(0) ack 1'), seen), 'ECN: expected ect0, seen ce');
  t.equal(difference(tcp('[ect01] . 1:1(0) ack 1'), seen), 'ECN: expected ect0 or ect1, seen ce');
  t.equal(difference(tcp('[ttl 64] . 1:1(0) ack 1'), seen), 'TTL: expected 64, seen 7');
  t.equal(difference(tcp('[tos 0x10] . 1:1(0) ack 1'), seen), 'TOS: expected 0x10, seen 0x3');
  t.end();
});

t.test('UDP and ICMP', (t) => {
  const udp = parsed('udp (1000)');
  t.equal(udp.protocol, 'udp');
  if (udp.protocol === 'udp')
    t.match(readDatagram(buildUdp(udp, ROUTE), 0), { packet: { length: 1000 }, fault: undefined });
  const icmp = parsed('icmp unreachable frag_needed mtu 1400 [1:1461(1460)]');
  if (icmp.protocol !== 'icmp') throw new Error('no ICMP');
  const bytes = buildIcmp(icmp, ROUTE, ROUTE);
  t.equal(printPacket(readDatagram(bytes, 0).packet as ScriptPacket), 'icmp unreachable frag_needed mtu 1400');
  const quoted = Ipv4.HEADER_BYTES + Icmpv4.HEADER_BYTES + Ipv4.HEADER_BYTES;
  const view = new DataView(bytes.buffer);
  t.equal(view.getUint16(quoted + 2), 8080, 'the quoted port');
  t.equal(view.getUint32(quoted + 4), 1, 'the quoted sequence number');
  t.end();
});

t.test('each field that differs → is named', (t) => {
  const seen = tcp('P. 1:1001(1000) ack 7 win 257 <nop,nop,TS val 5 ecr 6>');
  const says: readonly (readonly [string, string])[] = [
    ['. 1:1001(1000) ack 7 <...>', 'flags: expected ., seen P.'],
    ['P. 2:1002(1000) ack 7 <...>', 'sequence number: expected 2, seen 1'],
    ['P. 1:1002(1001) ack 7 <...>', 'payload bytes: expected 1001, seen 1000'],
    ['P. 1:1001(1000) ack 8 <...>', 'acknowledgment number: expected 8, seen 7'],
    ['P. 1:1001(1000) ack 7 win 1 <...>', 'window: expected 1, seen 257'],
    ['P. 1:1001(1000) ack 7', 'options: expected <>, seen <nop,nop,TS val 5 ecr 6>'],
    [
      'P. 1:1001(1000) ack 7 <nop,nop,TS val 9 ecr 7>',
      'options: expected <nop,nop,TS val 9 ecr 7>, seen <nop,nop,TS val 5 ecr 6>',
    ],
    ['PU. 1:1001(1000) ack 7 urg 3 <...>', 'flags: expected PU., seen P.'],
    ['1 > 2 P. 1:1001(1000) ack 7 <...>', ''],
    ['P. 1:1001(1000) ack 7 <nop,nop,TS val 9 ecr 6>', ''],
  ];
  for (const [text, difference_] of says) t.equal(difference(tcp(text), seen) ?? '', difference_, text);
  t.equal(difference(parsed('udp (1)'), seen), 'protocol: expected udp, seen tcp');
  t.end();
});

t.test('a piece of a larger segment → FIN belongs to the last, CWR to the first, PSH is not compared', (t) => {
  const whole = tcp('FPW. 1:2001(2000) ack 1');
  const first = tcp('W. 1:1001(1000) ack 1');
  const last = tcp('FP. 1001:2001(1000) ack 1');
  t.equal(difference(whole, first, { first: true, last: false, push: false }), undefined);
  t.equal(difference(whole, last, { first: false, last: true, push: false }), undefined);
  t.equal(difference(whole, first, WHOLE), 'flags: expected FPW., seen W.');
  t.equal(
    difference(whole, tcp('W. 1001:2001(1000) ack 1'), { first: false, last: true, push: false }),
    'flags: expected F., seen .',
  );
  t.equal(
    difference(tcp('P. 1:2001(2000) ack 1'), tcp('. 1001:2001(1000) ack 1'), { first: false, last: true, push: false }),
    undefined,
  );
  t.equal(
    difference(tcp('P. 1:2001(2000) ack 1'), tcp('. 1001:2001(1000) ack 1'), { first: false, last: true, push: true }),
    'flags: expected P., seen .',
    'unless it is judged as packetdrill does',
  );
  t.end();
});

t.test('a wrong checksum or length → a fault in words', (t) => {
  const good = buildTcp(tcp('P. 1:11(10) ack 1 win 1'), ROUTE);
  for (const [at, says] of [
    [10, /bad IP header/],
    [Ipv4.HEADER_BYTES + 16, /TCP segment that is wrong/],
    [good.length - 1, /TCP segment that is wrong/],
  ] as const) {
    const bad = good.slice();
    bad[at] ^= 1;
    t.match(readDatagram(bad, 0).fault, says);
  }
  t.match(readDatagram(good.subarray(0, 15), 0).fault, /bad IP header/);
  t.end();
});
