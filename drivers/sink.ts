import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { StackError } from '../stack/base/errors.js';
import { errnoName } from './syscall.js';

/** Where bytes go. `write` takes them all or throws, and does not keep them. */
export interface Sink {
  write(bytes: Uint8Array): void;
  close(): void;
  /** Bytes that have arrived, those of a write that threw in its middle included. A sink that has it has `truncate`, too. */
  readonly length?: number;
  /** Forgets what is behind the first `length` bytes; what is written next follows them. Throws where that cannot be. */
  truncate?(length: number): void;
}

/**
 * A file, emptied first. Written synchronously: what is captured is in the kernel's hands when `write` returns, and a crash of the
 * program right after loses nothing of it. Throws a `StackError` when it cannot be opened.
 */
export function fileSink(path: string): Sink {
  let fd: number;
  try {
    fd = openSync(path, 'w', 0o644);
  } catch (cause) {
    throw fileError(cause, `The file ${path} cannot be opened for writing`);
  }
  let open = true;
  let length = 0;
  // Null: where the descriptor stands. It stands behind the end of a file that was cut, and a pipe knows no positions.
  let position: number | null = null;
  return {
    get length() {
      return length;
    },
    write(bytes) {
      for (let done = 0; done < bytes.length; ) {
        const count = writeSync(fd, bytes, done, bytes.length - done, position);
        done += count;
        length += count;
        if (position !== null) position += count;
      }
    },
    truncate(bytes) {
      ftruncateSync(fd, bytes);
      length = bytes;
      position = bytes;
    },
    close() {
      if (!open) return;
      open = false;
      closeSync(fd);
    },
  };
}

function fileError(cause: unknown, doing: string): StackError {
  const errno = (cause as { errno?: unknown }).errno;
  const name = typeof errno === 'number' ? errnoName(-errno) : String(cause);
  const code = name === 'EACCES' || name === 'EPERM' || name === 'ENOENT' || name === 'EBUSY' ? name : 'EIO';
  return new StackError(code, `${doing}: ${name}. Give a path in a directory that exists and that you may write to`);
}
