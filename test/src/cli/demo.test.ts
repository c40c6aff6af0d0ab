import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PAGE } from '../../../src/cli/demo/checks.js';
import type { DemoReport } from '../../../src/cli/demo/inside.js';
import { NOBODY, reveal } from '../../unprivileged.js';
import { noTap, PROGRAM, privately, Run, run, scratch } from './run-cli.js';

const root = process.getuid?.() === 0;

/** Whether curl and ping are there to be used by the demo. */
const clients = ['curl', 'ping'].every((program) => spawnSync(program, ['-V']).error === undefined);

t.test('over loopback → the page and a mebibyte each way between two stacks, a trace, status 0', async (t) => {
  const cwd = scratch(t);
  const { status, stdout, stderr } = await run(['demo', '--loopback'], { cwd, env: privately(cwd) });
  t.equal(status, 0, stdout);
  t.equal(stderr, '');
  t.match(stdout, /^loopback: two stacks of ours, .* \(as asked\)\n/);
  t.match(stdout, /✓ ping: 3 of 3 echo requests answered/);
  t.match(stdout, new RegExp(`✓ http: the page: ${Buffer.byteLength(PAGE)} bytes .* as sent`));
  t.match(stdout, /✓ http: a mebibyte down: 1048576 bytes .* as sent/);
  t.match(stdout, /✓ http: a mebibyte up: 1048576 bytes .* as sent/);
  t.match(stdout, /by hand: only over TAP: run it as root/);
  t.match(stdout, /proved: it works\n$/);
  t.same(readdirSync(cwd).sort(), ['millrace', 'millrace-demo.pcapng']);
  t.same(readdirSync(join(cwd, 'millrace')), [], 'no socket is left');
  checkTrace(t, join(cwd, 'millrace-demo.pcapng'));
});

t.test('over TAP → proved by the kernel’s own ping and curl', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  const before = namespaces();
  const { status, stdout, stderr } = await run(['demo'], { cwd, env: privately(cwd) });
  t.equal(status, 0, stdout);
  t.equal(stderr, '');
  t.match(
    stdout,
    /^TAP device mill0 in a network namespace of its own: our stack is 10\.23\.0\.2, the kernel 10\.23\.0\.1\n/,
  );
  if (clients) {
    t.match(stdout, /✓ ping: 3 of 3/);
    t.match(stdout, /✓ curl: a mebibyte up: 1048576 bytes .* as sent/);
  }
  t.match(stdout, /nsenter --net=\/proc\/PID\/ns\/net curl http:\/\/10\.23\.0\.2\//);
  t.match(stdout, /proved: it works\n$/);
  t.same(readdirSync(join(cwd, 'millrace')), [], 'no socket is left');
  t.same(namespaces(), before, 'no namespace is left');
  checkTrace(t, join(cwd, 'millrace-demo.pcapng'));
});

t.test('over TAP with a bad link → slower, and proved all the same', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  const fault = 'loss=1%,duplicate=1%,reorder=1%,corrupt=0.5%,delay=2ms,jitter=1ms';
  const { status, stdout } = await run(['demo', '--json', '--fault', fault, '--seed', '11'], {
    cwd,
    env: privately(cwd),
  });
  t.equal(status, 0, stdout);
  const report = JSON.parse(stdout) as DemoReport;
  t.match(report, { ok: true, mode: 'tap', trace: join(cwd, 'millrace-demo.pcapng') });
  t.same(
    report.checks.map((check) => check.outcome),
    ['passed', 'passed', 'passed', 'passed'],
  );
  t.ok(report.frames > 1500);
});

