/**
 * `bench against COMMIT`: the servers of another commit and ours, in turn, under our load program. See docs/bench.md.
 *
 * Only one server lives at a time, and every run has a fresh one: how V8 compiled a program differs from process to process by some percent,
 * and that belongs to the noise a difference has to exceed.
 */
import { mkdirSync } from 'node:fs';
import {
  type AgainstRow,
  AgainstSamples,
  againstFigure,
  againstJson,
  formatAgainst,
  formatPair,
} from './against-report.js';
import { type Commit, findCommit, ownTree } from './commit-build.js';
import { idleOnce } from './idle-memory.js';
import { load, requireCpus, requireRoot, type ServerOptions, ServerProcess, type StackServer } from './lineup.js';
import { bothCost, costTitle, MEASURES, serverCost, WARM_UP_SECONDS } from './measures.js';
import { describeMachine } from './process-cost.js';
import { orderOf, type Side, withSides } from './sides.js';
import type { TapOptions } from './tap.js';
import type { Topology } from './topology.js';
import type { LoadResult, Workload } from './workload.js';

export interface AgainstOptions extends Omit<TapOptions, 'servers'> {
  readonly commit: string;
  readonly servers: readonly StackServer[];
}

export interface Rows {
  readonly results: AgainstRow[];
  readonly costs: AgainstRow[];
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function serverOptions(side: Side, name: string, profile: string | undefined): ServerOptions {
  const { programs } = side;
  const sideName = side.isNew ? 'new' : 'old';
  return profile === undefined
    ? { programs }
    : { programs, profile: { directory: profile, name: `${sideName}-${name}` } };
}

/** CPU seconds of other programs than the two measured, and of the machine's all. */
interface Busy {
  others: number;
  available: number;
}

class Comparison {
  readonly #topology: Topology;
  readonly #pair: readonly [Side, Side];
  readonly #options: AgainstOptions;
  readonly rows: Rows = { results: [], costs: [] };
  readonly #busy: Busy = { others: 0, available: 0 };

  constructor(topology: Topology, pair: readonly [Side, Side], options: AgainstOptions) {
    this.#topology = topology;
    this.#pair = pair;
    this.#options = options;
  }

  async #run(side: Side, kind: StackServer, workload: Exclude<Workload, 'idle'>, run: number): Promise<LoadResult> {
    const { profile, placement, seconds } = this.#options;
    const options = serverOptions(side, `${kind}-${workload}-${run + 1}`, profile);
    const server = await ServerProcess.start(this.#topology, kind, options);
    try {
      const warmUpSeconds = Math.min(WARM_UP_SECONDS, seconds);
      return await load(this.#topology, server, workload, placement, { seconds, warmUpSeconds });
    } finally {
      await server.stop();
    }
  }

  async measure(kind: StackServer, workload: Exclude<Workload, 'idle'>): Promise<void> {
    const { runs } = this.#options;
    const measure = MEASURES[workload];
    const samples = { rate: new AgainstSamples(), server: new AgainstSamples(), both: new AgainstSamples() };
    for (let run = 0; run < runs; run++) {
      const shown = [0, 0];
      for (const side of orderOf(this.#pair, run)) {
        const result = await this.#run(side, kind, workload, run);
        samples.rate.add(side.isNew, measure.value(result));
        samples.server.add(side.isNew, serverCost(measure, result));
        samples.both.add(side.isNew, bothCost(measure, result));
        shown[Number(side.isNew)] = measure.value(result);
        this.#busy.others += Math.max(0, result.machineBusy - result.serverCpu - result.loadCpu);
        this.#busy.available += result.seconds * describeMachine().cpus;
      }
      progress(
        `${kind}, ${measure.title}, ${measure.unit}, run ${run + 1} of ${runs}: ${formatPair(shown[0], shown[1])}`,
      );
    }
    const key = `${kind}-${workload}`;
    const { title, unit, better, costUnit } = measure;
    this.rows.results.push(samples.rate.row({ key, title: `${kind}: ${title}`, unit, better }));
    const cost = (of: AgainstSamples, keyEnd: string, titleEnd: string): AgainstRow =>
      of.row({
        key: `${key}-${keyEnd}`,
        title: `${kind}: ${costTitle(measure)}, ${titleEnd}`,
        unit: costUnit,
        better: 'lower',
      });
    this.rows.costs.push(cost(samples.server, 'server-cpu', 'server'));
    this.rows.costs.push(cost(samples.both, 'both-cpu', 'server and load'));
  }

  async measureIdle(kind: StackServer): Promise<void> {
    const { runs, connections, profile } = this.#options;
    const samples = new AgainstSamples();
    for (let run = 0; run < runs; run++) {
      const shown = [0, 0];
      for (const side of orderOf(this.#pair, run)) {
        const options = serverOptions(side, `${kind}-idle-${run + 1}`, profile);
        const cost = await idleOnce(this.#topology, kind, connections, options);
        samples.add(side.isNew, cost.process);
        shown[Number(side.isNew)] = cost.process;
      }
      progress(`${kind}, idle connections, bytes each, run ${run + 1} of ${runs}: ${formatPair(shown[0], shown[1])}`);
    }
    const title = `${kind}: memory, ${connections.toLocaleString('en-US')} idle connections`;
    this.rows.results.push(samples.row({ key: `${kind}-idle`, title, unit: 'bytes/connection', better: 'lower' }));
  }

  /** The share of the machine that programs other than ours took while rates were measured. */
  get othersShare(): number | undefined {
    return this.#busy.available > 0 ? this.#busy.others / this.#busy.available : undefined;
  }
}

/** Prints the report; throws CommitError, TopologyError, LineupError. Leaves no worktree, namespace or process, whatever happens. */
export async function runAgainst(options: AgainstOptions): Promise<void> {
  requireRoot();
  requireCpus(options.placement);
  const old = findCommit(options.commit);
  const own = ownTree();
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  await withSides(old, options.mtu, async (topology, sides) => {
    const comparison = new Comparison(topology, [sides[0], sides[1]], options);
    for (const workload of options.workloads) {
      for (const kind of options.servers) {
        if (workload === 'idle') await comparison.measureIdle(kind);
        else await comparison.measure(kind, workload);
      }
    }
    print(comparison, old, own, options);
  });
}

function print(comparison: Comparison, old: Commit, own: Commit, options: AgainstOptions): void {
  const { results, costs } = comparison.rows;
  const { othersShare } = comparison;
  if (options.json) {
    const { json: _, commit: __, ...settings } = options;
    const report = { benchmark: 'against', old, new: own, ...settings, machine: describeMachine(), othersShare };
    const rows = { measures: againstJson(results), costs: againstJson(costs) };
    process.stdout.write(`${JSON.stringify({ ...report, ...rows })}\n`);
    return;
  }
  const { runs, seconds, placement, mtu, quick } = options;
  const where = placement === 'shared' ? 'server and load share one CPU' : 'server and load on one CPU each';
  const lines = [
    `old: ${old.label}`,
    `new: ${own.label}`,
    `${where}; medians of ${runs} run${runs === 1 ? '' : 's'} of ${seconds} s, in turn; MTU ${mtu}${quick ? ' (--quick: a look, not a figure)' : ''}`,
  ];
  if (othersShare !== undefined) {
    lines.push(`other programs took ${(othersShare * 100).toFixed(0)} % of the machine meanwhile`);
  }
  lines.push(formatAgainst('measure', results));
  if (costs.length > 0) lines.push(formatAgainst('CPU time', costs));
  lines.push(againstFigure([...results, ...costs]));
  process.stdout.write(`${lines.join('\n')}\n`);
}
