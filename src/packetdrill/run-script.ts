import { readFileSync, statSync } from 'node:fs';
import type { World } from '../posix/world.js';
import type { Event, Script, ScriptOption } from './language/ast.js';
import { parseScript, SCRIPT_BYTES_MAX } from './language/parse-script.js';
import { type Place, ScriptError, Unsupported } from './language/script-error.js';
import type { ScriptOutcome } from './outcome.js';
import { mtuAtHead } from './run/device-mtu.js';
import { Mismatch } from './run/failure.js';
import { ScriptRun } from './run/script-run.js';
import { applyOptions, defaultSettings, GIVEN, type Profile, type Settings } from './run/settings.js';

export interface RunOptions {
  readonly profile: Profile;
  readonly definitions: ReadonlyMap<string, string>;
  /** packetdrill's options as its command line has them, by name; they come before what a script says. */
  readonly options?: ReadonlyMap<string, string>;
  /** Judged as packetdrill does where that is less strict (`Settings.asPacketdrill`). */
  readonly asPacketdrill?: boolean;
  /** A fresh one for each script. */
  makeWorld(settings: Settings): World;
  readonly tell?: (line: string) => void;
}

/** One file, from reading to judgment. Throws nothing that a script could bring about. */
export function runScriptFile(file: string, options: RunOptions): ScriptOutcome {
  let text: string;
  try {
    const stat = statSync(file);
    const { size } = stat;
    // A pipe could keep us for ever.
    if (!stat.isFile()) throw new Error('is no regular file');
    if (size > SCRIPT_BYTES_MAX) throw new Error(`larger than ${SCRIPT_BYTES_MAX} bytes`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    return { ...NOTHING, file, result: 'failed', reason: (error as Error).message, error: true };
  }
  return runScript(file, text, options);
}

const NOTHING = { packets: [], notes: [] } as const;

export function runScript(file: string, text: string, options: RunOptions): ScriptOutcome {
  const notes: string[] = [];
  const note = (line: string) => {
    if (notes.length < NOTES_MAX) notes.push(line);
  };
  let script: Script | undefined;
  let run: ScriptRun | undefined;
  let world: World | undefined;
  try {
    const settings = defaultSettings(options.profile, options.definitions);
    settings.asPacketdrill = options.asPacketdrill ?? false;
    const version = options.options?.get('ip_version') === 'ipv6' ? 6 : 4;
    script = parseScript(file, text, settings.definitions, version, GIVEN);
    applyOptions(settings, script.options);
    applyOptions(settings, commandLine(file, options.options ?? new Map()));
    settings.mtu = mtuAtHead(script) ?? settings.mtu;
    if (!settings.dryRun) {
      world = options.makeWorld(settings);
      run = new ScriptRun(script, settings, world, {
        note,
        ...(options.tell === undefined ? {} : { tell: options.tell }),
      });
      run.run();
    }
    return { file, result: 'passed', reason: '', packets: [], notes, error: false };
  } catch (error) {
    return { file, ...judged(error, script, run?.at), packets: run?.packets ?? [], notes };
  } finally {
    world?.close();
  }
}

/** Options of the command line have no place in the script: they are complained of at its beginning. */
function commandLine(file: string, options: ReadonlyMap<string, string>): ScriptOption[] {
  return [...options].map(([name, value]) => ({ place: { file, line: 1, column: 1 }, name, value }));
}

/** A block that prints in a script of a thousand lines is no reason to say it a thousand times. */
const NOTES_MAX = 100;

/** V8's words for what has no room. */
const TOO_LARGE = /call stack|Invalid (?:string|array|typed array) length|allocation failed/i;

type Judgment = Omit<ScriptOutcome, 'file' | 'packets' | 'notes'>;

/** `at`: the event that happened. */
function judged(error: unknown, script: Script | undefined, at: Event | undefined): Judgment {
  if (error instanceof Mismatch) {
    const { place, message, expected, seen } = error;
    return { result: 'failed', reason: message, place, source: sourceAt(script, place), expected, seen, error: false };
  }
  if (error instanceof Unsupported) {
    return { result: 'skipped', reason: `not supported: ${error.message}`, place: error.place, error: false };
  }
  if (error instanceof ScriptError) {
    return {
      result: 'failed',
      reason: error.message,
      place: error.place,
      source: sourceAt(script, error.place),
      error: true,
    };
  }
  const where = { place: at?.place, source: at?.source };
  // An expression of a hundred thousand terms, or a value of a gigabyte: nothing a person writes.
  if (error instanceof RangeError && TOO_LARGE.test(error.message)) {
    return { result: 'failed', reason: `too large to be evaluated: ${error.message}`, ...where, error: true };
  }
  // Ours: worth its stack trace.
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { result: 'failed', reason: `an error of the stack or of this interpreter: ${text}`, ...where, error: true };
}

/** The event that a place lies in. */
function sourceAt(script: Script | undefined, place: Place): string | undefined {
  const before = (event: Event) =>
    event.place.line < place.line || (event.place.line === place.line && event.place.column <= place.column);
  return script?.events.findLast(before)?.source;
}
