import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { RowPool } from '../../../stack/memory/row-pool.js';

t.test('all rows taken → -1, until one is given back', (t) => {
  const pool = new RowPool(3);
  t.same([pool.take(), pool.take(), pool.take(), pool.take()], [0, 1, 2, -1]);
  t.equal(pool.used, 3);
  pool.give(1);
  pool.give(2);
  t.same([pool.take(), pool.take(), pool.take()], [2, 1, -1], 'the last given back comes first');
  t.equal(pool.used, 3);
  t.end();
});

t.test('a row given back twice, never taken, or not of the pool → stops the program', (t) => {
  const pool = new RowPool(4);
  t.throws(() => pool.give(0), /taken/);
  pool.take();
  pool.take();
  pool.give(0);
  t.throws(() => pool.give(0), /once/);
  pool.give(1);
  t.throws(() => pool.give(0), /once/);
  t.throws(() => pool.give(1), /once/);
  t.throws(() => pool.give(2), /taken/);
  t.throws(() => pool.give(-1), /taken/);
  t.throws(() => pool.give(4), /taken/);
  t.equal(pool.used, 0);
  t.end();
});

t.test('random taking and giving → no row twice, none above the most used at once', (t) => {
  const prng = new Prng(7);
  const pool = new RowPool(500);
  const taken: number[] = [];
  const isTaken = new Set<number>();
  let most = 0;
  for (let step = 0; step < 100_000; step++) {
    if (prng.below(2) === 0) {
      const row = pool.take();
      if (row === -1) {
        if (taken.length !== 500) t.fail('refused before it was empty');
        continue;
      }
      if (isTaken.has(row)) t.fail(`row ${row} was taken twice`);
      isTaken.add(row);
      taken.push(row);
      most = Math.max(most, taken.length);
      if (row >= most) t.fail(`row ${row} is new though ${500 - most} used ones are free`);
    } else if (taken.length > 0) {
      const at = prng.below(taken.length);
      const row = taken[at];
      taken[at] = taken[taken.length - 1];
      taken.pop();
      isTaken.delete(row);
      pool.give(row);
    }
    if (pool.used !== taken.length) t.fail('the count is wrong');
  }
  t.equal(pool.highWater, most);
  t.end();
});
