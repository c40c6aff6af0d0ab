import { StackError } from '../stack/base/errors.js';

/** What one direction of a link does to frames. Chances are fractions, 0 to 1; zero, and Infinity for the rate, switch off. */
export interface LaneFaults {
  /** The chance that a frame is lost, each for itself. */
  loss: number;
  /** Burst loss (Gilbert and Elliott): the chance that a burst begins with a frame, … */
  burstStart: number;
  /** … how many frames it lasts on average, … */
  burstFrames: number;
  /** … and the chance that a frame within it is lost. */
  burstLoss: number;
  duplicate: number;
  reorder: number;
  corrupt: number;
  delayUs: number;
  jitterUs: number;
  /** Bits of frame per second. */
  rateBits: number;
  /** Frames that wait for rate or delay at a time; what comes on top is dropped, as a router's full queue does. */
  limit: number;
}

export interface FaultOptions {
  readonly in: Readonly<LaneFaults>;
  readonly out: Readonly<LaneFaults>;
}

/** 1000 full frames are the 10 ms of 1.2 Gbit/s: enough for the delays people try, and a quarter of the slab's slots. */
const LIMIT_FRAMES = 1000;

export function noFaults(): LaneFaults {
  return {
    loss: 0,
    burstStart: 0,
    burstFrames: 1,
    burstLoss: 1,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    delayUs: 0,
    jitterUs: 0,
    rateBits: Number.POSITIVE_INFINITY,
    limit: LIMIT_FRAMES,
  };
}

interface Kind {
  /** How a value looks, for the message when one does not. */
  readonly allowed: string;
  /** False when `text` is no such value. */
  set(faults: LaneFaults, text: string): boolean;
}

const PERCENTAGE = 'a percentage from 0% to 100%, as in 1% or 0.1%';
const DURATION = 'a duration from 0 to 60s in us, ms or s, as in 10ms';

const KINDS: Readonly<Record<string, Kind>> = {
  loss: chance((faults, value) => {
    faults.loss = value;
  }),
  burst: {
    allowed:
      'START:FRAMES or START:FRAMES:LOSS, as in 0.5%:8 (a frame in 200 begins a burst, 8 frames long on average) or 0.5%:8:90% (of which 90% are lost)',
    set: setBurst,
  },
  duplicate: chance((faults, value) => {
    faults.duplicate = value;
  }),
  reorder: chance((faults, value) => {
    faults.reorder = value;
  }),
  corrupt: chance((faults, value) => {
    faults.corrupt = value;
  }),
  delay: duration((faults, value) => {
    faults.delayUs = value;
  }),
  jitter: duration((faults, value) => {
    faults.jitterUs = value;
  }),
  rate: {
    allowed: 'a rate from 1kbit to 100gbit in bit, kbit, mbit or gbit (per second), as in 10mbit',
    set(faults, text) {
      const value = parseScaled(text, { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 });
      if (!(value >= 1e3 && value <= 100e9)) return false;
      faults.rateBits = value;
      return true;
    },
  },
  limit: {
    allowed: 'a number of frames from 1 to 100000, as in 1000',
    set(faults, text) {
      const value = /^\d{1,6}$/.test(text) ? Number(text) : 0;
      if (value < 1 || value > 100_000) return false;
      faults.limit = value;
      return true;
    },
  },
};

/**
 * `loss=1%,delay=10ms` → what to do in each direction. `in.` or `out.` before a name means that direction only, seen from
 * the stack; without, both. Throws `ERR_INVALID_ARG_VALUE`, naming the part that is wrong and what it may be.
 */
export function parseFaults(text: string): FaultOptions {
  const faults = { in: noFaults(), out: noFaults() };
  const seen = new Set<string>();
  for (const part of text.split(',')) {
    const match = /^(?:(in|out)\.)?([a-z]+)=(.*)$/.exec(part.trim());
    const kind =
      match === null ? undefined : Object.hasOwn(KINDS, match[2] as string) ? KINDS[match[2] as string] : undefined;
    if (match === null || kind === undefined) {
      throw invalid(
        `"${part.trim()}" is no fault: allowed are ${Object.keys(KINDS).join(', ')}, each with "=" and a value, and "in." or "out." before it for one direction, as in "loss=1%,out.delay=10ms"`,
      );
    }
    const [, direction, name, value] = match as unknown as [string, 'in' | 'out' | undefined, string, string];
    for (const lane of direction === undefined ? (['in', 'out'] as const) : [direction]) {
      if (seen.has(`${lane}.${name}`))
        throw invalid(`fault "${name}" is given twice for direction "${lane}": give it once`);
      seen.add(`${lane}.${name}`);
      if (!kind.set(faults[lane], value.trim())) {
        throw invalid(`fault "${name}" is "${value.trim()}": allowed is ${kind.allowed}`);
      }
    }
  }
  for (const lane of ['in', 'out'] as const) {
    if (faults[lane].jitterUs > faults[lane].delayUs) {
      throw invalid(
        'fault "jitter" is longer than "delay": allowed is at most the delay, as in "delay=10ms,jitter=2ms"',
      );
    }
  }
  return faults;
}

function setBurst(faults: LaneFaults, text: string): boolean {
  const parts = text.split(':');
  if (parts.length < 2 || parts.length > 3) return false;
  const start = parsePercentage(parts[0] as string);
  const frames = /^\d+(\.\d+)?$/.test(parts[1] as string) ? Number(parts[1]) : Number.NaN;
  const loss = parts.length === 3 ? parsePercentage(parts[2] as string) : 1;
  if (!(start >= 0 && frames >= 1 && frames <= 1e6 && loss >= 0)) return false;
  faults.burstStart = start;
  faults.burstFrames = frames;
  faults.burstLoss = loss;
  return true;
}

function chance(assign: (faults: LaneFaults, value: number) => void): Kind {
  return {
    allowed: PERCENTAGE,
    set(faults, text) {
      const value = parsePercentage(text);
      if (Number.isNaN(value)) return false;
      assign(faults, value);
      return true;
    },
  };
}

function duration(assign: (faults: LaneFaults, value: number) => void): Kind {
  return {
    allowed: DURATION,
    set(faults, text) {
      const value = parseScaled(text, { us: 1, ms: 1e3, s: 1e6 });
      if (!(value <= 60e6)) return false;
      assign(faults, Math.round(value));
      return true;
    },
  };
}

/** A fraction, or NaN. The sign is required: nobody should have to guess whether 1 is everything or a hundredth. */
function parsePercentage(text: string): number {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text);
  const value = match === null ? Number.NaN : Number(match[1]) / 100;
  return value <= 1 ? value : Number.NaN;
}

/** A number with one of the units, or NaN. */
function parseScaled(text: string, units: Readonly<Record<string, number>>): number {
  const match = /^(\d+(?:\.\d+)?)([a-z]+)$/.exec(text);
  if (match === null || !Object.hasOwn(units, match[2] as string)) return Number.NaN;
  return Number(match[1]) * (units[match[2] as string] as number);
}

function invalid(message: string): StackError {
  return new StackError('ERR_INVALID_ARG_VALUE', message);
}
