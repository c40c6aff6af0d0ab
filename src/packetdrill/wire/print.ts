import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { IpMarks, ScriptPacket } from '../language/ast.js';
import { icmpText } from '../language/icmp-names.js';
import { printScriptOptions } from './tcp-options.js';

const LETTERS: readonly (readonly [number, string])[] = [
  [TcpFlag.FIN, 'F'],
  [TcpFlag.SYN, 'S'],
  [TcpFlag.RST, 'R'],
  [TcpFlag.PSH, 'P'],
  [TcpFlag.URG, 'U'],
  [TcpFlag.ECE, 'E'],
  [TcpFlag.CWR, 'W'],
  [TcpFlag.AE, 'A'],
  [TcpFlag.ACK, '.'],
];

/** `S.`; `-` for none. */
export function printFlags(flags: number): string {
  const text = LETTERS.filter(([bit]) => (flags & bit) !== 0).map(([, letter]) => letter);
  return text.length === 0 ? '-' : text.join('');
}

/** A packet in the notation of scripts, without time and direction. Of the marks of its IP header those that `asked` has, too. */
export function printPacket(packet: ScriptPacket, asked: IpMarks = {}): string {
  const head = printMarks(packet.marks, asked);
  switch (packet.protocol) {
    case 'tcp': {
      const { start, end, length } = packet.range;
      const parts = [`${printFlags(packet.flags)} ${start}:${end}(${length})`];
      if (packet.ack !== undefined) parts.push(`ack ${packet.ack}`);
      if (packet.window !== undefined) parts.push(`win ${packet.window}`);
      if (packet.urgent !== undefined) parts.push(`urg ${packet.urgent}`);
      if (packet.options === undefined) parts.push('<...>');
      else if (packet.options.length > 0) parts.push(`<${printScriptOptions(packet.options)}>`);
      return head + parts.join(' ');
    }
    case 'udp':
      return `${head}udp (${packet.length})`;
    case 'icmp': {
      const mtu = packet.mtu === undefined ? '' : ` mtu ${packet.mtu}`;
      const name = packet.version === 4 ? 'icmp' : 'icmpv6';
      const quoted =
        packet.quoted === undefined
          ? ''
          : packet.quoted.protocol === 'udp'
            ? ` [udp (${packet.quoted.length})]`
            : ` [${packet.quoted.range.start}:${packet.quoted.range.end}(${packet.quoted.range.length})]`;
      return `${head}${name} ${icmpText(packet.version, packet.type, packet.code)}${mtu}${quoted}`;
    }
  }
}

function printMarks(marks: IpMarks, asked: IpMarks): string {
  const parts: string[] = [];
  if (asked.ecn !== undefined && marks.ecn !== undefined) parts.push(marks.ecn);
  if (asked.tos !== undefined && marks.tos !== undefined) parts.push(`tos 0x${marks.tos.toString(16)}`);
  if (asked.ttl !== undefined && marks.ttl !== undefined) parts.push(`ttl ${marks.ttl}`);
  return parts.length === 0 ? '' : `[${parts.join(', ')}] `;
}
