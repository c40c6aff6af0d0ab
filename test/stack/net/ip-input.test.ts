import t from 'tap';
import { Medium } from '../../../stack/net/device.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { BROADCAST_MAC, datagram, ethernet, frame, type Ip, macOf } from './frames.js';
import { Host, Pair, Probe, pattern } from './pair.js';

function target(options = {}): { host: Host; probe: Probe; hear: (bytes: Uint8Array) => Verdict } {
  const host = new Host(1, options);
  host.sent();
  const probe = new Probe(host.net);
  return { host, probe, hear: (bytes) => host.hear(bytes) };
}
/** The frame after somebody changed it, with or without putting the header's checksum right. */
function changed(bytes: Uint8Array, at: number, value: number, fix = true): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  if (!fix) return copy;
  const view = new DataView(copy.buffer);
  view.setUint16(24, 0);
  let sum = 0;
  for (let i = 14; i < 14 + (copy[14] & 15) * 4 && i + 1 < copy.length; i += 2) sum += view.getUint16(i);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  view.setUint16(24, ~sum & 0xffff);
  return copy;
}

t.test('a good datagram → its payload, without the link’s padding', (t) => {
  const { host, probe, hear } = target();
  const padded = new Uint8Array(60);
  padded.set(frame({ payload: pattern(5) }));
  t.equal(hear(padded), Verdict.OK);
  t.same(probe.packets, [{ data: pattern(5), source: '10.0.0.2', destination: '10.0.0.1', broadcast: false, tos: 0 }]);
  t.equal(host.net.stats.ipInDelivers, 1);
  t.equal(host.iface.counters.framesReceived, 1);
  t.equal(host.iface.counters.dropsReceived, 0);
  t.end();
});

t.test('a header that fails a check → dropped in silence, counted by cause', (t) => {
  const { host, probe, hear } = target();
  const good = frame({ payload: pattern(40) });
  const cases: [string, Uint8Array, Verdict][] = [
    ['no Ethernet header', good.slice(0, 13), Verdict.FRAME_TOO_SHORT],
    ['no IP header', good.slice(0, 33), Verdict.IP_TOO_SHORT],
    ['empty', new Uint8Array(0), Verdict.FRAME_TOO_SHORT],
    ['version 6', changed(good, 14, 0x65), Verdict.IP_VERSION],
    ['header of 16 bytes', changed(good, 14, 0x44), Verdict.IP_HEADER_LENGTH],
    ['header beyond the frame', changed(frame({}), 14, 0x4f), Verdict.IP_HEADER_LENGTH],
    ['total length beyond the frame', frame({ payload: pattern(40), totalLength: 61 }), Verdict.IP_TOTAL_LENGTH],
    ['total length below the header', frame({ payload: pattern(40), totalLength: 19 }), Verdict.IP_TOTAL_LENGTH],
    ['checksum', changed(good, 22, 63, false), Verdict.IP_CHECKSUM],
    ['ethertype', changed(good, 12, 0x99, false), Verdict.ETHERTYPE_UNKNOWN],
    ['802.3 length', changed(good, 12, 0, false), Verdict.ETHERTYPE_UNKNOWN],
    ['another MAC', frame({}, macOf(7)), Verdict.NOT_FOR_US],
    ['a VLAN', ethernet(macOf(1), macOf(2), 0x8100, Uint8Array.of(0, 5, 8, 0, ...datagram({}))), Verdict.VLAN_NOT_OURS],
    ['half a VLAN tag', ethernet(macOf(1), macOf(2), 0x8100, Uint8Array.of(0, 0)), Verdict.FRAME_TOO_SHORT],
  ];
  for (const [name, bytes, verdict] of cases) {
    const before = host.net.stats.verdicts[verdict];
    t.equal(hear(bytes), verdict, name);
    t.equal(host.net.stats.verdicts[verdict], before + 1, 'counted');
  }
  t.equal(probe.packets.length, 0);
  t.equal(host.sent().length, 0, 'no answer to any');
  t.equal(host.iface.counters.dropsReceived, cases.length);
  t.end();
});

