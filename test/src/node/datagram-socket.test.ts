import { AsyncLocalStorage } from 'node:async_hooks';
import dgram from 'node:dgram';
import { once } from 'node:events';
import t from 'tap';
import { UdpEcho } from '../../../src/apps/udp-echo.js';
import type { DatagramSocket, RemoteInfo } from '../../../src/node/datagram-socket.js';
import { CLIENT, SERVER, twoNets } from './worlds.js';

type Test = typeof t;

async function pair(t: Test): Promise<{ server: DatagramSocket; client: DatagramSocket; port: number }> {
  const world = twoNets(t);
  const server = world.server.createSocket('udp4');
  const client = world.client.createSocket({ type: 'udp4' });
  server.bind(5353, SERVER);
  await once(server, 'listening');
  t.teardown(() => {
    for (const socket of [server, client]) {
      try {
        socket.close();
      } catch {
        // Closed by the test.
      }
    }
  });
  return { server, client, port: 5353 };
}

t.test('bound, sent to → message with its sender; answered → back', async (t) => {
  const { server, client, port } = await pair(t as Test);
  t.same(server.address(), { address: SERVER, family: 'IPv4', port });
  client.send('question', port, SERVER);
  const [message, from] = (await once(server, 'message')) as [Buffer, RemoteInfo];
  t.equal(message.toString(), 'question');
  t.match(from, { address: CLIENT, family: 'IPv4', size: 8 });
  t.equal(from.port, client.address().port);
  server.send(Buffer.from('answer'), from.port, from.address);
  t.equal((await once(client, 'message'))[0].toString(), 'answer');
});

t.test(
  'listeners and callbacks → in the context of who made the socket, and of who sent; as on the kernel',
  async (t) => {
    const als = new AsyncLocalStorage<string>();
    const world = twoNets(t);
    const kinds = [
      { address: '127.0.0.1', create: () => dgram.createSocket('udp4') as unknown as DatagramSocket },
      { address: SERVER, create: () => world.server.createSocket('udp4') },
    ];
    for (const { address, create } of kinds) {
      const seen: string[] = [];
      const note = (what: string): void => {
        seen.push(`${what}: ${als.getStore() ?? 'nobody'}`);
      };
      const [server, client] = ['server', 'client'].map((name) => als.run(name, create));
      als.run('binder', () => server.bind(0, address));
      await once(server, 'listening');
      als.run('adder', () => server.on('message', () => note('message')));
      for (let i = 0; i < 3; i++) {
        const came = once(server, 'message');
        als.run('sender', () => client.send('x', server.address().port, address, () => note('sent')));
        await came;
        await new Promise(setImmediate);
      }
      server.close();
      client.close();
      t.same(seen.sort(), [...Array(3).fill('message: server'), ...Array(3).fill('sent: sender')], address);
    }
  },
);

t.test('every form of send → the bytes meant', async (t) => {
  const { server, client, port } = await pair(t as Test);
  const bytes = Buffer.from('0123456789');
  const expected = ['0123456789', '234', 'ab0123456789', '', '4567'];
  client.send(bytes, port, SERVER);
  client.send(bytes, 2, 3, port, SERVER);
  client.send(['a', Buffer.from('b'), bytes], port, SERVER);
  client.send('', port, SERVER);
  const sent = new Promise((resolve) =>
    client.send(bytes, 4, 4, port, SERVER, (...result: unknown[]) => resolve(result)),
  );
  t.same(await sent, [null, 4]);
  const got: string[] = [];
  server.on('message', (message) => got.push(message.toString()));
  while (got.length < expected.length) await once(server, 'message');
  t.same(got, expected);
});

t.test('the largest datagram → whole, in fragments; one byte more → EMSGSIZE', async (t) => {
  const { server, client, port } = await pair(t as Test);
  const bytes = Buffer.alloc(65_507, 'x');
  client.send(bytes, port, SERVER);
  t.ok((await once(server, 'message'))[0].equals(bytes));
  const error = await new Promise((resolve) => client.send(Buffer.alloc(65_508), port, SERVER, resolve));
  t.match(error, { code: 'EMSGSIZE', syscall: 'send', address: SERVER, port });
});

