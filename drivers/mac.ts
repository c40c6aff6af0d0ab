/** "02" says locally administered, station (IEEE 802, §8.4); "4d 52" only makes our frames easy to find in a capture. */
const PREFIX = [0x02, 0x4d, 0x52] as const;

/** A MAC address that the same name and seed always give. */
export function hardwareAddressFor(name: string, seed: number): Uint8Array {
  // FNV-1a: three of its bytes are spread well enough to tell the devices of one link apart.
  let hash = (0x811c9dc5 ^ seed) | 0;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return Uint8Array.of(...PREFIX, (hash >>> 16) & 0xff, (hash >>> 8) & 0xff, hash & 0xff);
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

export function formatMac(mac: Uint8Array): string {
  return Array.from(mac, (byte) => byte.toString(16).padStart(2, '0')).join(':');
}
