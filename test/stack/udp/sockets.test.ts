import t from 'tap';
import type { UdpId } from '../../../stack/base/units.js';
import { Event } from '../../../stack/net/event-queue.js';
import { UdpOption } from '../../../stack/udp/options.js';
import { UDP_PAYLOAD_BYTES_MAX } from '../../../stack/udp/udp.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { frame, udp } from '../net/frames.js';
import { pattern } from '../net/pair.js';
import { udpPair } from './udp-pair.js';

t.test('unbound sends to bound → datagram, addresses, one event; answer comes back', (t) => {
  const { pair, a, b } = udpPair();
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  t.equal(a.udp.localPort(client), 0, 'unbound until it sends');
  t.equal(a.send(client, 'one', '10.0.0.2', 7), Verdict.OK);
  a.send(client, 'two', '10.0.0.2', 7);
  const port = a.udp.localPort(client);
  t.ok(port >= 32_768 && port <= 60_999);
  pair.run();
  t.same(b.happened(), [`${server}: ${Event.READABLE}`], 'events coalesce');
  t.equal(b.udp.readable(server), 3);
  t.same(b.read(server), ['one', 'two']);
  t.equal(b.udp.lastSource, a.at('10.0.0.1'));
  t.equal(b.udp.lastPort, port);
  t.equal(b.udp.lastDestination, b.at('10.0.0.2'));
  t.equal(b.udp.readable(server), -1);
  b.udp.send(server, Uint8Array.of(33), 0, 1, b.udp.lastSource, b.udp.lastPort);
  pair.run();
  t.same(a.read(client), ['!']);
  t.equal(a.host.slab.freeCount, a.host.slotsAtStart);
  t.end();
});

t.test('datagrams of every size class → entire; longer than the buffer → cut, whole length told', (t) => {
  const { pair, a, b } = udpPair();
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  const into = new Uint8Array(65_536);
  for (const length of [0, 1, 2, 1471, 1472, 1473, 1891, 1892, 1893, 9000, UDP_PAYLOAD_BYTES_MAX]) {
    const data = pattern(length);
    t.equal(a.send(client, data, '10.0.0.2', 7), Verdict.OK, `${length} bytes`);
    pair.run();
    t.equal(b.udp.receive(server, into, 0, into.length), length);
    t.same(into.slice(0, length), data);
  }
  a.send(client, 'abcdef', '10.0.0.2', 7);
  a.send(client, 'next', '10.0.0.2', 7);
  pair.run();
  into.fill(0);
  t.equal(b.udp.receive(server, into, 10, 13), 6);
  t.same([...into.slice(9, 14)], [0, 97, 98, 99, 0]);
  t.same(b.read(server), ['next']);
  t.throws(() => a.send(client, new Uint8Array(UDP_PAYLOAD_BYTES_MAX + 1), '10.0.0.2', 7), { code: 'EMSGSIZE' });
  t.equal(b.host.net.stats.udpInDatagrams, 13);
  t.end();
});

t.test('demultiplexing → connected before specific before any', (t) => {
  const { pair, a, b } = udpPair();
  b.host.net.addAddress(0, b.at('10.0.0.3'), 24);
  const any = b.udp.open({ port: 9, reuse: true });
  const specific = b.udp.open({ port: 9, address: b.at('10.0.0.2'), reuse: true });
  const connected = b.udp.open({ port: 9, address: b.at('10.0.0.2'), reuse: true });
  const client = a.udp.open({ port: 4000 });
  const other = a.udp.open({ port: 4001 });
  b.udp.connect(connected, a.at('10.0.0.1'), 4000);
  a.send(client, 'from 4000', '10.0.0.2', 9);
  a.send(other, 'from 4001', '10.0.0.2', 9);
  a.send(other, 'to .3', '10.0.0.3', 9);
  pair.run();
  t.same(b.read(connected), ['from 4000']);
  t.same(b.read(specific), ['from 4001']);
  t.same(b.read(any), ['to .3']);
  b.udp.close(connected);
  b.udp.close(specific);
  a.send(client, 'again', '10.0.0.2', 9);
  pair.run();
  t.same(b.read(any), ['again']);
  t.end();
});

