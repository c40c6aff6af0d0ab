import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { Ports, TcpOption, TcpPacket, UdpPacket } from '../language/ast.js';

/** How far a socket of the script has come: what decides which packets are of it. */
export type SocketState =
  | 'new'
  | 'listening'
  /** A packet arrived at a listener: the child's first. */
  | 'passive-arrived'
  | 'passive-answered'
  | 'passive-acked'
  | 'connecting'
  | 'syn-sent'
  | 'syn-acked'
  /** Of a packet to a port where nothing listens: its answer counts from zero. */
  | 'stranger';

export class ScriptSocket {
  state: SocketState = 'new';
  /** Undefined while nobody has a descriptor of it. */
  scriptFd: number | undefined;
  liveFd: number | undefined;
  closed = false;
  protocol: 'tcp' | 'udp' = 'tcp';
  /** Whether the script gave ports, which then tell its sockets apart. */
  readonly script: { ports: Ports | undefined; local: number; remote: number } = {
    ports: undefined,
    local: 0,
    remote: 0,
  };
  /** int32 addresses. */
  readonly live = { localAddress: 0, localPort: 0, remoteAddress: 0, remotePort: 0, localIsn: 0, remoteIsn: 0 };
  /** Timestamps of the stack by what the script calls them. */
  private readonly timestamps = new Map<number, number>();
  firstTimestamp: { readonly script: number; readonly live: number; readonly scriptUs: number } | undefined;
  lastInjected: TcpPacket | undefined;
  lastSeen: TcpPacket | undefined;

  /** The stack's initial sequence number was seen, and the script has its own for it. */
  get knowsLocal(): boolean {
    return this.state !== 'passive-arrived' && this.state !== 'connecting';
  }

  get onWire(): boolean {
    return this.protocol === 'udp' || (this.state !== 'new' && this.state !== 'listening');
  }

  /**
   * From a script's number to the wire's. In SYNs a script writes initial sequence numbers as they are, so they are moved by the
   * difference; in all others numbers count from the initial one.
   */
  private localOffset(syn: boolean): number {
    return syn ? this.live.localIsn - this.script.local : this.live.localIsn;
  }

  private remoteOffset(syn: boolean): number {
    return syn ? this.live.remoteIsn - this.script.remote : this.live.remoteIsn;
  }

  /** A new connection from the same socket: nothing of the one before it holds. */
  connecting(): void {
    this.state = 'connecting';
    this.script.ports = undefined;
    this.timestamps.clear();
    this.firstTimestamp = undefined;
    this.lastInjected = undefined;
    this.lastSeen = undefined;
  }

  /** A segment that will arrive, in the wire's numbers. */
  toWire(packet: TcpPacket): TcpPacket {
    const syn = (packet.flags & TcpFlag.SYN) !== 0;
    const remote = this.remoteOffset(syn);
    const local = this.localOffset(syn);
    return {
      ...packet,
      range: moved(packet.range, remote),
      // A number without the flag says nothing of this connection.
      ack: packet.ack === undefined || (packet.flags & TcpFlag.ACK) === 0 ? packet.ack : (packet.ack + local) >>> 0,
      options: packet.options?.map((option) => this.optionToWire(option)),
    };
  }

  private optionToWire(option: TcpOption): TcpOption {
    if (option.kind === 'sack') return { ...option, blocks: movedBlocks(option.blocks, this.localOffset(false)) };
    if (option.kind === 'TS') return { ...option, ecr: this.timestamps.get(option.ecr) ?? option.ecr };
    return option;
  }

  /** A segment the stack sent, in the script's numbers. Its timestamp is still the stack's. */
  toScript(packet: TcpPacket): TcpPacket {
    const syn = (packet.flags & TcpFlag.SYN) !== 0;
    const local = this.localOffset(syn);
    const remote = this.remoteOffset(syn);
    return {
      ...packet,
      range: moved(packet.range, -local),
      ack: packet.ack === undefined ? undefined : (packet.ack - remote) >>> 0,
      options: packet.options?.map((option) =>
        option.kind === 'sack' ? { ...option, blocks: movedBlocks(option.blocks, -this.remoteOffset(false)) } : option,
      ),
    };
  }

  /** The sequence range of a packet of ours that an ICMP message quotes, in the wire's numbers. */
  quotedToWire(range: TcpPacket['range']): TcpPacket['range'] {
    return moved(range, this.localOffset(false));
  }

  mapTimestamp(script: number, live: number): void {
    this.timestamps.set(script, live);
  }
}

function moved(range: TcpPacket['range'], by: number): TcpPacket['range'] {
  return { start: (range.start + by) >>> 0, end: (range.end + by) >>> 0, length: range.length };
}

function movedBlocks<T extends { readonly left: number; readonly right: number }>(blocks: readonly T[], by: number) {
  return blocks.map(({ left, right }) => ({ left: (left + by) >>> 0, right: (right + by) >>> 0 }));
}

