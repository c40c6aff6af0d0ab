import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { ask, findInstance } from '../../../src/cli/control-client.js';
import { defaultControlPath } from '../../../src/cli/control-path.js';
import {
  type PoolRow,
  parseRequest,
  REQUEST_BYTES_MAX,
  type Row,
  type SocketRow,
} from '../../../src/cli/control-protocol.js';
import { ControlServer, type ControlSource } from '../../../src/cli/control-server.js';
import { scratch } from './run-cli.js';

const ROW: SocketRow = {
  type: 'socket',
  protocol: 'tcp',
  state: 'ESTABLISHED',
  receiveQueue: 0,
  sendQueue: 0,
  localAddress: '10.0.0.2',
  localPort: 80,
  remoteAddress: '10.0.0.1',
  remotePort: 40_000,
};

const POOL: PoolRow = {
  type: 'pool',
  name: 'net.frames',
  unit: 'frames',
  used: 1,
  limit: 4096,
  reserve: 64,
  highWater: 3,
  refused: 0,
  evicted: 0,
};

/** As many rows as one asks for, and how many were asked for so far. */
class ManyRows implements ControlSource {
  made = 0;
  constructor(readonly count: number) {}
  *sockets(): Generator<SocketRow> {
    while (this.made < this.count) {
      this.made += 1;
      yield ROW;
    }
  }
  stats() {
    return { type: 'stats', counters: { tcpInSegs: 5 }, sockets: {}, verdicts: {}, interfaces: {} } as const;
  }
  pools() {
    return [POOL];
  }
}

const EVERYTHING = { query: 'sockets', listening: true, connected: true, info: false, memory: false } as const;

async function rows(path: string): Promise<Row[]> {
  const all: Row[] = [];
  for await (const row of ask(path, EVERYTHING)) all.push(row);
  return all;
}

t.test('sockets asked for → every row, then their number', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const control = await ControlServer.open(path, new ManyRows(3));
  t.same(await rows(path), [ROW, ROW, ROW, { type: 'end', count: 3 }]);
  await control.close();
  t.notOk(existsSync(path), 'the socket is gone with its server');
});

t.test('pools asked for → a row each', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const control = await ControlServer.open(path, new ManyRows(3));
  const all: Row[] = [];
  for await (const row of ask(path, { query: 'pools' })) all.push(row);
  t.same(all, [POOL, { type: 'end', count: 1 }]);
  await control.close();
});

t.test('the socket → its owner may use it, and nobody else', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const control = await ControlServer.open(path, new ManyRows(0));
  t.equal(statSync(path).mode & 0o777, 0o600);
  await control.close();
});

t.test('100,000 connections → the event loop turns all the while', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const source = new ManyRows(100_000);
  const control = await ControlServer.open(path, source);
  let before = 0;
  let most = 0;
  let turns = 0;
  const watch = (): void => {
    most = Math.max(most, source.made - before);
    before = source.made;
    turns += 1;
    if (source.made < source.count) setImmediate(watch);
  };
  setImmediate(watch);
  let count = 0;
  for await (const row of ask(path, EVERYTHING)) if (row.type === 'socket') count += 1;
  t.equal(count, 100_000);
  // A page is made in one phase of the loop; two or three may fall between two looks of ours.
  t.ok(most <= 256, `never more than a few pages between two turns, but ${most}`);
  t.ok(turns > 100, 'it was watched');
  await control.close();
});

t.test('a client that does not read → rows are made no faster than it does', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const source = new ManyRows(10_000_000);
  const control = await ControlServer.open(path, source);
  const client = connect(path);
  client.pause();
  client.write(`${JSON.stringify(EVERYTHING)}\n`);
  // Until nothing is made any more over many turns: the kernel's buffer and one page are full.
  let quiet = 0;
  let made = -1;
  while (quiet < 1000) {
    await new Promise<void>((resolve) => setImmediate(resolve));
    quiet = source.made === made && made > 0 ? quiet + 1 : 0;
    made = source.made;
  }
  t.ok(made < 100_000, `${made} rows, not ten million`);
  client.destroy();
  await control.close();
});

t.test('a request that is none → an error that says why, and the connection ends', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const control = await ControlServer.open(path, new ManyRows(1));
  const answerTo = (text: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let answer = '';
      const client = connect(path, () => client.write(text));
      client.setEncoding('utf8');
      client.on('data', (chunk: string) => {
        answer += chunk;
      });
      client.once('end', () => resolve(answer));
      client.once('error', reject);
    });
  t.match(JSON.parse(await answerTo('hello\n')), { type: 'error', message: /not JSON/ });
  t.match(JSON.parse(await answerTo('{"query":"all"}\n')), { type: 'error', message: /none of/ });
  t.match(JSON.parse(await answerTo('null\n')), { type: 'error', message: /no "query"/ });
  t.match(JSON.parse(await answerTo('x'.repeat(REQUEST_BYTES_MAX + 1))), { type: 'error', message: /longer than/ });
  t.match(JSON.parse((await answerTo('{"query":"stats"}\n{"query":"stats"}\n')).split('\n')[0]), { type: 'stats' });
  await control.close();
});

