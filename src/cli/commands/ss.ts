import type { Command } from 'commander';
import { ask, findInstance } from '../control-client.js';
import type { PoolRow, SocketRow, StatsRow } from '../control-protocol.js';
import { print } from '../output.js';
import { formatPools, formatStats, SocketTable } from '../ss-format.js';

interface SsOptions {
  readonly listening?: boolean;
  readonly all?: boolean;
  readonly info?: boolean;
  readonly memory?: boolean;
  readonly json?: boolean;
  readonly stats?: boolean;
  readonly header: boolean;
  readonly control?: string;
}

const EXAMPLES = `
Examples:
  millrace ss                  # connections of the one instance that runs
  millrace ss -ai              # and listeners, each with cwnd, rtt, rto, retransmissions, …
  millrace ss -am              # … with the memory of each, and then what every pool of the stack holds
  millrace ss --stats          # counters: what was sent and received, and why frames were dropped
  millrace ss --json | jq 'select(.state == "ESTABLISHED").remoteAddress'
`;

/** Rows looked at before the first is printed, for the widths of the columns: a screenful or two. */
const FIRST_ROWS = 128;

export function addSs(program: Command): void {
  program
    .command('ss')
    .summary('list the sockets of a running instance')
    .description('Lists the sockets of a running instance, asked over its control socket.')
    .option('-l, --listening', 'listeners only')
    .option('-a, --all', 'listeners and connections')
    .option('-i, --info', 'what TCP knows of each connection')
    .option('-m, --memory', 'the memory of each socket, and of the whole stack by pools')
    .option('-H, --no-header', 'no line of titles')
    .option('--stats', 'counters instead of sockets')
    .option('--json', 'a JSON object a line')
    .option('--control <socket>', 'the socket of the instance (default: the one that runs)')
    .addHelpText('after', EXAMPLES)
    .action(async (options: SsOptions) => {
      const path = options.control ?? (await findInstance());
      if (options.stats === true) await showStats(path, options.json === true);
      else await showSockets(path, options);
    });
}

async function showSockets(path: string, options: SsOptions): Promise<void> {
  const listening = options.listening === true || options.all === true;
  const connected = options.listening !== true || options.all === true;
  let waiting: SocketRow[] | undefined = [];
  let table: SocketTable | undefined;
  const begin = (rows: readonly SocketRow[]): void => {
    table = new SocketTable(rows);
    if (options.header) print(table.header());
    for (const row of rows) print(table.row(row));
  };
  const [info, memory] = [options.info === true, options.memory === true];
  for await (const row of ask(path, { query: 'sockets', listening, connected, info, memory })) {
    if (row.type !== 'socket') continue;
    if (options.json === true) {
      const { type: _type, ...fields } = row;
      print(JSON.stringify(fields));
    } else if (waiting !== undefined) {
      waiting.push(row);
      if (waiting.length < FIRST_ROWS) continue;
      begin(waiting);
      waiting = undefined;
    } else {
      print(table?.row(row));
    }
  }
  if (options.json !== true && waiting !== undefined) begin(waiting);
  if (memory) await showPools(path, options);
}

async function showPools(path: string, options: SsOptions): Promise<void> {
  const pools: PoolRow[] = [];
  for await (const row of ask(path, { query: 'pools' })) if (row.type === 'pool') pools.push(row);
  if (options.json !== true) {
    print(`\n${formatPools(pools, options.header)}`);
    return;
  }
  for (const { type: _type, name, ...fields } of pools) print(JSON.stringify({ pool: name, ...fields }));
}

async function showStats(path: string, json: boolean): Promise<void> {
  for await (const row of ask(path, { query: 'stats' })) {
    if (row.type !== 'stats') continue;
    const { type: _type, ...fields } = row;
    print(json ? JSON.stringify(fields) : formatStats(row satisfies StatsRow));
  }
}
