import { type ChildProcess, fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type t from 'tap';
import { enterNamespace } from '../drivers/namespace.js';
import type { Answer, Call, Calls, PeerEvent, PeerOptions, Report } from './peer-protocol.js';

export type Test = Pick<typeof t, 'teardown' | 'comment' | 'name'>;

/** No single step of any test takes this long on a machine that works. */
const PATIENCE_MS = 60_000;

/**
 * Enters a namespace of this process's own with the programs at hand, or returns what a test is skipped with. From then on this
 * process is a machine beside Millrace: what it does with `node:net` is the kernel's TCP.
 */
export function enterNetwork(...programs: string[]): string | false {
  for (const program of programs) {
    const found = spawnSync('sh', ['-c', 'command -v "$0"', program]);
    if (found.status !== 0) return `needs ${program}`;
  }
  const reason = enterNamespace();
  if (reason !== undefined) return reason;
  const up = spawnSync('ip', ['link', 'set', 'lo', 'up'], { encoding: 'utf8' });
  return up.status === 0 ? false : `needs ip: ${up.error?.message ?? up.stderr.trim()}`;
}

/** A setting of the kernel's network, for this namespace only. */
export function sysctl(name: string, value: string | number): void {
  writeFileSync(`/proc/sys/net/${name}`, `${value}`);
}

/** A directory that goes with the test. */
export function temporaryDirectory(t: Test): string {
  const path = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
  t.teardown(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

export interface Finished {
  readonly status: number | null;
  /** What it wrote, as text. */
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one of the kernel's clients to its end. */
export async function run(program: string, args: readonly string[]): Promise<Finished> {
  const { status, stdout, stderr } = await filter(program, args);
  return { status, stdout: stdout.toString(), stderr };
}

/** The same, of bytes. */
export async function filter(
  program: string,
  args: readonly string[],
  input?: Uint8Array,
): Promise<{ status: number | null; stdout: Buffer; stderr: string }> {
  const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'], timeout: PATIENCE_MS });
  const output = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  child.stdout.on('data', (bytes: Buffer) => output.stdout.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => output.stderr.push(bytes));
  // A client may end without having read what it is given.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, stdout: Buffer.concat(output.stdout), stderr: Buffer.concat(output.stderr).toString() };
}

/** Rejects after a time no working machine needs, naming what was waited for. */
export async function within<T>(what: string, promise: Promise<T>, ms = PATIENCE_MS): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing after ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

const COMMAND = fileURLToPath(new URL('../../../bin/millrace.js', import.meta.url));
let networks = 0;

/** Every stack of a file has a subnet and a device of its own. */
function nextNetwork(): { device: string; address: string; hostAddress: string; second: string } {
  networks += 1;
  const prefix = `10.60.${networks}`;
  return {
    device: `tap:e2e${networks}`,
    address: `${prefix}.2`,
    hostAddress: `${prefix}.1`,
    second: `${prefix}.3`,
  };
}

/** `millrace COMMAND …` as a user starts it. */
export class Command {
  readonly #child: ChildProcess;
  readonly #exit: Promise<Finished>;
  #stdout = '';
  #stderr = '';
  #seen: () => void = () => {};

  /** Ends with the test at the latest. */
  constructor(t: Test, args: readonly string[]) {
    t.teardown(() => this.stop());
    this.#child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child.stdout?.on('data', (bytes: Buffer) => {
      this.#stdout += bytes.toString();
      this.#seen();
    });
    this.#child.stderr?.on('data', (bytes: Buffer) => {
      this.#stderr += bytes.toString();
      this.#seen();
    });
    this.#exit = once(this.#child, 'close').then(([status]) => {
      this.#seen();
      return { status: status as number | null, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }
  get stdout(): string {
    return this.#stdout;
  }

  /** Until something like this was printed. */
  async printed(pattern: RegExp): Promise<RegExpMatchArray> {
    let match = this.#stdout.match(pattern);
    while (match === null) {
      if (this.#child.exitCode !== null || this.#child.signalCode !== null) {
        throw new Error(`millrace ended (${this.#child.exitCode ?? this.#child.signalCode}): ${this.#stderr}`);
      }
      await within(`${pattern} in the output`, new Promise<void>((resolve) => (this.#seen = resolve)));
      match = this.#stdout.match(pattern);
    }
    return match;
  }

  /** Waits for the end. */
  finished(): Promise<Finished> {
    return within('the end of millrace', this.#exit);
  }

  /** Asks it to end, and waits until it has. */
  async stop(signal: 'SIGTERM' | 'SIGINT' = 'SIGTERM'): Promise<Finished> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill(signal);
    try {
      return await within('the end of millrace', this.#exit, 10_000);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw error;
    }
  }
}

export interface RunningCommand extends Command {
  readonly address: string;
  readonly hostAddress: string;
  /** Of the kernel's interface. */
  readonly interfaceName: string;
}

/** A command that serves, on a network of its own, stopped at the end of the test. */
export async function startCommand(t: Test, args: readonly string[], ready = /^on tap:/m): Promise<RunningCommand> {
  const { device, address, hostAddress } = nextNetwork();
  const command = new Command(t, [
    ...args,
    ...['--device', device, '--address', `${address}/24`, '--host-address', hostAddress],
    ...(args.includes('--control') ? [] : ['--no-control']),
  ]);
  await command.printed(ready);
  return Object.assign(command, { address, hostAddress, interfaceName: device.slice('tap:'.length) });
}

/** Millrace with services and a remote control: see `peer.ts`. */
export class Peer {
  readonly #child: ChildProcess;
  readonly #answers = new Map<number, (answer: Answer) => void>();
  readonly #events: PeerEvent[] = [];
  #calls = 0;
  #heard: () => void = () => {};
  #ended = '';

  constructor(
    options: PeerOptions,
    readonly address: string,
    readonly hostAddress: string,
    readonly secondAddress: string,
    readonly interfaceName: string,
  ) {
    this.#child = fork(fileURLToPath(new URL('./peer.js', import.meta.url)), [JSON.stringify(options)], {
      execArgv: [],
    });
    this.#child.on('message', (message) => this.#take(message as Report));
    this.#child.on('exit', (code, signal) => {
      this.#ended = `the peer ended (${signal ?? code})`;
      for (const answer of this.#answers.values()) answer({ id: 0, error: this.#ended });
      this.#answers.clear();
      this.#heard();
    });
  }

  call<C extends Call>(name: C, argument: Calls[C]['argument']): Promise<Calls[C]['result']> {
    this.#calls += 1;
    const id = this.#calls;
    const answered = new Promise<Calls[C]['result']>((resolve, reject) => {
      this.#answers.set(id, (answer) => {
        if (answer.error === undefined) resolve(answer.result as Calls[C]['result']);
        else reject(new Error(`${name}: ${answer.error}`));
      });
    });
    this.#child.send({ id, name, argument });
    return within(`the answer to ${name}`, answered);
  }

  /** The next event of this kind; earlier ones of other kinds are passed over. */
  async event(kind: PeerEvent['event']): Promise<PeerEvent> {
    for (;;) {
      for (let event = this.#events.shift(); event !== undefined; event = this.#events.shift()) {
        if (event.event === kind) return event;
      }
      if (this.#ended !== '') throw new Error(this.#ended);
      await within(`the event ${kind}`, new Promise<void>((resolve) => (this.#heard = resolve)));
    }
  }

  async stop(): Promise<void> {
    if (this.#ended !== '') return;
    const exit = once(this.#child, 'exit');
    this.#child.disconnect();
    try {
      await within('the end of the peer', exit, 10_000);
    } catch (error) {
      this.#child.kill('SIGKILL');
      throw error;
    }
  }

  #take(report: Report): void {
    if ('event' in report) {
      this.#events.push(report);
      this.#heard();
      return;
    }
    this.#answers.get(report.id)?.(report);
    this.#answers.delete(report.id);
  }
}

/** A peer on a network of its own, stopped at the end of the test. */
export async function startPeer(t: Test, extra: Partial<PeerOptions['settings']> = {}): Promise<Peer> {
  const { device, address, hostAddress, second } = nextNetwork();
  const settings = { device, address: `${address}/24`, hostAddress, control: false as const, seed: '1', ...extra };
  const peer = new Peer({ settings }, address, hostAddress, second, device.slice('tap:'.length));
  t.teardown(() => peer.stop());
  await peer.event('ready');
  return peer;
}
