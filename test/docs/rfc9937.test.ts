import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';
import { bySection, pageFaults } from './requirements.js';

/**
 * docs/rfc9937.md against the requirements of RFC 9937: the key words of RFC 2119 in the order of its text, but for the
 * section that defines them. STEP is not of the RFC: so are the steps of its algorithm called here.
 */
const required = bySection(`
  3 MUST-NOT MUST-NOT
  5 MAY MAY RECOMMENDED
  6.1 MUST STEP
  6.2 STEP STEP STEP MAY MUST MUST STEP STEP STEP STEP
  6.3 STEP
  6.4 STEP RECOMMENDED`);

const page = readFileSync(join(ROOT, 'docs', 'rfc9937.md'), 'utf8');

t.test('docs/rfc9937.md → each requirement once, with its level, and a test that is there or a reason', (t) => {
  t.same(pageFaults(page, required), []);
  t.end();
});

t.test('the page without a row, or with another level → found', (t) => {
  const first = (/^\| §6\.1 \| MUST .*\n/m.exec(page) as RegExpExecArray)[0];
  t.match(pageFaults(page.replace(first, ''), required).join(), /row 6 is §6\.1 \| STEP/);
  t.match(pageFaults(page.replace(first, first.replace('MUST', 'MAY')), required).join(), /row 6 is §6\.1 \| MAY/);
  t.end();
});
