import { once } from 'node:events';
import type net from 'node:net';
import t from 'tap';
import { COOKIE_BYTES, Iperf3Error, Iperf3State } from '../../../src/apps/iperf3-messages.js';
import { IPERF3_PORT, type Iperf3Report, Iperf3Server } from '../../../src/apps/iperf3-server.js';
import { NodeNet } from '../../../src/node/node-net.js';
import { SERVER, twoHosts } from '../node/worlds.js';

// The dialogue step by step, and what a client may do wrong. That real clients are content is shown end to end.

type Test = Pick<typeof t, 'teardown'>;

interface World {
  readonly client: NodeNet;
  readonly reports: Iperf3Report[];
  /** Connections the server's stack has. */
  connections(): number;
}

function world(t: Test): World {
  const hosts = twoHosts(t);
  const reports: Iperf3Report[] = [];
  const server = new Iperf3Server(hosts.server, { onTest: (report) => reports.push(report) });
  t.teardown(() => server.close());
  return {
    client: new NodeNet(hosts.client),
    reports,
    connections: () => [...hosts.server.stack.tcp.connections()].length,
  };
}

const COOKIE = `${'c'.repeat(COOKIE_BYTES - 1)}\0`;

/** A connection, and what came on it so far. */
class Talk {
  received: Buffer = Buffer.alloc(0);
  ended = false;
  code = '';
  #news: () => void = () => {};

