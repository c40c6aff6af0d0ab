import type { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { isSince } from '../../stack/tcp/profile.js';
import { parseFastOpenKeys, printFastOpenKeys } from './fast-open.js';
import { PosixError } from './posix-error.js';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Settings of the socket layer that are none of the stack's. */
export interface SocketLimits {
  somaxconn: number;
  /** The largest SO_RCVBUF and SO_SNDBUF a program gets without force. */
  rmemMax: number;
  wmemMax: number;
}

interface Rule {
  read(settings: Settings): string;
  write(settings: Settings, value: string): void;
}

type NumberKey = { [K in keyof TcpLimits]: TcpLimits[K] extends number ? K : never }[keyof TcpLimits];
type SwitchKey = { [K in keyof TcpLimits]: TcpLimits[K] extends boolean ? K : never }[keyof TcpLimits];

/** A whole number between two bounds; the stack holds it times `unit`. */
function count(key: NumberKey, least: number, most: number, unit = 1): Rule {
  return {
    read: (settings) => String(settings.limits[key] / unit),
    write: (settings, value) => {
      settings.limits[key] = integer(value, least, most) * unit;
    },
  };
}

/** On for any number but 0. */
function onOff(key: SwitchKey): Rule {
  return {
    read: (settings) => (settings.limits[key] ? '1' : '0'),
    write: (settings, value) => {
      settings.limits[key] = integer(value, 0, INT_MAX) !== 0;
    },
  };
}

/** Linux's triple: the least, what a connection begins with, the most. The least is what memory pressure leaves, which there is none of here. */
function triple(first: NumberKey, most: NumberKey): Rule {
  return {
    read: (settings) => `4096\t${settings.limits[first]}\t${settings.limits[most]}`,
    write: (settings, value) => {
      const [, standard, largest] = integers(value, 3, settings.isSince(7_00) ? BUFFER_MIN : 0);
      settings.limits[first] = standard;
      settings.limits[most] = largest;
    },
  };
}

function own(key: keyof SocketLimits, least: number): Rule {
  return {
    read: (settings) => String(settings.sockets[key]),
    write: (settings, value) => {
      settings.sockets[key] = integer(value, least, INT_MAX);
    },
  };
}

const INT_MAX = 0x7fffffff;
/** A page: since 7 Linux refuses smaller buffers in tcp_rmem and tcp_wmem. */
const BUFFER_MIN = 4096;
const SECOND = 1000;

const RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ['net.core.somaxconn', own('somaxconn', 0)],
  [
    'net.core.rmem_max',
    {
      read: (settings) => String(settings.sockets.rmemMax),
      write: (settings, value) => {
        settings.sockets.rmemMax = integer(value, 2304, INT_MAX);
        settings.limits.receiveBytesCeiling = settings.sockets.rmemMax;
      },
    },
  ],
  ['net.core.wmem_max', own('wmemMax', 4608)],
  ['net.ipv4.tcp_timestamps', onOff('timestamps')],
  ['net.ipv4.tcp_sack', onOff('sack')],
  ['net.ipv4.tcp_window_scaling', onOff('windowScaling')],
  ['net.ipv4.tcp_dsack', onOff('dsack')],
  ['net.ipv4.tcp_moderate_rcvbuf', onOff('moderateReceiveBuffer')],
  ['net.ipv4.tcp_shrink_window', onOff('shrinkWindow')],
  ['net.ipv4.tcp_comp_sack_nr', count('compressedAcksMax', 0, 255)],
  ['net.ipv4.tcp_comp_sack_delay_ns', count('compressedAckDelayUs', 0, INT_MAX, 1 / 1000)],
  ['net.ipv4.tcp_comp_sack_rtt_percent', count('compressedAckRttPercent', 1, 1000)],
  ['net.ipv4.tcp_rcvbuf_low_rtt', count('receiveLowRttUs', 0, INT_MAX)],
  [
    'net.ipv4.tcp_ecn',
    {
      read: (settings) => String(settings.limits.ecn),
      write: (settings, value) => {
        // Accurate ECN came with 3 to 5.
        settings.limits.ecn = integer(value, 0, settings.isSince(7_00) ? 5 : 2);
      },
    },
  ],
  ['net.ipv4.tcp_ecn_fallback', onOff('ecnFallback')],
  ['net.ipv4.tcp_ecn_option', count('ecnOption', 0, 3)],
  ['net.ipv4.tcp_ecn_option_beacon', count('ecnOptionBeacon', 0, 63)],
  ['net.ipv4.tcp_slow_start_after_idle', onOff('slowStartAfterIdle')],
  ['net.ipv4.tcp_rmem', triple('receiveBytes', 'receiveBytesMax')],
  ['net.ipv4.tcp_wmem', triple('sendBytes', 'sendBytesMax')],
  ['net.ipv4.tcp_syn_retries', count('synRetries', 1, 127)],
  ['net.ipv4.tcp_synack_retries', count('synAckRetries', 0, 255)],
  ['net.ipv4.tcp_syn_linear_timeouts', count('synLinearTimeouts', 0, 127)],
  ['net.ipv4.tcp_syncookies', count('synCookies', 0, 2)],
  [
    'net.ipv4.tcp_fastopen',
    {
      read: (settings) => String(settings.limits.fastOpen),
      write: (settings, value) => {
        settings.limits.fastOpen = integer(value, 0, INT_MAX);
      },
    },
  ],
  ['net.ipv4.tcp_fastopen_blackhole_timeout_sec', count('fastOpenPauseSeconds', 0, INT_MAX)],
  [
    'net.ipv4.tcp_fastopen_key',
    {
      read: (settings) => printFastOpenKeys(settings.stack.tcp.context.fastOpenKeys),
      write: (settings, value) => {
        settings.stack.tcp.context.fastOpenKeys = parseFastOpenKeys(value);
      },
    },
  ],
  ['net.ipv4.tcp_max_syn_backlog', count('synBacklogMax', 0, INT_MAX)],
  ['net.ipv4.tcp_abort_on_overflow', onOff('abortOnOverflow')],
  ['net.ipv4.tcp_retries2', count('retries', 0, 255)],
  ['net.ipv4.tcp_retries1', count('retries1', 0, 255)],
  // Of disciplines only this is seen: fq spreads a connection's segments out.
  [
    'net.core.default_qdisc',
    {
      read: (settings) => (settings.limits.pacing ? 'fq' : 'pfifo_fast'),
      write: (settings, value) => {
        settings.limits.pacing = value === 'fq';
      },
    },
  ],
  // Metrics of the one route a script's world has, as `ip route` sets them.
  ['route.rto_min', milliseconds('rtoMinMs')],
  [
    'route.congctl',
    {
      read: (settings) => settings.limits.congestion,
      write: (settings, value) => settings.set('net.ipv4.tcp_congestion_control', value),
    },
  ],
  ['net.ipv4.tcp_orphan_retries', count('orphanRetries', 0, 255)],
  ['net.ipv4.tcp_max_orphans', count('orphansMax', 0, INT_MAX)],
  ['net.ipv4.tcp_rfc1337', onOff('rfc1337')],
  ['net.ipv4.tcp_mtu_probing', count('mtuProbing', 0, 2)],
  ['net.ipv4.tcp_base_mss', count('mtuBaseMss', 48, 32_767)],
  ['net.ipv4.tcp_mtu_probe_floor', count('mtuProbeFloor', 48, 32_767)],
  ['net.ipv4.tcp_probe_threshold', count('mtuProbeThreshold', 0, 65_535)],
  ['net.ipv4.tcp_probe_interval', count('mtuProbeIntervalMs', 0, 1_000_000, SECOND)],
  ['net.ipv4.tcp_tw_reuse', count('timeWaitReuse', 0, 2)],
  ['net.ipv4.tcp_tw_reuse_delay', count('timeWaitReuseDelayMs', 1, 60_000)],
  ['net.ipv4.tcp_fin_timeout', count('finWait2Ms', 0, 3600, SECOND)],
  ['net.ipv4.tcp_keepalive_time', count('keepIdleMs', 1, 32_767, SECOND)],
  ['net.ipv4.tcp_keepalive_intvl', count('keepIntervalMs', 1, 32_767, SECOND)],
  ['net.ipv4.tcp_keepalive_probes', count('keepCount', 1, 127)],
  [
    'net.ipv4.tcp_recovery',
    {
      read: (settings) => String(settings.recovery ?? settings.limits.recovery),
      write: (settings, value) => {
        settings.recovery = integer(value, 0, 7);
        // Since 7 there is no other way than RACK, whatever bit 1 says.
        settings.limits.recovery = settings.recovery | (settings.isSince(7_00) ? 1 : 0);
      },
    },
  ],
  ['net.ipv4.tcp_early_retrans', count('tailLossProbe', 0, 4)],
  ['net.ipv4.tcp_frto', onOff('frto')],
  [
    'net.ipv4.tcp_reordering',
    {
      read: (settings) => String(settings.limits.reordering),
      write: (settings, value) => {
        const most = settings.isSince(7_00) ? settings.limits.maxReordering : INT_MAX;
        settings.limits.reordering = integer(value, 1, most);
      },
    },
  ],
  ['net.ipv4.tcp_max_reordering', count('maxReordering', 1, INT_MAX)],
  ['net.ipv4.tcp_retrans_collapse', onOff('retransmitGathers')],
  ['net.ipv4.tcp_min_rtt_wlen', count('minRttWindowMs', 0, 86_400, SECOND)],
  ['net.ipv4.tcp_invalid_ratelimit', count('challengeAckIntervalMs', 0, INT_MAX)],
  ['net.ipv4.tcp_challenge_ack_limit', count('challengeAcksPerSecond', 0, INT_MAX)],
  ['net.ipv4.tcp_pacing_ss_ratio', count('pacingSlowStartPercent', 0, 1000)],
  ['net.ipv4.tcp_pacing_ca_ratio', count('pacingAvoidancePercent', 0, 1000)],
  ['net.ipv4.tcp_min_tso_segs', count('pacingBurstSegments', 1, 255)],
  // The metric of a route, by a name of ours: there is one route.
  ['route.initcwnd', count('initialWindowSegments', 1, 1024)],
  ['net.ipv4.tcp_rto_min_us', microseconds('rtoMinMs')],
  ['net.ipv4.tcp_rto_max_ms', count('rtoMaxMs', 1000, 120_000)],
  [
    'net.ipv4.ip_local_port_range',
    {
      read: (settings) => `${settings.limits.portFirst}\t${settings.limits.portLast}`,
      write: (settings, value) => {
        const [first, last] = integers(value, 2);
        if (first < 1 || last > 65_535 || first > last) throw invalid(value, 'two ports, the lower first');
        settings.limits.portFirst = first;
        settings.limits.portLast = last;
      },
    },
  ],
  [
    'net.ipv4.tcp_congestion_control',
    {
      read: (settings) => settings.limits.congestion,
      write: (settings, value) => {
        const { congestions } = settings.stack.tcp.context;
        const control = congestions.controls[congestions.numberOf(value.trim())];
        if (control !== undefined) congestions.controls[0] = control;
        settings.limits.congestion = value.trim();
      },
    },
  ],
  [
    'net.ipv4.tcp_available_congestion_control',
    {
      read: (settings) => settings.stack.tcp.congestionControls.join(' '),
      write: () => {
        throw new PosixError('EACCES', 'tcp_available_congestion_control is only read');
      },
    },
  ],
]);

