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

t.test('an idle socket on the stack → no more of V8’s heap than one on the kernel', (t) => {
  const kernel = measure('kernel');
  const stack = measure('stack');
  t.ok(kernel['object Socket'] > 0 && stack['object StackSocket'] > 0, 'each was counted');
  t.ok(sum(stack) <= sum(kernel), JSON.stringify({ kernel, stack }));
  t.end();
});
