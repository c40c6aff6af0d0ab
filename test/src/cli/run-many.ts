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
    t.teardown(() => this.#child.kill());
  }

  run(args: readonly string[], options: Pick<RunOptions, 'cwd' | 'env'> = {}): Promise<Ended> {
    const order: Order = { args, cwd: options.cwd ?? process.cwd(), env: options.env ?? process.env };
    const ended = this.#last.then(async () => {
      const answer = once(this.#child, 'message');
      this.#child.send(order);
      return ((await Promise.race([answer, this.#gone])) as [Ended])[0];
    });
    this.#last = ended.catch(() => {});
    return ended;
  }
}
