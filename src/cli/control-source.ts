import type { Address } from '../../stack/base/units.js';
import type { TcpInfo } from '../../stack/tcp/info.js';
import { stateName } from '../../stack/tcp/state.js';
import { verdictName, verdicts } from '../../stack/wire/verdict-text.js';
import type { Host } from '../host/host.js';
import type { SocketInfo, SocketRow, StatsRow } from './control-protocol.js';
import type { ControlSource } from './control-server.js';

/** Answers from a running host. Connections come and go while they are listed: each row is true at its own moment. */
export function stackSource(host: Host): ControlSource {
  return {
    sockets: ({ listening, connected, info }) => sockets(host, listening, connected, info),
    stats: () => stats(host),
  };
}

function* sockets(host: Host, listening: boolean, connected: boolean, info: boolean): Generator<SocketRow> {
  if (listening) yield* listeners(host);
  if (listening) yield* datagramSockets(host);
  if (connected) yield* connections(host, info);
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

function* connections(host: Host, info: boolean): Generator<SocketRow> {
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
    };
  }
}

function* datagramSockets(host: Host): Generator<SocketRow> {
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
    };
  }
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
