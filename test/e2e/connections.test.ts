import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net from 'node:net';
import t from 'tap';
import { enterNetwork, type Peer, run, startPeer, within } from './network.js';
import { type Counts, Port } from './peer-protocol.js';

const skip = enterNetwork('ip', 'curl');

/** Everything a socket of the kernel received until the end, and the code it ended with. */
async function gather(socket: net.Socket): Promise<{ bytes: Buffer; code: string }> {
  const parts: Buffer[] = [];
  let code = '';
  socket.on('data', (bytes: Buffer) => parts.push(bytes));
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code ?? error.message;
  });
  await within('the end of a connection', new Promise<void>((resolve) => socket.once('close', () => resolve())));
  return { bytes: Buffer.concat(parts), code };
}

/** Asks until it is so; each question is a turn of the peer's event loop and more. */
async function countsWhen(peer: Peer, isSo: (counts: Counts) => boolean): Promise<Counts> {
  const until = Date.now() + 10_000;
  let counts = await peer.call('counts', null);
  while (!isSo(counts) && Date.now() < until) counts = await peer.call('counts', null);
  return counts;
}

/** Nothing of any connection is left but TIME-WAIT. */
function settled(peer: Peer): Promise<Counts> {
  return countsWhen(peer, ({ connections, halfOpen, chunksUsed }) => connections + halfOpen + chunksUsed === 0);
}

t.test('500 connections at once, each with its own bytes → each gets back its own', { skip }, async (t) => {
  const peer = await startPeer(t);
  const count = 500;
  const sockets = Array.from({ length: count }, () => net.connect(Port.ECHO, peer.address));
  await within('500 connections', Promise.all(sockets.map((socket) => once(socket, 'connect'))));
  // All stand before any is used; the kernel's last ACKs may still be on their way.
  const counts = await countsWhen(peer, ({ connections }) => connections === count);
  t.equal(counts.connections, count);
  const results = await Promise.all(
    sockets.map(async (socket) => {
      const sent = randomBytes(20_000);
      const gathered = gather(socket);
      socket.end(sent);
      const { bytes, code } = await gathered;
      return code === '' && bytes.equals(sent);
    }),
  );
  t.equal(results.filter((good) => good).length, count);
  const after = await settled(peer);
  t.equal(after.connections, 0);
  t.equal(after.chunksUsed, 0);
});

t.test('client closes its side, server answers afterwards → the whole answer, then the end', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect({ port: Port.ANSWER_AFTER_END, host: peer.address, allowHalfOpen: true });
  const sent = randomBytes(500_000);
  const gathered = gather(socket);
  socket.end(sent);
  const { bytes, code } = await gathered;
  t.equal(code, '');
  t.ok(bytes.equals(Buffer.from(sent).reverse()));
});

t.test('kernel resets (SO_LINGER 0) → ECONNRESET on our side', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect(Port.WATCHED, peer.address);
  socket.write('something');
  await within('the echo', once(socket, 'data'));
  socket.resetAndDestroy();
  t.same(await peer.event('closed'), { event: 'closed', code: 'ECONNRESET' });
  t.equal((await settled(peer)).connections, 0);
});

t.test('kernel closes in order → no error on our side', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect(Port.WATCHED, peer.address);
  socket.end('something');
  t.equal((await gather(socket)).bytes.toString(), 'something');
  t.same(await peer.event('closed'), { event: 'closed', code: '' });
});

t.test('we abort → ECONNRESET at the kernel', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect(Port.ABORT, peer.address, () => socket.write('something'));
  t.equal((await gather(socket)).code, 'ECONNRESET');
  t.equal((await settled(peer)).connections, 0);
});

t.test('nobody listens → the kernel is refused at once, curl says 7', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect(Port.CLOSED, peer.address);
  t.equal((await gather(socket)).code, 'ECONNREFUSED');
  const curl = await run('curl', ['-sS', `http://${peer.address}:${Port.CLOSED}/`]);
  t.equal(curl.status, 7);
});

