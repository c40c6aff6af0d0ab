import t from 'tap';
import type { ConnectionId, UdpId } from '../../stack/base/units.js';
import { frame, icmp } from '../stack/net/frames.js';
import { pattern } from '../stack/tcp/peer.js';
import { Besieged } from './besieged.js';

/** Rows of sockets and connections, and the answers to strangers: whoever has one keeps it, and what is full says so. */

const BYTES = 1_000_000;

t.test('UDP sockets: a program opens all there may be → EMFILE; who has one is served as before', (t) => {
  const world = new Besieged();
  const { udp } = world.stack;
  const receiver = udp.open({ port: 7 });
  const { limit } = world.pool('udp.sockets');
  const held: UdpId[] = [];
  for (let i = 1; i < limit; i++) held.push(udp.open());
  t.throws(() => udp.open(), { code: 'EMFILE' });
  t.equal(world.pool('udp.sockets').used, limit);
  const sender = world.peer.udp.open();
  const into = new Uint8Array(100);
  let got = 0;
  for (let i = 0; i < 100; i++) {
    world.peer.udp.send(sender, pattern(100), 0, 100, world.address, 7);
    world.step(() => t.throws(() => udp.open(), { code: 'EMFILE' }));
    while (udp.receive(receiver, into, 0, 100) === 100) got += 1;
  }
  world.pass(5);
  while (udp.receive(receiver, into, 0, 100) === 100) got += 1;
  t.equal(got, 100, 'every datagram was read');
  for (const id of held) udp.close(id);
  udp.close(udp.open());
  udp.close(receiver);
  t.same(world.used('udp.sockets', 'udp.datagrams', 'net.frames'), [0, 0, 0]);
  t.end();
});

t.test('connections: a program holds all but one → one at a time goes on at full speed; beyond it ENOBUFS', (t) => {
  const alone = new Besieged().transfer(BYTES, 'out');
  const world = new Besieged();
  const { tcp } = world.stack;
  const { limit } = world.pool('tcp.connections');
  const remoteAddress = world.peerAddress;
  const held: ConnectionId[] = [];
  for (let i = 1; i < limit; i++) held.push(tcp.open({ remoteAddress, remotePort: 9 + i }));
  let refused = 0;
  const hostile = () => {
    // The program tries again and again; what it has was refused by the peer and stays in its row until it is closed.
    try {
      held.push(tcp.open({ remoteAddress, remotePort: 9 }));
    } catch (error) {
      t.equal((error as { code?: string }).code, 'ENOBUFS');
      refused += 1;
    }
  };
  const beside = world.transfer(BYTES, 'out', hostile);
  t.ok(beside <= 2 * alone, `${beside} ms beside it, ${alone} ms alone`);
  const { used, refused: counted } = world.pool('tcp.connections');
  t.equal(used, limit);
  t.ok(refused > 100, `${refused} times`);
  t.ok(counted >= refused, `${counted} counted`);
  for (const id of held) tcp.close(id);
  world.pass(130_000);
  t.same(world.used('tcp.connections', 'tcp.active', 'tcp.buffers', 'net.frames'), [0, 0, 0, 0]);
  t.equal(typeof world.transfer(BYTES, 'out'), 'number', 'and there is room again');
  t.end();
});

t.test('answers to strangers: 700 pings a millisecond fill their queue → a transfer goes on beside it', (t) => {
  const rateBits = 1e9;
  const net = { echoAnswersPerSecond: 1e9, echoAnswersBurst: 1e6 };
  for (const way of ['in', 'out'] as const) {
    const alone = new Besieged({ rateBits, net }).transfer(4 * BYTES, way);
    const world = new Besieged({ rateBits, net });
    world.transfer(1000, way);
    const from = world.peer.net.formatAddress(world.peerAddress);
    const ping = frame({ protocol: 1, from, payload: icmp(8, 0, 1) }, world.mac, world.peerMac);
    let fullest = 0;
    const name = `net.answerQueue.${world.iface.name}`;
    const hostile = () => {
      for (let i = 0; i < 700; i++) world.hear(ping);
      fullest = Math.max(fullest, world.pool(name).used);
    };
    world.pass(100, hostile);
    t.equal(fullest, world.pool(name).limit, 'the queue is full');
    const beside = world.transfer(4 * BYTES, way, hostile);
    t.ok(beside <= 2 * alone, `${way}: ${beside} ms beside it, ${alone} ms alone`);
    t.ok(world.pool(name).refused > 1000);
    world.pass(1000);
    t.same(world.used(name, 'net.frames'), [0, 0]);
  }
  t.end();
});
