import t from 'tap';
import type { Address } from '../../stack/base/units.js';
import { frame, udp } from '../stack/net/frames.js';
import { Besieged } from './besieged.js';

/** The peer asks a closed port ten times a second, as traceroute does. Returns how many port unreachables reach it in `seconds`. */
function asked(world: Besieged, seconds: number, hostile?: (ms: number) => void): number {
  const { udp: table } = world.peer;
  const id = table.open();
  table.connect(id, world.address, 33_434);
  let told = 0;
  for (let i = 0; i < seconds * 10; i++) {
    table.send(id, new Uint8Array(10), 0, 10);
    world.pass(100, hostile);
    if (table.takeError(id) === 'ECONNREFUSED') told += 1;
  }
  table.close(id);
  return told;
}

t.test('ICMP errors: one source asks closed ports without end → the errors of others are still sent', (t) => {
  const alone = asked(new Besieged(), 3);
  t.equal(alone, 30);
  const world = new Besieged();
  const bytes = frame(
    { protocol: 17, from: '10.0.200.1', payload: udp(9, 1, new Uint8Array(10), '10.0.200.1') },
    world.mac,
    '02:00:00:00:00:66',
  );
  const hostile = () => {
    for (let i = 0; i < 50; i++) world.hear(bytes);
  };
  world.pass(1000, hostile);
  const beside = asked(world, 3, hostile);
  t.ok(beside >= alone / 2, `${beside} of ${alone}`);
  t.ok(world.stack.net.stats.icmpOutRateLimited > 100_000);
  world.pass(10_000);
  t.same(world.used('net.neighborQueue', 'net.frames'), [0, 0]);
  t.end();
});

t.test('path MTUs: reports that prove nothing, for every destination → the path of a connection stays known', (t) => {
  const world = new Besieged();
  const { net } = world.stack;
  net.addRoute({ destination: net.parseAddress('10.0.0.0'), prefixLength: 8, iface: 0 });
  net.lowerPathMtu(world.peerAddress, 1280);
  const forge = (i: number) => net.lowerPathMtu(((10 << 24) | (0x10000 + (i % 60_000))) as Address, 600, false);
  for (let i = 0; i < 100_000; i++) forge(i);
  const report = world.pool('net.pathMtus');
  t.ok(report.used > 1000 && report.evicted > 60_000, `${report.used} of ${report.limit} held`);
  t.equal(net.pathMtu(world.peerAddress), 1280);
  net.lowerPathMtu(world.peerAddress, 1200, false);
  t.equal(net.pathMtu(world.peerAddress), 1200, 'what is said of the path itself is taken');
  world.pass(601_000);
  t.same(world.used('net.pathMtus', 'net.frames'), [0, 0]);
  t.end();
});

t.test('echo replies: a program that asks and never looks → bounded, the newest are kept, a transfer goes on', (t) => {
  const alone = new Besieged().transfer(500_000, 'in');
  const world = new Besieged();
  const { net } = world.stack;
  net.sendEcho(world.peerAddress, 77, 1, 10);
  const beside = world.transfer(500_000, 'in', () => {
    net.sendEcho(world.peerAddress, 77, 1, 10);
  });
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  world.pass(200, () => {
    for (let i = 0; i < 4; i++) net.sendEcho(world.peerAddress, 77, 2, 10);
  });
  const { used, limit, evicted } = world.pool('net.echoReplies');
  t.ok(used === limit && evicted > 500, `${used} of ${limit} wait, ${evicted} gave way`);
  let replies = 0;
  while (net.nextEcho()) if (net.echoResult.seq === 2) replies += 1;
  t.equal(replies, limit, 'what waits is the newest');
  t.same(world.used('net.echoReplies'), [0]);
  t.end();
});
