import { PosixError } from './posix-error.js';

/** Options' values as bytes: ints of four, structures of Linux on a 64-bit little-endian machine. */

export function intValue(value: Uint8Array): number {
  if (value.length < 4) throw new PosixError('EINVAL', `the option takes an int of 4 bytes, not ${value.length}`);
  return view(value).getInt32(0, true);
}

export function intBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  view(bytes).setInt32(0, value, true);
  return bytes;
}

export function wideBytes(value: number): Uint8Array {
  const bytes = new Uint8Array(8);
  view(bytes).setBigUint64(0, BigInt(Math.floor(value)), true);
  return bytes;
}

export function intsBytes(values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(values.length * 4);
  for (const [i, value] of values.entries()) view(bytes).setInt32(i * 4, value, true);
  return bytes;
}

/** `struct linger`, in seconds; undefined when it is off. */
export function lingerValue(value: Uint8Array): number | undefined {
  if (value.length < 8) throw new PosixError('EINVAL', `SO_LINGER takes 8 bytes, not ${value.length}`);
  return view(value).getInt32(0, true) === 0 ? undefined : view(value).getInt32(4, true);
}

/** `struct timeval` in ms; 0, as the option has it, is without end. */
export function timeoutValue(value: Uint8Array): number {
  if (value.length < 16) throw new PosixError('EINVAL', `the option takes a timeval of 16 bytes, not ${value.length}`);
  const seconds = Number(view(value).getBigInt64(0, true));
  const micros = Number(view(value).getBigInt64(8, true));
  if (micros < 0 || micros >= 1_000_000) throw new PosixError('EDOM', `${micros} is no part of a second in µs`);
  // Linux: a time before now is no waiting at all.
  if (seconds < 0) return 0;
  return seconds === 0 && micros === 0 ? Infinity : seconds * 1000 + Math.ceil(micros / 1000);
}

export function timeoutBytes(ms: number): Uint8Array {
  const bytes = new Uint8Array(16);
  if (ms === Infinity) return bytes;
  view(bytes).setBigInt64(0, BigInt(Math.floor(ms / 1000)), true);
  view(bytes).setBigInt64(8, BigInt((ms % 1000) * 1000), true);
  return bytes;
}

export function textValue(value: Uint8Array): string {
  const end = value.indexOf(0);
  return Buffer.from(end < 0 ? value : value.subarray(0, end)).toString('latin1');
}

/** Zero-terminated, in a field of `length` bytes. */
export function textBytes(text: string, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  bytes.set(Buffer.from(text, 'latin1').subarray(0, length - 1));
  return bytes;
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
