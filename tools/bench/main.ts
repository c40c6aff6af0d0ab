/** `npm run bench -- NAME`: the benchmarks, by name. */

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { runAgainst } from './against.js';
import { CommitError } from './commit-build.js';
import { runCost } from './cost.js';
import { runFlood } from './flood.js';
import { FLOODS, type FloodKind } from './flood-frames.js';
import { runHogs } from './hogs.js';
import {
  LineupError,
  PLACEMENTS,
  type Placement,
  SERVERS,
  type ServerKind,
  STACK_SERVERS,
  type StackServer,
} from './lineup.js';
import { ProfileError, runProfile } from './profile.js';
import { CONTENDERS, RecoveryError, runRecovery, seedsOf } from './recovery.js';
import { runRecoveryAgainst } from './recovery-against.js';
import { runTap, type TapOptions } from './tap.js';
import { TopologyError } from './topology.js';
import { isWorkload, WORKLOADS, type Workload } from './workload.js';

/** What was asked for cannot be done here: wrong option, missing right, missing device. */
const EXIT_REFUSED = 2;

function positive(text: string): number {
  const value = Number(text);
  if (!(value > 0) || !Number.isFinite(value)) throw new InvalidArgumentError('a number above 0 is expected.');
  return value;
}

function positiveInteger(text: string): number {
  const value = positive(text);
  if (!Number.isInteger(value)) throw new InvalidArgumentError('a whole number above 0 is expected.');
  return value;
}

function connectionCount(text: string): number {
  const value = positiveInteger(text);
  // One source address has 64,512 ports, and a process here may have 20,000 descriptors.
  if (value > 18_000) throw new InvalidArgumentError('at most 18000: a process has that many descriptors.');
  return value;
}

function mtuBytes(text: string): number {
  const value = positiveInteger(text);
  // RFC 791: every host takes 576; a TAP takes 65,535 less its link header.
  if (value < 576 || value > 65_521) throw new InvalidArgumentError('576 to 65521 are allowed.');
  return value;
}

function list<T extends string>(known: readonly T[]): (text: string) => readonly T[] {
  return (text) => {
    const names = text.split(',');
    for (const name of names) {
      if (!(known as readonly string[]).includes(name)) {
        throw new InvalidArgumentError(`${name === '' ? 'an empty name' : name} is not one of ${known.join(', ')}.`);
      }
    }
    // In our order, once each: the order of the columns and of the runs.
    return known.filter((name) => names.includes(name));
  };
}

interface TapFlags {
  readonly json?: true;
  readonly quick?: true;
  readonly runs?: number;
  readonly seconds?: number;
  readonly connections?: number;
  readonly mtu: number;
  readonly placement?: Placement;
  readonly servers: readonly ServerKind[];
  readonly only: readonly Workload[];
  readonly profile?: string;
}

/** What both mean by their flags; `runs` without --runs and --quick. */
function settingsOf(flags: Omit<TapFlags, 'servers'>, runs: number): Omit<TapOptions, 'servers'> {
  const quick = flags.quick === true;
  return {
    json: flags.json === true,
    quick,
    runs: flags.runs ?? (quick ? 1 : runs),
    seconds: flags.seconds ?? (quick ? 0.5 : 1.5),
    connections: flags.connections ?? (quick ? 2_000 : 10_000),
    mtu: flags.mtu,
    placement: flags.placement ?? (flags.profile === undefined ? 'shared' : 'apart'),
    workloads: flags.only,
    ...(flags.profile === undefined ? {} : { profile: flags.profile }),
  };
}

async function tap(flags: TapFlags): Promise<void> {
  await runTap({ ...settingsOf(flags, 3), servers: flags.servers });
}

type Flags = Omit<TapFlags, 'servers'> & { readonly servers: readonly StackServer[] };

async function against(commit: string, flags: Flags): Promise<void> {
  await runAgainst({ ...settingsOf(flags, 5), servers: flags.servers, commit });
}

interface FloodFlags {
  readonly json?: true;
  readonly quick?: true;
  readonly runs?: number;
  readonly seconds?: number;
  readonly server: StackServer;
  readonly only: readonly FloodKind[];
}

function floodSeconds(text: string): number {
  const value = positive(text);
  if (value > 60) throw new InvalidArgumentError('at most 60: a flood is bounded.');
  return value;
}

async function floods(commit: string | undefined, flags: FloodFlags): Promise<void> {
  const quick = flags.quick === true;
  await runFlood({
    json: flags.json === true,
    quick,
    runs: flags.runs ?? (quick ? 1 : 3),
    seconds: flags.seconds ?? (quick ? 0.5 : 2),
    server: flags.server,
    kinds: flags.only,
    ...(commit === undefined ? {} : { commit }),
  });
}

