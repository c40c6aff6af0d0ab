import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import tls from 'node:tls';
import { selfSigned } from './certificate.js';
import {
  closed,
  closeOf,
  contractTest,
  countUncaught,
  listening,
  type MakeWorld,
  pair,
  passes,
  type Test,
} from './socket-steps.js';

/**
 * In whose asynchronous context listeners and callbacks run: what `AsyncLocalStorage` gives them is that of who made the server, the socket or the
 * request, and never that of somebody else's, who happened to call the stack last. As `socketContract`, run on the kernel's sockets first.
 */
export function contextContract(t: Test, name: string, makeWorld: MakeWorld): void {
  const test = contractTest(t, name, makeWorld);

  test('two clients and a server, each of its own store → every listener and callback has that of its own', async (t, world) => {
    const als = new AsyncLocalStorage<string>();
    const seen = new Map<string, Set<string>>();
    const note = (what: string): void => {
      const stores = seen.get(what) ?? new Set();
      seen.set(what, stores.add(als.getStore() ?? 'nobody'));
    };
    const accepted: Socket[] = [];
    const server = als.run('server', () => {
      const server = world.createServer({ allowHalfOpen: true });
      server.on('connection', (socket) => {
        note('connection');
        accepted.push(socket);
        socket.on('data', () => {
          note('accepted data');
          socket.write('answer', () => note('answered'));
        });
        socket.on('end', () => {
          note('accepted end');
          socket.end();
        });
        socket.on('finish', () => note('accepted finish'));
        socket.on('close', () => note('accepted close'));
      });
      server.on('listening', () => note('listening'));
      server.on('close', () => note('server close'));
      server.listen(0, world.serverAddress, () => note('listen callback'));
      return server;
    });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const clients = ['A', 'B', 'C'].map((name) => {
      const client = als.run(name, () => world.connect({ host: world.serverAddress, port, allowHalfOpen: true }));
      // Who adds a listener has no say in it.
      als.run(`adder of ${name}`, () => {
        client.on('connect', () => note(`${name} connect`));
        client.on('data', () => note(`${name} data`));
        client.on('end', () => note(`${name} end`));
        client.on('close', () => note(`${name} close`));
      });
      return { name, client };
    });
    await Promise.all(clients.map(({ client }) => once(client, 'connect')));
    for (let i = 0; i < 3; i++) {
      for (const { name, client } of clients) {
        als.run(`writer of ${name}`, () => client.write('question', () => note(`${name} written`)));
        await once(client, 'data');
      }
      // All at once, in one turn of the stack.
      for (const { name, client } of clients) als.run(`writer of ${name}`, () => client.write('question'));
      await Promise.all(clients.map(({ client }) => once(client, 'data')));
    }
    const ends = clients.map(({ client }) => closeOf(client));
    for (const { name, client } of clients) als.run(`ender of ${name}`, () => client.end(() => note(`${name} ended`)));
    await Promise.all(ends);
    const sClosed = once(server, 'close');
    als.run('closer', () => server.close());
    await sClosed;
    const expected: Record<string, string[]> = {
      listening: ['server'],
      'listen callback': ['server'],
      connection: ['server'],
      // An accepted socket is made by the event loop.
      'accepted data': ['nobody'],
      answered: ['nobody'],
      'accepted end': ['nobody'],
      'accepted finish': ['nobody'],
      'accepted close': ['nobody'],
      'server close': ['closer'],
    };
    for (const { name } of clients) {
      for (const what of ['connect', 'data', 'end', 'close']) expected[`${name} ${what}`] = [name];
      expected[`${name} written`] = [`writer of ${name}`];
      expected[`${name} ended`] = [`ender of ${name}`];
    }
    t.same(Object.fromEntries([...seen].map(([what, stores]) => [what, [...stores]])), expected);
  });

  test('writes that wait, resets, a refusal → in the context of who wrote, and of who made the socket', async (t, world) => {
    const als = new AsyncLocalStorage<string>();
    const seen: string[] = [];
    const note = (what: string): void => {
      seen.push(`${what}: ${als.getStore() ?? 'nobody'}`);
    };
    const server = als.run('server', () => world.createServer({ pauseOnConnect: true }).listen(0, world.serverAddress));
    const accepted: Socket[] = [];
    server.on('connection', (socket) => {
      accepted.push(socket);
      als.run('accepted adder', () => {
        socket.on('error', () => note('accepted error'));
        socket.on('close', () => note('accepted close'));
        socket.on('timeout', () => note('accepted timeout'));
      });
      als.run('timer', () => socket.setTimeout(30));
    });
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const connect = (name: string): Socket =>
      als.run(name, () => world.connect({ host: world.serverAddress, port, allowHalfOpen: true }));
    const a = connect('A');
    await once(a, 'connect');
    const aClosed = closeOf(a);
    als.run('bulk', () => a.write(Buffer.alloc(8_000_000), () => note('A written')));
    a.on('drain', () => note('A drain'));
    a.on('finish', () => note('A finish'));
    await passes(20);
    als.run('second', () => a.write('more', () => note('A second written')));
    als.run('ender', () => a.end(() => note('A ended')));
    await passes(20);
    await new Promise((resolve) => setTimeout(resolve, 60));
    als.run('reader', () => accepted[0].resume());
    await once(accepted[0], 'end');
    await passes(20);
    als.run('destroyer', () => accepted[0].destroy());
    await aClosed;
    // Reset by the peer.
    const b = connect('B');
    b.on('error', () => note('B error'));
    b.on('close', () => note('B close'));
    await once(b, 'connect');
    await passes(20);
    const bClosed = closeOf(b);
    als.run('resetter', () => accepted[1].resetAndDestroy());
    await bClosed;
    // The client resets.
    const c = connect('C');
    await once(c, 'connect');
    await passes(20);
    accepted[2].resume();
    const cClosed = closeOf(accepted[2]);
    als.run('resetter 2', () => c.resetAndDestroy());
    await cClosed;
    const sClosed = once(server, 'close');
    als.run('closer', () => server.close(() => note('server closed')));
    await sClosed;
    const d = connect('D');
    d.on('error', () => note('D error'));
    d.on('close', () => note('D close'));
    await closeOf(d).catch(() => {});
    await passes(20);
    t.same(seen, [
      'accepted timeout: timer',
      // What waited behind it is written by its callback, and finished by its own.
      'A written: bulk',
      'A second written: bulk',
      'A ended: bulk',
      'A finish: bulk',
      'accepted close: nobody',
      'accepted close: nobody',
      'B error: B',
      'B close: B',
      'accepted error: nobody',
      'accepted close: nobody',
      'server closed: closer',
      'D error: D',
      'D close: D',
    ]);
  });

  test('a listener throws at every chunk → each is reported as uncaught, and every byte comes', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    const als = new AsyncLocalStorage<string>();
    const thrown = countUncaught();
    let bytes = 0;
    let chunks = 0;
    als.run('adder', () => {
      accepted.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        chunks += 1;
        throw new Error('a listener is wrong');
      });
    });
    client.end(Buffer.alloc(2_000_000));
    await once(accepted, 'end');
    await passes(2);
    thrown.stop();
    t.equal(bytes, 2_000_000);
    t.equal(thrown.count, chunks);
    await closed(client, accepted);
  });

  test('listeners that enter resources of their own, with TLS made inside → as outside', async (t, world) => {
    const als = new AsyncLocalStorage<string>();
    const identity = selfSigned(world.serverAddress);
    const server = await listening(t, world);
    server.on('connection', (socket) => {
      new AsyncResource('SERVER').runInAsyncScope(() => {
        const secure = new tls.TLSSocket(socket, { isServer: true, ...identity });
        secure.on('error', () => {}).pipe(secure);
      });
    });
    const { port } = server.address() as AddressInfo;
    const stores: unknown[] = [];
    const raw = world.connect({ host: world.serverAddress, port });
    const answer = await new Promise<string>((resolve) => {
      raw.on('connect', () => {
        als.run('store', () =>
          new AsyncResource('CLIENT').runInAsyncScope(() => {
            const secure = tls.connect({ socket: raw, rejectUnauthorized: false }, () => {
              stores.push(als.getStore());
              secure.end('asked');
            });
            secure.on('data', (bytes: Buffer) => resolve(bytes.toString()));
          }),
        );
      });
    });
    t.equal(answer, 'asked');
    t.same(stores, ['store']);
    await closeOf(raw);
  });
}
