import { type ChildProcess, spawn } from 'node:child_process';
import { accessSync, constants, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { NOBODY, reveal } from '../../unprivileged.js';

export const PROGRAM = fileURLToPath(new URL('../../../../bin/millrace.js', import.meta.url));

/** Why TAP devices cannot be tested here; false when they can. */
export const noTap: string | false =
  process.getuid?.() !== 0
    ? 'needs root: network namespaces and TAP devices'
    : !usable('/dev/net/tun')
      ? 'needs /dev/net/tun'
      : !existsSync('/usr/bin/unshare') || !existsSync('/usr/bin/nsenter')
        ? 'needs unshare and nsenter (util-linux)'
        : false;

function usable(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

export interface RunOptions {
  /** In a network namespace of its own. */
  readonly namespace?: boolean;
  readonly cwd?: string;
  readonly env?: NodeJS.ProcessEnv;
  /** As a user without rights. Needs root, to give it up. */
  readonly unprivileged?: boolean;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as `nobody` runs it, where it can read the program wherever that lies. */
function asNobody(command: readonly string[]): string[] {
  const drop = `exec setpriv --reuid=${NOBODY} --regid=${NOBODY} --clear-groups "$@"`;
  return ['unshare', '--mount', 'sh', '-c', `${reveal()} && ${drop}`, 'sh', ...command];
}

/** A run of the program as a user starts it, its output collected. */
export class Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  stdout = '';
  stderr = '';
  readonly #waiting: (() => void)[] = [];

  constructor(args: readonly string[], options: RunOptions = {}) {
    let command = [process.execPath, PROGRAM, ...args];
    if (options.unprivileged === true) command = asNobody(command);
    const [file, ...rest] = options.namespace === true ? ['unshare', '--net', ...command] : command;
    this.child = spawn(file, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd: options.cwd,
      env: options.env ?? process.env,
    });
    // A test that fails half-way leaves no server behind.
    const kill = (): void => void this.child.kill('SIGKILL');
    process.once('exit', kill);
    this.child.once('exit', () => process.off('exit', kill));
    this.child.stdout?.on('data', (chunk: Buffer) => {
      this.stdout += chunk.toString();
      this.#changed();
    });
    this.child.stderr?.on('data', (chunk: Buffer) => {
      this.stderr += chunk.toString();
    });
    this.ended = new Promise((resolve, reject) => {
      this.child.once('error', reject);
      this.child.once('close', (status, signal) => {
        this.#changed();
        resolve({ status, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  /** Resolves once standard output matches; rejects when the program ends without. */
  async says(pattern: RegExp): Promise<void> {
    while (!pattern.test(this.stdout)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) {
        throw new Error(`the program ended and never said ${pattern}: ${this.stdout}${this.stderr}`);
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  /** Runs a program beside it, in its network namespace. */
  beside(file: string, ...args: string[]): Promise<Ended> {
    return new Promise((resolve, reject) => {
      const child = spawn('nsenter', [`--net=/proc/${this.pid}/ns/net`, file, ...args], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      let stdout = '';
      let stderr = '';
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk.toString('latin1');
      });
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk.toString();
      });
      child.once('error', reject);
      child.once('close', (status, signal) => resolve({ status, signal, stdout, stderr }));
    });
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  return new Run(args, options).ended;
}

/** A directory of the test's own; removed at its end. */
export function scratch(t: { teardown(fn: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-test-'));
  t.teardown(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** An environment whose control sockets lie in `directory`, apart from those of instances that really run. */
export function privately(directory: string): NodeJS.ProcessEnv {
  return { ...process.env, XDG_RUNTIME_DIR: directory };
}
