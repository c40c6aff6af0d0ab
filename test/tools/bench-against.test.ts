/** `bench against COMMIT`: another commit found and built, in repositories made here; and the whole of it on this one. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import t, { type Test } from 'tap';
import { CommitBuild, findCommit } from '../../tools/bench/commit-build.js';

const root = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');
const entry = fileURLToPath(new URL('../../tools/bench/main.js', import.meta.url));
const hasGit = spawnSync('git', ['--version']).status === 0;
const noGit = hasGit ? false : 'no git here';

function git(folder: string, ...args: string[]): string {
  const identity = ['-c', 'user.name=test', '-c', 'user.email=test@example.org', '-c', 'commit.gpgsign=false'];
  const { status, stdout, stderr } = spawnSync('git', ['-C', folder, ...identity, ...args], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`git ${args.join(' ')}: ${stderr}`);
  return stdout.trim();
}

function folder(t: Test): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-test-')));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

const LOCK = '{ "lockfileVersion": 3, "packages": {} }\n';
const SERVER = 'tools/bench/server-millrace.ts';
const TSCONFIG =
  '{ "compilerOptions": { "composite": true, "rootDir": ".", "outDir": "../dist/tools", "types": [] } }\n';

/** A repository with our packages and these files, committed. */
function repository(t: Test, files: Readonly<Record<string, string>>): string {
  const path = folder(t);
  git(path, 'init', '--quiet');
  symlinkSync(realpathSync(join(root, 'node_modules')), join(path, 'node_modules'));
  commit(path, {
    '.gitignore': 'node_modules\ndist\n',
    'package.json': '{ "type": "module" }\n',
    'package-lock.json': LOCK,
    ...files,
  });
  return path;
}

function commit(path: string, files: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(path, name)), { recursive: true });
    writeFileSync(join(path, name), content);
  }
  git(path, 'add', '--all');
  git(path, 'commit', '--quiet', '--message=a commit');
}

function worktrees(path: string): string[] {
  return git(path, 'worktree', 'list', '--porcelain')
    .split('\n')
    .filter((line) => line.startsWith('worktree '));
}

t.test('a commit that is not there, a folder that is no clone → what is wrong', { skip: noGit }, (t) => {
  const path = repository(t, { [SERVER]: '' });
  t.throws(() => findCommit('nosuch', path), /no commit is called nosuch/);
  t.throws(() => findCommit('--all', path), /no commit is called --all/);
  t.throws(() => findCommit('HEAD', folder(t)), /is not a git repository/);
  // As a package is, installed below a program that is a repository itself.
  const inner = join(path, 'node_modules_of_mine');
  mkdirSync(inner);
  t.throws(() => findCommit('HEAD', inner), /is not a git repository/);
  t.end();
});

t.test('a commit from before there were servers → what it lacks', { skip: noGit }, (t) => {
  const path = repository(t, { 'README.md': '' });
  t.throws(() => findCommit('HEAD', path), /has no tools\/bench\/server-millrace.ts/);
  t.end();
});

t.test('a commit that builds → its own program, and the worktree goes with it', { skip: noGit }, async (t) => {
  const path = repository(t, { [SERVER]: 'export const version = 1;\n', 'tools/tsconfig.json': TSCONFIG });
  const first = findCommit('HEAD', path);
  commit(path, { [SERVER]: 'export const version = 2;\n' });
  const build = new CommitBuild(first, path);
  t.teardown(() => build.remove());
  t.throws(() => build.programs, /not built/);
  await build.build();
  const { version } = (await import(join(build.programs, 'server-millrace.js'))) as { version: number };
  t.equal(version, 1);
  t.equal(worktrees(path).length, 2);
  const made = build.programs;
  build.remove();
  build.remove();
  t.equal(worktrees(path).length, 1);
  t.notOk(existsSync(made));
  t.ok(existsSync(join(path, 'node_modules', 'typescript')), 'packages that are only linked to stay');
});

t.test('a commit that does not build → the compiler’s words', { skip: noGit }, async (t) => {
  const path = repository(t, { [SERVER]: 'export const version: string = 1;\n', 'tools/tsconfig.json': TSCONFIG });
  const build = new CommitBuild(findCommit('HEAD', path), path);
  t.teardown(() => build.remove());
  await t.rejects(build.build(), /a commit: does not build\n.*server-millrace.ts.*TS2322/s);
});

