import { dirname } from 'node:path';
import { placeText } from './language/script-error.js';
import type { ScriptOutcome } from './outcome.js';

/** How parts of a report are coloured; nothing where nobody sees colour. */
export interface Paint {
  good(text: string): string;
  bad(text: string): string;
  pale(text: string): string;
}

export const PLAIN: Paint = { good: (text) => text, bad: (text) => text, pale: (text) => text };

/** What a user reads of one script. `verbose`: what was ignored, too. */
export function reportLines(outcome: ScriptOutcome, paint: Paint = PLAIN, verbose = false): string[] {
  const { file, result, reason, place } = outcome;
  const where = place === undefined ? file : placeText(place);
  const notes = noteLines(outcome.notes, verbose).map(paint.pale);
  switch (result) {
    case 'passed':
      return [`${paint.good('ok  ')} ${file}`, ...notes];
    case 'skipped':
      return [`${paint.pale('skip')} ${file} (${reason}, line ${place?.line ?? 1})`, ...notes];
    case 'failed':
      return [
        `${paint.bad('FAIL')} ${where}: ${outcome.error ? 'error: ' : ''}${reason}`,
        ...details(outcome, paint),
        ...notes,
      ];
  }
}

function noteLines(notes: readonly string[], verbose: boolean): string[] {
  return verbose ? notes.map((note) => `      note: ${note}`) : [];
}

function details(outcome: ScriptOutcome, paint: Paint): string[] {
  const lines: string[] = [];
  if (outcome.source !== undefined) lines.push(`      script:   ${outcome.source}`);
  if (outcome.expected !== undefined) lines.push(`      expected: ${outcome.expected}`);
  if (outcome.seen !== undefined) lines.push(`      seen:     ${outcome.seen}`);
  if (outcome.packets.length > 0) {
    lines.push(paint.pale('      the last packets:'));
    for (const packet of outcome.packets) lines.push(paint.pale(`        ${packet}`));
  }
  return lines;
}

export interface Totals {
  passed: number;
  failed: number;
  skipped: number;
}

export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped} skipped`;
}

/** What came of each folder's scripts, in the order of the folders. */
export function folderTotals(outcomes: readonly ScriptOutcome[]): Map<string, Totals> {
  const folders = new Map<string, Totals>();
  for (const { file, result } of outcomes) {
    const folder = dirname(file);
    const totals = folders.get(folder) ?? { passed: 0, failed: 0, skipped: 0 };
    totals[result] += 1;
    folders.set(folder, totals);
  }
  return folders;
}

/** What `--json` prints: one object. */
export function jsonReport(outcomes: readonly ScriptOutcome[], totals: Totals): string {
  const scripts = outcomes.map(({ file, result, reason, place, source, expected, seen, packets, notes, error }) => ({
    file,
    result,
    ...(result === 'passed' ? {} : { reason, error }),
    ...(place === undefined ? {} : { line: place.line, column: place.column }),
    ...(source === undefined ? {} : { source }),
    ...(expected === undefined ? {} : { expected }),
    ...(seen === undefined ? {} : { seen }),
    ...(packets.length === 0 ? {} : { packets }),
    ...(notes.length === 0 ? {} : { notes }),
  }));
  const folders = Object.fromEntries(folderTotals(outcomes));
  return JSON.stringify({ scripts, folders, ...totals }, undefined, 2);
}
