import t from 'tap';
import { acceptContract } from './accept-contract.js';
import { contextContract } from './context-contract.js';
import { socketContract } from './socket-contract.js';
import { socketOrderContract } from './socket-order-contract.js';
import { kernelSockets } from './socket-worlds.js';

// The reference: if this fails, the contract is wrong and not the sockets.
socketContract(t, 'node:net on the kernel', kernelSockets);
acceptContract(t, 'node:net on the kernel', kernelSockets);
socketOrderContract(t, 'node:net on the kernel', kernelSockets);
contextContract(t, 'node:net on the kernel', kernelSockets);
