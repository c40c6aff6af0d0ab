/**
 * The kernel's scripts, out of Debian's package with its source. apt fetches it, with lists and state of our own beside the machine's: nothing
 * of the machine is changed, no rights are needed, and apt checks signatures and hashes. Only the folder of scripts is kept.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { env as environment, getuid } from 'node:process';
import { partFolder, putInPlace } from '../cache.js';
import { type Kernel, SCRIPTS_IN_SOURCE } from './kernels.js';
import { Refusal } from './refusal.js';
import { type Machine, sourcesFor, THIS_MACHINE } from './sources.js';

export interface Scripts {
  readonly folder: string;
  /** The package's version; undefined for a folder that somebody named. */
  readonly packageVersion?: string;
}

export interface FetchOptions {
  readonly cache: string;
  /** A line about what is done now. */
  readonly say: (line: string) => void;
  /** What the cache has is not used. */
  readonly fresh?: boolean;
  /** Others for tests. */
  readonly machine?: Machine;
  readonly env?: NodeJS.ProcessEnv;
}

interface Manifest {
  readonly package: string;
  readonly version: string;
  /** SHA-256 by name. */
  readonly files: Readonly<Record<string, string>>;
}

const MANIFEST = 'manifest.json';
const SCRIPTS = 'scripts';
/** How often somebody who waits is told that it goes on. */
const NEWS_MS = 10_000;

/** The folder with the scripts; they are fetched when the cache does not have them whole. Throws a Refusal. */
export async function fetchScripts(kernel: Kernel, options: FetchOptions): Promise<Scripts> {
  const { cache, say } = options;
  const target = join(cache, kernel.version);
  if (options.fresh !== true) {
    const cached = cachedScripts(kernel, cache);
    if (cached !== undefined) return cached;
  }
  const sources = sourcesFor(kernel.suite, options.machine ?? THIS_MACHINE);
  const folder = partFolder(cache);
  if (folder === undefined) {
    throw new Refusal('ERR_CACHE', `the cache ${cache} cannot be written: set XDG_CACHE_HOME to a folder of yours`);
  }
  try {
    say(`fetching ${kernel.package} (${kernel.megabytes} MB, once) into ${cache}`);
    const deb = await download(kernel, folder, sources, options);
    say(`unpacking the scripts of ${kernel.package}`);
    await unpack(kernel, deb, folder, options);
    const whole = join(folder, 'whole');
    const version = decodeURIComponent(/_([^_]+)_/.exec(deb)?.[1] ?? '');
    const manifest: Manifest = { package: kernel.package, version, files: hashes(join(whole, SCRIPTS)) };
    writeFileSync(join(whole, MANIFEST), JSON.stringify(manifest, undefined, 1));
    putInPlace(whole, target);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  const fetched = cachedScripts(kernel, cache);
  if (fetched !== undefined) return fetched;
  throw new Refusal('ERR_CACHE', `${target} is not what was put there a moment ago`);
}

/** Undefined: not there, or not as it was unpacked. */
export function cachedScripts(kernel: Kernel, cache: string): Scripts | undefined {
  const target = join(cache, kernel.version);
  const folder = join(target, SCRIPTS);
  try {
    const manifest = JSON.parse(readFileSync(join(target, MANIFEST), 'utf8')) as Manifest;
    const same = JSON.stringify(hashes(folder)) === JSON.stringify(manifest.files);
    if (!same || manifest.package !== kernel.package || Object.keys(manifest.files).length === 0) return undefined;
    return { folder, packageVersion: manifest.version };
  } catch {
    return undefined;
  }
}

/** Of all files of a folder, in the order of their names. */
function hashes(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile());
  const names = entries.map(({ name }) => name).sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    ]),
  );
}

/** apt's settings over the machine's own, which keep its proxies and what it trusts. */
function configuration(folder: string): string {
  const settings: [string, string][] = [
    ['Dir::Etc::sourcelist', '/dev/null'],
    ['Dir::Etc::sourceparts', join(folder, 'sources.d')],
    ['Dir::State::lists', join(folder, 'lists')],
    ['Dir::Cache', join(folder, 'cache')],
    ['Acquire::Languages', 'none'],
    ['Acquire::Retries', '2'],
    ['Acquire::http::Timeout', '20'],
    ['Acquire::https::Timeout', '20'],
    // Without it a list that cannot be fetched is only a warning.
    ['APT::Update::Error-Mode', 'any'],
  ];
  // A cache in somebody's home is closed to the user that apt would become.
  if (getuid?.() === 0) settings.push(['APT::Sandbox::User', 'root']);
  const hooks = ['APT::Update::Pre-Invoke', 'APT::Update::Post-Invoke', 'APT::Update::Post-Invoke-Success'];
  return [
    ...hooks.map((name) => `#clear ${name};`),
    ...settings.map(([name, value]) => `${name} "${value}";`),
    '',
  ].join('\n');
}

