import { Verdict } from './verdict.js';

/** Kinds: the IANA registry "TCP Option Kind Numbers". */
export const enum TcpOptionKind {
  EOL = 0,
  NOP = 1,
  MSS = 2,
  WINDOW_SCALE = 3,
  SACK_PERMITTED = 4,
  SACK = 5,
  TIMESTAMPS = 8,
  MD5 = 19,
  USER_TIMEOUT = 28,
  AO = 29,
  MPTCP = 30,
  FAST_OPEN = 34,
  /** Accurate ECN, RFC 9768 §3.2.3: the counters in the order ECT(0), CE, ECT(1), and the other way round. */
  ACC_ECN_0 = 172,
  ACC_ECN_1 = 174,
  /** RFC 3692-style experiment 2, shared by a magic number: RFC 6994. */
  EXPERIMENT = 254,
}

/** Lengths, kind and length byte included. */
export const enum TcpOptionBytes {
  MSS = 4,
  WINDOW_SCALE = 3,
  SACK_PERMITTED = 2,
  /** Before the blocks. */
  SACK_HEADER = 2,
  SACK_BLOCK = 8,
  TIMESTAMPS = 10,
  /** NOP, NOP, timestamps: the layout of RFC 7323 appendix A, which keeps the values at a multiple of four. */
  TIMESTAMPS_PADDED = 12,
  MD5 = 18,
  USER_TIMEOUT = 4,
  /** Kind, length, two key ids; a code of any length follows: RFC 5925 §2.2. */
  AO_MIN = 4,
  /** Before the cookie: kind and length; in the experimental form also the magic number. */
  FAST_OPEN_HEADER = 2,
  FAST_OPEN_EXPERIMENTAL_HEADER = 4,
  /** Before the counters. */
  ACC_ECN_HEADER = 2,
  ACC_ECN_FIELD = 3,
}

/** Bits of `TcpOptions.present`. */
export const enum TcpOptionBit {
  MSS = 0x001,
  WINDOW_SCALE = 0x002,
  SACK_PERMITTED = 0x004,
  SACK = 0x008,
  TIMESTAMPS = 0x010,
  MD5 = 0x020,
  AO = 0x040,
  FAST_OPEN = 0x080,
  USER_TIMEOUT = 0x100,
  /** At least one that has no other bit. */
  UNKNOWN = 0x200,
  ACC_ECN = 0x400,
}

/** As many as fit: 40 bytes of options, 2 of header, 8 a block. */
export const SACK_BLOCKS_MAX = 4;

/** RFC 7413 §4.1.1: 4 to 16 bytes, and an even number of them. */
export const FAST_OPEN_COOKIE_BYTES_MIN = 4;
export const FAST_OPEN_COOKIE_BYTES_MAX = 16;
/** What marks Fast Open among the experiments: the ExID of RFC 7413 appendix A, as its first deployments sent it. */
const FAST_OPEN_MAGIC = 0xf989;
/** RFC 9768 §3.2.3: counters in one option. */
export const ACC_ECN_FIELDS_MAX = 3;

/** RFC 7323 §2.3: a larger shift would let the window pass half of the sequence space. */
export const WINDOW_SHIFT_MAX = 14;

/** The two NOPs, kind and length of a padded timestamps option, as one big-endian word. */
const TIMESTAMPS_WORD = 0x0101080a;

/** What the options of one segment say. One record, filled for each segment; only what `present` names is of it. */
export class TcpOptions {
  present = 0;
  mss = 0;
  /** The shift count, already limited to 14. */
  windowScale = 0;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  /** Left and right edge of each block, in the order sent. */
  readonly sack = new Int32Array(SACK_BLOCKS_MAX * 2);
  /** The value as sent: a granularity bit above 15 bits of minutes or seconds. RFC 5482 §3. */
  userTimeout = 0;
  /** What was scanned: offsets below are into it. */
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Offset in the view and length of the cookie; length 0 asks for one. RFC 7413 §4.1.1. */
  fastOpenAt = 0;
  fastOpenLength = 0;
  /** It came in the experimental option, and is answered in kind. */
  fastOpenExperimental = false;
  /** Offset in the view of the whole MD5 (RFC 2385) or TCP-AO (RFC 5925) option. */
  signatureAt = 0;
  /** How many counters of 24 bits there are, 0 to 3, and which comes first: true for ECT(1), as ACC_ECN_1 has it. */
  accEcnFields = 0;
  accEcnOrder1 = false;
  readonly accEcn = new Int32Array(ACC_ECN_FIELDS_MAX);
}