t.test('another lock file → packages of its own, not ours', { skip: noGit }, async (t) => {
  const path = repository(t, { [SERVER]: '', 'tools/tsconfig.json': TSCONFIG });
  const first = findCommit('HEAD', path);
  commit(path, { 'package-lock.json': LOCK.replace('3', '2') });
  const build = new CommitBuild(first, path);
  t.teardown(() => build.remove());
  // Its lock file has no compiler, and ours must not be taken instead.
  await t.rejects(build.build(), /does not build\n.*Cannot find module/s);
});

t.test('a worktree left by a run that was killed → removed by the next', { skip: noGit }, async (t) => {
  const path = repository(t, { [SERVER]: '', 'tools/tsconfig.json': TSCONFIG });
  const { pid } = spawnSync(process.execPath, ['--version']);
  const left = join(folder(t), `millrace-against-${pid}-abc`);
  const live = join(folder(t), `millrace-against-${process.pid}-abc`);
  for (const place of [left, live]) git(path, 'worktree', 'add', '--quiet', '--detach', place);
  const build = new CommitBuild(findCommit('HEAD', path), path);
  t.teardown(() => build.remove());
  await build.build();
  t.notOk(existsSync(left));
  t.ok(existsSync(live), 'that of a live process stays');
});

/** Why the whole cannot run here. */
function whyNot(): string | false {
  if (process.getuid?.() !== 0) return 'network namespaces with names are root’s';
  if (!existsSync('/dev/net/tun')) return 'no /dev/net/tun';
  try {
    findCommit('HEAD');
    return false;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
const skip = whyNot();

function leftBy(pid: number | undefined): string[] {
  const namespaces = existsSync('/run/netns') ? readdirSync('/run/netns') : [];
  const folders = readdirSync(tmpdir());
  return [
    ...namespaces.filter((name) => name.startsWith(`mrbench-${pid}-`)),
    ...folders.filter((name) => name.startsWith(`millrace-against-${pid}-`)),
    ...worktrees(root).filter((line) => line.includes(`millrace-against-${pid}-`)),
  ];
}

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [entry, 'against', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
}

t.test('this commit against itself → old and new of each row, nothing left behind', { skip }, async (t) => {
  const args = ['--quick', '--json', '--runs=1', '--seconds=0.05', '--only=connect-1,idle', '--connections=100'];
  const child = start('HEAD', '--servers=reactor', ...args);
  const [output, errors, [status]] = await Promise.all([
    text(child.stdout!),
    text(child.stderr!),
    once(child, 'close') as Promise<[number]>,
  ]);
  t.equal(status, 0, errors);
  interface Row {
    readonly key: string;
    readonly ratio: number;
    readonly old: { readonly median: number; readonly samples: readonly number[] };
    readonly new: { readonly median: number; readonly samples: readonly number[] };
  }
  const report = JSON.parse(output) as { measures: Row[]; costs: Row[] };
  t.match(report, { benchmark: 'against', runs: 1, old: { hash: git(root, 'rev-parse', 'HEAD') } });
  t.same(
    [...report.measures, ...report.costs].map(({ key }) => key),
    ['reactor-connect-1', 'reactor-idle', 'reactor-connect-1-server-cpu', 'reactor-connect-1-both-cpu'],
  );
  for (const row of [...report.measures, ...report.costs]) {
    t.equal(row.old.samples.length, 1);
    t.equal(row.new.samples.length, 1);
    if (row.key !== 'reactor-idle') t.equal(row.ratio, row.new.median / row.old.median);
  }
  t.same(leftBy(child.pid), []);
});

t.test('SIGTERM while it builds → its status, nothing left behind', { skip }, async (t) => {
  const child = start('HEAD', '--quick');
  t.teardown(() => child.kill('SIGKILL'));
  const closed = once(child, 'close');
  await once(child.stderr!, 'data'); // it has said that it builds
  child.kill('SIGTERM');
  const [status] = await closed;
  t.equal(status, 143);
  t.same(leftBy(child.pid), []);
});

t.test('what cannot be had, at the command line → status 2 and one line', (t) => {
  const run = (...args: string[]) =>
    spawnSync(process.execPath, [entry, 'against', ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  t.match(run(), { status: 2, stderr: /missing required argument 'commit'/ });
  t.match(run('HEAD', '--servers=node'), { status: 2, stderr: /node is not one of reactor, sockets/ });
  t.match(run('nosuch'), { status: 2, stderr: skip === false ? /no commit is called nosuch/ : /^bench: .+\n$/ });
  t.end();
});
