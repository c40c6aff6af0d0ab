import { posix } from 'node:path';
import { type Finding, finding, isSource, type Source, type Tree } from './finding.js';
import { ANYWHERE, CITATION, CITED, EXPLAINED, LINES_MAX, UNFINISHED } from './rules.js';
import { lineOf } from './scan.js';

/** What can be said of a file by itself. */
export function checkSource(source: Source): Finding[] {
  const { path, scanned } = source;
  const found: Finding[] = [];
  const lines = scanned.text.split('\n').length - (scanned.text.endsWith('\n') ? 1 : 0);
  if (lines > LINES_MAX)
    found.push({
      file: path,
      line: lines,
      message: `${lines} lines; ${LINES_MAX} are the most: which two concerns are in here?`,
    });
  for (const comment of scanned.comments) {
    for (const match of comment.text.matchAll(UNFINISHED)) {
      found.push(
        finding(source, comment.start + match.index, `${match[0]}: finish it, or write down in docs/ why not`),
      );
    }
  }
  if (
    CITED.some((prefix) => path.startsWith(prefix)) &&
    !scanned.comments.some((comment) => CITATION.test(comment.text))
  ) {
    found.push(finding(source, 0, 'protocol code without a reference: name the RFC and section it implements'));
  }
  return found;
}

/** What may stand in no tracked file, whatever its kind. */
export function checkText(path: string, text: string): Finding[] {
  return ANYWHERE.flatMap(({ pattern, message }) =>
    [...text.matchAll(pattern)].map((match) => ({
      file: path,
      line: lineOf(text, match.index),
      message: `${message}: ${match[0]}`,
    })),
  );
}

/** Each folder with code says why it exists and what may be imported there. */
export function checkFolders(tree: Tree): Finding[] {
  const folders = new Set([...tree.keys()].filter(isSource).map((path) => posix.dirname(path)));
  if ([...folders].some((folder) => /^test(?:\/|$)/.test(folder))) folders.add('test');
  return [...folders]
    .filter((folder) => (EXPLAINED.test(folder) || folder === 'test') && !tree.has(`${folder}/README.md`))
    .sort()
    .map((folder) => ({
      file: `${folder}/README.md`,
      line: 1,
      message: 'a folder opens with a README.md: why it exists, what may be imported there',
    }));
}
