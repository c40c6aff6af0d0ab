import net from 'node:net';
import type { SocketWorld, Test } from './socket-steps.js';
import { twoNets } from './worlds.js';

/** An address that nobody here has. */
const FOREIGN = '192.0.2.77';

/** The reference: if a contract fails here, the contract is wrong and not the sockets. */
export function kernelSockets(): SocketWorld {
  return {
    createServer: (options = {}) => net.createServer(options),
    connect: (options) => net.connect(options),
    connectHome: (options) => net.connect(options),
    serverAddress: '127.0.0.1',
    clientAddress: '127.0.0.1',
    foreignAddress: FOREIGN,
    native: true,
  };
}

/** Sockets on two stacks with a wire between them: Node's own, or plain streams. */
export function stackSockets(t: Test, options: { plainStreams: boolean }): SocketWorld {
  const world = twoNets(t, options);
  t.equal(world.server.native, !options.plainStreams, 'this Node has the bindings');
  return {
    createServer: (options = {}) => world.server.createServer(options),
    connect: (options) => world.client.connect(options),
    connectHome: (options) => world.server.connect(options),
    serverAddress: world.serverAddress,
    clientAddress: world.clientAddress,
    foreignAddress: FOREIGN,
    native: !options.plainStreams,
  };
}
