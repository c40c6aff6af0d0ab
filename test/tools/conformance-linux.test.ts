/** The kernel's own scripts, those of the release that the machine runs. The first time they are fetched: about half a minute. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { toolCache } from '../../tools/cache.js';
import { fetchScripts, type Scripts } from '../../tools/conformance/fetch.js';
import { findKernel, type Kernel } from '../../tools/conformance/kernels.js';
import { sectionOf } from '../../tools/conformance/page.js';
import { REASONS } from '../../tools/conformance/reasons.js';
import { Refusal } from '../../tools/conformance/refusal.js';
import { isGood, pageLines, type Report, reportLines } from '../../tools/conformance/report.js';
import { runScripts } from '../../tools/conformance/run.js';
import { PROJECT_ROOT } from '../../tools/tidy.js';

t.setTimeout(220_000);

t.test("Linux 6.12's scripts → all pass or fail for a known reason, as docs/conformance.md has it", async (t) => {
  const kernel = findKernel('6.12') as Kernel;
  let scripts: Scripts;
  try {
    scripts = await fetchScripts(kernel, { cache: toolCache('linux'), say: (line) => t.comment(line) });
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    t.pass('the scripts of the kernel', { skip: `${error.message.replaceAll('\n', ' ')} (${error.code})` });
    return;
  }
  const { folder, packageVersion } = scripts;
  const results = runScripts({ kernel, folder, reasons: REASONS[kernel.version], only: [], complete: true });
  const report: Report = { kernel, results, ...(packageVersion === undefined ? {} : { packageVersion }) };
  t.ok(results.length > 20);
  t.ok(isGood(report), reportLines(report).join('\n'));
  const section = sectionOf(readFileSync(join(PROJECT_ROOT, 'docs', 'conformance.md'), 'utf8'), kernel.version) ?? '';
  t.match(section, `\`${kernel.package}\` `);
  // A later package of Debian may have other scripts: the page is of the one it names.
  if (section.includes(`${packageVersion},`)) t.equal(section.trim(), pageLines(report).join('\n').trim());
});
