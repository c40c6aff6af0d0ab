import { formatIpv4Address } from '../../../stack/wire/ipv4.js';
import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { ScriptPacket, TcpPacket } from '../language/ast.js';
import { printPacket } from '../wire/print.js';
import type { SeenDatagram } from '../wire/read.js';
import type { Connections } from './connections.js';
import { secondsText } from './timing.js';

/** Before a failure, this many packets both ways tell the story. */
const KEPT = 10;

interface Entry {
  readonly timeUs: number;
  readonly arrived?: ScriptPacket;
  readonly sent?: SeenDatagram;
}

/** The last packets both ways, in the notation of scripts. */
export class PacketTrace {
  private readonly entries: Entry[] = [];

  constructor(private readonly connections: Connections) {}

  arrived(packet: ScriptPacket, timeUs: number): void {
    this.keep({ timeUs, arrived: packet });
  }

  sent(seen: SeenDatagram): void {
    this.keep({ timeUs: seen.timeUs, sent: seen });
  }

  lines(): string[] {
    return this.entries.map((entry) => this.line(entry));
  }

  get lastLine(): string {
    const entry = this.entries.at(-1);
    return entry === undefined ? '' : this.line(entry);
  }

  private line({ timeUs, arrived, sent }: Entry): string {
    const packet = arrived === undefined ? (sent === undefined ? '' : this.sentText(sent)) : printPacket(arrived);
    return `${secondsText(timeUs)} ${arrived === undefined ? '>' : '<'} ${packet}`;
  }

  /** In the script's numbers, where it is of a connection of the script. */
  sentText(seen: SeenDatagram): string {
    if (seen.fault !== undefined) return seen.fault;
    const { packet } = seen;
    if (packet === undefined) return 'a datagram that is neither TCP, UDP nor ICMP';
    if (packet.protocol !== 'tcp' || packet.ports === undefined) return printPacket(packet);
    const { source, destination } = seen;
    const socket = this.connections.bySent({ source, destination, ports: packet.ports });
    if (socket !== undefined) return printPacket(socket.toScript(socket.knowsLocal ? packet : fromZero(packet)));
    const ends = `${formatIpv4Address(source)}:${packet.ports.source} > ${formatIpv4Address(destination)}:${packet.ports.destination}`;
    return `${printPacket(packet)} (${ends}, of no connection of the script)`;
  }

  private keep(entry: Entry): void {
    this.entries.push(entry);
    if (this.entries.length > KEPT) this.entries.shift();
  }
}

/** Before the script has said what it calls the first sequence number, it is zero. */
function fromZero(packet: TcpPacket): TcpPacket {
  const { length } = packet.range;
  return (packet.flags & TcpFlag.SYN) === 0 ? packet : { ...packet, range: { start: 0, end: length, length } };
}
