import { chmodSync, existsSync, lstatSync, mkdirSync, readdirSync, type Stats, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { tmpdir, userInfo } from 'node:os';
import { dirname, join } from 'node:path';
import { CliError, failureOf } from './errors.js';

/** `sun_path` of unix(7) has 108 bytes with its closing zero; Node cuts longer ones without a word. */
const PATH_BYTES_MAX = 107;

/** The directory of this user's control sockets: the session's own where there is one, else one in /tmp that is ours alone. */
export function controlDirectory(): string {
  const runtime = process.env.XDG_RUNTIME_DIR;
  if (runtime !== undefined && runtime !== '' && isDirectory(runtime)) return join(runtime, 'millrace');
  return join(tmpdir(), `millrace-${userInfo().uid}`);
}

/** Where this process answers unless told otherwise. */
export function defaultControlPath(pid = process.pid): string {
  return join(controlDirectory(), `${pid}.sock`);
}

/** The default path, its directory made: for a child that will see another user and another directory. */
export function prepareDefaultControlPath(): string {
  makeOwnDirectory(controlDirectory());
  return defaultControlPath();
}

/** Default sockets that exist; whether somebody answers is not known. */
export function controlSockets(): string[] {
  const directory = controlDirectory();
  try {
    return readdirSync(directory)
      .filter((name) => /^\d+\.sock$/.test(name))
      .map((name) => join(directory, name));
  } catch {
    return [];
  }
}

/**
 * Makes `path` free to be listened on: its directory exists, and a socket that nobody answers on (its owner was killed) is
 * removed. Throws when somebody answers, or when what is there is no socket.
 */
export async function claimSocket(path: string): Promise<void> {
  if (Buffer.byteLength(path) > PATH_BYTES_MAX) {
    throw new CliError('ENAMETOOLONG', `--control ${path} is too long: allowed are ${PATH_BYTES_MAX} bytes`);
  }
  if (dirname(path) === controlDirectory()) makeOwnDirectory(dirname(path));
  if (!existsSync(dirname(path))) {
    // Said here because the system call's own error reaches us as EACCES.
    throw new CliError('ENOENT', `--control ${path}: the directory ${dirname(path)} does not exist`);
  }
  const found = statOf(path);
  if (found === undefined) return;
  if (!found.isSocket()) throw new CliError('EEXIST', `--control ${path} exists and is no socket: give another path`);
  if (await answers(path)) {
    throw new CliError('EADDRINUSE', `--control ${path} is in use by a running instance: give another path`);
  }
  unlinkSync(path);
}

/** Listens on `path` for this user only. */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  // Node binds within `listen`, so the mask covers the moment of creation: there is no instant at which others may connect.
  const mask = process.umask(0o177);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(path, resolve);
      process.umask(mask);
    });
    chmodSync(path, 0o600);
  } catch (error) {
    const { code } = failureOf(error);
    throw new CliError(code, `--control ${path} cannot be made (${code}): give a path in a directory you may write to`);
  } finally {
    process.umask(mask);
  }
}

/** Whether a process answers on the socket at `path`. */
export function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => {
      // EACCES and EAGAIN come from a socket somebody has; only a dead one refuses.
      resolve(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT');
    });
  });
}

/** In /tmp anybody may have made a directory of that name before us: one that is not ours alone is not used. */
function makeOwnDirectory(directory: string): void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const found = statOf(directory);
  if (found?.isDirectory() !== true || found.uid !== userInfo().uid || (found.mode & 0o077) !== 0) {
    throw new CliError(
      'EACCES',
      `${directory} is not a directory of yours alone: remove it, or give a path with --control`,
    );
  }
}

function statOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function isDirectory(path: string): boolean {
  return statOf(path)?.isDirectory() === true;
}
