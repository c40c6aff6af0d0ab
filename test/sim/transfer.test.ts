import t from 'tap';
import { FULL } from '../full.js';
import { simulate } from './run.js';

/** `MILLRACE_SEEDS=FROM:COUNT` runs others, one after the other: how a failure is replayed, and how more are hunted. */
const seeds = process.env.MILLRACE_SEEDS ?? (FULL ? '1:200' : '1:40');
const [from, count] = seeds.split(':').map(Number) as [number, number];

t.test('any link, any programs → the bytes arrive as sent, and everything is given back', (t) => {
  let bytes = 0;
  for (let seed = from; seed < from + count; seed++) {
    let problems: string[];
    try {
      const outcome = simulate(seed);
      bytes += outcome.bytes;
      problems = outcome.problems;
    } catch (error) {
      problems = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
    }
    if (problems.length > 0) t.same(problems, [], `MILLRACE_SEEDS=${seed}:1`);
  }
  t.ok(bytes > 0, `${count} seeds from ${from}: ${bytes} bytes received`);
  t.end();
});

for (const [what, limits] of [
  ['as soon as nothing is under way', { hibernateMs: 1 }],
  ['and forget the path at once', { hibernateMs: 1, pathMemoryMs: 1 }],
] as const) {
  t.test(`any link, any programs, connections that sleep ${what} → the bytes arrive as sent`, (t) => {
    let bytes = 0;
    for (let seed = from; seed < from + Math.ceil(count / 4); seed++) {
      const outcome = simulate(seed, undefined, limits);
      bytes += outcome.bytes;
      t.same(outcome.problems, [], `seed ${seed}`);
    }
    t.ok(bytes > 0, `${bytes} bytes`);
    t.end();
  });
}