t.test('addresses that cannot be → dropped (RFC 1122 §3.2.1.3)', (t) => {
  const { host, probe, hear } = target();
  const cases: [string, Ip, Verdict][] = [
    ['to another', { to: '10.0.0.3' }, Verdict.IP_NOT_FOR_US],
    ['to a group we are not in', { to: '224.0.0.251' }, Verdict.IP_NOT_FOR_US],
    ['to another network’s broadcast', { to: '10.0.1.255' }, Verdict.IP_NOT_FOR_US],
    ['to 127.0.0.1', { to: '127.0.0.1' }, Verdict.IP_SOURCE_INVALID],
    ['from 127.0.0.1', { from: '127.0.0.1' }, Verdict.IP_SOURCE_INVALID],
    ['from ourselves', { from: '10.0.0.1' }, Verdict.IP_SOURCE_INVALID],
    ['from everybody', { from: '255.255.255.255' }, Verdict.IP_SOURCE_INVALID],
    ['from our network’s broadcast', { from: '10.0.0.255' }, Verdict.IP_SOURCE_INVALID],
    ['from a group', { from: '224.0.0.1' }, Verdict.IP_SOURCE_INVALID],
    ['from nobody', { from: '0.0.0.0' }, Verdict.IP_SOURCE_INVALID],
    ['from this network', { from: '0.0.0.9' }, Verdict.IP_SOURCE_INVALID],
  ];
  for (const [name, ip, verdict] of cases) t.equal(hear(frame(ip)), verdict, name);
  t.equal(hear(frame({}, BROADCAST_MAC)), Verdict.IP_NOT_FOR_US, 'to everybody on the link, to one in IP');
  t.equal(probe.packets.length, 0);
  t.equal(host.sent().length, 0);
  t.end();
});

t.test('to everybody → delivered and marked', (t) => {
  const { probe, hear } = target();
  t.equal(hear(frame({ to: '10.0.0.255' }, BROADCAST_MAC)), Verdict.OK);
  t.equal(hear(frame({ to: '255.255.255.255' }, BROADCAST_MAC)), Verdict.OK);
  t.equal(
    hear(frame({ to: '255.255.255.255', from: '0.0.0.0' }, BROADCAST_MAC)),
    Verdict.OK,
    'who asks for an address',
  );
  t.equal(hear(frame({ to: '224.0.0.1' }, '01:00:5e:00:00:01')), Verdict.OK, 'every host is in 224.0.0.1');
  t.same(
    probe.packets.map((packet) => packet.broadcast),
    [true, true, true, true],
  );
  t.end();
});

t.test('options: unknown ones → passed over; source routes → refused; lengths that lie → parameter problem', (t) => {
  const { host, probe, hear } = target();
  host.net.neighbors.heard(host.iface, host.net.parseAddress('10.0.0.2'), 0x0200, 2, 1);
  const fine: [string, number[]][] = [
    ['no operation and end', [1, 1, 1, 0]],
    ['record route', [7, 7, 4, 0, 0, 0, 0, 0]],
    ['timestamp', [68, 8, 5, 0, 0, 0, 0, 0]],
    ['router alert', [148, 4, 0, 0]],
    ['unknown', [199, 4, 1, 2]],
    ['junk behind the end', [0, 131, 3, 4]],
  ];
  for (const [name, options] of fine) t.equal(hear(frame({ options })), Verdict.OK, name);
  t.equal(probe.packets.length, fine.length);
  for (const option of [131, 137])
    t.equal(hear(frame({ options: [option, 7, 8, 10, 0, 0, 1, 0] })), Verdict.IP_SOURCE_ROUTED, `option ${option}`);
  t.equal(host.sent().length, 0, 'refused in silence');
  const lying: [number[], number][] = [
    [[7, 0, 0, 0], 21],
    [[7, 1, 0, 0], 21],
    [[7, 5, 0, 0], 21],
    [[1, 1, 1, 7], 23],
    [[1, 199, 200, 0], 22],
  ];
  for (const [options, pointer] of lying) {
    t.equal(hear(frame({ options, payload: pattern(20) })), Verdict.IP_OPTIONS, options.join());
    const [problem] = host.sent();
    t.equal(problem[34], 12, 'parameter problem');
    t.equal(problem[35], 0);
    t.equal(problem[38], pointer, 'which says where');
    t.same(problem.slice(42), datagram({ options, payload: pattern(20) }), 'about this');
  }
  t.equal(hear(frame({ options: [7, 1, 0, 0], to: '10.0.0.255' }, BROADCAST_MAC)), Verdict.IP_OPTIONS);
  t.equal(host.sent().length, 0, 'not for everybody');
  t.end();
});

