import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { parseScript } from '../../../src/packetdrill/language/parse-script.js';
import type { ScriptOutcome } from '../../../src/packetdrill/outcome.js';
import { shellCommands } from '../../../src/packetdrill/run/shell-lines.js';
import { runScript } from '../../../src/packetdrill/run-script.js';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';

function run(text: string, file = 'a.pkt'): ScriptOutcome {
  return runScript(file, text, {
    profile: 'linux',
    definitions: new Map(),
    makeWorld: ({ mtu }) => new ScriptedWorld({ mtu }),
  });
}

/** Each line's definition names the next one's a thousand times: a thousand to the power of the lines. */
function laughs(lines: number): string {
  const names = Array.from({ length: lines }, (_, i) => `N${i}`);
  const sums = names.map(
    (name, i) =>
      `--define=${name}=${Array(1000)
        .fill(names[i + 1] ?? '0')
        .join('+')}`,
  );
  return sums.join('\n');
}

t.test('definitions that name each other many times over → reckoned once', (t) => {
  t.match(run(`${laughs(12)}\n0 close(N0) = -1 EBADF`), { result: 'passed' });
  t.equal(parseScript('a.pkt', `${laughs(12)}\n0 < S 0:0(0) win N0`).events.length, 1);
  t.end();
});

t.test('code whose values double with each line → an error with its line', (t) => {
  const doubled = (first: string) => `0 %{\nx = ${first}\n${'x = x + x\n'.repeat(60)}}%`;
  t.match(run(doubled('"abcdefgh"')), { result: 'failed', error: true, reason: /longer than/, place: { line: 13 } });
  t.match(run(doubled('[1]')), { result: 'failed', error: true, reason: /longer than/, place: { line: 16 } });
  const parts = '{x}'.repeat(20_000);
  t.match(run(`0 %{ x = "a" * 10000 }%\n+0 %{ print(f"${parts}") }%`), { error: true, place: { line: 2 } });
  t.match(run(`0 %{ print(max([${'1,'.repeat(200_000)}2])) }%`), { result: 'passed', notes: [/: 2$/] });
  t.end();
});

t.test('an expression of two hundred thousand terms → its value, or an error with its line', (t) => {
  const sum = `1${'+1'.repeat(200_000)}`;
  t.match(run(`0 close(${sum}) = -1 EBADF`), { result: 'passed' });
  t.match(run(`--define=A=${sum}\n0 < S 0:0(0) win A`), { result: 'failed', error: true, reason: /A \(200001\)/ });
  const code = run(`\n0 %{ assert ${sum} == 0 }%`);
  t.match(code, { result: 'failed', error: true, reason: /too large to be evaluated/, place: { line: 2 } });
  t.end();
});

t.test('lines that patterns could look through for ever → read soon', (t) => {
  const many = 400_000;
  // Each of them took time that grew with the square of its length, or the cube.
  for (const line of [
    `#if ${' '.repeat(many)}x y`,
    `#if defined${' '.repeat(many)}!`,
    `#if ${'!'.repeat(many)}=`,
    `#ifdef ${'/'.repeat(many)}\rx`,
    `#define A ${'/'.repeat(many)}\rx\n#if B =`,
  ]) {
    t.throws(() => parseScript('a.pkt', `${line}\n#endif\n`), line.slice(0, 20));
  }
  t.equal(parseScript('a.pkt', `#if ${'!'.repeat(many)}A\n0 close(3) = 0\n#endif\n`).events.length, 0);
  t.equal(parseScript('a.pkt', `#if ${'! '.repeat(many + 1)}A\n0 close(3) = 0\n#endif\n`).events.length, 1);
  t.same(shellCommands(`a $((${' '.repeat(many)}`), [['a', `$((${' '.repeat(many)}`]]);
  t.same(shellCommands(`a ${'$(('.repeat(many / 4)}`).length, 1);
  t.match(run(`0 %{ print("%${'0'.repeat(many)}!" % 1) }%`), { result: 'passed' });
  t.end();
});

t.test('arithmetic of shells → as it was', (t) => {
  t.same(shellCommands('sysctl a=$((15*1024*1024)) b="$(( 7 + 8 ))" c=$((X))'), [
    ['sysctl', 'a=15728640', 'b=15', 'c=$((X))'],
  ]);
  t.end();
});

t.test('files of commands that include each other, each many times → an error with the line', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-'));
  t.teardown(() => rmSync(folder, { recursive: true }));
  mkdirSync(join(folder, 'x'));
  for (const [i, name] of ['a', 'b', 'c'].entries()) {
    writeFileSync(join(folder, `${name}.sh`), `./${['b', 'c', 'd'][i]}.sh\n`.repeat(1500));
  }
  writeFileSync(join(folder, 'd.sh'), 'true\n'.repeat(1500));
  const outcome = run('0 close(3) = -1 EBADF\n+0 `./a.sh`', join(folder, 'a.pkt'));
  t.match(outcome, { result: 'failed', error: true, reason: /more than 100000 commands/, place: { line: 2 } });
  t.end();
});

t.test('a script that sleeps, or moves bytes, without end → an error with the line', (t) => {
  const slept = run('0 close(3) = -1 EBADF\n+0 `sleep 600000\nsleep 600000`');
  t.match(slept, { result: 'failed', error: true, reason: /more than a week/, place: { line: 2 } });
  const moved = run(`0 close(3) = -1 EBADF\n${'+0 read(3, ..., 67108864) = -1 EBADF\n'.repeat(300)}`);
  t.match(moved, { result: 'failed', error: true, reason: /bytes together/, place: { line: 258 } });
  t.end();
});
