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
