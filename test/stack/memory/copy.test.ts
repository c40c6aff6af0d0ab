import t from 'tap';
import { copyBytes } from '../../../stack/memory/copy.js';

t.test('every length around the threshold, between arrays → exactly those bytes', (t) => {
  const source = Uint8Array.from({ length: 200 }, (_, i) => i + 1);
  for (let count = 0; count < 100; count++) {
    const into = new Uint8Array(120);
    copyBytes(source, 17, into, 9, count);
    const expected = new Uint8Array(120);
    for (let i = 0; i < count; i++) expected[9 + i] = source[17 + i];
    t.same(into, expected);
  }
  t.end();
});

t.test('overlapping ranges of one array, both ways → as if copied aside first', (t) => {
  for (const count of [1, 20, 32, 33, 90]) {
    for (const shift of [-7, -1, 0, 1, 7, 31]) {
      const bytes = Uint8Array.from({ length: 200 }, (_, i) => i);
      const expected = bytes.slice();
      expected.set(bytes.slice(40, 40 + count), 40 + shift);
      copyBytes(bytes, 40, bytes, 40 + shift, count);
      t.same(bytes, expected);
    }
  }
  t.end();
});
