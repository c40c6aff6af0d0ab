/** The part of docs/conformance.md that is made by a run: between two marks. The rest is written by hand. */
import { Refusal } from './refusal.js';
import { pageLines, type Report } from './report.js';

export const BEGIN = '<!-- made by npm run conformance:linux -- --write -->';
export const END = '<!-- end of what is made -->';

export function madePart(reports: readonly Report[]): string {
  return `${[BEGIN, '', ...reports.flatMap(pageLines), END].join('\n')}\n`;
}

/** The page with a new made part. Throws a Refusal when the marks are not there. */
export function withMadePart(page: string, made: string): string {
  const begin = page.indexOf(BEGIN);
  const end = page.indexOf(`${END}\n`);
  if (begin === -1 || end < begin)
    throw new Refusal('ERR_PAGE', 'docs/conformance.md has lost the marks of its made part');
  return page.slice(0, begin) + made + page.slice(end + END.length + 1);
}

/** What the page says of a kernel: its section, for tests that compare. Undefined: nothing. */
export function sectionOf(page: string, version: string): string | undefined {
  const part = page.slice(page.indexOf(BEGIN), page.indexOf(END));
  const section = part.split(/^(?=### )/m).find((text) => text.startsWith(`### Linux ${version}\n`));
  return section;
}
