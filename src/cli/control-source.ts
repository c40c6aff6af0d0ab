import type { Address, ConnectionId, UdpId } from '../../stack/base/units.js';
import type { TcpInfo } from '../../stack/tcp/info.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { stateName } from '../../stack/tcp/state.js';
import { UdpOption } from '../../stack/udp/options.js';
import { verdictName, verdicts } from '../../stack/wire/verdict-text.js';
import type { Host } from '../host/host.js';
import type { SocketInfo, SocketMemory, SocketRow, StatsRow } from './control-protocol.js';
import type { ControlSource } from './control-server.js';

/** Answers from a running host. Connections come and go while they are listed: each row is true at its own moment. */
export function stackSource(host: Host): ControlSource {
  return {
    sockets: ({ listening, connected, info, memory }) => sockets(host, listening, connected, info, memory),
    stats: () => stats(host),
    pools: () => host.stack.pools().map((pool) => ({ type: 'pool', ...pool })),
  };
}

function* sockets(
  host: Host,
  listening: boolean,
  connected: boolean,
  info: boolean,
  memory: boolean,
): Generator<SocketRow> {
  if (listening) yield* listeners(host);
  if (listening) yield* datagramSockets(host, memory);
  if (connected) yield* connections(host, info, memory);
}

function* listeners(host: Host): Generator<SocketRow> {
  const { tcp, net } = host.stack;
  for (const id of tcp.listeners()) {
    const listener = tcp.listenerInfo(id);
    yield {
      type: 'socket',
      protocol: 'tcp',
      state: 'LISTEN',
      receiveQueue: listener.waiting,
      sendQueue: listener.backlog,
      localAddress: net.formatAddress(listener.address),
      localPort: listener.port,
      remoteAddress: '',
      remotePort: 0,
    };
  }
}

function* connections(host: Host, info: boolean, memory: boolean): Generator<SocketRow> {
  const { tcp, net } = host.stack;
  const text = (address: Address): string => net.formatAddress(address);
  for (const id of tcp.connections()) {
    yield {
      type: 'socket',
      protocol: 'tcp',
      state: stateName(tcp.state(id)),
      receiveQueue: tcp.readable(id),
      sendQueue: tcp.unacknowledged(id),
      localAddress: text(tcp.localAddress(id)),
      localPort: tcp.localPort(id),
      remoteAddress: text(tcp.remoteAddress(id)),
      remotePort: tcp.remotePort(id),
      ...(info ? { info: withoutNames(tcp.info(id)) } : {}),
      ...(memory ? { memory: streamMemory(host, id) } : {}),
    };
  }
}

function* datagramSockets(host: Host, memory: boolean): Generator<SocketRow> {
  const { udp, net } = host.stack;
  for (const id of udp.sockets()) {
    const connected = udp.remotePort(id) !== 0;
    yield {
      type: 'socket',
      protocol: 'udp',
      // As ss has them: a socket that talks to one peer only, and one that hears everybody.
      state: connected ? 'ESTABLISHED' : 'UNCONNECTED',
      receiveQueue: udp.queuedBytes(id),
      sendQueue: 0,
      localAddress: net.formatAddress(udp.localAddress(id)),
      localPort: udp.localPort(id),
      remoteAddress: connected ? net.formatAddress(udp.remoteAddress(id)) : '',
      remotePort: udp.remotePort(id),
      ...(memory ? { memory: datagramMemory(host, id) } : {}),
    };
  }
}

function streamMemory({ stack: { tcp } }: Host, id: ConnectionId): SocketMemory {
  const sendBytes = tcp.unacknowledged(id);
  return {
    receiveBytes: tcp.readable(id),
    receiveBytesMax: tcp.getOption(id, TcpOption.RECEIVE_BYTES),
    inFlightBytes: sendBytes - tcp.unsent(id),
    sendBytes,
    sendBytesMax: tcp.getOption(id, TcpOption.SEND_BYTES),
    drops: 0,
  };
}

/** Datagrams are handed to the link as they are sent: none waits in a socket. */
function datagramMemory({ stack: { udp } }: Host, id: UdpId): SocketMemory {
  return {
    receiveBytes: udp.memoryBytes(id),
    receiveBytesMax: udp.getOption(id, UdpOption.RECEIVE_BYTES_MAX),
    inFlightBytes: 0,
    sendBytes: 0,
    sendBytesMax: 0,
    drops: udp.drops(id),
  };
}

function withoutNames(info: TcpInfo): SocketInfo {
  const { localAddress, localPort, remoteAddress, remotePort, recvQueueBytes, sendQueueBytes, ...rest } = info;
  return rest;
}

function stats(host: Host): StatsRow {
  const { stats: counters } = host.stack.net;
  const reached: Record<string, number> = {};
  for (const verdict of verdicts()) {
    const count = counters.verdicts[verdict];
    if (count > 0) reached[verdictName(verdict)] = count;
  }
  const interfaces: Record<string, Record<string, number>> = {};
  for (const { iface } of host.attachments) interfaces[iface.name] = { ...iface.counters };
  return {
    type: 'stats',
    sockets: host.stack.tcp.counts,
    counters: counters.snapshot(),
    verdicts: reached,
    interfaces,
  };
}
