import { StackError } from '../base/errors.js';
import type { Address } from '../base/units.js';
import { formatIpv4Address, parseIpv4Address } from '../wire/ipv4.js';

/** 0.0.0.0: "any" for a program that binds, "not known yet" for a host that asks for its address. */
export const ANY = 0 as Address;
/** 255.255.255.255, the limited broadcast (RFC 919 §7). */
export const LIMITED_BROADCAST = -1 as Address;
/** 224.0.0.1, all hosts on the link: every host is a member, without asking (RFC 1112 §4). */
export const ALL_HOSTS = ((224 << 24) | 1) as Address;

export interface Prefix {
  readonly address: Address;
  readonly prefixLength: number;
}

/**
 * Where addresses get their number. Everything above holds an `Address`, one int32; only a table can turn it into bytes
 * or text.
 *
 * Today there is one family. An IPv4 address is its own number, so this table holds nothing, and `parse` is a pure
 * function; it is an interface all the same because a 128-bit address must be entered somewhere (see `Address` in
 * `base/units.ts`), and the callers are to be the same then.
 */
export interface AddressTable {
  /** Throws `ERR_INVALID_ARG_VALUE` when the text is no address of a family we speak. */
  parse(text: string): Address;
  format(address: Address): string;
  /** 4; 6 once an interned address exists. Numbers below 2^24 other than 0 are reserved for those. */
  family(address: Address): 4 | 6;
}

export class Ipv4AddressTable implements AddressTable {
  parse(text: string): Address {
    return parseAddress(text);
  }
  format(address: Address): string {
    return formatAddress(address);
  }
  family(_address: Address): 4 | 6 {
    return 4;
  }
}

/** Strict: see `parseIpv4Address` for what is refused and why. */
export function parseAddress(text: string): Address {
  const address = parseIpv4Address(text);
  if (address === undefined)
    throw new StackError('ERR_INVALID_ARG_VALUE', `'${text}' is not an IPv4 address; write it like 10.0.0.1`);
  return address as Address;
}
export function formatAddress(address: Address): string {
  return formatIpv4Address(address);
}

/** Control path. `10.0.0.1/24`; without a length the prefix is the address alone, 32. */
export function parsePrefix(text: string): Prefix {
  const slash = text.indexOf('/');
  if (slash < 0) return { address: parseAddress(text), prefixLength: 32 };
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]?)$/.test(length) || Number(length) > 32)
    throw new StackError('ERR_INVALID_ARG_VALUE', `'${text}': the prefix length is 0 to 32, as in 10.0.0.1/24`);
  return { address: parseAddress(text.slice(0, slash)), prefixLength: Number(length) };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.prefixLength}`;
}

/** The mask of a prefix length; 0 needs a case of its own, since shifts count modulo 32. */
export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : -1 << (32 - prefixLength);
}
/** 127.0.0.0/8, never on a wire (RFC 1122 §3.2.1.3 (g)). */
export function isLoopback(address: number): boolean {
  return address >>> 24 === 127;
}
/** 0.0.0.0/8, "this network" (RFC 1122 §3.2.1.3 (a), (b)): a source only of one who does not know its address yet. */
export function isThisNetwork(address: number): boolean {
  return address >>> 24 === 0;
}