t.test('connected → hears its peer only, sends without an address; disconnected → everybody again', (t) => {
  const { pair, a, b } = udpPair();
  const server = b.udp.open({ port: 9 });
  const client = a.udp.open();
  a.udp.connect(client, a.at('10.0.0.2'), 9);
  t.equal(a.udp.localAddress(client), a.at('10.0.0.1'), 'connect chooses the address');
  t.equal(a.udp.remotePort(client), 9);
  a.send(client, 'hello');
  const stranger = b.udp.open({ port: 10 });
  b.send(stranger, 'psst', '10.0.0.1', a.udp.localPort(client));
  b.send(server, 'yes', '10.0.0.1', a.udp.localPort(client));
  pair.run();
  t.same(b.read(server), ['hello']);
  t.same(a.read(client), ['yes']);
  a.udp.disconnect(client);
  t.equal(a.udp.localAddress(client), 0);
  b.send(stranger, 'now?', '10.0.0.1', a.udp.localPort(client));
  pair.run();
  t.same(a.read(client), ['now?']);
  t.throws(() => a.send(client, 'x'), { code: 'EDESTADDRREQ' });
  t.throws(() => a.udp.disconnect(client), { code: 'ENOTCONN' });
  t.end();
});

t.test('port nobody has → port unreachable; a connected sender is told, others are not', (t) => {
  const { pair, a, b } = udpPair();
  const connected = a.udp.open();
  a.udp.connect(connected, a.at('10.0.0.2'), 99);
  const loose = a.udp.open();
  a.send(connected, 'x');
  a.send(loose, 'x', '10.0.0.2', 99);
  pair.run();
  t.equal(b.host.net.stats.udpNoPorts, 2);
  t.equal(b.host.net.stats.icmpOutDestUnreachs, 2);
  t.same(a.happened(), [`${connected}: ${Event.FAILED}`]);
  t.equal(a.udp.takeError(connected), 'ECONNREFUSED');
  t.equal(a.udp.takeError(connected), undefined, 'once');
  t.equal(a.udp.takeError(loose), undefined);
  t.equal(a.send(connected, 'y'), Verdict.OK, 'and the socket goes on');
  t.end();
});

t.test('port nobody has, datagram in fragments → unreachable all the same, quoting what fits', (t) => {
  const { pair, a } = udpPair();
  const id = a.udp.open();
  a.udp.connect(id, a.at('10.0.0.2'), 99);
  a.send(id, pattern(20_000));
  const errors: Uint8Array[] = [];
  pair.filter = (bytes, from) => {
    if (from === pair.b && bytes[23] === 1) errors.push(bytes);
    return [bytes];
  };
  pair.run();
  t.equal(errors.length, 1);
  t.equal(errors[0].length - 14, 576);
  t.same(errors[0].slice(14 + 28 + 28), pattern(20_000).slice(0, 576 - 56));
  t.equal(a.udp.takeError(id), 'ECONNREFUSED');
  t.end();
});

t.test('neighbour that does not answer → EHOSTUNREACH at the connected socket', (t) => {
  const { pair, a } = udpPair();
  const id = a.udp.open();
  a.udp.connect(id, a.at('10.0.0.9'), 5);
  t.equal(a.send(id, 'x'), Verdict.NEIGHBOR_PENDING);
  pair.pass(4000);
  t.equal(a.udp.takeError(id), 'EHOSTUNREACH');
  t.equal(a.host.slab.freeCount, a.host.slotsAtStart);
  t.end();
});

t.test('receive queue full → the newest lost and counted; read → room again', (t) => {
  const { pair, a, b } = udpPair({}, { receiveBytesMax: 5000 });
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  for (let i = 0; i < 10; i++) a.send(client, pattern(1000 + i), '10.0.0.2', 7);
  pair.run();
  t.equal(b.udp.drops(server), 6);
  t.equal(b.host.net.stats.udpRcvbufErrors, 6);
  t.ok(b.udp.queuedBytes(server) <= 5000);
  const into = new Uint8Array(2000);
  const lengths = [];
  for (let n = b.udp.receive(server, into, 0, 2000); n >= 0; n = b.udp.receive(server, into, 0, 2000)) lengths.push(n);
  t.same(lengths, [1000, 1001, 1002, 1003]);
  t.equal(b.udp.queuedBytes(server), 0);
  a.send(client, pattern(60_000), '10.0.0.2', 7);
  pair.run();
  t.equal(b.udp.receive(server, into, 0, 2000), 60_000, 'one may always wait, however long');
  t.end();
});

t.test('empty datagrams without end → bounded too', (t) => {
  const { pair, a, b } = udpPair({}, { receiveBytesMax: 10_000 });
  const server = b.udp.open({ port: 7 });
  const client = a.udp.open();
  for (let i = 0; i < 500; i++) {
    a.send(client, '', '10.0.0.2', 7);
    pair.run();
  }
  t.ok(b.udp.drops(server) > 300);
  t.ok(b.read(server).every((text) => text === ''));
  t.end();
});

