import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { check, print } from '../../tools/tidy/check.js';
import { PROJECT_ROOT, readTree } from '../../tools/tidy.js';

/** A tree that nothing is wrong with, for each test to add one bad file to. */
const GOOD: Readonly<Record<string, string>> = {
  'package.json': '{ "dependencies": { "koffi": "1" }, "devDependencies": { "tap": "1" } }',
  'stack/README.md': 'Pure.',
  'stack/base/README.md': 'Base.',
  'stack/tcp/README.md': 'TCP.',
  'src/README.md': 'Programs.',
  'test/README.md': 'Tests.',
  'stack/base/seq.ts':
    '/** RFC 9293 §3.4. */\nexport function seqLt(a: number, b: number): boolean {\n  return ((a - b) | 0) < 0;\n}\n',
  'stack/tcp/ack.ts':
    "/** RFC 9293 §3.10.7.4. */\nimport { seqLt } from '../base/seq.js';\nexport function ackAcceptable(a: number): boolean {\n  return seqLt(a, 7);\n}\n",
  'stack/stack.ts':
    "import { ackAcceptable } from './tcp/ack.js';\nexport class Stack {\n  ok = ackAcceptable(1);\n}\n",
  'src/index.ts': "export { Stack } from '../stack/stack.js';\n",
  'test/stack/stack.test.ts':
    "import t from 'tap';\nimport { Stack } from '../../stack/stack.js';\nt.ok(new Stack());\n",
};

function findings(changes: Readonly<Record<string, string>>): string[] {
  return check(new Map(Object.entries({ ...GOOD, ...changes }))).map(print);
}

/** A file of the segment path that is alive and cited, with this as the body of a function. */
function segmentPath(body: string, before = ''): Record<string, string> {
  const text = `/** RFC 9293. */\n${before}export function ackAcceptable(a: number, t: Int32Array): number {\n${body}\n}\n`;
  return {
    'stack/tcp/ack.ts': text,
    'stack/base/seq.ts': '',
    'stack/base/README.md': '',
    'stack/stack.ts': "import './tcp/ack.js';\n",
    'src/index.ts': "import '../stack/stack.js';\n",
    'test/stack/stack.test.ts': '',
  };
}
const dropDead = (found: readonly string[]): string[] => found.filter((text) => !text.includes('dead file'));

t.test('the project, checked → nothing found', (t) => {
  t.strictSame(check(readTree(PROJECT_ROOT)).map(print), []);
  t.end();
});

t.test('a good tree, checked → nothing found', (t) => {
  t.strictSame(findings({}), []);
  t.end();
});

t.test('imports', (t) => {
  const cases: readonly [string, Record<string, string>, RegExp][] = [
    [
      'from a layer above',
      { 'stack/base/seq.ts': "import '../tcp/ack.js';\n" },
      /^stack\/base\/seq\.ts:1: imports point down only: stack\/base\/ may not import stack\/tcp/,
    ],
    [
      'of a type from a layer above',
      { 'stack/base/seq.ts': "import type { A } from '../tcp/ack.js';\n" },
      /point down only/,
    ],
    [
      're-exported from a layer above',
      { 'stack/base/seq.ts': "\nexport * from '../tcp/ack.js';\n" },
      /^stack\/base\/seq\.ts:2: imports point down only/,
    ],
    ['of a sibling layer', { 'stack/udp/u.ts': "import '../tcp/ack.js';\n" }, /stack\/udp\/ may not import stack\/tcp/],
    [
      'of the stack by a driver',
      { 'drivers/tap.ts': "import '../stack/tcp/ack.js';\n" },
      /drivers\/ may not import stack\/tcp/,
    ],
    [
      'of the host by the reactor',
      { 'src/reactor/a.ts': "import '../host/b.js';\n", 'src/host/b.ts': '' },
      /src\/reactor\/ may not import src\/host/,
    ],
    [
      'of a program',
      { 'src/cli/main.ts': '', 'src/index.ts': "import './cli/main.js';\n" },
      /src\/cli\/main\.ts belongs to a program/,
    ],
    [
      'of node in the stack',
      { 'stack/stack.ts': "import 'node:fs';\n" },
      /^stack\/stack\.ts:1: stack\/ may not import 'node:fs'/,
    ],
    ['of a package in the stack', { 'stack/stack.ts': "import 'koffi';\n" }, /it needs no package/],
    ['of a package nobody declared', { 'src/index.ts': "import 'left-pad';\n" }, /'left-pad' is not in package\.json/],
    ['of a development dependency', { 'src/index.ts': "import t from 'tap';\n" }, /'tap' is a development dependency/],
    ['without extension', { 'src/index.ts': "import '../stack/stack';\n" }, /must end in \.js/],
    ['of what is not there', { 'src/index.ts': "await import('./nowhere.js');\n" }, /'\.\/nowhere\.js' is not there/],
    [
      'by URL of what is not there',
      { 'src/index.ts': "new Worker(new URL('./nowhere.js', import.meta.url));\n" },
      /'\.\/nowhere\.js' is not there/,
    ],
  ];
  for (const [name, changes, expected] of cases) {
    t.match(findings(changes).join('\n'), new RegExp(expected.source, 'm'), `import ${name} → found`);
  }
  t.notMatch(
    findings({
      'src/index.ts':
        "// import 'left-pad';\nexport const a = 'import x from \"left-pad\"';\nimport 'koffi';\nimport '../stack/stack.js';\n",
    }).join('\n'),
    /left-pad|koffi/,
    'import in a comment or a string, or of a dependency → fine',
  );
  t.end();
});

