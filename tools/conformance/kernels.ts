/** The versions of Linux whose scripts are run, where Debian has them, and how that kernel's runner calls packetdrill. */
import type { ProfileName } from '../../stack/tcp/profiles.js';

export type IpVersion = 'ipv4' | 'ipv4-mapped-ipv6' | 'ipv6';

export interface Kernel {
  readonly version: string;
  readonly profile: ProfileName;
  /** Debian's package with its source. */
  readonly package: string;
  /** Undefined: the release that the machine runs, with its updates. */
  readonly suite?: string;
  /** What is to be fetched, for people who wait. */
  readonly megabytes: number;
  /** The versions of IP that its `ksft_runner.sh` runs a script under that names none. */
  readonly ipVersions: readonly IpVersion[];
}

export const KERNELS: readonly Kernel[] = [
  {
    version: '6.12',
    profile: 'linux-6.12',
    package: 'linux-source-6.12',
    megabytes: 154,
    ipVersions: ['ipv4', 'ipv6'],
  },
  {
    version: '7.3',
    profile: 'linux-7.3',
    package: 'linux-source-7.3',
    suite: 'trixie-backports',
    megabytes: 167,
    ipVersions: ['ipv4', 'ipv6', 'ipv4-mapped-ipv6'],
  },
];

/** The options of `ksft_runner.sh` for IPv4. Its definitions are known to the interpreter (`GIVEN`). */
export const IPV4_OPTIONS: ReadonlyMap<string, string> = new Map([
  ['ip_version', 'ipv4'],
  ['local_ip', '192.168.0.1'],
  ['gateway_ip', '192.168.0.1'],
  ['netmask_ip', '255.255.0.0'],
  ['remote_ip', '192.0.2.1'],
]);

/** Why a script that the kernel runs more than once is run once here. */
export const NOT_RUN: Readonly<Record<Exclude<IpVersion, 'ipv4'>, string>> = {
  ipv6: 'the stack has no IPv6',
  'ipv4-mapped-ipv6': 'the packets are the same',
};

/** Where the scripts are in the kernel's source. */
export const SCRIPTS_IN_SOURCE = 'tools/testing/selftests/net/packetdrill';

export function findKernel(version: string): Kernel | undefined {
  return KERNELS.find((kernel) => kernel.version === version);
}
