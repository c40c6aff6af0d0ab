import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { KERNELS } from '../../tools/conformance/kernels.js';
import { sectionOf } from '../../tools/conformance/page.js';
import { REASONS } from '../../tools/conformance/reasons.js';
import { ROOT } from './markdown.js';

const SCRIPTS = join(ROOT, 'test', 'packetdrill');

function scriptsIn(topic: string): number {
  const folder = join(SCRIPTS, topic);
  return existsSync(folder) ? readdirSync(folder).filter((file) => file.endsWith('.pkt')).length : 0;
}

t.test(
  'the topics of docs/conformance.md → all the folders of test/packetdrill, and no more scripts than there are',
  (t) => {
    const page = readFileSync(join(ROOT, 'docs', 'conformance.md'), 'utf8');
    const listed = [...page.matchAll(/^\| `([a-z0-9-]+)` \| (\d+) \|/gm)].map(([, topic, count]) => ({ topic, count }));
    const topics = new Set(listed.map(({ topic }) => topic));
    t.equal(topics.size, listed.length, 'none twice');
    const folders = readdirSync(SCRIPTS, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && scriptsIn(entry.name) > 0)
      .map(({ name }) => name);
    t.ok(folders.length > 20);
    t.same(
      folders.filter((name) => !topics.has(name)),
      [],
      'folders without a line',
    );
    for (const { topic, count } of listed) t.ok(scriptsIn(topic) >= Number(count), `${topic}: ${count}`);
    t.end();
  },
);

t.test("what the page says of the kernel's scripts that fail → the reasons that are known, and no others", (t) => {
  const page = readFileSync(join(ROOT, 'docs', 'conformance.md'), 'utf8');
  for (const { version } of KERNELS) {
    const section = sectionOf(page, version) ?? '';
    const [, failed] = /, (\d+) failed, \d+ skipped\.$/m.exec(section) ?? [];
    const told = [...section.matchAll(/^\| `(\S+)` \| failed \| (.*) \|$/gm)].map(([, name, why]) => [name, why]);
    t.same(Object.fromEntries(told), REASONS[version], `Linux ${version}: npm run conformance:linux -- --write`);
    t.equal(Number(failed), told.length);
  }
  t.end();
});
