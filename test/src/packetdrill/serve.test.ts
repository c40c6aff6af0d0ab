import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { Op } from '../../../src/packetdrill/serve/frames.js';
import { PacketdrillServer, type ServeOptions } from '../../../src/packetdrill/serve/server.js';
import { FILE, MESSAGE, POLL, SO, SOCKET, TCP } from '../../../src/posix/constants.js';
import { ERRNO } from '../../../src/posix/errno.js';
import { readSegment, writeSegment } from '../../stack/tcp/segment.js';

interface Reply {
  readonly result: number;
  readonly errno: number;
  readonly payload: Buffer;
}

/** One connection of packetdrill's module, spoken by hand. */
class Client {
  #kept = Buffer.alloc(0);
  readonly #frames: Buffer[] = [];
  #wanted: (() => void) | undefined;
  closed = false;

  private constructor(readonly socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#kept = Buffer.concat([this.#kept, chunk]);
      while (this.#kept.length >= 4 && this.#kept.length >= 4 + this.#kept.readUInt32LE(0)) {
        const end = 4 + this.#kept.readUInt32LE(0);
        this.#frames.push(this.#kept.subarray(4, end));
        this.#kept = this.#kept.subarray(end);
      }
      this.#wanted?.();
    });
    socket.on('close', () => {
      this.closed = true;
      this.#wanted?.();
    });
    socket.on('error', () => {});
  }

  static async open(t: Test, path: string): Promise<Client> {
    const socket = connect(path);
    await new Promise((resolve) => socket.once('connect', resolve));
    t.teardown(() => socket.destroy());
    return new Client(socket);
  }

  ask(op: Op, payload: Uint8Array = new Uint8Array(0)): void {
    const frame = Buffer.alloc(5 + payload.length);
    frame.writeUInt32LE(1 + payload.length, 0);
    frame[4] = op;
    frame.set(payload, 5);
    this.socket.write(frame);
  }

  async frame(): Promise<Buffer> {
    while (this.#frames.length === 0) {
      if (this.closed) throw new Error('the server has closed the connection');
      await new Promise<void>((resolve) => {
        this.#wanted = resolve;
      });
    }
    return this.#frames.shift() as Buffer;
  }

  async reply(): Promise<Reply> {
    const frame = await this.frame();
    if (frame.length < 8) throw new Error(`a reply of ${frame.length} bytes`);
    return { result: frame.readInt32LE(0), errno: frame.readInt32LE(4), payload: frame.subarray(8) };
  }

  call(op: Op, payload?: Uint8Array): Promise<Reply> {
    this.ask(op, payload);
    return this.reply();
  }

  async time(): Promise<number> {
    return Number((await this.call(Op.GETTIME)).payload.readBigInt64LE(0));
  }
}

function ints(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32LE(value | 0, i * 4);
  return bytes;
}