/** What a datagram says of whom it is of. */
interface Tuple {
  readonly source: number;
  readonly destination: number;
  readonly ports: Ports;
}

/** The sockets of a script, and which of them a packet is of. */
export class Connections {
  readonly all: ScriptSocket[] = [];
  /** As packetdrill has it: the one that was made last, by a call or by a packet to a listener. */
  underTest: ScriptSocket | undefined;

  add(): ScriptSocket {
    const socket = new ScriptSocket();
    this.all.push(socket);
    this.underTest = socket;
    return socket;
  }

  byFd(scriptFd: number): ScriptSocket | undefined {
    return this.all.findLast((socket) => socket.scriptFd === scriptFd && !socket.closed);
  }

  /** The child that accept() gave: known by the peer's port, which is different for each. */
  byPeer(remoteAddress: number, remotePort: number): ScriptSocket | undefined {
    return this.all.findLast(
      (socket) =>
        socket.liveFd === undefined &&
        socket.live.remoteAddress === remoteAddress &&
        socket.live.remotePort === remotePort,
    );
  }

  /** Whom a datagram of the stack is of. Of a connecting socket nobody knows the port yet. */
  bySent({ source, destination, ports }: Tuple): ScriptSocket | undefined {
    const toPeer = (socket: ScriptSocket) =>
      socket.live.remoteAddress === destination && socket.live.remotePort === ports.destination;
    return (
      this.all.findLast(
        (socket) =>
          socket.onWire &&
          socket.state !== 'connecting' &&
          toPeer(socket) &&
          socket.live.localAddress === source &&
          socket.live.localPort === ports.source,
      ) ?? this.all.findLast((socket) => socket.state === 'connecting' && toPeer(socket))
    );
  }

  /** The socket listens; where the last word was a packet that nobody listened for, it is under test again. */
  listens(socket: ScriptSocket): void {
    socket.state = 'listening';
    if (this.underTest?.state === 'stranger') this.underTest = socket;
  }

  /** The listener that a script's inbound packet is for, when it begins a connection. */
  listenerFor(packet: TcpPacket): ScriptSocket | undefined {
    const { underTest } = this;
    if (packet.ports === undefined) return underTest?.state === 'listening' ? underTest : undefined;
    const known = this.byScriptPorts(packet.ports.destination, packet.ports.source);
    if (known !== undefined && known.state !== 'stranger') return undefined;
    const { destination } = packet.ports;
    return this.all.findLast(
      (socket) => socket.state === 'listening' && !socket.closed && socket.live.localPort === destination,
    );
  }

  /** Which socket a script's packet is of. Ports tell, where they are written; else it is the one under test. */
  ofScript(local: number | undefined, remote: number | undefined, connecting: boolean): ScriptSocket | undefined {
    if (local !== undefined && remote !== undefined) {
      const known = this.byScriptPorts(local, remote);
      if (known !== undefined) return known;
      if (connecting) {
        const fresh = this.all.findLast((socket) => socket.state === 'connecting' && socket.script.ports === undefined);
        if (fresh !== undefined) return fresh;
      }
    }
    const { underTest } = this;
    if (underTest?.onWire === true) return underTest;
    return this.all.findLast((socket) => socket.onWire);
  }

  /**
   * The port that a packet is for which no connection of the script can be meant by: a SYN while the socket under test does not listen yet, a
   * packet before there is any connection, or one with ports that are nobody's. Undefined when it is of a connection.
   */
  strangerPort(packet: TcpPacket | UdpPacket, bindPort: number): number | undefined {
    const { underTest } = this;
    const bound = underTest === undefined || underTest.live.localPort === 0 ? bindPort : underTest.live.localPort;
    const opens = packet.protocol === 'tcp' && (packet.flags & (TcpFlag.SYN | TcpFlag.ACK)) === TcpFlag.SYN;
    if (packet.ports === undefined) {
      const early = opens && underTest?.state === 'new' && underTest.protocol === 'tcp';
      return early || this.ofScript(undefined, undefined, false) === undefined ? bound : undefined;
    }
    const { source, destination } = packet.ports;
    if (this.byScriptPorts(destination, source) !== undefined) return undefined;
    const meant = this.ofScript(destination, source, false);
    // Of a socket that connects the script cannot know the port: it may call it what it likes.
    const free = meant !== undefined && meant.script.ports === undefined;
    const elsewhere = meant?.state.startsWith('passive') === true && meant.live.localPort !== destination;
    return free && !elsewhere ? undefined : destination;
  }

  private byScriptPorts(local: number, remote: number): ScriptSocket | undefined {
    return this.all.findLast(
      ({ script: { ports } }) => ports !== undefined && ports.source === local && ports.destination === remote,
    );
  }

  /** Whose TCP_INFO a code block sees: the socket under test, or the last that has a descriptor. */
  forCode(): ScriptSocket | undefined {
    const usable = (socket: ScriptSocket | undefined) => socket?.liveFd !== undefined && !socket.closed;
    return usable(this.underTest) ? this.underTest : this.all.findLast(usable);
  }
}
