/** What a benchmark made is removed however the benchmark ends: by itself, by an error, by a signal. */
import { killAll } from './lineup.js';

const STATUS_OF_SIGNAL = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

/** Runs `body`. Then, or on a signal, ends all child processes and calls `cleanUp`, which must not wait for anything. */
export async function withCleanUp<T>(cleanUp: () => void, body: () => Promise<T>): Promise<T> {
  const abandon = (signal: NodeJS.Signals): void => {
    killAll();
    cleanUp();
    process.exit(STATUS_OF_SIGNAL[signal as keyof typeof STATUS_OF_SIGNAL]);
  };
  const signals = Object.keys(STATUS_OF_SIGNAL) as (keyof typeof STATUS_OF_SIGNAL)[];
  for (const signal of signals) process.once(signal, abandon);
  try {
    return await body();
  } finally {
    killAll();
    cleanUp();
    for (const signal of signals) process.off(signal, abandon);
  }
}
