import t from 'tap';
import type { Us } from '../../../stack/base/units.js';
import { Clock } from '../../../stack/time/clock.js';

t.test('a time → whole milliseconds, and both wrapped to 32 bits', (t) => {
  const clock = new Clock(1999 as Us);
  t.equal(clock.ms, 1);
  t.equal(clock.us32, 1999);
  clock.advance((2 ** 31 * 1000 + 500) as Us);
  t.equal(clock.us, 2 ** 31 * 1000 + 500);
  t.equal(clock.ms, -(2 ** 31), 'one past the largest int32 is the smallest');
  t.equal(clock.us32, 500, '1000 times 2^31 is a multiple of 2^32');
  clock.advance((2 ** 53 - 1) as Us);
  t.equal(clock.us32, -1);
  t.equal(clock.ms, Number(BigInt.asIntN(32, (2n ** 53n - 1n) / 1000n)));
  t.end();
});

t.test('a time before the last, or none → stops the program; the same again → nothing', (t) => {
  const clock = new Clock(5000 as Us);
  clock.advance(5000 as Us);
  t.equal(clock.us, 5000);
  t.throws(() => clock.advance(4999 as Us), /go back/);
  t.throws(() => clock.advance(Number.NaN as Us), /go back/);
  t.equal(clock.us, 5000);
  t.end();
});

t.test('follows a source → each reading asks it; told a time, it stands still again', (t) => {
  const clock = new Clock(1000 as Us);
  let now = 2000;
  let asked = 0;
  const source = {
    now(): Us {
      asked += 1;
      return now as Us;
    },
  };
  clock.follow(source);
  t.equal(asked, 0, 'a call that needs no time costs nothing');
  t.same([clock.us, clock.ms, clock.us32], [2000, 2, 2000]);
  now = 5_000_000;
  t.equal(clock.ms, 5000);
  clock.advance(6_000_000 as Us);
  now = 7_000_000;
  t.equal(clock.us, 6_000_000);
  t.equal(asked, 4);
  clock.follow(source);
  now = 1;
  t.throws(() => clock.us, /go back/);
  t.end();
});