interface HogsFlags {
  readonly json?: true;
  readonly quick?: true;
  readonly runs?: number;
  readonly connections?: number;
  readonly server: StackServer;
}

async function peersThatNeverRead(commit: string | undefined, flags: HogsFlags): Promise<void> {
  const quick = flags.quick === true;
  await runHogs({
    json: flags.json === true,
    runs: flags.runs ?? (quick ? 1 : 3),
    connections: flags.connections ?? (quick ? 500 : 8300),
    server: flags.server,
    ...(commit === undefined ? {} : { commit }),
  });
}

interface RecoveryFlags {
  readonly json?: true;
  readonly quick?: true;
  readonly update?: true;
  readonly seeds: number;
  readonly against?: string;
  readonly only?: readonly string[];
}

const RECOVERY_COLUMNS: readonly string[] = CONTENDERS.map((contender) => contender.title.replace(' ', '-'));

async function recovery(flags: RecoveryFlags): Promise<void> {
  const common = { json: flags.json === true, quick: flags.quick === true, seeds: seedsOf(flags.seeds) };
  const { against: commit, only } = flags;
  if (commit === undefined) {
    if (only !== undefined) throw new RecoveryError('--only is for --against: the table has all columns');
    runRecovery({ ...common, update: flags.update === true });
    return;
  }
  if (flags.update === true) throw new RecoveryError('--update is for the table: leave out --against');
  const contenders = CONTENDERS.filter((_, i) => only === undefined || only.includes(RECOVERY_COLUMNS[i]));
  await runRecoveryAgainst({ ...common, commit, contenders });
}

const placementOption = new Option('--placement <where>', 'shared: server and load on one CPU; apart: on one each')
  .choices(PLACEMENTS)
  .default(undefined, 'shared; apart with --profile');
const onlyOption = new Option('--only <names>', `measures, of ${WORKLOADS.join(', ')}`)
  .argParser(list(WORKLOADS.filter(isWorkload)))
  .default(WORKLOADS, 'all');

