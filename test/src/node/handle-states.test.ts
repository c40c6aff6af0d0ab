import { once } from 'node:events';
import type { Server, Socket } from 'node:net';
import { getSystemErrorMap } from 'node:util';
import t from 'tap';
import type { ConnectRequest, Request } from '../../../src/node/bindings.js';
import { ServerHandle } from '../../../src/node/server-handle.js';
import type { StreamHandle } from '../../../src/node/stream-handle.js';
import { passes, type Test } from './socket-steps.js';
import { CLIENT, SERVER, twoNets } from './worlds.js';

/**
 * Every call on every state of a handle. What is expected was recorded from the kernel's handles under Node 20 to 26 with the same calls;
 * what differs says so. No call throws, and every connection can be closed afterwards and is given back.
 */
const NAMES = new Map([...getSystemErrorMap()].map(([number, [name]]) => [number, name]));

type Handle = StreamHandle & {
  connect(request: ConnectRequest, address: string, port: number): number;
  bind(address: string, port: number): number;
  getsockname(into: object): number;
  getpeername(into: object): number;
  setNoDelay(enable: boolean): number;
  setKeepAlive(enable: boolean, seconds: number): number;
  setTypeOfService(service: number): number;
  getTypeOfService(): number;
  ref(): void;
  unref(): void;
  hasRef(): boolean;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: Request | null, bytes: Uint8Array): unknown;
  writeUtf8String(request: Request | null, text: string): unknown;
  writeLatin1String(request: Request | null, text: string): unknown;
  writeAsciiString(request: Request | null, text: string): unknown;
  writeUcs2String(request: Request | null, text: string): unknown;
  writev(request: Request | null, chunks: unknown[], allBuffers: boolean): unknown;
  shutdown(request: Request): number;
  reset(callback?: () => void): number;
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
};

const STATES = [
  'fresh',
  'bound',
  'connecting',
  'connected',
  'shut',
  'ended',
  'finished',
  'reset',
  'failed',
  'refused',
  'closed',
] as const;
type State = (typeof STATES)[number];
const PORT = 80;

interface World {
  readonly server: Server;
  readonly accepted: Socket[];
  make(): Handle;
}

async function makeWorld(t: Test): Promise<World & { idle(): boolean }> {
  const nets = twoNets(t);
  const accepted: Socket[] = [];
  const server = nets.server.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
    accepted.push(socket.on('error', () => {}));
  });
  server.listen(PORT, SERVER);
  await once(server, 'listening');
  t.teardown(() => server.close());
  // A socket that is not connected yet has a fresh handle, as Node's `net.Socket` has it.
  const make = (): Handle => {
    const socket = nets.client.connect({ host: SERVER, port: PORT });
    const { _handle: handle } = socket as unknown as { _handle: Handle };
    const Class = handle.constructor as new () => Handle;
    socket.destroy();
    return new Class();
  };
  const stacks = [nets.server.host.stack, nets.client.host.stack];
  return { server, accepted, make, idle: () => stacks.every((stack) => stack.tcp.counts.connections === 0) };
}

const ignore = { oncomplete(): void {} };

/** A handle in this state. */
async function inState(state: State, world: World): Promise<Handle> {
  const handle = world.make();
  // Node's part of reading, which the handle does not know.
  handle.onread = () => undefined;
  const connected = async (): Promise<void> => {
    handle.connect(ignore, SERVER, PORT);
    await passes(20);
  };
  switch (state) {
    case 'fresh':
      break;
    case 'bound':
      handle.bind(CLIENT, 0);
      break;
    case 'connecting':
      handle.connect(ignore, SERVER, PORT);
      break;
    case 'connected':
      await connected();
      break;
    case 'shut':
      await connected();
      handle.shutdown(ignore);
      break;
    case 'ended':
    case 'finished':
      await connected();
      world.accepted.at(-1)?.end();
      handle.readStart();
      await passes(20);
      if (state === 'finished') handle.shutdown(ignore);
      break;
    case 'reset':
    case 'failed':
      await connected();
      if (state === 'failed') handle.readStart();
      world.accepted.at(-1)?.resetAndDestroy();
      break;
    case 'refused':
      handle.connect(ignore, SERVER, PORT + 1);
      break;
    case 'closed':
      await connected();
      handle.close();
      break;
  }
  if (state !== 'connecting') await passes(20);
  return handle;
}

interface Row {
  readonly call: string;
  readonly make: (handle: Handle) => unknown;
  /** What it returns in every state but these. */
  readonly otherwise: unknown;
  readonly except?: Partial<Record<State, unknown>>;
}

