import t from 'tap';
import { FIRST_DROP, Verdict } from '../../../stack/wire/verdict.js';
import { verdictName, verdictSection, verdicts, verdictText } from '../../../stack/wire/verdict-text.js';

/** The enum as the build keeps it, found by a name the compiler does not see, as it refuses to count a const enum. */
async function members(): Promise<Map<string, number>> {
  const path = ['../../../stack/wire', 'verdict.js'].join('/');
  const module: { Verdict: Record<string, number | string> } = await import(path);
  return new Map(
    Object.entries(module.Verdict).filter((entry): entry is [string, number] => typeof entry[1] === 'number'),
  );
}

t.test('every verdict of the enum → its own name, a text, and a section where a standard decides', async (t) => {
  const all = await members();
  t.ok(all.size > 70);
  t.equal(all.get('COUNT'), Verdict.COUNT);
  all.delete('COUNT');
  for (const [name, verdict] of all) {
    t.equal(verdictName(verdict), name);
    t.match(verdictText(verdict), /^[a-z].{3,75}$/, `${name}: one short phrase`);
    t.match(verdictSection(verdict), /^$|^RFC \d+( §[\d.]+)?$|^IEEE 802/, name);
  }
  t.same(new Set(verdicts()), new Set(all.values()));
});

t.test('drops → two of them never share a text; what lies between numbers → UNKNOWN', (t) => {
  const drops = verdicts().filter((verdict) => verdict >= FIRST_DROP);
  const texts = new Map<string, Verdict>();
  for (const verdict of drops) {
    const same = texts.get(verdictText(verdict));
    // The two option-length lies differ by layer only, and their sections say so.
    if (same !== undefined) t.not(verdictSection(same), verdictSection(verdict));
    texts.set(verdictText(verdict), verdict);
    t.ok(verdict < Verdict.COUNT);
  }
  for (const verdict of [5, Verdict.COUNT, -1, 1000, 0.5]) {
    t.equal(verdictName(verdict), 'UNKNOWN');
    t.equal(verdictSection(verdict), '');
  }
  t.end();
});
