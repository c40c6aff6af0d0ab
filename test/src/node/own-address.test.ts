import { once } from 'node:events';
import type { Socket } from 'node:net';
import t from 'tap';
import { Host } from '../../../src/host/host.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';
import { collect, type Test } from './socket-steps.js';

/**
 * A stack that speaks to itself: what it sends to its own addresses arrives while it sends, and the events that this raises are reported
 * although nothing else happens.
 */
const SMALL = { seed: 1, tcp: { connectionsMax: 64, activeMax: 64 } };

function alone(t: Test, plainStreams: boolean): NodeNet {
  const host = new Host({ stack: new Stack(SMALL) });
  host.start();
  t.teardown(() => host.stop());
  return new NodeNet(host, { plainStreams });
}

for (const plainStreams of [false, true]) {
  const name = plainStreams ? 'Duplex' : 'net.Socket';

  t.test(`${name} to a port nobody has, on 127.0.0.1 → ECONNREFUSED`, async (t) => {
    const client = alone(t as Test, plainStreams).connect(81, '127.0.0.1');
    const [error] = await once(client, 'error');
    t.match(error, { code: 'ECONNREFUSED', message: 'connect ECONNREFUSED 127.0.0.1:81' });
  });

  t.test(`${name} to a server of the same stack → an echo, the end, and closed`, async (t) => {
    const net = alone(t as Test, plainStreams);
    const server = net.createServer((socket) => socket.pipe(socket));
    server.listen(80, '127.0.0.1');
    await once(server, 'listening');
    const client = net.connect(80, '127.0.0.1');
    client.end('x'.repeat(300_000));
    t.equal((await collect(client)).length, 300_000);
    server.close();
    await once(server, 'close');
  });

  t.test(`${name} to a port nobody has, in a virtual world → ECONNREFUSED in no time`, async (t) => {
    const world = new VirtualWorld();
    const net = new NodeNet(world.add('alone', new Stack(SMALL)), { plainStreams });
    const client = net.connect(81, '127.0.0.1') as Socket;
    let code: string | undefined;
    client.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code;
    });
    await world.runProgram(() => code !== undefined, 1000);
    t.equal(code, 'ECONNREFUSED');
    t.equal(world.now, 0);
  });
}

t.test(
  'a datagram to a port nobody has, on 127.0.0.1, connected → ECONNREFUSED; to one of its own → it comes',
  async (t) => {
    const net = alone(t as Test, false);
    const client = net.createSocket('udp4');
    client.connect(81, '127.0.0.1');
    await once(client, 'connect');
    client.send('x');
    t.match((await once(client, 'error'))[0], { code: 'ECONNREFUSED' });
    const server = net.createSocket('udp4').bind(82, '127.0.0.1');
    client.disconnect();
    client.send('to myself', 82, '127.0.0.1');
    t.equal((await once(server, 'message'))[0].toString(), 'to myself');
    client.close();
    server.close();
  },
);

t.test('events that are raised by the turn’s own flush → the turn says that there is more', (t) => {
  const world = new VirtualWorld();
  const { stack, turns } = world.add('alone', new Stack(SMALL));
  const id = stack.tcp.open({ remoteAddress: stack.net.parseAddress('127.0.0.1'), remotePort: 81 });
  turns.send(world.now);
  t.equal(stack.tcp.takeError(id), 'ECONNREFUSED');
  t.equal(turns.more, true);
  turns.run(world.now);
  t.equal(turns.more, false);
  t.end();
});
