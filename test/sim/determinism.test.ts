import { createHash } from 'node:crypto';
import t from 'tap';
import { FULL } from '../full.js';
import { simulate } from './run.js';

/** The stack is a function of its inputs: what a seed did once it does again, to the byte of the trace. */

function traceOf(seed: number): { bytes: number; hash: string } {
  const hash = createHash('sha256');
  let bytes = 0;
  const sink = {
    write(block: Uint8Array) {
      hash.update(block);
      bytes += block.length;
    },
    close() {},
  };
  simulate(seed, sink);
  return { bytes, hash: hash.digest('hex') };
}

t.test('the same seed twice, over links with faults → the same trace, byte for byte', (t) => {
  for (const seed of FULL ? [1, 2, 3, 5, 8, 13] : [1, 5, 13]) {
    const first = traceOf(seed);
    t.ok(first.bytes > 1000, `seed ${seed}: ${first.bytes} bytes of trace`);
    t.same(traceOf(seed), first, `seed ${seed}`);
  }
  t.end();
});

t.test('different seeds → different traces', (t) => {
  const hashes = [1, 2, 3, 4].map((seed) => traceOf(seed).hash);
  t.equal(new Set(hashes).size, 4);
  t.end();
});

t.test('a trace taken → the run is the same as without', (t) => {
  for (const seed of [1, 2, 3]) {
    const sink = { write() {}, close() {} };
    t.same(simulate(seed, sink), simulate(seed), `seed ${seed}`);
  }
  t.end();
});
