import type { PoolRow, SocketInfo, SocketMemory, SocketRow, StatsRow } from './control-protocol.js';

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
    const words = [row.memory && formatMemory(row.memory), row.info && formatInfo(row.info)].filter(
      (text) => text !== undefined,
    );
    return words.length === 0 ? line : `${line}\n\t ${words.join(' ')}`;
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

/** No limit on ssthresh: RFC 5681 §3.1 before the first loss. */
const INFINITE = 0x7fffffff;

/** In ss's words and order, so that who reads the one reads the other; what is zero or off says nothing. */
export function formatInfo(info: SocketInfo): string {
  const words = [
    info.timestamps && 'ts',
    info.sack && 'sack',
    info.ecn && 'ecn',
    info.ecnSeen && 'ecnseen',
    info.ecnMode === 'accecn' && 'accecn',
    info.congestion,
    info.caState !== 'open' && `ca:${info.caState}`,
    info.windowScaling && `wscale:${info.sndWscale},${info.rcvWscale}`,
    `rto:${info.rtoUs / 1000}`,
    info.backoff > 0 && `backoff:${info.backoff}`,
    info.rttUs > 0 && `rtt:${ms(info.rttUs)}/${ms(info.rttVarUs)}`,
    `ato:${info.atoUs / 1000}`,
    `mss:${info.sndMss}`,
    `pmtu:${info.pathMtu}`,
    count('rcvmss', info.rcvMss),
    `cwnd:${info.sndCwnd}`,
    info.sndSsthreshBytes > 0 &&
      info.sndSsthreshBytes < INFINITE &&
      `ssthresh:${Math.floor(info.sndSsthreshBytes / info.sndMss)}`,
    count('bytes_sent', info.bytesSent),
    count('bytes_retrans', info.bytesRetrans),
    count('bytes_acked', info.bytesAcked),
    count('bytes_received', info.bytesReceived),
    count('segs_out', info.segsOut),
    count('segs_in', info.segsIn),
    count('data_segs_out', info.dataSegsOut),
    count('data_segs_in', info.dataSegsIn),
    count('lastsnd', info.lastDataSentMs),
    count('lastrcv', info.lastDataRecvMs),
    count('lastack', info.lastAckRecvMs),
    count('unacked', info.unacked),
    count('flight', info.flightBytes),
    count('lost', info.lost),
    info.totalRetrans > 0 && `retrans:${info.retrans}/${info.totalRetrans}`,
    count('rto_count', info.totalRto),
    count('probes', info.probes),
    count('delivered_ce', info.deliveredCe),
    count('dsack_dups', info.dsackDups),
    count('reord_seen', info.reordSeen),
    count('rcv_ooopack', info.rcvOoopack),
    count('notsent', info.notsentBytes),
    info.rcvRttUs > 0 && `rcv_rtt:${ms(info.rcvRttUs)}`,
    count('rcv_space', info.rcvSpace),
    info.minRttUs > 0 && `minrtt:${ms(info.minRttUs)}`,
    `snd_wnd:${info.sndWnd}`,
    `rcv_wnd:${info.rcvWnd}`,
  ];
  return words.filter((word) => typeof word === 'string' && word !== '').join(' ');
}

/**
 * As `ss -m` of iproute2 has it: received and its limit, in flight and the limit of what is to be sent, memory taken in advance, queued to be sent, options, backlog,
 * drops. Nothing is taken in advance here, options and a backlog cost nothing.
 */
export function formatMemory(memory: SocketMemory): string {
  const { receiveBytes, receiveBytesMax, inFlightBytes, sendBytes, sendBytesMax, drops } = memory;
  return `skmem:(r${receiveBytes},rb${receiveBytesMax},t${inFlightBytes},tb${sendBytesMax},f0,w${sendBytes},o0,bl0,d${drops})`;
}

const POOL_HEADER = ['Pool', 'Unit', 'Used', 'Limit', 'Reserve', 'High water', 'Refused', 'Evicted'];

/** A line for each pool under a line of titles. */
export function formatPools(pools: readonly PoolRow[], header: boolean): string {
  const rows = pools.map((pool) => [
    pool.name,
    pool.unit,
    ...[pool.used, pool.limit, pool.reserve, pool.highWater, pool.refused, pool.evicted].map(String),
  ]);
  const all = header ? [POOL_HEADER, ...rows] : rows;
  const widths = POOL_HEADER.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  return all
    .map((row) => row.map((text, i) => (i < 2 ? text.padEnd(widths[i]) : text.padStart(widths[i]))).join('  '))
    .join('\n');
}

function count(name: string, value: number): string {
  return value > 0 ? `${name}:${value}` : '';
}

function ms(us: number): string {
  return String(Number((us / 1000).toFixed(3)));
}

/** Counters that are not zero, a line each, under a heading for each group. */
export function formatStats(stats: StatsRow): string {
  const groups: [string, Readonly<Record<string, number>>][] = [
    ['sockets', stats.sockets],
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