  constructor(readonly socket: net.Socket) {
    socket.on('data', (bytes: Buffer) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.#news();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#news();
    });
    socket.on('error', (error: NodeJS.ErrnoException) => {
      this.code = error.code ?? '';
    });
    socket.on('close', () => {
      this.ended = true;
      this.#news();
    });
  }

  async take(count: number): Promise<Buffer> {
    while (this.received.length < count && !this.ended) await new Promise<void>((resolve) => (this.#news = resolve));
    const taken = this.received.subarray(0, count);
    this.received = this.received.subarray(count);
    return taken;
  }
  async state(): Promise<number | undefined> {
    const byte = await this.take(1);
    return byte.length === 0 ? undefined : byte.readInt8();
  }
  async document(): Promise<Record<string, unknown>> {
    const length = (await this.take(4)).readUInt32BE();
    return JSON.parse((await this.take(length)).toString()) as Record<string, unknown>;
  }
  async end(): Promise<void> {
    while (!this.ended) await new Promise<void>((resolve) => (this.#news = resolve));
  }
  say(state: Iperf3State): void {
    this.socket.write(Uint8Array.of(state & 0xff));
  }
  tell(value: unknown): void {
    const text = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(text.length);
    this.socket.write(Buffer.concat([length, text]));
  }
}

function open(client: NodeNet, first = COOKIE): Talk {
  const socket = client.connect(IPERF3_PORT, SERVER);
  socket.write(first);
  return new Talk(socket);
}

async function expect(control: Talk, ...states: Iperf3State[]): Promise<void> {
  for (const state of states) {
    const heard = await control.state();
    if (heard !== state) throw new Error(`the server says ${heard} instead of ${state}`);
  }
}

/** A test that runs, with its streams. */
async function running(client: NodeNet, params: object, streams: number): Promise<{ control: Talk; streams: Talk[] }> {
  const control = open(client);
  await expect(control, Iperf3State.PARAM_EXCHANGE);
  control.tell({ tcp: true, parallel: 1, len: 1000, ...params });
  await expect(control, Iperf3State.CREATE_STREAMS);
  const talks: Talk[] = [];
  for (let i = 0; i < streams; i++) {
    const talk = open(client);
    await once(talk.socket, 'connect');
    talks.push(talk);
  }
  await expect(control, Iperf3State.TEST_START, Iperf3State.TEST_RUNNING);
  return { control, streams: talks };
}

/** From TEST_END to the end; the server's results. */
async function finish(control: Talk): Promise<Record<string, unknown>> {
  control.say(Iperf3State.TEST_END);
  await expect(control, Iperf3State.EXCHANGE_RESULTS);
  control.tell({ streams: [] });
  const results = await control.document();
  await expect(control, Iperf3State.DISPLAY_RESULTS);
  control.say(Iperf3State.IPERF_DONE);
  await control.end();
  return results;
}

/** Turns of the event loop, until there is what should be, or for a second. */
async function reaches(value: () => number, wanted: number): Promise<number> {
  const until = Date.now() + 1000;
  while (value() !== wanted && Date.now() < until) await new Promise((resolve) => setImmediate(resolve));
  return value();
}

t.test('two streams to us → their bytes under the numbers iperf3 gives them', async (t) => {
  const { client, reports, connections } = world(t);
  const { control, streams } = await running(client, { parallel: 2 }, 2);
  for (const [i, { socket }] of streams.entries()) socket.end(Buffer.alloc(10_000 * (i + 1)));
  for (const talk of streams) await talk.end();
  t.match(await finish(control), {
    sender_has_retransmits: -1,
    streams: [
      { id: 1, bytes: 10_000 },
      { id: 3, bytes: 20_000 },
    ],
  });
  t.match(reports, [{ streams: 2, bytesReceived: 30_000, bytesSent: 0, complete: true }]);
  t.equal(await reaches(connections, 0), 0);
});

t.test('--reverse with a number of bytes → exactly those, and the end after TEST_END', async (t) => {
  const { client, reports } = world(t);
  const { control, streams } = await running(client, { reverse: true, num: 12_345 }, 1);
  const stream = streams[0] as Talk;
  t.equal((await stream.take(12_345)).length, 12_345);
  t.notOk(stream.ended, 'the client decides when it is over');
  t.match(await finish(control), { sender_has_retransmits: 1, streams: [{ id: 1, bytes: 12_345, retransmits: 0 }] });
  await stream.end();
  t.equal(stream.received.length, 0);
  t.match(reports, [{ bytesSent: 12_345, bytesReceived: 0, complete: true }]);
});

t.test('--bidir → those opened first come to us, the others from us', async (t) => {
  const { client } = world(t);
  const { control, streams } = await running(client, { bidirectional: 1, num: 5000 }, 2);
  const [to, from] = streams as [Talk, Talk];
  to.socket.end(Buffer.alloc(777));
  await to.end();
  t.equal((await from.take(5000)).length, 5000);
  t.match(await finish(control), {
    streams: [
      { id: 1, bytes: 777 },
      { id: 3, bytes: 5000 },
    ],
  });
});

t.test('a cookie in three pieces, data right behind that of a stream → understood, and counted', async (t) => {
  const { client } = world(t);
  const control = open(client, COOKIE.slice(0, 5));
  await once(control.socket, 'connect');
  control.socket.write(COOKIE.slice(5, 30));
  control.socket.write(COOKIE.slice(30));
  t.equal(await control.state(), Iperf3State.PARAM_EXCHANGE);
  control.tell({ tcp: true, parallel: 1 });
  t.equal(await control.state(), Iperf3State.CREATE_STREAMS);
  const stream = open(client, `${COOKIE}data right behind`);
  t.same([await control.state(), await control.state()], [Iperf3State.TEST_START, Iperf3State.TEST_RUNNING]);
  stream.socket.end();
  await stream.end();
  t.match(await finish(control), { streams: [{ bytes: 'data right behind'.length }] });
});

t.test('a second client during a test → ACCESS_DENIED, the first is not disturbed', async (t) => {
  const { client } = world(t);
  const { control, streams } = await running(client, {}, 1);
  const other = open(client, COOKIE.replaceAll('c', 'd'));
  t.equal(await other.state(), Iperf3State.ACCESS_DENIED);
  await other.end();
  const late = open(client);
  t.equal(await late.state(), Iperf3State.ACCESS_DENIED, 'a stream too many');
  (streams[0] as Talk).socket.end('still here');
  await (streams[0] as Talk).end();
  t.match(await finish(control), { streams: [{ bytes: 10 }] });
});

for (const [name, params, error] of [
  ['UDP', { udp: true }, Iperf3Error.NOT_IMPLEMENTED],
  ['no stream', { tcp: true, parallel: 0 }, Iperf3Error.NUMBER_OF_STREAMS],
  ['129 streams', { tcp: true, parallel: 129 }, Iperf3Error.NUMBER_OF_STREAMS],
  ['blocks of 2 MiB', { tcp: true, len: 2 ** 21 }, Iperf3Error.BLOCK_SIZE],
  ['not JSON', '{"tcp":', Iperf3Error.RECEIVE_PARAMS],
  ['no object', '7', Iperf3Error.RECEIVE_PARAMS],
] as const) {
  t.test(`parameters: ${name} → SERVER_ERROR ${error}, and the next client is served`, async (t) => {
    const { client, connections } = world(t);
    const control = open(client);
    await control.state();
    control.tell(params);
    t.equal(await control.state(), Iperf3State.SERVER_ERROR);
    const numbers = await control.take(8);
    t.same([numbers.readInt32BE(0), numbers.readInt32BE(4)], [error, 0]);
    await control.end();
    t.equal(await open(client).state(), Iperf3State.PARAM_EXCHANGE);
    t.equal(await reaches(connections, 1), 1);
  });
}

t.test('a document said to be 4 GiB long → SERVER_ERROR at once, nothing is kept', async (t) => {
  const { client } = world(t);
  const control = open(client);
  await control.state();
  control.socket.write(Uint8Array.of(255, 255, 255, 255));
  t.equal(await control.state(), Iperf3State.SERVER_ERROR);
  await control.end();
});

t.test('parameters of other types than they should have → their defaults', async (t) => {
  const { client } = world(t);
  const odd = { parallel: '4', num: -1, len: null, MSS: 1e300, window: 'x', omit: {}, bandwidth: [], reverse: 'yes' };
  const { control, streams } = await running(client, odd, 1);
  (streams[0] as Talk).socket.end('x');
  await (streams[0] as Talk).end();
  t.match(await finish(control), { streams: [{ bytes: 1 }] });
});

for (const [name, leave] of [
  ['CLIENT_TERMINATE', (control: Talk): void => control.say(Iperf3State.CLIENT_TERMINATE)],
  ['a state out of turn', (control: Talk): void => control.say(Iperf3State.IPERF_DONE)],
  ['the end', (control: Talk): unknown => control.socket.end()],
  ['a reset', (control: Talk): unknown => control.socket.resetAndDestroy()],
] as const) {
  t.test(`during a test: ${name} → reported as not complete, nothing is left, the next is served`, async (t) => {
    const { client, reports, connections } = world(t);
    const { control, streams } = await running(client, { reverse: true }, 1);
    await (streams[0] as Talk).take(100_000);
    leave(control);
    await (streams[0] as Talk).end();
    t.equal((streams[0] as Talk).code, 'ECONNRESET', 'the stream is cut off');
    t.match(reports, [{ complete: false }]);
    control.socket.destroy();
    t.equal(await open(client).state(), Iperf3State.PARAM_EXCHANGE);
    t.equal(await reaches(connections, 1), 1);
  });
}

t.test('connections that say nothing → at most 256 are kept', async (t) => {
  const { client, connections } = world(t);
  const silent: Talk[] = [];
  t.teardown(() => {
    for (const { socket } of silent) socket.destroy();
  });
  // One after the other: no more at once than may wait to be accepted.
  for (let i = 0; i < 300; i++) {
    const socket = client.connect(IPERF3_PORT, SERVER);
    silent.push(new Talk(socket));
    await once(socket, 'connect');
  }
  const ended = (): number => silent.filter((talk) => talk.ended).length;
  t.equal(await reaches(ended, 44), 44);
  t.equal(silent.filter(({ code }) => code === 'ECONNRESET').length, 44);
  t.equal(connections(), 256);
});

t.test('a port that is taken → EADDRINUSE', async (t) => {
  const hosts = twoHosts(t);
  const first = new Iperf3Server(hosts.server);
  t.teardown(() => first.close());
  t.throws(() => new Iperf3Server(hosts.server), { code: 'EADDRINUSE' });
});