function sockaddr(host: string, port: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(SOCKET.AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  bytes.set(host.split('.').map(Number), 4);
  return bytes;
}

const LOCAL = (192 << 24) | (168 << 16) | 1;
const REMOTE = (192 << 24) | (2 << 8) | 1;
const inbound = (iss: number) => ({
  source: REMOTE,
  destination: LOCAL,
  sourcePort: 40_000,
  destinationPort: 8080,
  seqBase: 1000,
  ackBase: iss,
});

function segment(iss: number, flags: string, seq: number, ack: number, length = 0): Uint8Array {
  const room = new Uint8Array(200 + length);
  const options = flags === 'S' ? { options: { mss: 1000 } } : {};
  const size = writeSegment(
    new DataView(room.buffer),
    0,
    { flags, seq, ack, win: 60_000, data: new Uint8Array(length), ...options },
    inbound(iss),
  );
  return room.subarray(0, size);
}

/** What NDRECV told: when, and the segment. */
function sent(answer: Reply, iss: number) {
  const datagram = Uint8Array.from(answer.payload.subarray(8));
  const way = {
    source: LOCAL,
    destination: REMOTE,
    sourcePort: 8080,
    destinationPort: 40_000,
    seqBase: iss,
    ackBase: 1000,
  };
  const at = Number(answer.payload.readBigInt64LE(0));
  return { at, segment: readSegment(new DataView(datagram.buffer), 0, datagram.length, way, at), datagram };
}

async function served(t: Test, options: Partial<ServeOptions> = {}) {
  const directory = mkdtempSync(join(tmpdir(), 'millrace-'));
  const path = join(directory, 'packetdrill.sock');
  const errors: string[] = [];
  const server = await PacketdrillServer.start({
    path,
    onProtocolError: (error) => errors.push(error.message),
    ...options,
  });
  t.teardown(async () => {
    await server.close();
    rmSync(directory, { recursive: true });
  });
  return { path, server, errors };
}

/** Socket, bind, listen, a peer's three segments, accept. */
async function passiveOpen(t: Test, main: Client): Promise<number> {
  t.equal((await main.call(Op.HELLO)).result, 0);
  t.equal((await main.call(Op.SOCKET, ints(2, 1, 6))).result, 10_000, 'descriptors begin at 10,000');
  t.equal((await main.call(Op.BIND, Buffer.concat([ints(10_000), sockaddr('0.0.0.0', 8080)]))).result, 0);
  t.equal((await main.call(Op.LISTEN, ints(10_000, 1))).result, 0);
  await main.call(Op.NDSEND, segment(0, 'S', 0, 0));
  const answer = await main.call(Op.NDRECV);
  const iss = sent(answer, 0).datagram;
  const localIss = new DataView(iss.buffer).getInt32(24);
  t.equal(sent(answer, localIss).segment.flags, 'S.');
  await main.call(Op.USLEEP, ints(10_000));
  await main.call(Op.NDSEND, segment(localIss, '.', 1, 1));
  const accepted = await main.call(Op.ACCEPT, ints(10_000));
  t.equal(accepted.result, 10_001);
  t.same(accepted.payload, sockaddr('192.0.2.1', 40_000));
  return localIss;
}

t.test('a passive open, a read that waits, a retransmission → at the right virtual times', async (t) => {
  const { path } = await served(t);
  const main = await Client.open(t, path);
  const iss = await passiveOpen(t, main);

  const begun = await main.time();
  t.equal(await main.time(), begun + 1, 'the clock goes on by a microsecond each time it is looked at');

  const second = await Client.open(t, path);
  second.ask(Op.RECV, ints(10_001, 2000, 0));
  t.equal((await second.frame()).length, 0, 'queued');
  await main.call(Op.USLEEP, ints(100_000));
  await main.call(Op.NDSEND, segment(iss, 'P.', 1, 1, 700));
  const read = await second.reply();
  t.equal(read.result, 700);
  t.equal(read.payload.length, 700);
  t.equal(await second.time(), begun + 100_001, 'the instant at which the call was completed');

  const ack = sent(await main.call(Op.NDRECV), iss);
  t.equal(ack.segment.ack, 701);

  t.equal((await main.call(Op.SEND, Buffer.concat([ints(10_001, 0), Buffer.alloc(1000)]))).result, 1000);
  const first = sent(await main.call(Op.NDRECV), iss);
  t.equal(first.segment.length, 1000);
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const again = sent(await main.call(Op.NDRECV), iss);
    t.equal(again.segment.seq, 1, 'the same again');
    times.push(again.at);
  }
  const gaps = times.map((at, i) => at - (times[i - 1] ?? first.at));
  t.ok((gaps[0] ?? 0) >= 20_000, 'not before twice the round trip');
  t.match((gaps[4] ?? 0) / (gaps[3] ?? 1), 2, 'each wait twice as long as the one before');
  t.equal((await main.call(Op.FREE)).result, 0);
});

t.test(
  'a call that waits on the main thread → time goes on until it is done; what nothing can end is interrupted',
  async (t) => {
    const { path } = await served(t);
    const main = await Client.open(t, path);
    await passiveOpen(t, main);
    const timeout = Buffer.alloc(16);
    timeout.writeBigInt64LE(3n, 0);
    await main.call(Op.SETSOCKOPT, Buffer.concat([ints(10_001, SO.SOL_SOCKET, SO.SO_RCVTIMEO), timeout]));
    const before = await main.time();
    const read = await main.call(Op.RECV, ints(10_001, 10, 0));
    t.same([read.result, read.errno], [-1, ERRNO.EAGAIN]);
    t.equal(await main.time(), before + 3_000_001);
    const accept = await main.call(Op.ACCEPT, ints(10_000));
    t.same([accept.result, accept.errno], [-1, ERRNO.EINTR]);
    const nothing = await main.call(Op.NDRECV);
    t.same([nothing.result, nothing.errno], [-1, ERRNO.ETIMEDOUT], 'nothing will ever be sent');
  },
);

