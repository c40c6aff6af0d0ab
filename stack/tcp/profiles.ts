import { TcpOptionKind } from '../wire/tcp-options.js';
import { Behaviour } from './behaviour.js';
import type { OptionPlace, SynLayout, TcpProfile } from './profile.js';

/**
 * The profiles there are, as data. Linux's three differ in what `docs/profiles.md` lists, each item with the script
 * that shows it or with the reason why none does.
 */

/** Control path. */
function place(kind: TcpOptionKind, modulus: 1 | 2 | 4, remainder: number): OptionPlace {
  return { kind, modulus, remainder };
}

/**
 * Linux: every option ends at a multiple of four, which NOPs before it see to. SACK-permitted takes the place of the
 * two NOPs before timestamps. `mss,sackOK,TS,nop,wscale,FO,nop,nop`; without timestamps
 * `mss,nop,nop,sackOK,nop,wscale`. All versions agree.
 */
const LINUX_LAYOUT: SynLayout = {
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
};

const BEHAVIOUR_6_12 = Behaviour.RESET_IS_PIPE;

const BEHAVIOUR_6_18 =
  BEHAVIOUR_6_12 |
  Behaviour.ACK_UNSENT |
  Behaviour.REFUSE_BEYOND |
  Behaviour.CHALLENGE_HALF_OPEN |
  Behaviour.CHECK_ECHO |
  Behaviour.IGNORE_OLD_ACK;

/** Linux 6.12, the long-term kernel of 2024: what its successors have changed is as it was. */
export const LINUX_6_12: TcpProfile = {
  name: 'linux-6.12',
  system: 'linux',
  release: 6_12,
  synLayout: LINUX_LAYOUT,
  behaviour: BEHAVIOUR_6_12,
  limits: {
    // tcp_rmem[2]; from it the window scale of 7 follows. net.core.rmem_max.
    receiveBytesMax: 6 << 20,
    receiveBytesCeiling: 212_992,
    compressedAckRttPercent: 5,
  },
};

/** Linux 6.18, the long-term kernel of 2025. */
export const LINUX_6_18: TcpProfile = {
  name: 'linux-6.18',
  system: 'linux',
  release: 6_18,
  synLayout: LINUX_LAYOUT,
  behaviour: BEHAVIOUR_6_18,
  limits: { compressedAckRttPercent: 5 },
};

/** Linux 7.3. `TCP_LIMITS` are its numbers already. */
export const LINUX_7_3: TcpProfile = {
  name: 'linux-7.3',
  system: 'linux',
  release: 7_03,
  synLayout: LINUX_LAYOUT,
  behaviour:
    BEHAVIOUR_6_18 |
    Behaviour.RECENT_DESPITE_OLD_ACK |
    Behaviour.DELAY_CAPPED |
    Behaviour.TUNES_AS_7 |
    Behaviour.KEEPS_EDGE,
  limits: {},
};

/**
 * FreeBSD 14: window scale before SACK-permitted, timestamps last and aligned, and the end of the list filled up with EOL:
 * `mss,nop,wscale,sackOK,TS`; without timestamps `mss,nop,wscale,sackOK,eol,eol`.
 */
export const FREEBSD: TcpProfile = {
  name: 'freebsd',
  system: 'freebsd',
  release: 14_00,
  behaviour:
    Behaviour.BSD_ACKS |
    Behaviour.WHOLE_SEGMENTS |
    Behaviour.ACK_UNSENT |
    Behaviour.CHALLENGE_HALF_OPEN |
    Behaviour.IGNORE_OLD_ACK |
    Behaviour.RECENT_DESPITE_OLD_ACK,
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
    // PSH only where the send buffer runs dry.
    pushHalfWindows: false,
    keepCount: 8,
    // RFC 9293 §3.10.7.3: text that comes with a SYN-ACK is kept.
    synAckText: true,
  },
};

/** By the names that users give; a newer one stands behind an older. */
export const PROFILES: Readonly<Record<ProfileName, TcpProfile>> = {
  'linux-6.12': LINUX_6_12,
  'linux-6.18': LINUX_6_18,
  'linux-7.3': LINUX_7_3,
  freebsd: FREEBSD,
};

export type ProfileName = 'linux-6.12' | 'linux-6.18' | 'linux-7.3' | 'freebsd';

/** What `linux` means: the newest. */
export const LINUX = LINUX_7_3;
