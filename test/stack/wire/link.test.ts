import t from 'tap';
import {
  Arp,
  ArpOperation,
  arpOperation,
  arpSenderIp,
  arpSenderMacHi,
  arpSenderMacLo,
  arpTargetIp,
  arpTargetMacHi,
  arpTargetMacLo,
  emitArp,
  parseArp,
  printArp,
} from '../../../stack/wire/arp.js';
import {
  Ethernet,
  EtherType,
  emitEthernet,
  ethernetDestinationHi,
  ethernetDestinationLo,
  ethernetSourceHi,
  ethernetSourceLo,
  ethernetType,
  formatMac,
  isBroadcastMac,
  isGroupMac,
  multicastMacHi,
  multicastMacLo,
  parseEthernet,
  parseMac,
} from '../../../stack/wire/ethernet.js';
import { parseIpv4Address } from '../../../stack/wire/ipv4.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import {
  emitVlan,
  parseVlan,
  Vlan,
  vlanDropEligible,
  vlanId,
  vlanPriority,
  vlanType,
} from '../../../stack/wire/vlan.js';
import { bytesOf, viewOf } from './frames.js';

t.test('ethernet, emitted at an odd offset → the bytes of the standard, and read back the same', (t) => {
  const view = new DataView(new ArrayBuffer(20));
  emitEthernet(view, 3, 0x0200, 0xdeadbeef, 0xffff, -1, EtherType.IPV4);
  t.equal(bytesOf(view, 3, 14), '0200deadbeefffffffffffff0800');
  t.equal(parseEthernet(view, 3, 14), Verdict.OK);
  t.equal(ethernetDestinationHi(view, 3), 0x0200);
  t.equal(ethernetDestinationLo(view, 3), 0xdeadbeef | 0);
  t.equal(ethernetSourceHi(view, 3), 0xffff);
  t.equal(ethernetSourceLo(view, 3), -1);
  t.equal(ethernetType(view, 3), 0x0800);
  t.end();
});

t.test('ethernet, every shorter length → FRAME_TOO_SHORT, even at the very end of memory', (t) => {
  const view = new DataView(new ArrayBuffer(Ethernet.HEADER_BYTES));
  for (let length = 0; length < Ethernet.HEADER_BYTES; length++) {
    t.equal(parseEthernet(view, Ethernet.HEADER_BYTES - length, length), Verdict.FRAME_TOO_SHORT);
  }
  t.end();
});

t.test('ethernet, a length where the type should be (802.3) → ETHERTYPE_UNKNOWN', (t) => {
  t.equal(parseEthernet(viewOf('0180c2000000020000000001002642420300'), 0, 18), Verdict.ETHERTYPE_UNKNOWN);
  t.equal(parseEthernet(viewOf('01000000000002000000000105ff'), 0, 14), Verdict.ETHERTYPE_UNKNOWN);
  t.equal(parseEthernet(viewOf('0100000000000200000000010600'), 0, 14), Verdict.OK);
  t.end();
});

t.test('MAC addresses: group, broadcast, multicast group, text both ways', (t) => {
  t.ok(isGroupMac(0x0100));
  t.ok(isGroupMac(0x3333));
  t.notOk(isGroupMac(0x0200));
  t.ok(isBroadcastMac(0xffff, -1));
  t.ok(isBroadcastMac(0xffff, 0xffffffff));
  t.notOk(isBroadcastMac(0xffff, 0x7fffffff));
  // RFC 1112 §6.4: the upper nine bits of the group do not show.
  const group = parseIpv4Address('239.255.0.1') ?? 0;
  t.equal(formatMac(multicastMacHi(), multicastMacLo(group)), '01:00:5e:7f:00:01');
  t.equal(formatMac(0x0001, 0x80), '00:01:00:00:00:80');
  t.same(parseMac('02:00:aB:00:00:Ff'), Uint8Array.of(2, 0, 0xab, 0, 0, 0xff));
  t.same(parseMac('02-00-00-00-00-01'), Uint8Array.of(2, 0, 0, 0, 0, 1));
  for (const text of [
    '',
    '02:00:00:00:00',
    '02:00:00:00:00:01:02',
    '2:0:0:0:0:1',
    'g2:00:00:00:00:01',
    ' 02:00:00:00:00:01',
  ]) {
    t.equal(parseMac(text), undefined, JSON.stringify(text));
  }
  t.end();
});