t.test('the other operations → as the calls have them', async (t) => {
  const { path } = await served(t, { settings: new Map([['net.ipv4.tcp_timestamps', '0']]) });
  const main = await Client.open(t, path);
  const iss = await passiveOpen(t, main);
  t.equal((await main.call(Op.FCNTL, ints(10_001, FILE.F_SETFL, FILE.O_NONBLOCK))).result, 0);
  t.equal((await main.call(Op.FCNTL, ints(10_001, FILE.F_GETFL, 0))).result, FILE.O_RDWR | FILE.O_NONBLOCK);
  t.equal((await main.call(Op.RECV, ints(10_001, 10, MESSAGE.MSG_DONTWAIT))).errno, ERRNO.EAGAIN);
  await main.call(Op.NDSEND, segment(iss, 'P.', 1, 1, 50));
  t.same((await main.call(Op.IOCTL, ints(10_001, FILE.SIOCINQ))).payload, ints(50));
  const poll = await main.call(Op.POLL, Buffer.concat([ints(0), ints(10_001, POLL.POLLIN)]));
  t.equal(poll.result, 1);
  t.same(poll.payload, ints(10_001, POLL.POLLIN | (POLL.POLLIN << 16)));
  const info = await main.call(Op.GETSOCKOPT, ints(10_001, TCP.SOL_TCP, TCP.TCP_INFO, 500));
  t.equal(info.payload.length, 280);
  t.equal(info.payload[0], 1);
  t.equal((await main.call(Op.GETSOCKOPT, ints(10_001, SO.SOL_SOCKET, SO.SO_MEMINFO, 36))).payload.length, 36);
  t.equal((await main.call(Op.SHUTDOWN, ints(10_001, SOCKET.SHUT_WR))).result, 0);
  t.equal((await main.call(Op.CLOSE, ints(10_001))).result, 0);
  t.equal((await main.call(Op.CLOSE, ints(10_001))).errno, ERRNO.EBADF);
  t.equal((await main.call(99 as Op)).errno, ERRNO.ENOSYS);
  t.equal((await main.call(Op.CONNECT, Buffer.concat([ints(10_000), sockaddr('192.0.2.1', 80)]))).errno, ERRNO.EISCONN);
});

t.test('settings while a script runs → in force at once, and gone with the script', async (t) => {
  const { path } = await served(t);
  const client = await Client.open(t, path);
  await client.call(Op.HELLO);
  const set = async (text: string) => {
    const { result, errno } = await client.call(Op.SYSCTL, Buffer.from(text));
    return result === 0 ? 0 : errno;
  };
  const window = async () => {
    const fd = (await client.call(Op.SOCKET, ints(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0))).result;
    const { payload } = await client.call(Op.GETSOCKOPT, ints(fd, SO.SOL_SOCKET, SO.SO_RCVBUF, 4));
    return payload.readInt32LE(0);
  };
  const before = await window();
  t.equal(await set('net.ipv4.tcp_rmem=4096 50000 60000'), 0);
  t.equal(await window(), 50_000);
  t.equal(await set('net/ipv4/tcp_rmem = 4096 40000 60000'), 0, "a path's form, and blanks");
  t.equal(await window(), 40_000);
  t.equal(await set('net.ipv4.nonsense=1'), ERRNO.ENOENT);
  t.equal(await set('net.ipv4.tcp_sack=x'), ERRNO.EINVAL);
  t.equal(await set('net.ipv4.tcp_congestion_control=nonsense'), ERRNO.EINVAL);
  t.equal(await set('net.ipv4.tcp_available_congestion_control=reno'), ERRNO.EACCES);
  for (const text of ['', '=', '=1', 'net.ipv4.tcp_sack', '\0=\0']) t.not(await set(text), 0, JSON.stringify(text));
  t.equal(await window(), 40_000, 'what is refused changes nothing');
  // The stub that stands for sysctl has a connection of its own.
  const stub = await Client.open(t, path);
  t.equal((await stub.call(Op.SYSCTL, Buffer.from('net.ipv4.tcp_rmem=4096 30000 60000'))).result, 0);
  stub.socket.destroy();
  t.equal(await window(), 30_000);
  await client.call(Op.HELLO);
  t.equal(await window(), before, 'the next script begins as it was');
});

t.test('a second script → a fresh world', async (t) => {
  const { path, server } = await served(t);
  for (let i = 0; i < 3; i++) {
    const main = await Client.open(t, path);
    await passiveOpen(t, main);
    await main.call(Op.FREE);
    main.socket.destroy();
  }
  t.equal(server.scripts, 3);
});

t.test('what is no request → the connection is closed, the server goes on', async (t) => {
  const { path, errors } = await served(t);
  const early = await Client.open(t, path);
  await t.rejects(early.call(Op.GETTIME));
  const short = await Client.open(t, path);
  await short.call(Op.HELLO);
  await t.rejects(short.call(Op.SOCKET, ints(2)));
  const long = await Client.open(t, path);
  long.socket.write(Buffer.from([0xff, 0xff, 0xff, 0x7f]));
  await t.rejects(long.reply());
  const empty = await Client.open(t, path);
  empty.socket.write(Buffer.alloc(4));
  await t.rejects(empty.reply());
  t.equal(errors.length, 4);
  const good = await Client.open(t, path);
  t.equal((await good.call(Op.HELLO)).result, 0);
});

t.test('the path → a leftover socket is replaced; a live one and another file are not', async (t) => {
  const { path } = await served(t);
  await t.rejects(PacketdrillServer.start({ path }), { code: 'EADDRINUSE' });
  const file = join(path, '..', 'file');
  writeFileSync(file, '');
  await t.rejects(PacketdrillServer.start({ path: file }), { code: 'EEXIST' });
  await t.rejects(PacketdrillServer.start({ path: `${file}2`, settings: new Map([['net.ipv4.nothing', '1']]) }), {
    code: 'ENOENT',
  });
});
