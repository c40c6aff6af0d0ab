/** What one Node is put through: its version, the calls into the kernel, `npm start`, and test files, each in a process of its own. */
import { spawn } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { delimiter, dirname, join } from 'node:path';
import { env as environment } from 'node:process';

/** Tests of what stands on Node's own modules: sockets, streams, timers, child processes. Folders under `dist`. */
export const FOLDERS = ['test/src/node', 'test/src/reactor', 'test/src/host', 'test/src/apps', 'test/examples'];
/** And single files elsewhere that use Node's sockets: as peer of ours over a TAP, or as a channel of their own. */
export const FILES = [
  'test/e2e/outgoing.test.js',
  'test/e2e/udp.test.js',
  'test/src/cli/control.test.js',
  'test/src/packetdrill/serve.test.js',
];

/** The slowest file takes 20 s; one that hangs is a failure like any other. */
const FILE_LIMIT_MS = 180_000;
const START_LIMIT_MS = 60_000;
/** The demo's word for success, `src/cli/commands/demo.ts`. */
const PROVED = /^proved\b/m;

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What its tests said that failed; empty when none did. */
  readonly failures: string;
}
export interface NodeResult {
  readonly version: string;
  readonly files: number;
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** Undefined: left out. */
  readonly start: boolean | undefined;
  readonly seconds: number;
  readonly problems: readonly { readonly where: string; readonly output: string }[];
}

interface Ended {
  readonly status: number | null;
  readonly output: string;
  readonly errors: string;
  readonly late: boolean;
}