t.test('cycles', (t) => {
  const circle = {
    'stack/tcp/a.ts': "// RFC 9293\nimport './b.js';\n",
    'stack/tcp/b.ts': "// RFC 9293\nimport './c.js';\n",
    'stack/tcp/c.ts': "// RFC 9293\nimport './a.js';\n",
  };
  t.match(
    findings(circle).join('\n'),
    /in a circle: stack\/tcp\/a\.ts → stack\/tcp\/b\.ts → stack\/tcp\/c\.ts → stack\/tcp\/a\.ts/,
    'three files in a circle → found',
  );
  t.notMatch(
    findings({
      ...circle,
      'stack/tcp/c.ts': "// RFC 9293\nimport type { A } from './a.js';\nimport { type B } from './b.js';\n",
    }).join('\n'),
    /circle/,
    'closed only by types → fine',
  );
  t.end();
});

t.test('dead files', (t) => {
  t.match(findings({ 'stack/tcp/old.ts': '// RFC 793\n' }).join('\n'), /old\.ts:1: dead file: nothing imports it/);
  t.match(
    findings({
      'stack/tcp/old.ts': '// RFC 793\n',
      'test/stack/old.test.ts': "import '../../stack/tcp/old.js';\n",
    }).join('\n'),
    /old\.ts:1: dead file: only tests import it/,
  );
  t.match(findings({ 'test/stack/helper.ts': '' }).join('\n'), /helper\.ts:1: dead file: no test imports it/);
  const urls = "new Worker(new URL('./worker.js', import.meta.url));\nnew URL('../../bin/a.js', import.meta.url);\n";
  const index = `export { Stack } from '../stack/stack.js';\n${urls}`;
  t.strictSame(
    findings({ 'src/index.ts': index, 'src/worker.ts': '', 'bin/a.js': '' }),
    [],
    'a worker, and a program seen from the compiled file → alive',
  );
  t.notMatch(
    findings({
      'test/stack/peer.ts': '',
      'test/stack/a.test.ts': "spawn('node', [join(here, 'stack/peer.js')]);\n",
    }).join('\n'),
    /dead/,
    'a program named by its path → alive',
  );
  t.end();
});

t.test('the stack, an impure form → found', (t) => {
  for (const form of [
    'Date.now()',
    'new Date()',
    'Math.random()',
    'performance.now()',
    'process.hrtime()',
    'console.log(1)',
    'setTimeout(f, 1)',
    'setImmediate(f)',
    'crypto.randomUUID()',
    'globalThis.x',
    'Buffer.alloc(1)',
  ]) {
    t.match(
      findings({ 'stack/stack.ts': `export const x = () => ${form};\n` }).join('\n'),
      /^stack\/stack\.ts:1: .*/m,
      form,
    );
  }
  const fine =
    "/** Not Date.now(). */\nimport './tcp/ack.js';\nexport const x = { process: 1, text: 'console.log', birthDate: this.process(1) };\n";
  t.strictSame(
    findings({ 'stack/stack.ts': fine, 'stack/base/seq.ts': GOOD['stack/base/seq.ts'] as string }).filter(
      (text) => !text.includes('dead'),
    ),
    [],
    'names, strings and comments → fine',
  );
  t.end();
});

