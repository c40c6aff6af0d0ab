import { readdirSync, readFileSync } from 'node:fs';
import t from 'tap';
import { Medium } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';

/**
 * Each pool of the stack has a test in which somebody hostile holds all of it. The file must name the pool, since it looks
 * at it. A new pool without a row here fails, and so does a row whose pool or file is no more.
 */
const TESTS: Readonly<Record<string, string>> = {
  'net.frames': 'transmit-queue',
  'net.transmitQueue': 'transmit-queue',
  'net.answerQueue': 'sockets',
  'net.neighbors': 'caches',
  'net.neighborsUnresolved': 'neighbor-queue',
  'net.neighborQueue': 'neighbor-queue',
  'net.reassemblies': 'fragments',
  'net.fragments': 'fragments',
  'net.pathMtus': 'icmp',
  'net.localQueue': 'transmit-queue',
  'net.echoReplies': 'icmp',
  'tcp.buffers': 'crisis',
  'tcp.short-queues': 'buffers',
  'tcp.out-of-order': 'out-of-order',
  'tcp.sent': 'rows',
  'tcp.send-marks': 'marks',
  'tcp.saved-syns': 'marks',
  'tcp.connections': 'sockets',
  'tcp.active': 'rows',
  'tcp.syn-received': 'rows',
  'tcp.accept-queues': 'rows',
  'tcp.time-wait': 'rows',
  'tcp.cookies': 'caches',
  'udp.sockets': 'sockets',
  'udp.datagrams': 'datagrams',
};

/** The sources, where there are any: the built tests lie in dist/test/hostile. */
const FOLDER = new URL('../../../test/hostile/', import.meta.url);

/** The pools of an interface carry its name. */
function kindOf(pool: string, interfaceName: string): string {
  return pool.endsWith(`.${interfaceName}`) ? pool.slice(0, -interfaceName.length - 1) : pool;
}

t.test('every pool of the stack has a hostile test, and every such test a pool', (t) => {
  const stack = new Stack({ seed: 1 });
  stack.net.addInterface({ name: 'eth0', medium: Medium.IP });
  const pools = stack.pools().map(({ name }) => kindOf(name, 'eth0'));
  t.same([...pools].sort(), Object.keys(TESTS).sort());
  t.end();
});

t.test('the test of a pool looks at the pool', (t) => {
  const files = new Set(readdirSync(FOLDER));
  for (const [pool, name] of Object.entries(TESTS)) {
    const file = `${name}.test.ts`;
    t.ok(files.has(file), `${file} exists`);
    const text = readFileSync(new URL(file, FOLDER), 'utf8');
    const named = [`'${pool}'`, `\`${pool}.$\{`].some((form) => text.includes(form));
    t.ok(named, `${file} names ${pool}`);
  }
  t.end();
});
