import type { TcpInfo } from '../../stack/tcp/info.js';
import type { StateName } from '../../stack/tcp/state.js';

/** Bytes of `struct tcp_info` since Linux 6.18: what 6.12 has in 248, and what Accurate ECN has added; names of the last word as of 7.3. */
export const TCP_INFO_BYTES = 280;

/** include/net/tcp_states.h's numbers. */
const STATES: Readonly<Record<StateName, number>> = {
  ESTABLISHED: 1,
  'SYN-SENT': 2,
  'SYN-RECEIVED': 3,
  'FIN-WAIT-1': 4,
  'FIN-WAIT-2': 5,
  'TIME-WAIT': 6,
  CLOSED: 7,
  'CLOSE-WAIT': 8,
  'LAST-ACK': 9,
  LISTEN: 10,
  CLOSING: 11,
};

const CA_STATES: readonly string[] = ['open', 'disorder', 'cwr', 'recovery', 'loss'];

/** tcpi_options. */
const TIMESTAMPS = 1;
const SACK = 2;
const WINDOW_SCALE = 4;
const ECN = 8;
const ECN_SEEN = 16;
const SYN_DATA = 32;
const FAST_OPEN_CHILD = 128;

/** tcpi_ecn_mode: TCPI_ECN_MODE_DISABLED and so on. */
const ECN_MODES: readonly TcpInfo['ecnMode'][] = ['none', 'rfc3168', 'accecn', 'pending'];

const NO_SSTHRESH = 0x7fffffff;

type Field = readonly [at: number, size: 1 | 2 | 4 | 8, value: (info: TcpInfo) => number];

/** The structure as a table: where, how wide, what. */
const FIELDS: readonly Field[] = [
  [0, 1, (i) => STATES[i.state]],
  [1, 1, (i) => CA_STATES.indexOf(i.caState)],
  [2, 1, (i) => i.retransmits],
  [3, 1, (i) => i.probes],
  [4, 1, (i) => i.backoff],
  [5, 1, optionBits],
  [6, 1, (i) => (i.sndWscale & 0xf) | (i.rcvWscale << 4)],
  [7, 1, (i) => (i.deliveryRateAppLimited ? 1 : 0) | (i.fastOpenClientFail << 1)],
  [8, 4, (i) => i.rtoUs],
  [12, 4, (i) => i.atoUs],
  [16, 4, (i) => i.sndMss],
  [20, 4, (i) => i.rcvMss],
  [24, 4, (i) => i.unacked],
  [28, 4, (i) => i.sacked],
  [32, 4, (i) => i.lost],
  [36, 4, (i) => i.retrans],
  // 40: tcpi_fackets, which Linux no longer fills.
  [44, 4, (i) => i.lastDataSentMs],
  // 48: tcpi_last_ack_sent, likewise.
  [52, 4, (i) => i.lastDataRecvMs],
  [56, 4, (i) => i.lastAckRecvMs],
  [60, 4, (i) => i.pathMtu],
  [64, 4, (i) => i.rcvSsthresh],
  [68, 4, (i) => i.rttUs],
  [72, 4, (i) => i.rttVarUs],
  [76, 4, (i) => (i.sndSsthreshBytes >= NO_SSTHRESH ? NO_SSTHRESH : Math.floor(i.sndSsthreshBytes / i.sndMss))],
  [80, 4, (i) => i.sndCwnd],
  [84, 4, (i) => i.advMss],
  [88, 4, (i) => i.reordering],
  [92, 4, (i) => i.rcvRttUs],
  [96, 4, (i) => i.rcvSpace],
  [100, 4, (i) => i.totalRetrans],
  [104, 8, (i) => i.pacingRate],
  [112, 8, (i) => i.maxPacingRate],
  [120, 8, (i) => i.bytesAcked],
  [128, 8, (i) => i.bytesReceived],
  [136, 4, (i) => i.segsOut],
  [140, 4, (i) => i.segsIn],
  [144, 4, (i) => i.notsentBytes],
  [148, 4, (i) => i.minRttUs],
  [152, 4, (i) => i.dataSegsIn],
  [156, 4, (i) => i.dataSegsOut],
  [160, 8, (i) => i.deliveryRate],
  [168, 8, (i) => i.busyTimeUs],
  [176, 8, (i) => i.rwndLimitedUs],
  [184, 8, (i) => i.sndbufLimitedUs],
  [192, 4, (i) => i.delivered],
  [196, 4, (i) => i.deliveredCe],
  [200, 8, (i) => i.bytesSent],
  [208, 8, (i) => i.bytesRetrans],
  [216, 4, (i) => i.dsackDups],
  [220, 4, (i) => i.reordSeen],
  [224, 4, (i) => i.rcvOoopack],
  [228, 4, (i) => i.sndWnd],
  [232, 4, (i) => i.rcvWnd],
  [236, 4, (i) => i.rehash],
  [240, 2, (i) => i.totalRto],
  [242, 2, (i) => i.totalRtoRecoveries],
  [244, 4, (i) => i.totalRtoTimeMs],
  [248, 4, (i) => i.receivedCe],
  [252, 4, (i) => i.deliveredE1Bytes],
  [256, 4, (i) => i.deliveredE0Bytes],
  [260, 4, (i) => i.deliveredCeBytes],
  [264, 4, (i) => i.receivedE1Bytes],
  [268, 4, (i) => i.receivedE0Bytes],
  [272, 4, (i) => i.receivedCeBytes],
  // tcpi_ecn_mode in two bits, tcpi_accecn_opt_seen in two, tcpi_accecn_fail_mode in four; tcpi_options2 above is zero.
  [276, 1, (i) => ECN_MODES.indexOf(i.ecnMode) | (i.accEcnOptionSeen << 2) | (i.accEcnFailures << 4)],
];

function optionBits(info: TcpInfo): number {
  return (
    (info.timestamps ? TIMESTAMPS : 0) |
    (info.sack ? SACK : 0) |
    (info.windowScaling ? WINDOW_SCALE : 0) |
    (info.ecn ? ECN : 0) |
    (info.ecnSeen ? ECN_SEEN : 0) |
    (info.synDataAcked ? SYN_DATA : 0) |
    (info.fastOpenChild ? FAST_OPEN_CHILD : 0)
  );
}

export function infoBytes(info: TcpInfo): Uint8Array {
  const bytes = new Uint8Array(TCP_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  for (const [at, size, value] of FIELDS) put(view, at, size, value(info));
  return bytes;
}

function put(view: DataView, at: number, size: 1 | 2 | 4 | 8, value: number): void {
  if (size === 8) view.setBigUint64(at, value === Infinity ? 0xffff_ffff_ffff_ffffn : BigInt(Math.floor(value)), true);
  else if (size === 4) view.setUint32(at, value, true);
  else if (size === 2) view.setUint16(at, value, true);
  else view.setUint8(at, value);
}

/** A listener: Linux tells the accept queue's length as tcpi_unacked, its limit as tcpi_sacked. */
export function listenerInfo(queue: { readonly waiting: number; readonly limit: number }): Uint8Array {
  const bytes = new Uint8Array(TCP_INFO_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, STATES.LISTEN);
  view.setUint32(24, queue.waiting, true);
  view.setUint32(28, queue.limit, true);
  return bytes;
}

/** A socket without a connection. */
export function closedInfo(): Uint8Array {
  const bytes = new Uint8Array(TCP_INFO_BYTES);
  bytes[0] = STATES.CLOSED;
  return bytes;
}