/**
 * One scan over the options. `at` is where they begin, behind the fixed header; `optionBytes` how many there are.
 *
 * RFC 9293 §3.1, MUST-4 to MUST-7: options may come in any segment, the unknown is skipped by its length, and an illegal
 * length must not upset us. As Linux: an option of another length than its kind has is passed over, and one that says it is shorter than its own kind and
 * length, or longer than the header, ends the scan, for where the next would begin nobody knows. What was read holds; TCP_OPTION_LENGTH says that there was such a one.
 */
export function parseTcpOptions(view: DataView, at: number, optionBytes: number, into: TcpOptions): Verdict {
  if (optionBytes === 0) {
    into.present = 0;
    return Verdict.OK;
  }
  // Nearly every segment of a connection with timestamps has exactly this.
  if (optionBytes === TcpOptionBytes.TIMESTAMPS_PADDED && view.getInt32(at) === TIMESTAMPS_WORD) {
    into.present = TcpOptionBit.TIMESTAMPS;
    into.tsVal = view.getInt32(at + 4);
    into.tsEcr = view.getInt32(at + 8);
    return Verdict.OK;
  }
  into.present = 0;
  const end = at + optionBytes;
  let verdict: Verdict = Verdict.OK;
  let i = at;
  while (i < end) {
    const kind = view.getUint8(i);
    if (kind === TcpOptionKind.EOL) break;
    if (kind === TcpOptionKind.NOP) {
      i += 1;
      continue;
    }
    if (i + 2 > end) return Verdict.TCP_OPTION_LENGTH;
    const length = view.getUint8(i + 1);
    if (length < 2 || i + length > end) return Verdict.TCP_OPTION_LENGTH;
    if (!takeOption(view, i, kind, length, into)) verdict = Verdict.TCP_OPTION_LENGTH;
    i += length;
  }
  return verdict;
}

/** False when the kind cannot have that length. */
function takeOption(view: DataView, at: number, kind: number, length: number, into: TcpOptions): boolean {
  switch (kind) {
    case TcpOptionKind.MSS:
      if (length !== TcpOptionBytes.MSS) return false;
      into.mss = view.getUint16(at + 2);
      // None is what a peer means that says zero (as Linux).
      if (into.mss !== 0) into.present |= TcpOptionBit.MSS;
      return true;
    case TcpOptionKind.WINDOW_SCALE: {
      if (length !== TcpOptionBytes.WINDOW_SCALE) return false;
      // RFC 7323 §2.3: a shift above 14 is an error, and 14 is used.
      const shift = view.getUint8(at + 2);
      into.windowScale = shift > WINDOW_SHIFT_MAX ? WINDOW_SHIFT_MAX : shift;
      into.present |= TcpOptionBit.WINDOW_SCALE;
      return true;
    }
    case TcpOptionKind.SACK_PERMITTED:
      if (length !== TcpOptionBytes.SACK_PERMITTED) return false;
      into.present |= TcpOptionBit.SACK_PERMITTED;
      return true;
    case TcpOptionKind.SACK:
      return takeSack(view, at, length, into);
    case TcpOptionKind.TIMESTAMPS:
      if (length !== TcpOptionBytes.TIMESTAMPS) return false;
      into.tsVal = view.getInt32(at + 2);
      into.tsEcr = view.getInt32(at + 6);
      into.present |= TcpOptionBit.TIMESTAMPS;
      return true;
    case TcpOptionKind.MD5:
      if (length !== TcpOptionBytes.MD5) return false;
      into.signatureAt = at;
      into.present |= TcpOptionBit.MD5;
      return true;
    case TcpOptionKind.AO:
      if (length < TcpOptionBytes.AO_MIN) return false;
      into.signatureAt = at;
      into.present |= TcpOptionBit.AO;
      return true;
    case TcpOptionKind.USER_TIMEOUT:
      if (length !== TcpOptionBytes.USER_TIMEOUT) return false;
      into.userTimeout = view.getUint16(at + 2);
      into.present |= TcpOptionBit.USER_TIMEOUT;
      return true;
    case TcpOptionKind.FAST_OPEN:
      takeFastOpen(view, at + 2, length - 2, false, into);
      return true;
    case TcpOptionKind.EXPERIMENT:
      if (length >= 4 && view.getUint16(at + 2) === FAST_OPEN_MAGIC) takeFastOpen(view, at + 4, length - 4, true, into);
      else into.present |= TcpOptionBit.UNKNOWN;
      return true;
    case TcpOptionKind.ACC_ECN_0:
    case TcpOptionKind.ACC_ECN_1:
      takeAccEcn(view, at, kind, length, into);
      return true;
    default:
      into.present |= TcpOptionBit.UNKNOWN;
      return true;
  }
}

