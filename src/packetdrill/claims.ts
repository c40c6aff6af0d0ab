import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { isProfileName, PROFILE_NAMES } from '../../stack/tcp/profile.js';
import { SCRIPT_BYTES_MAX } from './language/parse-script.js';
import type { ScriptOutcome } from './outcome.js';
import type { Profile } from './run/settings.js';
import { type RunOptions, runScriptFile } from './run-script.js';

/**
 * Which profiles a script holds for. It says so in comments at its head, one line each:
 *
 *     // holds for: linux-6.18 linux-7.3
 *     // fails for: linux-6.12
 *
 * A script without such lines has those of the nearest folder above it that has a file `packetdrill-profiles.txt`, where
 * the lines stand without the slashes. Without either it holds for the default profile, and nothing is said of others.
 */
export interface Claims {
  readonly holds: readonly Profile[];
  readonly fails: readonly Profile[];
}

export type ClaimOptions = Omit<RunOptions, 'profile'>;

export const CLAIMS_FILE = 'packetdrill-profiles.txt';
/** A corpus is not deeper. */
const FOLDERS_UP_MAX = 16;

/** The claims are wrong: of a profile nobody knows, or contradictory. */
export class ClaimError extends Error {
  override readonly name = 'ClaimError';
}

/** One script under every profile it makes a claim of: passed if all claims are true, else what the first false one saw. */
export function runClaims(file: string, options: ClaimOptions): ScriptOutcome {
  let claims: Claims;
  try {
    claims = claimsOf(file);
  } catch (error) {
    // A file that cannot be read is the runner's to report.
    if (!(error instanceof ClaimError)) return runScriptFile(file, { ...options, profile: 'linux' });
    return { file, result: 'failed', reason: error.message, packets: [], notes: [], error: true };
  }
  let first: ScriptOutcome | undefined;
  for (const profile of claims.holds) {
    options.tell?.(`under ${profile}:`);
    const outcome = runScriptFile(file, { ...options, profile });
    if (outcome.result !== 'passed') return claims.holds.length > 1 ? under(profile, outcome) : outcome;
    first ??= outcome;
  }
  for (const profile of claims.fails) {
    options.tell?.(`under ${profile}, where it must fail:`);
    const outcome = runScriptFile(file, { ...options, profile });
    if (outcome.result === 'skipped' || outcome.error) return under(profile, outcome);
    if (outcome.result === 'failed') continue;
    const reason = `it passes under ${profile}, where it claims to fail`;
    return { ...outcome, result: 'failed', reason, error: false };
  }
  return first ?? { file, result: 'passed', reason: '', packets: [], notes: [], error: false };
}

function under(profile: Profile, outcome: ScriptOutcome): ScriptOutcome {
  return outcome.result === 'failed' ? { ...outcome, reason: `under ${profile}: ${outcome.reason}` } : outcome;
}

/** What the script says, or the folders above it say for it. */
export function claimsOf(file: string): Claims {
  if (statSync(file).isFile() && statSync(file).size <= SCRIPT_BYTES_MAX) {
    const own = parseClaims(readFileSync(file, 'utf8'), /^\/\/\s*((?:holds|fails) for):\s*(.*)$/gm, file);
    if (own !== undefined) return own;
  }
  let folder = dirname(resolve(file));
  for (let up = 0; up < FOLDERS_UP_MAX; up++) {
    const path = join(folder, CLAIMS_FILE);
    if (existsSync(path)) {
      const shared = parseClaims(readFileSync(path, 'utf8'), /^((?:holds|fails) for):\s*(.*)$/gm, path);
      if (shared === undefined) throw new ClaimError(`${path} has no line "holds for: PROFILE …"`);
      return shared;
    }
    const above = dirname(folder);
    if (above === folder) break;
    folder = above;
  }
  return { holds: ['linux'], fails: [] };
}

function parseClaims(text: string, line: RegExp, path: string): Claims | undefined {
  const claims: { holds: Profile[]; fails: Profile[] } = { holds: [], fails: [] };
  let any = false;
  for (const [, what, names] of text.matchAll(line)) {
    any = true;
    for (const name of names.trim().split(/[\s,]+/)) {
      if (!isProfileName(name))
        throw new ClaimError(`${path}: no profile "${name}"; there are ${PROFILE_NAMES.join(', ')}`);
      if (claims.holds.includes(name) || claims.fails.includes(name)) throw new ClaimError(`${path}: ${name} twice`);
      (what === 'holds for' ? claims.holds : claims.fails).push(name);
    }
  }
  if (any && claims.holds.length === 0) throw new ClaimError(`${path}: it claims to hold for no profile`);
  return any ? claims : undefined;
}
