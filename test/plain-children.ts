import { createRequire } from 'node:module';

/**
 * Loaded before every test file (.taprc). tap makes each Node program that a test starts report which files it loads,
 * for coverage. Coverage is off here, and the report makes a start of our program take 1.0 s of CPU instead of 0.4. So
 * children start as their test says: without tap's NODE_OPTIONS, and without the hook that sets them again at each
 * spawn. tap's own hook module lies behind a chain of packages, so the chain is followed from one to the next.
 */
interface SpawnHooks {
  removeAllListeners(): void;
}

const CHAIN = ['tap', '@tapjs/core', '@tapjs/processinfo', 'process-on-spawn'] as const;

function spawnHooks(): SpawnHooks {
  let from = import.meta.url;
  for (const name of CHAIN.slice(0, -1)) from = createRequire(from).resolve(name);
  return createRequire(from)('process-on-spawn');
}

function plain(): void {
  spawnHooks().removeAllListeners();
  delete process.env.NODE_OPTIONS;
}

// tap's hook is set while modules like this one are loaded, before or after it.
setImmediate(plain);
