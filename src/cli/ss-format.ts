import type { SocketRow, StatsRow } from './control-protocol.js';

/**
 * Rows as `ss` prints them. Widths come from the first rows, since there may be a million and nobody waits for the last to
 * see the first; a wider one later pushes its own line out, and no other.
 */
export class SocketTable {
  readonly #widths: readonly number[];

  constructor(first: readonly SocketRow[]) {
    this.#widths = HEADER.map((title, i) => Math.max(title.length, ...first.map((row) => cells(row)[i].length)));
  }

  header(): string {
    return this.#line(HEADER);
  }

  row(row: SocketRow): string {
    const line = this.#line(cells(row));
    return row.info === undefined ? line : `${line}\n\t ${formatInfo(row.info)}`;
  }

  #line(texts: readonly string[]): string {
    return texts
      .map((text, i) => (RIGHT[i] ? text.padStart(this.#widths[i]) : text.padEnd(this.#widths[i])))
      .join('  ')
      .trimEnd();
  }
}

const HEADER = ['Netid', 'State', 'Recv-Q', 'Send-Q', 'Local Address:Port', 'Peer Address:Port'];
const RIGHT = [false, false, true, true, true, true];

function cells(row: SocketRow): string[] {
  return [
    row.protocol,
    row.state,
    String(row.receiveQueue),
    String(row.sendQueue),
    endpoint(row.localAddress, row.localPort),
    endpoint(row.remoteAddress, row.remotePort),
  ];
}

function endpoint(address: string, port: number): string {
  const host = address === '0.0.0.0' || address === '' ? '*' : address.includes(':') ? `[${address}]` : address;
  return `${host}:${port === 0 ? '*' : port}`;
}

/** `cwnd:14480 rtt:0.21/0.1ms`: a name and a value each, in the order they were told; what is zero or off says nothing. */
export function formatInfo(info: Readonly<Record<string, number | string | boolean>>): string {
  const words: string[] = [];
  for (const [name, value] of Object.entries(info)) {
    if (value === 0 || value === '' || value === false) continue;
    words.push(value === true ? name : `${name}:${value}`);
  }
  return words.join(' ');
}

/** Counters that are not zero, a line each, under a heading for each group. */
export function formatStats(stats: StatsRow): string {
  const groups: [string, Readonly<Record<string, number>>][] = [
    ['counters', stats.counters],
    ['verdicts', stats.verdicts],
    ...Object.entries(stats.interfaces),
  ];
  const lines: string[] = [];
  for (const [name, counters] of groups) {
    const shown = Object.entries(counters).filter(([, value]) => value !== 0);
    if (shown.length === 0) continue;
    const width = Math.max(...shown.map(([, value]) => String(value).length));
    lines.push(`${name}:`, ...shown.map(([counter, value]) => `  ${String(value).padStart(width)}  ${counter}`));
  }
  return lines.length === 0 ? 'nothing was counted yet' : lines.join('\n');
}
