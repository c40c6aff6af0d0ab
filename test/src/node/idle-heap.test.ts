import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const PROGRAM = fileURLToPath(new URL('./idle-heap.js', import.meta.url));

function measure(kind: 'kernel' | 'stack'): Record<string, number> {
  const env = { ...process.env, NODE_OPTIONS: '' };
  const output = execFileSync(process.execPath, ['--expose-gc', PROGRAM, kind], { encoding: 'utf8', env });
  return JSON.parse(output) as Record<string, number>;
}
function sum(kinds: Record<string, number>): number {
  return Object.values(kinds).reduce((all, bytes) => all + bytes, 0);
}

/** `connect` and `resetAndDestroy` are properties of each socket. */
const TWO_PROPERTIES = 16;

t.test('an idle socket on the stack → as much of V8’s heap as one on the kernel, and two properties', (t) => {
  const kernel = measure('kernel');
  const stack = measure('stack');
  t.ok(kernel['object Socket'] > 0 && stack['object Socket'] > 0, 'each was counted');
  t.ok(sum(stack) <= sum(kernel) + TWO_PROPERTIES, JSON.stringify({ kernel, stack }));
  t.end();
});
