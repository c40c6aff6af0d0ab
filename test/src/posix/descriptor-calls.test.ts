import t, { type Test } from 'tap';
import { EPOLL, FILE, MESSAGE, POLL, SO, SOCKET } from '../../../src/posix/constants.js';
import { intBytes } from '../../../src/posix/option-value.js';
import type { PollFd, SocketCalls } from '../../../src/posix/socket-calls.js';
import { SocketSystem } from '../../../src/posix/socket-system.js';
import { inet, REMOTE_PORT, Script, told } from './script.js';

/**
 * Every socket call on every kind of descriptor, and on numbers that are none: what POSIX and Linux say, and the
 * connection's row comes back.
 */

type Result = string | number;
const FIONREAD = 0x541b;
const TEXT = new Uint8Array(10).fill(65);
const PEER = inet('192.0.2.1', REMOTE_PORT);

/** What can stand behind a descriptor; none of it waits. */
const FATES: Readonly<Record<string, (s: Script) => number>> = {
  fresh: (s) => socket(s),
  bound: (s) => {
    const fd = socket(s);
    s.calls.bind(fd, inet('0.0.0.0', 7000));
    return fd;
  },
  listening: (s) => {
    const fd = s.listen();
    s.calls.fcntl(fd, FILE.F_SETFL, FILE.O_NONBLOCK);
    return fd;
  },
  connecting: (s) => {
    const fd = socket(s);
    s.calls.connect(fd, PEER);
    s.sent();
    return fd;
  },
  established: (s) => accepted(s),
  'established, at rest': (s) => {
    const fd = accepted(s);
    s.world.advance(s.world.nowUs + 10_000_000);
    return fd;
  },
  'ended by the peer': (s) => {
    const fd = accepted(s);
    s.inject({ flags: 'F.' });
    return fd;
  },
  'shut for writing': (s) => {
    const fd = accepted(s);
    s.calls.shutdown(fd, SOCKET.SHUT_WR);
    s.sent();
    return fd;
  },
  'ended by both': (s) => {
    const fd = accepted(s);
    s.inject({ flags: 'F.' });
    s.calls.shutdown(fd, SOCKET.SHUT_WR);
    for (let sent = s.sent(); !sent.flags.includes('F'); ) sent = s.sent();
    s.inject({ flags: '.' });
    return fd;
  },
  reset: (s) => {
    const fd = accepted(s);
    s.inject({ flags: 'R' });
    return fd;
  },
  'reset, and told': (s) => {
    const fd = accepted(s);
    s.inject({ flags: 'R' });
    s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_ERROR, 4);
    return fd;
  },
  refused: (s) => {
    const fd = socket(s);
    s.calls.connect(fd, PEER);
    s.sent();
    s.inject({ flags: 'R.', seq: 0 });
    return fd;
  },
  datagram: (s) => s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM | SOCKET.SOCK_NONBLOCK, 0).result,
  epoll: (s) => s.calls.epollCreate(0).result,
};

function socket(s: Script): number {
  return s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM | SOCKET.SOCK_NONBLOCK, 0).result;
}
function accepted(s: Script): number {
  const fd = s.accepted();
  s.calls.fcntl(fd, FILE.F_SETFL, FILE.O_NONBLOCK);
  return fd;
}

interface Call {
  readonly call: (calls: SocketCalls, fd: number) => Result;
  /**
   * What most descriptors answer, and which answer something else. An epoll instance is no socket, unless it is said to
   * be asked.
   */
  readonly usual: Result;
  readonly but: Readonly<Record<string, readonly string[]>>;
}

