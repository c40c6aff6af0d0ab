import { keyedHash } from '../base/keyed-hash.js';
import type { TcpContext } from './context.js';

/**
 * Initial sequence numbers, RFC 6528 §3: ISN = M + F(localip, localport, remoteip, remoteport, secretkey). M is the timer of
 * RFC 9293 §3.4.1 that ticks every 4 µs; F keeps one peer from guessing what another gets.
 */
export function initialSequenceNumber(tcp: TcpContext, local: number, remote: number, ports: number): number {
  const secret = tcp.secret;
  const m = Math.floor(tcp.clock.us / 4) % 0x1_0000_0000;
  return (m + keyedHash(secret[0], secret[2], local, remote, ports)) | 0;
}

/** What is added to the clock in timestamps, RFC 7323 §5.4 and §7.1: no peer learns our uptime, and each sees its own clock. */
export function timestampOffset(tcp: TcpContext, local: number, remote: number, ports: number): number {
  const secret = tcp.secret;
  return keyedHash(secret[1], secret[3], local, remote, ports);
}
