import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { collect, listening, pair, type Test, uncaught } from './socket-steps.js';
import { stackSockets } from './socket-worlds.js';

for (const plainStreams of [false, true]) {
  const name = plainStreams ? 'plain' : 'native';

  t.test(`${name}: a listener of 'drop' throws → reported as uncaught, and the connection is closed`, async (t) => {
    const world = stackSockets(t as Test, { plainStreams });
    const { server, client, accepted } = await pair(t as Test, world);
    server.maxConnections = 1;
    const thrown = new Error('a listener is wrong');
    server.on('drop', () => {
      throw thrown;
    });
    const caught = uncaught();
    const { port } = server.address() as AddressInfo;
    const late = world.connect({ host: world.serverAddress, port });
    late.on('error', () => {});
    t.equal((await collect(late)).length, 0, 'it has ended');
    t.equal(await caught, thrown);
    client.destroy();
    accepted.destroy();
  });

  t.test(`${name}: the program looks at nothing but its own listeners`, async (t) => {
    const world = stackSockets(t as Test, { plainStreams });
    const server = await listening(t as Test, world);
    server.on('connection', (socket) => socket.end());
    const { port } = server.address() as AddressInfo;
    const client = world.connect({ host: world.serverAddress, port });
    await once(client.resume(), 'close');
    t.equal(server.listenerCount('connection'), 1);
  });
}
