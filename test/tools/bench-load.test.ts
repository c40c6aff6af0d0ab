/** The load program against servers on the loopback interface of a namespace of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import type { LoadResult, Workload } from '../../tools/bench/workload.js';

const program = (name: string): string => fileURLToPath(new URL(`../../tools/bench/${name}.js`, import.meta.url));
const isRoot = process.getuid?.() === 0;
const unshareFlags = isRoot ? ['--net'] : ['--map-root-user', '--net'];
const probe = spawnSync('unshare', [...unshareFlags, 'ip', 'link', 'set', 'lo', 'up'], { encoding: 'utf8' });
const skip = probe.status === 0 ? false : `no network namespace here: ${probe.error?.message ?? probe.stderr.trim()}`;

/** A Node program in a fresh namespace; ready when it says so. */
async function startServer(t: Test, ...nodeArgs: string[]): Promise<ChildProcess> {
  const script = 'ip link set lo up && exec "$@"';
  const child = spawn('unshare', [...unshareFlags, 'sh', '-c', script, 'sh', process.execPath, ...nodeArgs], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child, 'message');
  return child;
}

interface Outcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function runLoad(server: ChildProcess, ...args: string[]): Outcome {
  const enter = [`--target=${server.pid}`, '--net', ...(isRoot ? [] : ['--user', '--preserve-credentials'])];
  return spawnSync('nsenter', [...enter, process.execPath, program('load'), ...args], { encoding: 'utf8', input: '' });
}

/** A server on the echo port that is not one, to see that the load program notices. */
async function startImpostor(t: Test, onConnection: string): Promise<ChildProcess> {
  const source = `
    require('node:net').createServer((socket) => { socket.on('error', () => {}); ${onConnection} })
      .listen(7, '127.0.0.1', () => process.send('ready'));`;
  return startServer(t, '-e', source);
}

const ARGS = ['127.0.0.1', '--seconds=0.05', '--warm-up=0.01'];

t.test('node:net, every workload → work done, time and CPU accounted for', { skip }, async (t) => {
  const server = await startServer(t, program('server-node'), '127.0.0.1');
  const workloads: Workload[] = ['receive', 'send', 'round-trip-1', 'round-trips-64', 'connect-1', 'connect-16'];
  for (const workload of workloads) {
    const { status, stdout, stderr } = runLoad(server, workload, ...ARGS, `--server-pid=${server.pid}`);
    t.equal(stderr, '', workload);
    t.equal(status, 0, workload);
    const result = JSON.parse(stdout) as LoadResult;
    t.equal(result.workload, workload);
    t.ok(result.count > 0, `${workload}: ${result.count}`);
    t.ok(result.seconds > 0);
    t.ok(result.loadCpu > 0 && result.serverCpu >= 0);
    const isTimed = workload === 'round-trip-1';
    t.equal(result.medianUs !== undefined && result.medianUs > 0, isTimed, `${workload}: latency only where asked`);
    if (isTimed) t.ok((result.p99Us ?? 0) >= (result.medianUs ?? Number.NaN));
  }
});

t.test('idle connections → held open until standard input ends', { skip }, async (t) => {
  const server = await startServer(t, program('server-node'), '127.0.0.1');
  const { status, stdout } = runLoad(server, 'idle', '127.0.0.1', '--connections=100');
  t.equal(status, 0);
  t.same(JSON.parse(stdout), { workload: 'idle', connections: 100 });
});

t.test('a server that echoes another byte → an error, not a figure', { skip }, async (t) => {
  const server = await startImpostor(t, "socket.on('data', (data) => socket.write(data.map((byte) => byte ^ 1)));");
  for (const workload of ['round-trip-1', 'round-trips-64']) {
    const { status, stdout, stderr } = runLoad(server, workload, ...ARGS);
    t.not(status, 0);
    t.match(stderr, /echoed another byte/);
    t.equal(stdout, '');
  }
});

t.test('a server that closes at once → an error, not a figure', { skip }, async (t) => {
  const server = await startImpostor(t, 'socket.end();');
  const { status, stderr } = runLoad(server, 'round-trip-1', ...ARGS);
  t.not(status, 0);
  t.match(stderr, /closed a connection|ECONNRESET|EPIPE/);
});

t.test('nobody listening → the errno’s name', { skip }, async (t) => {
  const server = await startImpostor(t, '');
  for (const workload of ['receive', 'send']) {
    const { status, stderr } = runLoad(server, workload, ...ARGS);
    t.equal(status, 1);
    t.match(stderr, /ECONNREFUSED/);
  }
});

t.test('an unknown workload, a bad address, a bad number → usage and status 2', (t) => {
  const run = (...args: string[]): Outcome =>
    spawnSync(process.execPath, [program('load'), ...args], { encoding: 'utf8' });
  t.match(run('sideways', '127.0.0.1'), { status: 2, stderr: /round-trips-64/ });
  t.match(run('receive', 'localhost'), { status: 2, stderr: /not an IPv4 address: localhost/ });
  t.match(run('receive', '127.0.0.1', '--seconds=soon'), { status: 2, stderr: /--seconds.*soon/ });
  t.end();
});
