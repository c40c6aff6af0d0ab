/** `bench tap`: Millrace over a TAP device against Node's own `net` over a veth pair, under one load program. See docs/bench.md. */
import { mkdirSync } from 'node:fs';
import { cpus, release } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import {
  holdIdle,
  killAll,
  LineupError,
  type LoadOptions,
  load,
  type Placement,
  requireCpus,
  type ServerKind,
  ServerProcess,
} from './lineup.js';
import { DENTRY_BYTES, kernelSocketBytes, residentBytes } from './process-cost.js';
import { formatFigure, formatNumber, formatTable, jsonRows, type Row, seriesOf } from './report.js';
import { Topology } from './topology.js';
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

interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** What the load program measured, in `unit`. */
  value(result: LoadResult): number;
  /** Units of work a cost is given for, and their name. */
  readonly perUnits: number;
  readonly costUnit: string;
}

const perSecond = (result: LoadResult): number => result.count / result.seconds;
const megabytesPerSecond = (result: LoadResult): number => result.count / result.seconds / 1e6;

/** `perUnits` turns CPU seconds a unit into the cost's unit: 1e6 for µs a unit, 1e12 for µs a megabyte. */
const MEASURES: Readonly<Record<Exclude<Workload, 'idle'>, Measure>> = {
  receive: {
    title: 'bulk, server receiving',
    unit: 'MB/s',
    better: 'higher',
    value: megabytesPerSecond,
    perUnits: 1e12,
    costUnit: 'µs/MB',
  },
  send: {
    title: 'bulk, server sending',
    unit: 'MB/s',
    better: 'higher',
    value: megabytesPerSecond,
    perUnits: 1e12,
    costUnit: 'µs/MB',
  },
  'round-trip-1': {
    title: '1-byte round trip, 1 connection (median)',
    unit: 'µs',
    better: 'lower',
    value: (result) => result.medianUs ?? Number.NaN,
    perUnits: 1e6,
    costUnit: 'µs/round trip',
  },
  'round-trips-64': {
    title: 'round trips, 64 connections',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/round trip',
  },
  'connect-1': {
    title: 'connect and close, 1 in flight',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/connection',
  },
  'connect-16': {
    title: 'connect and close, 16 in flight',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/connection',
  },
};

/** Time for the kernel to give memory back: sockets are freed after an RCU grace period, in batches. */
const SETTLE_MS = 1500;
/** Connections opened and closed before memory is measured, so that what is made once is not divided among the ten thousand. */
const IDLE_WARM_UP = 500;
/** A timer tick in /proc is 10 ms, and a run should be a hundred of them. */
const WARM_UP_SECONDS = 0.7;

function progress(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function withServer<T>(
  topology: Topology,
  kind: ServerKind,
  profile: string | undefined,
  name: string,
  use: (server: ServerProcess) => Promise<T>,
): Promise<T> {
  const server = await ServerProcess.start(
    topology,
    kind,
    profile === undefined ? undefined : { directory: profile, name: `${kind}-${name}` },
  );
  try {
    return await use(server);
  } finally {
    await server.stop();
  }
}

interface MeasuredRows {
  readonly result: Row;
  readonly costs: readonly Row[];
}

/** All servers of the line-up stand ready and idle; the load goes to each in turn, A B C A B C, so that a disturbance hits all alike. */
async function measure(
  topology: Topology,
  workload: Exclude<Workload, 'idle'>,
  options: TapOptions,
): Promise<MeasuredRows> {
  const { title, unit, better, value, perUnits, costUnit } = MEASURES[workload];
  const loadOptions: LoadOptions = {
    seconds: options.seconds,
    warmUpSeconds: Math.min(WARM_UP_SECONDS, options.seconds),
  };
  const results = new Map<ServerKind, LoadResult[]>();
  const servers: ServerProcess[] = [];
  try {
    for (const kind of options.servers) {
      const profile = options.profile;
      servers.push(
        await ServerProcess.start(
          topology,
          kind,
          profile === undefined ? undefined : { directory: profile, name: `${kind}-${workload}` },
        ),
      );
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
  const cost = (of: (result: LoadResult) => number) => (result: LoadResult) => (of(result) / result.count) * perUnits;
  return {
    result: { key: workload, title, unit, better, values: valuesOf(value) },
    costs: [
      {
        key: `${workload}-server-cpu`,
        title: `${title.replace(' (median)', '')}: server`,
        unit: costUnit,
        better: 'lower',
        values: valuesOf(cost((result) => result.serverCpu)),
      },
      {
        key: `${workload}-both-cpu`,
        title: `${title.replace(' (median)', '')}: server and load`,
        unit: costUnit,
        better: 'lower',
        values: valuesOf(cost((result) => result.serverCpu + result.loadCpu)),
      },
    ],
  };
}

interface IdleCost {
  /** Bytes a connection: resident in the server process, and in the kernel for both ends together. */
  readonly process: number;
  readonly kernel: number;
}

/** A fresh server each time: memory that was touched once stays resident. */
async function idleOnce(topology: Topology, kind: ServerKind, options: TapOptions): Promise<IdleCost> {
  return withServer(topology, kind, options.profile, 'idle', async (server) => {
    await holdIdle(topology, server, Math.min(IDLE_WARM_UP, options.connections), async () => {});
    await delay(SETTLE_MS);
    await server.collect();
    const resident = residentBytes(server.pid);
    const kernel = kernelSocketBytes();
    return holdIdle(topology, server, options.connections, async () => {
      await server.collect();
      await delay(SETTLE_MS);
      return {
        process: (residentBytes(server.pid) - resident) / options.connections,
        kernel: (kernelSocketBytes() - kernel) / options.connections,
      };
    });
  });
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
    for (const kind of options.servers) costs.set(kind, await idleOnce(topology, kind, options));
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

function describeMachine(): object {
  const [first] = cpus();
  return { cpu: first?.model ?? 'unknown', cpus: cpus().length, kernel: release(), node: process.version };
}

/** Prints the report; throws TopologyError, LineupError. Leaves no namespace, device or process behind, whatever happens. */
export async function runTap(options: TapOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new LineupError('needs root: namespaces, a TAP device and /proc/slabinfo');
  requireCpus(options.placement);
  if (options.profile !== undefined) mkdirSync(options.profile, { recursive: true });
  const topology = new Topology(options.mtu);
  const abandon = (signal: NodeJS.Signals): void => {
    killAll();
    topology.close();
    process.exit(signal === 'SIGINT' ? 130 : 143);
  };
  process.once('SIGINT', abandon).once('SIGTERM', abandon).once('SIGHUP', abandon);
  const rows: Row[] = [];
  const costs: Row[] = [];
  try {
    topology.open();
    // Memory first: the connection workloads leave a minute of TIME-WAIT behind, whose memory would come back in the middle of it.
    const idleRows = options.workloads.includes('idle') ? await idle(topology, options) : [];
    for (const workload of options.workloads) {
      if (workload === 'idle') continue;
      const measured = await measure(topology, workload, options);
      rows.push(measured.result);
      costs.push(...measured.costs);
    }
    rows.push(...idleRows);
  } finally {
    killAll();
    topology.close();
    process.off('SIGINT', abandon).off('SIGTERM', abandon).off('SIGHUP', abandon);
  }
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
