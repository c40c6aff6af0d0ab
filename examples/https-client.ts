/**
 * An HTTPS client on our stack: `node:https` with an agent that connects through it. What it talks to is the kernel's side of
 * a TAP device, or whatever lies behind a gateway. Needs root.
 *
 *     node dist/examples/https-client.js https://10.0.0.1:8443/
 *     node dist/examples/https-client.js https://192.0.2.7/ 10.0.0.1       with 10.0.0.1 as the router
 *
 * Certificates are checked as ever; NODE_EXTRA_CA_CERTS names a file with more authorities.
 */
import { getRandomValues, randomInt } from 'node:crypto';
import https from 'node:https';
import { type Address, Host, NodeNet, openDevice, Stack } from 'millrace';

const [url, gateway] = process.argv.slice(2);
if (url === undefined) {
  console.error('usage: https-client URL [GATEWAY]');
  process.exit(2);
}

const stack = new Stack({ seed: randomInt(2 ** 32), secret: getRandomValues(new Int32Array(4)) });
const host = new Host({ stack });
const device = openDevice('tap:mill2', { hostAddress: '10.0.0.1/24' });
host.attach(device, { addresses: [{ address: stack.net.parseAddress('10.0.0.2'), prefixLength: 24 }] });
if (gateway !== undefined) {
  stack.net.addRoute({ destination: 0 as Address, prefixLength: 0, gateway: stack.net.parseAddress(gateway) });
}
host.start();
// The program ends when its last connection has, as with Node's own sockets; the interface goes with it.
host.unref();

const agent = new NodeNet(host).secureAgent();
const request = https.get(url, { agent }, (response) => {
  const { remoteAddress, localPort } = response.socket;
  console.log(`${response.statusCode} from ${remoteAddress}, our port ${localPort}`);
  response.pipe(process.stdout);
});
request.on('error', (error) => {
  console.error(error.message);
  process.exitCode = 1;
});
