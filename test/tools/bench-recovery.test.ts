/** The committed table of `bench recovery`: some of its rows, worked out again. */
import t from 'tap';
import {
  type Cell,
  CONTENDERS,
  formatGrid,
  fullGrid,
  quickGrid,
  readGolden,
  runCell,
  runRecovery,
  runRow,
  SEEDS,
  seedsOf,
  spreadOf,
} from '../../tools/bench/recovery.js';
import { formatAgainstReport, pairOf, runPair, verdictOf } from '../../tools/bench/recovery-against.js';
import { transfer } from '../../tools/bench/recovery-run.js';

const rowsOf = (text: string): string[] => text.split('\n').filter((line) => line.includes(' ms '));

t.test('rows at 50 ms and 1 MiB → exactly those of test/golden/recovery.txt', (t) => {
  const golden = rowsOf(readGolden() ?? '');
  t.equal(golden.length, fullGrid().length, 'the table is whole');
  const points = quickGrid().filter((point) => point.bufferBytes === 1 << 20 && point.lossPercent >= 1);
  const rows = points.map((point) => runRow(point));
  for (const line of rowsOf(formatGrid(rows))) {
    t.ok(golden.includes(line), `${line} (npm run bench -- recovery --update writes the table anew)`);
  }
  for (const row of rows) t.ok(row.cells.every((cell) => cell.goodput > 100_000));
  // One segment in a hundred lost: RACK needs no timeout where counting SACKs did with none, and where it needed one.
  const column = (recovery: string): number[] => CONTENDERS.flatMap((it, i) => (it.recovery === recovery ? [i] : []));
  const one = rows.find((row) => row.lossPercent === 1);
  for (const i of column('rack')) t.equal(one?.cells[i]?.timeouts, 0, `${CONTENDERS[i]?.title}: no timeout`);
  t.ok(one !== undefined && column('sack').every((i) => (one.cells[i]?.timeouts ?? 9) <= 2));
  t.end();
});

t.test('the quick grid → a part of the whole', (t) => {
  const whole = fullGrid().map((point) => JSON.stringify(point));
  for (const point of quickGrid()) t.ok(whole.includes(JSON.stringify(point)));
  t.ok(CONTENDERS.length > 0);
  t.end();
});

t.test('--update with --quick or with other seeds → refused: it would write another table', (t) => {
  t.throws(() => runRecovery({ json: false, quick: true, update: true, seeds: SEEDS }), { message: /--quick/ });
  t.throws(() => runRecovery({ json: false, quick: false, update: true, seeds: seedsOf(4) }), { message: /--seeds/ });
  t.end();
});

t.test('the spread → the standard error of the mean, as a share of it', (t) => {
  // Deviations 2, 0 and 2: variance 4, of the mean 4/3.
  const { mean, error } = spreadOf([8, 10, 12]);
  t.equal(mean, 10);
  t.equal(error.toFixed(6), (Math.sqrt(4 / 3) / 10).toFixed(6));
  t.same(spreadOf([7]), { mean: 7, error: 0 });
  t.same(spreadOf([0, 0]), { mean: 0, error: 0 });
  t.same(seedsOf(4), [1, 2, 3, 4]);
  t.end();
});

const POINT = { rttMs: 50, bufferBytes: 64 << 10, lossPercent: 5 } as const;

t.test('two builds that are one → no cell has changed, and none is named', (t) => {
  const contenders = CONTENDERS.slice(0, 2);
  const row = runPair(POINT, contenders, seedsOf(2), transfer);
  t.same(
    row.cells.map((pair) => [pair.title, pair.change, verdictOf(pair)]),
    contenders.map((contender) => [contender.title, 0, 'noise']),
  );
  t.same(row.cells[0]?.old, runCell(POINT, CONTENDERS[0], seedsOf(2)));
  t.match(formatAgainstReport([row], 2), /^0 cells more than 3 % lower, 0 of them/m);
  t.end();
});

t.test('the other build halves what arrives → twice as much, and the other way round a cell that is named', (t) => {
  const half: typeof transfer = (plan) => {
    const result = transfer(plan);
    return { ...result, goodput: result.goodput / 2 };
  };
  const [pair] = runPair(POINT, CONTENDERS.slice(0, 1), seedsOf(3), half).cells;
  t.equal(pair?.change, 1);
  t.equal(pair === undefined ? '' : verdictOf(pair), 'higher');
  t.end();
});

t.test('a cell lower by more than chance → named; by less → only counted', (t) => {
  const cell = (...samples: number[]): Cell => {
    const spread = spreadOf(samples);
    return { goodput: spread.mean, ...spread, samples, timeouts: 3, retransmitted: 0 };
  };
  const old = cell(8e6, 10e6, 12e6);
  // The same seeds: nine tenths of each, but for a little and but for a lot.
  const sure = pairOf('reno sack', old, cell(7.1e6, 9e6, 10.9e6));
  const unsure = pairOf('reno rack', old, cell(4.2e6, 9e6, 13.8e6));
  // Deviations 0.1, 0 and 0.1 of ten: root of 0.02 / 2 / 3.
  t.equal(sure.change.toFixed(6), '-0.100000');
  t.equal(sure.error.toFixed(6), (Math.sqrt(0.01 / 3) / 10).toFixed(6));
  t.same([verdictOf(sure), verdictOf(unsure)], ['lower', 'noise']);
  t.equal(verdictOf(pairOf('reno sack', cell(10e6), cell(5e6))), 'noise', 'one seed tells nothing');
  const report = formatAgainstReport([{ ...POINT, cells: [sure, unsure] }], 8);
  t.match(report, /^2 cells more than 3 % lower, 1 of them by more than two standard errors:$/m);
  t.match(report, /^ {2}reno sack, 50 ms, 64 KiB, 5 %: −10.0 ±0.6 %, 10.0 → 9.00 Mbit\/s, timeouts 3 → 3$/m);
  t.notMatch(report, /^ {2}reno rack/m);
  t.match(report, /^mean of the changes: reno sack −10.0 ±0.6 % · reno rack −10.0 ±17.3 %$/m);
  t.end();
});
