import { unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { answers, controlSockets } from './control-path.js';
import type { Request, Row } from './control-protocol.js';
import { CliError, Exit } from './errors.js';

/** How long an instance may take to answer: it answers between two turns, so this is an instance that hangs. */
const ANSWER_MS = 5000;

/** The rows of an answer, as they come. Rejects with a `CliError` when nobody answers or the answer is an error. */
export async function* ask(path: string, request: Request): AsyncGenerator<Row> {
  const socket = connect(path);
  socket.setEncoding('utf8');
  socket.setTimeout(ANSWER_MS, () => {
    socket.destroy(new CliError('ETIMEDOUT', `the instance at ${path} does not answer`, Exit.FAILED));
  });
  socket.write(`${JSON.stringify(request)}\n`);
  let text = '';
  try {
    for await (const chunk of socket as AsyncIterable<string>) {
      text += chunk;
      const lines = text.split('\n');
      text = lines.pop() ?? '';
      for (const line of lines) {
        const row = JSON.parse(line) as Row;
        if (row.type === 'error') throw new CliError(row.code, row.message, Exit.FAILED);
        yield row;
        if (row.type === 'end') return;
      }
    }
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw unreachable(path, error as NodeJS.ErrnoException);
  } finally {
    socket.destroy();
  }
  throw new CliError('EPROTO', `the instance at ${path} ended its answer half-way`, Exit.FAILED);
}

/** The one running instance of this user. Sockets whose instance was killed are removed on the way. */
export async function findInstance(): Promise<string> {
  const alive: string[] = [];
  for (const path of controlSockets()) {
    if (await answers(path)) alive.push(path);
    else unlinkSync(path);
  }
  if (alive.length === 1) return alive[0];
  if (alive.length === 0) {
    throw new CliError(
      'ENOENT',
      'no instance of yours is running: start one with "millrace serve", or name its socket with --control',
    );
  }
  throw new CliError('EINVAL', `several instances are running: choose one with --control, of ${alive.join(', ')}`);
}

function unreachable(path: string, error: NodeJS.ErrnoException): CliError {
  const code = error.code ?? 'EPROTO';
  if (code === 'ENOENT') return new CliError(code, `--control ${path} does not exist: is the instance running?`);
  if (code === 'ECONNREFUSED') return new CliError(code, `nobody answers at ${path}: the instance is gone`);
  if (code === 'EACCES') return new CliError(code, `${path} belongs to another user: ask as that user or as root`);
  return new CliError(code, `the instance at ${path} cannot be asked: ${error.message}`);
}
