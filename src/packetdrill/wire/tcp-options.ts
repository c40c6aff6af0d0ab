import { TcpOptionKind } from '../../../stack/wire/tcp-options.js';
import type { SackBlock, TcpOption } from '../language/ast.js';

/** RFC 9768 §3.2.3: two kinds, which differ in the order of their counters. */
const ACCECN_0 = 172;
const ACCECN_1 = 174;
/** RFC 6994, and the magic that Fast Open had before it got a kind of its own. */
const EXPERIMENT = 254;
const FAST_OPEN_MAGIC = 'f989';

/** Kinds of one byte; all others have a length. */
const SINGLE = new Set<number>([TcpOptionKind.EOL, TcpOptionKind.NOP]);

/** Byte for byte as they are written. */
export function encodeTcpOptions(options: readonly TcpOption[]): Uint8Array {
  return Uint8Array.from(options.flatMap(encodeOption));
}

function encodeOption(option: TcpOption): number[] {
  switch (option.kind) {
    case 'nop':
      return [TcpOptionKind.NOP];
    case 'eol':
      return [TcpOptionKind.EOL];
    case 'sackOK':
      return withLength(TcpOptionKind.SACK_PERMITTED, []);
    case 'mss':
      return withLength(TcpOptionKind.MSS, word16(option.value));
    case 'wscale':
      return withLength(TcpOptionKind.WINDOW_SCALE, [option.value]);
    case 'TS':
      return withLength(TcpOptionKind.TIMESTAMPS, [...word32(option.val), ...word32(option.ecr)]);
    case 'sack':
      return withLength(
        TcpOptionKind.SACK,
        option.blocks.flatMap(({ left, right }) => [...word32(left), ...word32(right)]),
      );
    case 'md5':
      return withLength(TcpOptionKind.MD5, fromHex(option.digest));
    case 'FO':
      return option.experimental
        ? withLength(EXPERIMENT, fromHex(FAST_OPEN_MAGIC + option.cookie))
        : withLength(TcpOptionKind.FAST_OPEN, fromHex(option.cookie));
    case 'ECN':
      return withLength(
        option.first === 'e0b' ? ACCECN_0 : ACCECN_1,
        option.counters.flatMap((counter) => word32(counter).slice(1)),
      );
    case 'other':
      return SINGLE.has(option.number) ? [option.number] : withLength(option.number, fromHex(option.data));
  }
}

/** What a header has, padding included. An option whose length lies ends the list as `other`, with the rest as its data. */
export function decodeTcpOptions(view: DataView, at: number, bytes: number): TcpOption[] {
  const options: TcpOption[] = [];
  const end = at + bytes;
  let i = at;
  while (i < end) {
    const kind = view.getUint8(i);
    if (kind === TcpOptionKind.NOP || kind === TcpOptionKind.EOL) {
      options.push({ kind: kind === TcpOptionKind.NOP ? 'nop' : 'eol' });
      i += 1;
      continue;
    }
    const length = i + 2 <= end ? view.getUint8(i + 1) : 0;
    if (length < 2 || i + length > end) {
      options.push({ kind: 'other', number: kind, data: hex(view, i + 1, end - i - 1) });
      break;
    }
    options.push(decodeOption(view, i, kind, length));
    i += length;
  }
  return options;
}

function decodeOption(view: DataView, at: number, kind: number, length: number): TcpOption {
  const data = hex(view, at + 2, length - 2);
  switch (kind) {
    case TcpOptionKind.MSS:
      if (length === 4) return { kind: 'mss', value: view.getUint16(at + 2) };
      break;
    case TcpOptionKind.WINDOW_SCALE:
      if (length === 3) return { kind: 'wscale', value: view.getUint8(at + 2) };
      break;
    case TcpOptionKind.SACK_PERMITTED:
      if (length === 2) return { kind: 'sackOK' };
      break;
    case TcpOptionKind.SACK:
      if (length % 8 === 2 && length > 2) return { kind: 'sack', blocks: decodeBlocks(view, at + 2, (length - 2) / 8) };
      break;
    case TcpOptionKind.TIMESTAMPS:
      if (length === 10) return { kind: 'TS', val: view.getUint32(at + 2), ecr: view.getUint32(at + 6) };
      break;
    case TcpOptionKind.MD5:
      if (length === 18) return { kind: 'md5', digest: data };
      break;
    case TcpOptionKind.FAST_OPEN:
      return { kind: 'FO', experimental: false, cookie: data };
    case EXPERIMENT:
      if (data.startsWith(FAST_OPEN_MAGIC)) return { kind: 'FO', experimental: true, cookie: data.slice(4) };
      break;
    case ACCECN_0:
    case ACCECN_1:
      if (length % 3 === 2 && length <= 11) {
        const counters: number[] = [];
        for (let i = at + 2; i < at + length; i += 3) counters.push(view.getUint16(i) * 256 + view.getUint8(i + 2));
        return { kind: 'ECN', first: kind === ACCECN_0 ? 'e0b' : 'e1b', counters };
      }
      break;
  }
  return { kind: 'other', number: kind, data };
}

function decodeBlocks(view: DataView, at: number, count: number): SackBlock[] {
  return Array.from({ length: count }, (_, i) => ({
    left: view.getUint32(at + i * 8),
    right: view.getUint32(at + i * 8 + 4),
  }));
}

/** `<mss 1460,sackOK,…>` as a script has it, without the brackets. */
export function printScriptOptions(options: readonly TcpOption[]): string {
  return options.map(printOption).join(',');
}

export function printOption(option: TcpOption): string {
  switch (option.kind) {
    case 'nop':
    case 'eol':
    case 'sackOK':
      return option.kind;
    case 'mss':
    case 'wscale':
      return `${option.kind} ${option.value}`;
    case 'TS':
      return `TS val ${option.val} ecr ${option.ecr}`;
    case 'sack':
      return `sack ${option.blocks.map(({ left, right }) => `${left}:${right}`).join(' ')}`;
    case 'md5':
      return `md5 ${option.digest}`;
    case 'FO': {
      const name = option.experimental ? 'FOEXP' : 'FO';
      return option.cookie === '' ? name : `${name} ${option.cookie}`;
    }
    case 'ECN': {
      const names = option.first === 'e0b' ? ['e0b', 'ceb', 'e1b'] : ['e1b', 'ceb', 'e0b'];
      return ['ECN', ...option.counters.map((counter, i) => `${names[i]} ${counter}`)].join(' ');
    }
    case 'other':
      return option.data === '' ? `kind ${option.number}` : `kind ${option.number} ${option.data}`;
  }
}

function withLength(kind: number, data: readonly number[]): number[] {
  return [kind, data.length + 2, ...data];
}

function word16(value: number): number[] {
  return [(value >>> 8) & 255, value & 255];
}

function word32(value: number): number[] {
  return [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}

function fromHex(digits: string): number[] {
  return Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}

function hex(view: DataView, at: number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++) text += (view.getUint8(at + i) + 256).toString(16).slice(1);
  return text;
}