t.test('two addresses on one interface → connections to both, each from where it was called', { skip }, async (t) => {
  const peer = await startPeer(t);
  await peer.call('addAddress', { address: peer.secondAddress });
  for (const address of [peer.address, peer.secondAddress]) {
    const socket = net.connect(Port.ECHO, address);
    socket.end(address);
    const { bytes, code } = await gather(socket);
    t.same([bytes.toString(), code], [address, '']);
  }
});

t.test('10,000 connections opened, used and closed → nothing of them is left but TIME-WAIT', { skip }, async (t) => {
  const peer = await startPeer(t);
  const count = 10_000;
  const atOnce = 50;
  let started = 0;
  let good = 0;
  const worker = async (): Promise<void> => {
    while (started < count) {
      started += 1;
      const text = `connection ${started}`;
      const socket = net.connect(Port.ECHO, peer.address);
      const gathered = gather(socket);
      socket.end(text);
      const { bytes, code } = await gathered;
      if (code === '' && bytes.toString() === text) good += 1;
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  t.equal(good, count);
  const counts = await settled(peer);
  t.match(counts, { connections: 0, active: 0, halfOpen: 0, chunksUsed: 0 });
  // The answer to this question came with no frame under way.
  t.ok(counts.slotsUsed <= 64, `${counts.slotsUsed} frame slots in use`);
  t.equal(counts.stats.tcpPassiveOpens, count);
  t.equal(counts.stats.tcpCurrEstab, 0);
});

t.test('key by key on 20 connections → every echo before the next key', { skip }, async (t) => {
  const peer = await startPeer(t);
  const session = async (n: number): Promise<string> => {
    const socket = net.connect({ port: Port.ECHO, host: peer.address, noDelay: true });
    await once(socket, 'connect');
    let screen = '';
    for (const key of `session ${n}: ls -l /tmp\r`) {
      const echoed = once(socket, 'data');
      socket.write(key);
      const [bytes] = (await within('the echo of a key', echoed)) as [Buffer];
      screen += bytes.toString();
    }
    socket.destroy();
    return screen;
  };
  const screens = await Promise.all(Array.from({ length: 20 }, (_, n) => session(n)));
  t.same(
    screens,
    Array.from({ length: 20 }, (_, n) => `session ${n}: ls -l /tmp\r`),
  );
});

t.test('a reader that stops reading, then goes on → our sender waits, and every byte arrives', { skip }, async (t) => {
  const peer = await startPeer(t);
  const socket = net.connect(Port.ECHO, peer.address);
  await once(socket, 'connect');
  // More than both kernels' and our buffers hold, so that windows close in both directions.
  const sent = randomBytes(48 * 2 ** 20);
  const parts: Buffer[] = [];
  let more = socket.write(sent.subarray(0, 2 ** 20));
  let at = 2 ** 20;
  const stuck = async (): Promise<boolean> => {
    // Not read: the echo fills our send buffer, then our receive buffer, then the kernel's send buffer.
    while (at < sent.length) {
      if (!more) {
        const drained = await Promise.race([
          once(socket, 'drain').then(() => true),
          peer.call('counts', null).then(async (a) => (await quiet(peer, a)) && false),
        ]);
        if (!drained) return true;
      }
      more = socket.write(sent.subarray(at, at + 2 ** 20));
      at += 2 ** 20;
    }
    return false;
  };
  t.ok(await stuck(), 'the sender is held back');
  const gathered = within('the rest', new Promise<void>((resolve) => socket.once('close', () => resolve())));
  socket.on('data', (bytes: Buffer) => parts.push(bytes));
  if (at < sent.length) socket.write(sent.subarray(at));
  socket.end();
  await gathered;
  t.ok(Buffer.concat(parts).equals(sent));
  t.equal((await settled(peer)).chunksUsed, 0);
});

/** Until two looks in a row see the same number of data segments: nothing moves any more. */
async function quiet(peer: Peer, first: Counts): Promise<true> {
  let before = first;
  for (let same = 0; same < 50; ) {
    const now = await peer.call('counts', null);
    same = now.stats.tcpInSegs === before.stats.tcpInSegs ? same + 1 : 0;
    before = now;
  }
  return true;
}
