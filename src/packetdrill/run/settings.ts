import type { ProfileName } from '../../../stack/tcp/profiles.js';
import { parseIpv4Address } from '../../../stack/wire/ipv4.js';
import type { ScriptOption } from '../language/ast.js';
import { type Place, ScriptError, Unsupported } from '../language/script-error.js';
import { FLAG_OPTIONS, VALUED_OPTIONS } from '../option-names.js';

/** Whose TCP the script's stack is. */
export type Profile = ProfileName | 'linux';

/** What a script is run with: packetdrill's defaults, then the script's own options, then those of the command line. */
export interface Settings {
  profile: Profile;
  /** int32 */
  localAddress: number;
  remoteAddress: number;
  bindPort: number;
  connectPort: number;
  mtu: number;
  /** A scripted packet with more text stands for segments of this size that the device has joined; 0: it is one segment. */
  mss: number;
  /** An event may be late or early by the larger of both: packetdrill's. The kernel's timers go off an eighth late at most. */
  toleranceUs: number;
  tolerancePercent: number;
  /** Larger than 0: how long a tick of the stack's timestamps is, which then are compared with the clock. */
  tsTickUs: number;
  /** The script's `ecr` is in ticks of another size: it is not compared. */
  tsEcrScaled: boolean;
  strictSegments: boolean;
  /** `ipv4-mapped-ipv6`: AF_INET6 in the program, IPv4 on the wire. */
  mapped: boolean;
  dryRun: boolean;
  /**
   * As packetdrill judges: packets of other sockets than the one that is meant, and those behind the last the script describes, are not
   * looked at; PSH counts on the last piece of a scripted burst only.
   */
  asPacketdrill: boolean;
  /** `--non_fatal`: what differs in these is noted, and the script goes on. */
  nonFatal: ReadonlySet<string>;
  initScripts: readonly string[];
  definitions: Map<string, string>;
}

export function defaultSettings(profile: Profile, definitions: ReadonlyMap<string, string>): Settings {
  return {
    profile,
    localAddress: parseIpv4Address('192.168.0.1') ?? 0,
    remoteAddress: parseIpv4Address('192.0.2.1') ?? 0,
    bindPort: 8080,
    connectPort: 8080,
    mtu: 1500,
    mss: 0,
    toleranceUs: 4000,
    tolerancePercent: 12.5,
    tsTickUs: 0,
    tsEcrScaled: false,
    strictSegments: false,
    mapped: false,
    dryRun: false,
    asPacketdrill: false,
    nonFatal: new Set(),
    initScripts: [],
    definitions: new Map(definitions),
  };
}

/**
 * What the runner of Linux's suite gives with -D, because it differs between the versions of IP. The cookies are those that the key of its
 * `defaults.sh`, and one of zeros, give for packetdrill's addresses.
 */
export const GIVEN: readonly (readonly [string, string])[] = [
  ['CMSG_LEVEL_IP', 'SOL_IP'],
  ['CMSG_TYPE_RECVERR', 'IP_RECVERR'],
  ['TFO_COOKIE', '3021b9d889017eeb'],
  ['TFO_COOKIE_ZERO', 'b7c12350a90dc8f5'],
];

/** Tolerances beyond it judge nothing. */
const TOLERANCE_US_MAX = 3_600_000_000;

/** The others say how a kernel is reached, or how much is printed: nothing here depends on them. */
const KNOWN = new Set([...VALUED_OPTIONS, ...FLAG_OPTIONS, 'verbose', 'v']);

/** One that needs what is not here. */
const UNSUPPORTED: Readonly<Record<string, string>> = {
  udp_encaps: 'UDP encapsulation',
};

/** Puts a script's options into `settings`. Throws a ScriptError for what packetdrill has no option of, or a value that is wrong. */
export function applyOptions(settings: Settings, options: readonly ScriptOption[]): void {
  for (const option of options) applyOption(settings, option);
}

