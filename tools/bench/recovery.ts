/** `bench recovery`: goodput over a lossy link in virtual time, for each congestion control and each way of recovering. See docs/bench.md. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Table from 'cli-table3';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { type TransferResult, transfer } from './recovery-run.js';
import { seriesOf } from './report.js';

/** A column: who sends, and what it knows of losses. */
export interface Contender {
  readonly title: string;
  readonly congestion: 'reno' | 'cubic';
  readonly recovery: 'newreno' | 'sack' | 'rack';
}

export interface GridPoint {
  readonly rttMs: number;
  readonly bufferBytes: number;
  readonly lossPercent: number;
}

export interface Cell {
  /** Bits a second, the median. */
  readonly goodput: number;
  /** Bits a second, the mean, and its standard error as a share of it: how far other seeds would move it. */
  readonly mean: number;
  readonly error: number;
  /** Of each seed, in their order. */
  readonly samples: readonly number[];
  /** In all runs together. */
  readonly timeouts: number;
  readonly retransmitted: number;
}

export interface GridRow extends GridPoint {
  readonly cells: readonly Cell[];
}

export interface RecoveryOptions {
  readonly json: boolean;
  readonly quick: boolean;
  readonly update: boolean;
  readonly seeds: readonly number[];
}

/** What was asked for cannot be done. */
export class RecoveryError extends Error {}

export const LOSS_PERCENT: readonly number[] = [0.01, 0.1, 0.5, 1, 2, 5, 10];
export const RTT_MS: readonly number[] = [1, 10, 50, 100, 300];
export const BUFFER_BYTES: readonly number[] = [64 << 10, 1 << 20, 6 << 20];
/** Of the committed table. Three, for a median; one number for all cells, so that each cell meets the same chances. */
export const SEEDS: readonly number[] = seedsOf(3);

/** 1, 2, 3 and so on: more seeds are those of fewer and others. */
export function seedsOf(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i + 1);
}

const RECOVERIES: Readonly<Record<Contender['recovery'], Partial<TcpLimits>>> = {
  newreno: { sack: false },
  // RFC 6675 alone: no RACK, and no probe.
  sack: { sack: true, recovery: 0, tailLossProbe: 0 },
  rack: { sack: true, recovery: 1, tailLossProbe: 3 },
};

export const CONTENDERS: readonly Contender[] = (['reno', 'cubic'] as const).flatMap((congestion) =>
  (['newreno', 'sack', 'rack'] as const).map((recovery) => ({
    title: `${congestion} ${recovery}`,
    congestion,
    recovery,
  })),
);

/** From dist/tools/bench to the sources. */
const GOLDEN = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'test', 'golden', 'recovery.txt');
const PROGRESS_MS = 2_000;

export function fullGrid(): GridPoint[] {
  return gridOf(RTT_MS, BUFFER_BYTES, LOSS_PERCENT);
}
/** Rows of the full grid that take a few seconds. */
export function quickGrid(): GridPoint[] {
  return gridOf([50], [64 << 10, 1 << 20], [0.1, 1, 5]);
}
function gridOf(rtts: readonly number[], buffers: readonly number[], losses: readonly number[]): GridPoint[] {
  return rtts.flatMap((rttMs) =>
    buffers.flatMap((bufferBytes) => losses.map((lossPercent) => ({ rttMs, bufferBytes, lossPercent }))),
  );
}

/** `send` is another build's transfer where two builds are compared. */
export function runCell(
  point: GridPoint,
  contender: Contender,
  seeds: readonly number[] = SEEDS,
  send: typeof transfer = transfer,
): Cell {
  const results: TransferResult[] = seeds.map((seed) =>
    send({
      loss: point.lossPercent / 100,
      rttMs: point.rttMs,
      bufferBytes: point.bufferBytes,
      tcp: { congestion: contender.congestion, ...RECOVERIES[contender.recovery] },
      seed,
    }),
  );
  const goodputs = results.map((result) => result.goodput);
  const { mean, error } = spreadOf(goodputs);
  return {
    goodput: seriesOf(goodputs).median,
    mean,
    error,
    samples: goodputs,
    timeouts: results.reduce((sum, result) => sum + result.timeouts, 0),
    retransmitted: results.reduce((sum, result) => sum + result.retransmitted, 0),
  };
}

/** The mean, and its standard error as a share of it; one sample has no spread. */
export function spreadOf(samples: readonly number[]): { readonly mean: number; readonly error: number } {
  const count = samples.length;
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / count;
  const squares = samples.reduce((sum, sample) => sum + (sample - mean) ** 2, 0);
  return { mean, error: count < 2 || mean === 0 ? 0 : Math.sqrt(squares / (count - 1) / count) / mean };
}

export function runRow(point: GridPoint, seeds: readonly number[] = SEEDS): GridRow {
  return { ...point, cells: CONTENDERS.map((contender) => runCell(point, contender, seeds)) };
}

/** 0.14, 2.97, 41.3, 96.3: three significant digits, as many as three seeds give. */
export function megabits(bitsPerSecond: number): string {
  const value = bitsPerSecond / 1e6;
  return value.toFixed(value < 10 ? 2 : 1);
}

