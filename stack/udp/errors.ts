import type { ErrorCode } from '../base/errors.js';
import { PathError } from '../net/transport.js';

/** What a program is told; Linux's table (icmp_err_convert), but that a neighbour's silence has a code of its own in neither. */
export function errorCodeOf(error: PathError): ErrorCode {
  switch (error) {
    case PathError.UNREACHABLE_NET:
      return 'ENETUNREACH';
    case PathError.UNREACHABLE_PROTOCOL:
      return 'ENOPROTOOPT';
    case PathError.UNREACHABLE_PORT:
      return 'ECONNREFUSED';
    case PathError.TOO_BIG:
      return 'EMSGSIZE';
    case PathError.PARAMETER_PROBLEM:
      return 'EPROTO';
    default:
      return 'EHOSTUNREACH';
  }
}

/** What a router may say of a path that is good again a moment later. */
export function isPassing(error: PathError): boolean {
  return (
    error === PathError.UNREACHABLE_NET || error === PathError.UNREACHABLE_HOST || error === PathError.TIME_EXCEEDED
  );
}
