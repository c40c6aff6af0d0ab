import { spawnSync } from 'node:child_process';
import t from 'tap';
// Loaded by .taprc already; here for a run of this file alone.
import './plain-children.js';

t.test('a Node program that a test starts loads nothing of the test runner', (t) => {
  const says = 'process.stdout.write(JSON.stringify([process.env.NODE_OPTIONS ?? "", process.execArgv]))';
  const { stdout, status } = spawnSync(process.execPath, ['-e', says], { encoding: 'utf8' });
  t.equal(status, 0);
  t.same(JSON.parse(stdout), ['', ['-e', says]]);
  t.end();
});
