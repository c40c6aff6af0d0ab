import { getSystemErrorMap } from 'node:util';
import { type ErrorCode, StackError } from '../../stack/base/errors.js';

/** libuv's numbers, by name, as this platform has them: Node's handles report errors as negative integers. */
const NUMBERS = new Map<string, number>();
const WORDS = new Map<string, string>();
for (const [number, [name, words]] of getSystemErrorMap()) {
  NUMBERS.set(name, number);
  WORDS.set(name, words);
}

export const UV_ECANCELED = errnoOf('ECANCELED');
export const UV_EBADF = errnoOf('EBADF');

/** What Node shows for an operation that failed: `code`, `errno`, `syscall`, and where it went. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

/** An argument that the stack refuses by a code of Node's (`ERR_OUT_OF_RANGE`) is invalid to a handle. */
export function errnoOf(code: string): number {
  if (code.startsWith('ERR_')) return errnoOf('EINVAL');
  return NUMBERS.get(code) ?? NUMBERS.get('EIO') ?? -5;
}

/** The code of something thrown by the stack. Anything else is a mistake in a program and goes on up. */
export function codeOf(error: unknown): ErrorCode {
  if (error instanceof StackError) return error.code;
  throw error;
}
export function errnoOfError(error: unknown): number {
  return errnoOf(codeOf(error));
}

/** `read ECONNRESET`, as Node's own sockets say it. */
export function systemError(code: string, syscall: string): SystemError {
  return Object.assign(new Error(`${syscall} ${code}`), { code, errno: errnoOf(code), syscall });
}

/** `connect ECONNREFUSED 10.0.0.1:80`; without a port `bind EADDRNOTAVAIL 192.0.2.1`. */
export function connectionError(code: string, syscall: string, address: string, port: number): SystemError {
  const error = new Error(`${syscall} ${code} ${port > 0 ? `${address}:${port}` : address}`);
  return Object.assign(error, { code, errno: errnoOf(code), syscall, address, port });
}

/** `listen EADDRINUSE: address already in use 10.0.0.1:80`. */
export function listenError(code: string, syscall: string, address: string, port: number): SystemError {
  const error = new Error(`${syscall} ${code}: ${WORDS.get(code) ?? 'failed'} ${address}:${port}`);
  return Object.assign(error, { code, errno: errnoOf(code), syscall, address, port });
}
