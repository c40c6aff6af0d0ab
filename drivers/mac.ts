import { Prng } from '../stack/base/prng.js';

/** "02" says locally administered, station (IEEE 802, §8.4); "4d 52" only makes our frames easy to find in a capture. */
const PREFIX = [0x02, 0x4d, 0x52] as const;

/** A MAC address that the same name and seed always give. */
export function hardwareAddressFor(name: string, seed: number): Uint8Array {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  // FNV-1a alone would let neighbouring names and seeds meet; the generator spreads what little they differ in.
  const bits = new Prng(hash + Math.imul(seed, 0x9e3779b1)).next();
  return Uint8Array.of(...PREFIX, (bits >>> 16) & 0xff, (bits >>> 8) & 0xff, bits & 0xff);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
