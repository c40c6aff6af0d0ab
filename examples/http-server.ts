/**
 * An ordinary `node:http` server on a TAP device. The kernel is the client: its side of the link gets an address, and curl,
 * ping or a browser reach the server through it. Needs root (or a TAP interface made for this user beforehand).
 *
 *     node dist/examples/http-server.js
 *     curl http://10.0.0.2:8080/        from another terminal
 */
import { getRandomValues, randomInt } from 'node:crypto';
import http from 'node:http';
import { Host, NodeNet, openDevice, Stack } from 'millrace';

const ADDRESS = '10.0.0.2';
const PORT = 8080;

// A stack knows no chance: what must not be guessed by others comes from the system.
const stack = new Stack({ seed: randomInt(2 ** 32), secret: getRandomValues(new Int32Array(4)) });
const host = new Host({ stack });
const device = openDevice('tap:mill0', { hostAddress: '10.0.0.1/24' });
host.attach(device, { addresses: [{ address: stack.net.parseAddress(ADDRESS), prefixLength: 24 }] });
host.start();

const server = http.createServer((request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`${request.method} ${request.url} from ${request.socket.remoteAddress}, over a TCP of our own\n`);
});

// This line is all that differs from any other server: `listen` listens on the stack.
new NodeNet(host).attach(server).listen(PORT, ADDRESS, () => console.log(`http://${ADDRESS}:${PORT}/`));

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    // Connections that wait for a next request are closed with it; then the stack stops, and the interface goes.
    server.close(() => host.stop());
  });
}
