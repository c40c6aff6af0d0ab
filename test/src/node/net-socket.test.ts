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
