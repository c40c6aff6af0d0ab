import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { stat } from 'node:fs/promises';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import path from 'node:path';
import t from 'tap';
import type { CutShort } from '../../../src/apps/delivery.js';
import { generateBytes } from '../../../src/apps/generated-bytes.js';
import { createPageServer } from '../../../src/apps/page-server.js';

// What it answers does not depend on what it runs on: here, the kernel's loopback.

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
}

async function ask(server: http.Server, options: http.RequestOptions, body?: Buffer): Promise<Answer> {
  const { port } = server.address() as AddressInfo;
  const request = http.request({ host: '127.0.0.1', port, agent: false, ...options });
  request.end(body);
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) };
}

async function listening(t: Tap, server: http.Server): Promise<http.Server> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return server;
}
type Tap = Pick<typeof t, 'teardown' | 'testdir'>;

const DATA = randomBytes(200_000);

async function site(t: Tap): Promise<http.Server> {
  const base = t.testdir({ secret: 'not for you', site: { 'a b.txt': 'spaced', sub: {}, empty: '' } });
  const root = path.join(base, 'site');
  writeFileSync(path.join(root, 'data.bin'), DATA);
  writeFileSync(path.join(root, '.hidden'), 'x');
  mkdirSync(path.join(root, 'with-index'));
  writeFileSync(path.join(root, 'with-index', 'index.html'), '<p>home</p>');
  writeFileSync(path.join(root, '<evil> & "co".html'), 'x');
  utimesSync(path.join(root, 'data.bin'), 1_700_000_000, 1_700_000_000);
  symlinkSync(path.join(base, 'secret'), path.join(root, 'link-out'));
  symlinkSync('data.bin', path.join(root, 'link-in'));
  symlinkSync(base, path.join(root, 'sub', 'up'));
  return listening(t, createPageServer({ directory: root }));
}

t.test('a file → 200, whole, typed, with validators; HEAD → the same without the body', async (t) => {
  const server = await site(t);
  const got = await ask(server, { path: '/data.bin' });
  t.equal(got.status, 200);
  t.ok(got.body.equals(DATA));
  t.match(got.headers, {
    'content-type': 'application/octet-stream',
    'content-length': '200000',
    'accept-ranges': 'bytes',
  });
  t.equal(got.headers['last-modified'], new Date(1_700_000_000_000).toUTCString());
  const head = await ask(server, { path: '/data.bin', method: 'HEAD' });
  t.equal(head.status, 200);
  t.equal(head.body.length, 0);
  t.equal(head.headers['content-length'], '200000');
  t.equal((await ask(server, { path: '/a%20b.txt?query' })).headers['content-type'], 'text/plain; charset=utf-8');
  t.equal((await ask(server, { path: '/empty' })).body.length, 0);
  t.ok((await ask(server, { path: '/link-in' })).body.equals(DATA));
});

t.test('conditional requests → 304 when nothing changed', async (t) => {
  const server = await site(t);
  const { headers } = await ask(server, { path: '/data.bin' });
  const etag = headers.etag ?? '';
  t.equal((await ask(server, { path: '/data.bin', headers: { 'if-none-match': etag } })).status, 304);
  t.equal((await ask(server, { path: '/data.bin', headers: { 'if-none-match': `"x", W/${etag}` } })).status, 304);
  t.equal((await ask(server, { path: '/data.bin', headers: { 'if-none-match': '"other"' } })).status, 200);
  const since = headers['last-modified'] ?? '';
  t.equal((await ask(server, { path: '/data.bin', headers: { 'if-modified-since': since } })).status, 304);
  const before = new Date(1_600_000_000_000).toUTCString();
  t.equal((await ask(server, { path: '/data.bin', headers: { 'if-modified-since': before } })).status, 200);
  // The tag decides when both are there.
  const both = { 'if-none-match': '"other"', 'if-modified-since': since };
  t.equal((await ask(server, { path: '/data.bin', headers: both })).status, 200);
});

t.test('ranges → 206, 416, or the whole when If-Range names another version', async (t) => {
  const server = await site(t);
  const part = await ask(server, { path: '/data.bin', headers: { range: 'bytes=1000-1999' } });
  t.equal(part.status, 206);
  t.equal(part.headers['content-range'], 'bytes 1000-1999/200000');
  t.ok(part.body.equals(DATA.subarray(1000, 2000)));
  const tail = await ask(server, { path: '/data.bin', headers: { range: 'bytes=-10' } });
  t.ok(tail.body.equals(DATA.subarray(-10)));
  const beyond = await ask(server, { path: '/data.bin', headers: { range: 'bytes=200000-' } });
  t.equal(beyond.status, 416);
  t.equal(beyond.headers['content-range'], 'bytes */200000');
  const stale = { range: 'bytes=0-9', 'if-range': '"other"' };
  t.equal((await ask(server, { path: '/data.bin', headers: stale })).status, 200);
  const fresh = { range: 'bytes=0-9', 'if-range': part.headers.etag ?? '' };
  t.equal((await ask(server, { path: '/data.bin', headers: fresh })).status, 206);
});

