/** `bench hogs [COMMIT]`: a page over a TAP beside thousands of peers that never read; two builds in turn when a commit is given. */
import Table from 'cli-table3';
import { findCommit } from './commit-build.js';
import { hogs, requireCpus, requireRoot, ServerProcess, type StackServer } from './lineup.js';
import { describeMachine } from './process-cost.js';
import { formatNumber, formatSeries, type Series, seriesOf } from './report.js';
import { type Side, turnOf, withSides } from './sides.js';
import type { Topology } from './topology.js';
import type { HogsResult } from './workload.js';

/** What they may do to the time of somebody else's page. */
const RATIO_MAX = 2;
const PAGES = 20;

export interface HogsOptions {
  readonly commit?: string;
  readonly json: boolean;
  readonly runs: number;
  readonly connections: number;
  readonly server: StackServer;
}

export interface HogsRow {
  readonly build: 'old' | 'new';
  readonly alone: Series;
  readonly beside: Series;
}

/** Of a run the median page; a page that never came is infinitely late. */
export function hogsRow(build: HogsRow['build'], results: readonly HogsResult[]): HogsRow {
  const medians = (of: 'alone' | 'beside'): Series =>
    seriesOf(results.map((result) => seriesOf(result[of].map((ms) => ms ?? Number.POSITIVE_INFINITY)).median));
  return { build, alone: medians('alone'), beside: medians('beside') };
}

function text(series: Series): string {
  return Number.isFinite(series.median) ? `${formatSeries(series)} ms` : 'never';
}

function ratio(row: HogsRow): number {
  return row.beside.median / row.alone.median;
}

export function formatHogs(rows: readonly HogsRow[]): string {
  const table = new Table({ head: ['build', 'a page alone', 'beside them', 'ratio'], style: { head: [], border: [] } });
  for (const row of rows) {
    const times = Number.isFinite(ratio(row)) ? `×${formatNumber(ratio(row))}` : '–';
    table.push([row.build, text(row.alone), text(row.beside), times]);
  }
  return table.toString();
}

export function hogsFigure(rows: readonly HogsRow[], connections: number): string {
  const own = rows.find((row) => row.build === 'new') as HogsRow;
  const found = Number.isFinite(ratio(own)) ? `×${ratio(own).toFixed(2)}` : 'it never comes';
  const verdict = ratio(own) <= RATIO_MAX ? 'within' : 'NOT within';
  return `a page beside ${connections} peers that never read: ${found}, ${verdict} ×${RATIO_MAX}`;
}

/** Prints the report; throws CommitError, TopologyError, LineupError. Leaves nothing behind, whatever happens. */
export async function runHogs(options: HogsOptions): Promise<void> {
  requireRoot();
  requireCpus('apart');
  const old = options.commit === undefined ? undefined : findCommit(options.commit);
  const rows = await withSides(old, 1500, (topology, sides) => measure(topology, sides, options));
  if (options.json) {
    const report = { benchmark: 'hogs', ...options, machine: describeMachine(), rows };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const head = `${options.server}; a page is 1 MiB; ${options.connections} peers that never read; medians of ${options.runs} runs of ${PAGES} pages`;
  process.stdout.write(`${head}\n${formatHogs(rows)}\n${hogsFigure(rows, options.connections)}\n`);
}

async function measure(topology: Topology, sides: readonly Side[], options: HogsOptions): Promise<HogsRow[]> {
  const results: Record<HogsRow['build'], HogsResult[]> = { old: [], new: [] };
  for (let run = 0; run < options.runs; run++) {
    for (const side of turnOf(sides, run)) {
      const name = side.isNew ? 'new' : 'old';
      const server = await ServerProcess.start(topology, options.server, { programs: side.programs });
      try {
        results[name].push(await hogs(topology, server, options.connections, PAGES));
      } finally {
        await server.stop();
      }
      const row = hogsRow(name, results[name].slice(-1));
      process.stderr.write(
        `${name}, run ${run + 1} of ${options.runs}: a page ${text(row.alone)}, beside them ${text(row.beside)}\n`,
      );
    }
  }
  return (['old', 'new'] as const)
    .filter((name) => results[name].length > 0)
    .map((name) => hogsRow(name, results[name]));
}