function applyOption(settings: Settings, { name, value, place }: ScriptOption): void {
  switch (name) {
    case 'ip_version':
      settings.mapped = ipVersion(value, place) === 'ipv4-mapped-ipv6';
      return;
    case 'bind_port':
      settings.bindPort = wholeNumber(value, 0, 65_535, name, place);
      return;
    case 'connect_port':
      settings.connectPort = wholeNumber(value, 1, 65_535, name, place);
      return;
    case 'local_ip':
      settings.localAddress = address(value, name, place);
      return;
    case 'remote_ip':
      settings.remoteAddress = address(value, name, place);
      return;
    case 'mtu':
      settings.mtu = wholeNumber(value, 68, 65_535, name, place);
      return;
    case 'mss':
      settings.mss = wholeNumber(value, 0, 65_535, name, place);
      return;
    case 'tolerance_usecs':
      settings.toleranceUs = wholeNumber(value, 0, TOLERANCE_US_MAX, name, place);
      return;
    case 'tolerance_percent':
      settings.tolerancePercent = percent(value, place);
      return;
    case 'tcp_ts_tick_usecs':
      settings.tsTickUs = wholeNumber(value, 0, 1_000_000, name, place);
      return;
    case 'tcp_ts_ecr_scaled':
      settings.tsEcrScaled = flag(value);
      return;
    case 'strict_segments':
      settings.strictSegments = flag(value);
      return;
    case 'dry_run':
      settings.dryRun = flag(value);
      return;
    case 'non_fatal':
      settings.nonFatal = kinds(value, place);
      return;
    case 'init_scripts':
      settings.initScripts = value.split(',').filter((script) => script !== '');
      return;
    case 'define':
    case 'D': {
      const [, defined, text] = /^(\w+)=(.*)$/s.exec(value) ?? [];
      if (defined === undefined) throw new ScriptError(place, `--${name} needs NAME=VALUE, not "${value}"`);
      // The command line's definition stands.
      if (!settings.definitions.has(defined)) settings.definitions.set(defined, text);
      return;
    }
  }
  const missing = UNSUPPORTED[name];
  if (missing !== undefined && flag(value)) throw new Unsupported(place, missing);
  if (missing === undefined && !KNOWN.has(name)) throw new ScriptError(place, `packetdrill has no option --${name}`);
}

function ipVersion(value: string, place: Place): string {
  if (value === 'ipv6') throw new Unsupported(place, 'IPv6');
  if (value !== 'ipv4' && value !== 'ipv4-mapped-ipv6') {
    throw new ScriptError(place, `--ip_version is ipv4, ipv4-mapped-ipv6 or ipv6, not "${value}"`);
  }
  return value;
}

/** Of what may differ: `packet`, `syscall`, or both. */
function kinds(value: string, place: Place): ReadonlySet<string> {
  const named = value.split(',').filter((kind) => kind !== '');
  const wrong = named.find((kind) => kind !== 'packet' && kind !== 'syscall');
  if (wrong === undefined && named.length > 0) return new Set(named);
  throw new ScriptError(place, `--non_fatal is "${value}": allowed are packet and syscall, with a comma between them`);
}

function flag(value: string): boolean {
  return !['0', 'false', 'no'].includes(value);
}

function address(value: string, name: string, place: Place): number {
  const parsed = parseIpv4Address(value);
  if (parsed !== undefined) return parsed;
  if (/^[0-9a-f:.]+$/i.test(value) && value.includes(':')) throw new Unsupported(place, `IPv6 (--${name}=${value})`);
  throw new ScriptError(place, `--${name}: "${value}" is no IPv4 address`);
}

function wholeNumber(text: string, min: number, max: number, name: string, place: Place): number {
  const value = /^(?:\d{1,15}|0x[0-9a-f]{1,12})$/i.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new ScriptError(place, `--${name} is "${text}": allowed is a whole number from ${min} to ${max}`);
}

function percent(text: string, place: Place): number {
  const value = /^\d+(?:\.\d+)?%?$/.test(text) ? Number.parseFloat(text) : Number.NaN;
  if (value >= 0 && value <= 1000) return value;
  throw new ScriptError(place, `--tolerance_percent is "${text}": allowed is a number from 0 to 1000`);
}
