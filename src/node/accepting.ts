import { BlockList, isIP, Server } from 'node:net';
import type { ConnectionId } from '../../stack/base/units.js';
import type { StackHost } from '../host/stack-host.js';
import { type Endpoint, fill } from './endpoint.js';
import type { ServerInside } from './server-handle.js';

/** Until Node 21 a `maxConnections` of zero was no limit. */
const ZERO_IS_A_LIMIT = Number(process.versions.node.split('.')[0]) >= 21;
/** Whether this Node's servers know a `blockList`: 22.13 and newer. */
const KNOWS_BLOCK_LISTS = Reflect.get(new Server({ blockList: new BlockList() } as object), 'blockList') !== undefined;

/**
 * What `net.Server` does before it makes a socket: whether this connection is one too many, which it says with `drop`, or the peer's address is on
 * its `blockList`. Then the connection is closed here.
 */
export function refuses(server: ServerInside, host: StackHost, id: ConnectionId): boolean {
  const { maxConnections, blockList } = server;
  const full =
    (maxConnections > 0 || (maxConnections === 0 && ZERO_IS_A_LIMIT)) && server._connections >= maxConnections;
  if (!full && !(KNOWS_BLOCK_LISTS && blockList && isBlocked(blockList, host, id))) return false;
  try {
    if (full) server.emit('drop', endpoints(host, id));
  } finally {
    // Whatever the program's listener did.
    host.stack.tcp.close(id);
    host.wake();
  }
  return true;
}

function isBlocked(blockList: NonNullable<ServerInside['blockList']>, host: StackHost, id: ConnectionId): boolean {
  const address = host.stack.net.formatAddress(host.stack.tcp.remoteAddress(id));
  return blockList.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
}

/** What `drop` says. */
function endpoints(host: StackHost, id: ConnectionId) {
  const { tcp, net } = host.stack;
  const local: Partial<Endpoint> = {};
  const remote: Partial<Endpoint> = {};
  fill(local, net.formatAddress(tcp.localAddress(id)), tcp.localPort(id));
  fill(remote, net.formatAddress(tcp.remoteAddress(id)), tcp.remotePort(id));
  return {
    localAddress: local.address,
    localPort: local.port,
    localFamily: local.family,
    remoteAddress: remote.address,
    remotePort: remote.port,
    remoteFamily: remote.family,
  };
}
