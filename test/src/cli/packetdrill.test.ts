import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { Run, run, scratch } from './run-cli.js';
import { ManyRuns } from './run-many.js';

const many = new ManyRuns(t);

const GOOD = '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n';
const BAD = '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 1\n';
const SKIPPED = '--ip_version=ipv6\n0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n';
const WRONG = '0 socket(..., SOCK_STREAM, IPPROTO_TCP = 3\n';

function scripts(t: { teardown(fn: () => void): void }): string {
  const cwd = scratch(t);
  mkdirSync(join(cwd, 'suite', 'deeper'), { recursive: true });
  writeFileSync(join(cwd, 'suite', 'good.pkt'), GOOD);
  writeFileSync(join(cwd, 'suite', 'deeper', 'skipped.pkt'), SKIPPED);
  writeFileSync(join(cwd, 'suite', 'README.md'), 'no script');
  writeFileSync(join(cwd, 'bad.pkt'), BAD);
  writeFileSync(join(cwd, 'wrong.pkt'), WRONG);
  return cwd;
}

t.test('a folder, none failed → a line each, the totals last, status 0', async (t) => {
  const cwd = scripts(t);
  const { status, stdout, stderr } = await run(['packetdrill', 'suite'], { cwd });
  t.equal(status, 0, stderr);
  t.same(stdout.trimEnd().split('\n'), [
    'skip suite/deeper/skipped.pkt (not supported: IPv6, line 1)',
    'ok   suite/good.pkt',
    '1 passed, 0 failed, 1 skipped',
  ]);
  t.equal(stderr, '');
});

t.test('one that fails → line, expected and seen; status 1', async (t) => {
  const cwd = scripts(t);
  const { status, stdout } = await many.run(['packetdrill', 'bad.pkt', 'wrong.pkt', 'suite/good.pkt'], { cwd });
  t.equal(status, 1);
  t.match(
    stdout,
    /^FAIL bad.pkt:2:1: the result of close\(\)\n +script: +\+0 close\(3\) = 1\n +expected: 1\n +seen: +0\n/,
  );
  t.match(stdout, /FAIL wrong.pkt:1:40: error: expected "," or "\)", found "= 3"/);
  t.ok(stdout.endsWith('1 passed, 2 failed, 0 skipped\n'));
  t.notOk(stdout.includes('\x1b'), 'no colour in a pipe');
});

