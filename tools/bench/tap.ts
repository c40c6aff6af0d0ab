/** `bench tap`: Millrace over a TAP device against Node's own `net` over a veth pair, under one load program. See docs/bench.md. */
import { mkdirSync } from 'node:fs';
import { type IdleCost, idleOnce } from './idle-memory.js';
import {
  type LoadOptions,
  load,
  type Placement,
  requireCpus,
  requireRoot,
  type ServerKind,
  type ServerOptions,
  ServerProcess,
} from './lineup.js';
import { bothCost, costTitle, MEASURES, serverCost, WARM_UP_SECONDS } from './measures.js';
import { DENTRY_BYTES, describeMachine } from './process-cost.js';
import { formatFigure, formatNumber, formatTable, jsonRows, type Row, seriesOf } from './report.js';
import { Topology } from './topology.js';
import { withCleanUp } from './way-out.js';
import type { LoadResult, Workload } from './workload.js';

export interface TapOptions {
  readonly json: boolean;
  readonly quick: boolean;
  readonly runs: number;
  readonly seconds: number;
  readonly connections: number;
  readonly mtu: number;
  readonly placement: Placement;
  readonly servers: readonly ServerKind[];
  readonly workloads: readonly Workload[];
  readonly profile?: string;
}

/** The column every ratio is taken to. */
const BASE = 'node';

const TITLES: Readonly<Record<ServerKind, string>> = {
  node: 'node:net, veth',
  reactor: 'Millrace reactor, TAP',
  sockets: 'Millrace sockets, TAP',
};

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

function serverOptions(options: TapOptions, kind: ServerKind, name: string): ServerOptions {
  const { profile } = options;
  return profile === undefined ? {} : { profile: { directory: profile, name: `${kind}-${name}` } };
}

interface MeasuredRows {
  readonly result: Row;
  readonly costs: readonly Row[];
}

/** All servers of the line-up stand ready and idle; the load goes to each in turn, A B C A B C, so that a disturbance hits all alike. */
async function measureInTurn(
  topology: Topology,
  workload: Exclude<Workload, 'idle'>,
  options: TapOptions,
): Promise<MeasuredRows> {
  const measure = MEASURES[workload];
  const { title, unit, better, value, costUnit } = measure;
  const loadOptions: LoadOptions = {
    seconds: options.seconds,
    warmUpSeconds: Math.min(WARM_UP_SECONDS, options.seconds),
  };
  const results = new Map<ServerKind, LoadResult[]>();
  const servers: ServerProcess[] = [];
  try {
    for (const kind of options.servers) {
      servers.push(await ServerProcess.start(topology, kind, serverOptions(options, kind, workload)));
      results.set(kind, []);
    }
    for (let run = 0; run < options.runs; run++) {
      const shown: string[] = [];
      for (const server of servers) {
        const result = await load(topology, server, workload, options.placement, loadOptions);
        results.get(server.kind)?.push(result);
        shown.push(`${server.kind} ${formatNumber(value(result))}`);
      }
      progress(`${title}, ${unit}, run ${run + 1} of ${options.runs}: ${shown.join(' · ')}`);
    }
  } finally {
    for (const server of servers) await server.stop();
  }
  const valuesOf = (of: (result: LoadResult) => number): Row['values'] =>
    Object.fromEntries([...results].map(([kind, samples]) => [kind, seriesOf(samples.map(of))]));
  return {
    result: { key: workload, title, unit, better, values: valuesOf(value) },
    costs: [
      {
        key: `${workload}-server-cpu`,
        title: `${costTitle(measure)}: server`,
        unit: costUnit,
        better: 'lower',
        values: valuesOf((result) => serverCost(measure, result)),
      },
      {
        key: `${workload}-both-cpu`,
        title: `${costTitle(measure)}: server and load`,
        unit: costUnit,
        better: 'lower',
        values: valuesOf((result) => bothCost(measure, result)),
      },
    ],
  };
}

/**
 * The kernel's memory holds both ends of a connection when the server is node:net, but only the load program's end when it is Millrace; the
 * difference is what the kernel keeps for the server. Without a Millrace run beside it, half: the two ends are alike.
 */
