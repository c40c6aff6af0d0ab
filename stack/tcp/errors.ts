import type { ErrorCode } from '../base/errors.js';

/** Why a connection ended, as it is kept in its row: one byte. RFC 9293 §3.9.1.8 has it told asynchronously, by words; POSIX has codes. */
export const enum ConnectionError {
  NONE = 0,
  RESET = 1,
  REFUSED = 2,
  TIMED_OUT = 3,
  ABORTED = 4,
  HOST_UNREACHABLE = 5,
  NET_UNREACHABLE = 6,
  PROTOCOL_UNREACHABLE = 7,
  PROHIBITED = 8,
  NO_BUFFERS = 9,
  PIPE = 10,
  HOST_DOWN = 11,
  OPTION_UNSUPPORTED = 12,
  NO_NETWORK = 13,
  PROTOCOL = 14,
  MESSAGE_TOO_BIG = 15,
}

const CODES: readonly (ErrorCode | undefined)[] = [
  undefined,
  'ECONNRESET',
  'ECONNREFUSED',
  'ETIMEDOUT',
  'ECONNABORTED',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOPROTOOPT',
  // As Linux and our UDP: EACCES is for what this host forbids.
  'EHOSTUNREACH',
  'ENOBUFS',
  'EPIPE',
  'EHOSTDOWN',
  'EOPNOTSUPP',
  'ENONET',
  'EPROTO',
  'EMSGSIZE',
];

const WORDS: readonly string[] = [
  'no error',
  'the peer has reset the connection',
  'the peer refused the connection: nothing listens on that port',
  'the peer did not answer in time',
  'the connection was aborted here',
  'no route to the host, or it does not answer ARP',
  'the network cannot be reached',
  'the host does not speak TCP',
  'a router on the way forbids it',
  'no memory for the connection: raise the limits or close others',
  'this side has already closed its half',
  'the host is down',
  'a router on the way could not follow the source route',
  'this host is cut off from the network',
  'a router or the host found a header it does not understand',
  'the path carries less than the smallest segment',
];

export function errorCode(error: ConnectionError): ErrorCode | undefined {
  return CODES[error];
}
export function errorWords(error: ConnectionError): string {
  return WORDS[error];
}
