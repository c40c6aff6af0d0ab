import t from 'tap';
import { parseRange } from '../../../src/apps/byte-range.js';

const CASES: [string, number, ReturnType<typeof parseRange>][] = [
  // RFC 9110 §14.1.2's own examples.
  ['bytes=0-499', 10_000, { first: 0, last: 499 }],
  ['bytes=500-999', 10_000, { first: 500, last: 999 }],
  ['bytes=-500', 10_000, { first: 9500, last: 9999 }],
  ['bytes=9500-', 10_000, { first: 9500, last: 9999 }],
  ['bytes=0-0', 10_000, { first: 0, last: 0 }],
  ['bytes=0-99999', 100, { first: 0, last: 99 }],
  ['bytes=-1000', 100, { first: 0, last: 99 }],
  ['BYTES= 1 - 2', 100, { first: 1, last: 2 }],
  // Cannot be satisfied.
  ['bytes=100-', 100, null],
  ['bytes=100-200', 100, null],
  ['bytes=-0', 100, null],
  ['bytes=0-', 0, null],
  ['bytes=-5', 0, null],
  // To be ignored.
  ['bytes=5-4', 100, undefined],
  ['bytes=-', 100, undefined],
  ['bytes=0-1,5-6', 100, undefined],
  ['lines=0-1', 100, undefined],
  ['bytes=a-b', 100, undefined],
  ['0-1', 100, undefined],
];

for (const [header, size, expected] of CASES) {
  t.test(`${header} of ${size} → ${JSON.stringify(expected)}`, (t) => {
    t.strictSame(parseRange(header, size), expected);
    t.end();
  });
}

t.test('no header → the whole', (t) => {
  t.equal(parseRange(undefined, 100), undefined);
  t.end();
});
