import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

/** From dist/test/docs, where this runs. */
export const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const UNREAD = /^(?:node_modules|dist|\.git|\.tap)$/;

export interface Page {
  /** From the root of the project. */
  readonly path: string;
  readonly text: string;
}

export function pages(folder = ROOT): Page[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (UNREAD.test(entry.name)) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return pages(path);
    return entry.name.endsWith('.md') ? [{ path: relative(ROOT, path), text: readFileSync(path, 'utf8') }] : [];
  });
}

/** Code, which has brackets of its own, is no place for links. */
function withoutCode(text: string): string {
  return text.replace(/^```.*?^```/gms, '').replace(/`[^`\n]*`/g, '');
}

/** The anchors that GitHub makes of a page's headings. */
export function anchors(text: string): Set<string> {
  return new Set(
    [...withoutFences(text).matchAll(/^#+ +(.*)$/gm)].map(([, title]) =>
      title
        .toLowerCase()
        .replace(/[^\p{L}\p{N} _-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
function withoutFences(text: string): string {
  return text.replace(/^```.*?^```/gms, '');
}

/** Links of a page that lead nowhere, as it names them. */
export function brokenLinks(page: Page, root = ROOT): string[] {
  return [...withoutCode(page.text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [path, anchor] = link.split('#', 2);
      const target = path === '' ? join(root, page.path) : join(root, dirname(page.path), path);
      if (!existsSync(target)) return true;
      if (anchor === undefined) return false;
      const file = statSync(target).isDirectory() ? join(target, 'README.md') : target;
      return !anchors(readFileSync(file, 'utf8')).has(anchor);
    });
}

/** Every `npm run X` of a text, and `npm X` of those that need no `run`. */
export function scriptsNamed(text: string): string[] {
  return [
    ...[...text.matchAll(/\bnpm run (?:--silent )?([a-z][\w:-]*)/g)].map(([, name]) => name),
    ...[...text.matchAll(/\bnpm (start|test)\b/g)].map(([, name]) => name),
  ];
}

/** Compiled programs that a text runs: `node dist/…/x.js`. */
export function programsNamed(text: string): string[] {
  return [...text.matchAll(/\bdist\/((?:examples|test|tools)\/[\w./-]+)\.js\b/g)].map(([, path]) => `${path}.ts`);
}

/** Source files that a text names in code, by their whole path. */
export function filesNamed(text: string): string[] {
  return [...text.matchAll(/`((?:stack|drivers|src|tools|test|examples|bin)\/[\w./-]+\.(?:ts|mjs|js|md|sh))`/g)].map(
    ([, path]) => path,
  );
}
