import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ManyRuns } from '../src/cli/run-many.js';
import { anchors, brokenLinks, filesNamed, pages, programsNamed, ROOT, scriptsNamed } from './markdown.js';

const all = pages();
const missing = (paths: readonly string[]): string[] => paths.filter((path) => !existsSync(join(ROOT, path)));

t.test('every page → its links lead to a file, and to a heading of it', (t) => {
  t.ok(all.length > 20, 'the pages are found');
  for (const page of all) t.same(brokenLinks(page), [], page.path);
  t.end();
});

t.test('a link to nothing, a heading that is not there → found', (t) => {
  const text =
    '# Here\n[a](nowhere.md) [b](README.md#no-such-heading) [c](#here) `[d](code.md)` [e](https://example.org/)';
  t.same(brokenLinks({ path: 'page.md', text }), ['nowhere.md', 'README.md#no-such-heading', '#here']);
  t.ok(anchors('## What is, and `what` is not').has('what-is-and-what-is-not'));
  t.end();
});

t.test('every npm script that a page names → is in package.json', (t) => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { scripts: object };
  let named = 0;
  for (const page of all) {
    const names = scriptsNamed(page.text);
    named += names.length;
    t.same(
      names.filter((name) => !Object.hasOwn(scripts, name)),
      [],
      page.path,
    );
  }
  t.ok(named > 10);
  t.end();
});

t.test('every program and file that a page names → is there', (t) => {
  for (const page of all) {
    t.same(missing(programsNamed(page.text)), [], `${page.path}: programs`);
    t.same(missing(filesNamed(page.text)), [], `${page.path}: files`);
  }
  t.end();
});

t.test('every command and option that the pages name → is in the help, and the other way round', async (t) => {
  const many = new ManyRuns(t);
  /** What `--help` says, per command. */
  const help = async (...command: string[]): Promise<string> => (await many.run([...command, '--help'])).stdout;
  const page = readFileSync(join(ROOT, 'docs', 'cli.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([a-z]\w*)[^`]*` \|/gm)].map(([, name]) => name as string);
  const helps = new Map<string, string>();
  for (const name of listed) helps.set(name, await help(name));
  const commands = [...(await help()).matchAll(/^ {2}([a-z]\w*)(?: |\[)/gm)].map(([, name]) => name);
  t.same(
    commands.filter((name) => name !== 'help' && !listed.includes(name)),
    [],
    'commands without a line',
  );
  for (const [name, text] of helps) t.match(text, new RegExp(`^Usage: millrace ${name}`), name);

  const known = [...helps.values()].join('\n');
  for (const { path, text } of all.filter((each) => /^docs\/(?!bench)|^README/.test(each.path))) {
    const named = [...text.matchAll(/(?:millrace(?:\.js)? [a-z][^\n`]*?|`)(--[a-z][a-z_-]+)/g)].map(
      ([, option]) => option,
    );
    const bench = new Set([
      '--only',
      '--fetch',
      '--fresh',
      '--servers',
      '--json',
      '--quick',
      '--grep',
      '--pending-deprecation',
    ]);
    t.same(
      named.filter((option) => !bench.has(option) && !new RegExp(`${option}\\b`).test(known)),
      [],
      path,
    );
  }
  const shared = [...(helps.get('serve') ?? '').matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, option]) => option);
  t.ok(shared.length > 8);
  t.same(
    shared.filter((option) => !page.includes(option)),
    [],
    'options of serve that docs/cli.md does not name',
  );
  t.end();
});
