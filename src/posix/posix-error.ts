import { StackError } from '../../stack/base/errors.js';
import { ERRNO, type ErrnoName } from './errno.js';

/** A socket call that cannot be done. Within the layer it is thrown; at its surface it becomes −1 and an errno. */
export class PosixError extends Error {
  readonly code: ErrnoName;
  readonly errno: number;
  constructor(code: ErrnoName, message: string) {
    super(message);
    this.name = 'PosixError';
    this.code = code;
    this.errno = ERRNO[code];
  }
}

/** The errno for what was thrown. What is neither the caller's mistake nor the connection's fate is ours, and goes on. */
export function errnoOf(error: unknown): number {
  if (error instanceof PosixError) return error.errno;
  if (!(error instanceof StackError)) throw error;
  if (error.code in ERRNO) return ERRNO[error.code as ErrnoName];
  // Node's codes: a value of the wrong kind or out of range.
  return ERRNO.EINVAL;
}
