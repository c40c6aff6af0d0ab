import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  isDebianLike,
  NODE_MAJOR_MIN,
  orphans,
  packagesOutOfDate,
  programsMissing,
  SYSTEM_PROGRAMS,
} from '../../tools/setup.mjs';
import { PROJECT_ROOT } from '../../tools/tidy.js';

const project = (path: string): string => readFileSync(join(PROJECT_ROOT, path), 'utf8');

t.test('the lock file, compared with what is installed → what is to be done', (t) => {
  const a = { version: '1.0.0', integrity: 'sha512-a' };
  const wanted = { '': {}, 'node_modules/a': a, 'node_modules/b': { ...a, optional: true } };
  t.strictSame(packagesOutOfDate(wanted, {}), ['node_modules/a'], 'nothing installed: all but the optional');
  t.strictSame(
    packagesOutOfDate(wanted, { 'node_modules/a': a }),
    [],
    'an optional package of another platform is not missed',
  );
  t.strictSame(
    packagesOutOfDate(wanted, { 'node_modules/a': { ...a, version: '1.0.1' } }),
    ['node_modules/a'],
    'another version',
  );
  t.strictSame(
    packagesOutOfDate(wanted, { 'node_modules/a': { ...a, integrity: 'sha512-b' } }),
    ['node_modules/a'],
    'other contents',
  );
  const old = { 'node_modules/a': a, 'node_modules/b': { ...a, version: '0.9.0' } };
  t.strictSame(packagesOutOfDate(wanted, old), ['node_modules/b'], 'an optional package of another version');
  t.strictSame(packagesOutOfDate({}, { 'node_modules/a': a }), [], 'one too many does no harm');
  t.end();
});

t.test('this clone, looked at → up to date, or these tests would not run', (t) => {
  const { packages } = JSON.parse(project('package-lock.json'));
  t.strictSame(packagesOutOfDate(packages, JSON.parse(project('node_modules/.package-lock.json')).packages), []);
  t.end();
});

t.test('the lock file → installable from any registry, on any platform', (t) => {
  const { packages } = JSON.parse(project('package-lock.json')) as {
    packages: Record<
      string,
      {
        version?: string;
        integrity?: string;
        resolved?: string;
        hasInstallScript?: boolean;
        optionalDependencies?: Record<string, string>;
      }
    >;
  };
  for (const [path, entry] of Object.entries(packages)) {
    if (path === '') continue;
    if (!entry.version || !entry.integrity || entry.resolved)
      t.fail(`${path} has a version and an integrity, and names no registry`);
    for (const name of Object.keys(entry.optionalDependencies ?? {})) {
      if (!packages[`node_modules/${name}`] && !packages[`${path}/node_modules/${name}`])
        t.fail(`${path}: ${name} is locked`);
    }
  }
  const allowed = Object.keys(JSON.parse(project('package.json')).allowScripts);
  const scripted = Object.keys(packages).filter((path) => packages[path]?.hasInstallScript);
  t.strictSame(
    scripted,
    allowed.map((name) => `node_modules/${name}`),
    'package.json decides on every install script',
  );
  t.end();
});

t.test('system programs, looked for → those not on the path', (t) => {
  const missing = programsMissing('/nowhere').map((entry) => entry.program);
  t.ok(missing.includes('tshark'), 'an empty path has no tshark');
  const folder = t.testdir({ tshark: '', iperf3: {} });
  t.ok(
    programsMissing(folder).some((entry) => entry.program === 'tshark'),
    'a file that cannot be run is no program',
  );
  t.ok(
    programsMissing(folder).some((entry) => entry.program === 'iperf3'),
    'nor is a folder',
  );
  t.end();
});

t.test('the table of programs and the script that installs them → the same packages', (t) => {
  const listed = /^packages=\((.*)\)$/m.exec(project('tools/vm/provision.sh'))?.[1]?.split(' ');
  t.strictSame(
    listed,
    SYSTEM_PROGRAMS.map((entry) => entry.package),
  );
  t.end();
});

t.test('the oldest Node → the same number everywhere it is written', (t) => {
  t.equal(JSON.parse(project('package.json')).engines.node, `>=${NODE_MAJOR_MIN}`);
  t.match(project('tools/vm/provision.sh'), `node_major_min=${NODE_MAJOR_MIN}\n`);
  t.end();
});

t.test('an os-release file, read → Debian and its children, and no other', (t) => {
  t.ok(isDebianLike('NAME="Debian GNU/Linux"\nID=debian\n'));
  t.ok(isDebianLike('ID=ubuntu\nID_LIKE=debian\n'));
  t.ok(isDebianLike('ID=linuxmint\nID_LIKE="ubuntu debian"\n'));
  t.notOk(isDebianLike('ID=fedora\nPRETTY_NAME="not debian"\n'));
  t.notOk(isDebianLike('ID="rhel"\nID_LIKE="fedora"\n'));
  t.end();
});

t.test('a build with the output of deleted sources, looked through → those, and only those', (t) => {
  const root = t.testdir({
    src: { 'a.ts': '', 'b.mjs': '' },
    dist: {
      src: { 'a.js': '', 'a.d.ts': '', 'b.mjs': '', 'gone.js': '', 'gone.d.ts': '' },
      test: { old: { 'x.test.js': '' } },
    },
  });
  t.strictSame(orphans(root), [join(root, 'dist/src/gone'), join(root, 'dist/test/old/x.test')]);
  t.end();
});

t.test('every script of package.json → names a file that is there once built', (t) => {
  const { scripts, bin } = JSON.parse(project('package.json'));
  const named = Object.values(scripts as Record<string, string>).flatMap(
    (script) => script.match(/\S+\.m?js\b/g) ?? [],
  );
  for (const path of [...named, ...Object.values(bin as Record<string, string>)])
    t.ok(existsSync(join(PROJECT_ROOT, path)), path);
  t.end();
});