/** `200`, `200ms`, `1s`: a bare number is of milliseconds. */
function milliseconds(key: NumberKey): Rule {
  return {
    read: (settings) => `${settings.limits[key]}ms`,
    write: (settings, value) => {
      const parts = /^(\d+)(ms|s|)$/.exec(value);
      if (parts === null) throw invalid(value, 'a time in ms or s');
      settings.limits[key] = Math.max(1, integer(parts[1] ?? '', 0, INT_MAX)) * (parts[2] === 's' ? SECOND : 1);
    },
  };
}

function microseconds(key: NumberKey): Rule {
  return {
    read: (settings) => String(settings.limits[key] * 1000),
    write: (settings, value) => {
      settings.limits[key] = Math.max(1, Math.ceil(integer(value, 1, INT_MAX) / 1000));
    },
  };
}

/**
 * Settings of Linux that change nothing here, with what they are there: what the setting governs (segmentation offload, caches, memory pressure,
 * an algorithm Linux has dropped) does not exist in this stack. They are told back as they were set.
 */
const WITHOUT_EFFECT: ReadonlyMap<string, string> = new Map([
  ['net.core.rmem_default', '212992'],
  ['net.core.wmem_default', '212992'],
  ['net.core.netdev_max_backlog', '1000'],
  ['net.core.optmem_max', '131072'],
  ['net.core.high_order_alloc_disable', '0'],
  ['net.ipv4.tcp_mem', '88560\t118080\t177120'],
  ['net.ipv4.tcp_fack', '0'],
  ['net.ipv4.tcp_app_win', '31'],
  ['net.ipv4.tcp_adv_win_scale', '1'],
  ['net.ipv4.tcp_workaround_signed_windows', '0'],
  ['net.ipv4.tcp_pingpong_thresh', '1'],
  ['net.ipv4.tcp_comp_sack_slack_ns', '10000'],
  ['net.ipv4.tcp_low_latency', '0'],
  ['net.ipv4.tcp_tso_win_divisor', '3'],
  ['net.ipv4.tcp_tso_rtt_log', '9'],
  ['net.ipv4.tcp_limit_output_bytes', '4194304'],
  ['net.ipv4.tcp_no_metrics_save', '1'],
  ['net.ipv4.tcp_no_ssthresh_metrics_save', '1'],
  ['net.ipv4.tcp_autocorking', '1'],
  ['net.ipv4.tcp_backlog_ack_defer', '1'],
  ['net.ipv4.tcp_reflect_tos', '0'],
  ['net.ipv4.tcp_migrate_req', '0'],
  ['net.ipv4.tcp_early_demux', '1'],
  ['net.ipv4.ip_early_demux', '1'],
  ['net.ipv4.tcp_l3mdev_accept', '0'],
  ['net.ipv4.tcp_available_ulp', ''],
  ['net.ipv4.tcp_plb_enabled', '0'],
  ['net.ipv4.ip_forward', '0'],
  ['net.ipv4.conf.all.rp_filter', '0'],
  ['net.ipv4.ip_local_port_step_width', '0'],
  ['net.ipv4.icmp_errors_extension_mask', '0'],
]);

