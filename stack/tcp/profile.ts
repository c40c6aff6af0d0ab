import { StackError } from '../base/errors.js';
import { TcpOptionKind } from '../wire/tcp-options.js';
import { TCP_LIMITS, type TcpLimits } from './limits.js';

/**
 * What tells one system's TCP from another's on the wire, as data: where options stand in a SYN, and the numbers of its policy. RFC 9293 §3.1 leaves the
 * order of options open, so every system has its own, and middleboxes and tests have come to know it.
 *
 * A profile is a set of defaults. What `new Stack({ tcp: { … } })` says besides goes before it.
 */
export interface TcpProfile {
  readonly name: string;
  readonly synLayout: SynLayout;
  /** What differs from `TCP_LIMITS`. */
  readonly limits: Partial<TcpLimits>;
}

/** Options of SYN and SYN-ACK in their order; those the segment does not carry are left out, with the padding before them. */
export interface SynLayout {
  readonly withTimestamps: readonly OptionPlace[];
  readonly withoutTimestamps: readonly OptionPlace[];
  /** What fills the header up to a multiple of four behind the last option. */
  readonly padding: TcpOptionKind.NOP | TcpOptionKind.EOL;
}

/** An option, and where it may begin: NOPs stand before it until its offset, counted from the first option, is `remainder` modulo `modulus`. */
export interface OptionPlace {
  readonly kind: TcpOptionKind;
  readonly modulus: 1 | 2 | 4;
  readonly remainder: number;
}

/** Control path. */
function place(kind: TcpOptionKind, modulus: 1 | 2 | 4, remainder: number): OptionPlace {
  return { kind, modulus, remainder };
}

/**
 * Linux: every option ends at a multiple of four, which NOPs before it see to. SACK-permitted takes the place of the two NOPs before
 * timestamps. `mss,sackOK,TS,nop,wscale,FO,nop,nop`; without timestamps `mss,nop,nop,sackOK,nop,wscale`.
 */
export const LINUX: TcpProfile = {
  name: 'linux',
  synLayout: {
    withTimestamps: [
      place(TcpOptionKind.MSS, 4, 0),
      place(TcpOptionKind.SACK_PERMITTED, 4, 0),
      place(TcpOptionKind.TIMESTAMPS, 4, 2),
      place(TcpOptionKind.ACC_ECN_1, 4, 0),
      place(TcpOptionKind.WINDOW_SCALE, 4, 1),
      place(TcpOptionKind.FAST_OPEN, 4, 0),
    ],
    withoutTimestamps: [
      place(TcpOptionKind.MSS, 4, 0),
      place(TcpOptionKind.ACC_ECN_1, 4, 0),
      place(TcpOptionKind.SACK_PERMITTED, 4, 2),
      place(TcpOptionKind.WINDOW_SCALE, 4, 1),
      place(TcpOptionKind.FAST_OPEN, 4, 0),
    ],
    padding: TcpOptionKind.NOP,
  },
  // `TCP_LIMITS` are Linux's numbers already.
  limits: {},
};

/**
 * FreeBSD 14: window scale before SACK-permitted, timestamps last and aligned, and the end of the list filled up with EOL:
 * `mss,nop,wscale,sackOK,TS`; without timestamps `mss,nop,wscale,sackOK,eol,eol`.
 */
export const FREEBSD: TcpProfile = {
  name: 'freebsd',
  synLayout: {
    withTimestamps: [
      place(TcpOptionKind.MSS, 4, 0),
      place(TcpOptionKind.WINDOW_SCALE, 2, 1),
      place(TcpOptionKind.SACK_PERMITTED, 2, 0),
      place(TcpOptionKind.TIMESTAMPS, 4, 2),
      place(TcpOptionKind.ACC_ECN_1, 1, 0),
      place(TcpOptionKind.FAST_OPEN, 1, 0),
    ],
    withoutTimestamps: [
      place(TcpOptionKind.MSS, 4, 0),
      place(TcpOptionKind.WINDOW_SCALE, 2, 1),
      place(TcpOptionKind.SACK_PERMITTED, 2, 0),
      place(TcpOptionKind.ACC_ECN_1, 1, 0),
      place(TcpOptionKind.FAST_OPEN, 1, 0),
    ],
    padding: TcpOptionKind.EOL,
  },
  limits: {
    // net.inet.tcp.recvspace 64 KiB, all of it window, growing to kern.ipc.maxsockbuf 2 MiB, from which the shift of 6 follows.
    receiveBytes: 65_536,
    receiveBytesMax: 2 << 20,
    receiveWindowShare: 256,
    windowInSegments: false,
    receiveBytesCeiling: 0,
    sendBytes: 32_768,
    sendBytesMax: 2 << 20,
    // net.inet.tcp.rexmit_min, and the 64 s of TCPTV_REXMTMAX.
    rtoMinMs: 30,
    rtoMaxMs: 64_000,
    // Its back-off of a SYN has five steps of one second, as Linux's since.
    synRetries: 8,
    synLinearTimeouts: 4,
    // net.inet.tcp.syncache.rexmtlimit.
    synAckRetries: 3,
    retries: 12,
    // net.inet.tcp.delacktime; every second segment from the first on.
    delayedAckMinMs: 40,
    delayedAckMaxMs: 40,
    quickAcks: 0,
    keepCount: 8,
    // RFC 9293 §3.10.7.3: text that comes with a SYN-ACK is kept.
    synAckText: true,
  },
};

/** By name, or one of the caller's own. Throws ERR_INVALID_ARG_VALUE for a name nobody knows. */
export function resolveProfile(choice: 'linux' | 'freebsd' | TcpProfile): TcpProfile {
  if (typeof choice !== 'string') return choice;
  if (choice === 'linux') return LINUX;
  if (choice === 'freebsd') return FREEBSD;
  throw new StackError(
    'ERR_INVALID_ARG_VALUE',
    `there is no profile ${String(choice)}; take linux, freebsd or an object`,
  );
}

/** Control path. The settings of a stack: Linux's numbers, then its profile's, then what was asked for. */
export function limitsOf(given: Partial<TcpLimits> = {}): TcpLimits {
  return { ...TCP_LIMITS, ...resolveProfile(given.profile ?? TCP_LIMITS.profile).limits, ...given };
}
