import { Ipv4 } from '../wire/ipv4.js';

/** RFC 791 §3.1. The copied flag is part of the number. */
const enum IpOption {
  END = 0,
  NO_OPERATION = 1,
  LOOSE_SOURCE_ROUTE = 131,
  STRICT_SOURCE_ROUTE = 137,
}

/** What `scanIpOptions` found; below zero, because from zero on it is the offset of the byte that is wrong. */
export const enum OptionScan {
  FINE = -1,
  SOURCE_ROUTED = -2,
}

/**
 * RFC 1122 §3.2.1.8: options that mean nothing to us are passed over by their length; one whose length lies makes the rest
 * unreadable, and its offset in the header goes into a "parameter problem".
 *
 * Deviation: a datagram that was source routed is refused even at its end, where RFC 1122 (c) would have us take it and
 * answer along the reversed route. That lets anyone speak in another's name; RFC 7126 §4.3 advises against it and Linux has it off.
 * Record route and timestamp are passed over without an entry of ours: both RFCs let a host do without.
 */
export function scanIpOptions(view: DataView, at: number, headerBytes: number): number {
  let i = Ipv4.OPTIONS;
  while (i < headerBytes) {
    const option = view.getUint8(at + i);
    if (option === IpOption.END) return OptionScan.FINE;
    if (option === IpOption.NO_OPERATION) {
      i += 1;
      continue;
    }
    if (i + 1 >= headerBytes) return i;
    const length = view.getUint8(at + i + 1);
    if (length < 2 || i + length > headerBytes) return i + 1;
    if (option === IpOption.LOOSE_SOURCE_ROUTE || option === IpOption.STRICT_SOURCE_ROUTE)
      return OptionScan.SOURCE_ROUTED;
    i += length;
  }
  return OptionScan.FINE;
}