/** All test files that belong to it, as paths from the root. */
export function testFiles(root: string): string[] {
  const found = FOLDERS.flatMap((folder) =>
    readdirSync(join(root, 'dist', folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.test.js'))
      .map((name) => join('dist', folder, name)),
  );
  return [...found, ...FILES.map((file) => join('dist', file))].sort();
}

/**
 * For a child under that Node: `node` is it, for whatever looks along the path; its own children find it as
 * `process.execPath`. Nothing of a test runner that may have started us.
 */
export function environmentFor(binary: string, env: NodeJS.ProcessEnv = environment): NodeJS.ProcessEnv {
  const own = Object.entries(env).filter(
    ([name]) => !/^(TAP_|_TAPJS_|TAP$|NODE_OPTIONS$|NODE_V8_COVERAGE$)/.test(name),
  );
  return {
    ...Object.fromEntries(own),
    PATH: `${dirname(binary)}${delimiter}${env.PATH ?? ''}`,
    TAP_TIMEOUT: String(FILE_LIMIT_MS / 1000),
    NO_COLOR: '1',
  };
}

/** tap's own summary, the last of the output. A file without one was cut short, which is a failure. */
export function countsOf(output: string): { passed: number; failed: number; skipped: number } {
  const summary = [...output.matchAll(/^# \{ ([^}]*) \}$/gm)].at(-1)?.[1];
  const passed = (output.match(/^ {4,}ok /gm) ?? []).length;
  if (summary === undefined || /^Bail out!/m.test(output)) return { passed, failed: 1, skipped: 0 };
  const counts = new Map(summary.split(', ').map((pair) => pair.split(': ') as [string, string]));
  const number = (name: string): number => Number(counts.get(name) ?? 0);
  const skipped = number('skip') + number('todo');
  const failed = number('total') - number('pass') - skipped;
  return { passed: number('pass'), failed: number('total') === 0 ? 1 : failed, skipped };
}

/** Each failed assertion with the lines that follow it, as far as they help. */
export function failuresOf(output: string): string {
  const lines = output.split('\n');
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i++) {
    if (!/^\s+not ok /.test(lines[i])) continue;
    kept.push(...lines.slice(i, i + 14));
    i += 13;
  }
  return kept.slice(0, 60).join('\n');
}

export interface RunOptions {
  readonly root: string;
  readonly files: readonly string[];
  readonly jobs: number;
  readonly start: boolean;
  readonly say: (line: string) => void;
  /** Default: the ones above. */
  readonly fileLimitMs?: number;
}

export async function runNode(version: string, binary: string, options: RunOptions): Promise<NodeResult> {
  const began = Date.now();
  const env = environmentFor(binary);
  const problems: { where: string; output: string }[] = [];
  const results: FileResult[] = [];
  const unfit = await unfitness(version, binary, options.root, env);
  if (unfit !== undefined) problems.push({ where: 'the binary', output: unfit });
  let start: boolean | undefined;
  if (unfit === undefined) {
    if (options.start) {
      options.say(`${version}: npm start`);
      const run = await ended('npm', ['start'], options.root, env, START_LIMIT_MS);
      start = run.status === 0 && PROVED.test(run.output);
      if (!start) problems.push({ where: 'npm start', output: lastLines(run) });
    }
    const waiting = [...options.files];
    const worker = async (): Promise<void> => {
      for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
        const result = await runFile(file, binary, env, options);
        results.push(result);
        options.say(
          `${version}: ${result.failed === 0 ? 'ok' : 'NOT OK'} ${file} (${results.length} of ${options.files.length})`,
        );
        if (result.failed > 0) problems.push({ where: file, output: result.failures });
      }
    };
    await Promise.all(Array.from({ length: options.jobs }, worker));
  }
  const sum = (of: (result: FileResult) => number): number => results.reduce((total, result) => total + of(result), 0);
  return {
    version,
    files: results.length,
    passed: sum(({ passed }) => passed),
    failed: sum(({ failed }) => failed) + (unfit === undefined ? 0 : 1) + (start === false ? 1 : 0),
    skipped: sum(({ skipped }) => skipped),
    start,
    seconds: Math.round((Date.now() - began) / 1000),
    problems,
  };
}

async function runFile(file: string, binary: string, env: NodeJS.ProcessEnv, options: RunOptions): Promise<FileResult> {
  const limit = options.fileLimitMs ?? FILE_LIMIT_MS;
  const run = await ended(binary, [file], options.root, env, limit);
  const counts = countsOf(run.output);
  // A file may fail without any of its assertions: an error after the end, a signal, a hang.
  const failed = counts.failed > 0 ? counts.failed : run.status === 0 ? 0 : 1;
  if (failed === 0) return { file, ...counts, failures: '' };
  const said = failuresOf(run.output);
  const failures = run.late ? `no end after ${limit / 1000} s\n${said}` : said === '' ? lastLines(run) : said;
  return { file, ...counts, failed, failures };
}

/** Undefined when this is the Node it should be, and koffi's prebuilt half, which the TAP driver calls, loads into it. */
async function unfitness(
  version: string,
  binary: string,
  root: string,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const asked = await ended(binary, ['--version'], root, env, START_LIMIT_MS);
  if (asked.output.trim() !== `v${version}`) {
    return `${binary} does not run as Node ${version}: ${asked.output.trim()} ${lastLines(asked)}`.trim();
  }
  const script = `const { default: koffi } = await import('koffi');
    if (koffi.load(null).func('int getpid()')() !== process.pid) throw new Error('getpid() by koffi is wrong');`;
  const loaded = await ended(binary, ['--input-type=module', '--eval', script], root, env, START_LIMIT_MS);
  return loaded.status === 0 ? undefined : `koffi does not load into it: ${lastLines(loaded)}`;
}

function lastLines(run: Ended): string {
  const text = `${run.output}${run.errors}`.trim().split('\n').slice(-20).join('\n');
  return text === '' ? `no output, status ${run.status}` : text;
}

/** No standard input: nothing in there may ask a question. */
function ended(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv,
  limitMs: number,
): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    let errors = '';
    let late = false;
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const limit = setTimeout(() => {
      late = true;
      child.kill('SIGKILL');
    }, limitMs);
    const done = (status: number | null): void => {
      clearTimeout(limit);
      resolve({ status, output, errors, late });
    };
    child.on('error', (error) => {
      errors += error.message;
      done(null);
    });
    child.on('close', done);
  });
}

/** Whether the file can be run: what a user names may be missing. */
export function isTestFile(root: string, file: string): boolean {
  return /\.test\.js$/.test(file) && statSync(join(root, file), { throwIfNoEntry: false })?.isFile() === true;
}