t.test('sockets that are never read → what is waiting is charged in whole chunks, each keeps its reserve', (t) => {
  const limits = { socketsMax: 8, receiveBytesTotal: 32 * 4096, receiveBytesReserve: 8192, receiveBytesMax: 1 << 20 };
  const { pair, a, b } = udpPair({}, limits);
  const client = a.udp.open();
  const ports = [100, 101, 102, 103, 104, 105, 106, 107];
  const servers = ports.map((port) => b.udp.open({ port }));
  const chunks = () => servers.map((server) => b.udp.memoryBytes(server) / 4096);
  const fill = (port: number, datagrams: number, bytes: number): void => {
    for (let i = 0; i < datagrams; i++) a.send(client, pattern(bytes), '10.0.0.2', port);
    pair.run();
  };
  fill(100, 1, 1);
  t.equal(b.udp.memoryBytes(servers[0]), 4096, 'one byte holds a chunk');
  fill(100, 200, 1000);
  // 16 of 32 chunks are reserved for eight sockets; the first gets as many of the others as it leaves free.
  t.equal(chunks()[0], 2 + 8);
  fill(101, 200, 1000);
  t.equal(chunks()[1], 2 + 4);
  for (const port of ports) fill(port, 200, 1000);
  for (const held of chunks()) t.ok(held >= 2, 'nobody has less than its reserve');
  const [, report] = b.udp.pools();
  t.equal(report.name, 'udp.datagrams');
  t.equal(
    report.used,
    chunks().reduce((sum, held) => sum + held),
  );
  t.ok(report.refused > 0 && report.highWater === report.used && report.limit === 32 && report.reserve === 2);
  for (const server of servers) while (b.udp.receive(server, new Uint8Array(1000), 0, 1000) >= 0);
  t.same(chunks(), [0, 0, 0, 0, 0, 0, 0, 0]);
  fill(107, 200, 1000);
  t.equal(chunks()[7], 2 + 8, 'what was given back is shared again');
  for (const server of servers) b.udp.close(server);
  t.equal(b.udp.pools()[1].used, 0);
  t.end();
});

t.test('memory of all sockets used up → datagrams lost, not memory; closing gives it back', (t) => {
  const { pair, a, b } = udpPair({}, { receiveBytesTotal: 1 << 17 });
  const client = a.udp.open();
  const servers: UdpId[] = [];
  for (let port = 100; port < 110; port++) {
    const server = b.udp.open({ port });
    servers.push(server);
    for (let i = 0; i < 20; i++) a.send(client, pattern(1400), '10.0.0.2', port);
    pair.run();
  }
  t.ok(b.host.net.stats.udpRcvbufErrors > 50);
  for (const server of servers) b.udp.close(server);
  const server = b.udp.open({ port: 7 });
  for (let i = 0; i < 20; i++) a.send(client, pattern(1400), '10.0.0.2', 7);
  pair.run();
  t.equal(b.read(server).length, 20);
  t.end();
});

t.test('broadcast → only with leave; reaches every socket bound to any or to the address', (t) => {
  const { pair, a, b } = udpPair();
  const sender = a.udp.open();
  t.throws(() => a.send(sender, 'x', '10.0.0.255', 67), { code: 'EACCES' });
  t.throws(() => a.udp.connect(sender, a.at('255.255.255.255'), 67), { code: 'EACCES' });
  a.udp.setOption(sender, UdpOption.BROADCAST, 1);
  const first = b.udp.open({ port: 67, reuse: true });
  const second = b.udp.open({ port: 67, reuse: true });
  const directed = b.udp.open({ port: 67, address: b.at('10.0.0.255'), reuse: true });
  const own = b.udp.open({ port: 67, address: b.at('10.0.0.2'), reuse: true });
  a.send(sender, 'limited', '255.255.255.255', 67);
  a.send(sender, 'directed', '10.0.0.255', 67);
  pair.run();
  t.same(b.read(first), ['limited', 'directed']);
  t.same(b.read(second), ['limited', 'directed']);
  t.same(b.read(directed), ['directed']);
  t.same(b.read(own), [], 'bound to one address: hears what is sent to it');
  a.send(sender, 'nobody', '10.0.0.255', 68);
  pair.run();
  t.equal(b.host.net.stats.icmpOutDestUnreachs, 0, 'no error about a broadcast');
  t.end();
});

