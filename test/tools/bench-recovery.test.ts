/** The committed table of `bench recovery`: some of its rows, worked out again. */
import t from 'tap';
import {
  CONTENDERS,
  formatGrid,
  fullGrid,
  quickGrid,
  readGolden,
  runRecovery,
  runRow,
} from '../../tools/bench/recovery.js';

const rowsOf = (text: string): string[] => text.split('\n').filter((line) => line.includes(' ms '));

t.test('rows at 50 ms and 1 MiB → exactly those of test/golden/recovery.txt', (t) => {
  const golden = rowsOf(readGolden() ?? '');
  t.equal(golden.length, fullGrid().length, 'the table is whole');
  const points = quickGrid().filter((point) => point.bufferBytes === 1 << 20 && point.lossPercent >= 1);
  const rows = points.map(runRow);
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

t.test('--update with --quick → refused: it would write a part', (t) => {
  t.throws(() => runRecovery({ json: false, quick: true, update: true }), { message: /--quick/ });
  t.end();
});
