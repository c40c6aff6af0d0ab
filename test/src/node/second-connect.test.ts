import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import t, { type Test } from 'tap';
import { selfSigned } from './certificate.js';
import { KernelWatch } from './kernel-watch.js';
import { SERVER, twoNets } from './worlds.js';

const ECHO = 7;
const NOBODY = 8;

/** An echo server on one stack, a client on the other, and an eye on the kernel. */
function world(t: Test, options: { plainStreams?: boolean } = {}) {
  const nets = twoNets(t, options);
  const watch = new KernelWatch().begin();
  const accepted: net.Socket[] = [];
  const echo = nets.server.createServer((socket) => {
    accepted.push(socket);
    socket.on('error', () => {}).pipe(socket);
  });
  echo.listen(ECHO, SERVER);
  t.teardown(() => watch.end());
  return { ...nets, echo, accepted, watch };
}

async function says(socket: net.Socket, text: string): Promise<string> {
  const heard = once(socket, 'data');
  socket.write(text);
  return String((await heard)[0]);
}
async function closed(socket: net.Socket): Promise<void> {
  if (!socket.closed) await once(socket, 'close');
}
const codeOf = (call: () => unknown): string => {
  try {
    call();
    return 'no error';
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
};

t.test('native: connected again after close, refusal, reset, in each form of the call → over the stack', async (t) => {
  const { client, watch, echo, accepted } = world(t);
  await once(echo, 'listening');
  t.ok(client.native);
  const socket = client.connect({ port: NOBODY, host: SERVER });
  t.equal((await once(socket, 'error'))[0].code, 'ECONNREFUSED');
  await closed(socket);

  let connects = 0;
  socket.on('connect', () => connects++);
  socket.connect(ECHO, SERVER);
  await once(socket, 'connect');
  t.equal(await says(socket, 'after a refusal'), 'after a refusal');
  t.equal(socket.remoteAddress, SERVER);
  const ports = [socket.localPort];
  socket.end();
  await closed(socket);

  // Node's own modules pass both arguments in an array, and others ask for both address families.
  const forms: (() => unknown)[] = [
    () => socket.connect({ port: ECHO, host: SERVER, autoSelectFamily: true }),
    () => socket.connect([{ port: ECHO, host: SERVER }, null] as never),
    () => socket.connect(String(ECHO) as never, SERVER as never),
    () => socket.connect({ port: ECHO, host: SERVER, family: 4 }, () => {}),
  ];
  for (const form of forms) {
    form();
    await once(socket, 'connect');
    t.equal(await says(socket, 'again'), 'again');
    ports.push(socket.localPort);
    socket.destroy();
    await closed(socket);
  }
  t.equal(new Set(ports).size, ports.length, 'each a connection of its own');

  // Before the close has been reported.
  socket.connect(ECHO, SERVER);
  await once(socket, 'connect');
  socket.resetAndDestroy();
  socket.connect(ECHO, SERVER);
  await once(socket, 'connect');
  t.equal(await says(socket, 'at once'), 'at once');
  socket.destroy();
  t.equal(connects, 7);

  // The end that was accepted, from a program that took over the server's listeners.
  echo.removeAllListeners('connection');
  const taken = once(echo, 'connection');
  const other = client.connect(ECHO, SERVER);
  const [far] = (await taken) as [net.Socket];
  other.destroy();
  far.on('error', () => {}).resume();
  await closed(far);
  const back = client.createServer((peer) => peer.end('hello')).listen(9, '10.0.0.2');
  await once(back, 'listening');
  far.connect(9, '10.0.0.2');
  t.equal(String((await once(far, 'data'))[0]), 'hello', 'an accepted socket');
  await closed(far);
  for (const each of accepted) each.destroy();
  for (const one of [echo, back]) one.close();
  t.same(watch.end(), [], 'nothing on the kernel');
});

t.test('native: the option onread, connected again → its buffer still', async (t) => {
  const { client, watch, echo } = world(t);
  await once(echo, 'listening');
  t.ok(client.native);
  let heard = '';
  const buffer = Buffer.alloc(64);
  const callback = (count: number, bytes: Uint8Array): boolean => {
    heard += Buffer.from(bytes.subarray(0, count)).toString();
    if (heard.endsWith('.')) socket.destroy();
    return true;
  };
  const socket = client.connect({ port: ECHO, host: SERVER, onread: { buffer, callback } });
  socket.write('one.');
  await closed(socket);
  socket.connect(ECHO, SERVER);
  socket.write('two.');
  await closed(socket);
  t.equal(heard, 'one.two.');
  t.equal(buffer.toString('utf8', 0, 4), 'two.');
  echo.close();
  t.same(watch.end(), []);
});

for (const plainStreams of [false, true]) {
  const kind = plainStreams ? 'plain' : 'native';

  t.test(`${kind}: a path → an error, nothing on the kernel`, async (t) => {
    const { client, watch, echo } = world(t, { plainStreams });
    await once(echo, 'listening');
    const bad = 'ERR_INVALID_ARG_VALUE';
    t.equal(
      codeOf(() => client.connect({ port: 1, path: '/x' } as never)),
      bad,
    );
    const socket = client.connect(ECHO, SERVER);
    socket.destroy();
    await closed(socket);
    const again = plainStreams ? 'ERR_SOCKET_CLOSED' : bad;
    t.equal(
      codeOf(() => socket.connect({ path: '/x' })),
      again,
    );
    t.equal(
      codeOf(() => socket.connect('/x')),
      again,
    );
    const agent = client.agent();
    const request = (): unknown => http.get({ agent, socketPath: '/x', path: '/page' }).on('error', () => {});
    t.equal(codeOf(request), bad);
    echo.close();
    t.same(watch.end(), []);
  });

  t.test(`${kind}: TLS over it, connected again → ERR_SOCKET_CLOSED, both ends`, async (t) => {
    const { server, client, watch, echo } = world(t, { plainStreams });
    const secure = server.attach(tls.createServer(selfSigned(SERVER))).listen(443, SERVER);
    await once(secure, 'listening');
    const accepting = once(secure, 'secureConnection');
    const socket = tls.connect({ socket: client.connect(443, SERVER), rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const [far] = (await accepting) as [tls.TLSSocket];
    far.on('error', () => {});
    socket.destroy();
    await closed(socket);
    far.destroy();
    for (const one of [socket, far])
      t.equal(
        codeOf(() => one.connect(443, SERVER)),
        'ERR_SOCKET_CLOSED',
      );
    const agent = client.secureAgent({ rejectUnauthorized: false });
    const request = https.get({ agent, host: SERVER, port: 443 }).on('error', () => {});
    const [agents] = (await once(request, 'socket')) as [tls.TLSSocket];
    agents.destroy();
    t.equal(
      codeOf(() => agents.connect(443, SERVER)),
      'ERR_SOCKET_CLOSED',
    );
    for (const one of [secure, echo]) one.close();
    t.same(watch.end(), []);
  });

  t.test(`${kind}: a server that closes and listens again, whichever call made it listen → on the stack`, async (t) => {
    const { server, client, watch, echo } = world(t, { plainStreams });
    await once(echo, 'listening');
    const hello = (): net.Server => net.createServer((socket) => socket.end('hello'));
    for (const begin of [() => server.attach(hello()).listen(20, SERVER), () => server.listen(hello(), 20, SERVER)]) {
      const one = begin();
      for (let round = 0; round < 2; round++) {
        if (!one.listening) await once(one, 'listening');
        const socket = client.connect(20, SERVER);
        t.equal(String((await once(socket, 'data'))[0]), 'hello');
        await closed(socket);
        await new Promise((resolve) => one.close(resolve));
        if (round === 0) one.listen({ port: 20, host: SERVER });
      }
    }
    // Taken; then free: the same object once more.
    const late = server.attach(hello());
    late.listen(ECHO, SERVER);
    t.equal((await once(late, 'error'))[0].code, 'EADDRINUSE');
    late.listen(21, SERVER);
    await once(late, 'listening');
    t.match(late.address(), { address: SERVER, port: 21 });
    for (const one of [late, echo]) one.close();
    t.same(watch.end(), []);
  });
}

t.test('plain: connected again → ERR_SOCKET_CLOSED, both ends', async (t) => {
  const { client, watch, echo, accepted } = world(t, { plainStreams: true });
  await once(echo, 'listening');
  const socket = client.connect(ECHO, SERVER);
  await once(socket, 'connect');
  t.equal(await says(socket, 'once'), 'once');
  socket.destroy();
  await closed(socket);
  for (const one of [socket, accepted[0]])
    t.equal(
      codeOf(() => one.connect(ECHO, SERVER)),
      'ERR_SOCKET_CLOSED',
    );
  accepted[0].destroy();
  echo.close();
  t.same(watch.end(), []);
});

t.test('listen on a path, a descriptor, a handle, another server → an error', (t) => {
  const { server, watch, echo } = world(t);
  for (const what of ['/x', { path: '/x' }, { fd: 3 }, { handle: { fd: 3 } }, echo]) {
    const one = server.attach(net.createServer());
    t.equal(
      codeOf(() => one.listen(what as never)),
      'ERR_INVALID_ARG_VALUE',
      String(what),
    );
    t.notOk(one.listening);
  }
  echo.close();
  t.same(watch.end(), []);
  t.end();
});

t.test('an agent whose idle socket was closed by the server → the next request over the stack', async (t) => {
  const { server, client, watch, echo } = world(t);
  const pages = server.attach(http.createServer((_request, response) => response.end('page'))).listen(80, SERVER);
  await once(pages, 'listening');
  const agent = client.agent({ keepAlive: true });
  const get = async (): Promise<net.Socket> => {
    const request = http.get({ agent, host: SERVER });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    const { socket } = response;
    for await (const _ of response);
    return socket;
  };
  const first = await get();
  pages.closeAllConnections();
  await closed(first);
  t.not(await get(), first);
  agent.destroy();
  for (const one of [pages, echo]) one.close();
  t.same(watch.end(), []);
});

t.test('a datagram socket after close, with a descriptor, of another type → an error', (t) => {
  const { client, watch, echo } = world(t);
  const socket = client.createSocket('udp4');
  t.equal(
    codeOf(() => socket.bind({ fd: 3 } as never)),
    'ERR_INVALID_ARG_VALUE',
  );
  socket.bind(5000);
  socket.close();
  for (const call of [() => socket.bind(5000), () => socket.connect(1, SERVER), () => socket.send('x', 1, SERVER)])
    t.equal(codeOf(call), 'ERR_SOCKET_DGRAM_NOT_RUNNING');
  t.equal(
    codeOf(() => client.createSocket('udp6' as never)),
    'ERR_SOCKET_BAD_TYPE',
  );
  echo.close();
  t.same(watch.end(), []);
  t.end();
});

t.test('sockets of the kernel beside ours → as they were; and the watch sees them', async (t) => {
  const { echo, watch } = world(t);
  const secure = tls.connect(1, '127.0.0.1');
  t.equal((await once(secure, 'error'))[0].code, 'ECONNREFUSED');
  await closed(secure);
  echo.close();
  t.ok(watch.end().includes('TCPCONNECTWRAP'));
});
