import type { ConnectionId } from '../../stack/base/units.js';
import { FastOpenBit, isChild } from '../../stack/tcp/fast-open.js';
import { State } from '../../stack/tcp/state.js';
import { Tcb } from '../../stack/tcp/tcb.js';
import type { Tcp } from '../../stack/tcp/tcp.js';
import { Phase } from './phase.js';
import { PosixError } from './posix-error.js';
import type { Settings } from './sysctl.js';

/** Fast Open (RFC 7413) as Linux's programs ask for it. */

/** MSG_FASTOPEN and TCP_FASTOPEN_CONNECT: net.ipv4.tcp_fastopen must let clients take part. */
export function checkFastOpen(settings: Settings): void {
  if ((settings.limits.fastOpen & FastOpenBit.CLIENT) !== 0) return;
  throw new PosixError('EOPNOTSUPP', 'Fast Open is switched off: net.ipv4.tcp_fastopen has not got its lowest bit');
}

/** MSG_FASTOPEN is a connect(2), and fails as that does. `waits`: the call may. */
export function checkFastOpenCall(settings: Settings, phase: Phase, state: State, waits: boolean): void {
  checkFastOpen(settings);
  if (phase === Phase.UNCONNECTED) return;
  if (phase !== Phase.CONNECTING) throw new PosixError('EISCONN', 'the socket is connected, or listens');
  if ((state === State.SYN_SENT || state === State.SYN_RECEIVED) && !waits)
    throw new PosixError('EALREADY', 'the socket is connecting already');
}

const KEY_WORDS = 4;

/** net.ipv4.tcp_fastopen_key: `a1a1a1a1-b2b2b2b2-c3c3c3c3-d4d4d4d4`, and after a comma the key before it. */
export function parseFastOpenKeys(text: string): Int32Array {
  const words = text
    .split(',')
    .map((key) => key.trim().split('-'))
    .flatMap((key) => (key.length === KEY_WORDS && key.every((word) => /^[0-9a-fA-F]{1,8}$/.test(word)) ? key : []));
  if (words.length !== KEY_WORDS && words.length !== 2 * KEY_WORDS) {
    throw new PosixError('EINVAL', `"${text}" is not a key of four hexadecimal words, nor two of them`);
  }
  return Int32Array.from(words, (word) => Number.parseInt(word, 16));
}

export function printFastOpenKeys(keys: Int32Array): string {
  const words = Array.from(keys, (word) => (word >>> 0).toString(16).padStart(8, '0'));
  return [words.slice(0, KEY_WORDS), words.slice(KEY_WORDS)]
    .filter((key) => key.length > 0)
    .map((key) => key.join('-'))
    .join(',');
}

/** TCP_FASTOPEN_KEY's bytes. */
export function keyBytes(keys: Int32Array): Uint8Array {
  const bytes = new Uint8Array(keys.length * 4);
  const view = new DataView(bytes.buffer);
  keys.forEach((word, i) => {
    view.setInt32(4 * i, word, true);
  });
  return bytes;
}

/** An accepted connection whose SYN brought data: it is read and answered before the handshake is complete. */
export function answersEarly(tcp: Tcp, connection: ConnectionId): boolean {
  return isChild(tcp.context, tcp.rowOf(connection) << Tcb.SHIFT);
}
