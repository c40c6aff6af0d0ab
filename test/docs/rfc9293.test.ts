import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ROOT } from './markdown.js';
import { pageFaults } from './requirements.js';

/**
 * docs/rfc9293.md against the list of RFC 9293 appendix B and against the tests it names.
 *
 * The list: number and order are the appendix's. The level is what the number begins with, unless a letter follows that says otherwise: `m` MUST, `n` MUST NOT,
 * `s` SHOULD, `d` SHOULD NOT. A number that comes twice is two rows there.
 */
const APPENDIX_B = `
  MAY-16 SHLD-27 MAY-15 MUST-60n MUST-61 MAY-17 SHLD-28
  MUST-1 REC-1s SHLD-14d SHLD-15d SHLD-16 SHLD-17d MUST-34 MAY-8 MUST-35 MUST-36 SHLD-29 SHLD-30 MUST-37 MAY-7 MUST-66
  MUST-30 MUST-62 MUST-31 MUST-32 MUST-33 SHLD-13d
  MUST-4 MUST-5 MUST-6 MUST-68 MUST-7 MUST-64 MUST-14 SHLD-5 SHLD-5 MAY-3 MUST-15 MUST-15 MUST-16 SHLD-6 MUST-65n MUST-67 MUST-69
  MUST-2 MUST-3
  MUST-8 SHLD-1 MUST-9n
  MUST-10 MUST-11 MUST-41n MUST-42 MUST-44 MUST-45 MUST-46n MUST-57
  SHLD-2 MUST-12 MAY-1 SHLD-3 MUST-13 MAY-2 SHLD-4
  MUST-19 MAY-4 MUST-18
  MUST-58 SHLD-31 MUST-59 MAY-13 SHLD-18 MUST-40 SHLD-19 MUST-39
  MUST-49 MUST-38 SHLD-7 MUST-17
  MUST-20 MUST-20 MUST-21 SHLD-9 SHLD-10 SHLD-11 MUST-22 MUST-23
  MAY-5s MUST-24 MUST-25 MUST-26 MUST-27 MUST-28 MUST-29 SHLD-12 MAY-6
  MUST-50 MAY-10s MAY-11s MUST-51 MUST-52 MUST-53 SHLD-24
  MUST-54 SHLD-25m MUST-56n SHLD-26 MUST-55 MUST-56n MUST-56n
  MUST-46 MUST-63 MUST-57
  MUST-47 SHLD-20 MUST-48 SHLD-22 SHLD-21 SHLD-23d MAY-9 MAY-14 MUST-43
  MAY-12 SHLD-8 MAY-18`;

const LEVELS: Record<string, string> = {
  MUST: 'MUST',
  SHLD: 'SHOULD',
  MAY: 'MAY',
  m: 'MUST',
  n: 'MUST NOT',
  s: 'SHOULD',
  d: 'SHOULD NOT',
};

/** Each as the page has it: `MUST-60 | MUST NOT`. */
const required = APPENDIX_B.trim()
  .split(/\s+/)
  .map((word) => {
    const [, number, prefix, letter] = /^(([A-Z]+)-\d+)([mnsd]?)$/.exec(word) as unknown as [
      string,
      string,
      string,
      string,
    ];
    return `${number} | ${LEVELS[letter === '' ? prefix : letter]}`;
  });

const page = readFileSync(join(ROOT, 'docs', 'rfc9293.md'), 'utf8');

/** What is wrong with a page that goes by this list. */
const faults = (text: string): string[] => pageFaults(text, required);

t.test('the list → 126 rows, of which four have another level than their number says', (t) => {
  t.equal(required.length, 126);
  const unlike = required.filter((row) => {
    const [, prefix, level] = /^([A-Z]+)-\d+ \| (.*?)(?: NOT)?$/.exec(row) as unknown as [string, string, string];
    return prefix !== 'REC' && LEVELS[prefix] !== level;
  });
  t.same(unlike, ['MAY-5 | SHOULD', 'MAY-10 | SHOULD', 'MAY-11 | SHOULD', 'SHLD-25 | MUST']);
  t.end();
});

t.test('docs/rfc9293.md → each requirement once, with its level, and a test that is there or a reason', (t) => {
  t.same(faults(page), []);
  t.end();
});

t.test('the page with a fault → found', (t) => {
  const row = (id: string): string => (new RegExp(`^\\| ${id} \\|.*$`, 'm').exec(page) as RegExpExecArray)[0];
  const bent = (id: string, from: string | RegExp, to: string): string[] =>
    faults(page.replace(row(id), row(id).replace(from, to)));
  t.match(faults(page.replace(`${row('MUST-1')}\n`, '')).join(), /row 8 is REC-1/, 'a row is missing');
  t.match(faults(page.replace(row('MUST-3'), `${row('MUST-3')}\n${row('MUST-3')}`)).join(), /row 48 is/, 'twice');
  t.match(bent('MUST-60', 'MUST NOT', 'MUST').join(), /row 4 is MUST-60/, 'a level');
  t.match(bent('MUST-40', 'one segment', 'one octet').join(), /MUST-40: .* has no “/, 'a title');
  t.match(bent('MUST-40', /delayed-ack\.test\.ts\)/, 'nowhere.test.ts)').join(), /nowhere/, 'a file');
  t.match(bent('MUST-51', /Source routes.*for them\./, 'No.').join(), /MUST without test or reason/, 'a reason');
  t.match(bent('MUST-2', /\[wire.*|\[tcp.*?”/, '').join(), /shown by nothing/, 'no test');
  t.match(bent('MUST-2', '| yes |', '| maybe |').join(), /"maybe" is none of/, 'a state');
  t.match(bent('MUST-13', '| deviation |', '| no |').join(), /summary/, 'the counts');
  const script = bent('MUST-12', /\[reset.*?”/, '[x](../test/packetdrill/none/none.pkt)');
  t.match(script.join(), /there is no test\/packetdrill\/none\/none\.pkt/, 'a script');
  t.end();
});