/** A write or a shutdown is done when the stack has taken it; the kernel's shutdown answers 0 and calls back. */
const DONE = 'DONE';
const WRITES = { fresh: 'EBADF', bound: 'EPIPE', shut: 'EPIPE', finished: 'EPIPE', closed: 'EBADF' };
/** Linux reports a RST once, to whoever calls first; `failed` has had it reported by reading. */
const WRITES_FAIL = { ...WRITES, reset: 'ECONNRESET', failed: 'EPIPE', refused: 'EPIPE' };
const NO_ADDRESS = { fresh: 'EBADF', closed: 'EBADF' };
const bytes = Buffer.from('x');

const ROWS: readonly Row[] = [
  // The kernel's lets a dead handle be bound anew; nothing in Node does so.
  { call: 'bind', make: (h) => h.bind(CLIENT, 0), otherwise: 'EINVAL', except: { fresh: 0, closed: 'EBADF' } },
  {
    call: 'bind, a foreign address',
    make: (h) => h.bind('192.0.2.1', 0),
    otherwise: 'EADDRNOTAVAIL',
    except: { closed: 'EBADF' },
  },
  { call: 'bind, no address', make: (h) => h.bind('nonsense', 0), otherwise: 'EINVAL', except: { closed: 'EBADF' } },
  {
    call: 'connect',
    make: (h) => h.connect(ignore, SERVER, PORT),
    // libuv answers 0 on an open stream and calls back; on a dead one the code depends on what was reported before.
    otherwise: 'EISCONN',
    except: { fresh: 0, bound: 0, connecting: 'EALREADY', closed: 'EBADF' },
  },
  {
    call: 'connect to everybody',
    make: (h) => h.connect(ignore, '255.255.255.255', PORT),
    otherwise: 'EISCONN',
    except: { fresh: 'ENETUNREACH', bound: 'ENETUNREACH', connecting: 'EALREADY', closed: 'EBADF' },
  },
  {
    call: 'connect, no address',
    make: (h) => h.connect(ignore, 'nonsense', PORT),
    otherwise: 'EINVAL',
    except: { closed: 'EBADF' },
  },
  { call: 'getsockname', make: (h) => h.getsockname({}), otherwise: 0, except: NO_ADDRESS },
  // The kernel's forgets its peer when the connection ends: ENOTCONN. Ours keeps the name, for a program's log.
  { call: 'getpeername', make: (h) => h.getpeername({}), otherwise: 0, except: { ...NO_ADDRESS, bound: 'ENOTCONN' } },
  { call: 'setNoDelay', make: (h) => h.setNoDelay(true), otherwise: 0, except: { closed: 'EBADF' } },
  { call: 'setKeepAlive', make: (h) => h.setKeepAlive(true, 5), otherwise: 0, except: { closed: 'EBADF' } },
  { call: 'setKeepAlive, off', make: (h) => h.setKeepAlive(false, 0), otherwise: 0, except: { closed: 'EBADF' } },
  // The kernel's says EINVAL here and leaves keep-alive on with its own time; ours takes the longest time it has.
  { call: 'setKeepAlive, long', make: (h) => h.setKeepAlive(true, 1e6), otherwise: 0, except: { closed: 'EBADF' } },
  { call: 'setTypeOfService', make: (h) => h.setTypeOfService(8), otherwise: 0, except: NO_ADDRESS },
  { call: 'getTypeOfService', make: (h) => h.getTypeOfService(), otherwise: 0, except: NO_ADDRESS },
  { call: 'hasRef', make: (h) => h.hasRef(), otherwise: true, except: { closed: false } },
  {
    call: 'unref, ref, unref',
    make: (h) => {
      h.unref();
      h.ref();
      h.unref();
      return h.hasRef();
    },
    otherwise: false,
  },
  {
    call: 'readStart',
    make: (h) => h.readStart(),
    otherwise: 0,
    except: { fresh: 'ENOTCONN', bound: 'ENOTCONN', failed: 'ENOTCONN', refused: 'ENOTCONN', closed: 'EBADF' },
  },
  { call: 'readStop', make: (h) => h.readStop(), otherwise: 0 },
  { call: 'writeBuffer', make: (h) => h.writeBuffer(null, bytes), otherwise: 0, except: WRITES_FAIL },
  { call: 'writeBuffer, empty', make: (h) => h.writeBuffer(null, Buffer.alloc(0)), otherwise: 0, except: WRITES_FAIL },
  { call: 'writeUtf8String', make: (h) => h.writeUtf8String(null, 'x'), otherwise: 0, except: WRITES_FAIL },
  { call: 'writeLatin1String', make: (h) => h.writeLatin1String(null, 'x'), otherwise: 0, except: WRITES_FAIL },
  { call: 'writeAsciiString', make: (h) => h.writeAsciiString(null, 'x'), otherwise: 0, except: WRITES_FAIL },
  { call: 'writeUcs2String', make: (h) => h.writeUcs2String(null, 'x'), otherwise: 0, except: WRITES_FAIL },
  {
    call: 'writev',
    make: (h) => h.writev(null, [bytes, 'y', 'utf8'].slice(0, 1), true),
    otherwise: 0,
    except: WRITES_FAIL,
  },
  {
    call: 'writev, mixed',
    make: (h) => h.writev(null, [bytes, '', 'y', 'utf8'], false),
    otherwise: 0,
    except: WRITES_FAIL,
  },
  {
    call: 'writeBuffer, large',
    make: (h) => h.writeBuffer(null, Buffer.alloc(20_000_000)),
    otherwise: 'a request',
    except: WRITES_FAIL,
  },
  {
    call: 'shutdown',
    make: (h) => h.shutdown(ignore),
    otherwise: DONE,
    except: {
      fresh: 'ENOTCONN',
      bound: 'ENOTCONN',
      shut: 'ENOTCONN',
      finished: 'ENOTCONN',
      reset: 'ENOTCONN',
      failed: 'ENOTCONN',
      refused: 'ENOTCONN',
      closed: 'ENOTCONN',
    },
  },
  { call: 'reset', make: (h) => h.reset(), otherwise: 0, except: NO_ADDRESS },
  { call: 'close', make: (h) => h.close(), otherwise: undefined },
  { call: 'writeQueueSize', make: (h) => h.writeQueueSize, otherwise: 0 },
  { call: 'bytesWritten', make: (h) => h.bytesWritten, otherwise: 0 },
];

