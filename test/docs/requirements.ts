import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './markdown.js';

/**
 * Pages that go through an RFC requirement by requirement: docs/rfc9293.md and the others. A row is
 * `| id | level | what | here | shown by, or why not |`. The id is the number that the RFC gives the requirement,
 * `MUST-60`; where it gives none, the section, `§6.1`.
 */

const HERE = ['yes', 'deviation', 'no', 'not observable'];

export interface Row {
  readonly id: string;
  readonly level: string;
  readonly here: string;
  /** What the last column says beside the tests it names. */
  readonly reason: string;
  readonly tests: readonly { readonly path: string; readonly title: string }[];
  readonly scripts: readonly string[];
}

const NAMED_TEST = /\[[^\]]+\]\(\.\.\/(test\/[\w./-]+\.test\.ts)\) “([^”]+)”/g;
const NAMED_SCRIPT = /\[[^\]]+\]\(\.\.\/(test\/[\w./-]+\.pkt)\)/g;

/** The rows of a page's tables, in their order. */
export function rowsOf(text: string): Row[] {
  return [...text.matchAll(/^\| ((?:[A-Z]+-\d+|§[\dA-Z.]+)) \| ([A-Z ]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$/gm)].map(
    ([, id, level, , here, shown]) => ({
      id,
      level,
      here,
      tests: [...shown.matchAll(NAMED_TEST)].map(([, path, title]) => ({ path, title })),
      scripts: [...shown.matchAll(NAMED_SCRIPT)].map(([, path]) => path),
      reason: shown.replace(NAMED_TEST, '').replace(NAMED_SCRIPT, '').replaceAll('<br>', ' ').trim(),
    }),
  );
}

/** The titles of a file's tests as they stand in its source, `…` for what a template fills in. */
function titlesOf(source: string): Set<string> {
  const plain = (text: string): string =>
    text
      .slice(1, -1)
      .replace(/\$\{[^}]*\}/g, '…')
      .replace(/\\(.)/g, '$1');
  const literal = `'(?:\\\\.|[^'\\\\\\n])*'|"(?:\\\\.|[^"\\\\\\n])*"|\`(?:\\\\.|[^\`\\\\])*\``;
  const titles = [...source.matchAll(new RegExp(`\\btest\\(\\s*(${literal})`, 'g'))].map(([, title]) => plain(title));
  // transitions.test.ts: state, event, state.
  const arrows = [...source.matchAll(new RegExp(`^arrow\\((${literal}), (${literal}), (${literal})`, 'gm'))].map(
    ([, from, event, to]) => `${plain(from)}, ${plain(event)} → ${plain(to)}`,
  );
  return new Set([...titles, ...arrows]);
}

const titles = new Map<string, Set<string>>();
function isThere(path: string, title: string): boolean {
  if (!existsSync(join(ROOT, path))) return false;
  const known = titles.get(path) ?? titlesOf(readFileSync(join(ROOT, path), 'utf8'));
  titles.set(path, known);
  return known.has(title);
}

/**
 * The requirements of an RFC without numbers, from lines of a section and the levels in it in the order of its text:
 * `6.2 MAY MUST MUST-NOT` is `§6.2 | MAY`, `§6.2 | MUST`, `§6.2 | MUST NOT`.
 */
export function bySection(list: string): string[] {
  return list
    .trim()
    .split('\n')
    .flatMap((line) => {
      const [section, ...levels] = line.trim().split(/\s+/);
      return levels.map((level) => `§${section} | ${level.replace('-', ' ')}`);
    });
}

/** What is wrong with a page; `required` has each requirement as `id | level`, in the order of the RFC. */
export function pageFaults(text: string, required: readonly string[]): string[] {
  const rows = rowsOf(text);
  const found: string[] = [];
  const listed = rows.map(({ id, level }) => `${id} | ${level}`);
  for (let i = 0; i < Math.max(listed.length, required.length); i++) {
    if (listed[i] === required[i]) continue;
    found.push(`row ${i + 1} is ${listed[i] ?? 'missing'}; the RFC has ${required[i] ?? 'no more'}`);
    break;
  }
  for (const { id, level, here, reason, tests, scripts } of rows) {
    if (!HERE.includes(here)) found.push(`${id}: "${here}" is none of ${HERE.join(', ')}`);
    for (const { path, title } of tests) if (!isThere(path, title)) found.push(`${id}: ${path} has no “${title}”`);
    for (const path of scripts) if (!existsSync(join(ROOT, path))) found.push(`${id}: there is no ${path}`);
    const shown = tests.length + scripts.length > 0;
    if (here === 'yes' && !shown) found.push(`${id}: yes, but shown by nothing`);
    if (here !== 'yes' && reason.length < 8) found.push(`${id}: ${here}, and no reason`);
    if (level.startsWith('MUST') && !shown && reason.length < 20) found.push(`${id}: a MUST without test or reason`);
  }
  for (const here of HERE) {
    const count = rows.filter((row) => row.here === here).length;
    if (!text.includes(`| ${here} | ${count} |`))
      found.push(`the page's summary does not say that ${count} are "${here}"`);
  }
  return found;
}
