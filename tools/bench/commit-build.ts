/** Another commit of this repository, built in a git worktree of its own that is removed again. */
import { type SpawnSyncReturns, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { track } from './lineup.js';

/** The repository or the package this program was built from. */
const OWN_ROOT = fileURLToPath(new URL('../../..', import.meta.url)).replace(/\/$/, '');

/** What a commit must have to be measured: the servers of `bench -- tap`. */
const SERVER_SOURCE = 'tools/bench/server-millrace.ts';

/** Lines of a failed build that are shown: the first errors say what is wrong. */
const OUTPUT_LINES_MAX = 12;

const FOLDER_PREFIX = 'millrace-against-';

/** The commit cannot be had or built. */
export class CommitError extends Error {
  override readonly name = 'CommitError';
}

export interface Commit {
  readonly hash: string;
  /** As `git log --oneline` shows it. */
  readonly label: string;
}

/** No hook of the user's may run for a worktree that lives for some minutes. */
function gitArgs(root: string, ...args: string[]): string[] {
  return ['-C', root, '-c', 'core.hooksPath=/dev/null', ...args];
}

function git(root: string, ...args: string[]): SpawnSyncReturns<string> {
  // Git's messages are read below, in English.
  const env = { ...process.env, LC_ALL: 'C' };
  const result = spawnSync('git', gitArgs(root, ...args), { encoding: 'utf8', env });
  if (result.error !== undefined) throw new CommitError(`cannot run git: ${result.error.message}`);
  return result;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** Throws CommitError unless `root` is the top of a clone: a package inside another repository would find that one's commits. */
function requireClone(root: string): void {
  const { status, stdout, stderr } = git(root, 'rev-parse', '--show-toplevel');
  if (status !== 0 && !/not a git repository/.test(stderr)) throw new CommitError(`git: ${lastLine(stderr)}`);
  if (status !== 0 || realpathSync(stdout.trim()) !== realpathSync(root)) {
    throw new CommitError(`${root} is not a git repository: another commit can only be built from a clone`);
  }
}

function describe(root: string, hash: string): Commit {
  const { stdout } = git(root, 'log', '-1', '--no-decorate', '--format=%h %s', hash);
  return { hash, label: stdout.trim() };
}

/** Throws CommitError: no clone, no such commit, a commit before there was what is to be measured, `source`. */
export function findCommit(name: string, root: string = OWN_ROOT, source: string = SERVER_SOURCE): Commit {
  requireClone(root);
  const { status, stdout } = git(root, 'rev-parse', '--verify', '--quiet', '--end-of-options', `${name}^{commit}`);
  if (status !== 0) throw new CommitError(`no commit is called ${name} in ${root}`);
  const commit = describe(root, stdout.trim());
  if (git(root, 'cat-file', '-e', `${commit.hash}:${source}`).status !== 0) {
    throw new CommitError(`${commit.label}: has no ${source}, so there is nothing to measure`);
  }
  return commit;
}

/** The tree this program was built from. */
export function ownTree(root: string = OWN_ROOT): Commit {
  const commit = describe(root, git(root, 'rev-parse', 'HEAD').stdout.trim());
  const isChanged = git(root, 'status', '--porcelain', '--untracked-files=no').stdout !== '';
  return isChanged ? { ...commit, label: `${commit.label}, with changes` } : commit;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** Worktrees left by a run that was killed outright. The name holds the pid, so that of a live run is not touched. */
function removeStale(root: string): void {
  for (const line of git(root, 'worktree', 'list', '--porcelain').stdout.split('\n')) {
    const path = /^worktree (.*)$/.exec(line)?.[1];
    const pid = path === undefined ? undefined : new RegExp(`^${FOLDER_PREFIX}(\\d+)-`).exec(basename(path))?.[1];
    if (path !== undefined && pid !== undefined && !isAlive(Number(pid))) removeWorktree(root, path);
  }
}

function removeWorktree(root: string, path: string): void {
  // Twice `--force`: a worktree in the middle of being made is locked. What git does not know of is removed by us.
  git(root, 'worktree', 'remove', '--force', '--force', path);
  rmSync(path, { recursive: true, force: true });
}

interface Outcome {
  readonly status: number | null;
  readonly output: string;
}

/** Not `spawnSync`: a signal must be able to end us meanwhile, with the worktree removed. */
function run(command: string, args: readonly string[], cwd: string): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = track(spawn(command, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] }));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.once('error', (error) => reject(new CommitError(`cannot run ${command}: ${error.message}`)));
    child.once('close', (status) => resolve({ status, output }));
  });
}

function excerpt(output: string): string {
  const lines = output.trim().split('\n');
  const shown = lines.slice(0, OUTPUT_LINES_MAX).map((line) => `  ${line}`);
  if (lines.length > OUTPUT_LINES_MAX) shown.push(`  … and ${lines.length - OUTPUT_LINES_MAX} lines more`);
  return shown.join('\n');
}

export class CommitBuild {
  readonly commit: Commit;
  readonly #root: string;
  #folder: string | undefined;

  constructor(commit: Commit, root: string = OWN_ROOT) {
    this.commit = commit;
    this.#root = root;
  }

  /** The folder with the commit's bench programs. */
  get programs(): string {
    if (this.#folder === undefined) throw new CommitError(`${this.commit.label}: not built`);
    return join(this.#folder, 'dist', 'tools', 'bench');
  }

  /** Throws CommitError: no right to write in the repository, packages that cannot be had, a build that fails. */
  async build(): Promise<void> {
    const root = this.#root;
    const { hash, label } = this.commit;
    removeStale(root);
    const folder = mkdtempSync(join(tmpdir(), `${FOLDER_PREFIX}${process.pid}-`));
    this.#folder = folder;
    const added = await run('git', gitArgs(root, 'worktree', 'add', '--detach', '--force', folder, hash), root);
    if (added.status !== 0) throw new CommitError(`git worktree add: ${lastLine(added.output)}`);
    await this.#packages(folder);
    const compiler = join(folder, 'node_modules', 'typescript', 'bin', 'tsc');
    // Tests and examples are not needed, and need not compile.
    const built = await run(process.execPath, [compiler, '-b', 'tools'], folder);
    if (built.status !== 0) throw new CommitError(`${label}: does not build\n${excerpt(built.output)}`);
    if (!existsSync(join(this.programs, 'server-millrace.js'))) {
      throw new CommitError(`${label}: its build makes no server-millrace.js`);
    }
  }

  /** Ours when both lock files are the same, byte for byte; else the commit's own. */
  async #packages(folder: string): Promise<void> {
    const own = join(this.#root, 'node_modules');
    const lockOf = (root: string): string => {
      const path = join(root, 'package-lock.json');
      return existsSync(path) ? readFileSync(path, 'utf8') : '';
    };
    if (existsSync(own) && lockOf(folder) === lockOf(this.#root)) {
      symlinkSync(own, join(folder, 'node_modules'));
      return;
    }
    const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional', '--no-audit', '--no-fund'];
    const { status, output } = await run('npm', [...args, '--loglevel=error'], folder);
    if (status !== 0) throw new CommitError(`${this.commit.label}: npm ci failed\n${excerpt(output)}`);
  }

  /** Idempotent; does not wait. */
  remove(): void {
    if (this.#folder === undefined) return;
    removeWorktree(this.#root, this.#folder);
    this.#folder = undefined;
  }
}
