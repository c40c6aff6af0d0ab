import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import t from 'tap';
import { enterNamespace } from '../drivers/namespace.js';
import { selfSigned } from '../src/node/certificate.js';
import { Program } from './program.js';

/** From here on this process is a machine beside the examples, and `node:net` is the kernel's TCP. */
const skip = enterNamespace() ?? false;

t.test("http-server, a request by the kernel's TCP → answered; SIGTERM → ends in order", { skip }, async (t) => {
  const example = new Program(t, 'http-server');
  await example.printed('http://10.0.0.2:8080/');
  const [response] = (await once(http.get('http://10.0.0.2:8080/a?b'), 'response')) as [http.IncomingMessage];
  t.equal(response.statusCode, 200);
  t.equal(await text(response), 'GET /a?b from 10.0.0.1, over a TCP of our own\n');
  t.equal(await example.stop(), 0, example.stderr);
});

t.test('echo-reactor, a peer that reads late → all of it comes back, in order', { skip }, async (t) => {
  const example = new Program(t, 'echo-reactor');
  await example.printed('echo on 10.0.0.2');
  // More than the buffers on the way hold, so that somewhere in the middle the server has to hold back.
  const chunk = Buffer.alloc(1 << 20, 'the peer reads late, so the server has to hold back; ');
  const [chunks, readAfter] = [32, 1];
  const socket = net.connect(7, '10.0.0.2').pause();
  await once(socket, 'connect');
  const hash = createHash('sha256');
  let count = 0;
  socket.on('data', (bytes: Buffer) => {
    hash.update(bytes);
    count += bytes.length;
  });
  const sent = createHash('sha256');
  for (let i = 0; i < chunks; i++) {
    sent.update(chunk);
    await new Promise((resolve) => socket.write(chunk, resolve));
    if (i + 1 === readAfter) socket.resume();
  }
  socket.end();
  await once(socket, 'end');
  t.equal(count, chunks * chunk.length);
  t.equal(hash.digest('hex'), sent.digest('hex'));

  const refused = net.connect(8, '10.0.0.2');
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  t.equal(error.code, 'ECONNREFUSED', 'beside it nobody listens');
  t.equal(await example.stop(), 0, example.stderr);
});

t.test("https-client, a server on the kernel's TCP → its page, or an error that says why not", { skip }, async (t) => {
  const identity = selfSigned('10.0.0.1');
  const server = https.createServer(identity, (_request, response) => response.end('hello over TLS\n'));
  t.teardown(() => server.close());
  server.listen(0, '0.0.0.0');
  await once(server, 'listening');
  const url = `https://10.0.0.1:${(server.address() as AddressInfo).port}/`;

  const stranger = new Program(t, 'https-client', [url]);
  t.equal(await stranger.finished(), 1);
  t.match(stranger.stderr, /self-signed certificate/);

  const folder = mkdtempSync(join(tmpdir(), 'millrace-example-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  const authority = join(folder, 'authority.pem');
  writeFileSync(authority, identity.cert);
  const example = new Program(t, 'https-client', [url], { NODE_EXTRA_CA_CERTS: authority });
  t.equal(await example.finished(), 0, example.stderr);
  t.match(example.stdout, /^200 from 10\.0\.0\.1, our port \d+\nhello over TLS\n$/);
});
