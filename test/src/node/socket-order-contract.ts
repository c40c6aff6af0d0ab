import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  closed,
  closeOf,
  collect,
  contractTest,
  listening,
  type MakeWorld,
  pair,
  passes,
  type Test,
  uncaught,
} from './socket-steps.js';

/**
 * In which order a program hears of things, and what is still sent when it leaves: what the kernel's sockets do, and programs rely on
 * without knowing it. As `socketContract`, run on the kernel's sockets first.
 */
export function socketOrderContract(t: Test, name: string, makeWorld: MakeWorld): void {
  const test = contractTest(t, name, makeWorld);

  const encodings: (BufferEncoding | undefined)[] = [undefined, 'utf8', 'latin1', 'ascii', 'utf16le', 'hex', 'base64'];
  for (const encoding of encodings) {
    test(`ten writes of 100,000 bytes and the end, ${encoding ?? 'buffers'} → every byte`, async (t, world) => {
      const { client, accepted } = await pair(t, world);
      const expected: Buffer[] = [];
      for (let i = 0; i < 10; i++) {
        const bytes = Buffer.alloc(100_000, 'abcdefgh'.slice(i % 8, (i % 8) + 4));
        expected.push(bytes);
        if (encoding === undefined) client.write(bytes);
        else client.write(bytes.toString(encoding), encoding);
      }
      client.end();
      const got = await collect(accepted);
      t.ok(got.equals(Buffer.concat(expected)), `${got.length} bytes`);
      await closed(client, accepted);
    });
  }

  test('corked writes of buffers and of strings, larger than any buffer, and the end → every byte', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    const expected: Buffer[] = [];
    for (const mixed of [false, true]) {
      client.cork();
      for (let i = 0; i < 20; i++) {
        const bytes = Buffer.alloc(100_001, `${i}`);
        expected.push(bytes);
        if (mixed && i % 2 === 1) client.write(bytes.toString());
        else client.write(bytes);
      }
      client.uncork();
    }
    client.end('last');
    expected.push(Buffer.from('last'));
    t.ok((await collect(accepted)).equals(Buffer.concat(expected)));
    await closed(client, accepted);
  });

  test('a write that waits, then destroy → every callback is called, once; the reader gets a beginning', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
    const answers: unknown[] = [];
    for (let i = 0; i < 3; i++) client.write(Buffer.alloc(8_000_000), (error) => answers.push(error instanceof Error));
    await passes(50);
    client.destroy();
    await closeOf(client);
    await passes(2);
    // Of the first, Node says no error before 22 and an error since.
    t.same(answers.slice(1), [true, true]);
    t.equal(answers.length, 3);
    accepted.on('error', () => {});
    accepted.resume();
    await closeOf(accepted);
    t.ok(accepted.bytesRead > 0 && accepted.bytesRead < 24_000_000);
  });

  test('bytesWritten → counts what was submitted, whether it has been sent or not', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
    client.write(Buffer.alloc(4_000_000));
    t.equal(client.bytesWritten, 4_000_000);
    client.write('é');
    t.equal(client.bytesWritten, 4_000_002);
    await passes(20);
    t.equal(client.bytesWritten, 4_000_002);
    client.end();
    accepted.resume();
    await once(client, 'finish');
    t.equal(client.bytesWritten, 4_000_002);
    await closed(client, accepted);
    t.equal(client.bytesWritten, 4_000_002);
  });

  test('data and the end together → ticks and promises run between them', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true, allowHalfOpen: true });
    const order: string[] = [];
    client.end('abc');
    // Both are there when the reading begins.
    await passes(20);
    accepted.on('data', () => {
      order.push('data');
      process.nextTick(() => order.push('tick'));
      void Promise.resolve().then(() => order.push('promise'));
    });
    accepted.on('end', () => order.push('end'));
    accepted.resume();
    await once(accepted, 'end');
    t.same(order, ['data', 'tick', 'promise', 'end']);
    await closed(client, accepted);
  });

  test('data and a failure together → ticks run between them', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    client.pause();
    const order: string[] = [];
    client.on('data', () => {
      order.push('data');
      process.nextTick(() => order.push('tick'));
    });
    client.on('error', (error: NodeJS.ErrnoException) => order.push(`${error.code}`));
    accepted.write('abc');
    await passes(20);
    accepted.resetAndDestroy();
    client.resume();
    await closeOf(client);
    // Linux throws away what was not read when a RST comes; what was read by then comes first.
    if (order[0] === 'data') t.same(order, ['data', 'tick', 'ECONNRESET']);
    else t.same(order, ['ECONNRESET']);
  });

  test('a POST with its FIN in one go, answered on end → the answer', async (t, world) => {
    const aborted: string[] = [];
    const pages = http.createServer((request, response) => {
      request.resume();
      request.on('aborted', () => aborted.push('aborted'));
      request.on('end', () => response.end('answer'));
    });
    const server = await listening(t, world, { allowHalfOpen: true });
    server.on('connection', (socket) => pages.emit('connection', socket));
    const client = world.connect({ host: world.serverAddress, port: (server.address() as AddressInfo).port });
    client.end('POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc');
    const answer = (await collect(client)).toString();
    t.match(answer, /^HTTP\/1.1 200 OK\r\n/);
    t.ok(answer.endsWith('answer'));
    t.same(aborted, []);
    await closed(client);
  });

  for (const how of ['write', 'end']) {
    test(`last words (${how}), then destroy with bytes unread → they arrive before the reset`, async (t, world) => {
      const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
      accepted.on('error', () => {});
      let got = '';
      client.on('data', (bytes: Buffer) => (got += bytes.toString()));
      client.on('error', () => {});
      client.write('never read');
      await passes(20);
      if (how === 'write') accepted.write('response');
      else accepted.end('response');
      accepted.destroy();
      await closeOf(client);
      t.equal(got, 'response');
    });
  }

  test('the peer has ended and then reset → the end is read, no error; ending is no error either', async (t, world) => {
    const { client, accepted } = await pair(t, world, {}, (client) => client.pause(), { allowHalfOpen: true });
    const ended = once(client, 'end');
    const heard: string[] = [];
    client.on('end', () => heard.push('end'));
    client.on('error', (error) => heard.push(error.message));
    accepted.on('error', () => {});
    accepted.end();
    await once(accepted, 'finish');
    accepted.destroy();
    await passes(20);
    // Answered with a RST.
    client.write('a');
    await passes(20);
    client.resume();
    await ended;
    const closing = closeOf(client);
    client.end();
    await closing;
    t.same(heard, ['end']);
  });

  test('close → after the setImmediate that follows destroy', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    accepted.on('error', () => {}).resume();
    const order: string[] = [];
    client.on('close', () => order.push('close'));
    // From a timer, as from a poll: the immediates of this pass come next.
    await new Promise<void>((resolve) => {
      setTimeout(() => {
        client.destroy();
        setImmediate(() => order.push('immediate'));
        resolve();
      });
    });
    if (order.length < 2) await closeOf(client);
    t.same(order, ['immediate', 'close']);
  });

  test('a listener of close throws → the other sockets are closed all the same', async (t, world) => {
    const first = await pair(t, world);
    const second = await pair(t, world);
    for (const { accepted } of [first, second]) accepted.on('error', () => {}).resume();
    const thrown = new Error('a listener is wrong');
    first.client.on('close', () => {
      throw thrown;
    });
    const caught = uncaught();
    const other = closeOf(second.client);
    first.client.destroy();
    second.client.destroy();
    t.equal(await caught, thrown);
    t.same(await other, [false]);
  });

  for (const kind of ['one buffer', 'a buffer each']) {
    test(`onread with ${kind}, the callback returns false or pauses → no call more until resume`, async (t, world) => {
      const sizes: number[] = [];
      let text = '';
      let client: Socket | undefined;
      const onread = {
        buffer: kind === 'one buffer' ? Buffer.alloc(100) : () => Buffer.alloc(100 + sizes.length),
        callback(bytes: number, buffer: Uint8Array): boolean {
          sizes.push(bytes);
          text += Buffer.from(buffer.subarray(0, bytes)).toString();
          if (sizes.length === 2) client?.pause();
          return sizes.length !== 1;
        },
      };
      const server = await listening(t, world);
      const { port } = server.address() as AddressInfo;
      const accepting = once(server, 'connection') as Promise<[Socket]>;
      client = world.connect({ host: world.serverAddress, port, onread });
      const [accepted] = await accepting;
      const message = 'x'.repeat(999);
      accepted.end(`${message}y`);
      await passes(30);
      t.equal(sizes.length, 1, 'the callback returned false');
      client.resume();
      await passes(30);
      t.equal(sizes.length, 2, 'the callback paused');
      client.resume();
      await once(client, 'end');
      t.equal(text, `${message}y`);
      t.ok(sizes.every((size, i) => size <= 100 + (kind === 'one buffer' ? 0 : i)));
      t.equal(client.bytesRead, 1000);
      await closed(client, accepted);
    });
  }

  test('from the port of a listener → bind EADDRINUSE; from a foreign address → bind EADDRNOTAVAIL', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    const own = world.connectHome({
      host: world.serverAddress,
      port,
      localPort: port,
      localAddress: world.serverAddress,
    });
    t.match((await once(own, 'error'))[0], {
      code: 'EADDRINUSE',
      syscall: 'bind',
      message: `bind EADDRINUSE ${world.serverAddress}:${port}`,
    });
    const foreign = world.connect({ host: world.serverAddress, port, localAddress: world.foreignAddress });
    t.match((await once(foreign, 'error'))[0], {
      code: 'EADDRNOTAVAIL',
      syscall: 'bind',
      message: `bind EADDRNOTAVAIL ${world.foreignAddress}`,
    });
  });

  test('to a broadcast or multicast address → ENETUNREACH', async (t, world) => {
    for (const host of ['255.255.255.255', '224.0.0.1']) {
      const client = world.connect({ host, port: 9 });
      t.match((await once(client, 'error'))[0], { code: 'ENETUNREACH', syscall: 'connect' });
    }
  });

  test('to 0.0.0.0 → this host; a port nobody has → ECONNREFUSED at once', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    const anywhere = world.createServer();
    anywhere.listen(0, '0.0.0.0');
    await once(anywhere, 'listening');
    anywhere.on('connection', (socket) => socket.on('error', () => {}).resume());
    t.teardown(() => anywhere.close());
    const client = world.connectHome({ host: '0.0.0.0', port: (anywhere.address() as AddressInfo).port });
    await once(client, 'connect');
    client.resetAndDestroy();
    server.close();
    await once(server, 'close');
    const refused = world.connectHome({ host: world.serverAddress, port });
    t.match((await once(refused, 'error'))[0], { code: 'ECONNREFUSED', syscall: 'connect' });
  });

  test('written on a socket whose handle is closed → EBADF', async (t, world) => {
    if (!world.native) return;
    const { client, accepted } = await pair(t, world);
    accepted.on('error', () => {}).resume();
    const { _handle: handle } = client as unknown as { _handle: { close(): void } };
    const failed = once(client, 'error');
    handle.close();
    client.write('x');
    t.match((await failed)[0], { code: 'EBADF', syscall: 'write', message: 'write EBADF' });
  });
}
