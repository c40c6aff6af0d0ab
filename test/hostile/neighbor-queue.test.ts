import t from 'tap';
import { frame, icmp } from '../stack/net/frames.js';
import { Besieged, nobody } from './besieged.js';

const BYTES = 1_000_000;

/** A program that sends to 16 hosts a millisecond that are not there, each once: a quarter of the link for the requests. */
function scanner(world: Besieged): () => void {
  const { udp, net } = world.stack;
  const id = udp.open();
  const bytes = new Uint8Array(100);
  let next = 0;
  return () => {
    for (let i = 0; i < 16; i++) udp.send(id, bytes, 0, 100, net.parseAddress(nobody(next++)), 9);
  };
}

/** A program that sends all it can to a few hosts that are not there. */
function stubborn(world: Besieged): () => void {
  const { udp, net } = world.stack;
  const id = udp.open();
  const bytes = new Uint8Array(1400);
  const dead = Array.from({ length: 16 }, (_, i) => net.parseAddress(nobody(i)));
  return () => {
    for (const address of dead) for (let i = 0; i < 8; i++) udp.send(id, bytes, 0, 1400, address, 9);
  };
}

for (const [name, make] of [
  ['a scan of the prefix', scanner],
  ['all that can be sent to sixteen dead hosts', stubborn],
] as const) {
  t.test(`neighbour queue: ${name} → a live neighbour is asked for, and its transfer is as fast as alone`, (t) => {
    const alone = new Besieged().transfer(BYTES, 'out');
    const world = new Besieged();
    const hostile = make(world);
    world.pass(500, hostile);
    const queue = world.pool('net.neighborQueue');
    t.equal(queue.used, queue.limit, 'the hostile holder has all of it');
    t.equal(world.stack.net.neighbors.find(0, world.peerAddress), -1, 'the peer is not known yet');
    const beside = world.transfer(BYTES, 'out', hostile);
    t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
    t.ok(world.pool('net.neighborQueue').evicted > 1000, 'the hostile packets gave way');
    t.equal(world.pool('net.neighborQueue').refused, 0);
    world.pass(10_000);
    t.same(world.used('net.neighborQueue', 'net.neighborsUnresolved', 'net.frames'), [0, 0, 0]);
    t.end();
  });
}

t.test('neighbour table: 200 known neighbours, then 8,000 that are not there → all 200 are still known', (t) => {
  const world = new Besieged();
  const known = world.makeAcquaintances();
  const hostile = scanner(world);
  world.pass(500, hostile);
  t.same(world.forgotten(known), []);
  const { used, limit, evicted } = world.pool('net.neighborsUnresolved');
  t.equal(used, limit);
  t.ok(evicted > 6000);
  world.pass(10_000);
  t.same(world.used('net.neighborQueue', 'net.neighborsUnresolved', 'net.frames'), [0, 0, 0]);
  t.end();
});

t.test('forged pings from 12,500 link addresses a second → few are asked for, a transfer goes on', (t) => {
  const alone = new Besieged().transfer(BYTES, 'in');
  const world = new Besieged();
  let next = 0;
  const hostile = (ms: number) => {
    for (let i = 0; i < 12 + (ms & 1); i++)
      world.hear(frame({ protocol: 1, from: nobody(next++), payload: icmp(8, 0, 1) }, world.mac, '02:00:00:00:00:66'));
  };
  world.pass(1000, hostile);
  const beside = world.transfer(BYTES, 'in', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  const seconds = (1000 + beside) / 1000;
  // A hundred at once, a hundred a second, three requests for each.
  t.ok(world.stack.net.stats.arpRequestsSent <= 3 * (101 + 100 * seconds), `${world.stack.net.stats.arpRequestsSent}`);
  t.ok(world.pool('net.neighborsUnresolved').refused > 10_000);
  world.pass(10_000);
  t.same(world.used('net.neighborQueue', 'net.neighborsUnresolved', 'net.frames'), [0, 0, 0]);
  t.end();
});
