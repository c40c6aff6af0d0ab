import { spawnSync } from 'node:child_process';
import type { Driver } from '../../../drivers/driver.js';
import { createWire } from '../../../drivers/loopback.js';
import type { Address } from '../../../stack/base/units.js';
import { createPageServer } from '../../apps/page-server.js';
import { Exit } from '../errors.js';
import { enterCommand, type NamespaceKind } from '../namespace.js';
import type { StackSettings, TrafficSettings } from '../options.js';
import { colours, print, programName } from '../output.js';
import { openDriver, openSession, type Session } from '../session.js';
import { Ending } from '../signals.js';
import { type Check, type Client, PAGE, runChecks } from './checks.js';
import { kernelClient } from './kernel-client.js';
import { OwnClient } from './own-client.js';

/** A subnet nobody else can have: the namespace is ours alone. */
const SERVER = { address: (10 << 24) | (23 << 16) | 2, prefixLength: 24 };
const PEER = { address: (10 << 24) | (23 << 16) | 1, prefixLength: 24 };
const INTERFACE = 'mill0';
const PORT = 80;

export interface DemoOptions extends TrafficSettings {
  readonly json: boolean;
  /** Go on serving after the proof. */
  readonly stay: boolean;
}

export interface DemoReport {
  readonly ok: boolean;
  readonly mode: 'tap' | 'loopback';
  readonly checks: readonly Check[];
  readonly trace: string | undefined;
  readonly frames: number;
}

/** Errors that say TAP cannot be had here; others are worth being seen. */
const NO_TAP = new Set(['EACCES', 'EPERM', 'ENOENT', 'ENODEV', 'ENXIO', 'EOPNOTSUPP']);

/**
 * In a namespace of its own: the TAP device, the stack behind it, and the kernel's clients in front. Returns why not when
 * there can be no TAP.
 */
export async function demoOverTap(kind: NamespaceKind, options: DemoOptions): Promise<string | undefined> {
  const settings: StackSettings = {
    ...options,
    device: `tap:${INTERFACE}`,
    address: SERVER,
    hostAddress: PEER,
    gateway: undefined,
  };
  let device: Driver;
  if (kind === 'user') prepareInterface();
  try {
    device = openDriver(settings);
  } catch (error) {
    if (error instanceof Error && 'code' in error && NO_TAP.has(String(error.code))) return error.message;
    throw error;
  }
  const where = kind === 'net' ? 'a network namespace of its own' : 'user and network namespaces of its own';
  await demo('tap', options, await openSession(settings, device), (session, signal) => ({
    intro: `TAP device ${INTERFACE} in ${where}: our stack is ${session.address}, the kernel 10.23.0.1`,
    client: kernelClient(session.address, signal),
    byHand: options.stay
      ? `from another terminal: ${enterCommand(kind, process.pid, `curl http://${session.address}/`)}`
      : `on a terminal "npm start" goes on serving; from another, with its PID: ${enterCommand(kind, 'PID', `curl http://${session.address}/`)}`,
    close: () => {},
  }));
  return undefined;
}

/**
 * The length of an interface's queue may be set by ioctl only for the machine's own root, but over netlink by ours, too; and
 * an interface that exists the driver leaves as it is. Without `ip` the driver says itself what it lacks.
 */
function prepareInterface(): void {
  const run = (...args: string[]): void => {
    spawnSync('ip', args, { stdio: 'ignore' });
  };
  run('tuntap', 'add', 'dev', INTERFACE, 'mode', 'tap');
  run('link', 'set', INTERFACE, 'txqueuelen', '1024');
}

/** The same over a wire within this process, a second stack of ours as the peer. */
export async function demoOverLoopback(reason: string, options: DemoOptions): Promise<void> {
  const settings: StackSettings = {
    ...options,
    device: 'loopback',
    address: SERVER,
    hostAddress: undefined,
    gateway: undefined,
  };
  const [near, far] = createWire({ seed: options.seed, ...(options.mtu === undefined ? {} : { mtu: options.mtu }) });
  await demo('loopback', options, await openSession(settings, near), (_session, signal) => {
    const client = new OwnClient(far, PEER, SERVER.address as Address, (options.seed + 1) >>> 0, signal);
    return {
      intro: `loopback: two stacks of ours, 10.23.0.2 and 10.23.0.1, on a wire within this process (${reason})`,
      client,
      byHand: 'only over TAP: run it as root on Linux, or in the virtual machine that the Vagrantfile describes',
      close: () => client.close(),
    };
  });
}

interface Stage {
  readonly intro: string;
  readonly client: Client;
  readonly byHand: string;
  close(): void;
}

async function demo(
  mode: DemoReport['mode'],
  options: DemoOptions,
  session: Session,
  prepare: (session: Session, signal: AbortSignal) => Stage,
): Promise<void> {
  const ending = new Ending();
  const aborting = new AbortController();
  process.once('disconnect', () => ending.request());
  session.onFailure(() => ending.request());
  const say = (text: string): void => {
    if (!options.json) print(text);
  };
  let stage: Stage | undefined;
  try {
    stage = prepare(session, aborting.signal);
    say(stage.intro);
    const server = createPageServer({ page: PAGE });
    await new Promise<void>((done, failed) => {
      server.once('error', failed);
      session.net.listen(server, PORT, session.address, () => done());
    });
    const checks = runChecks(stage.client, (check) => {
      if (!ending.asked) say(`  ${mark(check)} ${check.name}: ${check.text}`);
    });
    const outcome = await Promise.race([checks, ending.requested]);
    if (outcome === undefined) {
      aborting.abort();
      say('stopped before the proof was complete');
      if (session.failure !== null) throw session.failure;
      process.exitCode = Exit.FAILED;
      return;
    }
    await session.settle();
    session.flush();
    const report = makeReport(mode, session, outcome);
    if (options.json) print(JSON.stringify(report));
    for (const line of closing(session, report, stage)) say(line);
    process.exitCode = report.ok ? Exit.OK : Exit.FAILED;
    if (options.stay) {
      say(`serving http://${session.address}/ until Ctrl-C`);
      await ending.requested;
    }
    if (session.failure !== null) throw session.failure;
    server.close();
    server.closeAllConnections();
  } finally {
    await session.close();
    stage?.close();
    ending.release();
  }
}

function makeReport(mode: DemoReport['mode'], session: Session, checks: readonly Check[]): DemoReport {
  const ok = checks.every((check) => check.outcome !== 'failed') && checks.some((check) => check.outcome === 'passed');
  const frames = session.capture?.framesWritten ?? 0;
  return { ok, mode, checks, trace: session.settings.trace, frames };
}

function closing(session: Session, report: DemoReport, stage: Stage): string[] {
  const lines: string[] = [];
  if (report.trace !== undefined) {
    lines.push(
      `trace: ${report.trace} (${report.frames} frames, each with what the stack thought of it; tshark -r or Wireshark)`,
    );
  }
  lines.push(`by hand: ${stage.byHand}`);
  if (session.control !== undefined && stage.byHand.startsWith('from')) {
    lines.push(`connections: ${programName()} ss --control ${session.control.path}`);
  }
  lines.push(report.ok ? colours.green('proved: it works') : colours.red('not proved: see above'));
  return lines;
}

function mark(check: Check): string {
  if (check.outcome === 'passed') return colours.green('✓');
  return check.outcome === 'failed' ? colours.red('✗') : colours.yellow('–');
}
