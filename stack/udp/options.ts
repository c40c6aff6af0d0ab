import { StackError } from '../base/errors.js';
import { Socket, SocketFlag } from './socket-table.js';

export const enum UdpOption {
  /** 0 or 1: POSIX's SO_BROADCAST. */
  BROADCAST = 0,
  /** 1…255: RFC 1122 §3.2.1.7 forbids to send 0. */
  TTL = 1,
  MULTICAST_TTL = 2,
  /** 0…255: DSCP and ECN. */
  TOS = 3,
  /** 0 or 1. A datagram longer than the path takes is refused with TOO_BIG instead of fragmented. */
  DONT_FRAGMENT = 4,
  RECEIVE_BYTES_MAX = 5,
}

/** `s` is where the socket's row begins in `t`. */
export function setSocketOption(t: Int32Array, s: number, option: UdpOption, value: number): void {
  switch (option) {
    case UdpOption.BROADCAST:
      setFlag(t, s, SocketFlag.BROADCAST, value);
      return;
    case UdpOption.DONT_FRAGMENT:
      setFlag(t, s, SocketFlag.DONT_FRAGMENT, value);
      return;
    case UdpOption.TTL:
      t[s + Socket.TTL] = checkRange(value, 1, 255, 'a TTL');
      return;
    case UdpOption.MULTICAST_TTL:
      t[s + Socket.MULTICAST_TTL] = checkRange(value, 1, 255, 'a multicast TTL');
      return;
    case UdpOption.TOS:
      t[s + Socket.TOS] = checkRange(value, 0, 255, 'a type of service');
      return;
    case UdpOption.RECEIVE_BYTES_MAX:
      t[s + Socket.RECEIVE_BYTES_MAX] = checkRange(value, 1, 0x7fffffff, 'a receive limit');
      return;
  }
}

export function getSocketOption(t: Int32Array, s: number, option: UdpOption): number {
  switch (option) {
    case UdpOption.BROADCAST:
      return (t[s + Socket.FLAGS] & SocketFlag.BROADCAST) !== 0 ? 1 : 0;
    case UdpOption.DONT_FRAGMENT:
      return (t[s + Socket.FLAGS] & SocketFlag.DONT_FRAGMENT) !== 0 ? 1 : 0;
    case UdpOption.TTL:
      return t[s + Socket.TTL];
    case UdpOption.MULTICAST_TTL:
      return t[s + Socket.MULTICAST_TTL];
    case UdpOption.TOS:
      return t[s + Socket.TOS];
    case UdpOption.RECEIVE_BYTES_MAX:
      return t[s + Socket.RECEIVE_BYTES_MAX];
  }
}

function setFlag(t: Int32Array, s: number, flag: SocketFlag, value: number): void {
  if (value !== 0) t[s + Socket.FLAGS] |= flag;
  else t[s + Socket.FLAGS] &= ~flag;
}

export function checkPort(port: number, min: number): void {
  checkRange(port, min, 65_535, 'a port');
}
function checkRange(value: number, min: number, max: number, what: string): number {
  if (!Number.isInteger(value) || value < min || value > max)
    throw new StackError('ERR_OUT_OF_RANGE', `${what} is ${min} to ${max}, not ${value}`);
  return value;
}

/** Throws unless `from` to `to` is a part of the `length` bytes given. */
export function checkBytes(from: number, to: number, length: number): void {
  if (!isRange(from, to, length))
    throw new StackError('ERR_OUT_OF_RANGE', `bytes ${from} to ${to} do not lie in the ${length} given`);
}
function isRange(from: number, to: number, length: number): boolean {
  return Number.isInteger(from) && Number.isInteger(to) && from >= 0 && to >= from && to <= length;
}