function build(): Command {
  const program = new Command('bench')
    .description('Benchmarks of Millrace. The last line of each is its figure.')
    .usage('NAME [options]')
    .showHelpAfterError('(npm run bench -- --help lists the benchmarks)')
    .addHelpText(
      'after',
      `
Examples:
  npm run bench -- tap                      all measures against node:net, about four minutes
  npm run bench -- tap --quick --json       one short run, one JSON object as the last line
  npm run bench -- against main             this tree against another commit, row by row, about ten minutes
  npm run bench -- flood                    a live echo beside floods, over a TAP
  npm run bench -- recovery                 goodput by loss, round trip and buffer: the committed table
  npm run bench -- recovery --against main  the same by another commit's stack, too, and the change of each cell
  npm run bench -- tap --only round-trips-64 --servers reactor --profile profiles
                                            a CPU profile of the reactor under that load`,
    )
    .exitOverride();
  program
    .command('tap')
    .description('Millrace over TAP and node:net over veth, side by side, under one load program (root)')
    .option('--json', 'one JSON object as the last line')
    .option('--quick', 'one run of half a second: a look, not a figure')
    .option('--runs <n>', 'runs to take the median of (default: 3)', positiveInteger)
    .option('--seconds <s>', 'length of a measured run (default: 1.5)', positive)
    .option('--connections <n>', 'idle connections (default: 10000)', connectionCount)
    .option('--mtu <bytes>', 'of both links', mtuBytes, 1500)
    .addOption(placementOption)
    .addOption(
      new Option('--servers <names>', `columns, of ${SERVERS.join(', ')}`)
        .argParser(list(SERVERS))
        .default(SERVERS, 'all'),
    )
    .addOption(onlyOption)
    .option('--profile <dir>', 'write a .cpuprofile of each server and measure there')
    .action(tap);
  program
    .command('against')
    .description('another commit, built in a worktree of its own, and this tree, in turn under one load program (root)')
    .argument('<commit>', 'a name git knows: a hash, a branch, a tag')
    .option('--json', 'one JSON object as the last line')
    .option('--quick', 'one run of half a second each: a look, not a figure')
    .option('--runs <n>', 'runs of each side to take the median of (default: 5)', positiveInteger)
    .option('--seconds <s>', 'length of a measured run (default: 1.5)', positive)
    .option('--connections <n>', 'idle connections (default: 10000)', connectionCount)
    .option('--mtu <bytes>', 'of the link', mtuBytes, 1500)
    .addOption(placementOption)
    .addOption(
      new Option('--servers <names>', `of ${STACK_SERVERS.join(', ')}`)
        .argParser(list(STACK_SERVERS))
        .default(STACK_SERVERS, 'both'),
    )
    .addOption(onlyOption)
    .option('--profile <dir>', 'write a .cpuprofile of each run there')
    .action(against);
  program
    .command('flood')
    .description('p50 and p99 of a live echo over a TAP beside floods at half the rate that saturates (root, two CPUs)')
    .argument('[commit]', 'another commit to measure in turn')
    .option('--json', 'one JSON object as the last line')
    .option('--quick', 'one run of half a second each: a look, not a figure')
    .option('--runs <n>', 'runs to take the median of (default: 3)', positiveInteger)
    .option('--seconds <s>', 'length of a measured run, at most 60 (default: 2)', floodSeconds)
    .addOption(new Option('--server <name>', 'the server').choices(STACK_SERVERS).default('reactor'))
    .addOption(
      new Option('--only <names>', `floods, of ${FLOODS.join(', ')}`).argParser(list(FLOODS)).default(FLOODS, 'all'),
    )
    .action(floods);
  program
    .command('hogs')
    .description('a page over a TAP beside thousands of peers that ask for much and never read (root, two CPUs)')
    .argument('[commit]', 'another commit to measure in turn')
    .option('--json', 'one JSON object as the last line')
    .option('--quick', 'one run beside 500: a look, not a figure')
    .option('--runs <n>', 'runs to take the median of (default: 3)', positiveInteger)
    .option('--connections <n>', 'peers that never read (default: 8300)', connectionCount)
    .addOption(new Option('--server <name>', 'the server').choices(STACK_SERVERS).default('reactor'))
    .action(peersThatNeverRead);
  program
    .command('cost')
    .description('what a turn and a frame over a TAP cost: the constants of the virtual world’s cost model (root)')
    .option('--json', 'one JSON object as the last line')
    .option('--runs <n>', 'runs to take the least of', positiveInteger, 5)
    .action((flags: { readonly json?: true; readonly runs: number }) => runCost(flags.runs, flags.json === true));
  program
    .command('recovery')
    .description('goodput over a lossy link in virtual time, for Reno and CUBIC, without and with SACK')
    .option('--json', 'one JSON object as the last line')
    .option('--quick', 'six rows of the hundred and five')
    .option('--update', 'write the table to test/golden/recovery.txt')
    .option('--seeds <n>', 'runs of each cell, each with other losses', positiveInteger, 3)
    .option('--against <commit>', 'each cell by that commit’s stack, too, and the change')
    .addOption(
      new Option('--only <columns>', `with --against: of ${RECOVERY_COLUMNS.join(', ')}`)
        .argParser(list(RECOVERY_COLUMNS))
        .default(undefined, 'all'),
    )
    .action(recovery);
  program
    .command('profile')
    .description('where the time of a .cpuprofile went, as text')
    .argument('<file>')
    .option('--top <n>', 'rows to show', positiveInteger, 30)
    .option('--json', 'one JSON object as the last line')
    .action((file: string, flags: { readonly top: number; readonly json?: true }) => {
      runProfile(file, flags.top, flags.json === true);
    });
  program
    .command('memory')
    .description('what the stack’s tables cost, beside what they replace')
    .helpOption(false)
    .allowUnknownOption()
    .allowExcessArguments()
    .argument('[args...]')
    .action((args: readonly string[]) => runProgram('memory.js', args));
  return program;
}

/** A benchmark that is a program of its own: its memory must be nobody else's. */
function runProgram(name: string, args: readonly string[]): void {
  const path = fileURLToPath(new URL(name, import.meta.url));
  if (!existsSync(path)) throw new LineupError(`${name} is not built; run npm run build`);
  const { status, error } = spawnSync(process.execPath, ['--expose-gc', path, ...args], { stdio: 'inherit' });
  if (error !== undefined) throw error;
  process.exitCode = status ?? 1;
}

function exitStatusOf(error: unknown): number {
  if (!(error instanceof Error)) throw error;
  // Commander has printed what it has to say; help and version are no errors.
  if ('exitCode' in error && typeof error.exitCode === 'number') return error.exitCode === 0 ? 0 : EXIT_REFUSED;
  process.stderr.write(`bench: ${error.message}\n`);
  const isRefusal =
    error instanceof TopologyError ||
    error instanceof LineupError ||
    error instanceof CommitError ||
    error instanceof ProfileError ||
    error instanceof RecoveryError;
  return isRefusal ? EXIT_REFUSED : 1;
}

function main(): Promise<number> {
  const program = build();
  const known = program.commands.map((command) => command.name());
  const [name] = process.argv.slice(2);
  if (name === undefined || (!name.startsWith('-') && name !== 'help' && !known.includes(name))) {
    const what = name === undefined ? 'which benchmark?' : `no benchmark is called ${name};`;
    process.stderr.write(`bench: ${what} known: ${known.join(', ')}\n`);
    return Promise.resolve(EXIT_REFUSED);
  }
  return program.parseAsync().then(
    () => Number(process.exitCode ?? 0),
    (error: unknown) => exitStatusOf(error),
  );
}

process.exitCode = await main();
