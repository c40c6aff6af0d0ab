import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const entry = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const isRoot = process.getuid?.() === 0;
const skip = isRoot ? false : 'network namespaces with names, and /proc/slabinfo, are root’s';

function bench(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [entry, ...args], { encoding: 'utf8' });
}

/** Namespaces of the benchmark that is, or was, process `pid`. */
function namespacesOf(pid: number | undefined): string[] {
  try {
    return readdirSync('/run/netns').filter((name) => name.startsWith(`mrbench-${pid}-`));
  } catch {
    return [];
  }
}

t.test('no name, or one nobody knows → status 2, and the names there are', (t) => {
  t.match(bench(), { status: 2, stderr: /known: .*tap/ });
  t.match(bench('tape'), { status: 2, stderr: /tape.*known: .*tap/ });
  t.end();
});

t.test('--help → the benchmarks and an example', (t) => {
  t.match(bench('--help'), { status: 0, stdout: /Examples:\n +npm run bench -- tap/ });
  t.match(bench('tap', '--help'), { status: 0, stdout: /--quick/ });
  t.end();
});

t.test('a bad value → status 2, the option and what is allowed', (t) => {
  t.match(bench('tap', '--servers', 'apache'), { status: 2, stderr: /--servers.*apache is not one of node, reactor/ });
  t.match(bench('tap', '--only', 'send,'), { status: 2, stderr: /--only.*an empty name is not one of/ });
  t.match(bench('tap', '--runs', '1.5'), { status: 2, stderr: /--runs.*whole number/ });
  t.match(bench('tap', '--seconds', '-1'), { status: 2, stderr: /--seconds.*above 0/ });
  t.match(bench('tap', '--connections', '1000000'), { status: 2, stderr: /--connections.*at most/ });
  t.match(bench('tap', '--placement', 'nowhere'), { status: 2, stderr: /--placement.*shared, apart/ });
  t.match(bench('tap', '--mtu', '100'), { status: 2, stderr: /--mtu.*576 to 65521/ });
  t.match(bench('tap', '--frobnicate'), { status: 2, stderr: /--frobnicate/ });
  t.end();
});

t.test('not root → status 2 and why', { skip: isRoot ? 'root here' : false }, (t) => {
  t.match(bench('tap', '--quick'), { status: 2, stderr: /root/ });
  t.end();
});

t.test(
  'node:net alone, --quick --json → one JSON object as the last line, nothing left behind',
  { skip },
  async (t) => {
    const args = [
      'tap',
      '--servers=node',
      '--only=connect-1,idle',
      '--quick',
      '--json',
      '--connections=200',
      '--seconds=0.1',
    ];
    const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [status] = await once(child, 'close');
    t.equal(status, 0);
    const report = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as { measures: { key: string }[] };
    t.match(report, { benchmark: 'tap', quick: true, runs: 1, placement: 'shared' });
    t.same(
      report.measures.map(({ key }) => key),
      ['connect-1', 'idle', 'idle-process', 'idle-kernel'],
    );
    t.same(namespacesOf(child.pid), []);
  },
);

const noTap = skip || (existsSync('/dev/net/tun') ? false : 'no /dev/net/tun');
t.test('all servers → each with its figure, and ratios to node:net', { skip: noTap }, async (t) => {
  const args = ['tap', '--only=receive,send,connect-16', '--quick', '--json', '--seconds=0.1', '--mtu=9000'];
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  const [output, [status]] = await Promise.all([text(child.stdout), once(child, 'close')]);
  t.equal(status, 0);
  const { measures } = JSON.parse(output.trimEnd().split('\n').at(-1) ?? '') as {
    measures: { key: string; values: Record<string, { median: number }>; ratios: Record<string, number> }[];
  };
  t.equal(measures.length, 3);
  for (const { key, values, ratios } of measures) {
    for (const kind of ['node', 'reactor', 'sockets']) t.ok(values[kind].median > 0, `${key} on ${kind}`);
    t.equal(ratios.reactor, values.reactor.median / values.node.median);
  }
  t.same(namespacesOf(child.pid), []);
});

t.test('SIGTERM in the middle → its status, nothing left behind', { skip }, async (t) => {
  const args = ['tap', '--servers=node', '--only=connect-1,connect-16', '--runs=2', '--seconds=0.1'];
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'ignore', 'pipe'] });
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  await once(child.stderr, 'data'); // a first run is done, so the namespaces and a server are there
  t.equal(namespacesOf(child.pid).length, 2);
  child.kill('SIGTERM');
  const [status] = await closed;
  t.equal(status, 143);
  t.same(namespacesOf(child.pid), []);
});
