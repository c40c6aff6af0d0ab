import { once } from 'node:events';
import t from 'tap';
import { acceptContract } from './accept-contract.js';
import { contextContract } from './context-contract.js';
import { socketContract } from './socket-contract.js';
import { socketOrderContract } from './socket-order-contract.js';
import { stackSockets } from './socket-worlds.js';
import { twoNets } from './worlds.js';

socketContract(t, 'net.Socket on the stack', (t) => stackSockets(t, { plainStreams: false }));
acceptContract(t, 'net.Socket on the stack', (t) => stackSockets(t, { plainStreams: false }));
socketOrderContract(t, 'net.Socket on the stack', (t) => stackSockets(t, { plainStreams: false }));
contextContract(t, 'net.Socket on the stack', (t) => stackSockets(t, { plainStreams: false }));

for (const plainStreams of [false, true]) {
  t.test(`connect to an IPv6 address, ${plainStreams ? 'Duplex' : 'net.Socket'} → EAFNOSUPPORT`, async (t) => {
    const client = twoNets(t, { plainStreams }).client.connect({ host: '2001:db8::1', port: 80 });
    const [error] = await once(client, 'error');
    t.match(error, { code: 'EAFNOSUPPORT', syscall: 'connect', address: '2001:db8::1' });
  });
}
