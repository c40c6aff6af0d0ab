/** IP options of echo requests and of their replies (RFC 1122 §3.2.2.6). Each reply was looked at on Linux 6.18. */
import t from 'tap';
import { parseIpv4 } from '../../../stack/wire/ipv4.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { sameBytes } from '../../same-bytes.js';
import { frame, type Ip, icmp } from './frames.js';
import { Host, type HostOptions, pattern } from './pair.js';

const OWN = [10, 0, 0, 1];
const PEER = [10, 0, 0, 2];
const EMPTY = [0, 0, 0, 0];
/** 123,456 ms after the start, which is not midnight UT. */
const NOW = [0x80, 0x01, 0xe2, 0x40];

function target(options: HostOptions = {}) {
  const host = new Host(1, options);
  host.advanceTo(123_456_000);
  host.net.neighbors.heard(host.iface, host.net.parseAddress('10.0.0.2'), 0x0200, 2, 1);
  host.sent();
  const ask = (ip: Ip) => host.hear(frame({ protocol: 1, payload: icmp(8, 0, 0x10001, pattern(32)), ...ip }));
  return { host, ask };
}
/** Options are whole words. */
function padded(options: readonly number[]): number[] {
  return [...options, 0, 0, 0].slice(0, (options.length + 3) & ~3);
}
/** The header's options, and what follows them. */
function opened(bytes: Uint8Array): { options: number[]; payload: Uint8Array } {
  const headerBytes = (bytes[14] & 15) * 4;
  return { options: [...bytes.subarray(34, 14 + headerBytes)], payload: bytes.subarray(14 + headerBytes) };
}

const answers: readonly (readonly [string, number[], number[]])[] = [
  ['route, three places', [7, 15, 4, ...EMPTY, ...EMPTY, ...EMPTY], [7, 15, 12, ...OWN, ...OWN, ...EMPTY]],
  ['route, one place', [7, 7, 4, ...EMPTY], [7, 7, 8, ...OWN]],
  ['route, one of three used', [7, 15, 8, ...PEER, ...EMPTY, ...EMPTY], [7, 15, 16, ...PEER, ...OWN, ...OWN]],
  ['route, full', [7, 11, 12, ...PEER, ...PEER], [7, 11, 12, ...PEER, ...PEER]],
  ['route, without a place', [7, 3, 4], [7, 3, 4]],
  ['route behind a no-operation', [1, 7, 7, 4, ...EMPTY], [7, 7, 8, ...OWN]],
  ['times, two places', [68, 12, 5, 0, ...EMPTY, ...EMPTY], [68, 12, 13, 0, ...NOW, ...NOW]],
  ['times, one place', [68, 8, 5, 0, ...EMPTY], [68, 8, 9, 0, ...NOW]],
  ['times, full', [68, 8, 9, 0, ...EMPTY], [68, 8, 9, 0x10, ...EMPTY]],
  ['times, full, 14 found no room', [68, 8, 9, 0xe0, ...EMPTY], [68, 8, 9, 0xf0, ...EMPTY]],
  ['times, without a place', [68, 4, 5, 0], [68, 4, 5, 0x10]],
  [
    'times and addresses, two places',
    [68, 20, 5, 1, ...EMPTY, ...EMPTY, ...EMPTY, ...EMPTY],
    [68, 20, 21, 1, ...OWN, ...NOW, ...OWN, ...NOW],
  ],
  ['times and addresses, one place', [68, 12, 5, 1, ...EMPTY, ...EMPTY], [68, 12, 13, 1, ...OWN, ...NOW]],
  [
    'times of named hosts: us, and us',
    [68, 20, 5, 3, ...OWN, ...EMPTY, ...OWN, ...EMPTY],
    [68, 20, 21, 3, ...OWN, ...NOW, ...OWN, ...NOW],
  ],
  [
    'times of named hosts: us, then another',
    [68, 20, 5, 3, ...OWN, ...EMPTY, ...PEER, ...EMPTY],
    [68, 20, 13, 3, ...OWN, ...NOW, ...PEER, ...EMPTY],
  ],
  [
    'times of named hosts: first another',
    [68, 20, 5, 3, ...PEER, ...EMPTY, ...OWN, ...EMPTY],
    [68, 20, 5, 3, ...PEER, ...EMPTY, ...OWN, ...EMPTY],
  ],
  ['times of named hosts, full', [68, 12, 13, 3, ...OWN, ...EMPTY], [68, 12, 13, 3, ...OWN, ...EMPTY]],
  [
    'times, then the route: the route comes first',
    [68, 12, 5, 0, ...EMPTY, ...EMPTY, 7, 11, 4, ...EMPTY, ...EMPTY],
    [7, 11, 12, ...OWN, ...OWN, 68, 12, 13, 0, ...NOW, ...NOW],
  ],
  ['one we do not know, a router alert, the route', [99, 4, 1, 2, 148, 4, 0, 0, 7, 7, 4, ...EMPTY], [7, 7, 8, ...OWN]],
  ['only what we do not know', [99, 4, 1, 2], []],
  ['an end, and then the route', [0, 7, 7, 4, ...EMPTY], []],
];

for (const [name, asked, answered] of answers)
  t.test(`echo request with options: ${name} → returned and recorded as by Linux`, (t) => {
    const { host, ask } = target();
    t.equal(ask({ options: padded(asked) }), Verdict.OK);
    const sent = host.sent();
    t.equal(sent.length, 1);
    const { options, payload } = opened(sent[0]);
    t.same(options, padded(answered));
    sameBytes(t, payload, icmp(0, 0, 0x10001, pattern(32)), 'the data, entire');
    t.equal(host.slab.freeCount, host.slotsAtStart);
    const view = new DataView(sent[0].buffer, sent[0].byteOffset);
    t.equal(parseIpv4(view, 14, sent[0].length - 14), Verdict.OK, 'length and checksum hold');
    t.end();
  });

