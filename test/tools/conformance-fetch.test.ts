import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { cachedScripts, explain, fetchScripts } from '../../tools/conformance/fetch.js';
import { KERNELS, type Kernel, SCRIPTS_IN_SOURCE } from '../../tools/conformance/kernels.js';
import { Refusal } from '../../tools/conformance/refusal.js';
import { type Machine, parseDeb822, parseList, sourcesFor } from '../../tools/conformance/sources.js';

t.setTimeout(120_000);

const RELEASE = 'PRETTY_NAME="Debian"\nVERSION_CODENAME=bookworm\nID=debian\n';
const DEB822 = `Types: deb deb-src
# not this one
URIs: http://archive.invalid/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc

Types: deb
URIs: http://security.invalid/debian-security
Suites: bookworm-security
Components: main
Signed-By: /keys/debian.gpg

Types: deb
Enabled: no
URIs: http://off.invalid/
Suites: bookworm
Components: main

Types: deb
URIs: http://others.invalid/
Suites: nodistro
Components: main
`;

function machineOf(folder: string): Machine {
  return { apt: join(folder, 'apt'), release: join(folder, 'os-release') };
}

function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
  return 'none';
}

t.test(
  "the machine's sources as stanzas → the release's own with its security, or one other suite of the archive",
  (t) => {
    const machine = machineOf(
      t.testdir({
        'os-release': RELEASE,
        apt: { 'sources.list.d': { 'debian.sources': DEB822, 'x.txt': 'deb a b main' } },
      }),
    );
    t.same(
      parseDeb822(sourcesFor(undefined, machine)).map(({ uris, suites, components }) => [...uris, suites, components]),
      [
        ['http://archive.invalid/debian', ['bookworm', 'bookworm-updates'], ['main']],
        ['http://security.invalid/debian-security', ['bookworm-security'], ['main']],
      ],
    );
    t.equal(
      sourcesFor('trixie-backports', machine),
      `Types: deb
URIs: http://archive.invalid/debian
Suites: trixie-backports
Components: main
Signed-By: 
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 abc
`,
      'the key goes with it',
    );
    t.end();
  },
);

t.test('the sources as lines → read alike, without comments, sources and discs', (t) => {
  const list = `# deb http://no.invalid bookworm main
deb-src http://no.invalid bookworm main
deb cdrom:[Debian]/ bookworm main
deb [arch=amd64 signed-by=/k.gpg] http://a.invalid/debian bookworm main contrib # as it was
`;
  t.same(parseList(list).at(-1), {
    uris: ['http://a.invalid/debian'],
    suites: ['bookworm'],
    components: ['main', 'contrib'],
    fields: new Map([['Signed-By', '/k.gpg']]),
  });
  const machine = machineOf(t.testdir({ 'os-release': RELEASE, apt: { 'sources.list': list } }));
  t.equal(
    sourcesFor('trixie-backports', machine),
    'Types: deb\nURIs: http://a.invalid/debian\nSuites: trixie-backports\nComponents: main\nSigned-By: /k.gpg\n',
  );
  t.end();
});

t.test('a machine without such sources → refused, with a code', (t) => {
  const folder = t.testdir({
    none: { 'os-release': RELEASE, apt: {} },
    other: { 'os-release': 'ID=alpine\nVERSION_CODENAME=x\n', apt: {} },
    security: { 'os-release': RELEASE, apt: { 'sources.list': 'deb http://a.invalid/ bookworm-security main' } },
  });
  const code = (name: string, suite?: string) => codeOf(() => sourcesFor(suite, machineOf(join(folder, name))));
  t.equal(code('none'), 'ERR_NO_SOURCES');
  t.equal(code('missing'), 'ERR_NO_SOURCES');
  t.equal(code('other'), 'ERR_NO_SOURCES');
  t.equal(code('security'), 'none');
  t.equal(code('security', 'trixie-backports'), 'ERR_NO_SOURCES', 'backports are in the archive');
  t.end();
});

t.test("apt's words → ours", (t) => {
  const [kernel] = KERNELS;
  const code = (output: string) => explain(kernel, output).code;
  t.equal(code('E: Unable to locate package linux-source-6.12'), 'ERR_NO_PACKAGE');
  t.equal(code("E: The repository 'http://a x Release' does not have a Release file."), 'ERR_NO_PACKAGE');
  t.equal(code("Err:1 http://a\n  Could not resolve 'a'"), 'ERR_NO_NETWORK');
  t.equal(code('E: Write error - write (28: No space left on device)'), 'ERR_APT_FAILED');
  t.match(explain(kernel, 'E: one\nnoise\nE: two').message, /said\nE: one\nE: two$/);
  t.match(explain(kernel, '').message, /\(nothing\)/);
  t.end();
});

