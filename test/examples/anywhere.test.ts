import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Program } from './program.js';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

t.test(
  'virtual-time, a seed → thirty seconds of a bad link, the same twice; another seed → another trace',
  async (t) => {
    const traces = await Promise.all(
      ['7', '1'].map(async (seed) => {
        const example = new Program(t, 'virtual-time', [seed]);
        t.equal(await example.finished(), 0, example.stderr);
        t.match(example.stdout, /^\d+\.\d{3} MB in 30 s$/m);
        t.match(example.stdout, /the same again: identical/);
        const lost = Number(/frames sent: (\d+) lost/.exec(example.stdout)?.[1]);
        t.ok(lost > 0, 'the link was bad');
        const megabytes = Number.parseFloat(example.stdout);
        t.ok(megabytes > 1 && megabytes < 37.5, 'more than a stalled connection, less than 10 Mbit/s carry in 30 s');
        return /^trace (\w{16})$/m.exec(example.stdout)?.[1];
      }),
    );
    t.type(traces[0], 'string');
    t.not(traces[0], traces[1]);
  },
);

t.test('udp → the time comes back, and a closed port is refused', async (t) => {
  const example = new Program(t, 'udp');
  t.equal(await example.finished(), 0, example.stderr);
  t.match(example.stdout, /^4 bytes from 10\.0\.0\.1:37: \d{4}-\d\d-\d\dT/);
  t.match(example.stdout, /^then recvmsg ECONNREFUSED$/m);
});

t.test('by-hand → a handshake frame by frame, the same every time', async (t) => {
  const example = new Program(t, 'by-hand');
  t.equal(await example.finished(), 0, example.stderr);
  const lines = example.stdout.trim().split('\n');
  // ARP both ways with its announcements, then SYN and SYN-ACK, then the ACK of it.
  t.match(lines[0], /^0 µs: \d+ frames, the client is in SYN-SENT$/);
  t.equal(lines[1], '500 µs: 2 frames, the client is in ESTABLISHED');
  t.equal(lines[3], '1500 µs: 0 frames, the client is in ESTABLISHED');
  t.match(
    example.stdout,
    /CONNECTED\nthe server is told: ACCEPTABLE\naccepted from port \d+\nto be called again at \d+ µs/,
  );
});

t.test('virtual-http, a bad link → every page; a perfect one → nothing sent again', async (t) => {
  const bad = new Program(t, 'virtual-http');
  t.equal(await bad.finished(), 0, bad.stderr);
  t.match(bad.stdout, /^20 pages, each as sent, in \d+\.\d{3} s; [1-9]\d* segments sent again$/m);
  const good = new Program(t, 'virtual-http', ['delay=1ms']);
  t.equal(await good.finished(), 0, good.stderr);
  t.match(good.stdout, /; 0 segments sent again$/m);
});

t.test('socket-calls → what the page shows', async (t) => {
  const example = new Program(t, 'socket-calls');
  t.equal(await example.finished(), 0, example.stderr);
  const page = readFileSync(`${ROOT}/docs/posix.md`, 'utf8');
  t.ok(page.includes(example.stdout), 'docs/posix.md has this output');
});
