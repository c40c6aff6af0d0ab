import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import {
  closed,
  closeOf,
  collect,
  contractTest,
  drainsSoon,
  listening,
  type MakeWorld,
  pair,
  receive,
  send,
  type Test,
  TRANSFER_BYTES,
  uncaught,
  writeError,
} from './socket-steps.js';

/**
 * What a program may rely on from stream sockets, whatever they run on. The suite is run on the kernel's sockets first, so
 * that it says what Node does and not what we think it does; then on ours.
 */
export function socketContract(t: Test, name: string, makeWorld: MakeWorld): void {
  const test = contractTest(t, name, makeWorld);

  test('connected → addresses, ports and states on both sides', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    t.same(server.address(), { address: world.serverAddress, family: 'IPv4', port });
    const client = world.connect({ host: world.serverAddress, port });
    t.equal(client.connecting, true);
    t.equal(client.pending, true);
    t.equal(client.readyState, 'opening');
    const [accepted] = (await Promise.all([once(server, 'connection'), once(client, 'ready')]))[0] as [Socket];
    t.equal(client.connecting, false);
    t.equal(client.readyState, 'open');
    t.match(client, { remoteAddress: world.serverAddress, remotePort: port, remoteFamily: 'IPv4' });
    t.match(accepted, { localAddress: world.serverAddress, localPort: port, remoteAddress: world.clientAddress });
    t.equal(accepted.remotePort, client.localPort);
    t.same(client.address(), { address: world.clientAddress, family: 'IPv4', port: client.localPort });
    await closed(client, accepted);
    t.equal(client.readyState, 'closed');
    t.equal(client.destroyed, true);
  });

  test('written before the connection stands, in every encoding and corked → arrives in order', async (t, world) => {
    const { client, accepted } = await pair(t, world, {}, (client) => {
      client.write('é');
      client.write('é', 'latin1');
      client.write('é', 'utf16le');
      client.write('00ff', 'hex');
      client.cork();
      client.write('corked ');
      client.write(Buffer.from('togeth'));
      client.write(new Uint8Array([0x65, 0x72]));
      client.uncork();
    });
    client.end('ß'.repeat(100_000));
    const got = await collect(accepted);
    const expected = Buffer.concat([
      Buffer.from('é'),
      Buffer.from('é', 'latin1'),
      Buffer.from('é', 'utf16le'),
      Buffer.from('00ffcorked together'.slice(0, 4), 'hex'),
      Buffer.from('corked together'),
      Buffer.from('ß'.repeat(100_000)),
    ]);
    t.ok(got.equals(expected));
    t.equal(client.bytesWritten, expected.length);
    t.equal(accepted.bytesRead, expected.length);
    await closed(client, accepted);
    t.equal(client.bytesWritten, expected.length, 'and is known after the close');
  });

  test('50 MB each way at once, readers that pause → every byte, in order', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    const sums = await Promise.all([
      send(client, 1),
      send(accepted, 2),
      receive(client, TRANSFER_BYTES),
      receive(accepted, TRANSFER_BYTES),
    ]);
    t.equal(sums[2], sums[1]);
    t.equal(sums[3], sums[0]);
    t.equal(client.bytesRead, TRANSFER_BYTES);
    await closed(client, accepted);
  });

  test('corked strings and bytes, more than is taken at once → every byte, in order, and counted', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
    const [umlauts, latin, hex, raw] = [
      'ä'.repeat(5000),
      'é'.repeat(100_000),
      '00ff'.repeat(4000),
      Buffer.alloc(70_000, 5),
    ];
    for (let i = 0; i < 40; i++) {
      client.cork();
      client.write(umlauts, i % 2 === 0 ? 'utf8' : 'utf-8');
      client.write(latin.slice(0, i * 2000), i % 2 === 0 ? 'latin1' : 'binary');
      client.write(hex, 'hex');
      client.write(raw);
      client.write(umlauts.slice(0, 100 * i), 'utf16le');
      client.uncork();
      // One by one as well, behind what waits.
      client.write(umlauts);
    }
    client.end();
    const expected = Buffer.concat(
      Array.from({ length: 40 }, (_, i) => [
        Buffer.from(umlauts),
        Buffer.from(latin.slice(0, i * 2000), 'latin1'),
        Buffer.from(hex, 'hex'),
        raw,
        Buffer.from(umlauts.slice(0, 100 * i), 'utf16le'),
        Buffer.from(umlauts),
      ]).flat(),
    );
    t.ok(client.writableLength > 0, 'not all was taken at once');
    t.ok((await collect(accepted)).equals(expected));
    t.equal(client.bytesWritten, expected.length);
    await closed(client, accepted);
  });

  test('strings that wait, and strings of another connection meanwhile → each connection has its own', async (t, world) => {
    const { server, client, accepted } = await pair(t, world, { pauseOnConnect: true });
    const { port } = server.address() as AddressInfo;
    const coming = once(server, 'connection');
    const other = world.connect({ host: world.serverAddress, port });
    const [[otherAccepted]] = (await Promise.all([coming, once(other, 'connect')])) as [[Socket], []];
    t.teardown(() => [other, otherAccepted].map((socket) => socket.destroy()));
    const [mine, its] = ['a'.repeat(5000), 'b'.repeat(5000)];
    let written = 0;
    // Until a string is taken in part, and its rest waits.
    while (client.write(mine) || client.writableLength === 0) written += 1;
    written += 1;
    other.write(its);
    client.end();
    t.equal((await collect(accepted)).toString(), mine.repeat(written));
    other.end();
    t.equal((await collect(otherAccepted)).toString(), its);
    await closed(client, accepted);
  });

  test('the reader does not read → the writer is held; the reader reads → it goes on', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
    const chunk = Buffer.alloc(1 << 20, 7);
    let drained = 0;
    client.on('drain', () => {
      drained += 1;
    });
    let written = 0;
    // Buffers on both sides are bounded: a writer nobody reads from is stopped long before this.
    while (written < 64) {
      written += 1;
      if (!client.write(chunk) && !(await drainsSoon(client))) break;
    }
    t.ok(written < 64, `held after ${written} MiB`);
    t.ok(client.writableLength > 0);
    const before = drained;
    client.end();
    const got = await collect(accepted);
    t.equal(got.length, written << 20);
    t.ok(drained >= before);
    await closed(client, accepted);
  });

  test('half-close: one side ends, the other goes on sending → both get everything', async (t, world) => {
    const { client, accepted } = await pair(t, world, { allowHalfOpen: true }, undefined, { allowHalfOpen: true });
    client.end('question');
    t.equal((await collect(accepted)).toString(), 'question');
    t.equal(accepted.writable, true);
    t.equal(accepted.readyState, 'writeOnly');
    accepted.write('x'.repeat(1_000_000));
    accepted.end('answer');
    const got = await collect(client);
    t.equal(got.length, 1_000_006);
    await closed(client, accepted);
  });

  test('half-open not allowed, the peer ends → this side ends by itself, without error', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    const closes = Promise.all([closeOf(client), closeOf(accepted)]);
    client.resume();
    accepted.resume();
    accepted.end('bye');
    t.same(await closes, [[false], [false]]);
  });

  test('written after the peer has ended → EPIPE', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    client.resume();
    accepted.end();
    await once(client, 'end');
    client.on('error', () => {});
    // The socket ends its own half by itself; a program that writes now did not listen.
    t.match(await writeError(client), { code: 'EPIPE' });
  });

  test('resetAndDestroy → the peer gets ECONNRESET from its read', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    const failed = once(client, 'error');
    const ended = closeOf(client);
    client.resume();
    const own = closeOf(accepted);
    accepted.resetAndDestroy();
    const [error] = await failed;
    t.match(error, { code: 'ECONNRESET', syscall: 'read', message: 'read ECONNRESET' });
    t.equal(typeof error.errno, 'number');
    t.same(await ended, [true]);
    t.same(await own, [false]);
  });

  test('reset while a write waits → the error comes once, every callback is called', async (t, world) => {
    const { client, accepted } = await pair(t, world, { pauseOnConnect: true });
    let callbacks = 0;
    const errors: NodeJS.ErrnoException[] = [];
    client.on('error', (error) => errors.push(error));
    const writes = 40;
    for (let i = 0; i < writes; i++) client.write(Buffer.alloc(1 << 20), () => (callbacks += 1));
    await drainsSoon(client);
    accepted.resetAndDestroy();
    await closeOf(client);
    await new Promise(setImmediate);
    t.equal(errors.length, 1);
    t.match(errors[0], { code: /ECONNRESET|EPIPE/ });
    t.equal(callbacks, writes);
  });

  test('nobody listens → ECONNREFUSED with syscall, address and port', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    const client = world.connect({ host: world.serverAddress, port });
    const ended = closeOf(client);
    const [error] = await once(client, 'error');
    t.match(error, {
      code: 'ECONNREFUSED',
      syscall: 'connect',
      address: world.serverAddress,
      port,
      message: `connect ECONNREFUSED ${world.serverAddress}:${port}`,
    });
    t.equal(typeof error.errno, 'number');
    t.same(await ended, [true]);
    t.equal(client.connecting, false);
  });

  test('from an address that is not ours → EADDRNOTAVAIL', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    const client = world.connect({ host: world.serverAddress, port, localAddress: world.foreignAddress });
    const [error] = await once(client, 'error');
    t.match(error, { code: 'EADDRNOTAVAIL' });
  });

  test('from a port of the program’s choice → that port', async (t, world) => {
    const { client, accepted } = await pair(t, world, {}, undefined, {
      localPort: 23_456,
      localAddress: world.clientAddress,
    });
    t.equal(client.localPort, 23_456);
    t.equal(accepted.remotePort, 23_456);
    accepted.resetAndDestroy();
    await once(client.resume(), 'error');
  });

  test('destroyed while connecting → closed without an error, and the server lives', async (t, world) => {
    const server = await listening(t, world);
    server.on('connection', (socket) => socket.on('error', () => {}).resume());
    const { port } = server.address() as AddressInfo;
    const client = world.connect({ host: world.serverAddress, port });
    client.on('connect', () => t.fail('it must not connect any more'));
    client.destroy();
    t.same(await closeOf(client), [false]);
    const begun = world.connect({ host: world.serverAddress, port });
    process.nextTick(() => begun.destroy());
    t.same(await closeOf(begun), [false]);
    const after = world.connect({ host: world.serverAddress, port });
    await once(after, 'connect');
    after.end();
    await once(after.resume(), 'close');
  });

  test('aborted by a signal → AbortError', async (t, world) => {
    const { client, accepted } = await pair(t, world, {}, undefined, { signal: AbortSignal.abort() }).catch(
      (error: unknown) => ({ client: null, accepted: error as Error }),
    );
    t.equal(client, null);
    t.match(accepted, { name: 'AbortError' });
  });

  test('nothing happens for the time set → timeout; activity puts it off', async (t, world) => {
    const { client, accepted } = await pair(t, world);
    t.equal(client.setTimeout(30), client);
    await once(client, 'timeout');
    t.equal(client.timeout, 30);
    t.equal(client.destroyed, false, 'it is only told');
    client.setTimeout(0);
    client.end();
    accepted.resume();
    await closed(client, accepted);
  });

  test('server.close → no more connections; close comes after the last of those that stand', async (t, world) => {
    const { server, client, accepted } = await pair(t, world);
    const { port } = server.address() as AddressInfo;
    let done = false;
    const ended = once(server, 'close').then(() => {
      done = true;
    });
    server.close();
    t.equal(server.listening, false);
    t.equal(server.address(), null);
    const late = world.connect({ host: world.serverAddress, port });
    t.match((await once(late, 'error'))[0], { code: 'ECONNREFUSED' });
    t.equal(done, false);
    client.write('still here');
    t.equal((await once(accepted, 'data'))[0].toString(), 'still here');
    await closed(client, accepted);
    await ended;
    await t.rejects(
      new Promise((resolve, reject) => server.close((error) => (error ? reject(error) : resolve(null)))),
      {
        code: 'ERR_SERVER_NOT_RUNNING',
      },
    );
  });

  test('the port is taken → EADDRINUSE from listen; a bad port → RangeError; twice → ERR_SERVER_ALREADY_LISTEN', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    const second = world.createServer();
    second.listen(port, world.serverAddress);
    const [error] = await once(second, 'error');
    t.match(error, {
      code: 'EADDRINUSE',
      syscall: 'listen',
      address: world.serverAddress,
      port,
      message: `listen EADDRINUSE: address already in use ${world.serverAddress}:${port}`,
    });
    t.equal(second.listening, false);
    t.throws(() => second.listen(65_536, world.serverAddress), { name: 'RangeError', code: 'ERR_SOCKET_BAD_PORT' });
    t.throws(() => server.listen(0, world.serverAddress), { code: 'ERR_SERVER_ALREADY_LISTEN' });
    t.throws(() => world.connect({ host: world.serverAddress, port: -1 }), { code: 'ERR_SOCKET_BAD_PORT' });
  });

  test('listening comes later, not from within listen; unref and ref can be called at any time', async (t, world) => {
    const server = world.createServer();
    server.unref();
    let told = false;
    server.listen({ port: 0, host: world.serverAddress, backlog: 5 }, () => {
      told = true;
    });
    t.equal(told, false);
    await once(server, 'listening');
    t.equal(told, true);
    t.equal(server.ref(), server);
    server.close();
    await once(server, 'close');
  });

  test('200 connections at once → each gets its own answer', async (t, world) => {
    const server = await listening(t, world);
    server.on('connection', (socket) => socket.pipe(socket));
    const { port } = server.address() as AddressInfo;
    const answers = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => {
        const client = world.connect({ host: world.serverAddress, port, noDelay: i % 2 === 0, keepAlive: i % 3 === 0 });
        client.end(`hello from ${i}`);
        return (await collect(client)).toString();
      }),
    );
    t.ok(answers.every((answer, i) => answer === `hello from ${i}`));
  });

  test('a listener of the program throws → reported as uncaught, the other connections live', async (t, world) => {
    const server = await listening(t, world);
    const { port } = server.address() as AddressInfo;
    server.on('connection', (socket) => socket.on('error', () => {}).pipe(socket));
    const bad = world.connect({ host: world.serverAddress, port });
    const good = world.connect({ host: world.serverAddress, port });
    await Promise.all([once(bad, 'connect'), once(good, 'connect')]);
    const thrown = new Error('a listener is wrong');
    const caught = uncaught();
    bad.once('data', () => {
      throw thrown;
    });
    bad.write('x');
    t.equal(await caught, thrown);
    good.end('y');
    t.equal((await collect(good)).toString(), 'y');
    bad.destroy();
  });

  test('settings → accepted before and after connecting, and chained', async (t, world) => {
    const { client, accepted } = await pair(
      t,
      world,
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 5000 },
      (socket) => {
        socket.setNoDelay().setKeepAlive(true, 10_000);
      },
    );
    t.equal(client.setNoDelay(false), client);
    t.equal(client.setKeepAlive(true, 60_000), client);
    t.equal(client.setKeepAlive(false), client);
    t.equal(client.unref(), client);
    t.equal(client.ref(), client);
    client.end('still works');
    t.equal((await collect(accepted)).toString(), 'still works');
    await closed(client, accepted);
  });
}
