import { StackError } from '../base/errors.js';
import type { Address, ListenerId } from '../base/units.js';
import type { TcpContext } from './context.js';
import type { ConnectionDefaults } from './listener-table.js';
import { checkDefaults } from './socket-options.js';

/** Passive OPEN, RFC 9293 §3.9.1.1. */
export interface ListenOptions extends ConnectionDefaults {
  /** Of this stack; 0 or absent: any of its addresses. */
  readonly address?: Address;
  readonly port: number;
  /** Established connections that may wait to be accepted. */
  readonly backlog?: number;
  /** Others that say so, too, may listen on the same port and address, and each gets its part of the connections (SO_REUSEPORT). */
  readonly sharesPort?: boolean;
}

/** Control path. Throws ERR_OUT_OF_RANGE, EADDRNOTAVAIL, EADDRINUSE, EMFILE. */
export function openListener(tcp: TcpContext, options: ListenOptions): ListenerId {
  const { port, backlog = tcp.limits.backlog } = options;
  const address = options.address ?? (0 as Address);
  if (!Number.isInteger(port) || port < 1 || port > 0xffff) {
    throw new StackError('ERR_OUT_OF_RANGE', `port is ${port}; allowed are whole numbers from 1 to 65535`);
  }
  if (!Number.isInteger(backlog) || backlog < 0 || backlog > 0xffff) {
    throw new StackError('ERR_OUT_OF_RANGE', `backlog is ${backlog}; allowed are whole numbers from 0 to 65535`);
  }
  const { net } = tcp;
  if (address !== 0 && !net.isLocal(address)) {
    throw new StackError('EADDRNOTAVAIL', `${net.formatAddress(address)} is not an address of this stack`);
  }
  checkDefaults(tcp, options);
  return tcp.listeners.open(address, port, backlog, options, options.sharesPort === true).id;
}