t.test(
  'no rights on /dev/net/tun → says so and goes over loopback',
  { skip: !root && 'needs root, to give it up' },
  async (t) => {
    const cwd = scratch(t);
    chmodSync(cwd, 0o777);
    const { status, stdout, stderr } = await run(['demo'], {
      cwd,
      env: { PATH: process.env.PATH, XDG_RUNTIME_DIR: cwd },
      unprivileged: true,
    });
    t.equal(status, 0, stderr);
    t.match(stdout, /^loopback: .*\(no TAP: .*\)\n|^loopback: .*\(no network namespace/);
    t.match(stdout, /proved: it works\n$/);
    t.ok(existsSync(join(cwd, 'millrace-demo.pcapng')));
  },
);

t.test('a user who may open /dev/net/tun → TAP in a user namespace', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  chmodSync(cwd, 0o777);
  // A /dev/net/tun that anybody may open, in a mount namespace where only this test sees it.
  const asNobody = `setpriv --reuid ${NOBODY} --regid ${NOBODY} --clear-groups`;
  const withTun = (command: string) => {
    const tun = join(scratch(t), 'tun');
    const script = `mknod ${tun} c 10 200 && chmod 666 ${tun} && mount --bind ${tun} /dev/net/tun && ${reveal()} && cd ${cwd} && ${command}`;
    const env = { ...process.env, XDG_RUNTIME_DIR: cwd };
    return spawnSync('unshare', ['--mount', 'sh', '-c', script], {
      encoding: 'utf8',
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const trial = withTun(`${asNobody} unshare --user --map-root-user --net true`);
  if (trial.status !== 0) {
    t.pass(`no user may make a user namespace here: ${trial.stderr}`);
    return;
  }
  const { status, stdout, stderr } = withTun(`${asNobody} ${process.execPath} ${PROGRAM} demo`);
  t.equal(status, 0, stderr);
  t.match(stdout, /^TAP device mill0 in user and network namespaces of its own/);
  t.match(stdout, /proved: it works\n$/);
});

t.test('curl and ping missing → which, and proved with what there is', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  const bin = scratch(t);
  for (const program of ['unshare', 'ip']) spawnSync('ln', ['-s', `/usr/bin/${program}`, join(bin, program)]);
  const { status, stdout } = await run(['demo'], { cwd, env: { ...privately(cwd), PATH: bin } });
  t.equal(status, 0, stdout);
  t.match(stdout, /– ping: ping is not installed/);
  t.match(stdout, /✓ node's http \(curl is not installed\): the page: .* as sent/);
  t.match(stdout, /proved: it works\n$/);
});

t.test('SIGTERM before the proof → ends at once, in order, status 1', { skip: noTap }, async (t) => {
  const cwd = scratch(t);
  // A link so slow that the first ping is still under way.
  const demo = new Run(['demo', '--fault', 'delay=1s'], { cwd, env: privately(cwd) });
  await demo.says(/TAP device/);
  demo.child.kill('SIGTERM');
  const { status, stdout } = await demo.ended;
  t.equal(status, 1);
  t.match(stdout, /stopped before the proof was complete/);
  t.same(readdirSync(join(cwd, 'millrace')), []);
});

t.test(
  'killed with SIGKILL → the process within ends by itself, and its namespace with it',
  { skip: noTap },
  async (t) => {
    const cwd = scratch(t);
    const demo = new Run(['demo', '--fault', 'delay=1s'], { cwd, env: privately(cwd) });
    await demo.says(/TAP device/);
    const [inside] = childrenOf(demo.pid);
    t.ok(inside, 'a child runs');
    const namespace = readlinkSync(`/proc/${inside}/ns/net`);
    demo.child.kill('SIGKILL');
    // Its output ends when the child has ended, too: both write to it.
    await demo.ended;
    t.notOk(namespaces().includes(namespace), 'nobody is in the namespace any more');
    t.same(readdirSync(join(cwd, 'millrace')), [], 'the socket is gone');
  },
);

t.test(
  'on a terminal → goes on serving; the command it shows works; Ctrl-C ends it with status 0',
  { skip: noTap || !installed('script') },
  async (t) => {
    const cwd = scratch(t);
    // script(1) gives it a terminal; what is typed there comes from our pipe. exec, because a shell that stays (dash does, bash does not) has the
    // Ctrl-C, too, and its status is then that of the signal.
    const terminal = spawn('script', ['-qefc', `exec ${process.execPath} ${PROGRAM} demo`, '/dev/null'], {
      cwd,
      env: { ...privately(cwd), NO_COLOR: '1' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const ended = new Promise<number | null>((resolve) => terminal.once('close', resolve));
    let output = '';
    await new Promise<void>((resolve, reject) => {
      terminal.stdout.on('data', (chunk: Buffer) => {
        output += chunk.toString();
        if (output.includes('until Ctrl-C')) resolve();
      });
      void ended.then(() => reject(new Error(`it ended: ${output}`)));
    });
    const command = /from another terminal: (.*)\r?\n/.exec(output)?.[1].trim() ?? '';
    t.match(command, /^(sudo )?nsenter --net=\/proc\/\d+\/ns\/net curl http:\/\/10\.23\.0\.2\/$/);
    const page = spawnByHand(command.replace(/^sudo /, ''));
    t.equal(await page, PAGE);
    const ss = /connections: (.*)\r?\n/.exec(output)?.[1].trim() ?? '';
    t.match(await spawnByHand(`cd ${cwd} && ${ss} -l`), /tcp +LISTEN +0 +511 +10\.23\.0\.2:80/);
    terminal.stdin.write('\x03');
    t.equal(await ended, 0);
    t.same(readdirSync(join(cwd, 'millrace')), []);
  },
);

function spawnByHand(command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', command], { stdio: ['ignore', 'pipe', 'ignore'] });
    let output = '';
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
    child.once('error', reject);
    child.once('close', () => resolve(output));
  });
}

function installed(program: string): boolean {
  return spawnSync(program, ['--version']).error === undefined;
}

/** Network namespaces that some process is in, as /proc names them; and those with names. */
function namespaces(): string[] {
  const found = new Set<string>(existsSync('/run/netns') ? readdirSync('/run/netns') : []);
  for (const pid of readdirSync('/proc')) {
    if (!/^\d+$/.test(pid)) continue;
    try {
      // Only our own program's: other tests run at the same time.
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      if (command.includes('--inside')) found.add(readlinkSync(`/proc/${pid}/ns/net`));
    } catch {
      // It ended meanwhile.
    }
  }
  return [...found].sort();
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}

/** The handshake, the page and the close are in it, and Wireshark finds nothing to object to. */
function checkTrace(
  t: { ok(value: unknown, message: string): void; comment(text: string): void },
  trace: string,
): void {
  const tshark = (...args: string[]): string[] | undefined => {
    const { stdout, error } = spawnSync('tshark', ['-r', trace, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return error === undefined ? stdout.split('\n').filter((line) => line !== '') : undefined;
  };
  const comments = tshark('-T', 'fields', '-e', 'frame.comment');
  if (comments === undefined) {
    t.comment('tshark is not installed: the trace is not checked by it');
    return;
  }
  const frames = tshark('-T', 'fields', '-e', 'frame.number')?.length ?? 0;
  t.ok(frames > 500 && comments.length === frames, `a comment on each of ${frames} frames`);
  t.ok(
    comments.every((comment) => /^(sent|received|dropped): \S/.test(comment)),
    'each says what the stack thought',
  );
  t.ok(tshark('-Y', '_ws.malformed || _ws.expert.severity == error')?.length === 0, 'nothing malformed, no error');
  for (const filter of [
    'tcp.flags.syn == 1 && tcp.flags.ack == 1',
    'http.response.code == 200',
    'tcp.flags.fin == 1',
    'icmp.type == 0',
  ]) {
    t.ok((tshark('-Y', filter)?.length ?? 0) > 0, `it has ${filter}`);
  }
  // Who closes first depends on the client: curl does, and of node's http the server.
  for (const states of [/LISTEN → SYN-RECEIVED/, /SYN-RECEIVED → ESTABLISHED/, /→ (CLOSED|TIME-WAIT)( |$)/]) {
    t.ok(
      comments.some((comment) => states.test(comment)),
      `it has ${states}`,
    );
  }
}