/** Settings that Linux has had only since this release; before it nobody knows them. */
const SINCE: ReadonlyMap<string, number> = new Map([
  ['net.ipv4.tcp_rto_max_ms', 6_15],
  ['net.ipv4.tcp_tw_reuse_delay', 6_14],
  ['net.ipv4.tcp_ecn_option', 6_18],
  ['net.ipv4.tcp_ecn_option_beacon', 6_18],
  ['net.ipv4.tcp_comp_sack_rtt_percent', 7_00],
  ['net.ipv4.tcp_rcvbuf_low_rtt', 7_00],
  ['net.ipv4.ip_local_port_step_width', 7_00],
  ['net.ipv4.icmp_errors_extension_mask', 7_00],
]);

/** What stood in those without effect before a release: its number, and the value until then. */
const VALUES_BEFORE: readonly (readonly [string, number, string])[] = [
  ['net.ipv4.tcp_limit_output_bytes', 6_18, '1048576'],
  ['net.ipv4.tcp_comp_sack_slack_ns', 7_00, '100000'],
];

/** The settings of a stack under the names Linux gives them. What connections have already taken from them stays as it is. */
export class Settings {
  readonly limits: Mutable<TcpLimits>;
  readonly sockets: SocketLimits;
  readonly #told = new Map(WITHOUT_EFFECT);
  /** tcp_recovery as it was written, where the stack has something else. */
  recovery: number | undefined;

