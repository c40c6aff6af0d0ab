import { StackError } from '../base/errors.js';
import type { TcpOptionKind } from '../wire/tcp-options.js';
import { TCP_LIMITS, type TcpLimits } from './limits.js';
import { LINUX, PROFILES, type ProfileName } from './profiles.js';

/**
 * What tells one system's TCP from another's on the wire, as data: where options stand in a SYN, and the numbers of its policy. RFC 9293 §3.1 leaves the
 * order of options open, so every system has its own, and middleboxes and tests have come to know it.
 *
 * A profile is a set of defaults. What `new Stack({ tcp: { … } })` says besides goes before it.
 */
export interface TcpProfile {
  readonly name: string;
  /** Whose TCP, and of which release: 100 × major + minor, 618 is 6.18. Settings that came later are unknown. Left out: all are known. */
  readonly system?: 'linux' | 'freebsd';
  readonly release?: number;
  /** Bits of `Behaviour`: what is answered differently. Left out: as `LINUX`. */
  readonly behaviour?: number;
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

/** A name that users may give. `linux` is the newest Linux there is a profile of. */
export type ProfileChoice = ProfileName | 'linux' | TcpProfile;

/** By name, or one of the caller's own. Throws ERR_INVALID_ARG_VALUE for a name nobody knows. */
export function resolveProfile(choice: ProfileChoice): TcpProfile {
  if (typeof choice !== 'string') return choice;
  if (isProfileName(choice)) return choice === 'linux' ? LINUX : PROFILES[choice];
  throw new StackError(
    'ERR_INVALID_ARG_VALUE',
    `there is no profile ${String(choice)}; take ${PROFILE_NAMES.join(', ')} or an object`,
  );
}

/** Whether Linux of `release` had what is asked about already; so has whatever is no Linux, or does not say. */
export function isSince({ system, release }: TcpProfile, since: number): boolean {
  return system !== 'linux' || release === undefined || release >= since;
}

/** All names, the short one first. */
export const PROFILE_NAMES: readonly (ProfileName | 'linux')[] = ['linux', ...(Object.keys(PROFILES) as ProfileName[])];

export function isProfileName(name: string): name is ProfileName | 'linux' {
  return (PROFILE_NAMES as readonly string[]).includes(name);
}

/** Control path. The settings of a stack: the newest Linux's numbers, then its profile's, then what was asked for. */
export function limitsOf(given: Partial<TcpLimits> = {}): TcpLimits {
  return { ...TCP_LIMITS, ...resolveProfile(given.profile ?? TCP_LIMITS.profile).limits, ...given };
}
