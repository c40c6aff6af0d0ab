import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type net from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import type t from 'tap';

export type Test = typeof t;

/** Sockets under test: those of the kernel, or ours. */
export interface SocketWorld {
  createServer(options?: net.ServerOpts): Server;
  connect(options: net.TcpNetConnectOpts & net.SocketConstructorOpts): Socket;
  /** As `connect`, from the machine of the servers. */
  connectHome(options: net.TcpNetConnectOpts & net.SocketConstructorOpts): Socket;
  /** Where servers listen. */
  readonly serverAddress: string;
  /** Where clients come from. */
  readonly clientAddress: string;
  /** An address of nobody's, from which no socket can be opened. */
  readonly foreignAddress: string;
  readonly native: boolean;
}
export const TRANSFER_BYTES = 50_000_000;

export type MakeWorld = (t: Test) => SocketWorld | Promise<SocketWorld>;

/** A test of a contract: `name` says whose sockets, and each test has a world of its own. */
export function contractTest(t: Test, name: string, makeWorld: MakeWorld) {
  return (title: string, body: (t: Test, world: SocketWorld) => Promise<void>): void => {
    t.test(`${name}: ${title}`, async (t) => body(t as Test, await makeWorld(t as Test)));
  };
}

export async function listening(t: Test, world: SocketWorld, options: net.ServerOpts = {}): Promise<Server> {
  const server = world.createServer(options);
  server.listen(0, world.serverAddress);
  await once(server, 'listening');
  t.teardown(() => {
    if (server.listening) server.close();
  });
  return server;
}

export async function pair(
  t: Test,
  world: SocketWorld,
  options: net.ServerOpts = {},
  atOnce: (client: Socket) => void = () => {},
  clientOptions: Partial<net.TcpNetConnectOpts & net.SocketConstructorOpts> = {},
): Promise<{ server: Server; client: Socket; accepted: Socket }> {
  const server = await listening(t, world, options);
  const { port } = server.address() as AddressInfo;
  const client = world.connect({ host: world.serverAddress, port, ...clientOptions });
  t.teardown(() => client.destroy());
  atOnce(client);
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(client, 'connect')])) as [[Socket], []];
  t.teardown(() => accepted.destroy());
  return { server, client, accepted };
}

/** `close`, whether an `error` comes before it or not. */
export function closeOf(socket: Socket): Promise<[hadError: boolean]> {
  return new Promise((resolve) => {
    socket.once('close', (hadError) => resolve([hadError]));
  });
}

export async function collect(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.resume();
  await once(socket, 'end');
  return Buffer.concat(chunks);
}

export async function closed(...sockets: Socket[]): Promise<void> {
  await Promise.all(
    sockets.map(async (socket) => {
      if (socket.closed) return;
      const event = closeOf(socket);
      if (!socket.writableEnded) socket.end();
      socket.resume();
      await event;
    }),
  );
}

/** Sends the transfer in chunks of odd sizes, waiting for drain as a program should; the hash of what was sent. */
export async function send(socket: Socket, seed: number): Promise<string> {
  const hash = createHash('sha256');
  let left = TRANSFER_BYTES;
  let state = seed;
  while (left > 0) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    const chunk = Buffer.alloc(Math.min(left, 1 + (state % 150_000)), state & 0xff);
    hash.update(chunk);
    left -= chunk.length;
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  return hash.digest('hex');
}

export async function receive(socket: Socket, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  let got = 0;
  let chunks = 0;
  await new Promise<void>((resolve) => {
    socket.on('data', (chunk: Buffer) => {
      hash.update(chunk);
      got += chunk.length;
      chunks += 1;
      if (got >= bytes) resolve();
      if (chunks % 50 !== 0) return;
      socket.pause();
      setImmediate(() => socket.resume());
    });
  });
  return hash.digest('hex');
}

/** Whether `drain` comes before the event loop has come to rest: the writer is not held. */
export async function drainsSoon(socket: Socket): Promise<boolean> {
  let drained = false;
  const listener = (): void => {
    drained = true;
  };
  socket.once('drain', listener);
  for (let i = 0; i < 200 && !drained; i++) await new Promise(setImmediate);
  socket.off('drain', listener);
  return drained;
}

/** So many passes of the event loop: by then what both ends had to say to each other has arrived. */
export async function passes(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate);
}

export function writeError(socket: Socket): Promise<Error | null | undefined> {
  return new Promise((resolve) => socket.write('x', resolve));
}

export function connections(server: Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

/** Counts uncaught exceptions, taken from whoever else listens for them, until `stop`. */
export function countUncaught(): { readonly count: number; stop(): void } {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  let count = 0;
  const listener = (): void => {
    count += 1;
  };
  process.on('uncaughtException', listener);
  return {
    get count() {
      return count;
    },
    stop: () => {
      process.off('uncaughtException', listener);
      for (const other of others) process.on('uncaughtException', other);
    },
  };
}

/** The next uncaught exception, taken from whoever else listens for them. */
export function uncaught(): Promise<unknown> {
  const others = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  return new Promise((resolve) => {
    process.once('uncaughtException', (error) => {
      for (const listener of others) process.on('uncaughtException', listener);
      resolve(error);
    });
  });
}
