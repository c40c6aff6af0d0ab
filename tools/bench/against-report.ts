/** Old against new: rows with a ratio and a verdict, for people and for programs. */
import Table from 'cli-table3';
import { formatNumber, formatSeries, type Series, seriesOf } from './report.js';

/** Below this the ranges of two sides say nothing: one run in each has no range, and two overlap or not by chance. */
export const RUNS_FOR_VERDICT = 3;

export interface AgainstRow {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly old: Series;
  readonly new: Series;
}

/** `worse` and `better` only when the ranges of both sides do not overlap. */
export type Verdict = 'worse' | 'better' | 'noise' | 'unknown';

/** One sample of each side a run. */
export class AgainstSamples {
  readonly #old: number[] = [];
  readonly #new: number[] = [];

  add(isNew: boolean, value: number): void {
    (isNew ? this.#new : this.#old).push(value);
  }

  row(description: Omit<AgainstRow, 'old' | 'new'>): AgainstRow {
    return { ...description, old: seriesOf(this.#old), new: seriesOf(this.#new) };
  }
}

export function verdictOf(row: AgainstRow): Verdict {
  if (Math.min(row.old.samples.length, row.new.samples.length) < RUNS_FOR_VERDICT) return 'unknown';
  const isHigher = row.new.min > row.old.max;
  const isLower = row.new.max < row.old.min;
  if (!isHigher && !isLower) return 'noise';
  return isHigher === (row.better === 'higher') ? 'better' : 'worse';
}

/** Of the medians, new over old; undefined when the old one is not above zero. */
export function againstRatio(row: AgainstRow): number | undefined {
  return row.old.median > 0 ? row.new.median / row.old.median : undefined;
}

export function formatVerdict(row: AgainstRow): string {
  const isSize = row.unit.startsWith('bytes');
  switch (verdictOf(row)) {
    case 'worse':
      return `${isSize ? 'bigger' : 'slower'} beyond noise`;
    case 'better':
      return `${isSize ? 'smaller' : 'faster'} beyond noise`;
    case 'noise':
      return 'within noise';
    case 'unknown':
      return 'too few runs';
  }
}

function formatChange(row: AgainstRow): string {
  const ratio = againstRatio(row);
  return ratio === undefined ? '–' : `×${ratio.toFixed(3)}`;
}

export function formatAgainst(title: string, rows: readonly AgainstRow[]): string {
  const table = new Table({
    head: [title, 'unit', 'old', 'new', 'new / old', ''],
    style: { head: [], border: [] },
  });
  for (const row of rows) {
    table.push([
      row.title,
      row.unit,
      formatSeries(row.old),
      formatSeries(row.new),
      formatChange(row),
      formatVerdict(row),
    ]);
  }
  return table.toString();
}

/** The last line: how many rows are worse, and which, with their ratios. */
export function againstFigure(rows: readonly AgainstRow[]): string {
  const known = rows.filter((row) => verdictOf(row) !== 'unknown');
  const shown = (row: AgainstRow): string => `${row.key} ${formatChange(row)}`;
  if (known.length === 0) return `too few runs to say what is noise: ${rows.map(shown).join(' · ')}`;
  const of = (verdict: Verdict): AgainstRow[] => known.filter((row) => verdictOf(row) === verdict);
  const list = (found: readonly AgainstRow[]): string =>
    found.length === 0 ? '' : ` (${found.map(shown).join(' · ')})`;
  const worse = of('worse');
  const better = of('better');
  return `of ${known.length} rows ${worse.length} slower beyond noise${list(worse)}, ${better.length} faster${list(better)}`;
}

export function againstJson(rows: readonly AgainstRow[]): object[] {
  return rows.map((row) => ({ ...row, ratio: againstRatio(row), verdict: verdictOf(row) }));
}

/** Progress: what one run measured, old beside new. */
export function formatPair(old: number, now: number): string {
  return `old ${formatNumber(old)}, new ${formatNumber(now)}`;
}
