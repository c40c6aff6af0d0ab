import Table from 'cli-table3';
import type { NodeResult } from './run.js';

/** A line a version. */
export function formatResults(results: readonly NodeResult[]): string {
  const withStart = results.some(({ start }) => start !== undefined);
  const table = new Table({
    head: ['Node', 'files', 'passed', 'failed', 'skipped', ...(withStart ? ['npm start'] : []), 's'],
    style: { head: [], border: [] },
    colAligns: ['left', 'right', 'right', 'right', 'right', ...(withStart ? ['left' as const] : []), 'right'],
  });
  for (const result of results) {
    const start = result.start === undefined ? '–' : result.start ? 'proved' : 'NOT PROVED';
    table.push([
      result.version,
      result.files,
      result.passed,
      result.failed,
      result.skipped,
      ...(withStart ? [start] : []),
      result.seconds,
    ]);
  }
  return table.toString();
}

/** What failed, with what was said about it. */
export function formatProblems(results: readonly NodeResult[]): string {
  return results
    .flatMap(({ version, problems }) =>
      problems.map(({ where, output }) => `Node ${version}, ${where}:\n${output.replace(/^/gm, '  ')}\n`),
    )
    .join('\n');
}
