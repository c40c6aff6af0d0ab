import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { createWire } from '../../../drivers/loopback.js';
import { Host } from '../../../src/host/host.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { Stack } from '../../../stack/stack.js';
import { at, CLIENT, SERVER } from './worlds.js';

/**
 * A program of its own for `exit.test.ts`: it prints what it has done and ends by itself, or does not. Arguments: the sockets (kernel,
 * native, plain) and what to do.
 */
const [kind, what] = process.argv.slice(2);

interface Sockets {
  createServer(): net.Server;
  connect(port: number): Socket;
  address: string;
}

function sockets(): Sockets {
  if (kind === 'kernel') {
    return {
      createServer: () => net.createServer(),
      connect: (port) => net.connect(port, '127.0.0.1'),
      address: '127.0.0.1',
    };
  }
  const nets = createWire().map((device, i) => {
    const stack = new Stack({ seed: i + 1, tcp: { connectionsMax: 64, activeMax: 64 } });
    const host = new Host({ stack });
    host.attach(device, { addresses: [at(stack, i === 0 ? SERVER : CLIENT)] });
    host.start();
    host.unref();
    return new NodeNet(host, { plainStreams: kind === 'plain' });
  });
  return {
    createServer: () => nets[0].createServer(),
    connect: (port) => nets[1].connect(port, SERVER),
    address: SERVER,
  };
}

const { createServer, connect, address } = sockets();
const server = createServer().listen(0, address);
await once(server, 'listening');
const accepting = once(server, 'connection') as Promise<[Socket]>;
const client = connect((server.address() as AddressInfo).port);
await once(client, 'connect');
const [accepted] = await accepting;
process.on('exit', () => console.log('exit'));

switch (what) {
  case 'both ended, nobody reads':
    accepted.end();
    client.write('x');
    client.on('end', () => server.close());
    break;
  case 'paused':
    client.pause();
    accepted.pause();
    // Reading stops when more comes than a stream keeps for nobody; the rest stays in the buffers below, and no write waits.
    client.write(Buffer.alloc(100_000));
    accepted.write(Buffer.alloc(100_000));
    server.close();
    break;
  case 'unref':
    client.unref();
    accepted.unref();
    server.close();
    break;
  case 'reads':
    server.close();
    // Ends the process, which would not end by itself: both ends still read.
    setTimeout(() => {
      console.log('alive');
      process.exit();
    }, 300).unref();
    break;
  case 'writes, unref':
    client.unref();
    accepted.unref();
    accepted.pause();
    client.on('error', () => {});
    // More than both buffers hold: the write goes on, and is what keeps the process alive.
    client.write(Buffer.alloc(30_000_000), () => console.log('written'));
    server.close();
    setTimeout(() => accepted.resume(), 100).unref();
    break;
  default:
    throw new Error(`what is ${what}?`);
}
