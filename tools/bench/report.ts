/** Medians, spreads and ratios, and the two ways they are shown. */
import Table from 'cli-table3';

export interface Series {
  readonly median: number;
  readonly min: number;
  readonly max: number;
  readonly samples: readonly number[];
}

/** Throws RangeError for no samples: a median of nothing is a bug of the caller. */
export function seriesOf(samples: readonly number[]): Series {
  if (samples.length === 0) throw new RangeError('no samples');
  const sorted = samples.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  return { median, min: sorted[0], max: sorted[sorted.length - 1], samples };
}

/** One line of the report: the same quantity on each server. */
export interface Row {
  readonly key: string;
  readonly title: string;
  readonly unit: string;
  readonly better: 'higher' | 'lower';
  readonly values: Readonly<Record<string, Series>>;
}

/** Of the medians: `kind` over `base`. Undefined when either was not measured or the base is not above zero. */
export function ratioOf(row: Row, kind: string, base: string): number | undefined {
  const of = row.values[kind];
  const over = row.values[base];
  if (of === undefined || over === undefined || !(over.median > 0)) return undefined;
  return of.median / over.median;
}

/** Three significant digits, thousands grouped: 58,123 → 58,100, 12.345 → 12.3. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 }).format(value);
}

/** Half the range over the median, in percent: how far a run may be from what is shown. */
export function formatSeries(series: Series): string {
  const text = formatNumber(series.median);
  if (series.samples.length < 2 || series.median === 0) return text;
  const spread = ((series.max - series.min) / 2 / Math.abs(series.median)) * 100;
  return `${text} ±${spread.toFixed(0)}%`;
}

/** A ratio is good news when it is above one for a rate, below one for a cost. */
export function formatRatio(ratio: number | undefined, better: 'higher' | 'lower'): string {
  if (ratio === undefined) return '–';
  const ahead = better === 'higher' ? ratio > 1 : ratio < 1;
  return `×${ratio.toFixed(2)} ${ahead ? 'ahead' : 'behind'}`;
}

/** The table for people. `base` is the column ratios are taken to. */
export function formatTable(
  title: string,
  rows: readonly Row[],
  kinds: readonly string[],
  titles: Readonly<Record<string, string>>,
  base: string,
): string {
  const head = [title, 'unit'];
  for (const kind of kinds) {
    head.push(titles[kind] ?? kind);
    if (kind !== base && kinds.includes(base)) head.push('ratio');
  }
  const table = new Table({ head, style: { head: [], border: [] } });
  for (const row of rows) {
    const cells = [row.title, row.unit];
    for (const kind of kinds) {
      const series = row.values[kind];
      cells.push(series === undefined ? '–' : formatSeries(series));
      if (kind !== base && kinds.includes(base)) cells.push(formatRatio(ratioOf(row, kind, base), row.better));
    }
    table.push(cells);
  }
  return table.toString();
}

/** The last line for people: the ratios that matter, in one place. */
export function formatFigure(rows: readonly Row[], kind: string, base: string): string {
  const parts = rows.map((row) => {
    const ratio = kind === base ? undefined : ratioOf(row, kind, base);
    if (ratio !== undefined) return `${row.key} ×${ratio.toFixed(2)}`;
    const series = row.values[kind] ?? row.values[base];
    return `${row.key} ${series === undefined ? '–' : `${formatNumber(series.median)} ${row.unit}`}`;
  });
  return parts.join(' · ');
}

/** The same for programs: rows with their ratios. */
export function jsonRows(rows: readonly Row[], kinds: readonly string[], base: string): object[] {
  return rows.map((row) => {
    const ratios: Record<string, number> = {};
    for (const kind of kinds) {
      const ratio = kind === base ? undefined : ratioOf(row, kind, base);
      if (ratio !== undefined) ratios[kind] = ratio;
    }
    return { ...row, ratios };
  });
}