const CALLS: Readonly<Record<string, Call>> = {
  bind: {
    call: (calls, fd) => told(calls.bind(fd, inet('0.0.0.0', 7001))),
    usual: 'EINVAL',
    but: { 0: ['fresh', 'datagram'] },
  },
  listen: {
    call: (calls, fd) => told(calls.listen(fd, 1)),
    usual: 'EINVAL',
    but: { 0: ['fresh', 'bound', 'listening'], EOPNOTSUPP: ['datagram'] },
  },
  accept: {
    call: (calls, fd) => told(calls.accept(fd).outcome),
    usual: 'EINVAL',
    but: { EAGAIN: ['listening'], EOPNOTSUPP: ['datagram'] },
  },
  connect: {
    call: (calls, fd) => told(calls.connect(fd, PEER).outcome),
    usual: 'EISCONN',
    but: { 0: ['datagram'], EINPROGRESS: ['fresh', 'bound'], EALREADY: ['connecting'], ECONNREFUSED: ['refused'] },
  },
  recv: {
    call: (calls, fd) => told(calls.recv(fd, 10, 0).outcome),
    usual: 'EAGAIN',
    but: {
      0: ['ended by the peer', 'ended by both', 'reset, and told'],
      ENOTCONN: ['fresh', 'bound', 'listening'],
      ECONNRESET: ['reset'],
      ECONNREFUSED: ['refused'],
    },
  },
  send: {
    call: (calls, fd) => told(calls.send(fd, TEXT, 0).outcome),
    usual: 'EPIPE',
    but: {
      10: ['established', 'established, at rest', 'ended by the peer'],
      EAGAIN: ['connecting'],
      ECONNRESET: ['reset'],
      ECONNREFUSED: ['refused'],
      EDESTADDRREQ: ['datagram'],
    },
  },
  'send of urgent data': {
    call: (calls, fd) => told(calls.send(fd, TEXT, MESSAGE.MSG_OOB).outcome),
    usual: 'EPIPE',
    but: {
      10: ['established', 'established, at rest', 'ended by the peer'],
      EAGAIN: ['connecting'],
      ECONNRESET: ['reset'],
      ECONNREFUSED: ['refused'],
      EOPNOTSUPP: ['datagram'],
    },
  },
  close: { call: (calls, fd) => told(calls.close(fd).outcome), usual: 0, but: {} },
  shutdown: {
    call: (calls, fd) => told(calls.shutdown(fd, SOCKET.SHUT_RDWR)),
    usual: 'ENOTCONN',
    but: {
      0: ['listening', 'connecting', 'established', 'established, at rest', 'ended by the peer', 'shut for writing'],
    },
  },
  'shutdown of no side': { call: (calls, fd) => told(calls.shutdown(fd, 9)), usual: 'EINVAL', but: {} },
  fcntl: { call: (calls, fd) => told(calls.fcntl(fd, FILE.F_GETFD, 0)), usual: 0, but: {} },
  ioctl: { call: (calls, fd) => told(calls.ioctl(fd, FIONREAD)), usual: 0, but: { EINVAL: ['listening'] } },
  getsockopt: { call: (calls, fd) => told(calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_TYPE, 4)), usual: 0, but: {} },
  setsockopt: {
    call: (calls, fd) => told(calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_KEEPALIVE, intBytes(1))),
    usual: 0,
    but: {},
  },
  getsockname: { call: (calls, fd) => told(calls.getsockname(fd)), usual: 0, but: {} },
  getpeername: {
    call: (calls, fd) => told(calls.getpeername(fd)),
    usual: 'ENOTCONN',
    but: { 0: ['established', 'established, at rest', 'ended by the peer', 'shut for writing'] },
  },
  poll: {
    call: (calls, fd) => {
      const fds: PollFd[] = [{ fd, events: POLL.POLLIN, revents: 0 }];
      told(calls.poll(fds, 0).outcome);
      return fds[0].revents;
    },
    usual: 0,
    but: {
      1: ['ended by the peer'],
      16: ['fresh', 'bound'],
      17: ['ended by both', 'reset, and told'],
      25: ['reset', 'refused'],
    },
  },
  epollControl: {
    call: (calls, fd) => {
      const epoll = calls.epollCreate(0).result;
      const result = told(calls.epollControl(epoll, EPOLL.EPOLL_CTL_ADD, fd, EPOLL.EPOLLIN, 0n));
      calls.close(epoll);
      return result;
    },
    usual: 0,
    but: { EINVAL: ['epoll'] },
  },
  epollWait: { call: (calls, fd) => told(calls.epollWait(fd, 1, 0).outcome), usual: 'EINVAL', but: { 0: ['epoll'] } },
};

/**
 * Numbers that are no descriptor, and what is said of them: EBADF, but `poll` passes over negative ones and reports the
 * others.
 */
const STRANGERS = [99, -1, -5, 0, Number.NaN, 1.5, 2 ** 40, Number.POSITIVE_INFINITY];

function expected(name: string, { usual, but }: Call, fate: string): Result {
  for (const [result, fates] of Object.entries(but))
    if (fates.includes(fate)) return /^-?\d+$/.test(result) ? Number(result) : result;
  return fate === 'epoll' && name !== 'close' && name !== 'poll' ? 'ENOTSOCK' : usual;
}

/** All is closed, and what the stack does by itself has had its time. */
function finish(t: Test, s: Script): void {
  for (const fd of s.calls.descriptors) s.calls.close(fd);
  s.world.advance(s.world.nowUs + 300_000_000);
  const { tcp } = s.world.stack;
  t.same(tcp.counts, { connections: 0, active: 0, halfOpen: 0, timeWait: 0, listeners: 0 }, 'every row is given back');
  t.equal(tcp.context.arena.chunksFree, tcp.context.arena.chunksMax);
  s.world.close();
}

t.test('SocketSystem → each call that names a descriptor stands in the table', (t) => {
  const others = ['constructor', 'settle', 'nextDeadlineUs', 'expire', 'descriptors', 'adopt', 'watch', 'unwatch'];
  const known = new Set(Object.keys(CALLS).map((name) => name.split(' ')[0]));
  for (const name of Object.getOwnPropertyNames(SocketSystem.prototype))
    t.ok(known.has(name) !== [...others, 'expectNotices', 'socket', 'epollCreate'].includes(name), name);
  t.end();
});

for (const [fate, make] of Object.entries(FATES)) {
  t.test(`a descriptor, ${fate} → each call answers as on Linux, and all comes back`, (t) => {
    for (const [name, call] of Object.entries(CALLS)) {
      const s = new Script(t);
      const fd = make(s);
      t.equal(call.call(s.calls, fd), expected(name, call, fate), name);
      finish(t, s);
    }
    t.end();
  });
}

t.test('numbers that are no descriptor, or are one no more → EBADF', (t) => {
  const s = new Script(t);
  const closed = socket(s);
  s.calls.close(closed);
  for (const [name, { call }] of Object.entries(CALLS)) {
    for (const fd of [...STRANGERS, closed]) {
      const result = name === 'poll' ? (fd < 0 ? 0 : POLL.POLLNVAL) : 'EBADF';
      // A new epoll instance has the number of the closed one.
      if (name === 'epollControl' && fd === closed) continue;
      t.equal(call(s.calls, fd), result, `${name}, ${fd}`);
    }
  }
  finish(t, s);
  t.end();
});
