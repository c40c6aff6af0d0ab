import { Ecn } from '../../../stack/wire/ipv4.js';
import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { IcmpPacket, IpMarks, ScriptPacket, TcpOption, TcpPacket, UdpPacket } from '../language/ast.js';
import { icmpText } from '../language/icmp-names.js';
import { printFlags } from './print.js';
import { printOption, printScriptOptions } from './tcp-options.js';

/** How much of a scripted segment the seen one is: the whole, or a piece when the script's is larger than a segment can be. */
export interface Piece {
  /** It begins the scripted one. */
  readonly first: boolean;
  readonly last: boolean;
  /** PSH is compared. */
  readonly push: boolean;
}

export const WHOLE: Piece = { first: true, last: true, push: true };

/**
 * Both in the script's numbers. Undefined when `seen` is what `expected` describes, else what differs, in words. Timestamp
 * values are compared elsewhere: they are mapped, not equal.
 */
export function difference(expected: ScriptPacket, seen: ScriptPacket, piece: Piece = WHOLE): string | undefined {
  if (expected.protocol !== seen.protocol) return differs('protocol', expected.protocol, seen.protocol);
  const marks = marksDifference(expected.marks, seen.marks);
  if (marks !== undefined) return marks;
  if (expected.protocol === 'tcp') return tcpDifference(expected, seen as TcpPacket, piece);
  if (expected.protocol === 'udp') return differs('payload bytes', expected.length, (seen as UdpPacket).length);
  return icmpDifference(expected, seen as IcmpPacket);
}

function tcpDifference(expected: TcpPacket, seen: TcpPacket, piece: Piece): string | undefined {
  const ignored = ignoredFlags(expected, piece);
  const range = piece.last && piece.first ? expected.range : seen.range;
  return (
    portsDifference(expected, seen) ??
    flagsDifference(expected.flags & ~ignored, seen.flags & ~ignored) ??
    differs('sequence number', piece.first ? expected.range.start : seen.range.start, seen.range.start) ??
    differs('payload bytes', range.length, seen.range.length) ??
    (expected.ack === undefined || (expected.flags & TcpFlag.ACK) === 0
      ? undefined
      : differs('acknowledgment number', expected.ack, seen.ack)) ??
    (expected.window === undefined ? undefined : differs('window', expected.window, seen.window)) ??
    differs('urgent pointer', expected.urgent ?? 0, seen.urgent ?? 0) ??
    optionsDifference(expected.options, seen.options ?? [])
  );
}

/**
 * A kernel hands a large segment to the device, which cuts it: FIN goes with the last piece, CWR with the first (RFC 3168 §6.1.2), unless it is a bit of an ACE field. PSH of the pieces tells
 * little: Linux sets it where a burst of two or more ends, and where that is depends on how much it may send at once, which no script writes down.
 */
function ignoredFlags(expected: TcpPacket, piece: Piece): number {
  const ace = (expected.flags & TcpFlag.AE) !== 0;
  return (piece.push ? 0 : TcpFlag.PSH) | (piece.last ? 0 : TcpFlag.FIN) | (piece.first || ace ? 0 : TcpFlag.CWR);
}

function flagsDifference(expected: number, seen: number): string | undefined {
  return expected === seen ? undefined : differs('flags', printFlags(expected), printFlags(seen));
}

/** Options count by kind, order and value; a timestamp's own value is left to whoever keeps the mapping. */
function optionsDifference(expected: readonly TcpOption[] | undefined, seen: readonly TcpOption[]): string | undefined {
  if (expected === undefined) return undefined;
  const same = expected.length === seen.length && expected.every((option, i) => sameOption(option, seen[i]));
  return same ? undefined : differs('options', `<${printScriptOptions(expected)}>`, `<${printScriptOptions(seen)}>`);
}

function sameOption(expected: TcpOption, seen: TcpOption): boolean {
  if (expected.kind === 'TS') return seen.kind === 'TS' && seen.ecr === expected.ecr;
  return printOption(expected) === printOption(seen);
}

function icmpDifference(expected: IcmpPacket, seen: IcmpPacket): string | undefined {
  return (
    differs(
      'ICMP message',
      icmpText(expected.version, expected.type, expected.code),
      icmpText(seen.version, seen.type, seen.code),
    ) ?? (expected.mtu === undefined ? undefined : differs('MTU', expected.mtu, seen.mtu))
  );
}

function portsDifference(expected: TcpPacket, seen: TcpPacket): string | undefined {
  if (expected.ports === undefined || seen.ports === undefined) return undefined;
  const text = ({ source, destination }: { source: number; destination: number }) => `${source} > ${destination}`;
  return differs('ports', text(expected.ports), text(seen.ports));
}

/** What is not written is not compared. With both a TOS and an ECN mark, the mark stands for the lower two bits. */
function marksDifference(expected: IpMarks, seen: IpMarks): string | undefined {
  if (expected.ecn === 'ect01') {
    if (seen.ecn !== 'ect0' && seen.ecn !== 'ect1') return differs('ECN', 'ect0 or ect1', seen.ecn ?? 'noecn');
  } else if (expected.ecn !== undefined && expected.ecn !== seen.ecn) {
    return differs('ECN', expected.ecn, seen.ecn ?? 'noecn');
  }
  const mask = expected.ecn === undefined ? 0xff : ~Ecn.MASK & 0xff;
  const tos = (value = 0) => `0x${(value & mask).toString(16)}`;
  return (
    (expected.tos === undefined ? undefined : differs('TOS', tos(expected.tos), tos(seen.tos))) ??
    (expected.ttl === undefined ? undefined : differs('TTL', expected.ttl, seen.ttl))
  );
}

function differs(what: string, expected: unknown, seen: unknown): string | undefined {
  return expected === seen ? undefined : `${what}: expected ${expected}, seen ${seen ?? 'none'}`;
}
