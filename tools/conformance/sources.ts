/** apt's sources of this machine, read, and written again for one suite: where a package comes from is the machine's to say. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Refusal } from './refusal.js';

export interface AptSource {
  readonly uris: readonly string[];
  readonly suites: readonly string[];
  readonly components: readonly string[];
  /** Further fields as deb822 has them, as `Signed-By`. A key may be several lines. */
  readonly fields: ReadonlyMap<string, string>;
}

/** apt's folder, usually /etc/apt, and the file that names the release. */
export interface Machine {
  readonly apt: string;
  readonly release: string;
}

export const THIS_MACHINE: Machine = { apt: '/etc/apt', release: '/etc/os-release' };

/** The sources that a package is looked for in, as a deb822 file. Throws a Refusal. */
export function sourcesFor(suite: string | undefined, machine: Machine = THIS_MACHINE): string {
  const codename = codenameOf(machine);
  const all = machineSources(machine);
  const own = all.filter(
    ({ suites, components }) => components.includes('main') && suites.some((name) => isOf(codename, name)),
  );
  if (own.length === 0) {
    throw new Refusal('ERR_NO_SOURCES', `apt's sources of this machine have none of ${codename} main (${machine.apt})`);
  }
  if (suite === undefined) {
    return own
      .map((source) =>
        deb822(
          source,
          source.suites.filter((name) => isOf(codename, name)),
        ),
      )
      .join('\n');
  }
  // The archive itself has all suites but those of the security team.
  const archive = own.find(({ suites }) => suites.includes(codename));
  if (archive === undefined) {
    throw new Refusal(
      'ERR_NO_SOURCES',
      `apt's sources of this machine do not name ${codename} itself (${machine.apt})`,
    );
  }
  return deb822(archive, [suite]);
}

/** `bookworm`, `bookworm-updates`, `bookworm-security`, and the older `bookworm/updates`. */
function isOf(codename: string, suite: string): boolean {
  return suite === codename || ['-', '/'].some((mark) => suite.startsWith(codename + mark));
}

function codenameOf({ release }: Machine): string {
  let text = '';
  try {
    text = readFileSync(release, 'utf8');
  } catch {
    // Told below.
  }
  const named = (name: string) => new RegExp(`^${name}="?([a-z0-9.-]+)"?$`, 'm').exec(text)?.[1];
  const codename = named('VERSION_CODENAME');
  if (named('ID') === 'debian' && codename !== undefined) return codename;
  throw new Refusal('ERR_NO_SOURCES', `this machine runs no release of Debian (${release}); use --source`);
}

export function machineSources({ apt }: Machine): AptSource[] {
  const found = parseList(textOf(join(apt, 'sources.list')));
  let names: string[] = [];
  try {
    names = readdirSync(join(apt, 'sources.list.d')).sort();
  } catch {
    // A machine may have the one file only.
  }
  for (const name of names) {
    const text = textOf(join(apt, 'sources.list.d', name));
    if (name.endsWith('.sources')) found.push(...parseDeb822(text));
    else if (name.endsWith('.list')) found.push(...parseList(text));
  }
  return found.filter(({ uris }) => uris.length > 0);
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** sources.list(5), the form of a line each. */
export function parseList(text: string): AptSource[] {
  return text.split('\n').flatMap((line) => {
    const [, options = '', uri, rest = ''] = /^\s*deb\s+(?:\[([^\]]*)\]\s+)?(\S+)\s+([^#]*)/.exec(line) ?? [];
    if (uri === undefined) return [];
    const [suite, ...components] = words(rest);
    if (suite === undefined) return [];
    const fields = new Map<string, string>();
    for (const option of words(options)) {
      const [name, value] = option.split(/=(.*)/s);
      const field = FIELDS[name];
      if (field !== undefined && value !== undefined) fields.set(field, value);
    }
    return [{ uris: usable([uri]), suites: [suite], components, fields }];
  });
}

/** Options of a line that bear on trust, as fields. */
const FIELDS: Readonly<Record<string, string>> = {
  'signed-by': 'Signed-By',
  trusted: 'Trusted',
  'check-valid-until': 'Check-Valid-Until',
  'check-date': 'Check-Date',
};

/** sources.list(5), the form of stanzas. */
export function parseDeb822(text: string): AptSource[] {
  return text.split(/\n[ \t]*\n/).flatMap((stanza) => {
    const given = new Map<string, string>();
    let last = '';
    for (const line of stanza.split('\n')) {
      if (line.startsWith('#')) continue;
      const [, name, value] = /^([A-Za-z-]+)\s*:\s*(.*)$/.exec(line) ?? [];
      if (name !== undefined) {
        last = name.toLowerCase();
        given.set(last, value);
      } else if (/^\s+\S/.test(line) && last !== '') given.set(last, `${given.get(last)}\n${line}`);
    }
    const list = (name: string) => words(given.get(name) ?? '');
    if (!list('types').includes('deb') || given.get('enabled')?.toLowerCase() === 'no') return [];
    const fields = new Map<string, string>();
    for (const field of Object.values(FIELDS)) {
      const value = given.get(field.toLowerCase());
      if (value !== undefined) fields.set(field, value);
    }
    return [{ uris: usable(list('uris')), suites: list('suites'), components: list('components'), fields }];
  });
}

/** A disc would have to be put in. */
function usable(uris: readonly string[]): string[] {
  return uris.filter((uri) => !uri.startsWith('cdrom:'));
}

function words(text: string): string[] {
  return text.split(/\s+/).filter((word) => word !== '');
}

function deb822({ uris, fields }: AptSource, suites: readonly string[]): string {
  const lines = [
    'Types: deb',
    `URIs: ${uris.join(' ')}`,
    `Suites: ${suites.join(' ')}`,
    'Components: main',
    ...[...fields].map(([name, value]) => `${name}: ${value}`),
  ];
  return `${lines.join('\n')}\n`;
}
