import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';

const SCRIPTS = join(ROOT, 'test', 'packetdrill');

t.test('the topics of docs/conformance.md → the folders of test/packetdrill, and how many scripts each has', (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'conformance.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (\d+) \|/gm)].map(([, name, count]) => `${name}: ${count}`);
  const there = readdirSync(SCRIPTS, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({
      name,
      count: readdirSync(join(SCRIPTS, name)).filter((file) => file.endsWith('.pkt')).length,
    }))
    .filter(({ count }) => count > 0)
    .map(({ name, count }) => `${name}: ${count}`);
  t.same(listed.sort(), there.sort());
  t.end();
});
