import { ERRNO, type ErrnoName } from './errno.js';
import type { Outcome } from './socket-calls.js';

export function succeeded(result = 0, more: Partial<Outcome> = {}): Outcome {
  return { result, errno: 0, ...more };
}

export function failed(errno: ErrnoName | number): Outcome {
  return { result: -1, errno: typeof errno === 'number' ? errno : ERRNO[errno] };
}
