import { basename, relative } from 'node:path';
import pc from 'picocolors';
import { failureOf } from './errors.js';

/** Colour only where somebody sees it: picocolors asks the environment (NO_COLOR, FORCE_COLOR), we ask the stream. */
function coloursFor(stream: NodeJS.WriteStream): ReturnType<typeof pc.createColors> {
  const forced = process.env.FORCE_COLOR !== undefined && process.env.FORCE_COLOR !== '0';
  return pc.createColors(pc.isColorSupported && (stream.isTTY === true || forced));
}

export const colours = coloursFor(process.stdout);
const errorColours = coloursFor(process.stderr);

/** Whoever reads our output has gone (`millrace ss | head`): there is nobody left to tell, and nothing went wrong. */
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

/** How this program was started, so that a command can be shown that works when it is copied. */
export function programName(): string {
  const program = process.argv[1] ?? 'millrace';
  if (!program.endsWith('.js')) return basename(program);
  const path = relative(process.cwd(), program);
  return `node ${path.startsWith('..') ? program : path}`;
}

export function print(line = ''): void {
  process.stdout.write(`${line}\n`);
}

/** Beside the result: standard error, so that a pipe gets the result alone. */
export function notice(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** One line with its code; the stack trace only for what is our mistake. */
export function complain(error: unknown): void {
  const { code, message, unexpected } = failureOf(error);
  const tail = code === '' || message.includes(code) ? '' : ` (${code})`;
  notice(`${errorColours.red('millrace:')} ${message}${tail}`);
  if (unexpected && error instanceof Error && error.stack !== undefined) notice(error.stack);
}
