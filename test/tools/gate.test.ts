import { spawnSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { NODE_VERSIONS } from '../../tools/nodes/versions.js';
import { PROJECT_ROOT } from '../../tools/tidy.js';

t.test("a run's output, counted → passed, failed, skipped", (t) => {
  const count = (text: string): string => {
    const file = join(t.testdir({ tap: text }), 'tap');
    return spawnSync(process.execPath, [join(PROJECT_ROOT, '.ci', 'count.mjs'), file], { encoding: 'utf8' }).stdout;
  };
  t.equal(count('ok 1\n# { total: 5, pass: 5 }\n'), '5 0 0\n', 'all passed');
  t.equal(count('not ok 1\n# { total: 9, pass: 5, fail: 2, skip: 1, todo: 1 }\n'), '5 2 2\n', 'each kind');
  t.equal(
    count('# { total: 2, pass: 2 }\n# { total: 5, pass: 4, fail: 1 }\n'),
    '4 1 0\n',
    "the last summary is the run's",
  );
  t.equal(count('    ok 1\n    ok 2\n'), '2 1 0\n', 'cut short, with nothing failed yet → failed');
  t.equal(count('Bail out! no\n# { total: 5, pass: 5 }\n'), '5 1 0\n', 'given up → failed');
  t.equal(count('# { total: 0 }\n'), '0 1 0\n', 'nothing run → failed');
  t.equal(count(''), '0 1 0\n', 'no output → failed');
  t.end();
});

t.test('scripts, read by their own interpreters → no error', (t) => {
  for (const script of ['.ci/run', 'tools/vm/provision.sh']) {
    const path = join(PROJECT_ROOT, script);
    t.equal(spawnSync('bash', ['-n', path], { encoding: 'utf8' }).stderr, '', script);
    t.ok(statSync(path).mode & 0o100, `${script} can be run`);
  }
  const vagrantfile = join(PROJECT_ROOT, 'Vagrantfile');
  const ruby = spawnSync('ruby', ['-c', vagrantfile], { encoding: 'utf8' });
  if (ruby.error) t.pass('Vagrantfile', { skip: 'no ruby here to read it' });
  else t.equal(ruby.status, 0, ruby.stderr);
  t.end();
});

t.test('the gate → runs the tests of the sockets by the two newest versions of Node', (t) => {
  const text = readFileSync(join(PROJECT_ROOT, '.ci', 'run'), 'utf8');
  const newest = NODE_VERSIONS.slice(-2).map(({ version }) => version.split('.')[0]);
  t.match(text, `test:nodes -- --only ${newest.join(',')})`);
  t.match(text, /^step '[^']*test:nodes[^']*' \d+ bash -c nodes$/m);
  t.match(text, /^export -f .*\bnodes\b/m, 'known to the shell that the step starts');
  t.end();
});

t.test('provisioning by an ordinary user → one line, and nothing tried', { skip: process.getuid?.() !== 0 }, (t) => {
  const run = spawnSync('bash', ['tools/vm/provision.sh'], { cwd: PROJECT_ROOT, encoding: 'utf8', uid: 65534 });
  if (run.error || /Permission denied/.test(run.stderr))
    t.pass('refused', { skip: 'this clone is closed to other users' });
  else {
    t.equal(run.stderr, 'provision: system packages need root: sudo bash tools/vm/provision.sh\n');
    t.equal(run.status, 1);
  }
  t.end();
});

t.test('the program without a build → one line, status 2', (t) => {
  const root = t.testdir({ bin: { 'millrace.js': t.fixture('symlink', join(PROJECT_ROOT, 'bin', 'millrace.js')) } });
  const options = { encoding: 'utf8' } as const;
  const run = spawnSync(
    process.execPath,
    ['--preserve-symlinks', '--preserve-symlinks-main', join(root, 'bin', 'millrace.js')],
    options,
  );
  t.equal(run.stderr, 'millrace: not built yet: run npm run build\n');
  t.equal(run.status, 2);
  t.end();
});
