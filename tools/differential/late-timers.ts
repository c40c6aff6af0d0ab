import type { ProfileName } from '../../stack/tcp/profiles.js';
import { compare, type Difference } from './compare.js';
import { playOwn } from './own-side.js';
import type { PacketSent, Recording, Sequence } from './step.js';

/**
 * Timers of the kernel's come up late: it counts ticks of 4 ms, rounds up to the next but one, and a longer timer to an eighth of its length
 * (kernel/time/timer.c). Ours come up in their millisecond. So a step may have come to the kernel before a timer, and come to us behind it. Then our
 * timers wait for that step, too: as they do where a program is late.
 */

/** HZ is 250 in most distributions. */
const TICK_US = 4000;
const LATE_SHARE = 1 / 8;
/** Each time timers wait for one step more. */
const TIMES_MAX = 8;

export interface Match {
  readonly own: Recording;
  readonly difference: Difference | undefined;
}

/** Our side of the sequence, and what differs first. */
export function playAlike(
  sequence: Sequence,
  kernel: Recording,
  profile: ProfileName,
  settings: ReadonlyMap<string, string>,
): Match {
  const held = new Map<number, number>();
  for (let times = 0; ; times++) {
    const own = playOwn(sequence, kernel, held, profile, settings);
    const difference = compare(kernel, own);
    if (difference === undefined || times === TIMES_MAX) return { own, difference };
    const waiting = waitingStep(kernel, own, difference, held);
    if (waiting === undefined) return { own, difference };
    held.set(waiting.step, waiting.sinceUs);
  }
}

export interface Waiting {
  readonly step: number;
  /** Since when timers wait for it. */
  readonly sinceUs: number;
}

/**
 * The step that timers are to wait for: the next behind what a timer of ours has sent, if that made the difference, or if the kernel sent the same
 * behind the step; and if the kernel's timer may have come so late.
 */
export function waitingStep(
  kernel: Recording,
  own: Recording,
  difference: Difference,
  held: ReadonlyMap<number, number>,
): Waiting | undefined {
  if (difference.what !== 'packet') return undefined;
  const [theirs, ours] = [packetsOf(kernel), packetsOf(own)];
  const at = difference.own?.kind === 'packet' ? ours.indexOf(difference.own) : ours.length - 1;
  for (let i = at; i >= 0; i--) {
    const packet = ours[i];
    const sinceUs = sinceOf(packet, kernel, held);
    if (sinceUs === undefined) continue;
    const step = kernel.steps.findIndex(({ us }) => us > packet.us);
    const stepUs = kernel.steps[step]?.us;
    if (stepUs === undefined || held.has(step)) continue;
    if (i < at && (theirs[i]?.us ?? 0) <= stepUs) continue;
    // Timers of any length are set by what is sent; steps set them again, to no more than that.
    const lengthUs = sinceUs - (ours.findLast(({ us }) => us < sinceUs)?.us ?? 0);
    if (stepUs - sinceUs <= 2 * TICK_US + lengthUs * LATE_SHARE) return { step, sinceUs };
  }
  return undefined;
}

/** When the timer was due that sent the packet; undefined where it was none. */
function sinceOf({ us }: PacketSent, { steps }: Recording, held: ReadonlyMap<number, number>): number | undefined {
  // Steps come at odd microseconds, our timers at whole milliseconds, or right behind a step that they have waited for.
  if (us % 1000 === 0) return us;
  for (const [step, sinceUs] of held) if (steps[step]?.us === us) return sinceUs;
  return undefined;
}

function packetsOf({ happenings }: Recording): readonly PacketSent[] {
  return happenings.filter((each): each is PacketSent => each.kind === 'packet');
}
