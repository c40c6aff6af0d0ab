/** The kernel's scripts in our interpreter, as the kernel's runner gives them to packetdrill. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { collectScripts } from '../../src/packetdrill/collect.js';
import type { ScriptOutcome } from '../../src/packetdrill/outcome.js';
import { runScriptFile } from '../../src/packetdrill/run-script.js';
import { scriptWorld } from '../../src/packetdrill/script-world.js';
import { IPV4_OPTIONS, type Kernel, SCRIPTS_IN_SOURCE } from './kernels.js';
import type { Reasons } from './reasons.js';
import { Refusal } from './refusal.js';

/** Known: it fails, and why is written down. Stale: a reason is written down, and it passes or is not there. */
export type Verdict = 'passed' | 'known' | 'unexplained' | 'stale' | 'skipped';

export interface Result {
  /** Without `.pkt`. */
  readonly name: string;
  readonly topic: string;
  readonly verdict: Verdict;
  /** Why it did not pass; empty when it did. */
  readonly reason: string;
  /** Undefined for a stale reason whose script is not there. */
  readonly outcome?: ScriptOutcome;
}

/** Topics of two words. The kernel's files are named by topic and script, and `_` stands in both. */
const LONG_TOPICS =
  'fast_recovery fastopen_server limited_transmit old_ack slow_start syscall_bad_arg tcp_info ts_recent user_timeout';

/** A script in a folder belongs to it; others are sorted by their names. */
export function topicOf(path: string): string {
  const folder = dirname(path);
  if (folder !== '.') return folder;
  const name = basename(path, '.pkt').replace(/^tcp_/, '');
  const long = LONG_TOPICS.split(' ').find((topic) => name === topic || name.startsWith(`${topic}_`));
  return (long ?? name.split(/[_-]/)[0]).replaceAll('_', '-');
}

/** Of a source tree the folder with its scripts; any other as it is. */
export function scriptsFolder(path: string): string {
  const inTree = join(path, SCRIPTS_IN_SOURCE);
  if (existsSync(inTree)) return inTree;
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return path;
  throw new Refusal('ERR_NO_SCRIPTS', `${path} is no folder`);
}

export interface RunOptions {
  readonly kernel: Kernel;
  readonly folder: string;
  readonly reasons: Reasons;
  /** Topics or scripts; empty: all. */
  readonly only: readonly string[];
  /** A reason for a script that is not in the folder is stale: the folder is the kernel's own. */
  readonly complete: boolean;
  readonly progress?: (done: number, total: number) => void;
}

export function runScripts(options: RunOptions): Result[] {
  const { kernel, folder, reasons, only, complete, progress } = options;
  const files = collectScripts([folder]);
  if (files.length === 0) throw new Refusal('ERR_NO_SCRIPTS', `there are no scripts (*.pkt) in ${folder}`);
  const all = files.map((file) => ({ file, name: nameOf(folder, file), topic: topicOf(relative(folder, file)) }));
  const wanted = all.filter(({ name, topic }) => only.length === 0 || only.includes(name) || only.includes(topic));
  const unknown = only.find((word) => !all.some(({ name, topic }) => word === name || word === topic));
  if (unknown !== undefined) {
    const topics = [...new Set(all.map(({ topic }) => topic))].sort().join(', ');
    throw new Refusal(
      'ERR_INVALID_ARG_VALUE',
      `--only: ${unknown} is no script of ${kernel.version}, and none of ${topics}`,
    );
  }
  const results = wanted.map(({ file, name, topic }, i): Result => {
    const outcome = runOne(file, kernel);
    progress?.(i + 1, wanted.length);
    return { name, topic, ...judge(outcome, own(reasons, name)), outcome };
  });
  if (complete && only.length === 0) {
    const there = new Set(all.map(({ name }) => name));
    for (const name of Object.keys(reasons).filter((name) => !there.has(name)))
      results.push({ name, topic: topicOf(name), verdict: 'stale', reason: 'there is no such script' });
  }
  return results;
}

function nameOf(folder: string, file: string): string {
  return relative(folder, file).replace(/\.pkt$/, '');
}

function own(reasons: Reasons, name: string): string | undefined {
  return Object.hasOwn(reasons, name) ? reasons[name] : undefined;
}

function judge(outcome: ScriptOutcome, known: string | undefined): Pick<Result, 'verdict' | 'reason'> {
  switch (outcome.result) {
    case 'failed':
      return known === undefined
        ? { verdict: 'unexplained', reason: outcome.reason }
        : { verdict: 'known', reason: known };
    case 'passed':
      return known === undefined
        ? { verdict: 'passed', reason: '' }
        : { verdict: 'stale', reason: `it passes: ${known}` };
    case 'skipped':
      return known === undefined
        ? { verdict: 'skipped', reason: outcome.reason }
        : { verdict: 'stale', reason: `it is skipped (${outcome.reason}): ${known}` };
  }
}

function runOne(file: string, { profile }: Kernel): ScriptOutcome {
  return runScriptFile(file, {
    profile,
    definitions: new Map(),
    options: runnerOptions(file),
    asPacketdrill: true,
    makeWorld: scriptWorld,
  });
}

/** The runner's options go by the version of IP that a script names at a line's beginning; here by IPv4 where it names none. */
function runnerOptions(file: string): ReadonlyMap<string, string> {
  let version: string | undefined;
  try {
    version = /^--ip_version=(\S+)/m.exec(readFileSync(file, 'utf8'))?.[1];
  } catch {
    // Told by the run.
  }
  return version === undefined || version === 'ipv4' ? IPV4_OPTIONS : new Map([['ip_version', version]]);
}
