import type { ScriptOutcome } from '../../src/packetdrill/outcome.js';
import { runScript } from '../../src/packetdrill/run-script.js';
import type { ProfileName } from '../../stack/tcp/profiles.js';
import type { Difference } from './compare.js';
import { endUs, type Found, type Hunt } from './hunt.js';
import { ownWorld } from './own-side.js';
import { RULES } from './rules.js';
import { scriptOf } from './script.js';
import type { Happening } from './step.js';

/** From so many sequences on a rule that never hits is one that nobody needs. */
const ENOUGH = 1000;

function whatOf(happening: Happening | undefined, found: Found): string {
  if (happening === undefined) return 'nothing';
  const at = `${(happening.us / 1e6).toFixed(3)} s`;
  if (happening.kind === 'packet') return `${at} > ${happening.text}`;
  const action = found.sequence.steps[happening.step - 1]?.action;
  const name = action?.kind === 'call' ? action.name : '?';
  const errno = happening.result < 0 ? ` errno ${happening.errno}` : '';
  return `${at} ${name} = ${happening.result}${errno}${happening.value === undefined ? '' : ` [${happening.value}]`}`;
}

/** Settings of the kernel that are not our profile's own, as [name, value]. */
function unusual(found: Found, profile: ProfileName): (readonly [string, string])[] {
  const world = ownWorld(profile, new Map());
  try {
    return [...found.settings].filter(([name, value]) => world.getSysctl(name) !== value);
  } finally {
    world.close();
  }
}

export function scriptsOf(found: Found, profile: ProfileName): { readonly kernel: string; readonly own: string } {
  const { sequence, difference } = found;
  const settings = unusual(found, profile);
  const comments = (who: string) => [
    `Seed ${sequence.seed}, what ${who} does.`,
    `kernel: ${whatOf(difference.kernel, found)}`,
    `ours:   ${whatOf(difference.own, found)}`,
  ];
  const end = endUs(difference);
  return {
    kernel: scriptOf(sequence, found.kernel, settings, comments('the kernel'), end),
    own: scriptOf(sequence, found.own, settings, comments('our stack'), end),
  };
}

/** Our own interpreter on one of the scripts. */
export function judgeScript(text: string, profile: ProfileName): ScriptOutcome {
  return runScript('differential.pkt', text, {
    profile,
    definitions: new Map(),
    makeWorld: () => ownWorld(profile, new Map()),
  });
}

export function hitsOf(result: Hunt): ReadonlyMap<string, number> {
  const hits = new Map(RULES.map(({ name }) => [name, 0]));
  for (const { rule } of result.found) if (rule !== undefined) hits.set(rule.name, (hits.get(rule.name) ?? 0) + 1);
  return hits;
}

export function reportLines(result: Hunt, unexplained: readonly Found[], profile: ProfileName): string[] {
  const lines: string[] = [];
  for (const found of unexplained) lines.push(scriptsOf(found, profile).kernel);
  const hits = hitsOf(result);
  for (const { name, why } of RULES) {
    const count = hits.get(name) ?? 0;
    if (count === 0 && result.sequences < ENOUGH) continue;
    lines.push(`${String(count).padStart(5)}  ${name}: ${why}`);
    if (count === 0 && result.sequences >= ENOUGH)
      lines.push(`       ${name} has not been needed in ${result.sequences} sequences`);
  }
  const explained = result.found.filter(({ rule }) => rule !== undefined).length;
  lines.push(
    `${profile}: ${result.sequences} sequences, ${result.alike} alike, ${explained} explained by a rule, ${result.unsteady.length} not the same twice, ${result.found.length - explained} unexplained of ${unexplained.length} kinds`,
  );
  return lines;
}

export function jsonReport(result: Hunt, unexplained: readonly Found[], profile: ProfileName): object {
  return {
    profile,
    sequences: result.sequences,
    alike: result.alike,
    rules: RULES.map(({ name, why }) => ({ name, why, hits: hitsOf(result).get(name) ?? 0 })),
    unsteady: result.unsteady.map(({ seed }) => seed),
    differences: unexplained.map((found) => ({
      seed: found.sequence.seed,
      difference: found.difference satisfies Difference,
      steps: found.sequence.steps,
      kernel: found.kernel.happenings,
      own: found.own.happenings,
      script: scriptsOf(found, profile).kernel,
    })),
  };
}
