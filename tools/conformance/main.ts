/** `npm run conformance:linux`: the kernel's own packetdrill scripts against this stack, under the profile of that kernel. */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { toolCache } from '../cache.js';
import { fetchScripts } from './fetch.js';
import { findKernel, KERNELS, type Kernel } from './kernels.js';
import { madePart, withMadePart } from './page.js';
import { REASONS } from './reasons.js';
import { Refusal } from './refusal.js';
import { isGood, jsonReport, type Report, reportLines } from './report.js';
import { runScripts, scriptsFolder } from './run.js';

interface Flags {
  readonly kernel?: readonly Kernel[];
  readonly source?: string;
  readonly only: readonly string[];
  readonly fresh?: true;
  readonly write?: true;
  readonly json?: true;
}

/** A script fails that nobody has explained, or a reason is no longer true. */
const EXIT_FAILED = 1;
/** It cannot be done here, or was asked for in a wrong way. */
const EXIT_REFUSED = 2;
/** From dist/tools/conformance. */
const PAGE = join(fileURLToPath(new URL('../../../', import.meta.url)), 'docs', 'conformance.md');

/** `6.12,7.3` → kernels, in our order, once each. */
export function kernelList(text: string): readonly Kernel[] {
  const wanted = text.split(',').map((name) => {
    const found = findKernel(name.trim());
    if (found !== undefined) return found;
    const known = KERNELS.map(({ version }) => version).join(', ');
    throw new InvalidArgumentError(`${name === '' ? 'an empty name' : name} is none of ${known}.`);
  });
  return KERNELS.filter((kernel) => wanted.includes(kernel));
}

function wordList(text: string): readonly string[] {
  const words = text.split(',').map((word) => word.trim().replace(/\.pkt$/, ''));
  if (words.includes(''))
    throw new InvalidArgumentError('topics or scripts are expected, as slow-start,tcp_inq_client.');
  return words;
}

/** Progress goes to standard error: standard output is the result. */
function say(line: string): void {
  process.stderr.write(`conformance: ${line}\n`);
}

function counter(version: string): (done: number, total: number) => void {
  return (done, total) => {
    if (!process.stderr.isTTY) return;
    process.stderr.write(done === total ? '\r\x1b[K' : `\r\x1b[K${version}: ${done} of ${total} scripts`);
  };
}

async function report(kernel: Kernel, { source, only, fresh }: Flags): Promise<Report> {
  const scripts =
    source === undefined
      ? await fetchScripts(kernel, { cache: toolCache('linux'), say, fresh: fresh === true })
      : { folder: scriptsFolder(source) };
  const results = runScripts({
    kernel,
    folder: scripts.folder,
    reasons: REASONS[kernel.version] ?? {},
    only,
    complete: source === undefined,
    progress: counter(kernel.version),
  });
  const { packageVersion } = scripts;
  return { kernel, results, ...(packageVersion === undefined ? {} : { packageVersion }) };
}

async function run(flags: Flags): Promise<void> {
  if (flags.write === true && (flags.source ?? flags.kernel) !== undefined)
    throw new Refusal(
      'ERR_INVALID_ARG_VALUE',
      '--write makes the page from all kernels: without --source and --kernel',
    );
  if (flags.write === true && flags.only.length > 0)
    throw new Refusal('ERR_INVALID_ARG_VALUE', '--write makes the page from all scripts: without --only');
  const kernels = flags.kernel ?? (flags.write === true ? KERNELS : KERNELS.slice(0, 1));
  if (flags.source !== undefined && kernels.length > 1)
    throw new Refusal('ERR_INVALID_ARG_VALUE', '--source is the source of one kernel: name it with --kernel');
  const reports: Report[] = [];
  for (const kernel of kernels) reports.push(await report(kernel, flags));
  if (flags.json === true) console.log(jsonReport(reports));
  else console.log(reports.map((one) => reportLines(one).join('\n')).join('\n\n'));
  if (!reports.every(isGood)) process.exitCode = EXIT_FAILED;
  else if (flags.write === true) {
    writeFileSync(PAGE, withMadePart(readFileSync(PAGE, 'utf8'), madePart(reports)));
    say('docs/conformance.md is written');
  }
}

function build(): Command {
  return new Command('conformance:linux')
    .description("Runs the Linux kernel's own packetdrill scripts against this stack, under that kernel's profile.")
    .addOption(
      new Option(
        '--kernel <versions>',
        `of ${KERNELS.map(({ version }) => version).join(', ')} (default: the first)`,
      ).argParser(kernelList),
    )
    .option('--source <dir>', "the kernel's source, unpacked, or a folder of scripts; nothing is fetched")
    .option('--only <names>', 'topics or scripts, with commas between them', wordList, [])
    .option('--fresh', 'fetch the package again')
    .option('--write', 'make the figures in docs/conformance.md')
    .option('--json', 'one JSON object')
    .addHelpText(
      'after',
      `
Examples:
  npm run conformance:linux                                 the release of Debian that this machine runs has 6.12
  npm run conformance:linux -- --kernel 7.3 --only accecn
  npm run conformance:linux -- --kernel 7.3 --source linux-7.3
  npm run conformance:linux -- --write                      all, into docs/conformance.md

The scripts come out of Debian's packages linux-source-VERSION, through apt and the sources this machine is set to, and lie in
$XDG_CACHE_HOME/millrace/linux (~/.cache/millrace/linux). Exit status: 0 all passed or failed for a known reason, 1 a failure
without a reason or a reason that is no longer true, 2 nothing was run.`,
    )
    .exitOverride()
    .action(run);
}

try {
  await build().parseAsync();
} catch (error) {
  if (error instanceof Refusal) {
    process.stderr.write(`conformance: ${error.message} (${error.code})\n`);
    process.exitCode = EXIT_REFUSED;
  } else if (error instanceof Error && 'exitCode' in error) {
    // Commander has printed what it has to say; help is no error.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_REFUSED;
  } else throw error;
}
