import t from 'tap';
import { EPOLL, FILE, POLL, SO, SOCKET } from '../../../src/posix/constants.js';
import { intBytes } from '../../../src/posix/option-value.js';
import { SocketSystem } from '../../../src/posix/socket-system.js';
import { inet, REMOTE_PORT, Script } from './script.js';

/** Every socket call after ten minutes of silence: nothing is armed with the time of whatever came before. */

const SILENCE_US = 600_000_000;
const OWN = 'the world calls it';
type Row = ((s: Script, listener: number, fd: number) => void) | typeof OWN;

const peer = inet('192.0.2.1', REMOTE_PORT + 1);
const ROWS: Readonly<Record<string, Row>> = {
  settle: OWN,
  nextDeadlineUs: OWN,
  expire: OWN,
  adopt: OWN,
  watch: OWN,
  expectNotices: OWN,
  unwatch: OWN,
  descriptors: (s) => (s.world.calls as SocketSystem).descriptors,
  socket: (s) => s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0),
  bind: (s) => s.calls.bind(stream(s), inet('192.168.0.1', 5000)),
  listen: (s) => s.calls.listen(stream(s), 5),
  accept: (s, listener) => s.calls.accept(listener).cancel(),
  connect: (s) => s.calls.connect(stream(s), peer),
  recv: (s, _, fd) => s.calls.recv(fd, 100, 0).cancel(),
  send: (s, _, fd) => s.calls.send(fd, new Uint8Array(10), 0),
  close: (s, listener, fd) => {
    s.calls.close(listener);
    s.calls.close(fd);
  },
  shutdown: (s, _, fd) => s.calls.shutdown(fd, SOCKET.SHUT_WR),
  fcntl: (s, _, fd) => s.calls.fcntl(fd, FILE.F_SETFL, FILE.O_NONBLOCK),
  ioctl: (s, _, fd) => s.calls.ioctl(fd, FILE.SIOCINQ),
  getsockopt: (s, _, fd) => s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_ERROR, 4),
  setsockopt: (s, _, fd) => s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_KEEPALIVE, intBytes(1)),
  getsockname: (s, _, fd) => s.calls.getsockname(fd),
  getpeername: (s, _, fd) => s.calls.getpeername(fd),
  poll: (s, _, fd) => s.calls.poll([{ fd, events: POLL.POLLIN, revents: 0 }], 0),
  epollCreate: (s) => s.calls.epollCreate(0),
  epollControl: (s, _, fd) =>
    s.calls.epollControl(s.calls.epollCreate(0).result, EPOLL.EPOLL_CTL_ADD, fd, EPOLL.EPOLLIN, 0n),
  epollWait: (s) => s.calls.epollWait(s.calls.epollCreate(0).result, 1, 0),
};
function stream(s: Script): number {
  return s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM | SOCKET.SOCK_NONBLOCK, 0).result;
}

t.test('every socket call has its row', (t) => {
  const calls = Object.getOwnPropertyNames(SocketSystem.prototype).filter((name) => name !== 'constructor');
  t.same(Object.keys(ROWS).sort(), calls.sort());
  t.end();
});

for (const [name, call] of Object.entries(ROWS)) {
  if (call === OWN) continue;
  t.test(`${name} after ten minutes`, (t) => {
    const s = new Script(t);
    const fd = s.accepted();
    s.world.advance(s.world.nowUs + SILENCE_US);
    t.equal(s.world.stack.clock.us, s.world.nowUs, 'the stack has the time of the world');
    call(s, 3, fd);
    t.equal(s.world.stack.nextDeadline() > s.world.nowUs, true, 'no timer is due as soon as it is armed');
    t.equal(s.world.stack.net.stats.tcpRetransSegs, 0);
    s.world.advance(s.world.nowUs + 150_000);
    t.equal(s.world.stack.net.stats.tcpTimeouts, 0);
    t.end();
  });
}