export function kernelOfServer(both: number, clientOnly: readonly number[]): number {
  const ofClient =
    clientOnly.length === 0 ? both / 2 : clientOnly.reduce((sum, bytes) => sum + bytes, 0) / clientOnly.length;
  return both - ofClient + DENTRY_BYTES;
}

async function idle(topology: Topology, options: TapOptions): Promise<readonly Row[]> {
  const inProcess: Record<string, number[]> = {};
  const inKernel: Record<string, number[]> = {};
  const total: Record<string, number[]> = {};
  for (let run = 0; run < options.runs; run++) {
    const costs = new Map<ServerKind, IdleCost>();
    for (const kind of options.servers) {
      costs.set(kind, await idleOnce(topology, kind, options.connections, serverOptions(options, kind, 'idle')));
    }
    const clientOnly = [...costs].filter(([kind]) => kind !== BASE).map(([, cost]) => cost.kernel);
    const shown: string[] = [];
    for (const [kind, cost] of costs) {
      const kernel = kind === BASE ? kernelOfServer(cost.kernel, clientOnly) : 0;
      (inProcess[kind] ??= []).push(cost.process);
      (inKernel[kind] ??= []).push(kernel);
      (total[kind] ??= []).push(cost.process + kernel);
      shown.push(`${kind} ${formatNumber(cost.process)} + ${formatNumber(kernel)}`);
    }
    progress(`idle connections, bytes in process + kernel, run ${run + 1} of ${options.runs}: ${shown.join(' · ')}`);
  }
  const row = (key: string, title: string, samples: Record<string, number[]>): Row => ({
    key,
    title,
    unit: 'bytes/connection',
    better: 'lower',
    values: Object.fromEntries(Object.entries(samples).map(([kind, of]) => [kind, seriesOf(of)])),
  });
  const count = options.connections.toLocaleString('en-US');
  return [
    row('idle', `memory, ${count} idle connections`, total),
    row('idle-process', '  of that in the process', inProcess),
    row('idle-kernel', '  of that in the kernel', inKernel),
  ];
}

/** Prints the report; throws TopologyError, LineupError. Leaves no namespace, device or process behind, whatever happens. */
export async function runTap(options: TapOptions): Promise<void> {
  requireRoot();
  requireCpus(options.placement);
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const topology = new Topology(options.mtu);
  const rows: Row[] = [];
  const costs: Row[] = [];
  await withCleanUp(
    () => topology.close(),
    async () => {
      topology.open();
      // Memory first: the connection workloads leave a minute of TIME-WAIT behind, whose memory would come back in the middle of it.
      const idleRows = options.workloads.includes('idle') ? await idle(topology, options) : [];
      for (const workload of options.workloads) {
        if (workload === 'idle') continue;
        const measured = await measureInTurn(topology, workload, options);
        rows.push(measured.result);
        costs.push(...measured.costs);
      }
      rows.push(...idleRows);
    },
  );
  print(rows, costs, options);
}

function print(rows: readonly Row[], costs: readonly Row[], options: TapOptions): void {
  const { servers, placement, runs, seconds, quick, mtu } = options;
  if (options.json) {
    const { json: _, ...settings } = options;
    const report = {
      benchmark: 'tap',
      ...settings,
      machine: describeMachine(),
      measures: jsonRows(rows, servers, BASE),
      costs: jsonRows(costs, servers, BASE),
    };
    process.stdout.write(`${JSON.stringify(report)}\n`);
    return;
  }
  const where =
    placement === 'shared' ? 'server and load program share one CPU' : 'server and load program on one CPU each';
  const lines = [
    `${where}; ${runs === 1 ? 'one run' : `medians of ${runs} runs`} of ${seconds} s; MTU ${mtu}${quick ? ' (--quick: a look, not a figure)' : ''}`,
  ];
  lines.push(formatTable('measure', rows, servers, TITLES, BASE));
  if (costs.length > 0) lines.push(formatTable('CPU time', costs, servers, TITLES, BASE));
  const headline = rows.filter((row) => !row.key.startsWith('idle-'));
  const kind = servers.find((server) => server !== BASE) ?? BASE;
  lines.push(`${TITLES[kind]}${kind === BASE ? '' : ` / ${TITLES[BASE]}`}: ${formatFigure(headline, kind, BASE)}`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
