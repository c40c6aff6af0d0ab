import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t, { type Test as TapTest } from 'tap';
import { KERNELS } from '../../tools/conformance/kernels.js';
import { BEGIN, END, madePart, sectionOf, withMadePart } from '../../tools/conformance/page.js';
import { figuresOf, isGood, type Report, reportLines } from '../../tools/conformance/report.js';
import { runScripts, topicOf } from '../../tools/conformance/run.js';
import { PROJECT_ROOT } from '../../tools/tidy.js';

const GOOD = '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(3) = 0\n';
const BAD = '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 close(9) = 0\n';
const [KERNEL] = KERNELS;

function scripts(t: Pick<TapTest, 'testdir'>): string {
  return t.testdir({
    'tcp_close_good.pkt': GOOD,
    'tcp_close_bad.pkt': BAD,
    'tcp_close_explained.pkt': BAD,
    'tcp_slow_start_mended.pkt': GOOD,
    'tcp_slow_start_ip6.pkt': `--ip_version=ipv6\n${GOOD}`,
    'tcp_slow_start_skipped.pkt': `--ip_version=ipv6\n${GOOD}`,
    // The runner's command line wins over the script's own.
    'tcp_basic_elsewhere.pkt': `--remote_ip=203.0.113.9\n0 socket(..., SOCK_STREAM|SOCK_NONBLOCK, IPPROTO_TCP) = 3
+0 connect(3, ..., ...) = -1 EINPROGRESS (x)\n+0 > S 0:0(0) <...>\n+0 < S. 0:0(0) ack 1 win 1000 <mss 1000>\n+0 > . 1:1(0) ack 1\n+0 getpeername(3, {sa_family=AF_INET, sin_port=htons(8080), sin_addr=inet_addr("192.0.2.1")}, [16]) = 0\n`,
    'README.txt': 'no script',
  });
}

const REASONS = {
  tcp_close_explained: 'it is meant to',
  tcp_slow_start_mended: 'once it did',
  tcp_slow_start_ip6: 'once it was run',
  tcp_gone: 'nobody knows',
};

function report(folder: string, only: readonly string[] = [], complete = true): Report {
  const results = runScripts({ kernel: KERNEL, folder, reasons: REASONS, only, complete });
  return { kernel: KERNEL, packageVersion: '6.12.1-1', results };
}

t.test('scripts that pass, fail and are skipped, with and without a reason → each its verdict', (t) => {
  const whole = report(scripts(t));
  const verdicts = Object.fromEntries(whole.results.map(({ name, verdict }) => [name, verdict]));
  t.match(verdicts, {
    tcp_close_good: 'passed',
    tcp_close_bad: 'unexplained',
    tcp_close_explained: 'known',
    tcp_slow_start_mended: 'stale',
    tcp_slow_start_ip6: 'stale',
    tcp_slow_start_skipped: 'skipped',
    tcp_gone: 'stale',
  });
  t.same({ ...figuresOf(whole.results) }.failed, 2);
  t.equal(isGood(whole), false);
  t.equal(figuresOf(whole.results).skipped, 2);
  const text = reportLines(whole).join('\n');
  t.match(text, /^Linux 6\.12 \(linux-source-6\.12 6\.12\.1-1\)$/m);
  t.match(text, /^close: 1 passed, 2 failed, 0 skipped$/m);
  t.match(text, /^ {2}failed tcp_close_explained: it is meant to$/m);
  t.match(text, /^ {2}UNEXPLAINED tcp_close_bad: /m);
  t.match(text, /seen: +-1 EBADF/, 'an unexplained one is shown as packetdrill shows it');
  t.match(text, /^ {2}STALE REASON tcp_slow_start_mended: it passes: once it did$/m);
  t.match(text, /^ {2}STALE REASON tcp_slow_start_ip6: it is skipped \(.*IPv6.*\): once it was run$/m);
  t.match(text, /^ {2}STALE REASON tcp_gone: there is no such script$/m);
  t.match(text, /^ {2}skipped tcp_slow_start_skipped: .*IPv6/m);
  t.match(text, /; 1 unexplained, 3 stale reasons$/m);
  t.match(text, /^not run: what 6\.12 runs again as ipv6: the stack has no IPv6$/m);
  t.end();
});

t.test('some of them → by topic or name, and a reason for others is not missed', (t) => {
  const folder = scripts(t);
  const names = (only: readonly string[]) => report(folder, only).results.map(({ name }) => name);
  t.same(names(['slow-start', 'tcp_close_good']), [
    'tcp_close_good',
    'tcp_slow_start_ip6',
    'tcp_slow_start_mended',
    'tcp_slow_start_skipped',
  ]);
  t.equal(isGood(report(folder, ['tcp_close_explained', 'tcp_close_good'])), true, 'a known failure is no failure');
  t.throws(() => report(folder, ['clos']), { code: 'ERR_INVALID_ARG_VALUE', message: /basic, close, slow-start/ });
  t.notOk(
    report(folder, [], false).results.some(({ name }) => name === 'tcp_gone'),
    "not the kernel's own folder",
  );
  t.end();
});