/** RFC 9768 §3.2.3: the counters that fit whole into the length; whatever else there is, is left alone. */
function takeAccEcn(view: DataView, at: number, kind: number, length: number, into: TcpOptions): void {
  const whole = Math.floor((length - TcpOptionBytes.ACC_ECN_HEADER) / TcpOptionBytes.ACC_ECN_FIELD);
  const fields = whole < ACC_ECN_FIELDS_MAX ? whole : ACC_ECN_FIELDS_MAX;
  for (let i = 0; i < fields; i++) {
    const field = at + TcpOptionBytes.ACC_ECN_HEADER + i * TcpOptionBytes.ACC_ECN_FIELD;
    into.accEcn[i] = (view.getUint16(field) << 8) | view.getUint8(field + 2);
  }
  into.accEcnFields = fields;
  into.accEcnOrder1 = kind === TcpOptionKind.ACC_ECN_1;
  into.present |= TcpOptionBit.ACC_ECN;
}

/** RFC 2018 §3: length 8n + 2, at least one block. Four fit, so the header's size bounds n. */
function takeSack(view: DataView, at: number, length: number, into: TcpOptions): boolean {
  const blocks = (length - TcpOptionBytes.SACK_HEADER) >>> 3;
  if (blocks === 0 || blocks > SACK_BLOCKS_MAX || length !== blocks * 8 + TcpOptionBytes.SACK_HEADER) return false;
  for (let i = 0; i < blocks * 2; i++) into.sack[i] = view.getInt32(at + TcpOptionBytes.SACK_HEADER + i * 4);
  into.sackCount = blocks;
  into.present |= TcpOptionBit.SACK;
  return true;
}

/** RFC 7413 §4.1.1: a cookie of 4 to 16 bytes, even, or none; the option is ignored when it is of another size. */
function takeFastOpen(view: DataView, at: number, cookieBytes: number, experimental: boolean, into: TcpOptions): void {
  if (
    cookieBytes !== 0 &&
    (cookieBytes < FAST_OPEN_COOKIE_BYTES_MIN || cookieBytes > FAST_OPEN_COOKIE_BYTES_MAX || (cookieBytes & 1) !== 0)
  ) {
    into.present |= TcpOptionBit.UNKNOWN;
    return;
  }
  into.view = view;
  into.fastOpenAt = at;
  into.fastOpenLength = cookieBytes;
  into.fastOpenExperimental = experimental;
  into.present |= TcpOptionBit.FAST_OPEN;
}

// Each writes one option at `at` and returns where the next one goes. Whoever lays out the header pads it to a multiple
// of four with `emitTcpPadding`.

