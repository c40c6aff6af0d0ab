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

/** What Node shows for an operation that failed: `code`, `errno`, `syscall`, and where it went. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
  address?: string;
  port?: number;
}

export function errnoOf(code: string): number {
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

/** `connect ECONNREFUSED 10.0.0.1:80`. */
export function connectionError(code: string, syscall: string, address: string, port: number): SystemError {
  const error = new Error(`${syscall} ${code} ${address}:${port}`);
  return Object.assign(error, { code, errno: errnoOf(code), syscall, address, port });
}

/** `listen EADDRINUSE: address already in use 10.0.0.1:80`. */
export function listenError(code: string, syscall: string, address: string, port: number): SystemError {
  const error = new Error(`${syscall} ${code}: ${WORDS.get(code) ?? 'failed'} ${address}:${port}`);
  return Object.assign(error, { code, errno: errnoOf(code), syscall, address, port });
}