t.test('bind conflicts → EADDRINUSE, unless both share', (t) => {
  const { a } = udpPair();
  const { udp } = a;
  const own = a.at('10.0.0.1');
  udp.open({ port: 50 });
  t.throws(() => udp.open({ port: 50 }), { code: 'EADDRINUSE' });
  t.throws(() => udp.open({ port: 50, address: own }), { code: 'EADDRINUSE' });
  t.throws(() => udp.open({ port: 50, reuse: true }), { code: 'EADDRINUSE' }, 'both have to');
  udp.open({ port: 51, address: own });
  t.throws(() => udp.open({ port: 51 }), { code: 'EADDRINUSE' });
  t.doesNotThrow(() => udp.open({ port: 51, address: a.at('127.0.0.1') }), 'another address');
  const shared = [
    udp.open({ port: 52, reuse: true }),
    udp.open({ port: 52, reuse: true }),
    udp.open({ port: 52, reuse: true }),
  ];
  // The last to bind gets what comes to one; closed in any order, the others are still found.
  const hear = () => a.host.hear(frame({ protocol: 17, payload: udp_(52) }));
  t.equal(hear(), Verdict.OK);
  t.same(a.read(shared[2]), ['!']);
  udp.close(shared[1]);
  udp.close(shared[2]);
  t.equal(hear(), Verdict.OK);
  t.same(a.read(shared[0]), ['!']);
  udp.close(shared[0]);
  t.equal(hear(), Verdict.UDP_NO_PORT);
  t.throws(() => udp.open({ address: a.at('10.0.0.77'), port: 1 }), { code: 'EADDRNOTAVAIL' });
  t.throws(() => udp.open({ port: 65_536 }), { code: 'ERR_OUT_OF_RANGE' });
  t.throws(() => udp.open({ port: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  t.end();
});
function udp_(port: number): Uint8Array {
  return udp(1234, port, Uint8Array.of(33));
}

t.test('ephemeral ports → spread, none twice, none taken; all used → EADDRINUSE', (t) => {
  const { a } = udpPair({}, { socketsMax: 30_000 });
  const ports = new Set<number>();
  let steps = 0;
  let last = 0;
  for (let i = 0; i < 60_999 - 32_768 + 1; i++) {
    const port = a.udp.localPort(a.udp.open({ port: 0 }));
    if (i < 1000 && Math.abs(port - last) === 1) steps += 1;
    last = port;
    ports.add(port);
  }
  t.equal(ports.size, 60_999 - 32_768 + 1);
  t.ok(steps < 20, 'not one after the other');
  t.throws(() => a.udp.open({ port: 0 }), { code: 'EADDRINUSE' });
  t.end();
});

t.test('stale and foreign ids → EBADF; too many sockets → EMFILE', (t) => {
  const { a } = udpPair({}, { socketsMax: 3 });
  const id = a.udp.open({ port: 5 });
  a.udp.close(id);
  const next = a.udp.open({ port: 5 });
  t.not(next, id);
  t.equal(a.udp.rowOf(next), id % 2 ** 24, 'the row is used again, the id is not');
  for (const bad of [id, 0, -1, 1.5, Number.NaN, 2 ** 24 * 7 + 2000] as UdpId[]) {
    t.throws(() => a.udp.close(bad), { code: 'EBADF' });
    t.throws(() => a.send(bad, 'x', '10.0.0.2', 1), { code: 'EBADF' });
  }
  a.udp.open();
  a.udp.open();
  t.throws(() => a.udp.open(), { code: 'EMFILE' });
  t.equal([...a.udp.sockets()].length, 3);
  t.end();
});

t.test('to ourselves, by any of our addresses → delivered without a frame', (t) => {
  const { pair, a } = udpPair();
  const server = a.udp.open({ port: 7 });
  const client = a.udp.open();
  const sent = a.host.iface.counters.framesSent;
  a.send(client, 'own', '10.0.0.1', 7);
  a.send(client, 'loopback', '127.0.0.1', 7);
  a.send(client, 'any', '0.0.0.0', 7);
  a.send(client, pattern(30_000), '127.0.0.1', 7);
  t.same(a.read(server), [], 'not before the turn is over');
  pair.run();
  t.same(
    a.read(server).map((text) => text.length > 100 || text),
    ['own', 'loopback', 'any', true],
  );
  t.equal(a.host.iface.counters.framesSent, sent);
  const refused = a.udp.open();
  a.udp.connect(refused, a.at('127.0.0.1'), 8);
  a.send(refused, 'x');
  pair.run();
  t.equal(a.udp.takeError(refused), 'ECONNREFUSED', 'errors too');
  t.equal(a.host.slab.freeCount, a.host.slotsAtStart);
  t.end();
});