export function emitNop(view: DataView, at: number): number {
  view.setUint8(at, TcpOptionKind.NOP);
  return at + 1;
}
export function emitMss(view: DataView, at: number, mss: number): number {
  view.setUint16(at, (TcpOptionKind.MSS << 8) | TcpOptionBytes.MSS);
  view.setUint16(at + 2, mss);
  return at + TcpOptionBytes.MSS;
}
export function emitWindowScale(view: DataView, at: number, shift: number): number {
  view.setUint16(at, (TcpOptionKind.WINDOW_SCALE << 8) | TcpOptionBytes.WINDOW_SCALE);
  view.setUint8(at + 2, shift);
  return at + TcpOptionBytes.WINDOW_SCALE;
}
export function emitSackPermitted(view: DataView, at: number): number {
  view.setUint16(at, (TcpOptionKind.SACK_PERMITTED << 8) | TcpOptionBytes.SACK_PERMITTED);
  return at + TcpOptionBytes.SACK_PERMITTED;
}
export function emitTimestamps(view: DataView, at: number, tsVal: number, tsEcr: number): number {
  view.setUint16(at, (TcpOptionKind.TIMESTAMPS << 8) | TcpOptionBytes.TIMESTAMPS);
  view.setInt32(at + 2, tsVal);
  view.setInt32(at + 6, tsEcr);
  return at + TcpOptionBytes.TIMESTAMPS;
}
/** NOP, NOP, timestamps: twelve bytes. */
export function emitTimestampsPadded(view: DataView, at: number, tsVal: number, tsEcr: number): number {
  view.setInt32(at, TIMESTAMPS_WORD);
  view.setInt32(at + 4, tsVal);
  view.setInt32(at + 8, tsEcr);
  return at + TcpOptionBytes.TIMESTAMPS_PADDED;
}
/** Kind and length of a SACK option; `blocks` calls of `emitSackBlock` follow. Two NOPs before it align the blocks. */
export function emitSackHeader(view: DataView, at: number, blocks: number): number {
  view.setUint16(at, (TcpOptionKind.SACK << 8) | (TcpOptionBytes.SACK_HEADER + blocks * TcpOptionBytes.SACK_BLOCK));
  return at + TcpOptionBytes.SACK_HEADER;
}
export function emitSackBlock(view: DataView, at: number, left: number, right: number): number {
  view.setInt32(at, left);
  view.setInt32(at + 4, right);
  return at + TcpOptionBytes.SACK_BLOCK;
}
export function emitUserTimeout(view: DataView, at: number, value: number): number {
  view.setUint16(at, (TcpOptionKind.USER_TIMEOUT << 8) | TcpOptionBytes.USER_TIMEOUT);
  view.setUint16(at + 2, value);
  return at + TcpOptionBytes.USER_TIMEOUT;
}
/** Fast Open: `length` bytes of `cookie`, or a request for one where that is 0. */
export function emitFastOpen(
  view: DataView,
  at: number,
  cookie: Uint8Array,
  length: number,
  experimental: boolean,
): number {
  const header = experimental ? TcpOptionBytes.FAST_OPEN_EXPERIMENTAL_HEADER : TcpOptionBytes.FAST_OPEN_HEADER;
  view.setUint8(at, experimental ? TcpOptionKind.EXPERIMENT : TcpOptionKind.FAST_OPEN);
  view.setUint8(at + 1, header + length);
  if (experimental) view.setUint16(at + 2, FAST_OPEN_MAGIC);
  for (let i = 0; i < length; i++) view.setUint8(at + header + i, cookie[i]);
  return at + header + length;
}
/** AccECN in the order ECT(1), CE, ECT(0), as far as there are `fields`. */
export function emitAccEcn(view: DataView, at: number, fields: number, e1b: number, ceb: number, e0b: number): number {
  const length = TcpOptionBytes.ACC_ECN_HEADER + fields * TcpOptionBytes.ACC_ECN_FIELD;
  view.setUint16(at, (TcpOptionKind.ACC_ECN_1 << 8) | length);
  if (fields > 0) emitUint24(view, at + 2, e1b);
  if (fields > 1) emitUint24(view, at + 5, ceb);
  if (fields > 2) emitUint24(view, at + 8, e0b);
  return at + length;
}
function emitUint24(view: DataView, at: number, value: number): void {
  view.setUint8(at, value >>> 16);
  view.setUint16(at + 1, value & 0xffff);
}
/** Pads from `at` with EOL and zeros to a multiple of four counted from `headerAt`: RFC 9293 §3.1. Returns the header's end. */
export function emitTcpPadding(view: DataView, headerAt: number, at: number): number {
  const end = headerAt + ((at - headerAt + 3) & ~3);
  for (let i = at; i < end; i++) view.setUint8(i, TcpOptionKind.EOL);
  return end;
}

