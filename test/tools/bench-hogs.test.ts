import t from 'tap';
import { formatHogs, hogsFigure, hogsRow } from '../../tools/bench/hogs.js';

t.test('a run counts with its median page, and several runs with the median of those', (t) => {
  const row = hogsRow('new', [
    { alone: [10, 12, 11], beside: [20, 40, 22] },
    { alone: [9], beside: [30] },
    { alone: [15], beside: [18] },
  ]);
  t.same([row.alone.median, row.beside.median], [11, 22]);
  t.equal(hogsFigure([row], 8300), 'a page beside 8300 peers that never read: ×2.00, within ×2');
  t.match(formatHogs([row]), /new .* 11 ±27% ms .* 22 ±27% ms .* ×2 /);
  t.end();
});

t.test('pages later than twice, and pages that never come, are said to be so', (t) => {
  const late = hogsRow('new', [{ alone: [10], beside: [21] }]);
  t.equal(hogsFigure([late], 5), 'a page beside 5 peers that never read: ×2.10, NOT within ×2');
  const never = hogsRow('old', [{ alone: [10], beside: [null] }]);
  t.match(formatHogs([never]), /old .* 10 ms .* never .* – /);
  t.equal(
    hogsFigure([{ ...never, build: 'new' }], 5),
    'a page beside 5 peers that never read: it never comes, NOT within ×2',
  );
  t.end();
});