  constructor(readonly stack: Stack) {
    this.limits = stack.tcp.limits;
    // FreeBSD has one limit for both, kern.ipc.maxsockbuf.
    const freebsd = stack.tcp.context.profile.system === 'freebsd';
    const bytes = freebsd ? 2 << 20 : this.isSince(6_18) ? 4 << 20 : 212_992;
    this.sockets = { somaxconn: 4096, rmemMax: bytes, wmemMax: bytes };
    for (const [name, release, value] of VALUES_BEFORE) if (!this.isSince(release)) this.#told.set(name, value);
  }

  /** Whether the kernel that the stack's profile stands for is of this release or newer. */
  isSince(release: number): boolean {
    return isSince(this.stack.tcp.context.profile, release);
  }

  #rule(name: string): Rule | undefined {
    return this.isSince(SINCE.get(name) ?? 0) ? RULES.get(name) : undefined;
  }

  static knows(name: string): boolean {
    return RULES.has(name) || WITHOUT_EFFECT.has(name);
  }

  /** Throws ENOENT for a name nobody knows, EINVAL for a value that is none. */
  set(name: string, value: string): void {
    const plain = dotted(name);
    const rule = this.#rule(plain);
    if (rule !== undefined) rule.write(this, value.trim());
    else if (this.#isTold(plain)) this.#told.set(plain, value.trim());
    else throw new PosixError('ENOENT', `${name} is no setting of this stack`);
  }

  get(name: string): string {
    const plain = dotted(name);
    const value = this.#rule(plain)?.read(this) ?? (this.#isTold(plain) ? this.#told.get(plain) : undefined);
    if (value === undefined) throw new PosixError('ENOENT', `${name} is no setting of this stack`);
    return value;
  }

  #isTold(name: string): boolean {
    return this.#told.has(name) && this.isSince(SINCE.get(name) ?? 0);
  }

  /** Of all settings there are. */
  static names(): string[] {
    return [...RULES.keys(), ...WITHOUT_EFFECT.keys()].sort();
  }
}

/** `net/ipv4/tcp_sack` and `/proc/sys/net/ipv4/tcp_sack` are the same as `net.ipv4.tcp_sack`. */
function dotted(name: string): string {
  return name.replace(/^\/proc\/sys\//, '').replaceAll('/', '.');
}

function integer(value: string, least: number, most: number): number {
  const number = Number(value);
  if (value === '' || !Number.isInteger(number) || number < least || number > most) {
    throw invalid(value, `a whole number from ${least} to ${most}`);
  }
  return number;
}

function integers(value: string, length: number, least = 0): number[] {
  const numbers = value
    .trim()
    .split(/\s+/)
    .map((word) => integer(word, least, INT_MAX));
  if (numbers.length !== length) throw invalid(value, `${length} whole numbers`);
  return numbers;
}

function invalid(value: string, allowed: string): PosixError {
  return new PosixError('EINVAL', `"${value}" is not ${allowed}`);
}
