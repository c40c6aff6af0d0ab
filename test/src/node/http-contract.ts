import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Server, Socket } from 'node:net';
import tls from 'node:tls';
import type t from 'tap';
import type { CutShort } from '../../../src/apps/delivery.js';
import { createPageServer } from '../../../src/apps/page-server.js';
import type { NodeNet } from '../../../src/node/node-net.js';
import { selfSigned } from './certificate.js';

export interface HttpWorld {
  /** Two machines, joined by a wire. */
  readonly server: NodeNet;
  readonly client: NodeNet;
  readonly serverAddress: string;
}
type Test = typeof t;

/** Programs built on Node's sockets, run on ours: what comes back is what was sent. */
export function httpContract(t: Test, name: string, makeWorld: (t: Test) => HttpWorld): void {
  const test = (title: string, body: (t: Test, world: HttpWorld) => Promise<void>): void => {
    t.test(`${name}: ${title}`, async (t) => body(t as Test, makeWorld(t as Test)));
  };

  test('500 requests over kept-alive connections → 500 answers, few connections', async (t, world) => {
    let connections = 0;
    const server = http.createServer((request, response) => response.end(`you asked for ${request.url}`));
    server.on('connection', () => (connections += 1));
    const { port } = await listen(t, world, server);
    const agent = world.client.agent({ keepAlive: true, maxSockets: 8 });
    const answers = await Promise.all(
      Array.from({ length: 500 }, (_, i) => get({ host: world.serverAddress, port, path: `/${i}`, agent })),
    );
    t.ok(answers.every((answer, i) => answer.toString() === `you asked for /${i}`));
    t.ok(connections <= 8, `${connections} connections`);
    agent.destroy();
  });

  test('requests pipelined in one write → answers in order', async (t, world) => {
    const server = http.createServer(async (request, response) => {
      // Later requests are ready sooner: the order is the protocol's to keep.
      for (let i = Number(request.url?.slice(1)); i < 20; i++) await new Promise(setImmediate);
      response.end(`[${request.url}]`);
    });
    const { port } = await listen(t, world, server);
    const socket = world.client.connect({ host: world.serverAddress, port });
    const requests = Array.from({ length: 20 }, (_, i) => {
      const last = i === 19 ? 'Connection: close\r\n' : '';
      return `GET /${i} HTTP/1.1\r\nHost: x\r\n${last}\r\n`;
    });
    socket.write(requests.join(''));
    const text = (await collect(socket)).toString();
    t.same(
      text.match(/\[\/\d+\]/g),
      Array.from({ length: 20 }, (_, i) => `[/${i}]`),
    );
  });

  test('a client of HTTP/1.0 ends its half after the request → the whole answer; pipelined, then RST → cut off', async (t, world) => {
    const cuts: (CutShort | undefined)[] = [];
    let all = (): void => {};
    const four = new Promise<void>((resolve) => {
      all = resolve;
    });
    const onAnswer = (_request: http.IncomingMessage, _status: number, cut: CutShort | undefined): void => {
      if (cuts.push(cut) === 4) all();
    };
    const { port } = await listen(t, world, createPageServer({ onAnswer }));
    const old = world.client.connect({ host: world.serverAddress, port, allowHalfOpen: true });
    old.end('GET /bytes/1000000 HTTP/1.0\r\n\r\n');
    const answer = await collect(old);
    t.equal(answer.length - answer.indexOf('\r\n\r\n') - 4, 1_000_000);
    const hasty = world.client.connect({ host: world.serverAddress, port });
    hasty.write('GET /bytes/30000000 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
    await once(hasty, 'readable');
    hasty.resetAndDestroy();
    await four;
    t.equal(cuts[0], undefined);
    t.equal(cuts.filter((cut) => cut?.of === 30_000_000).length, 1);
    t.equal(cuts.filter((cut) => cut !== undefined && cut.of === undefined).length, 2);
  });

  test('bodies of many sizes, both ways → the same bytes', async (t, world) => {
    const { port } = await listen(t, world, createPageServer());
    const agent = world.client.agent({ keepAlive: true });
    const host = world.serverAddress;
    for (const size of [0, 1, 1459, 1460, 1461, 65_535, 65_536, 5_000_000]) {
      const body = randomBytes(size);
      const answer = await get({ host, port, path: '/upload', method: 'PUT', agent }, body);
      t.same(JSON.parse(answer.toString()), { bytes: size, sha256: createHash('sha256').update(body).digest('hex') });
      const got = await get({ host, port, path: `/bytes/${size}`, agent });
      t.equal(got.length, size);
      t.ok(got.every((byte, i) => byte === i % 251));
    }
    agent.destroy();
  });

  test('Upgrade → the connection is the programs’ own, both ways', async (t, world) => {
    const server = http.createServer();
    server.on('upgrade', (_request, socket: Socket, head: Buffer) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n');
      socket.write(head);
      socket.pipe(socket);
    });
    const { port } = await listen(t, world, server);
    const request = http.request({
      host: world.serverAddress,
      port,
      agent: world.client.agent(),
      headers: { Connection: 'Upgrade', Upgrade: 'echo' },
    });
    request.end();
    const [, socket] = (await once(request, 'upgrade')) as [http.IncomingMessage, Socket];
    socket.write('one frame');
    t.equal((await once(socket, 'data'))[0].toString(), 'one frame');
    const bytes = randomBytes(3_000_000);
    socket.end(bytes);
    t.ok((await collect(socket)).equals(bytes));
  });

  test('the client goes away in the middle of an answer → the server hears of it and serves others', async (t, world) => {
    const closed: Promise<unknown>[] = [];
    const server = http.createServer((request, response) => {
      if (request.url === '/small') {
        response.end('fine');
        return;
      }
      closed.push(once(response, 'close'));
      const write = (): void => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', write);
      write();
    });
    const { port } = await listen(t, world, server);
    const request = http.get({ host: world.serverAddress, port, path: '/endless', agent: world.client.agent() });
    request.on('error', () => {});
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', () => {});
    await once(response, 'data');
    response.destroy();
    await Promise.all(closed);
    t.equal(closed.length, 1);
    const answer = await get({ host: world.serverAddress, port, path: '/small', agent: world.client.agent() });
    t.equal(answer.toString(), 'fine');
  });

  test('https → verified, and the body is the same', async (t, world) => {
    const identity = selfSigned('stack.example');
    const server = https.createServer(identity, (request, response) => {
      request.pipe(response);
    });
    const { port } = await listen(t, world, server);
    const options = {
      host: world.serverAddress,
      port,
      agent: world.client.secureAgent({ keepAlive: true, ca: identity.cert, servername: 'stack.example' }),
    };
    for (const size of [5, 100_000, 3_000_000]) {
      const body = randomBytes(size);
      const request = https.request({ ...options, method: 'POST' });
      t.ok((await answerOf(request, body)).equals(body));
    }
    const stranger = https.request({ ...options, agent: world.client.secureAgent({ servername: 'stack.example' }) });
    stranger.end();
    const [error] = await once(stranger, 'error');
    t.match(error, { code: /SELF_SIGNED|UNABLE_TO/ });
    options.agent.destroy();
  });

  test('TLS, half a session each way, then the end → close_notify and FIN in order', async (t, world) => {
    const identity = selfSigned('stack.example');
    const server = tls.createServer(identity, (socket) => socket.pipe(socket));
    const { port } = await listen(t, world, server);
    const socket = tls.connect({
      socket: world.client.connect({ host: world.serverAddress, port }),
      ca: identity.cert,
      servername: 'stack.example',
    });
    await once(socket, 'secureConnect');
    t.equal(socket.authorized, true);
    const bytes = randomBytes(1_000_000);
    socket.end(bytes);
    t.ok((await collect(socket)).equals(bytes));
  });

  test('HTTP/2 → many streams on one connection', async (t, world) => {
    const server = http2.createServer((request, response) => response.end(`stream ${request.url}`));
    const { port } = await listen(t, world, server as unknown as Server);
    const session = http2.connect(`http://${world.serverAddress}:${port}`, {
      createConnection: () => world.client.connect({ host: world.serverAddress, port }),
    });
    const answers = await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const stream = session.request({ ':path': `/${i}` });
        const chunks: Buffer[] = [];
        for await (const chunk of stream) chunks.push(chunk as Buffer);
        return Buffer.concat(chunks).toString();
      }),
    );
    t.ok(answers.every((answer, i) => answer === `stream /${i}`));
    session.close();
    await once(session, 'close');
  });
}

async function listen(t: Test, world: HttpWorld, server: Server): Promise<AddressInfo> {
  world.server.attach(server).listen(0, world.serverAddress);
  await once(server, 'listening');
  t.teardown(() => {
    if (server.listening) server.close();
    if ('closeAllConnections' in server && typeof server.closeAllConnections === 'function')
      server.closeAllConnections();
  });
  return server.address() as AddressInfo;
}

function get(options: http.RequestOptions, body?: Buffer): Promise<Buffer> {
  return answerOf(http.request(options), body);
}
async function answerOf(request: http.ClientRequest, body?: Buffer): Promise<Buffer> {
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of socket) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}
