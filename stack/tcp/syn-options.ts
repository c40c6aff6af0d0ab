import { Tcp } from '../wire/tcp.js';
import {
  ACC_ECN_FIELDS_MAX,
  emitAccEcn,
  emitFastOpen,
  emitMss,
  emitNop,
  emitSackPermitted,
  emitTcpPadding,
  emitTimestamps,
  emitWindowScale,
  FAST_OPEN_COOKIE_BYTES_MAX,
  TcpOptionBytes,
  TcpOptionKind,
} from '../wire/tcp-options.js';
import { CEB_INITIAL, counterBytes, E0B_INITIAL, E1B_INITIAL } from './acc-ecn-option.js';
import type { OptionPlace, SynLayout } from './profile.js';

/** Segment path. The options of SYN and SYN-ACK (RFC 9293 §3.2, RFC 7323 §2.2 and §3.2, RFC 2018 §2, RFC 7413 §4.1.1), laid out as the stack's profile says. */

/** What a SYN offers. One record, filled before `sendSyn`. */
export class SynOffer {
  mss = 0;
  sack = false;
  timestamps = false;
  tsVal = 0;
  tsEcr = 0;
  /** -1: window scaling is not offered. */
  shift = -1;
  /** AccECN's option with its counters as they begin: RFC 9768 §3.2.3. */
  accEcn = false;
  /** -1: no Fast Open option; 0: a cookie is asked for; else that many bytes of `cookie`. */
  cookieLength = -1;
  readonly cookie = new Uint8Array(FAST_OPEN_COOKIE_BYTES_MAX);
  /** The cookie goes in the experimental option of RFC 6994, as the first deployments had it. */
  experimental = false;
  /** Text of the SYN: the first bytes of this queue. */
  textQueue = 0;
  textLength = 0;
  tos = 0;
  ttl = 0;
}

/** Writes them behind the header at `at`, and returns the header's end. */
export function emitSynOptions(view: DataView, at: number, offer: SynOffer, layout: SynLayout): number {
  const places = offer.timestamps ? layout.withTimestamps : layout.withoutTimestamps;
  const first = at + Tcp.OPTIONS;
  let to = first;
  for (let i = 0; i < places.length; i++) {
    const place = places[i];
    if (!carries(offer, place.kind)) continue;
    const begin = align(view, first, to, place);
    const end = emitOne(view, begin, offer, place.kind);
    // 40 bytes are all there is (RFC 9293 §3.1): an option that does not fit, a long cookie, is left out with its padding.
    if (end - at > Tcp.HEADER_BYTES_MAX) continue;
    to = end;
  }
  if (layout.padding === TcpOptionKind.NOP) while (((to - at) & 3) !== 0) to = emitNop(view, to);
  return emitTcpPadding(view, at, to);
}

function align(view: DataView, first: number, at: number, place: OptionPlace): number {
  let to = at;
  while ((to - first) % place.modulus !== place.remainder) to = emitNop(view, to);
  return to;
}

function carries(offer: SynOffer, kind: TcpOptionKind): boolean {
  switch (kind) {
    case TcpOptionKind.MSS:
      return offer.mss !== 0;
    case TcpOptionKind.SACK_PERMITTED:
      return offer.sack;
    case TcpOptionKind.TIMESTAMPS:
      return offer.timestamps;
    case TcpOptionKind.WINDOW_SCALE:
      return offer.shift >= 0;
    case TcpOptionKind.FAST_OPEN:
      return offer.cookieLength >= 0;
    case TcpOptionKind.ACC_ECN_1:
      return offer.accEcn && accEcnFields(offer) >= 0;
    default:
      return false;
  }
}

function emitOne(view: DataView, at: number, offer: SynOffer, kind: TcpOptionKind): number {
  switch (kind) {
    case TcpOptionKind.MSS:
      return emitMss(view, at, offer.mss);
    case TcpOptionKind.SACK_PERMITTED:
      return emitSackPermitted(view, at);
    case TcpOptionKind.TIMESTAMPS:
      return emitTimestamps(view, at, offer.tsVal, offer.tsEcr);
    case TcpOptionKind.WINDOW_SCALE:
      return emitWindowScale(view, at, offer.shift);
    case TcpOptionKind.ACC_ECN_1:
      return emitAccEcn(view, at, accEcnFields(offer), E1B_INITIAL, CEB_INITIAL, E0B_INITIAL);
    default:
      return emitFastOpen(view, at, offer.cookie, offer.cookieLength, offer.experimental);
  }
}

/** How many counters of AccECN fit beside what matters more; -1: not even the empty option. */
function accEcnFields(offer: SynOffer): number {
  let spare = Tcp.OPTION_BYTES_MAX - TcpOptionBytes.MSS;
  if (offer.timestamps) spare -= TcpOptionBytes.TIMESTAMPS_PADDED;
  else if (offer.sack) spare -= 4;
  if (offer.shift >= 0) spare -= 4;
  if (offer.cookieLength >= 0) spare -= (TcpOptionBytes.FAST_OPEN_EXPERIMENTAL_HEADER + offer.cookieLength + 3) & ~3;
  let fields = ACC_ECN_FIELDS_MAX;
  while (fields >= 0 && counterBytes(fields, 0) > spare) fields -= 1;
  return fields;
}
