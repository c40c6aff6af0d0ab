/** `bench recovery --against COMMIT`: each cell of the table by another commit's stack and by ours, with the same seeds. See docs/bench.md. */
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import Table from 'cli-table3';
import { type Commit, CommitBuild, CommitError, findCommit, ownTree } from './commit-build.js';
import {
  bytesText,
  type Cell,
  type Contender,
  fullGrid,
  type GridPoint,
  megabits,
  progress,
  quickGrid,
  runCell,
} from './recovery.js';
import { transfer } from './recovery-run.js';
import { withCleanUp } from './way-out.js';

const SOURCE = 'tools/bench/recovery-run.ts';

/** A cell that has lost more than this is named. */
const LOSS_TOLD = 0.03;
/** So many standard errors a change has to exceed: of twenty cells that are the same, one does by chance. */
const ERRORS_FOR_VERDICT = 2;

export interface RecoveryAgainstOptions {
  readonly commit: string;
  readonly contenders: readonly Contender[];
  readonly seeds: readonly number[];
  readonly json: boolean;
  readonly quick: boolean;
}

/** A cell of both builds. */
export interface CellPair {
  readonly title: string;
  readonly old: Cell;
  readonly new: Cell;
  /** Of the means, new over old, less one. */
  readonly change: number;
  /** The standard error of the change. */
  readonly error: number;
}

export interface PairRow extends GridPoint {
  readonly cells: readonly CellPair[];
}

/**
 * The change of the means. Its error is that of a quotient of means over the same seeds: both builds meet the same losses
 * until they first do something else, so what a seed does to both alike is no error of the change.
 */
export function pairOf(title: string, old: Cell, now: Cell): CellPair {
  const ratio = now.mean / old.mean;
  const count = old.samples.length;
  const squares = old.samples.reduce((sum, sample, i) => sum + ((now.samples[i] ?? 0) - ratio * sample) ** 2, 0);
  const error = count < 2 ? 0 : Math.sqrt(squares / (count - 1) / count) / old.mean;
  return { title, old, new: now, change: ratio - 1, error };
}

/** Lower or higher by more than chance explains; one seed tells nothing of chance. */
export function verdictOf(pair: CellPair): 'lower' | 'higher' | 'noise' {
  if (pair.old.samples.length < 2) return 'noise';
  if (Math.abs(pair.change) <= ERRORS_FOR_VERDICT * pair.error) return 'noise';
  return pair.change < 0 ? 'lower' : 'higher';
}

function percent(share: number): string {
  return `${share < 0 ? '−' : '+'}${(Math.abs(share) * 100).toFixed(1)}`;
}

function changeText(pair: CellPair): string {
  return `${percent(pair.change)} ±${(pair.error * 100).toFixed(1)}`;
}

function formatPairs(rows: readonly PairRow[], titles: readonly string[]): string {
  const table = new Table({
    head: ['rtt', 'buffer', 'loss', ...titles],
    colAligns: ['rtt', 'buffer', 'loss', ...titles].map(() => 'right' as const),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    table.push([...pointTexts(row), ...row.cells.map(changeText)]);
  }
  return `${table.toString()}\n`;
}

function pointTexts(point: GridPoint): [string, string, string] {
  return [`${point.rttMs} ms`, bytesText(point.bufferBytes), `${point.lossPercent} %`];
}

/** The mean of the changes of a column, and its standard error. */
function meanOf(pairs: readonly CellPair[]): string {
  const mean = pairs.reduce((sum, pair) => sum + pair.change, 0) / pairs.length;
  const error = Math.hypot(...pairs.map((pair) => pair.error)) / pairs.length;
  return `${percent(mean)} ±${(error * 100).toFixed(1)} %`;
}

/** Cells more than 3 % lower, the surest first; those that chance explains are only counted. */
function formatLower(rows: readonly PairRow[]): string {
  const lower = rows
    .flatMap((row) => row.cells.map((pair) => ({ row, pair })))
    .filter(({ pair }) => pair.change < -LOSS_TOLD);
  const sure = lower.filter(({ pair }) => verdictOf(pair) === 'lower');
  sure.sort((a, b) => a.pair.change / a.pair.error - b.pair.change / b.pair.error);
  const lines = sure.map(({ row, pair }) => {
    const goodput = `${megabits(pair.old.mean)} → ${megabits(pair.new.mean)} Mbit/s`;
    const timeouts = `timeouts ${pair.old.timeouts} → ${pair.new.timeouts}`;
    return `  ${pair.title}, ${pointTexts(row).join(', ')}: ${changeText(pair)} %, ${goodput}, ${timeouts}`;
  });
  const head = `${lower.length} cells more than 3 % lower, ${sure.length} of them by more than two standard errors`;
  return `${[`${head}${sure.length > 0 ? ':' : ''}`, ...lines].join('\n')}\n`;
}

export function formatAgainstReport(rows: readonly PairRow[], seeds: number): string {
  const titles = (rows[0]?.cells ?? []).map((pair) => pair.title);
  const means = titles.map((title, i) => `${title} ${meanOf(rows.flatMap((row) => row.cells.slice(i, i + 1)))}`);
  return [
    `Change of the mean goodput, new over old, and its standard error, both in percent; ${seeds} seeds.\n`,
    formatPairs(rows, titles),
    formatLower(rows),
    `mean of the changes: ${means.join(' · ')}\n`,
  ].join('');
}

/** The other commit's own transfer: it brings its own stack, host and wire. */
async function transferOf(build: CommitBuild): Promise<typeof transfer> {
  const program: unknown = await import(pathToFileURL(join(build.programs, 'recovery-run.js')).href);
  if (typeof program !== 'object' || program === null || !('transfer' in program)) {
    throw new CommitError(`${build.commit.label}: ${SOURCE} has no transfer`);
  }
  return program.transfer as typeof transfer;
}

export function runPair(
  point: GridPoint,
  contenders: readonly Contender[],
  seeds: readonly number[],
  old: typeof transfer,
): PairRow {
  const cells = contenders.map((contender) =>
    pairOf(contender.title, runCell(point, contender, seeds, old), runCell(point, contender, seeds)),
  );
  return { ...point, cells };
}

/** Prints the report; throws CommitError. Leaves no worktree and no process, whatever happens. */
export async function runRecoveryAgainst(options: RecoveryAgainstOptions): Promise<void> {
  const { contenders, seeds, quick } = options;
  const commit = findCommit(options.commit, undefined, SOURCE);
  const own = ownTree();
  const build = new CommitBuild(commit);
  await withCleanUp(
    () => build.remove(),
    async () => {
      process.stderr.write(`building ${commit.label}\n`);
      await build.build();
      const old = await transferOf(build);
      const grid = quick ? quickGrid() : fullGrid();
      const told = progress(grid.length);
      const rows = grid.map((point) => told(runPair(point, contenders, seeds, old)));
      print(rows, commit, own, options);
    },
  );
}

function print(rows: readonly PairRow[], old: Commit, own: Commit, options: RecoveryAgainstOptions): void {
  const { seeds, quick, json } = options;
  if (json) {
    const withVerdicts = rows.map((row) => ({
      ...row,
      cells: row.cells.map((pair) => ({ ...pair, verdict: verdictOf(pair) })),
    }));
    const report = { bench: 'recovery-against', old, new: own, quick, seeds, rows: withVerdicts };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  process.stdout.write(`old: ${old.label}\nnew: ${own.label}\n${formatAgainstReport(rows, seeds.length)}`);
}