t.test('a protocol nobody registered → protocol unreachable, quoting the header and the data', (t) => {
  const { host, hear } = target();
  host.net.neighbors.heard(host.iface, host.net.parseAddress('10.0.0.2'), 0x0200, 2, 1);
  t.equal(hear(frame({ protocol: 200, payload: pattern(100) })), Verdict.IP_PROTOCOL_UNKNOWN);
  const [error] = host.sent();
  t.same([...error.slice(34, 36)], [3, 2]);
  t.same(error.slice(42), datagram({ protocol: 200, payload: pattern(100) }));
  t.equal(error[15], 0xc0, 'precedence of network control');
  t.equal(host.net.stats.ipInUnknownProtos, 1);
  t.end();
});

t.test('interface in a VLAN → speaks and hears tagged frames of it only', (t) => {
  const pair = new Pair({ vlan: 42 }, { vlan: 42 });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  const tags = new Set<string>();
  pair.filter = (bytes) => {
    tags.add(`${bytes[12].toString(16)}${bytes[13].toString(16)} ${bytes[15]}`);
    return [bytes];
  };
  a.send('10.0.0.2', 3000);
  pair.run();
  sameBytes(t, b.packets[0].data, pattern(3000), 'byte for byte');
  t.same([...tags], ['810 42']);
  t.equal(pair.a.hear(frame({})), Verdict.VLAN_NOT_OURS, 'untagged');
  const tagged = (id: number) =>
    ethernet(macOf(1), macOf(2), 0x8100, Uint8Array.of(id >>> 8, id & 255, 8, 0, ...datagram({})));
  t.equal(pair.a.hear(tagged(43)), Verdict.VLAN_NOT_OURS);
  t.equal(pair.a.hear(tagged(0xfff)), Verdict.VLAN_NOT_OURS);
  t.equal(pair.a.hear(tagged(42)), Verdict.OK);
  const plain = target();
  t.equal(plain.hear(tagged(0)), Verdict.OK, 'a priority tag is as none');
  t.end();
});

t.test('medium without link headers → datagrams as they are, no ARP', (t) => {
  const pair = new Pair({ medium: Medium.IP }, { medium: Medium.IP });
  const [a, b] = [new Probe(pair.a.net), new Probe(pair.b.net)];
  t.equal(a.send('10.0.0.2', 5000), Verdict.OK);
  const frames = pair.a.sent();
  t.equal(frames[0][0], 0x45);
  for (const bytes of frames) pair.b.hear(bytes);
  sameBytes(t, b.packets[0].data, pattern(5000), 'byte for byte');
  t.equal(pair.a.net.stats.arpRequestsSent + pair.a.net.stats.arpAnnouncementsSent, 0);
  t.equal(pair.a.slab.freeCount, pair.a.slotsAtStart);
  t.end();
});

t.test('notes on → received frames carry their verdict, sent ones their cause', (t) => {
  const pair = new Pair({ notes: true }, {});
  new Probe(pair.a.net);
  const { slab, net } = pair.a;
  const noteOf = (offset: number) => {
    const row = slab.noteRow(offset);
    return slab.notes === null ? [] : [slab.notes[row], slab.notes[row + 1], slab.notes[row + 2]];
  };
  const slot = slab.take();
  const bytes = frame({ to: '10.0.0.3' });
  slab.bytes.set(bytes, slot + 128);
  net.receive(0, slot + 128, bytes.length);
  t.same(noteOf(slot), [1, Verdict.IP_NOT_FOR_US, -1]);
  slab.give(slot);
  net.sendEcho(net.parseAddress('10.0.0.2'), 1, 1, 2000);
  const queue = pair.a.iface.transmitQueue;
  t.same(noteOf(queue.offsets[0]), [3, 3, -1], 'the announcement of the start');
  t.same(noteOf(queue.offsets[1]), [3, 1, -1], 'the request for the neighbour');
  const notes: number[][] = [];
  const carry = () => {
    for (let i = queue.first; i < queue.count; i++) notes.push(noteOf(queue.offsets[i]));
    pair.b.iface.transmitQueue.length;
    for (const sent of pair.a.sent()) pair.b.hear(sent);
    for (const sent of pair.b.sent()) pair.a.hear(sent);
  };
  carry();
  carry();
  t.same(
    notes.slice(2),
    [
      [3, 5, -1],
      [3, 5, -1],
    ],
    'both fragments of the echo request',
  );
  t.end();
});