t.test('connected → sends without an address, hears only its peer, and of ports nobody has', async (t) => {
  const { server, client, port } = await pair(t as Test);
  client.connect(port, SERVER);
  await once(client, 'connect');
  t.same(client.remoteAddress(), { address: SERVER, family: 'IPv4', port });
  client.send('hello');
  const [, from] = (await once(server, 'message')) as [Buffer, RemoteInfo];
  const heard: string[] = [];
  client.on('message', (message) => heard.push(message.toString()));
  server.send('from the peer', from.port, from.address);
  await once(client, 'message');
  t.same(heard, ['from the peer']);
  t.throws(() => client.send('x', 1, SERVER), { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' });
  t.throws(() => client.connect(1, SERVER), { code: 'ERR_SOCKET_DGRAM_IS_CONNECTED' });
  server.close();
  await once(server, 'close');
  client.send('anybody there?');
  t.match((await once(client, 'error'))[0], { code: 'ECONNREFUSED', syscall: 'recvmsg' });
  client.disconnect();
  t.throws(() => client.disconnect(), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
});

t.test('the port is taken → EADDRINUSE; the address is not ours → EADDRNOTAVAIL', async (t) => {
  const { port } = await pair(t as Test);
  const world = twoNets(t);
  world.server.createSocket('udp4').bind(port, SERVER);
  const second = world.server.createSocket('udp4').bind(port, SERVER);
  t.match((await once(second, 'error'))[0], {
    code: 'EADDRINUSE',
    syscall: 'bind',
    address: SERVER,
    port,
    message: `bind EADDRINUSE: address already in use ${SERVER}:${port}`,
  });
  const foreign = world.server.createSocket('udp4').bind(1, '192.0.2.1');
  t.match((await once(foreign, 'error'))[0], { code: 'EADDRNOTAVAIL' });
});

t.test('no route → ENETUNREACH; broadcast without asking → EACCES, with → every socket hears', async (t) => {
  const { server, client } = await pair(t as Test);
  const error = await new Promise((resolve) => client.send('x', 1, '203.0.113.1', resolve));
  t.match(error, { code: 'ENETUNREACH' });
  const refused = await new Promise((resolve) => client.send('x', 5353, '10.0.0.255', resolve));
  t.match(refused, { code: 'EACCES' });
  server.close();
  const world = twoNets(t);
  const everybody = world.server.createSocket('udp4').bind(5353);
  const sender = world.client.createSocket('udp4').bind();
  sender.setBroadcast(true);
  sender.send('all of you', 5353, '10.0.0.255');
  t.equal((await once(everybody, 'message'))[0].toString(), 'all of you');
});

t.test('used wrongly → Node’s errors', async (t) => {
  const { server, client } = await pair(t as Test);
  t.throws(() => server.bind(1), { code: 'ERR_SOCKET_ALREADY_BOUND' });
  t.throws(() => client.send('x', 0, SERVER), { code: 'ERR_SOCKET_BAD_PORT' });
  t.throws(() => client.send('x', 65_536, SERVER), { code: 'ERR_SOCKET_BAD_PORT' });
  t.throws(() => client.send(Buffer.alloc(3), 2, 2, 1, SERVER), { code: 'ERR_BUFFER_OUT_OF_BOUNDS' });
  t.throws(() => client.remoteAddress(), { code: 'ERR_SOCKET_DGRAM_NOT_CONNECTED' });
  let closes = 0;
  server.close(() => closes++);
  t.throws(() => server.close(), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
  t.throws(() => server.send('x', 1, SERVER), { code: 'ERR_SOCKET_DGRAM_NOT_RUNNING' });
  await once(server, 'close');
  t.equal(closes, 1);
});

t.test(
  'echo service → every datagram back, from the address asked; a datagram from where a service answers → silence',
  async (t) => {
    const world = twoNets(t);
    const { stack } = world.server.host;
    const echo = new UdpEcho(world.server.host, stack.net.parseAddress('0.0.0.0'), 7);
    const client = world.client.createSocket('udp4').bind();
    const got: string[] = [];
    client.on('message', (message, from) => got.push(`${message} ${from.address}:${from.port}`));
    // The first finds the neighbour; what waits for that is bounded, and the rest would be lost.
    client.send('who has it?', 7, SERVER);
    await once(client, 'message');
    got.length = 0;
    for (let i = 0; i < 100; i++) client.send(`n${i}`, 7, SERVER);
    while (got.length < 100) await once(client, 'message');
    t.same(
      got,
      Array.from({ length: 100 }, (_, i) => `n${i} ${SERVER}:7`),
    );
    // An echo with a port of its own is drawn into a loop by a datagram "from" the well-known ones.
    const other = new UdpEcho(world.server.host, stack.net.parseAddress('0.0.0.0'), 4007);
    const services = [7, 13, 17, 19, 37, 53, 123, 511];
    const forged = services.map((port) => world.client.createSocket('udp4').bind(port));
    for (const socket of forged) {
      socket.on('message', () => t.fail('two services would answer each other for ever'));
      socket.send('loop', 7, SERVER);
      socket.send('loop', 4007, SERVER);
    }
    const second = world.client.createSocket('udp4').bind(4007);
    second.on('message', () => t.fail('two echoes on one port, too'));
    second.send('loop', 4007, SERVER);
    const asker = world.client.createSocket('udp4').bind(512);
    asker.send('after', 4007, SERVER);
    t.same((await once(asker, 'message'))[0].toString(), 'after');
    client.send('after', 7, SERVER);
    await once(client, 'message');
    t.same([echo.datagrams, echo.refused], [102 + services.length, services.length]);
    t.same([other.datagrams, other.refused], [2 + services.length, 1 + services.length]);
    for (const service of [echo, other]) service.close();
    for (const socket of [client, second, asker, ...forged]) socket.close();
  },
);

t.test(
  'a burst, and a program that awaits one message after the other → it hears every one, as over the kernel',
  async (t) => {
    const own = await pair(t as Test);
    const kernel = { server: dgram.createSocket('udp4').bind(0, '127.0.0.1'), client: dgram.createSocket('udp4') };
    await once(kernel.server, 'listening');
    t.teardown(() => {
      kernel.server.close();
      kernel.client.close();
    });
    const kernelSockets = kernel as unknown as { server: DatagramSocket; client: DatagramSocket };
    const ways = [
      { ...kernelSockets, port: kernel.server.address().port, address: '127.0.0.1' },
      { ...own, address: SERVER },
    ];
    for (const { server, client, port, address } of ways) {
      // The first finds the neighbour.
      client.send('first', port, address);
      await once(server, 'message');
      for (let i = 0; i < 20; i++) client.send(`${i}`, port, address);
      for (let i = 0; i < 20; i++) t.equal((await once(server, 'message'))[0].toString(), `${i}`);
    }
  },
);

interface State {
  fresh: string;
  bound: string;
  connected: string;
  closed: string;
}
const same = (what: string, closed = 'ERR_SOCKET_DGRAM_NOT_RUNNING'): State => ({
  fresh: what,
  bound: what,
  connected: what,
  closed,
});
/** As Node's sockets over the kernel, but for two things: an option binds a fresh socket, where Node throws EBADF; and a closed one always says so. */
const CALLS: [string, (socket: DatagramSocket) => unknown, State][] = [
  ['bind', (s) => s.bind(0, CLIENT), { ...same('ERR_SOCKET_ALREADY_BOUND'), fresh: 'done' }],
  [
    'bind, a port that is none',
    (s) => s.bind(70_000),
    { ...same('ERR_SOCKET_ALREADY_BOUND'), fresh: 'ERR_SOCKET_BAD_PORT' },
  ],
  ['connect', (s) => s.connect(9, SERVER), { ...same('done'), connected: 'ERR_SOCKET_DGRAM_IS_CONNECTED' }],
  [
    'connect, port 0',
    (s) => s.connect(0, SERVER),
    { ...same('ERR_SOCKET_BAD_PORT'), connected: 'ERR_SOCKET_DGRAM_IS_CONNECTED' },
  ],
  ['disconnect', (s) => s.disconnect(), { ...same('ERR_SOCKET_DGRAM_NOT_CONNECTED'), connected: 'done' }],
  ['send', (s) => s.send('x', 9, SERVER), { ...same('done'), connected: 'ERR_SOCKET_DGRAM_IS_CONNECTED' }],
  ['send, no address', (s) => s.send('x'), { ...same('ERR_SOCKET_BAD_PORT'), connected: 'done' }],
  ['address', (s) => s.address(), { ...same('done'), fresh: 'EBADF getsockname' }],
  ['remoteAddress', (s) => s.remoteAddress(), { ...same('ERR_SOCKET_DGRAM_NOT_CONNECTED'), connected: 'done' }],
  ['setBroadcast', (s) => s.setBroadcast(true), same('done')],
  ['setTTL', (s) => s.setTTL(64), same('done')],
  ['setTTL 0', (s) => s.setTTL(0), same('EINVAL setTTL')],
  ['setTTL 1000', (s) => s.setTTL(1000), same('EINVAL setTTL')],
  ['setTTL, text', (s) => s.setTTL('1' as never), same('ERR_INVALID_ARG_TYPE', 'ERR_INVALID_ARG_TYPE')],
  ['setMulticastTTL', (s) => s.setMulticastTTL(5), same('done')],
  ['setMulticastTTL -5', (s) => s.setMulticastTTL(-5), same('EINVAL setMulticastTTL')],
  ['setMulticastTTL 1000', (s) => s.setMulticastTTL(1000), same('EINVAL setMulticastTTL')],
  ['setRecvBufferSize', (s) => s.setRecvBufferSize(10_000), same('done')],
  ['setRecvBufferSize 0', (s) => s.setRecvBufferSize(0), same('done')],
  [
    'setRecvBufferSize -1',
    (s) => s.setRecvBufferSize(-1),
    same('ERR_SOCKET_BAD_BUFFER_SIZE', 'ERR_SOCKET_BAD_BUFFER_SIZE'),
  ],
  ['setRecvBufferSize, 4 GiB', (s) => s.setRecvBufferSize(0xffffffff), same('done')],
  ['getRecvBufferSize', (s) => s.getRecvBufferSize(), same('done')],
  ['ref', (s) => s.ref(), same('done', 'done')],
  ['unref', (s) => s.unref(), same('done', 'done')],
  ['close', (s) => s.close(), same('done')],
];

t.test('every call on every state → Node’s error or none, and the socket comes back', async (t) => {
  const world = twoNets(t);
  const { client } = world;
  const states: Record<keyof State, () => Promise<DatagramSocket>> = {
    fresh: async () => client.createSocket('udp4'),
    bound: async () => client.createSocket('udp4').bind(0, CLIENT),
    connected: async () => {
      const socket = client.createSocket('udp4');
      socket.connect(9, SERVER);
      await once(socket, 'connect');
      return socket;
    },
    closed: async () => {
      const socket = client.createSocket('udp4').bind(0, CLIENT);
      socket.close();
      await once(socket, 'close');
      return socket;
    },
  };
  for (const [call, run, wanted] of CALLS) {
    for (const [state, make] of Object.entries(states) as [keyof State, () => Promise<DatagramSocket>][]) {
      const socket = await make();
      socket.on('error', () => {});
      let got = 'done';
      try {
        run(socket);
      } catch (error) {
        const { code, syscall } = error as NodeJS.ErrnoException;
        got = syscall === undefined ? `${code}` : `${code} ${syscall}`;
      }
      t.equal(got, wanted[state], `${call}, ${state}`);
      try {
        socket.close();
      } catch {
        // Closed already.
      }
    }
  }
  t.equal([...client.host.stack.udp.sockets()].length, 0, 'every socket is given back');
});

t.test('broadcast and multicast → Linux’s code, with a route and without', async (t) => {
  const { client } = await pair(t as Test);
  const answer = async (address: string): Promise<unknown> =>
    new Promise((resolve) =>
      client.send('x', 9, address, (error: NodeJS.ErrnoException | null) => resolve(error?.code)),
    );
  t.equal(await answer('10.0.0.255'), 'EACCES');
  t.equal(await answer('10.9.9.255'), 'ENETUNREACH');
  client.setBroadcast(true);
  t.equal(await answer('10.0.0.255'), undefined);
});
