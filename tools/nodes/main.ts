/** `npm run test:nodes`: the tests of Node's own modules, by other versions of Node. */

import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { binaryPath, cacheFolder, fetchNode, NodesError } from './fetch.js';
import { formatProblems, formatResults } from './report.js';
import { isTestFile, type NodeResult, runNode, testFiles } from './run.js';
import { findVersion, NODE_VERSIONS, type NodeVersion } from './versions.js';

/** What was asked for cannot be done here: wrong option, no network, no package for this platform. */
const EXIT_REFUSED = 2;
/** As many files at once as the whole suite runs: most of them wait for a clock or a program. */
const JOBS = 3;

/** From dist/tools/nodes. */
const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface Flags {
  readonly only: readonly NodeVersion[];
  readonly jobs: number;
  readonly start: boolean;
  readonly list?: true;
  readonly fetch?: true;
  readonly json?: true;
}

/** `24,26` → versions, in our order, once each. */
export function versionList(text: string): readonly NodeVersion[] {
  const wanted = text.split(',').map((name) => {
    const found = findVersion(name.trim());
    if (name.trim() !== '' && found !== undefined) return found;
    const known = NODE_VERSIONS.map(({ version }) => version).join(', ');
    throw new InvalidArgumentError(`${name === '' ? 'an empty name' : name} is none of ${known}.`);
  });
  return NODE_VERSIONS.filter((node) => wanted.includes(node));
}

export function jobCount(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= 64) return value;
  throw new InvalidArgumentError('a whole number from 1 to 64 is expected.');
}

const platform = { platform: process.platform, arch: process.arch };

/** Progress goes to standard error: standard output is the result. */
function say(line: string): void {
  process.stderr.write(`nodes: ${line}\n`);
}

async function list(flags: Flags): Promise<void> {
  const cache = cacheFolder();
  const rows = flags.only.map(({ version, megabytes }) => {
    const path = binaryPath(cache, version, platform);
    return { version, megabytes, path, cached: existsSync(path) };
  });
  if (flags.json === true) console.log(JSON.stringify({ versions: rows, files: testFiles(ROOT) }));
  else
    for (const { version, megabytes, path, cached } of rows)
      console.log(cached ? `${version}  ${path}` : `${version}  to be fetched, ${megabytes} MB`);
}

async function run(files: readonly string[], flags: Flags): Promise<void> {
  if (flags.list === true) return list(flags);
  for (const file of files) {
    if (!isTestFile(ROOT, file)) throw new NodesError(`${file} is no test file: they are dist/test/….test.js`);
  }
  const options = {
    root: ROOT,
    files: files.length > 0 ? files : testFiles(ROOT),
    jobs: flags.jobs,
    start: flags.start,
    say,
  };
  // All of them before any is run: whoever has no network learns it at once.
  const binaries: [NodeVersion, string][] = [];
  for (const node of flags.only)
    binaries.push([node, await fetchNode(node, { ...platform, cache: cacheFolder(), say })]);
  if (flags.fetch === true) return;
  const results: NodeResult[] = [];
  for (const [node, binary] of binaries) results.push(await runNode(node.version, binary, options));
  if (flags.json === true) console.log(JSON.stringify(results));
  else {
    console.log(formatResults(results));
    const problems = formatProblems(results);
    if (problems !== '') console.log(`\n${problems}`);
  }
  if (results.some(({ failed }) => failed > 0)) process.exitCode = 1;
}

function build(): Command {
  return new Command('test:nodes')
    .description("Runs the tests that touch Node's own modules under other versions of Node, fetched from npm once.")
    .usage('[options] [dist/test/….test.js …]')
    .argument(
      '[files...]',
      "test files (default: sockets, reactor, host, apps, examples and what else uses Node's sockets)",
    )
    .addOption(new Option('--only <versions>', 'as 24,26').argParser(versionList).default(NODE_VERSIONS, 'all'))
    .option('--jobs <n>', 'test files at a time', jobCount, JOBS)
    .option('--no-start', 'leave out `npm start` under each')
    .option('--fetch', 'only fetch what the cache lacks')
    .option('--list', 'show the versions and where they are, run nothing')
    .option('--json', 'the result as one line of JSON')
    .addHelpText(
      'after',
      `
Examples:
  npm run test:nodes                                            all versions
  npm run test:nodes -- --only 24,26                            two of them
  npm run test:nodes -- --only 26 dist/test/src/node/http.test.js
  npm run test:nodes -- --list

The binaries lie in $XDG_CACHE_HOME/millrace/nodes (~/.cache/millrace/nodes). Exit status: 0 all passed, 1 something failed,
2 nothing was run.`,
    )
    .exitOverride();
}

try {
  await build()
    .configureHelp({ showGlobalOptions: true })
    .action((files: string[], flags: Flags) => run(files, flags))
    .parseAsync();
} catch (error) {
  if (error instanceof NodesError) {
    process.stderr.write(`nodes: ${error.message}\n`);
    process.exitCode = EXIT_REFUSED;
  } else if (error instanceof Error && 'exitCode' in error) {
    // Commander has said what is wrong.
    process.exitCode = error.exitCode === 0 ? 0 : EXIT_REFUSED;
  } else throw error;
}
