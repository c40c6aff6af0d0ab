import t from 'tap';
import { Program } from './program.js';

t.test('virtual-time, a seed → thirty seconds of a bad link, the same twice', async (t) => {
  const example = new Program(t, 'virtual-time', ['7']);
  t.equal(await example.finished(), 0, example.stderr);
  t.match(example.stdout, /^\d+\.\d{3} MB in 30 s$/m);
  t.match(example.stdout, /the same again: identical/);
  const lost = Number(/frames sent: (\d+) lost/.exec(example.stdout)?.[1]);
  t.ok(lost > 0, 'the link was bad');
  const megabytes = Number.parseFloat(example.stdout);
  t.ok(megabytes > 1 && megabytes < 37.5, 'more than a stalled connection, less than 10 Mbit/s carry in 30 s');
});

t.test('virtual-time, another seed → another trace', async (t) => {
  const traces = await Promise.all(
    ['1', '2'].map(async (seed) => {
      const example = new Program(t, 'virtual-time', [seed]);
      t.equal(await example.finished(), 0, example.stderr);
      return /^trace (\w{16})$/m.exec(example.stdout)?.[1];
    }),
  );
  t.type(traces[0], 'string');
  t.not(traces[0], traces[1]);
});

t.test('udp → the time comes back, and a closed port is refused', async (t) => {
  const example = new Program(t, 'udp');
  t.equal(await example.finished(), 0, example.stderr);
  t.match(example.stdout, /^4 bytes from 10\.0\.0\.1:37: \d{4}-\d\d-\d\dT/);
  t.match(example.stdout, /^then recvmsg ECONNREFUSED$/m);
});
