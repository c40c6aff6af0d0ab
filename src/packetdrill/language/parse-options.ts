import type { SackBlock, TcpOption } from './ast.js';
import type { Cursor } from './cursor.js';
import { Unsupported } from './script-error.js';

/** Options that other packetdrills know, with the protocol or the extension they belong to. */
const ELSEWHERE: readonly (readonly [RegExp, string])[] = [
  [/^(?:mp_|mptcp|add_addr|remove_addr|dss)/i, 'MPTCP'],
  [/^(?:tcp_)?ao$/i, 'RFC 5925'],
  [/^tarr$/i, 'an experiment with the rate of ACKs'],
  [/^edo$/i, 'an experiment with longer headers'],
];

/** `<mss 1460,nop,…>`, at the `<`; undefined for `<...>`. */
export function parseTcpOptions(cursor: Cursor): readonly TcpOption[] | undefined {
  const begin = cursor.at;
  cursor.expect('<');
  if (cursor.takes('...')) {
    cursor.expect('>');
    return undefined;
  }
  const options: TcpOption[] = [];
  let bytes = 0;
  if (!cursor.takes('>')) {
    do {
      const option = parseOption(cursor);
      options.push(option);
      bytes += optionBytes(option);
    } while (cursor.takes(','));
    if (!cursor.takes('>')) cursor.fail('"," or ">" after a TCP option');
  }
  if (bytes % 4 !== 0)
    cursor.refuse(`these options take ${bytes} bytes: pad them to a multiple of four with nop`, begin);
  if (bytes > 40) cursor.refuse(`these options take ${bytes} bytes; a header has room for 40`, begin);
  return options;
}

export function optionBytes(option: TcpOption): number {
  switch (option.kind) {
    case 'nop':
    case 'eol':
      return 1;
    case 'sackOK':
      return 2;
    case 'wscale':
      return 3;
    case 'mss':
      return 4;
    case 'TS':
      return 10;
    case 'md5':
      return 18;
    case 'sack':
      return 2 + option.blocks.length * 8;
    case 'FO':
      return (option.experimental ? 4 : 2) + option.cookie.length / 2;
    case 'ECN':
      return 2 + option.counters.length * 3;
    case 'other':
      return 2 + option.data.length / 2;
  }
}

function parseOption(cursor: Cursor): TcpOption {
  const begin = cursor.at;
  const word = cursor.word('a TCP option');
  switch (word) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return { kind: word };
    case 'mss':
      return { kind: 'mss', value: cursor.integer('an MSS', 0xffff) };
    case 'wscale':
      return { kind: 'wscale', value: cursor.integer('a window scale', 255) };
    case 'TS': {
      cursor.takesWord('val') || cursor.fail('"val"');
      const val = cursor.integer('a timestamp');
      cursor.takesWord('ecr') || cursor.fail('"ecr"');
      return { kind: 'TS', val, ecr: cursor.integer('a timestamp') };
    }
    case 'sack':
      return { kind: 'sack', blocks: parseBlocks(cursor) };
    case 'FO':
    case 'FOEXP':
      cursor.takesWord('cookie');
      return { kind: 'FO', experimental: word === 'FOEXP', cookie: cursor.hex('a Fast Open cookie') };
    case 'md5':
      return parseMd5(cursor);
    case 'ECN':
      return parseEcn(cursor);
    case 'kind': {
      const number = cursor.integer('the kind of an option', 255);
      return { kind: 'other', number, data: cursor.hex('the data of an option') };
    }
    default:
      for (const [form, of] of ELSEWHERE) {
        if (form.test(word)) throw new Unsupported(cursor.place(begin), `the TCP option ${word} (${of})`);
      }
      cursor.at = begin;
      return cursor.fail('a TCP option (mss, wscale, sackOK, sack, TS, nop, eol, FO, FOEXP, md5, ECN or kind N)');
  }
}

/** `1:1001 2001:3001`; an older form counts the blocks and puts each into braces: `sack 2 {1:2}{3:4}`. */
function parseBlocks(cursor: Cursor): SackBlock[] {
  const blocks: SackBlock[] = [];
  cursor.skip();
  const counted = cursor.match(/\d+\s*\{/y);
  if (counted !== undefined) cursor.integer('a number of blocks');
  while (cursor.peekInteger() || cursor.sees('{')) {
    const braced = cursor.takes('{');
    const left = cursor.integer('the left edge of a SACK block');
    cursor.expect(':');
    blocks.push({ left, right: cursor.integer('the right edge of a SACK block') });
    if (braced) cursor.expect('}');
  }
  if (blocks.length === 0) cursor.fail('a SACK block such as 1001:2001');
  return blocks;
}

function parseMd5(cursor: Cursor): TcpOption {
  cursor.skip();
  const begin = cursor.at;
  const digest = cursor.hex('an MD5 digest');
  if (digest !== '' && digest.length !== 32) cursor.refuse('an MD5 digest has 32 hexadecimal digits', begin);
  return { kind: 'md5', digest: digest === '' ? '0'.repeat(32) : digest };
}

/** `ECN e1b 1 ceb 0 e0b 1`: the first counter tells the order, and so the kind (RFC 9768 §3.2.3). */
function parseEcn(cursor: Cursor): TcpOption {
  const begin = cursor.at;
  const first = cursor.peekWord();
  const order = first === 'e0b' ? ['e0b', 'ceb', 'e1b'] : ['e1b', 'ceb', 'e0b'];
  const counters: number[] = [];
  while (counters.length < 3 && cursor.takesWord(order[counters.length])) {
    counters.push(cursor.integer('a counter of AccECN', 0xff_ffff));
  }
  const more = cursor.peekWord();
  if (more !== undefined) cursor.refuse(`AccECN counters come as ${order.join(', ')}, or its reverse`, begin);
  return { kind: 'ECN', first: order[0] as 'e0b' | 'e1b', counters };
}
