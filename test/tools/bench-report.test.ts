import t from 'tap';
import {
  formatFigure,
  formatNumber,
  formatRatio,
  formatSeries,
  formatTable,
  jsonRows,
  type Row,
  ratioOf,
  seriesOf,
} from '../../tools/bench/report.js';
import { kernelOfServer } from '../../tools/bench/tap.js';

const rate: Row = {
  key: 'round-trips-64',
  title: 'round trips, 64 connections',
  unit: '/s',
  better: 'higher',
  values: { node: seriesOf([50_000, 60_000, 40_000]), reactor: seriesOf([75_000, 74_000, 80_000]) },
};
const cost: Row = {
  key: 'idle',
  title: 'memory',
  unit: 'bytes/connection',
  better: 'lower',
  values: { node: seriesOf([8000]), reactor: seriesOf([100]) },
};

t.test('odd and even numbers of samples → the middle one, the mean of the middle two', (t) => {
  t.equal(seriesOf([9, 1, 5]).median, 5);
  t.equal(seriesOf([4, 1, 3, 100]).median, 3.5);
  t.match(seriesOf([9, 1, 5]), { min: 1, max: 9 });
  t.end();
});

t.test('samples, median taken → their order is kept, and ten comes after nine', (t) => {
  const samples = [10, 9, 100];
  t.equal(seriesOf(samples).median, 10);
  t.same(samples, [10, 9, 100]);
  t.end();
});

t.test('no samples → refused', (t) => {
  t.throws(() => seriesOf([]), RangeError);
  t.end();
});

t.test('a ratio → of the medians, and of nothing where a side is missing or zero', (t) => {
  t.equal(ratioOf(rate, 'reactor', 'node'), 1.5);
  t.equal(ratioOf(rate, 'sockets', 'node'), undefined);
  t.equal(ratioOf({ ...rate, values: { node: seriesOf([0]), reactor: seriesOf([1]) } }, 'reactor', 'node'), undefined);
  t.end();
});

t.test('a ratio above one → good news for a rate, bad news for a cost', (t) => {
  t.equal(formatRatio(1.5, 'higher'), '×1.50 ahead');
  t.equal(formatRatio(1.5, 'lower'), '×1.50 behind');
  t.equal(formatRatio(0.5, 'lower'), '×0.50 ahead');
  t.equal(formatRatio(undefined, 'lower'), '–');
  t.end();
});

t.test('numbers → three significant digits, and a missing figure is no zero', (t) => {
  t.equal(formatNumber(58_123), '58,100');
  t.equal(formatNumber(17.149), '17.1');
  t.equal(formatNumber(Number.NaN), '–');
  t.end();
});

t.test('a series → half its range in percent; a single sample claims no spread', (t) => {
  t.equal(formatSeries(seriesOf([90, 100, 110])), '100 ±10%');
  t.equal(formatSeries(seriesOf([100])), '100');
  t.end();
});

t.test('a table → each server with its ratio to the base, a dash where there is no figure', (t) => {
  const table = formatTable('measure', [rate, cost], ['node', 'reactor', 'sockets'], { node: 'node:net' }, 'node');
  t.match(table, /node:net/);
  t.match(table, /round trips, 64 connections.*50,000 ±20%.*75,000 ±4%.*×1\.50 ahead.*–/);
  t.match(table, /memory.*8,000.*100.*×0\.01 ahead/);
  t.end();
});

t.test('the figure → a ratio for each measure, plain values when only the base ran', (t) => {
  t.equal(formatFigure([rate, cost], 'reactor', 'node'), 'round-trips-64 ×1.50 · idle ×0.01');
  t.equal(formatFigure([rate], 'node', 'node'), 'round-trips-64 50,000 /s');
  t.end();
});

t.test('JSON → the rows with their ratios, without one of the base to itself', (t) => {
  t.match(jsonRows([rate], ['node', 'reactor', 'sockets'], 'node'), [
    { key: 'round-trips-64', ratios: { reactor: 1.5 }, values: { node: { median: 50_000 } } },
  ]);
  t.notOk(JSON.stringify(jsonRows([rate], ['node'], 'node')).includes('"ratios":{"node"'));
  t.end();
});

t.test('kernel memory of both ends → less the client alone, plus the entry that is not measured', (t) => {
  t.equal(kernelOfServer(8000, [3000, 4000]), 4500 + 192);
  t.equal(kernelOfServer(8000, []), 4000 + 192, 'without a client-only run, the ends share alike');
  t.end();
});
