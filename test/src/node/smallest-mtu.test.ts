import { once } from 'node:events';
import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';
import { SMALL_UDP } from '../../small-udp.js';
import { at, CLIENT, SERVER } from './worlds.js';

/** RFC 791 §3.2: every link carries 68 octets. With timestamps no segment at the least MSS fits, so it goes in fragments. */
t.test('an MTU of 68 → bytes get through both ways, in fragments', async (t) => {
  const world = new VirtualWorld();
  const wire = createWire({ mtu: 68, latencyUs: 1000 });
  const [server, client] = [SERVER, CLIENT].map((address, i) => {
    const stack = new Stack({ seed: i + 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
    const host = world.add(address, stack);
    host.attach(wire[i], { addresses: [at(stack, address)] });
    return new NodeNet(host);
  });
  const sent = Buffer.alloc(5000, 'all of it ');
  const listener = server.createServer((socket) => socket.pipe(socket));
  listener.listen(7, SERVER);
  const socket = client.connect({ host: SERVER, port: 7 });
  const got: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => got.push(chunk));
  socket.end(sent);
  let ended = false;
  void once(socket, 'end').then(() => {
    ended = true;
  });
  await world.runProgram(() => ended || world.now > 60e6);
  t.equal(ended, true);
  t.same(Buffer.concat(got), sent);
  t.ok(client.host.stack.net.stats.ipFragCreates > 0, 'in fragments');
  listener.close();
});