/** `mss 1460,nop,wscale 7`: what stands between the brackets. SACK blocks are given less `ackBase`. */
export function printTcpOptions(view: DataView, at: number, optionBytes: number, ackBase = 0): string {
  const options: string[] = [];
  const end = at + optionBytes;
  let i = at;
  while (i < end) {
    const kind = view.getUint8(i);
    if (kind === TcpOptionKind.EOL) {
      options.push('eol');
      break;
    }
    if (kind === TcpOptionKind.NOP) {
      options.push('nop');
      i += 1;
      continue;
    }
    const length = i + 2 <= end ? view.getUint8(i + 1) : 0;
    const text = length < 2 || i + length > end ? undefined : printOption(view, i, kind, length, ackBase);
    if (text === undefined) {
      options.push(`kind ${kind} [bad length ${length}]`);
      break;
    }
    options.push(text);
    i += length;
  }
  return options.join(',');
}

/** Undefined when the kind cannot have that length. */
function printOption(view: DataView, at: number, kind: number, length: number, ackBase: number): string | undefined {
  const printed = new TcpOptions();
  if (!takeOption(view, at, kind, length, printed)) return undefined;
  switch (kind) {
    case TcpOptionKind.MSS:
      return `mss ${printed.mss}`;
    case TcpOptionKind.WINDOW_SCALE:
      return `wscale ${view.getUint8(at + 2)}`;
    case TcpOptionKind.SACK_PERMITTED:
      return 'sackOK';
    case TcpOptionKind.SACK: {
      let text = `sack ${printed.sackCount} `;
      for (let i = 0; i < printed.sackCount * 2; i += 2) {
        text += `{${(printed.sack[i] - ackBase) >>> 0}:${(printed.sack[i + 1] - ackBase) >>> 0}}`;
      }
      return text;
    }
    case TcpOptionKind.TIMESTAMPS:
      return `TS val ${printed.tsVal >>> 0} ecr ${printed.tsEcr >>> 0}`;
    case TcpOptionKind.MD5:
      return 'md5';
    case TcpOptionKind.AO:
      return `tcp-ao keyid ${view.getUint8(at + 2)} rnextkeyid ${view.getUint8(at + 3)}`;
    case TcpOptionKind.USER_TIMEOUT: {
      const unit = (printed.userTimeout & 0x8000) !== 0 ? 'min' : 's';
      return `uto ${printed.userTimeout & 0x7fff} ${unit}`;
    }
    case TcpOptionKind.ACC_ECN_0:
    case TcpOptionKind.ACC_ECN_1: {
      const names = printed.accEcnOrder1 ? ['e1b', 'ceb', 'e0b'] : ['e0b', 'ceb', 'e1b'];
      let text = 'accecn';
      for (let i = 0; i < printed.accEcnFields; i++) text += ` ${names[i]} ${printed.accEcn[i]}`;
      return text;
    }
    case TcpOptionKind.MPTCP:
      return `mptcp ${length}`;
    case TcpOptionKind.FAST_OPEN:
      return length === 2 ? 'tfo cookiereq' : `tfo cookie ${printHex(view, at + 2, length - 2)}`;
    case TcpOptionKind.EXPERIMENT:
      if ((printed.present & TcpOptionBit.FAST_OPEN) === 0) return printUnknown(view, at, kind, length);
      return length === 4 ? 'exp-tfo cookiereq' : `exp-tfo cookie ${printHex(view, at + 4, length - 4)}`;
    default:
      return printUnknown(view, at, kind, length);
  }
}

function printUnknown(view: DataView, at: number, kind: number, length: number): string {
  return length === 2 ? `unknown-${kind}` : `unknown-${kind} 0x${printHex(view, at + 2, length - 2)}`;
}

function printHex(view: DataView, at: number, count: number): string {
  let text = '';
  for (let i = 0; i < count; i++)
    text += view
      .getUint8(at + i)
      .toString(16)
      .padStart(2, '0');
  return text;
}
