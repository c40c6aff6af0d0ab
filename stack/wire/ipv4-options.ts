import { Verdict } from './verdict.js';

/** RFC 791 §3.1 and RFC 2113: the whole type octet, copied flag, class and number. */
export const enum Ipv4OptionType {
  EOL = 0,
  NOP = 1,
  RECORD_ROUTE = 7,
  TIMESTAMP = 68,
  SECURITY = 130,
  LOOSE_SOURCE_ROUTE = 131,
  STREAM_ID = 136,
  STRICT_SOURCE_ROUTE = 137,
  ROUTER_ALERT = 148,
}

/** Set in the type of an option that every fragment must carry, not only the first. */
export const IPV4_OPTION_COPIED = 0x80;

/** Bits of `Ipv4Options.present`. */
export const enum Ipv4OptionBit {
  RECORD_ROUTE = 0x01,
  TIMESTAMP = 0x02,
  LOOSE_SOURCE_ROUTE = 0x04,
  STRICT_SOURCE_ROUTE = 0x08,
  ROUTER_ALERT = 0x10,
  UNKNOWN = 0x20,
}

/** Shortest lengths that hold what the option must have. */
const enum Shortest {
  /** Type, length, pointer: a route may be empty. */
  ROUTE = 3,
  /** Type, length, pointer, overflow and flag. */
  TIMESTAMP = 4,
  ROUTER_ALERT = 4,
}

/** RFC 791 §3.1: what each host is to write into a timestamp option. */
const enum TimestampFlag {
  TIME = 0,
  ADDRESS_AND_TIME = 1,
  /** The sender has filled in the addresses; who finds his own next writes the time beside it. */
  PRESPECIFIED = 3,
}

const OVERFLOW_MAX = 15;

/** What the options of one datagram say: offsets in the view of each option's type octet. One record, reused. */
export class Ipv4Options {
  present = 0;
  recordRouteAt = 0;
  timestampAt = 0;
  /** Loose or strict: `present` says which. */
  sourceRouteAt = 0;
  /** Zero means "examine": RFC 2113 §2.1. */
  routerAlert = 0;
  /** Of the octet that is wrong, counted from the first option: what a parameter problem's pointer is made of. */
  problem = 0;
}

/**
 * One walk over the options, `optionBytes` of them from `at`. RFC 1122 §3.2.1.8: options that are not understood are
 * ignored, and skipped by their length; a length that lies is an error to be reported as a parameter problem. Whatever holds
 * addresses must hold whole ones and point between them, so that whoever writes into it stays inside.
 */
export function parseIpv4Options(view: DataView, at: number, optionBytes: number, into: Ipv4Options): Verdict {
  into.present = 0;
  const end = at + optionBytes;
  let i = at;
  while (i < end) {
    const type = view.getUint8(i);
    if (type === Ipv4OptionType.EOL) break;
    if (type === Ipv4OptionType.NOP) {
      i += 1;
      continue;
    }
    if (i + 2 > end) {
      into.problem = i - at;
      return Verdict.IP_OPTIONS;
    }
    const length = view.getUint8(i + 1);
    if (length < 2 || i + length > end) {
      into.problem = i + 1 - at;
      return Verdict.IP_OPTIONS;
    }
    const wrong = takeOption(view, i, type, length, into);
    if (wrong !== FINE) {
      into.problem = i + wrong - at;
      return Verdict.IP_OPTIONS;
    }
    i += length;
  }
  return Verdict.OK;
}

const FINE = -1;

/** FINE, or which octet of the option is wrong: 0 its type, since there is one already, 1 its length, 2 its pointer, 3 its flags. */
function takeOption(view: DataView, at: number, type: number, length: number, into: Ipv4Options): number {
  switch (type) {
    case Ipv4OptionType.RECORD_ROUTE:
      if ((into.present & Ipv4OptionBit.RECORD_ROUTE) !== 0) return 0;
      into.recordRouteAt = at;
      return takeRoute(view, at, length, Ipv4OptionBit.RECORD_ROUTE, into);
    case Ipv4OptionType.LOOSE_SOURCE_ROUTE:
    case Ipv4OptionType.STRICT_SOURCE_ROUTE: {
      // RFC 1122 §3.2.1.8c: never more than one source route, as their meaning together is undefined.
      const either = Ipv4OptionBit.LOOSE_SOURCE_ROUTE | Ipv4OptionBit.STRICT_SOURCE_ROUTE;
      if ((into.present & either) !== 0) return 0;
      into.sourceRouteAt = at;
      const bit =
        type === Ipv4OptionType.LOOSE_SOURCE_ROUTE
          ? Ipv4OptionBit.LOOSE_SOURCE_ROUTE
          : Ipv4OptionBit.STRICT_SOURCE_ROUTE;
      return takeRoute(view, at, length, bit, into);
    }
    case Ipv4OptionType.TIMESTAMP:
      if ((into.present & Ipv4OptionBit.TIMESTAMP) !== 0) return 0;
      return takeTimestamp(view, at, length, into);
    case Ipv4OptionType.ROUTER_ALERT:
      if (length !== Shortest.ROUTER_ALERT) return 1;
      into.routerAlert = view.getUint16(at + 2);
      into.present |= Ipv4OptionBit.ROUTER_ALERT;
      return FINE;
    default:
      into.present |= Ipv4OptionBit.UNKNOWN;
      return FINE;
  }
}

