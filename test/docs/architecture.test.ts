import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { Cold, Name, Tally, Tcb } from '../../stack/tcp/tcb.js';
import { ROOT } from './markdown.js';

const page = readFileSync(join(ROOT, 'docs', 'architecture.md'), 'utf8');

/** The text of every source file below these folders. */
function sources(...folders: string[]): string {
  return folders
    .flatMap((folder) =>
      readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    )
    .filter((path) => path.endsWith('.ts'))
    .map((path) => readFileSync(join(ROOT, path), 'utf8'))
    .join('\n');
}

t.test('every class, function and method in the contracts → is declared in the code', (t) => {
  const code = sources('stack', 'src');
  const contracts = [...page.matchAll(/^```ts\n(.*?)^```/gms)]
    .map(([, text]) => text.replace(/\/\/.*$/gm, ''))
    .join('\n');
  const types = [...contracts.matchAll(/^(?:class|interface|function) (\w+)/gm)].map(([, name]) => name);
  t.ok(types.length > 15);
  t.same(
    types.filter((name) => !new RegExp(`export (?:abstract )?(?:class|interface|function) ${name}\\b`).test(code)),
    [],
    'types and functions',
  );
  const methods = [...contracts.matchAll(/(?<=[;{ ]) *([a-z]\w+)\(/g)].map(([, name]) => name);
  t.ok(methods.length > 80);
  t.same(
    [...new Set(methods)].filter(
      (name) => !new RegExp(`(?:^ +|\\*)(?:async )?${name}\\(`, 'm').test(code) && !types.includes(name),
    ),
    [],
    'methods',
  );
  t.end();
});

t.test("the bytes of a connection's rows, as docs/tcp.md has them → as the code has them", (t) => {
  const tcp = readFileSync(join(ROOT, 'docs', 'tcp.md'), 'utf8');
  for (const [row, ints] of Object.entries({ hot: Tcb.SIZE, name: Name.SIZE, tally: Tally.SIZE, cold: Cold.SIZE })) {
    const bytes = Number(new RegExp(`^\\| ${row} \\| (\\d+) \\|`, 'm').exec(tcp)?.[1]);
    t.equal(bytes, ints * 4, `${row}: docs/tcp.md, "A connection's memory"`);
  }
  t.end();
});