export function bytesText(bytes: number): string {
  return bytes < 1 << 20 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
}

/** Columns have fixed widths, so that a row looks the same whatever else is in the table. */
const WIDTHS: readonly number[] = [9, 9, 8, ...CONTENDERS.map(() => 15)];

export function formatGrid(rows: readonly GridRow[]): string {
  const table = new Table({
    head: ['rtt', 'buffer', 'loss', ...CONTENDERS.map((contender) => contender.title)],
    colWidths: [...WIDTHS],
    colAligns: WIDTHS.map(() => 'right' as const),
    style: { head: [], border: [], compact: true },
  });
  for (const row of rows) {
    const cells = row.cells.map(
      (cell) => `${megabits(cell.goodput)}${cell.timeouts === 0 ? '    ' : ` ${`(${cell.timeouts})`.padStart(3)}`}`,
    );
    table.push([`${row.rttMs} ms`, bytesText(row.bufferBytes), `${row.lossPercent} %`, ...cells]);
  }
  return `${table.toString()}\n`;
}

function legend(seeds: number): string {
  return `Mbit/s that reached the reader over a link of 100 Mbit/s that loses data segments at random; 4 MiB or 60 s of virtual time;
the median of ${seeds} seeds. In brackets: retransmission timeouts, in all ${seeds} runs together.
`;
}

export function formatReport(rows: readonly GridRow[], seeds: number = SEEDS.length): string {
  return `${legend(seeds)}${formatGrid(rows)}`;
}

/** How sure the cells are: chance moves their means by so much. */
function formatSpread(rows: readonly GridRow[]): string {
  const errors = rows.flatMap((row) => row.cells.map((cell) => cell.error * 100));
  const { median, max } = seriesOf(errors);
  return `standard error of a cell's mean: median ${median.toFixed(1)} %, at most ${max.toFixed(1)} %`;
}

/** 1 % and 50 ms, with a buffer that is not the limit: the point the figure is for. */
function figureOf(rows: readonly GridRow[]): string {
  const row = rows.find((it) => it.lossPercent === 1 && it.rttMs === 50 && it.bufferBytes === 1 << 20);
  if (row === undefined) throw new RecoveryError('the grid has no row for the figure');
  const of = (congestion: string): string => {
    const cells = row.cells.filter((_, i) => CONTENDERS[i]?.congestion === congestion);
    return `${congestion} ${cells.map((cell) => megabits(cell.goodput)).join(' → ')} Mbit/s, timeouts ${cells.map((cell) => cell.timeouts).join(' → ')}`;
  };
  return `1 % loss, 50 ms, NewReno → SACK → RACK: ${of('reno')} · ${of('cubic')}`;
}

/** The committed table; undefined where there is none (an installed package has no tests). */
export function readGolden(): string | undefined {
  return existsSync(GOLDEN) ? readFileSync(GOLDEN, 'utf8') : undefined;
}

function compare(report: string, quick: boolean): string {
  const golden = readGolden();
  if (golden === undefined) return 'there is no committed table to compare with';
  const known = new Set(golden.split('\n'));
  const changed = report.split('\n').filter((line) => !known.has(line)).length;
  if (changed === 0 && (quick || report === golden)) return 'the same as in test/golden/recovery.txt';
  return `${changed} lines are not as in test/golden/recovery.txt; --update writes them there, git diff shows them`;
}

/** Passes rows on, and tells now and then how many there were. */
export function progress(of: number): <Row>(row: Row) => Row {
  let count = 0;
  let toldAt = performance.now();
  return (row) => {
    count += 1;
    if (performance.now() - toldAt >= PROGRESS_MS) {
      toldAt = performance.now();
      process.stderr.write(`recovery: ${count} of ${of} rows\n`);
    }
    return row;
  };
}

export function runRecovery(options: RecoveryOptions): void {
  const { seeds } = options;
  const isCommitted = seeds.length === SEEDS.length;
  if (options.update && options.quick) throw new RecoveryError('--update is for the whole grid: leave out --quick');
  if (options.update && !isCommitted) {
    throw new RecoveryError(`--update is for ${SEEDS.length} seeds: leave out --seeds`);
  }
  if (options.update && !existsSync(dirname(GOLDEN))) {
    throw new RecoveryError('there is no test/golden here: --update is for a checkout of the sources');
  }
  const grid = options.quick ? quickGrid() : fullGrid();
  const told = progress(grid.length);
  const rows = grid.map((point) => told(runRow(point, seeds)));
  const report = formatReport(rows, seeds.length);
  if (isCommitted) process.stderr.write(`recovery: ${compare(report, options.quick)}\n`);
  if (options.update) writeFileSync(GOLDEN, report);
  const figure = figureOf(rows);
  if (options.json) {
    const columns = CONTENDERS.map((contender) => contender.title);
    process.stdout.write(
      `${JSON.stringify({ bench: 'recovery', quick: options.quick, seeds, columns, rows, figure })}\n`,
    );
  } else {
    process.stdout.write(`${report}${formatSpread(rows)}\n${figure}\n`);
  }
}
