import type { ProfileName } from '../../../stack/tcp/profiles.js';
import { parseIpv4Address } from '../../../stack/wire/ipv4.js';
import type { ScriptOption } from '../language/ast.js';
import { type Place, ScriptError, Unsupported } from '../language/script-error.js';

/** Whose TCP the script's stack is. */
export type Profile = ProfileName | 'linux';

/** What a script is run with: packetdrill's defaults, then the command line, then the script's own options. */
export interface Settings {
  profile: Profile;
  /** int32 */
  localAddress: number;
  remoteAddress: number;
  bindPort: number;
  connectPort: number;
  mtu: number;
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
    toleranceUs: 4000,
    tolerancePercent: 12.5,
    tsTickUs: 0,
    tsEcrScaled: false,
    strictSegments: false,
    mapped: false,
    dryRun: false,
    initScripts: [],
    // The runners of suites for both IP versions give these two with -D.
    definitions: new Map([['CMSG_LEVEL_IP', 'SOL_IP'], ['CMSG_TYPE_RECVERR', 'IP_RECVERR'], ...definitions]),
  };
}

/** Tolerances beyond it judge nothing. */
const TOLERANCE_US_MAX = 3_600_000_000;

/** Options of packetdrill that say how a kernel is reached, or how much is printed: nothing here depends on them. */
const WITHOUT_EFFECT = new Set(
  `code_command code_format code_sockopt gateway_ip netmask_ip local_linklocal_ip speed mss non_fatal wire_client
   wire_server wire_server_ip wire_server_port wire_client_dev wire_server_dev debug verbose v is_anyip send_omit_free
   persistent_tun_dev tun_dev so_filename so_flags ip_id live_local_ip log_tcp_info`.split(/\s+/),
);

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
  if (missing === undefined && !WITHOUT_EFFECT.has(name))
    throw new ScriptError(place, `packetdrill has no option --${name}`);
}

function ipVersion(value: string, place: Place): string {
  if (value === 'ipv6') throw new Unsupported(place, 'IPv6');
  if (value !== 'ipv4' && value !== 'ipv4-mapped-ipv6') {
    throw new ScriptError(place, `--ip_version is ipv4, ipv4-mapped-ipv6 or ipv6, not "${value}"`);
  }
  return value;
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