async function download(kernel: Kernel, folder: string, sources: string, options: FetchOptions): Promise<string> {
  for (const name of ['sources.d', 'lists/partial', 'cache/archives/partial', 'deb', `whole/${SCRIPTS}`])
    mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, 'sources.d', 'millrace.sources'), sources);
  writeFileSync(join(folder, 'apt.conf'), configuration(folder));
  const apt = (...args: string[]) =>
    run('apt-get', ['-q', '-c', join(folder, 'apt.conf'), ...args], join(folder, 'deb'), kernel, options);
  const updated = await apt('update');
  if (updated.status !== 0) throw explain(kernel, updated.output);
  const fetched = await apt('download', kernel.package);
  if (fetched.status !== 0) throw explain(kernel, fetched.output);
  const deb = readdirSync(join(folder, 'deb')).find((name) => name.startsWith(`${kernel.package}_`));
  if (deb !== undefined) return deb;
  throw new Refusal('ERR_APT_FAILED', `apt-get says that it fetched ${kernel.package}, and it is not there`);
}

/** apt's words are long; the reader has not called it. */
export function explain({ package: name, suite }: Kernel, output: string): Refusal {
  const where = suite === undefined ? 'the release that this machine runs' : suite;
  const lines = output.split('\n');
  const errors = lines.filter((line) => line.startsWith('E:'));
  const words = (errors.length > 0 ? errors : lines.filter((line) => line.startsWith('Err:'))).slice(0, 3).join('\n');
  if (/Unable to locate package|no installation candidate|Can't select candidate/i.test(output))
    return new Refusal('ERR_NO_PACKAGE', `${where} has no package ${name}`);
  if (/does not have a Release file|\b404\b|File not found/.test(output))
    return new Refusal('ERR_NO_PACKAGE', `the archive that apt is set to has no ${where} with ${name}:\n${words}`);
  if (/resolv|Could not connect|connection|timed out|unreachable/i.test(output))
    return new Refusal('ERR_NO_NETWORK', `${name} cannot be fetched, no network or no such archive:\n${words}`);
  return new Refusal(
    'ERR_APT_FAILED',
    `${name} cannot be fetched. apt-get said\n${words === '' ? '(nothing)' : words}`,
  );
}

/** The archive in the archive, as a stream: the whole source would be 1.5 GB. */
const UNPACK = `set -o pipefail
dpkg-deb --fsys-tarfile "$1" | tar -xO "./usr/src/$2.tar.xz" | tar -xJ -C "$3" --strip-components=6 --wildcards "*/$4/*"`;

async function unpack(kernel: Kernel, deb: string, folder: string, options: FetchOptions): Promise<void> {
  const args = ['-c', UNPACK, 'unpack', deb, kernel.package, join(folder, 'whole', SCRIPTS), SCRIPTS_IN_SOURCE];
  const { status, output } = await run('bash', args, join(folder, 'deb'), kernel, options);
  if (status === 0) return;
  const words = output.trim().split('\n').slice(-3).join('\n');
  throw new Refusal(
    'ERR_UNPACK_FAILED',
    `${kernel.package} cannot be unpacked (dpkg-deb, tar and xz are needed):\n${words}`,
  );
}

/** No standard input: nothing in there may ask a question. */
async function run(
  command: string,
  args: readonly string[],
  cwd: string,
  kernel: Kernel,
  options: FetchOptions,
): Promise<{ status: number | null; output: string }> {
  const env = { ...(options.env ?? environment), LC_ALL: 'C' };
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  const began = Date.now();
  const news = setInterval(() => {
    options.say(`still at ${kernel.package}, ${Math.round((Date.now() - began) / 1000)} s`);
  }, NEWS_MS);
  try {
    const status = await new Promise<number | null>((resolve, reject) => {
      child.on('error', ({ message }) =>
        reject(new Refusal('ERR_NO_APT', `${command} cannot be run (${message}); use --source`)),
      );
      child.on('close', resolve);
    });
    return { status, output };
  } finally {
    clearInterval(news);
  }
}
