import { badValue } from './errors.js';

/** What an argument may look like, each with its own complaint: which option, what it was, what is allowed. */

export function wholeNumber(option: string, text: string, min: number, max: number): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max)) {
    throw badValue(option, text, `a whole number from ${min} to ${max}`, 'ERR_OUT_OF_RANGE');
  }
  return value;
}

const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30 };

/** `65536`, `64k`, `16M`, `1GiB` → bytes. */
export function bytes(option: string, text: string, min: number, max: number): number {
  const match = /^(\d+(?:\.\d+)?)([kmg]?)(?:i?b)?$/i.exec(text);
  const value = match === null ? Number.NaN : Math.floor(Number(match[1]) * SIZE_UNITS[match[2].toLowerCase()]);
  if (!(value >= min && value <= max)) {
    const allowed = `a size from ${formatBytes(min)} to ${formatBytes(max)}, as in "64k" or "16M"`;
    throw badValue(option, text, allowed, 'ERR_OUT_OF_RANGE');
  }
  return value;
}

const TIME_UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 };

/** `200ms`, `0.5s`, `100us`, or plain seconds as ping takes them → µs. */
export function microseconds(option: string, text: string, min: number, max: number, plain = 's'): number {
  const match = /^(\d+(?:\.\d+)?)(us|ms|s|m)?$/.exec(text);
  const value = match === null ? Number.NaN : Math.round(Number(match[1]) * TIME_UNITS[match[2] ?? plain]);
  if (!(value >= min && value <= max)) {
    const allowed = `a time from ${formatTime(min)} to ${formatTime(max)}, as in "200ms" or "1s"`;
    throw badValue(option, text, allowed, 'ERR_OUT_OF_RANGE');
  }
  return value;
}

export function formatBytes(count: number): string {
  for (const [unit, scale] of [['GiB', 2 ** 30] as const, ['MiB', 2 ** 20] as const, ['KiB', 2 ** 10] as const]) {
    if (count >= scale) return `${Number((count / scale).toFixed(1))} ${unit}`;
  }
  return `${count} bytes`;
}

export function formatTime(us: number): string {
  if (us >= 1_000_000) return `${us / 1_000_000} s`;
  return us >= 1000 ? `${us / 1000} ms` : `${us} us`;
}

/** Four numbers from 0 to 255 → an int32, or undefined. No octal, no short forms: `010.1` means something else to each reader. */
export function ipv4(text: string): number | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  let value = 0;
  for (const part of match.slice(1)) {
    const octet = Number(part);
    if (octet > 255 || (part.length > 1 && part.startsWith('0'))) return undefined;
    value = (value << 8) | octet;
  }
  return value;
}

export function formatIpv4(address: number): string {
  return `${address >>> 24}.${(address >>> 16) & 255}.${(address >>> 8) & 255}.${address & 255}`;
}

/** RFC 1122 §3.2.1.3: what a host may have for an address: neither 0/8, loopback, multicast nor reserved. */
function isHostAddress(address: number): boolean {
  const first = address >>> 24;
  return first !== 0 && first !== 127 && first < 224;
}

export function hostAddress(option: string, text: string): number {
  const address = ipv4(text);
  if (address === undefined || !isHostAddress(address)) {
    throw badValue(option, text, 'the IPv4 address of a host, as in "10.0.0.1"');
  }
  return address;
}

export function maskOf(prefixLength: number): number {
  return prefixLength === 0 ? 0 : (-1 << (32 - prefixLength)) | 0;
}

export interface Subnet {
  readonly address: number;
  readonly prefixLength: number;
}

/** `10.0.0.2/24`. The network's own number and its broadcast address are no host's, except where two share a /31 (RFC 3021). */
export function subnet(option: string, text: string): Subnet {
  const allowed = 'an IPv4 address with its prefix length, as in "10.0.0.2/24"';
  const match = /^([\d.]+)\/(\d{1,2})$/.exec(text);
  const address = match === null ? undefined : ipv4(match[1]);
  const prefixLength = match === null ? Number.NaN : Number(match[2]);
  if (address === undefined || !isHostAddress(address) || !(prefixLength >= 1 && prefixLength <= 32)) {
    throw badValue(option, text, allowed);
  }
  const host = address & ~maskOf(prefixLength);
  if (prefixLength < 31 && (host === 0 || host === ~maskOf(prefixLength))) {
    throw badValue(option, text, `${allowed}: this is the network's own or its broadcast address`);
  }
  return { address, prefixLength };
}

export function sameSubnet(a: number, b: number, prefixLength: number): boolean {
  return ((a ^ b) & maskOf(prefixLength)) === 0;
}