/** Ends with a packet that it does not describe. */
const OPEN_END = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS
+0 > S 0:0(0) <...>
+2 close(3) = 0
`.replace('+0 connect', '+0 fcntl(3, F_SETFL, O_NONBLOCK) = 0\n+0 connect');

t.test('--as-packetdrill, --strict and options of packetdrill', async (t) => {
  const cwd = scripts(t);
  writeFileSync(join(cwd, 'open.pkt'), OPEN_END);
  const strict = await many.run(['packetdrill', '--strict', 'open.pkt'], { cwd });
  t.match(strict, { status: 1, stdout: /does not expect; packetdrill ignores it \(--as-packetdrill\)/ });
  const theirs = ['packetdrill', '--as-packetdrill', '--tolerance_usecs=9000', '--mss', '1000', '--debug', 'open.pkt'];
  t.match(await many.run(theirs, { cwd }), { status: 0, stdout: /1 passed/ });
  const six = await many.run(['packetdrill', '--ip_version=ipv6', 'bad.pkt'], { cwd });
  t.match(six, { status: 0, stdout: /skip bad.pkt \(not supported: IPv6/ });
  for (const [args, says] of [
    [['--strict', '--as-packetdrill', 'open.pkt'], /--strict is "it": allowed is without --as-packetdrill/],
    [['--mtu=x', 'open.pkt'], /--mtu is "x"/],
    [['--non_fatal=all', 'open.pkt'], /--non_fatal is "all"/],
    [['--serve', 'x.sock', '--mtu=1000'], /--mtu is "1000": allowed is nothing with --serve/],
  ] as const) {
    const { status, stderr } = await many.run(['packetdrill', ...args], { cwd });
    t.equal(status, 2, args.join(' '));
    t.match(stderr, says);
  }
});

t.test('--json → one object', async (t) => {
  const cwd = scripts(t);
  const { status, stdout } = await many.run(['packetdrill', '--json', 'bad.pkt', 'suite'], { cwd });
  t.equal(status, 1);
  const report = JSON.parse(stdout);
  t.match(report, { passed: 1, failed: 1, skipped: 1 });
  t.match(report.scripts[0], { file: 'bad.pkt', result: 'failed', line: 2, column: 1, expected: '1', seen: '0' });
});

t.test('--folders → what fails as ever, of what passes the number for each folder; --json has it too', async (t) => {
  const cwd = scripts(t);
  const { status, stdout } = await many.run(['packetdrill', '--folders', 'bad.pkt', 'suite'], { cwd });
  t.equal(status, 1);
  t.match(stdout, /^FAIL bad.pkt:2:1/);
  t.notMatch(stdout, /^ok/m);
  t.same(stdout.trimEnd().split('\n').slice(-4), [
    '.: 0 passed, 1 failed, 0 skipped',
    'suite/deeper: 0 passed, 0 failed, 1 skipped',
    'suite: 1 passed, 0 failed, 0 skipped',
    '1 passed, 1 failed, 1 skipped',
  ]);
  const { stdout: json } = await many.run(['packetdrill', '--json', 'suite'], { cwd });
  t.same(JSON.parse(json).folders, {
    'suite/deeper': { passed: 0, failed: 0, skipped: 1 },
    suite: { passed: 1, failed: 0, skipped: 0 },
  });
});

t.test('--verbose → calls and packets as they happen; -D → a name', async (t) => {
  const cwd = scripts(t);
  writeFileSync(join(cwd, 'named.pkt'), '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = FD\n');
  const { status, stdout } = await many.run(['packetdrill', '-v', '-D', 'FD=7', 'named.pkt'], { cwd });
  t.equal(status, 0, stdout);
  t.match(stdout, /0.000000 socket\(..., SOCK_STREAM, IPPROTO_TCP\) = FD\nok {3}named.pkt/);
});

/** [arguments, what the line says] */
const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['empty', /no scripts \(\*.pkt\) in empty \(ENOENT\)/],
  ['missing.pkt', /ENOENT/],
  ['--profile plan9 bad.pkt', /--profile is "plan9"/],
  ['-D x bad.pkt', /--define is "x"/],
  ['', /no scripts are named/],
  ['--set net.ipv4.tcp_sack=0 bad.pkt', /--set is .*with --serve only/],
  ['--serve bad.pkt', /bad.pkt exists and is no socket/],
  ['--serve a.sock --set net.ipv4.nonsense=1', /net.ipv4.nonsense/],
  ['--serve a.sock bad.pkt', /nothing with --serve/],
];

t.test('nothing that could be run → one line with a code, status 2', (t) => {
  for (const [line, says] of REFUSED) {
    t.test(line, async (t) => {
      const cwd = scripts(t);
      mkdirSync(join(cwd, 'empty'));
      const args = line.split(' ').filter((word) => word !== '');
      const { status, stdout, stderr } = await many.run(['packetdrill', ...args], { cwd });
      t.equal(status, 2, stderr);
      t.equal(stdout, '');
      t.match(stderr, says);
    });
  }
  t.end();
});

t.test('--serve → listens until it is asked to end', async (t) => {
  const cwd = scratch(t);
  const child = new Run(['packetdrill', '--serve', 'a.sock', '--set', 'net.ipv4.tcp_sack=0'], { cwd });
  await child.says(/a stack for packetdrill at a.sock/);
  const socket = connect(join(cwd, 'a.sock'));
  // HELLO, answered with result 0, errno 0.
  socket.write(Buffer.from([1, 0, 0, 0, 19]));
  const [answer] = (await once(socket, 'data')) as [Buffer];
  t.same([...answer], [8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
  child.child.kill('SIGTERM');
  const { status } = await child.ended;
  t.equal(status, 0);
  t.notOk(existsSync(join(cwd, 'a.sock')));
});
