import { TcpFlag } from '../../../stack/wire/tcp.js';
import type { EcnMark, IcmpPacket, IpMarks, Ports, ScriptPacket, SequenceRange, TcpPacket, UdpPacket } from './ast.js';
import type { Cursor } from './cursor.js';
import { icmpCode, icmpType, icmpTypeNames } from './icmp-names.js';
import { parseTcpOptions } from './parse-options.js';
import { Unsupported } from './script-error.js';

export type Direction = 'inbound' | 'outbound';

const FLAGS = /[A-Za-z0-9.-]+/y;
const PORTS = /[0-9]+\s*>\s*[0-9]+/y;
/** Headers around or instead of those we have. `ipv4 1.1.1.1 > 2.2.2.2:` opens a tunnel. */
const FOREIGN = /^(?:sctp|udplite|gre|mpls|ipv4|ipv6|ip|esp|ah|dccp)$/;

/** What stands behind `<` or `>`. */
export function parsePacket(cursor: Cursor, direction: Direction): ScriptPacket {
  const marks = parseMarks(cursor, direction);
  const begin = cursor.at;
  const word = cursor.peekWord();
  if (word === 'icmp' || word === 'icmpv4') {
    cursor.takesWord(word);
    return parseIcmp(cursor, marks, word === 'icmp' ? cursor.ipVersion : 4);
  }
  if (word === 'icmpv6' || word === 'icmp6') {
    cursor.takesWord(word);
    return parseIcmp(cursor, marks, 6);
  }
  if (word !== undefined && FOREIGN.test(word)) throw new Unsupported(cursor.place(begin), `packets of ${word}`);
  const ports = parsePorts(cursor);
  if (cursor.takesWord('udp')) return parseUdp(cursor, marks, ports);
  return parseTcp(cursor, marks, ports, direction);
}

function parseTcp(cursor: Cursor, marks: IpMarks, ports: Ports | undefined, direction: Direction): TcpPacket {
  const flags = parseFlags(cursor);
  const range = parseRange(cursor);
  // Without the flag the field is sent all the same: scripts test what a stray number does. With the flag alone packetdrill takes 0.
  const unsaid = (flags & TcpFlag.ACK) === 0 ? undefined : 0;
  const ack = cursor.takesWord('ack') ? cursor.integer('an acknowledgment number') : unsaid;
  const window = cursor.takesWord('win') ? cursor.integer('a window', 0xffff) : undefined;
  const urgent = cursor.takesWord('urg') ? cursor.integer('an urgent pointer', 0xffff) : undefined;
  cursor.skip();
  const optionsAt = cursor.at;
  const options = cursor.sees('<') ? parseTcpOptions(cursor) : [];
  if (options === undefined && direction === 'inbound')
    cursor.refuse('<...> is for outbound packets: what arrives must be said', optionsAt);
  if (cursor.sees('/')) throw new Unsupported(cursor.place(), 'packets in UDP encapsulation');
  return { protocol: 'tcp', marks, ports, flags, range, ack, window, urgent, options };
}

/** `S.`, `FP.`, `-`, `SEWA`; a digit is the ACE field of RFC 9768, whose bits are AE, CWR and ECE. */
function parseFlags(cursor: Cursor): number {
  cursor.skip();
  const begin = cursor.at;
  const text = cursor.match(FLAGS);
  if (text === undefined) cursor.fail('TCP flags such as "S.", "P." or "."');
  let flags = 0;
  for (let i = 0; i < text.length; i++) {
    const bits = FLAG_LETTERS[text[i]];
    if (bits === undefined)
      cursor.refuse(
        `"${text}" is neither TCP flags (letters of FSRPUEWA, "." for ACK, "-" for none) nor a protocol`,
        begin,
      );
    flags |= bits;
  }
  cursor.at += text.length;
  return flags;
}

const FLAG_LETTERS: Readonly<Record<string, number>> = {
  F: TcpFlag.FIN,
  S: TcpFlag.SYN,
  R: TcpFlag.RST,
  P: TcpFlag.PSH,
  U: TcpFlag.URG,
  E: TcpFlag.ECE,
  W: TcpFlag.CWR,
  C: TcpFlag.CWR,
  A: TcpFlag.AE,
  '.': TcpFlag.ACK,
  '-': 0,
  0: 0,
  1: TcpFlag.ECE,
  2: TcpFlag.CWR,
  3: TcpFlag.CWR | TcpFlag.ECE,
  4: TcpFlag.AE,
  5: TcpFlag.AE | TcpFlag.ECE,
  6: TcpFlag.AE | TcpFlag.CWR,
  7: TcpFlag.AE | TcpFlag.CWR | TcpFlag.ECE,
};

/** `1:1001(1000)` */
function parseRange(cursor: Cursor): SequenceRange {
  cursor.skip();
  const begin = cursor.at;
  const start = cursor.integer('a sequence number');
  cursor.expect(':');
  const end = cursor.integer('the sequence number behind the last byte');
  cursor.expect('(');
  const length = cursor.integer('a number of bytes', 65_535);
  cursor.expect(')');
  if ((start + length) >>> 0 !== end) {
    cursor.refuse(`${start} and ${length} bytes make ${(start + length) >>> 0}, not ${end}`, begin);
  }
  return { start, end, length };
}

