import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { IntRing } from '../../../stack/memory/ring.js';

t.test('an empty ring, shifted or looked into → stops the program', (t) => {
  const ring = new IntRing(4);
  t.throws(() => ring.shift(), /holds something/);
  t.throws(() => ring.at(0), /lies in/);
  t.throws(() => new IntRing(0), /between/);
  t.end();
});

t.test('random pushes and shifts, growing with the head anywhere → first in, first out', (t) => {
  const prng = new Prng(11);
  for (const capacity of [1, 3, 16]) {
    const ring = new IntRing(capacity);
    const model: number[] = [];
    for (let step = 0; step < 20_000; step++) {
      // The bias turns now and then, so that the ring fills, grows and drains.
      const filling = (step >>> 11) % 2 === 0;
      if (prng.below(5) < (filling ? 3 : 2)) {
        const value = prng.next();
        ring.push(value);
        model.push(value);
      } else if (model.length > 0) {
        if (ring.shift() !== model.shift()) t.fail(`step ${step}: out of order`);
      }
      if (ring.length !== model.length) t.fail(`step ${step}: ${ring.length} beside ${model.length}`);
      if (model.length > 0) {
        const at = prng.below(model.length);
        if (ring.at(at) !== model[at]) t.fail(`step ${step}: at ${at}`);
      }
    }
    ring.clear();
    t.equal(ring.length, 0);
    ring.push(-5);
    t.equal(ring.shift(), -5);
  }
  t.end();
});
