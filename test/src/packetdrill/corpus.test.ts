import { fileURLToPath } from 'node:url';
import t from 'tap';
import { claimsOf, runClaims } from '../../../src/packetdrill/claims.js';
import { collectScripts } from '../../../src/packetdrill/collect.js';
import { reportLines } from '../../../src/packetdrill/report.js';
import { scriptWorld } from '../../../src/packetdrill/script-world.js';
import { PROFILES, type ProfileName } from '../../../stack/tcp/profiles.js';

const FOLDER = fileURLToPath(new URL('../../../../test/packetdrill', import.meta.url));
const FILES = collectScripts([FOLDER]);

t.test('every script in test/packetdrill → passes where it claims to hold, fails where it claims to fail', (t) => {
  t.ok(FILES.length >= 24, `${FILES.length} scripts`);
  for (const file of FILES) {
    const outcome = runClaims(file, {
      definitions: new Map(),
      makeWorld: scriptWorld,
    });
    t.equal(outcome.result, 'passed', reportLines(outcome).join('\n'));
  }
  t.end();
});

t.test('two profiles that follow each other → a script that holds for the newer and fails for the older', (t) => {
  const names = Object.keys(PROFILES) as ProfileName[];
  const claims = FILES.map((file) => claimsOf(file));
  for (const [i, newer] of names.entries()) {
    if (i === 0) continue;
    const older = names[i - 1];
    const between = claims.filter(({ holds, fails }) => holds.includes(newer) && fails.includes(older));
    t.ok(between.length > 0, `${older} and ${newer}: ${between.length} scripts`);
  }
  t.end();
});
