import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Order } from './fixtures/many.js';
import type { Ended, RunOptions } from './run-cli.js';

/**
 * The program, run many times in one process: for what ends by itself and leaves nothing running, as everything does that refuses its
 * arguments or prints help. One after the other, because a process has one directory and one environment.
 */
export class ManyRuns {
  readonly #child = fork(fileURLToPath(new URL('./fixtures/many.js', import.meta.url)), { silent: true, execArgv: [] });
  readonly #gone: Promise<never>;
  #last: Promise<unknown> = Promise.resolve();

  constructor(t: { teardown(body: () => void): void }) {
    this.#gone = once(this.#child, 'exit').then(() => {
      throw new Error('the process that runs the program many times has ended');
    });
    this.#gone.catch(() => {});
    // It holds the test's process only while something runs: a test that is done ends, and this with it.
    for (const held of [this.#child, this.#child.stdout, this.#child.stderr])
      (held as { unref?(): void } | null)?.unref?.();
    this.#child.channel?.unref();
    t.teardown(() => this.#child.kill());
  }

  run(args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'> = {}): Promise<Ended> {
    const order: Order = { args, cwd: options.cwd ?? process.cwd(), env: options.env ?? process.env };
    const ended = this.#last.then(async () => {
      const answer = once(this.#child, 'message');
      this.#child.channel?.ref();
      this.#child.send(order);
      try {
        return ((await Promise.race([answer, this.#gone])) as [Ended])[0];
      } finally {
        this.#child.channel?.unref();
      }
    });
    this.#last = ended.catch(() => {});
    return ended;
  }
}
