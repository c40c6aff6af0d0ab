import type { CallReturned, Happening, PacketSent, Recording } from './step.js';

export interface Difference {
  /** The first place where the two go apart. */
  readonly what: 'packet' | 'time' | 'call';
  /** The steps that had been begun, on the kernel's side where it did something. */
  readonly step: number;
  readonly kernel: Happening | undefined;
  readonly own: Happening | undefined;
}

/**
 * The kernel's clock of timers counts 4 ms and rounds up, further ones to an eighth of their length (kernel/time/timer.c); and its side
 * runs on a machine that does other things.
 */
const LATE_US = 20_000;
const LATE_SHARE = 0.14;
/** Timestamps count milliseconds on both sides, from two beginnings. */
const STAMP_MS = 3;

function slackUs(us: number, beforeUs: number): number {
  return LATE_US + (us - beforeUs) * LATE_SHARE;
}

/** What differs first, or undefined. */
export function compare(kernel: Recording, own: Recording): Difference | undefined {
  return earliest(packets(kernel, own), calls(kernel, own));
}

function earliest(a: Difference | undefined, b: Difference | undefined): Difference | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return usOf(a) <= usOf(b) ? a : b;
}

export function usOf({ kernel, own }: Difference): number {
  return Math.min(kernel?.us ?? Infinity, own?.us ?? Infinity);
}

function packets(kernel: Recording, own: Recording): Difference | undefined {
  const theirs = kernel.happenings.filter((each): each is PacketSent => each.kind === 'packet');
  const ours = own.happenings.filter((each): each is PacketSent => each.kind === 'packet');
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    const [k, o] = [theirs[i], ours[i]];
    const us = k?.us ?? o?.us ?? 0;
    // A timer of one step before may be what sent it: its length is not known, only that it is no longer than this.
    const slack = slackUs(us, lastStepUs(kernel, us));
    if (k === undefined || o === undefined) {
      // Shortly before the end one side may be just too late to be seen.
      if (us + slack >= kernel.endUs && !answersStep(kernel, us)) return undefined;
      return { what: 'packet', step: (k ?? o)?.step ?? 0, kernel: k, own: o };
    }
    if (k.compared !== o.compared) return { what: 'packet', step: Math.min(k.step, o.step), kernel: k, own: o };
    if (Math.abs(k.us - o.us) > slack) return { what: 'time', step: Math.min(k.step, o.step), kernel: k, own: o };
    if (k.stamp !== undefined && o.stamp !== undefined) {
      if (Math.abs(k.stamp - o.stamp) * 1000 > slack + STAMP_MS * 1000)
        return { what: 'time', step: k.step, kernel: k, own: o };
    }
  }
  return undefined;
}

function lastStepUs({ steps }: Recording, us: number): number {
  return steps.findLast((step) => step.us + 1000 < us)?.us ?? 0;
}

/** Whether a packet at `us` came of a step and not of a timer. */
function answersStep({ steps }: Recording, us: number): boolean {
  return steps.some((step) => us >= step.us && us - step.us < 1000);
}

function calls(kernel: Recording, own: Recording): Difference | undefined {
  const byStep = new Map<number, CallReturned>();
  for (const each of own.happenings) if (each.kind === 'call') byStep.set(each.step, each);
  for (const k of kernel.happenings) {
    if (k.kind !== 'call') continue;
    const o = byStep.get(k.step);
    if (o === undefined || k.result !== o.result || k.errno !== o.errno || k.value !== o.value)
      return { what: 'call', step: k.step, kernel: k, own: o };
    byStep.delete(k.step);
  }
  const [o] = byStep.values();
  return o === undefined ? undefined : { what: 'call', step: o.step, kernel: undefined, own: o };
}

/** The same difference again? Times are not asked for: no two runs have the same. */
export function signature({ what, step, kernel, own }: Difference): string {
  return `${what} ${step} ${faceOf(kernel)} | ${faceOf(own)}`;
}

function faceOf(happening: Happening | undefined): string {
  if (happening === undefined) return 'nothing';
  if (happening.kind === 'packet') return happening.compared;
  return `${happening.result} ${happening.errno} ${happening.value ?? ''}`;
}
