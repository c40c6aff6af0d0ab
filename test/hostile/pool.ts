import type { PoolReport } from '../../stack/memory/pool-report.js';
import type { Stack } from '../../stack/stack.js';

export function poolOf(stack: Stack, name: string): PoolReport {
  const report = stack.pools().find((pool) => pool.name === name);
  if (report === undefined) throw new Error(`there is no pool ${name}`);
  return report;
}