t.test('the segment path, a form that allocates → found', (t) => {
  const forms: readonly [string, RegExp][] = [
    ['  const x = new Foo();', /new allocates/],
    ['  throw a;', /a throw costs/],
    ["  throw new Error('a');", /a throw costs/],
    ["  if (a) throw new StackError('EINVAL', f(1));\n  return [a];", /ack\.ts:4: an array literal/],
    ['  f(g.bind(this));', /bind makes/],
    ['  const x = [a, 1];', /array literal/],
    ['  const [x] = t;', /array literal/],
    ['  return [];', /array literal/],
    ['  f([a]);', /array literal/],
    ['  const x = { a };', /object literal/],
    ['  return { a: 1 };', /object literal/],
    ['  f(a, { a });', /object literal/],
    ['  return f(() => a);', /closure/],
    ['  function inner(): void {\n  }', /closure/],
    ['  f(...t);', /spreading/],
    ['  const x = t.subarray(1, 2);', /subarray/],
    ['  const x = t.slice(1);', /makes a new object/],
    ['  for (const [k] of t.entries()) f(k);', /makes a new object/],
    ['  const x = 10n;', /BigInt/],
    ['  const x = BigInt(a);', /BigInt/],
    ['  const x = view.getBigUint64(a);', /BigInt/],
    ['  const x = `a`;', /a template/],
    ["  const x = 'a' + a;", /joining strings/],
    ["  x += 'a';", /joining strings/],
    ['  await a;', /nothing waits/],
    ['  const x = Object.keys(a);', /inspects objects/],
    [
      '  if (a > 0) {\n    while (a) {\n      switch (a) {\n        case 1: {\n          x = new Foo();\n        }\n      }\n    }\n  }',
      /ack\.ts:7: new allocates/,
    ],
  ];
  for (const [body, expected] of forms) t.match(findings(segmentPath(body)).join('\n'), expected, body.trim());
  const method =
    '/** RFC 9293. */\nexport class Ack {\n  readonly x = new Foo();\n  constructor() {\n    this.y = [new Foo()];\n  }\n  apply(t: { a: number }): void {\n    t.a = new Foo();\n  }\n}\n';
  t.strictSame(
    dropDead(findings({ 'stack/tcp/more.ts': method })),
    ['stack/tcp/more.ts:8: new allocates'],
    'in a method, but not in a constructor or a field',
  );
  t.end();
});

t.test('the segment path, code that looks like it allocates → fine', (t) => {
  const bodies = [
    '  // new Foo() and [1] and `x`\n  return a;',
    "  f('new Foo() => `x`');",
    '  return t[a + t[1]] ?? 0;',
    '  for (let i = 0; i < 4; i++) {\n    t[i] = t[i + 1];\n  }',
    '  switch (a) {\n    case State.SYN_SENT: {\n      return 1;\n    }\n    default: {\n      return 2;\n    }\n  }',
    '  const { x } = SEG;\n  return x;',
    '  outer: for (;;) {\n    break outer;\n  }',
    '  do {\n    a = a / 2 / 3;\n  } while (a > 1);',
    '  if (a === 1) {\n    return 1;\n  } else if (a === 2) {\n    return 2;\n  } else {\n    return 3;\n  }',
    '  const x: { a: number } = SEG;\n  return x.a;',
    '  return a >= 0 ? t[0] : t[1];',
    "  if (a < 0) throw new StackError('EINVAL', `no ` + f(['no', { a }]));\n  return a;",
    '  table.bind(row, address);',
  ];
  for (const body of bodies)
    t.strictSame(
      dropDead(findings(segmentPath(body))).filter((text) => text.startsWith('stack/tcp/ack')),
      [],
      body.trim(),
    );
  t.end();
});

