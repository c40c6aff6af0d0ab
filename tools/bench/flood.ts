/** `bench flood [COMMIT]`: a live echo beside floods at half the rate that saturates, over a TAP; two builds in turn when a commit is given. */
import Table from 'cli-table3';
import { type Commit, findCommit, ownTree } from './commit-build.js';
import type { FloodKind, FloodResult } from './flood-frames.js';
import { flood, requireCpus, requireRoot, ServerProcess, type StackServer } from './lineup.js';
import { describeMachine } from './process-cost.js';
import { formatNumber, formatSeries, type Series, seriesOf } from './report.js';
import { type Side, turnOf, withSides } from './sides.js';
import type { Topology } from './topology.js';

/** What a flood may do to the 99th percentile. */
export const RATIO_MAX = 2;

export interface FloodOptions {
  readonly commit?: string;
  readonly json: boolean;
  readonly quick: boolean;
  readonly runs: number;
  readonly seconds: number;
  readonly server: StackServer;
  readonly kinds: readonly FloodKind[];
}

/** One kind of flood on one build. */
export interface FloodRow {
  readonly kind: FloodKind;
  readonly side: 'old' | 'new';
  readonly results: readonly FloodResult[];
}

/** With and without the flood: of each run the quotient, and of those the median. Both were measured within seconds of each other. */
export function ratioOf(row: FloodRow, of: 'p50' | 'p99'): Series {
  return seriesOf(row.results.map(({ quiet, flooded }) => flooded[of] / quiet[of]));
}

function median(row: FloodRow, of: (result: FloodResult) => number): Series {
  return seriesOf(row.results.map(of));
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function once(topology: Topology, side: Side, kind: FloodKind, options: FloodOptions): Promise<FloodResult> {
  const server = await ServerProcess.start(topology, options.server, { programs: side.programs });
  try {
    return await flood(topology, server, kind, options.seconds);
  } finally {
    await server.stop();
  }
}

async function measure(topology: Topology, sides: readonly Side[], options: FloodOptions): Promise<FloodRow[]> {
  const rows: FloodRow[] = [];
  for (const kind of options.kinds) {
    const results: Record<FloodRow['side'], FloodResult[]> = { old: [], new: [] };
    for (let run = 0; run < options.runs; run++) {
      for (const side of turnOf(sides, run)) {
        const name = side.isNew ? 'new' : 'old';
        const result = await once(topology, side, kind, options);
        results[name].push(result);
        const { saturation, quiet, flooded } = result;
        progress(
          `${kind}, ${name}, run ${run + 1} of ${options.runs}: saturated at ${formatNumber(saturation)}/s; p99 ${formatNumber(quiet.p99)} → ${formatNumber(flooded.p99)} µs`,
        );
      }
    }
    for (const side of ['old', 'new'] as const) {
      if (results[side].length > 0) rows.push({ kind, side, results: results[side] });
    }
  }
  return rows;
}

/** Prints the report; throws CommitError, TopologyError, LineupError. Leaves nothing behind, whatever happens. */
export async function runFlood(options: FloodOptions): Promise<void> {
  requireRoot();
  requireCpus('apart');
  const old = options.commit === undefined ? undefined : findCommit(options.commit);
  const rows = await withSides(old, 1500, (topology, sides) => measure(topology, sides, options));
  print(rows, old, options);
}

export function formatFloods(rows: readonly FloodRow[]): string {
  const head = ['flood', 'build', 'saturated at', 'flood, /s', 'p50 alone', 'p50', 'p99 alone', 'p99', 'p99 ratio'];
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) {
    const cell = (of: (result: FloodResult) => number, unit: string): string =>
      `${formatNumber(median(row, of).median)}${unit}`;
    table.push([
      row.kind,
      row.side,
      cell((result) => result.saturation, '/s'),
      cell((result) => result.flooded.perSecond, '/s'),
      cell((result) => result.quiet.p50, ' µs'),
      cell((result) => result.flooded.p50, ' µs'),
      cell((result) => result.quiet.p99, ' µs'),
      cell((result) => result.flooded.p99, ' µs'),
      `×${formatSeries(ratioOf(row, 'p99'))}`,
    ]);
  }
  return table.toString();
}

/** The last line: how many floods cost a live connection more than they may, on our build. */
export function floodFigure(rows: readonly FloodRow[]): string {
  const own = rows.filter((row) => row.side === 'new');
  const ratios = own.map((row) => ({ kind: row.kind, ratio: ratioOf(row, 'p99').median }));
  const within = ratios.filter(({ ratio }) => ratio <= RATIO_MAX).length;
  const list = ratios.map(({ kind, ratio }) => `${kind} ×${ratio.toFixed(2)}`).join(' · ');
  return `p99 of a live echo at most ×${RATIO_MAX} in ${within} of ${own.length} floods: ${list}`;
}

function print(rows: readonly FloodRow[], old: Commit | undefined, options: FloodOptions): void {
  const own = ownTreeOrNothing();
  if (options.json) {
    const { json: _, commit: __, ...settings } = options;
    const report = { benchmark: 'flood', old, new: own, ...settings, machine: describeMachine(), rows };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const { runs, seconds, quick, server } = options;
  const lines = [];
  if (old !== undefined) lines.push(`old: ${old.label}`);
  if (own !== undefined) lines.push(`new: ${own.label}`);
  lines.push(
    `${server}; server and load on one CPU each; medians of ${runs} run${runs === 1 ? '' : 's'} of ${seconds} s${quick ? ' (--quick: a look, not a figure)' : ''}`,
    formatFloods(rows),
    floodFigure(rows),
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** Without a commit to compare with this need not be a clone. */
function ownTreeOrNothing(): Commit | undefined {
  try {
    return ownTree();
  } catch {
    return undefined;
  }
}
