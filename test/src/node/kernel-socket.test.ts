import net from 'node:net';
import t from 'tap';
import { socketContract } from './socket-contract.js';

// The reference: if this fails, the contract is wrong and not the sockets.
socketContract(t, 'node:net on the kernel', () => ({
  createServer: (options = {}) => net.createServer(options),
  connect: (options) => net.connect(options),
  serverAddress: '127.0.0.1',
  clientAddress: '127.0.0.1',
  foreignAddress: '192.0.2.77',
  native: true,
}));
