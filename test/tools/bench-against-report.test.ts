import t from 'tap';
import {
  type AgainstRow,
  AgainstSamples,
  againstFigure,
  againstJson,
  formatAgainst,
  verdictOf,
} from '../../tools/bench/against-report.js';
import { orderOf } from '../../tools/bench/sides.js';

function row(better: 'higher' | 'lower', old: readonly number[], now: readonly number[], unit = '/s'): AgainstRow {
  const samples = new AgainstSamples();
  for (const value of old) samples.add(false, value);
  for (const value of now) samples.add(true, value);
  return samples.row({ key: 'row', title: 'a row', unit, better });
}

t.test('ranges that overlap → noise, whatever the medians', (t) => {
  t.equal(verdictOf(row('higher', [100, 200, 210], [90, 95, 100])), 'noise');
  t.equal(verdictOf(row('lower', [1, 2, 3], [3, 9, 9])), 'noise');
  t.end();
});

t.test('ranges apart → worse or better, by what the row is', (t) => {
  t.equal(verdictOf(row('higher', [100, 101, 102], [97, 98, 99])), 'worse');
  t.equal(verdictOf(row('higher', [97, 98, 99], [100, 101, 102])), 'better');
  t.equal(verdictOf(row('lower', [100, 101, 102], [97, 98, 99])), 'better');
  t.equal(verdictOf(row('lower', [97, 98, 99], [100, 101, 102])), 'worse');
  t.end();
});

t.test('one or two runs → no verdict', (t) => {
  t.equal(verdictOf(row('higher', [100], [1])), 'unknown');
  t.equal(verdictOf(row('higher', [100, 101, 102], [1, 2])), 'unknown');
  t.equal(againstFigure([row('higher', [100], [50])]), 'too few runs to say what is noise: row ×0.500');
  t.end();
});

t.test('the table says it in words; memory is bigger or smaller', (t) => {
  const slower = formatAgainst('measure', [row('higher', [100, 101, 102], [49, 50, 51])]);
  t.match(slower, /101 ±1%/);
  t.match(slower, /×0\.495.*slower beyond noise/);
  t.match(formatAgainst('measure', [row('lower', [1, 2, 3], [4, 5, 6], 'bytes/connection')]), /bigger beyond noise/);
  t.match(formatAgainst('measure', [row('lower', [1, 2, 3], [2, 3, 4])]), /within noise/);
  t.end();
});

t.test('the figure counts what is beyond noise; JSON has samples, ratio and verdict', (t) => {
  const rows = [row('higher', [100, 100, 100], [50, 50, 50]), row('higher', [1, 2, 3], [1, 2, 3])];
  t.equal(againstFigure(rows), 'of 2 rows 1 slower beyond noise (row ×0.500), 0 faster');
  t.match(againstJson(rows), [{ ratio: 0.5, verdict: 'worse', old: { samples: [100, 100, 100] } }, { ratio: 1 }]);
  t.equal((againstJson([row('lower', [0], [1])])[0] as { ratio?: number }).ratio, undefined);
  t.end();
});

t.test('runs alternate their order', (t) => {
  t.same(
    [0, 1, 2].map((run) => orderOf(['old', 'new'], run)),
    [
      ['old', 'new'],
      ['new', 'old'],
      ['old', 'new'],
    ],
  );
  t.end();
});
