import type { Event, EventTime } from '../language/ast.js';
import { ScriptError } from '../language/script-error.js';
import { Mismatch } from './failure.js';
import type { Settings } from './settings.js';

/** When an event is due, in µs since the script began. */
export interface Due {
  readonly fromUs: number;
  readonly toUs: number;
  /** No instant was named. */
  readonly any: boolean;
  readonly toleranceUs: number;
  /** Of a blocking call. */
  readonly returnsUs: number | undefined;
}

/**
 * Times of a script. A relative one counts from when the event before it was over, which for a packet is when it was seen, so that
 * small delays do not add up; that is packetdrill's rule.
 */
export class Timing {
  private lastUs = 0;

  constructor(private readonly settings: Pick<Settings, 'toleranceUs' | 'tolerancePercent'>) {}

  /** `nowUs`: when the event before was over. */
  due(event: Event, nowUs: number): Due {
    const { time } = event;
    const base = isRelative(time) ? nowUs : 0;
    const fromUs = time.kind === 'any' || time.kind === 'none' ? nowUs : base + time.us;
    const toUs = time.kind === 'any' ? Infinity : time.kind === 'none' ? nowUs : base + time.endUs;
    // A packet may be a little early, and what follows it relative to that.
    if (toUs < this.lastUs && time.kind !== 'any' && !isRelative(time)) {
      throw new ScriptError(
        event.place,
        `time goes backward: from ${secondsText(this.lastUs)} s to ${secondsText(toUs)} s`,
      );
    }
    const returnsUs = event.kind === 'call' && event.returnsUs !== undefined ? base + event.returnsUs : undefined;
    if (returnsUs !== undefined && returnsUs < fromUs)
      throw new ScriptError(event.place, 'this call returns before it begins');
    return { fromUs, toUs, any: time.kind === 'any', toleranceUs: this.tolerance(fromUs - this.lastUs), returnsUs };
  }

  /** The event is over, and what comes next may not be earlier. `atUs`: when it was due, or seen. */
  passed(due: Due, atUs: number): void {
    this.lastUs = due.any || due.toUs !== due.fromUs ? Math.max(atUs, this.lastUs) : Math.max(due.fromUs, this.lastUs);
  }

  /** Of an event so long after the one before it. */
  tolerance(gapUs: number): number {
    return Math.max(this.settings.toleranceUs, (Math.max(gapUs, 0) * this.settings.tolerancePercent) / 100);
  }

  check(event: Event, what: string, due: Due, atUs: number): void {
    if (due.any) return;
    if (atUs >= due.fromUs - due.toleranceUs && atUs <= due.toUs + due.toleranceUs) return;
    const when =
      due.fromUs === due.toUs
        ? `${secondsText(due.fromUs)} s`
        : `${secondsText(due.fromUs)} to ${secondsText(due.toUs)} s`;
    throw new Mismatch(
      event.place,
      `${what} expected at ${when} came at ${secondsText(atUs)} s; the tolerance is ${secondsText(due.toleranceUs)} s`,
    );
  }
}

function isRelative(time: EventTime): boolean {
  return time.kind === 'relative' || time.kind === 'relative-range';
}

/** `0.100000` */
export function secondsText(us: number): string {
  return (us / 1e6).toFixed(6);
}
