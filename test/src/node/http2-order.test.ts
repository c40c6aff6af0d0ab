import { once } from 'node:events';
import http2 from 'node:http2';
import net, { type AddressInfo, type Server } from 'node:net';
import t from 'tap';
import { SERVER, twoNets } from './worlds.js';

/**
 * HTTP/2 without TLS sits on the handle inside Node. While one of its writes is not complete, it drops what it has not begun to write of a
 * stream that the program destroys; the kernel's writes are complete at once.
 */
interface Ways {
  attach(server: Server): Server;
  connect(port: number): net.Socket;
  address: string;
}

/** What a client hears of a stream that is answered, written to and destroyed in one go. */
async function heard(ways: Ways): Promise<string[]> {
  const server = http2.createServer();
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => sessions.add(session));
  server.on('stream', (stream) => {
    stream.on('end', () => {
      stream.respond({ ':status': 200 });
      stream.write('foo');
      stream.destroy();
    });
    stream.resume();
  });
  ways.attach(server as unknown as Server).listen(0, ways.address);
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const session = http2.connect(`http://${ways.address}:${port}`, { createConnection: () => ways.connect(port) });
  const request = session.request({ ':method': 'POST' });
  const events: string[] = [];
  for (const name of ['response', 'data', 'end', 'error']) request.on(name, () => events.push(name));
  request.end('hi');
  await new Promise((resolve) => request.once('close', resolve));
  session.destroy();
  for (const one of sessions) one.destroy();
  server.close();
  return events;
}

t.test(
  'answered, written to and destroyed in one go → the client hears of the answer, as over the kernel',
  async (t) => {
    const kernel = await heard({
      attach: (server) => server,
      connect: (port) => net.connect(port, '127.0.0.1'),
      address: '127.0.0.1',
    });
    const world = twoNets(t);
    const ours = await heard({
      attach: (server) => world.server.attach(server),
      connect: (port) => world.client.connect(port, SERVER),
      address: SERVER,
    });
    t.same(kernel, ['response', 'data', 'end']);
    // Between two hosts of one process Node runs no ticks while frames are read, so that bytes may be reported before the answer they belong to.
    t.same(ours.sort(), kernel.sort());
  },
);
