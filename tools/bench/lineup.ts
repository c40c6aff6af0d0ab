/** The processes of a run: servers and load program, each started in its namespace and pinned to its CPU. */
import { type ChildProcess, spawn } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FloodKind, FloodResult } from './flood-frames.js';
import { NODE_ADDRESS, PREFIX_LENGTH, TAPS, type TapLink, type Topology } from './topology.js';
import type { HogsResult, LoadResult, ServerCommand, ServerMessage, Workload } from './workload.js';

/** `node`: Node's own net. `reactor`: Millrace's reactor. `sockets`: Millrace behind Node's socket interface. */
export const SERVERS = ['node', 'reactor', 'sockets'] as const;
export type ServerKind = (typeof SERVERS)[number];
/** Those that are Millrace. */
export const STACK_SERVERS = ['reactor', 'sockets'] as const;
export type StackServer = (typeof STACK_SERVERS)[number];

/** `shared`: server and load program on one CPU. `apart`: on one CPU each. */
export const PLACEMENTS = ['shared', 'apart'] as const;
export type Placement = (typeof PLACEMENTS)[number];

const START_TIMEOUT_MS = 20_000;

export class LineupError extends Error {
  override readonly name = 'LineupError';
}

function tapOf(kind: ServerKind): TapLink {
  return TAPS[kind === 'sockets' ? 1 : 0];
}

export function addressOf(kind: ServerKind): string {
  return kind === 'node' ? NODE_ADDRESS : tapOf(kind).stack;
}

/** The CPU of every server; the first. Its neighbour is the load program's when they are apart. */
const SERVER_CPU = 0;

function loadCpu(placement: Placement): number {
  return placement === 'shared' ? SERVER_CPU : SERVER_CPU + 1;
}

export function requireRoot(): void {
  if (process.getuid?.() !== 0) throw new LineupError('needs root: namespaces, a TAP device and /proc/slabinfo');
}

export function requireCpus(placement: Placement): void {
  if (placement === 'apart' && availableParallelism() < 2) throw new LineupError('--placement apart needs two CPUs');
}

/** The build of this tree: a folder with the programs of `tools/bench`. Another commit's has its own. */
export const OWN_PROGRAMS = fileURLToPath(new URL('.', import.meta.url));

function program(name: string, programs: string = OWN_PROGRAMS): string {
  return join(programs, name);
}

/** nsenter and taskset replace themselves with what they start, so the child's pid is Node's own. */
function launch(
  namespace: string,
  cpu: number,
  nodeArgs: readonly string[],
  stdio: readonly ('pipe' | 'inherit' | 'ignore' | 'ipc')[],
): ChildProcess {
  const args = [`--net=/run/netns/${namespace}`, '--', 'taskset', '-c', String(cpu), process.execPath, ...nodeArgs];
  return spawn('nsenter', args, { stdio: [...stdio] });
}

const children = new Set<ChildProcess>();

/** A child that `killAll` ends. */
export function track(child: ChildProcess): ChildProcess {
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

/** For the way out, whatever the way: nothing of ours may outlive the namespaces. */
export function killAll(): void {
  for (const child of children) child.kill('SIGKILL');
}

function describeExit(what: string, code: number | null, signal: string | null): LineupError {
  return new LineupError(`${what} ended ${signal === null ? `with status ${code}` : `by ${signal}`}`);
}

export interface Profile {
  readonly directory: string;
  readonly name: string;
}

export interface ServerOptions {
  readonly profile?: Profile;
  /** The folder with the server's program, when it is another build's. The load program is always ours. */
  readonly programs?: string;
}

export class ServerProcess {
  readonly kind: ServerKind;
  readonly #child: ChildProcess;

  private constructor(kind: ServerKind, child: ChildProcess) {
    this.kind = kind;
    this.#child = child;
  }

  get pid(): number {
    const { pid } = this.#child;
    if (pid === undefined) throw new LineupError(`the ${this.kind} server did not start`);
    return pid;
  }

  static async start(topology: Topology, kind: ServerKind, options: ServerOptions = {}): Promise<ServerProcess> {
    const { profile, programs } = options;
    const flags = ['--expose-gc'];
    if (profile !== undefined) {
      flags.push('--cpu-prof', `--cpu-prof-dir=${profile.directory}`, `--cpu-prof-name=${profile.name}.cpuprofile`);
    }
    const { device, kernel, stack } = tapOf(kind);
    const args =
      kind === 'node'
        ? [program('server-node.js', programs), NODE_ADDRESS]
        : [
            program('server-millrace.js', programs),
            kind,
            device,
            `${kernel}/${PREFIX_LENGTH}`,
            stack,
            String(topology.mtu),
          ];
    const namespace = kind === 'node' ? topology.server : topology.client;
    const child = track(launch(namespace, SERVER_CPU, [...flags, ...args], ['ignore', 'inherit', 'inherit', 'ipc']));
    const server = new ServerProcess(kind, child);
    await server.#reply('ready', START_TIMEOUT_MS);
    return server;
  }

  #reply(expected: 'ready' | 'collected', timeoutMs: number): Promise<void> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => settle(new LineupError(`the ${this.kind} server is not ${expected}`)), timeoutMs);
      const settle = (error?: Error): void => {
        clearTimeout(timer);
        child.off('exit', onExit).off('message', onMessage).off('error', settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const onExit = (code: number | null, signal: string | null): void =>
        settle(describeExit(`the ${this.kind} server`, code, signal));
      const onMessage = (message: ServerMessage): void => {
        if (expected in message) settle();
      };
      child.on('exit', onExit).on('message', onMessage).on('error', settle);
    });
  }

  /** The server collects its garbage. */
  async collect(): Promise<void> {
    const reply = this.#reply('collected', START_TIMEOUT_MS);
    this.#child.send('collect' satisfies ServerCommand);
    await reply;
  }

  async stop(): Promise<void> {
    const child = this.#child;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = new Promise((resolve) => child.once('exit', resolve));
    if (child.connected) child.send('stop' satisfies ServerCommand);
    const timer = setTimeout(() => child.kill('SIGKILL'), START_TIMEOUT_MS);
    await exited;
    clearTimeout(timer);
  }
}

