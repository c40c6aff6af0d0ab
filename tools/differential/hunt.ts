import type { ProfileName } from '../../stack/tcp/profiles.js';
import { type Difference, signature, usOf } from './compare.js';
import { type KernelPlay, playKernel } from './kernel-side.js';
import { playAlike } from './late-timers.js';
import { type Rule, ruleFor } from './rules.js';
import type { Recording, Sequence } from './step.js';

/** A sequence in which the two go apart, each time in the same way. */
export interface Found {
  readonly sequence: Sequence;
  readonly difference: Difference;
  readonly kernel: Recording;
  readonly own: Recording;
  /** Undefined: nobody has explained it. */
  readonly rule: Rule | undefined;
  readonly settings: ReadonlyMap<string, string>;
}

export interface Hunt {
  readonly sequences: number;
  readonly alike: number;
  readonly found: readonly Found[];
  /** Went apart once and not again in the same way: a timer of the kernel's side that came late. */
  readonly unsteady: readonly Sequence[];
}

/** A difference counts if it comes again, so often. */
const TIMES = 3;
const SHRINK_ROUNDS_MAX = 40;

/** Plays all on both sides. `onDone` is called for each that the kernel is through with. */
export async function hunt(sequences: readonly Sequence[], profile: ProfileName, onDone?: () => void): Promise<Hunt> {
  const first = judgeAll(sequences, await playKernel(sequences, onDone), profile);
  let left = first.filter((each) => each !== undefined);
  const unsteady: Sequence[] = [];
  for (let time = 1; time < TIMES && left.length > 0; time++) {
    const again = judgeAll(
      left.map(({ sequence }) => sequence),
      await playKernel(left.map(({ sequence }) => sequence)),
      profile,
    );
    const steady: Found[] = [];
    for (const [i, one] of left.entries()) {
      const other = again[i];
      if (other !== undefined && signature(other.difference) === signature(one.difference)) steady.push(one);
      else unsteady.push(one.sequence);
    }
    left = steady;
  }
  return {
    sequences: sequences.length,
    alike: sequences.length - left.length - unsteady.length,
    found: left,
    unsteady,
  };
}

function judgeAll(sequences: readonly Sequence[], play: KernelPlay, profile: ProfileName): (Found | undefined)[] {
  const { recordings, settings } = play;
  return sequences.map((sequence, i) => {
    const kernel = recordings[i];
    if (kernel === undefined) return undefined;
    const { own, difference } = playAlike(sequence, kernel, profile, settings);
    if (difference === undefined) return undefined;
    const rule = ruleFor(difference, { sequence, kernel, own });
    return { sequence, difference, kernel, own, rule, settings };
  });
}

/** A difference on its way to fewer steps. */
interface Shrinking {
  best: Found;
  candidates: readonly Sequence[];
}

/**
 * The same differences with fewer steps. What comes after a difference goes at once; then, of all sequences with one step less that still
 * differ in the same way, the first is taken, and so on. Those of all differences are played together.
 */
export async function shrink(
  found: readonly Found[],
  profile: ProfileName,
  onRound: (round: number) => void = () => {},
): Promise<readonly Found[]> {
  const all = found.map(
    (best): Shrinking => ({
      best,
      candidates: [{ ...best.sequence, steps: best.sequence.steps.slice(0, best.difference.step) }],
    }),
  );
  let left = all;
  for (let round = 0; round < SHRINK_ROUNDS_MAX && left.length > 0; round++) {
    onRound(round + 1);
    const candidates = left.flatMap((one) => one.candidates);
    const judged = judgeAll(candidates, await playKernel(candidates), profile);
    let at = 0;
    const smaller: Shrinking[] = [];
    for (const one of left) {
      const own = judged.slice(at, at + one.candidates.length);
      at += one.candidates.length;
      const face = faceOf(one.best.difference);
      const still = own.find(
        (each) => each !== undefined && each.rule === one.best.rule && faceOf(each.difference) === face,
      );
      if (still !== undefined) one.best = still;
      // The first round only cuts off the end; what came after may have mattered all the same.
      else if (round > 0) continue;
      one.candidates = withoutOne(one.best.sequence);
      smaller.push(one);
    }
    left = smaller;
  }
  return all.map(({ best }) => best);
}

/** All sequences with one step less; those without a late step first, because late steps matter least. Time goes on as it did. */
function withoutOne(sequence: Sequence): Sequence[] {
  const { steps } = sequence;
  return steps
    .flatMap((dropped, i) => {
      const { action } = dropped;
      // Without these there is nothing to talk to, or a call that waits.
      if (action.kind === 'call' && (action.name === 'socket' || action.name === 'nonblock')) return [];
      const next = steps[i + 1];
      const rest = steps.slice(0, i);
      if (next !== undefined) rest.push({ ...next, gapUs: next.gapUs + dropped.gapUs }, ...steps.slice(i + 2));
      return [{ ...sequence, steps: rest }];
    })
    .reverse();
}

/** One of each kind: the others say nothing more. */
export function kindsOf(found: readonly Found[]): Map<string, Found[]> {
  const kinds = new Map<string, Found[]>();
  for (const one of found) {
    const face = faceOf(one.difference);
    const others = kinds.get(face);
    if (others === undefined) kinds.set(face, [one]);
    else others.push(one);
  }
  return kinds;
}

/** What it is about, without the numbers that change as steps go. */
function faceOf(difference: Difference): string {
  return signature({ ...difference, step: 0 }).replace(/\d+/g, '#');
}

/** Where a script of it may end. */
export function endUs(difference: Difference): number {
  return usOf(difference) + 1000;
}
