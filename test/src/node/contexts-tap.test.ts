import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import { connect } from 'node:net';
import tls from 'node:tls';
import { inspect } from 'node:util';
import t from 'tap';
import { openTap } from '../../../drivers/tap.js';
import { Host } from '../../../src/host/host.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';
import { enterNamespace } from '../../drivers/namespace.js';
import { SMALL_UDP } from '../../small-udp.js';
import { selfSigned } from './certificate.js';
import { closeOf, countUncaught } from './socket-steps.js';

// What `context-contract.ts` asks, where the stack is called by a native module: over a TAP a turn begins in a callback that is not Node's.

const skip = enterNamespace() ?? false;
const ADDRESS = '10.62.0.2';

function server(t: { teardown(body: () => void): void }): NodeNet {
  const stack = new Stack({ seed: 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
  const host = new Host({ stack });
  const device = openTap('context0', { hostAddress: '10.62.0.1/24' });
  host.attach(device, { addresses: [{ address: stack.net.parseAddress(ADDRESS), prefixLength: 24 }] });
  host.start();
  t.teardown(() => host.stop());
  return new NodeNet(host);
}

t.test(
  'a listener over a TAP that enters a resource and makes TLS in it → served; the process lives',
  { skip },
  async (t) => {
    const als = new AsyncLocalStorage<string>();
    const net = server(t);
    const stores = new Set<unknown>();
    const listener = als.run('server', () =>
      net.createServer((socket) => {
        stores.add(als.getStore());
        new AsyncResource('PROGRAM').runInAsyncScope(() => {
          const secure = new tls.TLSSocket(socket, { isServer: true, ...selfSigned(ADDRESS) });
          secure.on('error', () => {}).pipe(secure);
        });
      }),
    );
    als.run('who listens', () => listener.listen(443, ADDRESS));
    await once(listener, 'listening');
    for (let i = 0; i < 3; i++) {
      const secure = tls.connect({ host: ADDRESS, port: 443, rejectUnauthorized: false });
      secure.end('asked');
      const [answer] = await once(secure, 'data');
      t.equal(String(answer), 'asked');
      await closeOf(secure);
    }
    t.same([...stores], ['who listens']);
    listener.close();
  },
);

t.test(
  'a listener over a TAP that throws at every chunk → reported as uncaught, and every byte comes',
  { skip },
  async (t) => {
    const als = new AsyncLocalStorage<string>();
    const net = server(t);
    const listener = net.createServer().listen(80, ADDRESS);
    await once(listener, 'listening');
    const thrown = countUncaught();
    const client = als.run('client', () => connect(80, ADDRESS));
    const [accepted] = await once(listener, 'connection');
    t.match(inspect(accepted), /^<ref \*\d> Socket \{/);
    let bytes = 0;
    let chunks = 0;
    const ticks: number[] = [];
    accepted.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      chunks += 1;
      process.nextTick(() => ticks.push(chunks));
      throw new Error('a listener is wrong');
    });
    client.end(Buffer.alloc(1_000_000));
    await once(accepted, 'end');
    await closeOf(client);
    thrown.stop();
    t.equal(bytes, 1_000_000);
    t.equal(thrown.count, chunks);
    t.equal(ticks.length, chunks);
    listener.close();
  },
);
