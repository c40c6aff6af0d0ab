import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CLAIMS_FILE, claimsOf, runClaims } from '../../../src/packetdrill/claims.js';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';

/** Which profiles a script holds for: what it says, what its folder says, and what becomes of a claim that is false. */

const SCALE = (shift: number): string => `
0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
+0 bind(3, ..., ...) = 0
+0 listen(3, 1) = 0
+0 < S 0:0(0) win 20000 <mss 1000,nop,wscale 7>
+0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale ${shift}>
`;

const run = (file: string) =>
  runClaims(file, { definitions: new Map(), makeWorld: ({ profile }) => new ScriptedWorld({ profile }) });

function script(t: { testdir(): string }, head: string, text = SCALE(7)): string {
  const file = join(t.testdir(), 'a.pkt');
  writeFileSync(file, `${head}\n${text}`);
  return file;
}

t.test('a script’s own lines → both kinds of claim are checked', (t) => {
  const both = '// holds for: linux-6.12\n// fails for: linux-6.18, linux-7.3';
  t.match(run(script(t, both)), { result: 'passed' });
  t.match(run(script(t, '// holds for: linux-6.12 linux-6.18')), {
    result: 'failed',
    reason: /^under linux-6.18: options: expected .*wscale 7.*wscale 10/,
  });
  t.match(run(script(t, '// holds for: linux-6.12\n// fails for: linux')), { result: 'passed' });
  t.match(run(script(t, '// holds for: linux-7.3\n// fails for: linux-6.18', SCALE(10))), {
    result: 'failed',
    reason: 'it passes under linux-6.18, where it claims to fail',
    error: false,
  });
  t.end();
});

t.test('a script that is wrong or skipped where it must fail → no proof of a difference', (t) => {
  const head = '// holds for: linux-6.12\n// fails for: linux-6.18';
  t.match(run(script(t, head, '0 nonsense')), { result: 'failed', error: true });
  t.match(run(script(t, head, `--ip_version=ipv6\n${SCALE(7)}`)), { result: 'skipped' });
  t.end();
});

t.test('no lines → those of the nearest folder that has them; else the default profile', (t) => {
  const file = script(t, '');
  t.same(claimsOf(file), { holds: ['linux'], fails: [] });
  const deeper = join(t.testdirName, 'deeper');
  mkdirSync(deeper);
  writeFileSync(join(t.testdirName, CLAIMS_FILE), 'Of old.\nholds for: linux-6.12\n');
  writeFileSync(join(deeper, 'b.pkt'), SCALE(7));
  t.same(claimsOf(join(deeper, 'b.pkt')), { holds: ['linux-6.12'], fails: [] });
  t.match(run(join(deeper, 'b.pkt')), { result: 'passed' });
  writeFileSync(join(deeper, CLAIMS_FILE), 'holds for: freebsd\n');
  t.same(claimsOf(join(deeper, 'b.pkt')).holds, ['freebsd']);
  t.end();
});

t.test('claims that cannot be → an error that says what is wrong', (t) => {
  for (const [head, reason] of [
    ['// holds for: plan9', /no profile "plan9"; there are linux, linux-6.12/],
    ['// holds for: linux-6.12\n// fails for: linux-6.12', /linux-6.12 twice/],
    ['// fails for: linux-6.12', /to hold for no profile/],
  ] as const) {
    t.match(run(script(t, head)), { result: 'failed', error: true, reason });
  }
  const file = script(t, '');
  writeFileSync(join(t.testdirName, CLAIMS_FILE), 'nothing\n');
  t.match(run(file), { result: 'failed', error: true, reason: /has no line/ });
  t.match(run(join(t.testdirName, 'missing.pkt')), { result: 'failed', error: true, reason: /ENOENT/ });
  t.end();
});
