import { isProfileName, PROFILE_NAMES } from '../../stack/tcp/profile.js';
import { type ClaimOptions, runClaims } from '../packetdrill/claims.js';
import { collectScripts } from '../packetdrill/collect.js';
import { ScriptError, Unsupported } from '../packetdrill/language/script-error.js';
import { FLAG_OPTIONS, VALUED_OPTIONS } from '../packetdrill/option-names.js';
import type { ScriptOutcome } from '../packetdrill/outcome.js';
import { folderTotals, jsonReport, type Paint, reportLines, type Totals, totalsLine } from '../packetdrill/report.js';
import { applyOptions, defaultSettings, type Profile } from '../packetdrill/run/settings.js';
import { runScriptFile } from '../packetdrill/run-script.js';
import { scriptWorld } from '../packetdrill/script-world.js';
import { PacketdrillServer } from '../packetdrill/serve/server.js';
import { badValue, CliError, Exit } from './errors.js';
import { colours, notice, print } from './output.js';
import { Ending } from './signals.js';

export interface PacketdrillOptions {
  readonly serve?: string;
  readonly set: readonly string[];
  readonly offload?: boolean;
  readonly profile?: string;
  readonly verbose?: boolean;
  readonly json?: boolean;
  readonly folders?: boolean;
  readonly define: readonly string[];
  readonly strict?: boolean;
  readonly asPacketdrill?: boolean;
  /** packetdrill's own, by the names of `option-names.ts`. */
  readonly [name: string]: unknown;
}

/** Until then nobody has waited long enough to wonder. */
const PROGRESS_AFTER_MS = 2000;
const PROGRESS_EVERY_MS = 200;

/** What the command line asks for: scripts, or to serve packetdrill itself. */
export function packetdrill(paths: readonly string[], raw: PacketdrillOptions): Promise<void> {
  return raw.serve === undefined ? runAll(paths, raw) : serve(raw.serve, paths, raw);
}

async function runAll(paths: readonly string[], raw: PacketdrillOptions): Promise<void> {
  if (paths.length === 0) throw new CliError('ERR_MISSING_ARGS', 'no scripts are named; see --help');
  if (raw.set.length > 0)
    throw badValue('--set', raw.set[0], 'with --serve only: scripts set what they need themselves');
  if (raw.offload === true)
    throw badValue('--offload', 'it', 'with --serve only: here one scripted segment may stand for several');
  if (raw.strict === true && raw.asPacketdrill === true) throw badValue('--strict', 'it', 'without --as-packetdrill');
  const profile = raw.profile === undefined ? undefined : profileOf(raw.profile);
  const definitions = pairs('--define', raw.define, /^([A-Za-z_]\w*)=(.*)$/s, 'MSS=1460');
  const theirs = theirOptions(raw);
  const files = filesOf(paths);
  const json = raw.json === true;
  const options: ClaimOptions = {
    definitions,
    options: theirs,
    asPacketdrill: raw.asPacketdrill === true,
    makeWorld: scriptWorld,
    ...(raw.verbose === true && !json ? { tell: (line: string) => print(`     ${line}`) } : {}),
  };
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 };
  const outcomes: ScriptOutcome[] = [];
  const progress = new Progress(files.length);
  for (const file of files) {
    const outcome = profile === undefined ? runClaims(file, options) : runScriptFile(file, { ...options, profile });
    totals[outcome.result] += 1;
    progress.clear();
    outcomes.push(outcome);
    const quiet = json || (raw.folders === true && outcome.result === 'passed');
    if (!quiet) for (const line of reportLines(outcome, PAINT, raw.verbose === true)) print(line);
    // The pipe is emptied, and Ctrl-C heard, between two scripts.
    if (progress.due()) await new Promise(setImmediate);
    progress.show(totals);
  }
  progress.clear();
  if (raw.folders === true && !json)
    for (const [folder, counted] of folderTotals(outcomes)) print(`${folder}: ${totalsLine(counted)}`);
  print(json ? jsonReport(outcomes, totals) : totalsLine(totals));
  if (totals.failed > 0) process.exitCode = Exit.FAILED;
}

