import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';
import { bySection, pageFaults } from './requirements.js';

/**
 * docs/rfc9768.md against the requirements of RFC 9768: the key words of RFC 2119 in the order of its text, but for MAY
 * and for the section that defines them.
 */
const required = bySection(`
  3.1.1 MUST MUST MUST MUST-NOT MUST MUST-NOT RECOMMENDED MUST
  3.1.2 MUST MUST MUST MUST MUST MUST MUST MUST
  3.1.3 MUST MUST-NOT MUST MUST-NOT
  3.1.4.1 SHOULD SHOULD MUST SHOULD SHOULD-NOT
  3.1.5 MUST-NOT SHOULD MUST-NOT MUST-NOT MUST MUST MUST SHOULD SHOULD SHOULD MUST-NOT SHOULD MUST-NOT MUST-NOT MUST MUST-NOT
  3.2 MUST MUST MUST
  3.2.2 MUST MUST MUST-NOT
  3.2.2.1 MUST SHOULD MUST MUST MUST MUST-NOT MUST-NOT MUST-NOT
  3.2.2.2 MUST MUST-NOT MUST-NOT MUST MUST
  3.2.2.3 MUST MUST MUST MUST
  3.2.2.4 NOT-RECOMMENDED MUST-NOT
  3.2.2.5.1 SHOULD MUST SHOULD SHOULD MUST MUST SHOULD MUST MUST-NOT
  3.2.2.5.2 SHOULD SHOULD
  3.2.3 MUST MUST MUST MUST RECOMMENDED RECOMMENDED RECOMMENDED
  3.2.3.1 MUST
  3.2.3.2.1 MUST-NOT MUST SHOULD SHOULD SHOULD
  3.2.3.2.2 SHOULD SHOULD SHOULD SHOULD SHOULD
  3.2.3.2.3 MUST SHOULD
  3.2.3.2.4 MUST MUST-NOT
  3.2.3.2.5 MUST MUST
  3.2.3.3 SHOULD MUST SHOULD SHOULD MUST SHOULD SHOULD SHOULD SHOULD SHOULD
  3.3.2 MUST-NOT
  7 SHOULD`);

/**
 * How often MUST, SHOULD and RECOMMENDED stand in each section of the RFC, counted in its text by itself. Three of §4, one
 * of §3.2.2.1 and one of §3.2.2.5.1 only quote a rule.
 */
const WORDS = `
  3.1.1 8
  3.1.2 8
  3.1.3 4
  3.1.4.1 5
  3.1.5 16
  3.2 3
  3.2.2 3
  3.2.2.1 9
  3.2.2.2 5
  3.2.2.3 4
  3.2.2.4 2
  3.2.2.5.1 10
  3.2.2.5.2 2
  3.2.3 7
  3.2.3.1 1
  3.2.3.2.1 5
  3.2.3.2.2 5
  3.2.3.2.3 2
  3.2.3.2.4 2
  3.2.3.2.5 2
  3.2.3.3 10
  3.3.2 1
  4 3
  7 1`
  .trim()
  .split('\n')
  .map((line) => line.trim().split(' ') as [string, string]);
const QUOTED = new Map([
  ['3.2.2.1', 1],
  ['3.2.2.5.1', 1],
  ['4', 3],
]);

const page = readFileSync(join(ROOT, 'docs', 'rfc9768.md'), 'utf8');

t.test('docs/rfc9768.md → each requirement once, with its level, and a test that is there or a reason', (t) => {
  t.same(pageFaults(page, required), []);
  t.end();
});

t.test('the list → as many as the RFC has, section by section, and the page says so', (t) => {
  const listed = [...page.matchAll(/^\| ([\d.]+) \| (\d+) \| (\d+) \|$/gm)].map(([, ...columns]) => columns);
  t.same(
    listed,
    WORDS.map(([section, words]) => {
      const rows = required.filter((row) => row.startsWith(`§${section} |`)).length;
      t.equal(rows + (QUOTED.get(section) ?? 0), Number(words), section);
      return [section, words, String(rows)];
    }),
  );
  t.end();
});

t.test('the page without a row, with another level, or with a test that is not there → found', (t) => {
  const first = (/^\| §3\.2 \| MUST .*\n/m.exec(page) as RegExpExecArray)[0];
  const bent = (to: string): string => pageFaults(page.replace(first, to), required).join();
  t.match(bent(''), /row \d+ is §3\.2\.2 \| MUST; the RFC has §3\.2 \| MUST/);
  t.match(bent(first.replace('MUST', 'SHOULD')), /is §3\.2 \| SHOULD/);
  t.match(bent(first.replace('on data and on ACKs', 'on nothing')), /has no “/);
  t.match(bent(first.replace('count.pkt)', 'none.pkt)')), /there is no/);
  t.match(bent(first.replace('| yes |', '| no |')), /summary/);
  t.end();
});
