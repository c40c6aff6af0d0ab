/**
 * A test of a program against loss and delay, without root and without waiting: an ordinary HTTP server and client, each on a
 * stack of its own, in virtual time.
 *
 *     node dist/examples/virtual-http.js [FAULTS] [SEED]
 */
import assert from 'node:assert';
import { once } from 'node:events';
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { createWire, type Driver, FaultDevice, NodeNet, parseFaults, Stack, VirtualWorld } from 'millrace';

const faults = parseFaults(process.argv[2] ?? 'loss=5%,delay=50ms,jitter=5ms');
const seed = Number(process.argv[3] ?? 1);

const world = new VirtualWorld();
const [near, far] = createWire({ seed });

function addNet(name: string, address: string, device: Driver, stackSeed: number): NodeNet {
  const stack = new Stack({ seed: stackSeed });
  const host = world.add(name, stack);
  host.attach(device, { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
  return new NodeNet(host);
}
const server = addNet('server', '10.0.0.1', near, seed);
const client = addNet('client', '10.0.0.2', new FaultDevice(far, faults, seed), seed + 1);

// The program under test. It knows nothing of all this.
const pages = http.createServer((request, response) => response.end(`page ${request.url} `.repeat(10_000)));

async function fetchPage(path: string): Promise<string> {
  const [response] = (await once(http.get({ host: '10.0.0.1', path, agent }), 'response')) as [http.IncomingMessage];
  return text(response);
}

server.attach(pages).listen(80, '10.0.0.1');
const agent = client.agent({ keepAlive: true, maxSockets: 4 });

let answers = 0;
for (let i = 0; i < 20; i++) {
  void fetchPage(`/${i}`).then((page) => {
    assert.strictEqual(page, `page /${i} `.repeat(10_000));
    answers += 1;
  });
}
// Between two moments of virtual time the event loop runs until promises and streams have no more to do.
await world.runProgram(() => answers === 20);
const { tcpRetransSegs } = server.host.stack.net.stats;
console.log(`20 pages, each as sent, in ${(world.now / 1e6).toFixed(3)} s; ${tcpRetransSegs} segments sent again`);
agent.destroy();
pages.close();