t.test(
  'a client that ends its half after the question → the whole answer; one that asks nothing → the end',
  async (t) => {
    const path = join(scratch(t), 'c.sock');
    const control = await ControlServer.open(path, new ManyRows(20_000));
    const talk = async (text: string): Promise<string> => {
      const client = connect({ path, allowHalfOpen: true });
      client.end(text);
      let answer = '';
      for await (const chunk of client.setEncoding('utf8')) answer += chunk;
      return answer;
    };
    const lines = (await talk(`${JSON.stringify(EVERYTHING)}\n`)).trim().split('\n');
    t.equal(lines.length, 20_001);
    t.equal(lines.at(-1), '{"type":"end","count":20000}');
    t.equal(await talk(''), '');
    t.equal(await talk('{"query":'), '');
    await control.close();
  },
);

t.test('too many clients at once → refused, and those before them go on', async (t) => {
  const path = join(scratch(t), 'c.sock');
  const control = await ControlServer.open(path, new ManyRows(1));
  const idle = await Promise.all(
    Array.from(
      { length: 4 },
      () =>
        new Promise<ReturnType<typeof connect>>((resolve) => {
          const client = connect(path, () => resolve(client));
        }),
    ),
  );
  await t.rejects(rows(path));
  for (const client of idle) client.destroy();
  await Promise.all(idle.map((client) => new Promise((resolve) => client.once('close', resolve))));
  await control.close();
});

t.test('a socket whose owner was killed → replaced', async (t) => {
  const path = join(scratch(t), 'c.sock');
  await leaveStale(path);
  t.ok(existsSync(path), 'a stale socket is there');
  const control = await ControlServer.open(path, new ManyRows(1));
  t.equal((await rows(path)).length, 2);
  await control.close();
});

t.test(
  'a socket somebody answers on, a file, no directory, too long a path → refused, and left as they are',
  async (t) => {
    const directory = scratch(t);
    const path = join(directory, 'c.sock');
    const control = await ControlServer.open(path, new ManyRows(1));
    await t.rejects(ControlServer.open(path, new ManyRows(1)), { code: 'EADDRINUSE', message: /--control/ });
    t.equal((await rows(path)).length, 2, 'the first goes on');
    await control.close();
    const file = join(directory, 'precious');
    writeFileSync(file, 'data');
    await t.rejects(ControlServer.open(file, new ManyRows(1)), { code: 'EEXIST' });
    t.equal(statSync(file).size, 4);
    await t.rejects(ControlServer.open(join(directory, 'no', 'c.sock'), new ManyRows(1)), { code: 'ENOENT' });
    await t.rejects(ControlServer.open(join(directory, 'x'.repeat(120)), new ManyRows(1)), { code: 'ENAMETOOLONG' });
  },
);

t.test('nobody answers → a code and what to do', async (t) => {
  const directory = scratch(t);
  const path = join(directory, 'c.sock');
  await t.rejects(rows(path), { code: 'ENOENT', message: /is the instance running/ });
  await leaveStale(path);
  await t.rejects(rows(path), { code: 'ECONNREFUSED', message: /the instance is gone/ });
});

t.test('the instance by default → the one that runs; dead ones are cleared away', async (t) => {
  const before = process.env.XDG_RUNTIME_DIR;
  const directory = scratch(t);
  process.env.XDG_RUNTIME_DIR = directory;
  t.teardown(() => {
    if (before === undefined) delete process.env.XDG_RUNTIME_DIR;
    else process.env.XDG_RUNTIME_DIR = before;
  });
  await t.rejects(findInstance(), { code: 'ENOENT', message: /no instance of yours is running/ });
  const mine = await ControlServer.open(defaultControlPath(1001), new ManyRows(1));
  t.equal(statSync(join(directory, 'millrace')).mode & 0o777, 0o700, 'a directory of our own');
  const stale = defaultControlPath(1002);
  await leaveStale(stale);
  t.equal(await findInstance(), mine.path);
  t.notOk(existsSync(stale), 'the dead one is removed');
  const other = await ControlServer.open(defaultControlPath(1003), new ManyRows(1));
  await t.rejects(findInstance(), { code: 'EINVAL', message: /choose one with --control/ });
  await mine.close();
  await other.close();
  chmodSync(join(directory, 'millrace'), 0o777);
  await t.rejects(ControlServer.open(defaultControlPath(1004), new ManyRows(1)), { code: 'EACCES' });
});

t.test('requests → only what is understood is passed on', (t) => {
  t.same(parseRequest('{"query":"sockets","info":1,"listening":true,"x":{}}'), {
    query: 'sockets',
    listening: true,
    connected: false,
    info: false,
    memory: false,
  });
  t.same(parseRequest('{"query":"pools"}'), { query: 'pools' });
  t.end();
});

/** What a killed instance leaves: a socket nobody answers on. */
async function leaveStale(path: string): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  // Renamed, so that closing the server, which removes its path, does not find it.
  const { renameSync } = await import('node:fs');
  renameSync(path, `${path}.kept`);
  await new Promise<void>((resolve) => server.close(() => resolve()));
  mkdirSync(join(path, '..'), { recursive: true });
  renameSync(`${path}.kept`, path);
}
