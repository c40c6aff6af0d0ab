import { CONSTANTS } from '../../posix/constants.js';
import { ERRNO } from '../../posix/errno.js';

/** Names that scripts use and socket calls here need not know: Linux's numbers. */
const OTHERS: Readonly<Record<string, number>> = {
  INADDR_ANY: 0,
  O_CREAT: 0o100,
  O_TRUNC: 0o1000,
  O_APPEND: 0o2000,
  O_CLOEXEC: 0o2000000,
  INADDR_LOOPBACK: 0x7f000001,
  SO_EE_ORIGIN_NONE: 0,
  SO_EE_ORIGIN_LOCAL: 1,
  SO_EE_ORIGIN_ICMP: 2,
  SO_EE_ORIGIN_ICMP6: 3,
  SO_EE_ORIGIN_TXSTATUS: 4,
  SO_EE_ORIGIN_TIMESTAMPING: 4,
  SO_EE_ORIGIN_ZEROCOPY: 5,
  SO_EE_ORIGIN_TXTIME: 6,
  SO_EE_CODE_ZEROCOPY_COPIED: 1,
  SCM_RIGHTS: 1,
  SCM_TIMESTAMP: 29,
  SCM_TIMESTAMPNS: 35,
  SCM_TIMESTAMPING: 37,
  SCM_TSTAMP_SND: 0,
  SCM_TSTAMP_SCHED: 1,
  SCM_TSTAMP_ACK: 2,
  SCM_TIMESTAMPING_OPT_STATS: 54,
  SOF_TIMESTAMPING_TX_HARDWARE: 0x1,
  SOF_TIMESTAMPING_TX_SOFTWARE: 0x2,
  SOF_TIMESTAMPING_RX_HARDWARE: 0x4,
  SOF_TIMESTAMPING_RX_SOFTWARE: 0x8,
  SOF_TIMESTAMPING_SOFTWARE: 0x10,
  SOF_TIMESTAMPING_SYS_HARDWARE: 0x20,
  SOF_TIMESTAMPING_RAW_HARDWARE: 0x40,
  SOF_TIMESTAMPING_OPT_ID: 0x80,
  SOF_TIMESTAMPING_TX_SCHED: 0x100,
  SOF_TIMESTAMPING_TX_ACK: 0x200,
  SOF_TIMESTAMPING_OPT_CMSG: 0x400,
  SOF_TIMESTAMPING_OPT_TSONLY: 0x800,
  SOF_TIMESTAMPING_OPT_STATS: 0x1000,
  SPLICE_F_MOVE: 1,
  SPLICE_F_NONBLOCK: 2,
  SPLICE_F_MORE: 4,
  SPLICE_F_GIFT: 8,
  IPTOS_LOWDELAY: 0x10,
  IPTOS_THROUGHPUT: 0x08,
  IPTOS_RELIABILITY: 0x04,
  IPTOS_MINCOST: 0x02,
  IPTOS_ECN_NOT_ECT: 0,
  IPTOS_ECN_ECT1: 1,
  IPTOS_ECN_ECT0: 2,
  IPTOS_ECN_CE: 3,
  SOL_UDP: 17,
  SOL_ICMPV6: 58,
  IPPROTO_RAW: 255,
};

/** States and bits of TCP_INFO, which calls compare and `%{ … }%` blocks name: tcp_states.h, tcp.h. */
const OF_TCP_INFO: Readonly<Record<string, number>> = {
  TCP_ESTABLISHED: 1,
  TCP_SYN_SENT: 2,
  TCP_SYN_RECV: 3,
  TCP_FIN_WAIT1: 4,
  TCP_FIN_WAIT2: 5,
  TCP_TIME_WAIT: 6,
  TCP_CLOSE: 7,
  TCP_CLOSE_WAIT: 8,
  TCP_LAST_ACK: 9,
  TCP_LISTEN: 10,
  TCP_CLOSING: 11,
  TCP_CA_Open: 0,
  TCP_CA_Disorder: 1,
  TCP_CA_CWR: 2,
  TCP_CA_Recovery: 3,
  TCP_CA_Loss: 4,
  TCPI_OPT_TIMESTAMPS: 1,
  TCPI_OPT_SACK: 2,
  TCPI_OPT_WSCALE: 4,
  TCPI_OPT_ECN: 8,
  TCPI_OPT_ECN_SEEN: 16,
  TCPI_OPT_SYN_DATA: 32,
  TCPI_OPT_USEC_TS: 64,
  TCPI_OPT_TFO_CHILD: 128,
  TCP_INFINITE_SSTHRESH: 0x7fffffff,
};

/** The u32s that SO_MEMINFO gives, in order: sock_diag.h. */
export const MEMINFO: readonly string[] = [
  'SK_MEMINFO_RMEM_ALLOC',
  'SK_MEMINFO_RCVBUF',
  'SK_MEMINFO_WMEM_ALLOC',
  'SK_MEMINFO_SNDBUF',
  'SK_MEMINFO_FWD_ALLOC',
  'SK_MEMINFO_WMEM_QUEUED',
  'SK_MEMINFO_OPTMEM',
  'SK_MEMINFO_BACKLOG',
  'SK_MEMINFO_DROPS',
];

/** The number a script's name stands for in a call or in code. */
export function symbolValue(name: string): number | undefined {
  const place = MEMINFO.indexOf(name);
  return (
    CONSTANTS.get(name) ??
    (Object.hasOwn(ERRNO, name) ? ERRNO[name as keyof typeof ERRNO] : undefined) ??
    own(OTHERS, name) ??
    own(OF_TCP_INFO, name) ??
    (place === -1 ? undefined : place)
  );
}

function own(table: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

/** `POLLIN|POLLOUT` for 5, among the names that begin with `prefix`; the number where bits remain. */
export function flagText(value: number, prefix: string): string {
  let rest = value;
  const names: string[] = [];
  const all = [...CONSTANTS, ...Object.entries(OTHERS)];
  for (const [name, bit] of all) {
    if (!name.startsWith(prefix) || bit === 0 || (rest & bit) !== bit) continue;
    names.push(name);
    rest &= ~bit;
  }
  return names.length === 0 || rest !== 0 ? String(value) : names.join('|');
}