/** Until it is asked to end. */
async function serve(path: string, paths: readonly string[], raw: PacketdrillOptions): Promise<void> {
  if (paths.length > 0) throw badValue('<files>', paths[0], 'nothing with --serve: packetdrill brings its own scripts');
  const [theirs] = theirOptions(raw);
  if (theirs !== undefined) throw badValue(`--${theirs[0]}`, theirs[1], 'nothing with --serve: give it to packetdrill');
  const profile = profileOf(raw.profile ?? 'linux');
  const ending = new Ending();
  const server = await PacketdrillServer.start({
    path,
    world: { profile, segmentationOffload: raw.offload === true },
    settings: pairs('--set', raw.set, /^([\w./-]+)=(.*)$/s, 'net.ipv4.tcp_timestamps=0'),
    onProtocolError: (error) => notice(`packetdrill: ${error.message}`),
    ...(raw.verbose === true ? { onScript: (number: number) => print(`script ${number}`) } : {}),
  });
  print(`a stack for packetdrill at ${path}; Ctrl-C ends it`);
  await ending.requested;
  await server.close();
  ending.release();
}

/** packetdrill's options, each judged as in a script; what is not supported here is each script's reason to be skipped. */
function theirOptions(raw: PacketdrillOptions): Map<string, string> {
  const given = new Map<string, string>();
  const settings = defaultSettings('linux', new Map());
  for (const name of [...VALUED_OPTIONS, ...FLAG_OPTIONS]) {
    const value = raw[name];
    if (value === undefined) continue;
    const text = value === true ? '' : String(value);
    given.set(name, text);
    try {
      applyOptions(settings, [{ place: { file: 'the command line', line: 1, column: 1 }, name, value: text }]);
    } catch (error) {
      if (error instanceof ScriptError) throw new CliError('ERR_INVALID_ARG_VALUE', error.message);
      if (!(error instanceof Unsupported)) throw error;
    }
  }
  return given;
}

function profileOf(name: string): Profile {
  if (isProfileName(name)) return name;
  throw badValue('--profile', name, `one of ${PROFILE_NAMES.join(', ')}`);
}

const PAINT: Paint = { good: colours.green, bad: colours.red, pale: colours.dim };

function filesOf(paths: readonly string[]): string[] {
  const files = collectScripts(paths);
  if (files.length === 0) throw new CliError('ENOENT', `no scripts (*.pkt) in ${paths.join(', ')}`);
  return files;
}

function pairs(option: string, given: readonly string[], form: RegExp, example: string): Map<string, string> {
  const map = new Map<string, string>();
  for (const pair of given) {
    const match = form.exec(pair);
    if (match === null) throw badValue(option, pair, `NAME=VALUE, as in "${example}"`);
    map.set(match[1], match[2]);
  }
  return map;
}

/** One line on a terminal, when it takes long: how far it is. */
class Progress {
  private readonly startMs = performance.now();
  private shownMs = 0;
  private shown = false;
  private done = 0;

  constructor(private readonly total: number) {}

  due(): boolean {
    const nowMs = performance.now();
    return nowMs - this.startMs > PROGRESS_AFTER_MS && nowMs - this.shownMs > PROGRESS_EVERY_MS;
  }

  show(totals: Totals): void {
    this.done += 1;
    if (process.stderr.isTTY !== true || !this.due()) return;
    this.shownMs = performance.now();
    this.shown = true;
    process.stderr.write(`\r${this.done} of ${this.total} scripts: ${totalsLine(totals)}`);
  }

  clear(): void {
    if (!this.shown) return;
    this.shown = false;
    process.stderr.write('\r\x1b[K');
  }
}
