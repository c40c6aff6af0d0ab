import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';
import { bySection, pageFaults } from './requirements.js';

/** docs/rfc9438.md against RFC 9438: the key words of RFC 2119 in the order of its text, but for the section that defines them. */
const required = bySection(`
  4.2 MUST-NOT
  4.3 SHOULD SHOULD
  4.4 MUST
  4.5 MUST
  4.6 MUST SHOULD MUST REQUIRED MUST MUST
  4.7 SHOULD SHOULD
  4.8 SHOULD
  4.9.1 MAY MAY
  4.9.2 MAY MAY MAY SHOULD
  4.10 MUST SHOULD MAY
  5.1 NOT-RECOMMENDED SHOULD`);

const page = readFileSync(join(ROOT, 'docs', 'rfc9438.md'), 'utf8');

t.test('docs/rfc9438.md → each requirement once, with its level, and a test that is there or a reason', (t) => {
  t.same(pageFaults(page, required), []);
  t.end();
});

t.test('the page without its last row → found', (t) => {
  const rows = [...page.matchAll(/^\| §.*\n/gm)];
  t.equal(rows.length, required.length);
  t.match(pageFaults(page.replace(rows.at(-1)?.[0] ?? '', ''), required).join(), /is missing; the RFC has/);
  t.end();
});