function named(value: unknown, call: string): unknown {
  if (typeof value === 'object' && value !== null) return 'a request';
  if (value === 1 && call === 'shutdown') return DONE;
  return typeof value === 'number' && value < 0 ? (NAMES.get(value) ?? value) : value;
}

t.test(
  'every call on every state of a stream handle → as on a handle of the kernel’s, and the row comes back',
  async (t) => {
    const world = await makeWorld(t as Test);
    for (const { call, make, otherwise, except = {} } of ROWS) {
      const got: Record<string, unknown> = {};
      const wanted: Record<string, unknown> = {};
      for (const state of STATES) {
        const handle = await inState(state, world);
        got[state] = named(make(handle), call);
        wanted[state] = state in except ? except[state] : otherwise;
        handle.close();
        for (const socket of world.accepted.splice(0)) socket.destroy();
      }
      t.same(got, wanted, call);
    }
    for (let i = 0; i < 10; i++) {
      await passes(20);
      for (const socket of world.accepted.splice(0)) socket.destroy();
    }
    t.ok(world.idle(), 'no connection is left');
  },
);

t.test('every call on every state of a server’s handle → a number, and the port comes back', async (t) => {
  const { server: net } = twoNets(t);
  const make = (): ServerHandle => {
    const handle = new ServerHandle(net.host, SERVER, PORT);
    handle.onaccept = () => {};
    return handle;
  };
  const states = {
    fresh: make,
    listening: () => {
      const handle = make();
      handle.listen(5);
      return handle;
    },
    closed: () => {
      const handle = make();
      handle.listen(5);
      handle.close();
      return handle;
    },
  };
  const calls: [string, (handle: ServerHandle) => unknown, unknown, unknown, unknown][] = [
    // libuv lets a listener listen again with another backlog; `net.Server` never does.
    ['listen', (handle) => handle.listen(5), 0, 'EINVAL', 'EBADF'],
    ['getsockname', (handle) => handle.getsockname({}), 0, 0, 'EBADF'],
    ['hasRef', (handle) => handle.hasRef(), true, true, false],
    [
      'unref',
      (handle) => {
        handle.unref();
        return handle.hasRef();
      },
      false,
      false,
      false,
    ],
    ['ref', (handle) => handle.ref(), undefined, undefined, undefined],
    ['close', (handle) => handle.close(), undefined, undefined, undefined],
  ];
  for (const [call, run, ...wanted] of calls) {
    for (const [i, [state, make]] of Object.entries(states).entries()) {
      const handle = make();
      t.equal(named(run(handle), call), wanted[i], `${call}, ${state}`);
      handle.close();
    }
  }
  const handle = make();
  let closes = 0;
  t.equal(handle.listen(5), 0, 'the port is free');
  handle.close(() => (closes += 1));
  handle.close(() => (closes += 1));
  await passes(3);
  t.equal(closes, 1, 'closed once');
});
