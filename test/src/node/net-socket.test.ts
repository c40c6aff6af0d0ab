import { once } from 'node:events';
import t from 'tap';
import { socketContract } from './socket-contract.js';
import { twoNets } from './worlds.js';

socketContract(t, 'net.Socket on the stack', (t) => {
  const world = twoNets(t);
  t.equal(world.server.native, true, 'this Node has the bindings');
  return {
    createServer: (options = {}) => world.server.createServer(options),
    connect: (options) => world.client.connect(options),
    serverAddress: world.serverAddress,
    clientAddress: world.clientAddress,
    foreignAddress: '192.0.2.77',
    native: true,
  };
});

for (const plainStreams of [false, true]) {
  t.test(`connect to an IPv6 address, ${plainStreams ? 'Duplex' : 'net.Socket'} → EAFNOSUPPORT`, async (t) => {
    const client = twoNets(t, { plainStreams }).client.connect({ host: '2001:db8::1', port: 80 });
    const [error] = await once(client, 'error');
    t.match(error, { code: 'EAFNOSUPPORT', syscall: 'connect', address: '2001:db8::1' });
  });
}
