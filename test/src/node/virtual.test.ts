import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import t from 'tap';
import { FaultDevice } from '../../../drivers/fault.js';
import { noFaults } from '../../../drivers/fault-options.js';
import { createWire } from '../../../drivers/loopback.js';
import { createPageServer } from '../../../src/apps/page-server.js';
import { VirtualWorld } from '../../../src/host/virtual-world.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';
import { SMALL_UDP } from '../../small-udp.js';
import { at, CLIENT, SERVER } from './worlds.js';

/** Two machines and a bad link between them, in virtual time. */
function badLink(seed: number) {
  const world = new VirtualWorld();
  const [near, far] = createWire();
  const lane = { ...noFaults(), loss: 0.02, reorder: 0.01, duplicate: 0.01, delayUs: 20_000, jitterUs: 2000 };
  const devices = [new FaultDevice(near, { in: lane, out: lane }, seed), far];
  const nets = [SERVER, CLIENT].map((address, i) => {
    const stack = new Stack({ seed: seed + i, tcp: { connectionsMax: 256, activeMax: 256 }, udp: SMALL_UDP });
    const host = world.add(address, stack);
    host.attach(devices[i], { addresses: [at(stack, address)] });
    return new NodeNet(host);
  });
  return { world, server: nets[0], client: nets[1] };
}

async function fetchThrough(seed: number, body: Buffer): Promise<{ uploaded: string; downloaded: number; us: number }> {
  const { world, server, client } = badLink(seed);
  const pages = server.attach(createPageServer()).listen(80, SERVER);
  await once(pages, 'listening');
  const agent = client.agent({ keepAlive: true });
  let uploaded = '';
  let downloaded = 0;
  const up = http.request({ host: SERVER, path: '/upload', method: 'PUT', agent }, (response) => {
    response.on('data', (chunk: Buffer) => {
      uploaded += chunk.toString();
    });
  });
  up.end(body);
  http.get({ host: SERVER, path: '/bytes/700000', agent }, (response) => {
    response.on('data', (chunk: Buffer) => {
      if (!chunk.every((byte, i) => byte === (downloaded + i) % 251)) throw new Error('the pattern is broken');
      downloaded += chunk.length;
    });
  });
  await world.runProgram(() => uploaded.endsWith('\n') && downloaded === 700_000);
  agent.destroy();
  pages.close();
  return { uploaded, downloaded, us: world.now };
}

t.test('HTTP both ways over a link that loses, reorders, duplicates and delays → every byte', async (t) => {
  const body = randomBytes(700_000);
  const { uploaded, downloaded, us } = await fetchThrough(7, body);
  t.same(JSON.parse(uploaded), { bytes: body.length, sha256: createHash('sha256').update(body).digest('hex') });
  t.equal(downloaded, 700_000);
  t.ok(us > 80_000, 'it took a few round trips of its own time');
});

t.test('what never comes true → said, instead of waited for', async (t) => {
  const { world } = badLink(1);
  await t.rejects(
    world.runProgram(() => false, 1000),
    /condition does not hold/,
  );
});