t.test("the runner's options → as the kernel's runner has them, before which a script's own stand back", (t) => {
  const { results } = report(scripts(t), ['tcp_basic_elsewhere']);
  t.same(
    results.map(({ verdict, reason }) => [verdict, reason]),
    [['passed', '']],
  );
  t.end();
});

t.test('names → topics', (t) => {
  for (const [path, topic] of [
    ['tcp_slow_start_slow-start-after-idle.pkt', 'slow-start'],
    ['tcp_ooo-before-and-after-accept.pkt', 'ooo'],
    ['tcp_dsack_mult.pkt', 'dsack'],
    ['tcp_tcp_info_tcp-info-rwnd-limited.pkt', 'tcp-info'],
    ['tcp_fastopen_server_basic-rw.pkt', 'fastopen-server'],
    ['mine/any.pkt', 'mine'],
  ])
    t.equal(topicOf(path), topic, path);
  t.end();
});

t.test('the page → its made part is written anew, the rest stays, and lost marks are told', (t) => {
  const made = madePart([report(scripts(t))]);
  const page = `# A\n\n${BEGIN}\nold\n${END}\n\n## B\n`;
  const after = withMadePart(page, made);
  t.ok(after.startsWith(`# A\n\n${BEGIN}\n`) && after.endsWith(`${END}\n\n## B\n`));
  t.notMatch(after, 'old');
  t.equal(withMadePart(after, made), after, 'the same again');
  const section = sectionOf(after, '6.12') ?? '';
  t.match(
    section,
    '`linux-source-6.12` 6.12.1-1, under the profile `linux-6.12`: 7 scripts, 3 passed, 2 failed, 2 skipped.',
  );
  t.match(section, '| close | 1 | 2 | 0 |');
  t.match(section, '| `tcp_close_explained` | failed | it is meant to |');
  t.equal(sectionOf(after, '7.3'), undefined);
  t.throws(() => withMadePart('# A\n', made), { code: 'ERR_PAGE' });
  t.end();
});

t.test('the program → status 0, 1 or 2, JSON, and errors with codes', (t) => {
  const folder = t.testdir({
    good: { 'tcp_close_good.pkt': GOOD },
    bad: { 'tcp_close_bad.pkt': BAD },
    // Its name has a reason: see reasons.ts.
    stale: { 'tcp_zerocopy_maxfrags.pkt': GOOD },
    empty: {},
    tree: { tools: { testing: { selftests: { net: { packetdrill: { 'tcp_close_good.pkt': GOOD } } } } } },
  });
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [join(PROJECT_ROOT, 'dist/tools/conformance/main.js'), ...args], { encoding: 'utf8' });
  const source = (name: string, ...args: string[]) => run('--source', join(folder, name), ...args);
  const good = source('good', '--json');
  t.equal(good.status, 0, good.stderr);
  const [kernel] = JSON.parse(good.stdout).kernels;
  t.match(kernel, { kernel: '6.12', profile: 'linux-6.12', passed: 1, failed: 0, skipped: 0, good: true });
  t.same(kernel.scripts, [{ name: 'tcp_close_good', topic: 'close', verdict: 'passed' }]);
  t.equal(source('tree', '--kernel', '7.3').status, 0, 'a source tree');
  const bad = source('bad', '--json');
  t.equal(bad.status, 1);
  t.match(JSON.parse(bad.stdout).kernels[0].scripts[0], { verdict: 'unexplained', line: 2, expected: '0' });
  t.equal(source('stale').status, 1);
  for (const [args, words] of [
    [['--source', join(folder, 'empty')], /ERR_NO_SCRIPTS/],
    [['--source', join(folder, 'nowhere')], /ERR_NO_SCRIPTS/],
    [['--source', join(folder, 'good'), '--kernel', '6.12,7.3'], /ERR_INVALID_ARG_VALUE/],
    [['--source', join(folder, 'good'), '--only', 'clos'], /ERR_INVALID_ARG_VALUE/],
    [['--write', '--kernel', '7.3'], /ERR_INVALID_ARG_VALUE/],
    [['--write', '--only', 'close'], /ERR_INVALID_ARG_VALUE/],
    [['--kernel', '5.10'], /5\.10 is none of 6\.12, 7\.3/],
    [['--only', 'a,,b'], /topics or scripts are expected/],
    [['--sauce'], /unknown option/],
  ] as const) {
    const refused = run(...args);
    t.equal(refused.status, 2, args.join(' '));
    t.match(refused.stderr, words);
    t.equal(refused.stdout, '');
  }
  const help = run('--help');
  t.equal(help.status, 0);
  t.match(help.stdout, /Examples:\n {2}npm run conformance:linux/);
  t.end();
});
