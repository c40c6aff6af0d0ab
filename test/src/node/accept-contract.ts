import { once } from 'node:events';
import { type AddressInfo, BlockList, Server, type Socket } from 'node:net';
import {
  closed,
  collect,
  connections,
  contractTest,
  listening,
  type MakeWorld,
  pair,
  type Test,
} from './socket-steps.js';

/** Which connections a server lets in, and what their sockets are told. As `socketContract`: the kernel's sockets pass it first. */
export function acceptContract(t: Test, name: string, makeWorld: MakeWorld): void {
  const test = contractTest(t, name, makeWorld);

  test('more than maxConnections → dropped, with their addresses; getConnections counts', async (t, world) => {
    const { server, client, accepted } = await pair(t, world);
    server.maxConnections = 1;
    t.equal(await connections(server), 1);
    const { port } = server.address() as AddressInfo;
    const late = world.connect({ host: world.serverAddress, port });
    late.on('error', () => {});
    const [dropped] = await once(server, 'drop');
    t.match(dropped, { localAddress: world.serverAddress, localPort: port, remoteAddress: world.clientAddress });
    await once(late.resume(), 'close');
    await closed(client, accepted);
    t.equal(await connections(server), 0);
  });

  test('a server that lets nobody in: maxConnections 0, a blockList → the peer’s connection ends', async (t, world) => {
    const [major] = process.versions.node.split('.').map(Number);
    const server = await listening(t, world);
    server.on('connection', (socket: Socket) => socket.end('in'));
    const visit = async (): Promise<string> => {
      const { port } = server.address() as AddressInfo;
      const client = world.connect({ host: world.serverAddress, port });
      client.on('error', () => {});
      return (await collect(client)).toString();
    };
    t.equal(await visit(), 'in');
    server.maxConnections = 0;
    const dropped = major >= 21 ? once(server, 'drop') : null;
    t.equal(await visit(), major >= 21 ? '' : 'in', 'Node 20 takes zero for no limit');
    await dropped;
    server.maxConnections = 100;
    const blockList = new BlockList();
    blockList.addAddress(world.clientAddress);
    Object.assign(server, { blockList });
    const known = Reflect.get(new Server({ blockList } as object), 'blockList') !== undefined;
    t.equal(await visit(), known ? '' : 'in', 'Node 22.13 and newer have it');
    Object.assign(server, { blockList: undefined });
    t.equal(await visit(), 'in');
  });

  test('what a server is told of its sockets → they have it', async (t, world) => {
    const options = {
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: 3000,
      highWaterMark: 1000,
    };
    const { server, client, accepted } = await pair(t, world, { ...options, pauseOnConnect: true });
    t.equal(accepted.allowHalfOpen, true);
    t.equal(accepted.readableHighWaterMark, 1000);
    t.equal(accepted.writableHighWaterMark, 1000);
    t.equal(Reflect.get(accepted, 'server'), server);
    t.equal(accepted.readableFlowing, false);
    client.end('seen');
    t.equal((await collect(accepted)).toString(), 'seen');
    accepted.end();
    await closed(client, accepted);
  });
}
