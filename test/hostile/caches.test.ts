import t from 'tap';
import type { ConnectionId } from '../../stack/base/units.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { arp } from '../stack/net/frames.js';
import { pattern } from '../stack/tcp/peer.js';
import { Besieged, nobody } from './besieged.js';

/** What is known of others: there is place for so many, and somebody hostile makes the stack learn of more. */

const HOSTILE_PORT = 81;
const HONEST_PORT = 82;
const PAUSE_MS = 200;

/** The peer listens for Fast Open at two ports, and has 4096 addresses more, from 10.1.0.1 on. */
function manyServers(): Besieged {
  const world = new Besieged({ rateBits: 100e6, tcp: { fastOpen: 3, connectionsMax: 256, activeMax: 256 } });
  const { net } = world.peer;
  for (let i = 1; i <= 4096; i++) {
    net.addAddress(0, net.parseAddress(`10.1.${i >>> 8}.${i & 0xff}`), 32);
  }
  world.stack.net.addRoute({
    destination: net.parseAddress('10.1.0.0'),
    prefixLength: 16,
    gateway: world.peerAddress,
  });
  for (const port of [HOSTILE_PORT, HONEST_PORT]) {
    const options = new Map([[TcpOption.FAST_OPEN_QUEUE as string, 64]]);
    const listener = world.peer.tcp.listen({ port, backlog: 64, options });
    const accepted: ConnectionId[] = [];
    world.everyStep(() => {
      const { tcp } = world.peer;
      for (let id = tcp.accept(listener); id !== 0; id = tcp.accept(listener)) accepted.push(id);
      // Reset by then: who connects aborts.
      for (const id of accepted.splice(0)) {
        if (tcp.takeError(id) === undefined) accepted.push(id);
        else tcp.close(id);
      }
    });
  }
  return world;
}

/** A program that opens eight connections a millisecond, each to the next server, and aborts them when they are made. */
function crawler(world: Besieged): (ms: number) => void {
  const { tcp, net } = world.stack;
  const opened: ConnectionId[] = [];
  let next = 0;
  return () => {
    while (opened.length > 32) tcp.abort(opened.shift() as ConnectionId);
    for (let i = 0; i < 8; i++) {
      const server = 1 + (next++ % 4096);
      const remoteAddress = net.parseAddress(`10.1.${server >>> 8}.${server & 0xff}`);
      opened.push(tcp.open({ remoteAddress, remotePort: HOSTILE_PORT, fastOpen: {} }));
    }
  };
}

/** Opens a connection every 200 ms, with 100 bytes for its SYN. Returns how many of them arrived with it. */
function openings(world: Besieged, count: number, hostile?: (ms: number) => void): number {
  const { tcp } = world.stack;
  let fast = 0;
  for (let i = 0; i < count; i++) {
    const fastOpen = { text: pattern(100) };
    const id = tcp.open({ remoteAddress: world.peerAddress, remotePort: HONEST_PORT, fastOpen });
    world.pass(5, hostile);
    if (tcp.info(id).synDataAcked) fast += 1;
    tcp.abort(id);
    world.pass(PAUSE_MS - 5, hostile);
  }
  return fast;
}

t.test('Fast Open cookies: a program connects to 4096 servers in turn → the one in use keeps its cookie', (t) => {
  const quiet = manyServers();
  t.equal(openings(quiet, 1), 0, 'the first connection asks for the cookie');
  const alone = openings(quiet, 12);
  t.equal(alone, 12);
  const world = manyServers();
  openings(world, 2);
  const hostile = crawler(world);
  world.pass(1000, hostile);
  const { used, limit, evicted } = world.pool('tcp.cookies');
  t.ok(used > 0.95 * limit && evicted > 2000, `${used} of ${limit} held, ${evicted} gave way`);
  const beside = openings(world, 12, hostile);
  t.ok(beside >= alone / 2, `${beside} of ${alone} brought their data`);
  t.ok(world.pool('tcp.cookies').used <= limit);
  world.pass(10_000);
  world.stack.tcp.context.cookieCache.clear();
  t.same(world.used('tcp.cookies', 'net.neighborQueue', 'net.frames'), [0, 0, 0]);
  t.end();
});

t.test('neighbour table: requests in 20,000 forged names fill it → neighbours in use stay, a transfer goes on', (t) => {
  const alone = new Besieged().transfer(1_000_000, 'out');
  const world = new Besieged();
  const known = world.makeAcquaintances();
  let next = 0;
  const hostile = () => {
    for (let i = 0; i < 20; i++) world.hear(arp({ senderIp: nobody(next++), senderMac: '02:00:00:00:00:66' }));
  };
  world.pass(1000, hostile);
  const { used, limit, evicted } = world.pool('net.neighbors');
  t.equal(used, limit, 'the whole table is in use');
  t.ok(evicted > 10_000);
  t.same(world.forgotten(known), []);
  const beside = world.transfer(1_000_000, 'out', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  world.stack.net.setUp(0, false);
  t.same(world.used('net.neighbors', 'net.neighborQueue'), [0, 0], 'the link has no carrier');
  world.stack.net.setUp(0, true);
  world.pass(1000);
  t.same(world.used('net.neighborQueue', 'net.frames'), [0, 0]);
  t.end();
});
