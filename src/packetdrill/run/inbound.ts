import { Icmpv4Type } from '../../../stack/wire/icmpv4.js';
import { Ipv4 } from '../../../stack/wire/ipv4.js';
import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { IcmpPacket, PacketEvent, TcpPacket, UdpPacket } from '../language/ast.js';
import { ScriptError, Unsupported } from '../language/script-error.js';
import { buildIcmp, buildTcp, buildUdp, type Route } from '../wire/build.js';
import type { ScriptSocket } from './connections.js';
import type { Stage } from './stage.js';

/** Peers' ports: from here on, one for each connection to a listener. */
const FIRST_PEER_PORT = 40_000;

/** Where the script has no window, a peer offers what it can without scaling. */
const WINDOW_UNSAID = 65_535;

/** RFC 1122 §3.2.2: the messages that tell of a datagram, and quote it. */
const ERRORS: ReadonlySet<number> = new Set([
  Icmpv4Type.DESTINATION_UNREACHABLE,
  Icmpv4Type.SOURCE_QUENCH,
  Icmpv4Type.REDIRECT,
  Icmpv4Type.TIME_EXCEEDED,
  Icmpv4Type.PARAMETER_PROBLEM,
]);

/** A packet of the script arrives at the stack. */
export function inject(stage: Stage, event: PacketEvent): void {
  const { packet } = event;
  switch (packet.protocol) {
    case 'tcp':
      injectTcp(stage, event, packet);
      return;
    case 'udp':
      injectUdp(stage, event, packet);
      return;
    case 'icmp':
      injectIcmp(stage, event, packet);
  }
}

function injectTcp(stage: Stage, event: PacketEvent, packet: TcpPacket): void {
  const socket = child(stage, packet) ?? stranger(stage, packet) ?? ofScript(stage, event, packet);
  follow(socket, packet);
  const said = { ...packet, window: packet.window ?? socket.lastInjected?.window ?? WINDOW_UNSAID };
  socket.lastInjected = said;
  send(stage, event, buildTcp(socket.toWire(said), toStack(socket)));
}

/** A packet to a listener begins a connection of its own, which is then under test. */
function child(stage: Stage, packet: TcpPacket): ScriptSocket | undefined {
  const { connections, settings } = stage;
  const listener = connections.listenerFor(packet);
  if (listener === undefined) return undefined;
  const socket = connections.add();
  socket.state = 'passive-arrived';
  socket.live.localAddress = settings.localAddress;
  socket.live.localPort = listener.live.localPort;
  socket.live.remoteAddress = settings.remoteAddress;
  socket.live.remotePort = packet.ports?.source ?? FIRST_PEER_PORT + connections.all.length;
  socket.live.remoteIsn = packet.range.start;
  socket.script.remote = packet.range.start;
  if (packet.ports !== undefined)
    socket.script.ports = { source: packet.ports.destination, destination: packet.ports.source };
  return socket;
}

/** A packet that is of no connection reaches the stack all the same: to a port that is not listened on, or not yet. */
function stranger(stage: Stage, packet: TcpPacket | UdpPacket): ScriptSocket | undefined {
  const { connections, settings } = stage;
  const port = connections.strangerPort(packet, settings.bindPort);
  if (port === undefined) return undefined;
  const socket = connections.add();
  socket.state = 'stranger';
  socket.protocol = packet.protocol;
  socket.live.localAddress = settings.localAddress;
  socket.live.localPort = port;
  socket.live.remoteAddress = settings.remoteAddress;
  socket.live.remotePort = packet.ports?.source ?? FIRST_PEER_PORT + connections.all.length;
  if (packet.protocol === 'tcp' && (packet.flags & TcpFlag.SYN) !== 0) {
    socket.live.remoteIsn = packet.range.start;
    socket.script.remote = packet.range.start;
  }
  if (packet.ports !== undefined)
    socket.script.ports = { source: packet.ports.destination, destination: packet.ports.source };
  return socket;
}

function ofScript(stage: Stage, event: PacketEvent, packet: TcpPacket | UdpPacket): ScriptSocket {
  const socket = stage.connections.ofScript(packet.ports?.destination, packet.ports?.source, false);
  if (socket === undefined) throw new ScriptError(event.place, 'no socket of the script can be meant by this packet');
  return socket;
}

/** What an arriving segment tells of how far the connection is. */
function follow(socket: ScriptSocket, packet: TcpPacket): void {
  const syn = (packet.flags & TcpFlag.SYN) !== 0;
  const ack = (packet.flags & TcpFlag.ACK) !== 0;
  if (socket.state === 'passive-answered' && ack) {
    socket.state = 'passive-acked';
  } else if (socket.state === 'syn-sent' && syn) {
    socket.script.remote = packet.range.start;
    socket.live.remoteIsn = packet.range.start;
    if (ack) socket.state = 'syn-acked';
  }
}

function injectUdp(stage: Stage, event: PacketEvent, packet: UdpPacket): void {
  const socket = stranger(stage, packet) ?? ofScript(stage, event, packet);
  if (socket.protocol !== 'udp') throw new ScriptError(event.place, 'the socket under test is not one for UDP');
  send(stage, event, buildUdp(packet, toStack(socket)));
}

function injectIcmp(stage: Stage, event: PacketEvent, packet: IcmpPacket): void {
  const { connections, settings } = stage;
  if (packet.version === 6) throw new Unsupported(event.place, 'IPv6');
  const route: Route = {
    source: settings.remoteAddress,
    destination: settings.localAddress,
    sourcePort: 0,
    destinationPort: 0,
  };
  const socket = connections.ofScript(undefined, undefined, false);
  const quoted = packet.quoted ?? (socket === undefined ? undefined : unsaidQuote(packet, socket));
  if (quoted === undefined) {
    send(stage, event, buildIcmp(packet, route, undefined));
    return;
  }
  if (socket === undefined)
    throw new ScriptError(event.place, 'no socket of the script can have sent what this message quotes');
  const live = quoted.protocol === 'udp' ? quoted : { ...quoted, range: socket.quotedToWire(quoted.range) };
  send(
    stage,
    event,
    buildIcmp({ ...packet, quoted: live }, { ...route, source: socket.live.remoteAddress }, fromStack(socket)),
  );
}

/** An error that quotes nothing quotes the first byte of the connection, `[0:0(0)]`: so does packetdrill. Others quote nothing. */
function unsaidQuote({ type }: IcmpPacket, socket: ScriptSocket): IcmpPacket['quoted'] {
  if (!ERRORS.has(type)) return undefined;
  if (socket.protocol === 'udp') return { protocol: 'udp', length: 0 };
  return { protocol: 'tcp', range: { start: 0, end: 0, length: 0 } };
}

function send(stage: Stage, event: PacketEvent, datagram: Uint8Array): void {
  if (datagram.length > Ipv4.DATAGRAM_BYTES_MAX) {
    throw new ScriptError(
      event.place,
      `with its headers this packet has ${datagram.length} bytes; a datagram has ${Ipv4.DATAGRAM_BYTES_MAX} at most`,
    );
  }
  stage.trace.arrived(event.packet, stage.clock.nowUs);
  stage.tell(stage.trace.lastLine);
  stage.clock.deliver(datagram, event.place);
}

export function toStack({ live }: ScriptSocket): Route {
  return {
    source: live.remoteAddress,
    destination: live.localAddress,
    sourcePort: live.remotePort,
    destinationPort: live.localPort,
  };
}

function fromStack({ live }: ScriptSocket): Route {
  return {
    source: live.localAddress,
    destination: live.remoteAddress,
    sourcePort: live.localPort,
    destinationPort: live.remotePort,
  };
}
