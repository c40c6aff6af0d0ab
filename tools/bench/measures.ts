/** What the load program's result of each workload is called, and how it is turned into a figure and into a cost. */
import type { LoadResult, Workload } from './workload.js';

/** Before a run is measured: the server's code is compiled by then. */
export const WARM_UP_SECONDS = 0.7;

export interface Measure {
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  /** What the load program measured, in `unit`. */
  value(result: LoadResult): number;
  /** Units of work a cost is given for, and their name. */
  readonly perUnits: number;
  readonly costUnit: string;
}

const perSecond = (result: LoadResult): number => result.count / result.seconds;
const megabytesPerSecond = (result: LoadResult): number => result.count / result.seconds / 1e6;

/** `perUnits` turns CPU seconds a unit into the cost's unit: 1e6 for µs a unit, 1e12 for µs a megabyte. */
export const MEASURES: Readonly<Record<Exclude<Workload, 'idle'>, Measure>> = {
  receive: {
    title: 'bulk, server receiving',
    unit: 'MB/s',
    better: 'higher',
    value: megabytesPerSecond,
    perUnits: 1e12,
    costUnit: 'µs/MB',
  },
  send: {
    title: 'bulk, server sending',
    unit: 'MB/s',
    better: 'higher',
    value: megabytesPerSecond,
    perUnits: 1e12,
    costUnit: 'µs/MB',
  },
  'round-trip-1': {
    title: '1-byte round trip, 1 connection (median)',
    unit: 'µs',
    better: 'lower',
    value: (result) => result.medianUs ?? Number.NaN,
    perUnits: 1e6,
    costUnit: 'µs/round trip',
  },
  'round-trips-64': {
    title: 'round trips, 64 connections',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/round trip',
  },
  'connect-1': {
    title: 'connect and close, 1 in flight',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/connection',
  },
  'connect-16': {
    title: 'connect and close, 16 in flight',
    unit: '/s',
    better: 'higher',
    value: perSecond,
    perUnits: 1e6,
    costUnit: 'µs/connection',
  },
};

/** CPU time a unit of work, in the measure's cost unit. */
export function serverCost(measure: Measure, result: LoadResult): number {
  return (result.serverCpu / result.count) * measure.perUnits;
}

/** Of the load program as well: over a TAP some of either's work is on the other's account. */
export function bothCost(measure: Measure, result: LoadResult): number {
  return ((result.serverCpu + result.loadCpu) / result.count) * measure.perUnits;
}

/** The row of a cost is named as its measure: a median is not of the cost. */
export function costTitle(measure: Measure): string {
  return measure.title.replace(' (median)', '');
}
