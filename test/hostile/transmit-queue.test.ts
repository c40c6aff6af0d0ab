import t from 'tap';
import { Medium } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import { Besieged } from './besieged.js';

const BYTES = 500_000;

/** A second interface whose device never takes a frame, for 192.168.7.0/24 behind it. */
function stalled(world: Besieged, number: number): Interface {
  const { net } = world.stack;
  return net.addInterface({
    name: `stalled${number}`,
    medium: Medium.IP,
    addresses: [{ address: net.parseAddress(`192.168.${number}.1`), prefixLength: 24 }],
  });
}

/** Programs that send to it all they can. */
function sender(world: Besieged, interfaces: number): () => void {
  const { udp, tcp, net } = world.stack;
  const id = udp.open();
  const bytes = new Uint8Array(1400);
  const targets = Array.from({ length: interfaces }, (_, i) => net.parseAddress(`192.168.${i}.9`));
  for (const remoteAddress of targets) tcp.open({ remoteAddress, remotePort: 80 });
  return () => {
    for (const target of targets) for (let i = 0; i < 64; i++) udp.send(id, bytes, 0, bytes.length, target, 9);
  };
}

for (const [interfaces, slots] of [
  [1, 4096],
  [1, 512],
  [6, 4096],
] as const) {
  const name = `${interfaces} whose devices take nothing, ${slots} slots`;
  t.test(`transmit queues: ${name} → a transfer by another interface is as fast as alone`, (t) => {
    for (const way of ['in', 'out'] as const) {
      const alone = new Besieged({ slots }).transfer(BYTES, way);
      const world = new Besieged({ slots });
      const queues = Array.from({ length: interfaces }, (_, i) => stalled(world, i));
      const hostile = sender(world, interfaces);
      world.pass(100, hostile);
      for (const { transmitQueue } of queues) t.ok(transmitQueue.full);
      const beside = world.transfer(BYTES, way, hostile);
      t.ok(beside <= 2 * alone, `${way}: ${beside} ms beside it, ${alone} ms alone`);
      t.ok(world.stack.slab.freeCount >= world.stack.slab.receiveReserve);
      // The devices work again.
      for (const { transmitQueue } of queues) {
        for (let i = transmitQueue.first; i < transmitQueue.count; i++)
          world.stack.slab.give(transmitQueue.offsets[i] as number);
        transmitQueue.sent(transmitQueue.length);
      }
      t.same(world.used(...queues.map(({ name }) => `net.transmitQueue.${name}`)), new Array(interfaces).fill(0));
      for (const { index } of queues) world.stack.net.setUp(index, false);
      world.pass(1000);
      t.same(world.used('net.frames'), [0]);
    }
    t.end();
  });
}

t.test('local queue: a program that floods its own address → a transfer with the peer is as fast as alone', (t) => {
  const alone = new Besieged().transfer(BYTES, 'out');
  const world = new Besieged();
  const { udp } = world.stack;
  const [from, to] = [udp.open(), udp.open({ port: 9 })];
  const bytes = new Uint8Array(1400);
  const hostile = () => {
    for (let i = 0; i < 400; i++) udp.send(from, bytes, 0, bytes.length, world.address, 9);
  };
  const beside = world.transfer(BYTES, 'out', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  t.ok(world.pool('net.localQueue').refused > 1000);
  udp.close(to);
  udp.close(from);
  world.pass(10);
  t.same(world.used('net.localQueue', 'net.frames', 'udp.datagrams'), [0, 0, 0]);
  t.end();
});
