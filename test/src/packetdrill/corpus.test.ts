import { fileURLToPath } from 'node:url';
import t from 'tap';
import { collectScripts } from '../../../src/packetdrill/collect.js';
import { reportLines } from '../../../src/packetdrill/report.js';
import { runScriptFile } from '../../../src/packetdrill/run-script.js';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';
import { formatIpv4Address } from '../../../stack/wire/ipv4.js';

const FOLDER = fileURLToPath(new URL('../../../../test/packetdrill', import.meta.url));

t.test('every script in test/packetdrill → passes', (t) => {
  const files = collectScripts([FOLDER]);
  t.ok(files.length >= 24, `${files.length} scripts`);
  for (const file of files) {
    const outcome = runScriptFile(file, {
      profile: 'linux',
      definitions: new Map(),
      makeWorld: ({ localAddress, mtu }) => new ScriptedWorld({ mtu, localAddress: formatIpv4Address(localAddress) }),
    });
    t.equal(outcome.result, 'passed', reportLines(outcome).join('\n'));
  }
  t.end();
});