t.test('the control path, marked → may allocate; its neighbours may not', (t) => {
  const marked =
    '/** RFC 9293. */\n\n/** Opens. Control path. */\nexport function open(): { a: number } {\n  return { a: [new Foo()] };\n}\nexport function next(): void {\n  f([]);\n}\n';
  t.match(dropDead(findings({ 'stack/tcp/more.ts': marked })), [/more\.ts:8: an array literal/], 'a function');
  t.strictSame(
    dropDead(findings({ 'stack/tcp/more.ts': `/** RFC 9293. Control path. */\n${marked}` })),
    [],
    'a whole file',
  );
  const inClass =
    '/** RFC 9293. */\nexport class A {\n  /** Control path. */\n  open(o: O = {}): void {\n    if (o) {\n      f([]);\n    }\n  }\n  send(): void {\n    f([]);\n  }\n}\n';
  t.match(dropDead(findings({ 'stack/tcp/more.ts': inClass })), [/more\.ts:10: an array literal/], 'a method');
  const shapes =
    "/** RFC 9293. */\nexport function print(a: number): string {\n  return `a` + a;\n}\nfunction fail(): never {\n  throw new Error('no');\n}\nfunction growTable(n: number): void {\n  t = new Int32Array(n);\n}\nfunction* all(): Iterable<{ a: number }> {\n  yield { a: 1 };\n}\n";
  t.strictSame(
    dropDead(findings({ 'stack/tcp/more.ts': shapes })),
    [],
    'text, iteration, never and growing need no mark',
  );
  t.end();
});

t.test('tests of logic, a clock or chance → found', (t) => {
  for (const form of ['setTimeout(f, 5)', 'Date.now()', 'performance.now()', 'Math.random()']) {
    t.match(findings({ 'test/stack/a.test.ts': `f(${form});\n` }).join('\n'), /^test\/stack\/a\.test\.ts:1: /m, form);
    t.strictSame(findings({ 'test/e2e/a.test.ts': `f(${form});\n` }), [], `${form} against the kernel → fine`);
  }
  t.end();
});

t.test('files', (t) => {
  const long = `// RFC 9293\n${'x;\n'.repeat(450)}`;
  t.match(
    findings({ 'stack/tcp/ack.ts': long }).join('\n'),
    /ack\.ts:451: 451 lines; 450 are the most/,
    '451 lines → found',
  );
  t.notMatch(findings({ 'stack/tcp/ack.ts': long.slice(0, -3) }).join('\n'), /are the most/, '450 lines → fine');
  t.match(
    findings({ 'stack/tcp/ack.ts': 'export function ackAcceptable(): void {}\n' }).join('\n'),
    /ack\.ts:1: protocol code without a reference/,
    'no RFC → found',
  );
  t.match(
    findings({ 'stack/tcp/ack.ts': '// RFC 9293\n\n// TO' + 'DO: more\n' }).join('\n'),
    /ack\.ts:3: TO/,
    'left unfinished → found',
  );
  t.match(
    findings({ 'stack/new/a.ts': '' }).join('\n'),
    /^stack\/new\/README\.md:1: a folder opens/m,
    'a folder without README → found',
  );
  for (const path of ['/wo' + 'rk/main/x', '/ro' + 'ot/x', '/home/' + 'someone/x', '/Us' + 'ers/x']) {
    t.match(
      findings({ 'docs/a.md': `\nsee ${path}\n` }).join('\n'),
      /^docs\/a\.md:2: a path of one machine/m,
      `${path} → found`,
    );
  }
  t.match(
    findings({ 'docs/a.md': 'https://regis' + 'try.example.com/x' }).join('\n'),
    /a package registry/,
    "a registry's host → found",
  );
  t.match(
    findings({ 'package-lock.json': JSON.stringify({ resolved: 'https://example.com/x' }).replace(':', ': ') }).join(
      '\n',
    ),
    /a registry's address/,
    'a resolved address → found',
  );
  t.strictSame(
    findings({ 'docs/a.md': 'a/work/b, ../root/c, ~/home/d, https://a.org/work/x\n' }),
    [],
    'relative paths → fine',
  );
  t.end();
});

t.test('the program, outside a repository → every file but the generated, file:line, exit status', (t) => {
  const root = mkdtempSync(join(tmpdir(), 'millrace-tidy-'));
  t.teardown(() => rmSync(root, { recursive: true }));
  const bad = `/Us${'ers'}/x`;
  for (const folder of ['docs', 'dist', 'node_modules']) {
    mkdirSync(join(root, folder));
    writeFileSync(join(root, folder, 'a.md'), `\n${bad}\n`);
  }
  const program = join(PROJECT_ROOT, 'dist', 'tools', 'tidy.js');
  const run = () => spawnSync(process.execPath, [program, root], { encoding: 'utf8' });
  const dirty = run();
  t.equal(dirty.stdout, `docs/a.md:2: a path of one machine: ${bad}\n`);
  t.equal(dirty.status, 1);
  writeFileSync(join(root, 'docs', 'a.md'), 'fine\n');
  const clean = run();
  t.equal(clean.stdout, '');
  t.equal(clean.status, 0);
  t.end();
});