t.test('paths out of the directory, by dots, encodings or links → refused', async (t) => {
  const server = await site(t);
  for (const target of [
    '/../secret',
    '/sub/../../secret',
    '/%2e%2e/secret',
    '/..%2fsecret',
    '/sub%5c..%5c..',
    '/%00',
  ]) {
    t.equal((await ask(server, { path: target })).status, 400, target);
  }
  t.equal((await ask(server, { path: '/%zz' })).status, 400);
  for (const target of ['/link-out', '/sub/up/secret', '/sub/up/', '/none', '/data.bin/', '/data.bin/x']) {
    const got = await ask(server, { path: target });
    t.equal(got.status, 404, target);
    t.notOk(got.body.includes('not for you'));
  }
});

t.test('a directory → its index, or a list with every name made harmless; without the slash → there', async (t) => {
  const server = await site(t);
  t.equal((await ask(server, { path: '/with-index/' })).body.toString(), '<p>home</p>');
  const moved = await ask(server, { path: '/with-index' });
  t.equal(moved.status, 308);
  t.equal(moved.headers.location, '/with-index/');
  const double = await ask(server, { path: '//with-index' });
  t.equal(double.headers.location, '/with-index/', 'never a link to another host');
  const list = (await ask(server, { path: '/' })).body.toString();
  t.match(list, 'href="./a%20b.txt"');
  t.match(list, 'href="./sub/"');
  t.notMatch(list, '<evil>');
  t.notMatch(list, '.hidden');
});

t.test(
  'a file nobody may read → 403',
  { skip: process.getuid?.() === 0 ? 'root may read everything' : false },
  async (t) => {
    const base = t.testdir({ 'private.txt': 'x' });
    chmodSync(path.join(base, 'private.txt'), 0);
    const server = await listening(t, createPageServer({ directory: base }));
    t.equal((await ask(server, { path: '/private.txt' })).status, 403);
  },
);

t.test('methods that do not apply → 405 with those that do', async (t) => {
  const server = await site(t);
  const got = await ask(server, { path: '/data.bin', method: 'DELETE' });
  t.equal(got.status, 405);
  t.equal(got.headers.allow, 'GET, HEAD');
  t.equal((await ask(server, { path: '/upload' })).headers.allow, 'PUT, POST');
});

t.test('PUT /upload → count and SHA-256 of what came', async (t) => {
  const server = await site(t);
  const got = await ask(server, { path: '/upload', method: 'PUT' }, DATA);
  const sha256 = createHash('sha256').update(DATA).digest('hex');
  t.same(JSON.parse(got.body.toString()), { bytes: DATA.length, sha256 });
});

t.test('/bytes/N → N bytes of the pattern, ranges included', async (t) => {
  const server = await listening(t, createPageServer());
  const got = await ask(server, { path: '/bytes/300000' });
  t.equal(got.body.length, 300_000);
  t.ok(got.body.every((byte, i) => byte === i % 251));
  const part = await ask(server, { path: '/bytes/300000', headers: { range: 'bytes=100000-100009' } });
  t.same(
    [...part.body],
    [...Array(10).keys()].map((i) => (100_000 + i) % 251),
  );
  t.equal((await ask(server, { path: '/bytes/0' })).body.length, 0);
  t.equal((await ask(server, { path: `/bytes/${2 ** 41}` })).status, 400);
  t.match((await ask(server, { path: '/' })).body.toString(), 'TypeScript');
  t.equal((await ask(server, { path: '/other' })).status, 404);
});

t.test('the pattern joined from any chunk boundary → byte n is n modulo 251', (t) => {
  for (const [from, to] of [
    [0, 0],
    [65_535, 65_537],
    [1_000_003, 1_200_001],
  ]) {
    const bytes = Buffer.concat([...generateBytes(from, to)]);
    t.equal(bytes.length, to - from);
    t.ok(bytes.every((byte, i) => byte === (from + i) % 251));
  }
  t.end();
});

/** Bytes written to the server as they stand; what comes back until it ends the connection. */
async function raw(server: http.Server, text: string): Promise<{ socket: net.Socket; answer: Promise<Buffer> }> {
  const { port } = server.address() as AddressInfo;
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  await once(socket, 'connect');
  const answer = (async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of socket) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  })();
  // Whoever resets the connection does not read to its end.
  answer.catch(() => {});
  socket.write(text);
  return { socket, answer };
}

