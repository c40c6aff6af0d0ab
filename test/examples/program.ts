import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type t from 'tap';

type Test = Pick<typeof t, 'teardown'>;

/** No example takes this long on a machine that works. */
const PATIENCE_MS = 60_000;

/** One of the examples, as a user runs it: compiled, in a process of its own. */
export class Program {
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  readonly #end: Promise<number | string>;

  constructor(t: Test, name: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    const path = fileURLToPath(new URL(`../../examples/${name}.js`, import.meta.url));
    this.#child = spawn(process.execPath, [path, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
      timeout: PATIENCE_MS,
    });
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.stdout += bytes.toString();
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.stderr += bytes.toString();
    });
    this.#end = once(this.#child, 'close').then(([status, signal]) => (status ?? signal) as number | string);
    t.teardown(() => {
      if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGKILL');
    });
  }

  /** Until its output holds this; throws with what it said when it ends before. */
  async printed(text: string): Promise<void> {
    while (!this.stdout.includes(text)) {
      const more = this.#child.stdout === null ? undefined : once(this.#child.stdout, 'data');
      const ended = await Promise.race([more?.then(() => undefined), this.#end]);
      if (ended !== undefined && !this.stdout.includes(text)) {
        throw new Error(`the example ended (${ended}) and has not printed "${text}": ${this.stdout}${this.stderr}`);
      }
    }
  }

  /** Its exit status, or the signal that ended it. */
  finished(): Promise<number | string> {
    return this.#end;
  }

  stop(): Promise<number | string> {
    this.#child.kill('SIGTERM');
    return this.#end;
  }
}
