import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';
import { bySection, pageFaults } from './requirements.js';

/**
 * docs/rfc9406.md against RFC 9406: the key words of RFC 2119 in the order of its text, but for the section that defines
 * them. STEP is not of the RFC: so are the steps of its algorithm called here.
 */
const required = bySection(`
  3 MUST-NOT
  4.2 STEP STEP STEP STEP STEP
  4.3 RECOMMENDED MAY REQUIRED RECOMMENDED MUST SHOULD SHOULD MAY`);

const page = readFileSync(join(ROOT, 'docs', 'rfc9406.md'), 'utf8');

t.test('docs/rfc9406.md → each requirement once, with its level, and a test that is there or a reason', (t) => {
  t.same(pageFaults(page, required), []);
  t.end();
});

t.test('the page without its last row → found', (t) => {
  const rows = [...page.matchAll(/^\| §.*\n/gm)];
  t.equal(rows.length, required.length);
  t.match(pageFaults(page.replace(rows.at(-1)?.[0] ?? '', ''), required).join(), /is missing; the RFC has/);
  t.end();
});
