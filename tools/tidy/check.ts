import { checkFolders, checkSource, checkText } from './files.js';
import { type Finding, isSource, type Source, type Tree } from './finding.js';
import { checkForms } from './forms.js';
import { checkImports, type PackageJson } from './imports.js';
import { scan } from './scan.js';

/** Every check over a tree; findings in the order of files and lines. */
export function check(tree: Tree): Finding[] {
  const sources = new Map<string, Source>();
  for (const [path, text] of tree) if (isSource(path)) sources.set(path, { path, scanned: scan(text) });
  const packageJson = JSON.parse(tree.get('package.json') ?? '{}') as PackageJson;
  const found = [
    ...checkImports(sources, packageJson),
    ...[...sources.values()].flatMap((source) => [...checkSource(source), ...checkForms(source)]),
    ...[...tree].flatMap(([path, text]) => checkText(path, text)),
    ...checkFolders(tree),
  ];
  return found.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

export function print(found: Finding): string {
  return `${found.file}:${found.line}: ${found.message}`;
}