/** An archive with one package that has one kernel's source, for apt to fetch from: what it sees is real. */
function archive(folder: string, name: string): void {
  const source = join(folder, name, SCRIPTS_IN_SOURCE);
  mkdirSync(source, { recursive: true });
  writeFileSync(join(source, 'one.pkt'), '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n');
  writeFileSync(join(source, 'defaults.sh'), '#!/bin/sh\n');
  writeFileSync(join(folder, name, 'Makefile'), 'not a script');
  const root = join(folder, 'root');
  mkdirSync(join(root, 'usr', 'src'), { recursive: true });
  execFileSync('tar', ['-cJf', join(root, 'usr', 'src', `${name}.tar.xz`), '-C', folder, name]);
  const control = `Package: ${name}\nVersion: 1:2.0-1\nArchitecture: all\nMaintainer: nobody <nobody@invalid>\nDescription: a test\n`;
  mkdirSync(join(root, 'DEBIAN'));
  writeFileSync(join(root, 'DEBIAN', 'control'), control);
  mkdirSync(join(folder, 'archive', 'pool'), { recursive: true });
  const deb = join(folder, 'archive', 'pool', 'one.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-b', root, deb]);
  const hash = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
  const arch = execFileSync('dpkg', ['--print-architecture'], { encoding: 'utf8' }).trim();
  const index = `main/binary-${arch}/Packages`;
  const packages = `${control}Filename: pool/one.deb\nSize: ${statSync(deb).size}\nSHA256: ${hash(readFileSync(deb))}\n`;
  const dist = join(folder, 'archive', 'dists', 'bookworm');
  mkdirSync(join(dist, 'main', `binary-${arch}`), { recursive: true });
  writeFileSync(join(dist, index), packages);
  writeFileSync(
    join(dist, 'Release'),
    `Suite: bookworm\nCodename: bookworm\nArchitectures: ${arch}\nComponents: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n ${hash(packages)} ${packages.length} ${index}\n`,
  );
  mkdirSync(join(folder, 'apt'), { recursive: true });
  writeFileSync(
    join(folder, 'apt', 'sources.list'),
    `deb [trusted=yes] file:${join(folder, 'archive')} bookworm main\n`,
  );
  writeFileSync(join(folder, 'os-release'), RELEASE);
}

const noApt = spawnSync('apt-get', ['--version']).status === 0 ? false : 'no apt-get here';

t.test('a package, fetched by apt → its scripts in the cache, verified before each use', { skip: noApt }, async (t) => {
  const folder = t.testdir({});
  const kernel: Kernel = { ...KERNELS[0], version: '0.1', package: 'linux-source-0.1' };
  archive(folder, kernel.package);
  const cache = join(folder, 'cache');
  const said: string[] = [];
  const options = { cache, say: (line: string) => said.push(line), machine: machineOf(folder) };
  t.equal(cachedScripts(kernel, cache), undefined, 'nothing there');
  const scripts = await fetchScripts(kernel, options);
  t.equal(scripts.packageVersion, '1:2.0-1');
  t.same(readdirSync(scripts.folder).sort(), ['defaults.sh', 'one.pkt'], 'nothing else of the source');
  t.same(readdirSync(cache), ['0.1'], 'nothing half done beside it');
  t.match(said[0], /^fetching linux-source-0\.1 /);

  said.length = 0;
  t.same(await fetchScripts(kernel, options), scripts);
  t.same(said, [], 'from the cache, without apt');

  const script = join(scripts.folder, 'one.pkt');
  for (const [what, harm] of [
    ['cut short', () => writeFileSync(script, '0 so')],
    ['missing', () => rmSync(script)],
    ['one too many', () => writeFileSync(join(scripts.folder, 'two.pkt'), '')],
    ['no manifest', () => rmSync(join(cache, '0.1', 'manifest.json'))],
  ] as const) {
    harm();
    t.equal(cachedScripts(kernel, cache), undefined, what);
    await fetchScripts(kernel, options);
    t.match(readFileSync(script, 'utf8'), 'SOCK_STREAM', `${what} → whole again`);
  }
  said.length = 0;
  await fetchScripts(kernel, { ...options, fresh: true });
  t.equal(said.length, 2, 'fresh: fetched though it is there');

  const other: Kernel = { ...kernel, version: '0.2', package: 'linux-source-0.2' };
  await t.rejects(fetchScripts(other, options), { code: 'ERR_NO_PACKAGE' }, 'not in the archive');
  const later: Kernel = { ...other, suite: 'trixie-backports' };
  await t.rejects(fetchScripts(later, options), { code: 'ERR_NO_PACKAGE' }, 'no such suite');
  const deb = join(folder, 'archive', 'pool', 'one.deb');
  writeFileSync(
    deb,
    readFileSync(deb).map((byte, i) => (i === 100 ? byte ^ 1 : byte)),
  );
  await t.rejects(fetchScripts(kernel, { ...options, fresh: true }), { code: 'ERR_APT_FAILED' }, 'another hash');
  t.same(readdirSync(cache), ['0.1'], 'nothing is left of what failed');
  t.not(cachedScripts(kernel, cache), undefined, 'and what was there is kept');
  const env = { ...process.env, PATH: '/nowhere' };
  await t.rejects(fetchScripts(other, { ...options, env }), { code: 'ERR_NO_APT' }, 'no apt');
  const file = join(folder, 'os-release', 'cache');
  await t.rejects(fetchScripts(other, { ...options, cache: file }), { code: 'ERR_CACHE' }, 'cannot be written');
});
