import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { check, print } from './tidy/check.js';
import type { Tree } from './tidy/finding.js';

/**
 * `npm run tidy`, and a test: what neither the compiler nor the linter can see. tools/tidy/rules.ts is the list. Prints
 * `file:line: message`, and exits with 1 when it printed anything. Another project's root may be given.
 */

const UNREAD = /^(?:node_modules|dist|\.git|\.tap)$/;
const BINARY = /\.(?:png|jpg|gif|pcap|pcapng|bin|gz|ico)$/;

/** What git tracks or would, or, outside a repository, every file that is not generated. */
function paths(root: string): string[] {
  try {
    const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
      cwd: root,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 1 << 26,
    });
    return listed.split('\0').filter((path) => path !== '');
  } catch {
    return walk(root, root);
  }
}

function walk(root: string, folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (UNREAD.test(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? walk(root, path) : [relative(root, path).split(sep).join('/')];
  });
}

export function readTree(root: string): Tree {
  const tree = new Map<string, string>();
  for (const path of paths(root)) {
    const absolute = join(root, path);
    // A file may be tracked and gone, between `rm` and the commit that says so.
    if (!BINARY.test(path) && existsSync(absolute)) tree.set(path, readFileSync(absolute, 'utf8'));
  }
  return tree;
}

/** From dist/tools, where this file runs, to the root of the project. */
export const PROJECT_ROOT = fileURLToPath(new URL('../../', import.meta.url));

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = check(readTree(process.argv[2] ?? PROJECT_ROOT));
  for (const each of found) console.log(print(each));
  if (found.length > 0) process.exitCode = 1;
}
