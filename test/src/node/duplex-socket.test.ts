import t from 'tap';
import { socketContract } from './socket-contract.js';
import { twoNets } from './worlds.js';

socketContract(t, 'Duplex on the stack', (t) => {
  const world = twoNets(t, { plainStreams: true });
  t.equal(world.server.native, false);
  return {
    createServer: (options = {}) => world.server.createServer(options),
    connect: (options) => world.client.connect(options),
    serverAddress: world.serverAddress,
    clientAddress: world.clientAddress,
    foreignAddress: '192.0.2.77',
    native: false,
  };
});
