import t from 'tap';
import type { UdpId } from '../../stack/base/units.js';
import { frame, udp } from '../stack/net/frames.js';
import { pattern } from '../stack/tcp/peer.js';
import { Besieged } from './besieged.js';

const PORT = 7;
const BYTES = 1400;

/** The peer sends a datagram each millisecond to a program that reads now and then. Returns how many of `ms` it gets. */
function stream(world: Besieged, ms: number, readEveryMs: number, hostile?: (ms: number) => void): number {
  const receiver = world.stack.udp.open({ port: PORT });
  const sender = world.peer.udp.open();
  const sent = pattern(BYTES);
  const into = new Uint8Array(BYTES);
  let got = 0;
  for (let i = 0; i < ms; i++) {
    world.peer.udp.send(sender, sent, 0, BYTES, world.address, PORT);
    world.step(hostile);
    if (i % readEveryMs !== readEveryMs - 1) continue;
    while (world.stack.udp.receive(receiver, into, 0, BYTES) >= 0) got += 1;
  }
  world.stack.udp.close(receiver);
  world.peer.udp.close(sender);
  return got;
}

/** So many sockets that nobody reads, and 200 datagrams a millisecond to them in turn. */
function unread(world: Besieged, count: number): { sockets: UdpId[]; hostile: () => void } {
  const sockets = Array.from({ length: count }, (_, i) => world.stack.udp.open({ port: 10_000 + i }));
  let next = 0;
  const data = pattern(BYTES);
  const hostile = () => {
    for (let i = 0; i < 200; i++) {
      const payload = udp(9, 10_000 + (next++ % count), data);
      world.hear(frame({ protocol: 17, payload }, world.mac, world.peerMac));
    }
  };
  return { sockets, hostile };
}

// With as many as there may be everybody has his reserve and little more: five full frames from one reading to the next.
for (const [count, readEveryMs] of [
  [400, 20],
  [4000, 5],
] as const) {
  t.test(`datagrams: ${count} sockets that nobody reads → a socket that is read gets what is sent to it`, (t) => {
    const alone = stream(new Besieged(), 400, readEveryMs);
    const world = new Besieged();
    const { sockets, hostile } = unread(world, count);
    world.pass(350, hostile);
    const before = world.pool('udp.datagrams');
    t.ok(before.used > before.limit / 2, `${before.used} of ${before.limit} chunks are held`);
    t.ok(before.refused > 1000);
    const beside = stream(world, 400, readEveryMs, hostile);
    t.ok(beside >= alone / 2, `${beside} datagrams beside it, ${alone} alone`);
    for (const socket of sockets) world.stack.udp.close(socket);
    world.pass(10);
    t.same(world.used('udp.datagrams', 'udp.sockets', 'net.frames'), [0, 0, 0]);
    t.end();
  });
}

t.test('datagrams: one socket with a limit beyond everything → half is left, and a newcomer has room', (t) => {
  const world = new Besieged();
  const { udp: table } = world.stack;
  const greedy = table.open({ port: 10_000, receiveBytesMax: 1 << 30 });
  const bytes = frame({ protocol: 17, payload: udp(9, 10_000, pattern(1400)) }, world.mac, world.peerMac);
  for (let i = 0; i < 30_000; i++) world.hear(bytes);
  const { used, limit } = world.pool('udp.datagrams');
  t.ok(used <= limit / 2, `${used} of ${limit} chunks`);
  t.ok(table.drops(greedy) > 0);
  t.equal(stream(world, 100, 20), stream(new Besieged(), 100, 20));
  table.close(greedy);
  t.equal(world.pool('udp.datagrams').used, 0);
  t.end();
});
