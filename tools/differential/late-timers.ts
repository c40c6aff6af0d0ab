import type { ProfileName } from '../../stack/tcp/profiles.js';
import { compare, type Difference } from './compare.js';
import { playOwn } from './own-side.js';
import type { Recording, Sequence } from './step.js';

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
    const waiting = waitingStep(kernel, own, difference);
    if (waiting === undefined || held.has(waiting)) return { own, difference };
    held.set(waiting, difference.own?.us ?? 0);
  }
}

/** The step that timers are to wait for: the next behind the one that made the difference, if the kernel's may have come so late. */
export function waitingStep(kernel: Recording, own: Recording, difference: Difference): number | undefined {
  const packet = difference.own;
  if (difference.what !== 'packet' || packet?.kind !== 'packet') return undefined;
  // Steps come at odd microseconds, our timers at whole milliseconds.
  if (packet.us % 1000 !== 0) return undefined;
  const next = kernel.steps.findIndex(({ us }) => us > packet.us);
  if (next < 0) return undefined;
  // Timers of any length are set by what is sent; steps set them again, to no more than that.
  const sent = own.happenings.findLast(({ kind, us }) => kind === 'packet' && us < packet.us);
  const lengthUs = packet.us - (sent?.us ?? 0);
  const lateUs = (kernel.steps[next]?.us ?? Infinity) - packet.us;
  return lateUs <= 2 * TICK_US + lengthUs * LATE_SHARE ? next : undefined;
}