t.test('vlan, emitted → priority, number and type; drop-eligible is read', (t) => {
  const view = new DataView(new ArrayBuffer(6));
  emitVlan(view, 1, 5, 100, EtherType.IPV4);
  t.equal(bytesOf(view, 1, 4), 'a0640800');
  t.equal(parseVlan(view, 1, 4), Verdict.OK);
  t.equal(vlanId(view, 1), 100);
  t.equal(vlanPriority(view, 1), 5);
  t.equal(vlanType(view, 1), 0x0800);
  t.notOk(vlanDropEligible(view, 1));
  t.ok(vlanDropEligible(viewOf('10640800'), 0));
  t.end();
});

t.test('vlan, cut off → FRAME_TOO_SHORT; the reserved number → VLAN_NOT_OURS', (t) => {
  for (let length = 0; length < Vlan.HEADER_BYTES; length++) {
    t.equal(parseVlan(new DataView(new ArrayBuffer(4)), 4 - length, length), Verdict.FRAME_TOO_SHORT);
  }
  t.equal(parseVlan(viewOf('0fff0800'), 0, 4), Verdict.VLAN_NOT_OURS);
  t.equal(parseVlan(viewOf('00000800'), 0, 4), Verdict.OK);
  t.end();
});

const REQUEST = '0001080006040001' + '0200000000010a000001' + '0000000000000a000002';

t.test('arp, a request emitted → the bytes of RFC 826, and read back the same', (t) => {
  const view = new DataView(new ArrayBuffer(32));
  emitArp(view, 2, ArpOperation.REQUEST, 0x0200, 1, 0x0a000001, 0, 0, 0x0a000002);
  t.equal(bytesOf(view, 2, Arp.PACKET_BYTES), REQUEST);
  emitArp(view, 2, ArpOperation.REPLY, 0x0200, 0xfedcba98, 0xc0a80101, 0x0a0b, 0x8c0d0e0f, 0xffffffff);
  t.equal(parseArp(view, 2, Arp.PACKET_BYTES), Verdict.OK);
  t.equal(arpOperation(view, 2), ArpOperation.REPLY);
  t.equal(arpSenderMacHi(view, 2), 0x0200);
  t.equal(arpSenderMacLo(view, 2), 0xfedcba98 | 0);
  t.equal(arpSenderIp(view, 2), 0xc0a80101 | 0);
  t.equal(arpTargetMacHi(view, 2), 0x0a0b);
  t.equal(arpTargetMacLo(view, 2), 0x8c0d0e0f | 0);
  t.equal(arpTargetIp(view, 2), -1);
  t.end();
});

t.test('arp, padded to the shortest frame → OK; every shorter length → ARP_TOO_SHORT', (t) => {
  t.equal(parseArp(viewOf(REQUEST, 0, 18), 0, 46), Verdict.OK);
  for (let length = 0; length < Arp.PACKET_BYTES; length++) {
    t.equal(parseArp(viewOf(REQUEST), 0, length), Verdict.ARP_TOO_SHORT);
  }
  t.end();
});

t.test('arp, each of its fixed fields wrong, or sent by a group address → ARP_MALFORMED', (t) => {
  for (const [at, value] of [
    [Arp.HARDWARE, 6],
    [Arp.PROTOCOL, 0x86dd],
    [Arp.HARDWARE_LENGTH, 0x0804],
    [Arp.HARDWARE_LENGTH, 0x0610],
    [Arp.SENDER_MAC, 0x0100],
  ]) {
    const view = viewOf(REQUEST);
    view.setUint16(at, value);
    t.equal(parseArp(view, 0, 28), Verdict.ARP_MALFORMED, `${value.toString(16)} at ${at}`);
  }
  t.end();
});

t.test('arp printed → as tcpdump does', (t) => {
  const view = viewOf(REQUEST);
  t.equal(printArp(view, 0, 28), 'ARP, Request who-has 10.0.0.2 tell 10.0.0.1, length 28');
  emitArp(view, 0, ArpOperation.REPLY, 0x0200, 1, 0x0a000001, 0x0200, 2, 0x0a000002);
  t.equal(printArp(view, 0, 28), 'ARP, Reply 10.0.0.1 is-at 02:00:00:00:00:01, length 28');
  emitArp(view, 0, ArpOperation.REQUEST, 0x0200, 1, 0x0a000001, 0, 0, 0x0a000001);
  t.equal(printArp(view, 0, 28), 'ARP, Announcement 10.0.0.1, length 28');
  emitArp(view, 0, ArpOperation.REQUEST, 0x0200, 1, 0, 0, 0, 0x0a000001);
  t.equal(printArp(view, 0, 28), 'ARP, Probe 10.0.0.1, length 28');
  t.equal(printArp(view, 0, 20), 'ARP, truncated, length 20');
  view.setUint16(0, 9);
  t.equal(printArp(view, 0, 28), 'ARP, malformed, length 28');
  t.end();
});
