import t from 'tap';
import { ScriptError, Unsupported } from '../../../src/packetdrill/language/script-error.js';
import type { Value } from '../../../src/packetdrill/python/ast.js';
import { runPython } from '../../../src/packetdrill/python/evaluate.js';
import { parsePython } from '../../../src/packetdrill/python/parse.js';

const PLACE = { file: 'a.pkt', line: 5, column: 10 };
const KNOWN: Readonly<Record<string, Value>> = { tcpi_snd_cwnd: 10, tcpi_unacked: 3, tcpi_rtt: 100_500, BIG: 2 ** 63 };

function run(text: string, variables = new Map<string, Value>()) {
  const printed: string[] = [];
  const failed = runPython(parsePython(text, PLACE), {
    variables,
    lookup: (name) => KNOWN[name],
    print: (line) => printed.push(line),
  });
  return { failed, printed, variables };
}

const HOLD = [
  'assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd',
  ' assert tcpi_snd_cwnd == 10',
  '\n   assert tcpi_snd_cwnd == 10\n   assert tcpi_unacked == 3, "three"\n',
  'assert 95000 <= tcpi_rtt <= 105000',
  'assert tcpi_snd_cwnd in (9, 10) and tcpi_unacked not in [1, 2]',
  'assert not tcpi_snd_cwnd == 9 or False',
  'assert (1 + 2) * 3 - 4 // 3 == 8 and 7 % 4 == 3 and -7 // 2 == -4 and 2 ** 3 == 8',
  'assert 1 << 4 | 1 == 17 and 0xff & ~0xf == 0xf0 and 6 ^ 3 == 5',
  'assert BIG & BIG == BIG',
  'assert abs(-3) == 3 and min(3, 1, 2) == 1 and max([1, 5]) == 5 and int(3.7) == 3 and len("abc") == 3',
  'assert "cwnd=%d" % tcpi_snd_cwnd == "cwnd=10"',
  "assert f'{tcpi_snd_cwnd} of {tcpi_unacked + 1}' == '10 of 4'",
  'assert (1 if tcpi_snd_cwnd > 5 else 2) == 1',
  'x = 5; x += 2\nassert x == 7',
  'if tcpi_snd_cwnd == 9: assert False\nelif tcpi_snd_cwnd == 10:\n  pass\nelse:\n  assert False',
  'if tcpi_snd_cwnd == 10:\n    y = 1\n    if y:\n        y = 2\nassert y == 2',
  'import sys\nassert True # a comment',
  'assert [1, 2][1] == 2 and "abc"[-1] == "c"',
  'assert (tcpi_snd_cwnd ==\n   10)',
  'assert tcpi_snd_cwnd \\\n  == 10',
  'assert None is None',
];

t.test('what holds in Python → holds', (t) => {
  for (const text of HOLD) t.equal(run(text).failed, undefined, text);
  t.end();
});

t.test('an assertion that does not hold → its text, its names with their values, its message', (t) => {
  const { failed } = run('x = 1\nassert tcpi_snd_cwnd == 9 and x, "cwnd"\nassert False');
  t.match(failed, {
    values: 'tcpi_snd_cwnd is 10, x is 1',
    message: 'cwnd',
    statement: { source: 'assert tcpi_snd_cwnd == 9 and x, "cwnd"', place: { line: 6, column: 1 } },
  });
  t.end();
});

t.test('print → a line', (t) => {
  t.same(run('print(tcpi_snd_cwnd, "x")\nprint tcpi_unacked').printed, ['10 x', '3']);
  t.end();
});

t.test('variables → live on in the next block', (t) => {
  const { variables } = run('a = tcpi_snd_cwnd');
  t.equal(run('assert a == 10', variables).failed, undefined);
  t.end();
});

t.test('what is wrong → an error with its place', (t) => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ['assert nonsense == 1', /no value is known for "nonsense"/],
    ['assert 1 +', /expected a value in this code block, found the end of the line/],
    ['assert (1', /expected "\)"/],
    ['assert 1 2', /expected the end of the statement/],
    ['assert "a" < 1', /'a' is not a number/],
    ['assert 1 / 0', /division by zero/],
    ['assert 1 << 5000000', /a shift by/],
    ['x = "a" * 100000000', /'a' is not a number/],
    ['\nif 1:\nassert 1', /an indented block/],
    ['assert 1 $ 2', /expected Python/],
    [`assert ${'('.repeat(5000)}`, /nested deeper/],
    [`assert ${'not '.repeat(5000)}1`, /nested deeper/],
  ];
  for (const [text, says] of wrong) t.throws(() => run(text), says, text.slice(0, 40));
  t.throws(() => run('assert nonsense'), ScriptError);
  t.end();
});

t.test('what would need a Python → not supported', (t) => {
  for (const text of ['for i in [1]: pass', 'while True: pass', 'def f(): pass', 'assert open("x")', 'x = lambda: 1']) {
    t.throws(() => run(text), Unsupported, text);
  }
  t.end();
});
