/**
 * node .ci/count.mjs FILE → `passed failed skipped` of a run's TAP output, from tap's own summary. A run without one was cut
 * short: that is a failure, whatever had passed until then.
 */
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2], 'utf8');
const summary = [...text.matchAll(/^# \{ ([^}]*) \}$/gm)].at(-1)?.[1];
const passed = (text.match(/^ +ok /gm) ?? []).length;
if (summary === undefined) {
  console.log(`${passed} 1 0`);
} else {
  const counts = Object.fromEntries(summary.split(', ').map((pair) => pair.split(': ')));
  const number = (name) => Number(counts[name] ?? 0);
  const unsound = number('total') === 0 || /^Bail out!/m.test(text);
  const failed = number('total') - number('pass') - number('skip') - number('todo');
  console.log(`${number('pass')} ${Math.max(failed, unsound ? 1 : 0)} ${number('skip') + number('todo')}`);
}
