/** What the load program can do and the servers must offer: the one thing client and servers have to agree on. */

/** Port of each service; the well-known numbers of RFC 862, 863 and 864. */
export const enum Service {
  ECHO = 7,
  DISCARD = 9,
  CHARGEN = 19,
}

export const WORKLOADS = [
  'receive',
  'send',
  'round-trip-1',
  'round-trips-64',
  'connect-1',
  'connect-16',
  'idle',
] as const;

export type Workload = (typeof WORKLOADS)[number];

/** Bytes a server offers the stream at once when it generates: large enough that the call is not what is measured. */
export const CHARGEN_BYTES = 65536;

/** What `load.ts` prints, as one line of JSON. */
export interface LoadResult {
  readonly workload: Workload;
  /** Units of work done in the measured time: bytes, round trips or connections. */
  readonly count: number;
  readonly seconds: number;
  /** Only for `round-trip-1`. */
  readonly medianUs?: number;
  readonly p99Us?: number;
  /** CPU seconds in the measured time; of the server process, of the load program, and of the whole machine. */
  readonly serverCpu: number;
  readonly loadCpu: number;
  readonly machineBusy: number;
}

/** What `hogs-load.ts` prints: ms for each page, null for one that never came. */
export interface HogsResult {
  readonly alone: readonly (number | null)[];
  readonly beside: readonly (number | null)[];
}

/** What a server tells its parent over the IPC channel, and is told. */
export type ServerMessage = { readonly ready: true } | { readonly collected: true };
export type ServerCommand = 'collect' | 'stop';

export function isWorkload(name: string): name is Workload {
  return (WORKLOADS as readonly string[]).includes(name);
}
