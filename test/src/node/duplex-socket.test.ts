import t from 'tap';
import { acceptContract } from './accept-contract.js';
import { contextContract } from './context-contract.js';
import { socketContract } from './socket-contract.js';
import { socketOrderContract } from './socket-order-contract.js';
import { stackSockets } from './socket-worlds.js';

socketContract(t, 'Duplex on the stack', (t) => stackSockets(t, { plainStreams: true }));
acceptContract(t, 'Duplex on the stack', (t) => stackSockets(t, { plainStreams: true }));
socketOrderContract(t, 'Duplex on the stack', (t) => stackSockets(t, { plainStreams: true }));
contextContract(t, 'Duplex on the stack', (t) => stackSockets(t, { plainStreams: true }));
