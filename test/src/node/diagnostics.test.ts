import dgram from 'node:dgram';
import { channel } from 'node:diagnostics_channel';
import { once } from 'node:events';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import t from 'tap';
import { SERVER, twoNets } from './worlds.js';

const NAMES = [
  'net.client.socket',
  'net.server.socket',
  'tracing:net.server.listen:asyncStart',
  'tracing:net.server.listen:asyncEnd',
  'tracing:net.server.listen:error',
  'udp.socket',
];

/** What is published until the returned function is called, with what the program sees of it at that moment. */
function published(): () => string[] {
  const heard: string[] = [];
  const listeners = NAMES.map((name) => {
    const listener = (message: unknown): void => {
      const { socket, error, options } = message as {
        socket?: { connecting?: boolean };
        error?: { code?: string };
        options?: unknown;
      };
      const state = socket?.connecting === true ? ' connecting' : '';
      heard.push(
        `${name}${state}${error === undefined ? '' : ` ${error.code}`}${options === undefined ? '' : ' options'}`,
      );
    };
    channel(name).subscribe(listener);
    return { name, listener };
  });
  return () => {
    for (const { name, listener } of listeners) channel(name).unsubscribe(listener);
    return heard;
  };
}

interface Kind {
  createServer(): net.Server;
  connect(port: number): net.Socket;
  address: string;
}

async function messages(kind: Kind): Promise<string[]> {
  const stop = published();
  const server = kind.createServer();
  server.on('connection', (socket) => socket.resume());
  server.listen(0, kind.address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  for (let i = 0; i < 2; i++) {
    const client = kind.connect(port);
    await once(client, 'connect');
    client.end();
    await once(client.resume(), 'close');
  }
  const second = kind.createServer();
  second.listen(port, kind.address);
  await once(second, 'error');
  server.close();
  await once(server, 'close');
  return stop();
}

t.test(
  'connections, servers and failures → published as Node publishes its own, natively and on plain streams',
  async (t) => {
    const kernel = await messages({
      createServer: () => net.createServer(),
      connect: (port) => net.connect(port, '127.0.0.1'),
      address: '127.0.0.1',
    });
    t.ok(kernel.length >= 8, kernel.join(', '));
    for (const plainStreams of [false, true]) {
      const world = twoNets(t, { plainStreams });
      const ours = await messages({
        createServer: () => world.server.createServer(),
        connect: (port) => world.client.connect(port, SERVER),
        address: SERVER,
      });
      t.same(ours, kernel, plainStreams ? 'plain' : 'native');
    }
  },
);

t.test('an HTTP request through the agent → its socket is published once', async (t) => {
  const world = twoNets(t);
  const server = world.server.attach(http.createServer((_request, response) => response.end('x')));
  server.listen(80, SERVER);
  await once(server, 'listening');
  const stop = published();
  const agent = world.client.agent();
  const request = http.get({ host: SERVER, agent });
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  await once(response.resume(), 'end');
  t.equal(stop().filter((name) => name.startsWith('net.client.socket')).length, 1);
  agent.destroy();
  server.close();
});

t.test('an address to listen on that is none → the failure is published', async (t) => {
  const world = twoNets(t);
  const stop = published();
  const server = world.server.createServer().listen(80, '2001:db8::1');
  await once(server, 'error');
  t.match(stop(), [/asyncStart options/, /error/]);
});

t.test('a UDP socket → published', async (t) => {
  const world = twoNets(t);
  const stop = published();
  dgram.createSocket('udp4').close();
  world.client.createSocket('udp4').close();
  t.same(stop(), ['udp.socket', 'udp.socket']);
});
