import { Stack } from '../../stack/stack.js';
import { Behaviour } from '../../stack/tcp/behaviour.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { limitsOf, type OptionPlace, type TcpProfile } from '../../stack/tcp/profile.js';
import { LINUX, PROFILES, type ProfileName } from '../../stack/tcp/profiles.js';
import { TcpOptionKind } from '../../stack/wire/tcp-options.js';
import { PosixError } from '../posix/posix-error.js';
import { Settings } from '../posix/sysctl.js';

/** The profiles side by side, made of their data: what is answered differently, limits, and settings by Linux's names. */
export interface ProfileRow {
  readonly kind: 'syn' | 'behaviour' | 'limit' | 'setting';
  readonly what: string;
  /** In the order of `PROFILE_COLUMNS`; null where the profile does not know it. */
  readonly values: readonly (string | null)[];
}

export const PROFILE_COLUMNS = Object.keys(PROFILES) as ProfileName[];

/** Every bit, in the words of somebody who watches. */
export const BEHAVIOUR_TEXTS: ReadonlyMap<Behaviour, string> = new Map([
  [Behaviour.ACK_UNSENT, 'ESTABLISHED answers an ACK of what was never sent'],
  [Behaviour.REFUSE_BEYOND, 'refuses what ends beyond the window while bytes are unread'],
  [Behaviour.CHALLENGE_HALF_OPEN, 'SYN-RECEIVED challenges a RST that is not at RCV.NXT'],
  [Behaviour.CHECK_ECHO, "checks the timestamp that the handshake's ACK echoes"],
  [Behaviour.IGNORE_OLD_ACK, 'ignores an old pure ACK with an old timestamp'],
  [Behaviour.RECENT_DESPITE_OLD_ACK, 'TS.Recent follows a segment whose ACK is old'],
  [Behaviour.DELAY_CAPPED, 'the delay of ACKs grows to delayedAckMaxMs at the most'],
  [Behaviour.TUNES_AS_7, 'tunes the receive buffer as Linux 7'],
  [Behaviour.RESET_IS_PIPE, "a RST after the peer's FIN is EPIPE"],
  [Behaviour.BSD_ACKS, 'delays ACKs as FreeBSD, and acknowledges a FIN at once'],
  [Behaviour.WHOLE_SEGMENTS, 'rounds the receive buffer up to whole segments'],
  [Behaviour.KEEPS_EDGE, 'takes what ends before the largest edge ever offered'],
]);

const OPTION_TEXTS: ReadonlyMap<TcpOptionKind, string> = new Map([
  [TcpOptionKind.MSS, 'mss'],
  [TcpOptionKind.SACK_PERMITTED, 'sackOK'],
  [TcpOptionKind.TIMESTAMPS, 'TS'],
  [TcpOptionKind.WINDOW_SCALE, 'wscale'],
]);

/** All rows, those included that are the same everywhere. */
export function profileRows(): ProfileRow[] {
  const profiles = PROFILE_COLUMNS.map((name) => PROFILES[name]);
  const rows: ProfileRow[] = [
    row('syn', 'options', profiles, ({ synLayout }) => layoutText(synLayout.withTimestamps)),
    row('syn', 'options without timestamps', profiles, ({ synLayout }) => layoutText(synLayout.withoutTimestamps)),
  ];
  for (const [bit, text] of BEHAVIOUR_TEXTS) {
    const has = (profile: TcpProfile) => ((profile.behaviour ?? LINUX.behaviour ?? 0) & bit) !== 0;
    rows.push(row('behaviour', text, profiles, (profile) => (has(profile) ? 'yes' : 'no')));
  }
  const limits = profiles.map((profile) => limitsOf({ profile }));
  for (const key of Object.keys(limits[0]) as (keyof TcpLimits)[]) {
    if (key === 'profile' || key === 'bufferMemory') continue;
    rows.push({ kind: 'limit', what: key, values: limits.map((each) => String(each[key])) });
  }
  const settings = profiles.map((profile) => new Settings(new Stack({ seed: 1, tcp: { ...SMALL, profile } })));
  for (const name of Settings.names()) {
    if (!SECRET.has(name))
      rows.push({ kind: 'setting', what: name, values: settings.map((each) => settingOf(each, name)) });
  }
  return rows;
}

/** Whether two profiles have it differently. */
export function differs({ values }: ProfileRow): boolean {
  return values.some((value) => value !== values[0]);
}

/** Columns as wide as what stands in them. */
export function profileLines(rows: readonly ProfileRow[]): string[] {
  const table = [['', ...PROFILE_COLUMNS], ...rows.map(({ what, values }) => [what, ...values.map((v) => v ?? '–')])];
  const widths = table[0].map((_, i) => Math.max(...table.map((cells) => cells[i].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => cell.padEnd(widths[i]))
      .join('  ')
      .trimEnd();
  const lines = [line(table[0])];
  let kind = '';
  for (const [i, each] of rows.entries()) {
    if (each.kind !== kind) lines.push('', `${TITLES[each.kind]}:`);
    kind = each.kind;
    lines.push(line(table[i + 1]));
  }
  return lines;
}

const TITLES: Readonly<Record<ProfileRow['kind'], string>> = {
  syn: 'SYN',
  behaviour: 'what it does',
  limit: 'limits (new Stack({ tcp: { … } }))',
  setting: "settings (Linux's names)",
};

/** A stack that only says its settings needs no tables. */
const SMALL = {
  connectionsMax: 16,
  activeMax: 16,
  synReceivedMax: 16,
  timeWaitMax: 16,
  outOfOrderMax: 16,
  transmitRecordsMax: 64,
  bufferBytesMax: 1 << 16,
};
/** A key is nobody's default. */
const SECRET = new Set(['net.ipv4.tcp_fastopen_key']);

function row(
  kind: ProfileRow['kind'],
  what: string,
  profiles: readonly TcpProfile[],
  value: (profile: TcpProfile) => string,
): ProfileRow {
  return { kind, what, values: profiles.map(value) };
}

function settingOf(settings: Settings, name: string): string | null {
  try {
    return settings.get(name).replaceAll('\t', ' ');
  } catch (error) {
    if (error instanceof PosixError) return null;
    throw error;
  }
}

/** The options that every SYN has, in their order, padding left out. */
function layoutText(places: readonly OptionPlace[]): string {
  return places.flatMap(({ kind }) => OPTION_TEXTS.get(kind) ?? []).join(',');
}
