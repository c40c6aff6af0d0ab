import t from 'tap';
import { frame } from '../stack/net/frames.js';
import { pattern } from '../stack/tcp/peer.js';
import { Besieged } from './besieged.js';

const PORT = 7;
const BYTES = 20_000;

/**
 * The peer sends a datagram of 20,000 bytes every 50 ms, whose 14 fragments take 16 ms on a link of 10 Mbit/s. Returns how many of `count` arrive whole.
 */
function datagrams(world: Besieged, count: number, hostile?: (ms: number) => void): number {
  const { udp } = world.stack;
  const receiver = udp.open({ port: PORT });
  const sender = world.peer.udp.open();
  const sent = pattern(BYTES);
  const into = new Uint8Array(BYTES);
  let whole = 0;
  for (let i = 0; i < count; i++) {
    world.peer.udp.send(sender, sent, 0, BYTES, world.address, PORT);
    world.pass(50, hostile);
    while (udp.receive(receiver, into, 0, BYTES) === BYTES) if (into.every((byte, at) => byte === sent[at])) whole += 1;
  }
  udp.close(receiver);
  world.peer.udp.close(sender);
  return whole;
}

/** 250 fragments a millisecond, so many of each datagram, and the last one of none. */
function pieces(world: Besieged, bytes: number, each: number, sources: number): () => void {
  let next = 0;
  const payload = pattern(bytes);
  return () => {
    for (let i = 0; i < 250; i++) {
      const id = Math.floor(next / each);
      const from = `10.0.200.${1 + (id % sources)}`;
      const offset = (next % each) * bytes;
      world.hear(frame({ from, id: id & 0xffff, payload, offset, more: true }, world.mac, '02:00:00:00:00:66'));
      next += 1;
    }
  };
}

for (const [name, bytes, each, sources] of [
  ['rows, by one source', 8, 1, 1],
  ['bytes, by one source', 1480, 8, 1],
  ['rows, by twenty sources', 8, 1, 20],
  ['bytes, by twenty sources', 1480, 8, 20],
] as const) {
  t.test(`fragments: all ${name} → the datagrams of somebody else still arrive`, (t) => {
    const alone = datagrams(new Besieged({ rateBits: 10e6 }), 10);
    t.equal(alone, 10);
    const world = new Besieged({ rateBits: 10e6 });
    const hostile = pieces(world, bytes, each, sources);
    world.pass(100, hostile);
    const [rows, chunks] = [world.pool('net.reassemblies'), world.pool('net.fragments')];
    t.ok(rows.used === rows.limit || chunks.used > chunks.limit - 24, `${rows.used} datagrams, ${chunks.used} chunks`);
    const beside = datagrams(world, 10, hostile);
    t.ok(beside >= alone / 2, `${beside} of ${alone}`);
    t.ok(world.pool('net.fragments').evicted > 1000, 'the hostile pieces gave way');
    // What was never completed ends, and the reports of it to senders that are not there.
    world.pass(35_000);
    t.same(world.used('net.reassemblies', 'net.fragments', 'net.frames'), [0, 0, 0]);
    t.end();
  });
}

t.test('fragments: everything in them → a TCP transfer is as fast as alone', (t) => {
  const alone = new Besieged().transfer(500_000, 'in');
  const world = new Besieged();
  const hostile = pieces(world, 1480, 8, 1);
  world.pass(100, hostile);
  const beside = world.transfer(500_000, 'in', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  world.pass(35_000);
  t.same(world.used('net.reassemblies', 'net.fragments', 'net.frames'), [0, 0, 0]);
  t.end();
});