/** RFC 791 §3.1: the pointer counts from 1 and is 4 at least; it stands at an address, or behind the last when full. */
function takeRoute(view: DataView, at: number, length: number, bit: Ipv4OptionBit, into: Ipv4Options): number {
  if (length < Shortest.ROUTE || ((length - Shortest.ROUTE) & 3) !== 0) return 1;
  const pointer = view.getUint8(at + 2);
  if (pointer < 4 || (pointer & 3) !== 0 || (pointer > length && pointer !== length + 1)) return 2;
  into.present |= bit;
  return FINE;
}

/**
 * RFC 791 §3.1: entries of 4 bytes, or of 8 where the flag asks for the address with each; the pointer is 5 at least. A full
 * one counts the hosts that found no room, and is in error when that count, four bits of it, would overflow here. Where the
 * sender has said which hosts are to write, the others have nothing to count.
 */
function takeTimestamp(view: DataView, at: number, length: number, into: Ipv4Options): number {
  if (length < Shortest.TIMESTAMP) return 1;
  const flagsOctet = view.getUint8(at + 3);
  const flag = flagsOctet & 0x0f;
  if (flag !== TimestampFlag.TIME && flag !== TimestampFlag.ADDRESS_AND_TIME && flag !== TimestampFlag.PRESPECIFIED)
    return 3;
  const entryBytes = flag === TimestampFlag.TIME ? 4 : 8;
  if ((length - Shortest.TIMESTAMP) % entryBytes !== 0) return 1;
  const pointer = view.getUint8(at + 2);
  if (pointer < 5 || (pointer - 5) % entryBytes !== 0 || pointer > length + 1) return 2;
  if (pointer > length && flag !== TimestampFlag.PRESPECIFIED && flagsOctet >>> 4 === OVERFLOW_MAX) return 3;
  into.timestampAt = at;
  into.present |= Ipv4OptionBit.TIMESTAMP;
  return FINE;
}

/** Writes the address into the next free place of the record route option at `at`, where there is one. */
export function recordRoute(view: DataView, at: number, address: number): void {
  const pointer = view.getUint8(at + 2);
  if (pointer > view.getUint8(at + 1)) return;
  view.setInt32(at + pointer - 1, address);
  view.setUint8(at + 2, pointer + 4);
}

/** What `recordTimestamp` did. */
export const enum Stamped {
  YES = 0,
  FULL = 1,
  /** The next entry is for another host. */
  NOT_OURS = 2,
}

/** Writes the next entry of the timestamp option at `at`, where there is room. `ours` says whether an address is this host's. */
export function recordTimestamp(
  view: DataView,
  at: number,
  address: number,
  time: number,
  ours: (address: number) => boolean,
): Stamped {
  const pointer = view.getUint8(at + 2);
  if (pointer > view.getUint8(at + 1)) return Stamped.FULL;
  const flag = view.getUint8(at + 3) & 0x0f;
  const entry = at + pointer - 1;
  if (flag === TimestampFlag.TIME) {
    view.setInt32(entry, time);
    view.setUint8(at + 2, pointer + 4);
    return Stamped.YES;
  }
  if (flag === TimestampFlag.ADDRESS_AND_TIME) view.setInt32(entry, address);
  else if (!ours(view.getInt32(entry))) return Stamped.NOT_OURS;
  view.setInt32(entry + 4, time);
  view.setUint8(at + 2, pointer + 8);
  return Stamped.YES;
}

/** Counts this host among those for which the timestamp option at `at` had no room. `parseIpv4Options` has seen that the count has. */
export function countTimestampOverflow(view: DataView, at: number): void {
  const flags = view.getUint8(at + 3);
  if ((flags & 0x0f) !== TimestampFlag.PRESPECIFIED) view.setUint8(at + 3, flags + 0x10);
}

/** Writes a router alert of value 0 and returns where the next option goes. */
export function emitRouterAlert(view: DataView, at: number): number {
  view.setInt32(at, (Ipv4OptionType.ROUTER_ALERT << 24) | (Shortest.ROUTER_ALERT << 16));
  return at + Shortest.ROUTER_ALERT;
}

/** `options (RR,NOP)`; empty where there are none. */
export function printIpv4Options(view: DataView, at: number, optionBytes: number): string {
  const names: string[] = [];
  const end = at + optionBytes;
  let i = at;
  while (i < end) {
    const type = view.getUint8(i);
    const length = type <= Ipv4OptionType.NOP ? 1 : i + 2 <= end ? view.getUint8(i + 1) : 0;
    if (length === 0 || (type > Ipv4OptionType.NOP && length < 2) || i + length > end) {
      names.push(`${nameOf(type)} [bad length ${length}]`);
      break;
    }
    names.push(nameOf(type));
    if (type === Ipv4OptionType.EOL) break;
    i += length;
  }
  return names.length === 0 ? '' : `options (${names.join(',')})`;
}

function nameOf(type: number): string {
  switch (type) {
    case Ipv4OptionType.EOL:
      return 'EOL';
    case Ipv4OptionType.NOP:
      return 'NOP';
    case Ipv4OptionType.RECORD_ROUTE:
      return 'RR';
    case Ipv4OptionType.TIMESTAMP:
      return 'TS';
    case Ipv4OptionType.SECURITY:
      return 'SEC';
    case Ipv4OptionType.LOOSE_SOURCE_ROUTE:
      return 'LSRR';
    case Ipv4OptionType.STREAM_ID:
      return 'SID';
    case Ipv4OptionType.STRICT_SOURCE_ROUTE:
      return 'SSRR';
    case Ipv4OptionType.ROUTER_ALERT:
      return 'RA';
    default:
      return `unknown ${type}`;
  }
}
