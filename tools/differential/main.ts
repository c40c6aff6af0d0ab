/** `npm run differential`: random sequences to our stack and to the kernel that runs, and what differs. */

import { Command, InvalidArgumentError } from 'commander';
import { generate } from './generate.js';
import { hunt, kindsOf, shrink } from './hunt.js';
import { DifferentialError, runningProfile } from './kernel-side.js';
import { jsonReport, reportLines } from './report.js';

interface Flags {
  readonly seed: number;
  readonly runs: number;
  readonly only?: number;
  readonly shrink: boolean;
  readonly json?: true;
  readonly verbose?: true;
}

/** Something differs that nobody has explained. */
const EXIT_DIFFERS = 1;
/** It cannot be done here, or was asked for in a wrong way. */
const EXIT_REFUSED = 2;
const SEED_MAX = 0xffff_ffff;
const RUNS_MAX = 20_000;

function whole(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === '' || !Number.isInteger(value) || value < least || value > most)
      throw new InvalidArgumentError(`a whole number from ${least} to ${most} is expected.`);
    return value;
  };
}

async function run(flags: Flags): Promise<void> {
  const profile = runningProfile();
  const count = flags.only === undefined ? flags.runs : 1;
  const first = flags.only ?? flags.seed;
  const sequences = Array.from({ length: count }, (_, i) => generate((first + i) >>> 0));
  let done = 0;
  const progress = (text: string) => {
    if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
  };
  const result = await hunt(sequences, profile, () => {
    done += 1;
    if (done % 10 === 0) progress(`${done} of ${count} sequences`);
  });
  const kinds = kindsOf(result.found.filter(({ rule }) => rule === undefined));
  const firsts = [...kinds.values()].flatMap(([one]) => (one === undefined ? [] : [one]));
  const unexplained = flags.shrink
    ? await shrink(firsts, profile, (round) => progress(`shrinking ${firsts.length}, round ${round}`))
    : firsts;
  progress('');
  const lines =
    flags.json === true
      ? [JSON.stringify(jsonReport(result, unexplained, profile))]
      : reportLines(result, unexplained, profile);
  for (const line of lines) process.stdout.write(`${line}\n`);
  if (unexplained.length > 0) process.exitCode = EXIT_DIFFERS;
}

function build(): Command {
  return new Command('differential')
    .description(
      'The same random sequences of calls and segments to our stack and to the Linux that runs here, and what differs (root).',
    )
    .option('--seed <n>', 'of the first sequence; each has the next number', whole(0, SEED_MAX), 1)
    .option('--runs <n>', 'sequences', whole(1, RUNS_MAX), 1000)
    .option('--only <seed>', 'the one sequence of this seed', whole(0, SEED_MAX))
    .option('--no-shrink', 'print differences as they were found, with all steps')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  npm run differential                                 a thousand sequences, about half a minute
  npm run differential -- --seed 5000 --runs 200       others, fewer
  npm run differential -- --only 5017 --no-shrink      one of them, whole

The exit status is 1 where something differs that no rule explains, and 2 where it cannot be done: without root, without
/dev/net/tun, or on a kernel that there is no profile for.`,
    )
    .exitOverride()
    .action(run);
}

try {
  await build().parseAsync();
} catch (error) {
  if (error instanceof DifferentialError) {
    process.stderr.write(`differential: ${error.message} (${error.code})\n`);
    process.exitCode = EXIT_REFUSED;
  } else if (error instanceof Error && 'exitCode' in error) {
    // Commander has printed what it has to say; help is no error.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_REFUSED;
  } else throw error;
}