t.test('a client of HTTP/1.0 ends its half after the request → the whole answer', async (t) => {
  const server = await listening(t, createPageServer());
  for (const request of ['GET /bytes/3000000 HTTP/1.0\r\n\r\n', 'GET /bytes/3000000 HTTP/1.1\r\nHost: x\r\n\r\n']) {
    const { socket, answer } = await raw(server, request);
    socket.end();
    const bytes = await answer;
    t.match(bytes.toString('latin1', 0, 15), /^HTTP\/1\.1 200/);
    t.equal(bytes.length - bytes.indexOf('\r\n\r\n') - 4, 3_000_000);
  }
  // Several requests, and then the end: all are answered.
  const { socket, answer } = await raw(server, 'GET /bytes/100000 HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(3));
  socket.end();
  t.equal((await answer).toString('latin1').split('HTTP/1.1 200').length - 1, 3);
});

/** How many descriptors of this process name a file. */
function opened(file: string): number {
  const links = readdirSync('/proc/self/fd').map((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return '';
    }
  });
  return links.filter((link) => link === file).length;
}

const NO_PROC = existsSync('/proc/self/fd') ? false : 'no /proc here to count descriptors in';

t.test(
  'pipelined requests, then RST → each answer is reported as cut off, no file stays open',
  { skip: NO_PROC },
  async (t) => {
    const root = realpathSync(t.testdir());
    const file = path.join(root, 'big.bin');
    const size = 30_000_000;
    writeFileSync(file, Buffer.alloc(size));
    const count = 40;
    const cuts: (CutShort | undefined)[] = [];
    const all = new Promise<void>((resolve) => {
      const onAnswer = (_request: http.IncomingMessage, _status: number, cut: CutShort | undefined): void => {
        if (cuts.push(cut) === count) resolve();
      };
      void listening(t, createPageServer({ directory: root, onAnswer })).then(async (server) => {
        const { socket } = await raw(server, 'GET /big.bin HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(count));
        await once(socket, 'readable');
        t.ok(opened(file) <= 1, 'of the answers that wait none has opened its file');
        socket.resetAndDestroy();
      });
    });
    await all;
    const begun = cuts.filter((cut) => cut?.of === size);
    t.equal(begun.length, 1);
    const bytes = begun[0]?.bytes ?? 0;
    t.ok(bytes > 0 && bytes < size, `part of the first: ${bytes}`);
    t.equal(cuts.filter((cut) => cut?.of === undefined && cut?.bytes === 0).length, count - 1);
    // The descriptor is closed by another thread, which is asked first.
    for (let i = 0; i < 1000 && opened(file) > 0; i++) await stat(file);
    t.equal(opened(file), 0);
  },
);

t.test('answers one after another on one connection → none is held, none is called cut off', async (t) => {
  const seen: unknown[] = [];
  const server = await listening(
    t,
    createPageServer({ onAnswer: (_request, status, cut) => seen.push([status, cut]) }),
  );
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const warnings: Error[] = [];
  const warned = (warning: Error): void => void warnings.push(warning);
  process.on('warning', warned);
  for (let i = 0; i < 15; i++) await ask(server, { path: '/', agent });
  const { answer } = await raw(server, `${'GET / HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(30)}GET / HTTP/1.0\r\n\r\n`);
  t.equal((await answer).toString('latin1').split('HTTP/1.1 200').length - 1, 31);
  process.off('warning', warned);
  agent.destroy();
  t.equal(seen.length, 46);
  t.ok(seen.every((one) => JSON.stringify(one) === '[200,null]'));
  t.same(warnings, [], 'no warning of too many listeners');
});

t.test(
  'a file becomes shorter while it is sent → the connection ends, and the answer is reported as cut off',
  async (t) => {
    const root = realpathSync(t.testdir());
    const file = path.join(root, 'log');
    const size = 40_000_000;
    writeFileSync(file, Buffer.alloc(size));
    const cut = new Promise<CutShort | undefined>((resolve) => {
      const onAnswer = (_request: http.IncomingMessage, _status: number, cut: CutShort | undefined): void =>
        resolve(cut);
      void listening(t, createPageServer({ directory: root, onAnswer })).then(async (server) => {
        const { socket } = await raw(server, 'GET /log HTTP/1.1\r\nHost: x\r\n\r\n');
        await once(socket, 'readable');
        truncateSync(file, 1000);
      });
    });
    const { bytes, of } = (await cut) ?? { bytes: size, of: 0 };
    t.equal(of, size);
    t.ok(bytes < size);
  },
);