const lies: readonly (readonly [string, number[], number])[] = [
  ['route: no room for a pointer', [7, 2, 1, 1], 21],
  ['route: pointer before the first place', [7, 11, 3, ...EMPTY, ...EMPTY], 22],
  ['route: pointer within a place', [7, 11, 5, ...EMPTY, ...EMPTY], 22],
  ['route: pointer where half an address would fit', [7, 11, 10, ...EMPTY, ...EMPTY], 22],
  ['route: pointer far behind the end', [7, 11, 40, ...EMPTY, ...EMPTY], 22],
  ['route: half an address', [7, 9, 4, 0, 0, 0, 0, 0, 0], 21],
  ['route: longer than the header', [7, 40, 4, ...EMPTY], 21],
  ['route: twice', [7, 7, 4, ...EMPTY, 7, 7, 4, ...EMPTY], 27],
  ['times: no room for the flags', [68, 3, 5, 0], 21],
  ['times: pointer into the flags', [68, 8, 4, 0, ...EMPTY], 22],
  ['times: pointer within a time', [68, 12, 6, 0, ...EMPTY, ...EMPTY], 22],
  ['times: half a time', [68, 6, 5, 0, 0, 0], 21],
  ['times: a flag that means nothing', [68, 12, 5, 2, ...EMPTY, ...EMPTY], 23],
  ['times: full, and the count would overflow', [68, 8, 9, 0xf0, ...EMPTY], 23],
  ['times: addresses and half an entry', [68, 16, 5, 1, ...EMPTY, ...EMPTY, ...EMPTY], 21],
  ['times: twice', [68, 8, 5, 0, ...EMPTY, 68, 8, 5, 0, ...EMPTY], 28],
];

for (const [name, options, pointer] of lies)
  t.test(`echo request with options that lie: ${name} → parameter problem, and no reply`, (t) => {
    const { host, ask } = target();
    t.equal(ask({ options: padded(options) }), Verdict.IP_OPTIONS);
    const sent = host.sent();
    t.equal(sent.length, 1);
    t.same([sent[0][34], sent[0][35], sent[0][38]], [12, 0, pointer], 'which says where');
    t.equal(host.net.stats.icmpOutEchoReps, 0);
    t.end();
  });

t.test('echo request in fragments with a route → the reply in fragments, the route in the first', (t) => {
  const { host } = target({ mtu: 576 });
  const data = pattern(1400);
  const whole = icmp(8, 0, 0x10001, data);
  const options = [7, 11, 4, ...EMPTY, ...EMPTY, 0];
  host.hear(frame({ protocol: 1, id: 9, options, payload: whole.slice(0, 800), offset: 0, more: true }));
  host.hear(frame({ protocol: 1, id: 9, payload: whole.slice(800), offset: 800, more: false }));
  const sent = host.sent();
  t.same(
    sent.map((bytes) => bytes.length - 14 <= 576),
    [true, true, true],
  );
  const parts = sent.map(opened);
  t.same(
    parts.map((part) => part.options),
    [[7, 11, 12, ...OWN, ...OWN, 0], [], []],
    'record route is not copied: RFC 791 §3.1',
  );
  sameBytes(t, Buffer.concat(parts.map((part) => part.payload)), icmp(0, 0, 0x10001, data), 'byte for byte');
  const second = new DataView(sent[1].buffer, sent[1].byteOffset);
  t.equal((second.getUint16(20) & 0x1fff) * 8, parts[0].payload.length, 'each says where it belongs');
  t.same(host.net.stats.ipFragCreates, 3);
  t.equal(host.slab.freeCount, host.slotsAtStart);
  t.end();
});

t.test('a request that fits the MTU, whose reply with options does not get a slot → dropped, nothing lost', (t) => {
  const { host, ask } = target({ slots: 64 });
  const taken: number[] = [];
  while (host.slab.freeCount > host.slab.receiveReserve) taken.push(host.slab.take());
  t.equal(ask({ options: [7, 7, 4, ...EMPTY, 0] }), Verdict.NO_BUFFER);
  t.equal(host.net.stats.ipFragFails, 0, 'no fragment was to be made');
  for (const slot of taken) host.slab.give(slot);
  t.equal(host.slab.freeCount, host.slotsAtStart);
  t.end();
});

t.test('a traced echo request with options → is in the trace as it came', (t) => {
  const { host } = target({ notes: true });
  const request = frame({ protocol: 1, options: [7, 7, 4, ...EMPTY, 0], payload: icmp(8, 0, 1, pattern(8)) });
  const at = host.slab.take() + host.slab.headroom;
  host.slab.bytes.set(request, at);
  t.equal(host.net.receive(host.iface.index, at, request.length), Verdict.OK);
  sameBytes(t, host.slab.bytes.slice(at, at + request.length), request, 'unchanged');
  host.slab.give(at);
  host.sent();
  t.end();
});

t.test('a datagram of another protocol with a route → delivered, and nothing recorded', (t) => {
  const { host, ask } = target();
  t.equal(ask({ protocol: 253, options: [7, 7, 4, ...EMPTY, 0] }), Verdict.IP_PROTOCOL_UNKNOWN);
  const [error] = host.sent();
  t.same([...error.subarray(42 + 20, 42 + 28)], [7, 7, 4, ...EMPTY, 0], 'quoted as it came');
  t.end();
});