export interface LoadOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
}

/** Runs a workload against a server and returns what the load program measured. */
export async function load(
  topology: Topology,
  server: ServerProcess,
  workload: Exclude<Workload, 'idle'>,
  placement: Placement,
  options: LoadOptions,
): Promise<LoadResult> {
  const args = [program('load.js'), workload, addressOf(server.kind)];
  args.push(`--seconds=${options.seconds}`, `--warm-up=${options.warmUpSeconds}`, `--server-pid=${server.pid}`);
  const child = track(launch(topology.client, loadCpu(placement), args, ['ignore', 'pipe', 'inherit']));
  const line = await firstLine(child, `${workload} on ${server.kind}`, 30_000 + options.seconds * 4000);
  return JSON.parse(line) as LoadResult;
}

/** Runs a flood against a server, on the CPU beside it, and returns what the program measured. */
export async function flood(
  topology: Topology,
  server: ServerProcess,
  kind: FloodKind,
  seconds: number,
): Promise<FloodResult> {
  const { device, kernel, stack } = tapOf(server.kind);
  const args = [program('flood-load.js'), kind, device, kernel, stack, String(seconds)];
  const child = track(launch(topology.client, loadCpu('apart'), args, ['ignore', 'pipe', 'inherit']));
  const line = await firstLine(child, `a flood of ${kind} on ${server.kind}`, 60_000 + seconds * 10_000);
  return JSON.parse(line) as FloodResult;
}

/** Asks for pages beside peers that never read, from the CPU beside the server's, and returns how long they took. */
export async function hogs(
  topology: Topology,
  server: ServerProcess,
  connections: number,
  pages: number,
): Promise<HogsResult> {
  const args = [
    program('hogs-load.js'),
    addressOf(server.kind),
    String(connections),
    String(pages),
    String(server.pid),
  ];
  const child = track(launch(topology.client, loadCpu('apart'), args, ['ignore', 'pipe', 'inherit']));
  return JSON.parse(await firstLine(child, `pages beside ${connections} peers`, 240_000)) as HogsResult;
}

/** Runs the program that measures the cost model's constants, in the namespace and on the servers' CPU. */
export async function measureCosts(topology: Topology): Promise<unknown> {
  const child = track(launch(topology.server, SERVER_CPU, [program('cost-run.js')], ['ignore', 'pipe', 'inherit']));
  return JSON.parse(await firstLine(child, 'the measuring of costs', 60_000)) as unknown;
}

function firstLine(child: ChildProcess, what: string, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new LineupError(`${what}: no result after ${timeoutMs / 1000} s`));
    }, timeoutMs);
    child.stdout?.setEncoding('utf8').on('data', (part: string) => {
      text += part;
      const end = text.indexOf('\n');
      if (end < 0) return;
      clearTimeout(timer);
      resolve(text.slice(0, end));
    });
    child.once('error', reject);
    // 'close', not 'exit': the line may still be in the pipe when the process is gone.
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      reject(describeExit(what, code, signal)); // no effect once resolved
    });
  });
}

/** Opens idle connections, calls `whileOpen`, and closes them. */
export async function holdIdle<T>(
  topology: Topology,
  server: ServerProcess,
  connections: number,
  whileOpen: () => Promise<T>,
): Promise<T> {
  const args = [program('load.js'), 'idle', addressOf(server.kind), `--connections=${connections}`];
  const child = track(launch(topology.client, loadCpu('shared'), args, ['pipe', 'pipe', 'inherit']));
  const closed = new Promise((resolve) => child.once('close', resolve));
  await firstLine(child, `${connections} idle connections on ${server.kind}`, 60_000);
  try {
    return await whileOpen();
  } finally {
    child.stdin?.end();
    await closed;
  }
}