function parseUdp(cursor: Cursor, marks: IpMarks, ports: Ports | undefined): UdpPacket {
  const inner = ports ?? parsePorts(cursor);
  cursor.expect('(');
  const length = cursor.integer('a number of bytes', 65_507);
  cursor.expect(')');
  return { protocol: 'udp', marks, ports: inner, length };
}

function parsePorts(cursor: Cursor): Ports | undefined {
  cursor.skip();
  if (cursor.match(PORTS) === undefined) return undefined;
  const source = cursor.integer('a port', 65_535);
  cursor.expect('>');
  return { source, destination: cursor.integer('a port', 65_535) };
}

/** `icmp unreachable frag_needed mtu 1400 [1:1461(1460)]`, behind the `icmp`. */
function parseIcmp(cursor: Cursor, marks: IpMarks, version: 4 | 6): IcmpPacket {
  cursor.skip();
  const begin = cursor.at;
  const type = numbered(cursor, 'type') ?? icmpType(version, meant(cursor, cursor.word('an ICMP type')));
  if (type === undefined)
    cursor.refuse(
      `"${cursor.text.slice(begin, cursor.at)}" is no ICMP type: known are ${icmpTypeNames(version)}`,
      begin,
    );
  let code = 0;
  let mtu: number | undefined;
  let id = 0;
  let seq = 0;
  for (;;) {
    const at = cursor.at;
    const given = numbered(cursor, 'code');
    if (given !== undefined) {
      code = given;
      continue;
    }
    const word = cursor.peekWord();
    if (word === undefined) break;
    cursor.takesWord(word);
    if (word === 'mtu') mtu = cursor.integer('an MTU', 0xffff);
    else if (word === 'id') id = cursor.integer('an identifier', 0xffff);
    else if (word === 'seq') seq = cursor.integer('a sequence number', 0xffff);
    else {
      const named = icmpCode(version, type, meant(cursor, word));
      if (named === undefined) cursor.refuse(`"${word}" is no code of this ICMP type`, at);
      code = named;
    }
  }
  return { protocol: 'icmp', version, marks, type, code, mtu, id, seq, quoted: parseQuoted(cursor) };
}

/** What a word stands for, where it is defined; else itself. */
function meant(cursor: Cursor, word: string): string {
  return cursor.names?.text(word, cursor.place(cursor.at - word.length)) ?? word;
}

/** `type=3` and `code=4`, or the bare number for a type. */
function numbered(cursor: Cursor, name: string): number | undefined {
  const before = cursor.at;
  if (cursor.takesWord(name) && cursor.takes('=')) return cursor.integer(`an ICMP ${name}`, 255);
  cursor.at = before;
  return cursor.peekInteger() ? cursor.integer(`an ICMP ${name}`, 255) : undefined;
}

function parseQuoted(cursor: Cursor): IcmpPacket['quoted'] {
  if (!cursor.takes('[')) return undefined;
  let quoted: IcmpPacket['quoted'];
  if (cursor.takesWord('udp')) {
    cursor.expect('(');
    quoted = { protocol: 'udp', length: cursor.integer('a number of bytes', 65_507) };
    cursor.expect(')');
  } else {
    quoted = { protocol: 'tcp', range: parseRange(cursor) };
  }
  cursor.expect(']');
  return quoted;
}

const ECN_MARKS: Readonly<Record<string, EcnMark>> = {
  noecn: 'noecn',
  ect0: 'ect0',
  ect1: 'ect1',
  ect01: 'ect01',
  ce: 'ce',
};

/** `[ect0]`, `[tos 0x10, ttl 64]`, the same in parentheses; empty where none are written. */
function parseMarks(cursor: Cursor, direction: Direction): IpMarks {
  const open = cursor.sees('[') ? '[' : cursor.sees('(') ? '(' : undefined;
  if (open === undefined) return {};
  cursor.takes(open);
  const close = open === '[' ? ']' : ')';
  let marks: IpMarks = {};
  while (!cursor.takes(close)) {
    cursor.skip();
    const begin = cursor.at;
    const word = cursor.word(
      `a mark of the IP header (ect0, ect1, ect01, ce, noecn, tos N, ttl N, flowlabel N) or "${close}"`,
    );
    const ecn = ECN_MARKS[word];
    if (ecn !== undefined) {
      if (ecn === 'ect01' && direction === 'inbound')
        cursor.refuse('ect01 is either of two: for outbound packets only', begin);
      marks = { ...marks, ecn };
    } else if (word === 'tos' || word === 'tclass') {
      marks = { ...marks, tos: cursor.integer('a type of service', 255) };
    } else if (word === 'ttl' || word === 'hlim') {
      marks = { ...marks, ttl: cursor.integer('a time to live', 255) };
    } else if (word === 'flowlabel') {
      marks = { ...marks, flowLabel: cursor.integer('a flow label', 0xf_ffff) };
    } else {
      cursor.refuse(`"${word}" is no mark of the IP header`, begin);
    }
    cursor.takes(',');
  }
  return marks;
}
