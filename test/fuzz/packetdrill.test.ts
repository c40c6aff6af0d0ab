import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { collectScripts } from '../../src/packetdrill/collect.js';
import { runScript } from '../../src/packetdrill/run-script.js';
import { ScriptedWorld } from '../../src/posix/scripted-world.js';
import { Prng } from '../../stack/base/prng.js';

const FOLDER = fileURLToPath(new URL('../../../test/packetdrill', import.meta.url));
const SEED = Number(process.env.MILLRACE_SEED ?? 7);
const SCRIPTS = Number(process.env.MILLRACE_SCRIPTS ?? 150);

/** Pieces that mean something somewhere, and here mostly do not. */
const SHARDS = [
  '...',
  '{',
  '}',
  '[',
  ']',
  '(',
  ')',
  '<',
  '>',
  '`',
  '%{',
  '}%',
  '+1000',
  '~',
  '*',
  '4294967295',
  '-1',
  '"',
  '#if',
  'S.',
  'R',
  '|',
  '/*',
  'NULL',
  'AF_UNSPEC',
  '--define=A=1+A',
  '#define A 0x7fffffff\n',
  ' A ',
  '1 > 2 ',
  '`ip link set dev tun0 mtu 500`',
  '\0',
];

/** Characters go, come twice, or give way to a shard; lines change places. */
function spoil(text: string, prng: Prng): string {
  let spoiled = text;
  for (let n = 1 + prng.below(4); n > 0; n--) {
    const at = prng.below(spoiled.length);
    const length = prng.below(12);
    const [head, cut, tail] = [spoiled.slice(0, at), spoiled.slice(at, at + length), spoiled.slice(at + length)];
    const shard = SHARDS[prng.below(SHARDS.length)];
    spoiled = [head + tail, head + cut + cut + tail, head + shard + tail, head + shard + cut + tail][prng.below(4)];
    if (prng.below(4) === 0) {
      const lines = spoiled.split('\n');
      const moved = lines.splice(prng.below(lines.length), 1);
      lines.splice(prng.below(lines.length + 1), 0, ...moved);
      spoiled = lines.join('\n');
    }
  }
  return spoiled;
}

t.test('spoiled scripts → passed, failed or refused, none of it by a fault of ours', (t) => {
  const prng = new Prng(SEED);
  const texts = collectScripts([FOLDER]).map((file) => readFileSync(file, 'utf8'));
  const results = { passed: 0, failed: 0, skipped: 0 };
  for (let i = 0; i < SCRIPTS; i++) {
    const text = spoil(texts[prng.below(texts.length)], prng);
    const outcome = runScript('spoiled.pkt', text, {
      asPacketdrill: i % 2 === 1,
      profile: 'linux',
      definitions: new Map(),
      makeWorld: ({ mtu }) => new ScriptedWorld({ mtu }),
    });
    results[outcome.result] += 1;
    if (/this interpreter/.test(outcome.reason)) {
      t.fail(`seed ${SEED}, script ${i}: ${outcome.reason}\n${text}`);
      break;
    }
    if (outcome.error) t.ok(outcome.place !== undefined && outcome.place.line >= 1, 'an error has a place');
  }
  t.ok(results.failed > results.passed / 10, JSON.stringify(results));
  t.end();
});
