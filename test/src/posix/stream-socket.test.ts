import t from 'tap';
import { FILE, MESSAGE, POLL, SO, SOCKET, TCP } from '../../../src/posix/constants.js';
import { ERRNO } from '../../../src/posix/errno.js';
import { intBytes, intsBytes } from '../../../src/posix/option-value.js';
import type { PollFd } from '../../../src/posix/socket-calls.js';
import { PathError } from '../../../stack/net/transport.js';
import { Tcb } from '../../../stack/tcp/tcb.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { inet, LOCAL_PORT, REMOTE_PORT, Script, told } from './script.js';

const TEXT = new Uint8Array(1000).fill(65);

function pollOne(s: Script, fd: number, events: number): number {
  const fds: PollFd[] = [{ fd, events, revents: 0 }];
  s.calls.poll(fds, 0);
  return fds[0].revents;
}

t.test('a listener, accept without a connection → EAGAIN if it must not wait, else it waits for one', (t) => {
  const s = new Script(t);
  const fd = s.listen();
  s.ok(s.calls.fcntl(fd, FILE.F_SETFL, FILE.O_NONBLOCK));
  s.ok(s.calls.fcntl(fd, FILE.F_GETFL, 0), FILE.O_RDWR | FILE.O_NONBLOCK);
  s.fails(s.calls.accept(fd).outcome, 'EAGAIN');
  s.ok(s.calls.fcntl(fd, FILE.F_SETFL, 0));
  const accept = s.calls.accept(fd);
  t.equal(told(accept.outcome), 'waits');
  t.equal(pollOne(s, fd, POLL.POLLIN), 0);
  s.world.advance(s.world.nowUs + 20_000);
  s.handshake();
  const { address } = s.done(accept, 4);
  t.same(address, inet('192.0.2.1', REMOTE_PORT));
  t.equal(accept.completedUs, s.world.nowUs);
  t.same(s.calls.getsockname(4).address, inet('192.168.0.1', LOCAL_PORT));
  t.same(s.calls.getpeername(4).address, inet('192.0.2.1', REMOTE_PORT));
  s.fails(s.calls.getpeername(fd), 'ENOTCONN');
  t.end();
});

t.test('connect that may not wait → EINPROGRESS, EALREADY, 0, EISCONN', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM | SOCKET.SOCK_NONBLOCK, 0).result;
  const peer = inet('192.0.2.1', REMOTE_PORT);
  t.equal(pollOne(s, fd, POLL.POLLIN | POLL.POLLOUT), POLL.POLLOUT | POLL.POLLHUP);
  s.fails(s.calls.connect(fd, peer).outcome, 'EINPROGRESS');
  s.fails(s.calls.connect(fd, peer).outcome, 'EALREADY');
  t.equal(pollOne(s, fd, POLL.POLLIN | POLL.POLLOUT), 0);
  s.fails(s.calls.send(fd, TEXT, 0).outcome, 'EAGAIN');
  t.equal(s.sent().flags, 'S');
  s.inject({ flags: 'S.', options: { mss: 1460 } });
  t.equal(s.sent().flags, '.');
  t.equal(pollOne(s, fd, POLL.POLLOUT), POLL.POLLOUT);
  s.done(s.calls.connect(fd, peer));
  s.fails(s.calls.connect(fd, peer).outcome, 'EISCONN');
  t.end();
});

t.test('connect that waits, refused → ECONNREFUSED, and the socket can try again', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  const connect = s.calls.connect(fd, inet('192.0.2.1', REMOTE_PORT));
  t.equal(told(connect.outcome), 'waits');
  s.sent();
  s.inject({ flags: 'R.' });
  s.fails(connect.outcome, 'ECONNREFUSED');
  s.fails(s.calls.recv(fd, 10, 0).outcome, 'ENOTCONN');
  s.nxt = 0;
  t.equal(told(s.calls.connect(fd, inet('192.0.2.1', REMOTE_PORT)).outcome), 'waits');
  t.end();
});

t.test('connect, nobody answers → ETIMEDOUT after the last SYN; SO_SNDTIMEO ends the waiting before', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  const timeout = new Uint8Array(16);
  timeout[0] = 2;
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_SNDTIMEO, timeout));
  const connect = s.calls.connect(fd, inet('192.0.2.1', REMOTE_PORT));
  const begun = s.world.nowUs;
  s.world.advance(begun + 10_000_000);
  s.fails(connect.outcome, 'EINPROGRESS');
  t.equal(connect.completedUs - begun, 2_000_000);
  s.world.advance(begun + 200_000_000);
  t.equal(pollOne(s, fd, POLL.POLLIN) & POLL.POLLERR, POLL.POLLERR);
  t.same(s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_ERROR, 4).data, intBytes(110));
  t.same(s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_ERROR, 4).data, intBytes(0), 'it is told once');
  t.end();
});

t.test('established, read → what has come, EAGAIN, 0 at the end', (t) => {
  const s = new Script(t);
  const fd = s.accepted();
  s.fails(s.calls.recv(fd, 10, MESSAGE.MSG_DONTWAIT).outcome, 'EAGAIN');
  const read = s.calls.recv(fd, 2000, 0);
  s.inject({ flags: 'P.', data: TEXT });
  t.same(s.done(read, 1000).data, Buffer.from(TEXT));
  s.inject({ flags: 'P.', data: TEXT });
  t.same(s.calls.ioctl(fd, FILE.SIOCINQ).data, intBytes(1000));
  s.done(s.calls.recv(fd, 100, MESSAGE.MSG_PEEK), 100);
  s.done(s.calls.recv(fd, 100, 0), 100);
  t.same(s.calls.ioctl(fd, FILE.SIOCINQ).data, intBytes(900));
  const all = s.calls.recv(fd, 1900, MESSAGE.MSG_WAITALL);
  t.equal(told(all.outcome), 'waits');
  s.inject({ flags: 'P.', data: TEXT });
  s.done(all, 1900);
  s.inject({ flags: 'F.' });
  t.equal(pollOne(s, fd, POLL.POLLIN | POLL.POLLRDHUP), POLL.POLLIN | POLL.POLLRDHUP);
  s.done(s.calls.recv(fd, 10, 0), 0);
  t.end();
});

t.test('established, write → at once as far as the buffer takes it; waits for the rest', (t) => {
  const s = new Script(t);
  const fd = s.accepted();
  s.done(s.calls.send(fd, TEXT, 0), 1000);
  t.equal(s.sent().length, 1000);
  t.same(s.calls.ioctl(fd, FILE.SIOCOUTQ).data, intBytes(1000));
  s.inject({ flags: '.' });
  t.same(s.calls.ioctl(fd, FILE.SIOCOUTQ).data, intBytes(0));
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_SNDBUF, intBytes(10_000)));
  t.same(s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_SNDBUF, 4).data, intBytes(20_000), 'doubled, as Linux has it');
  const big = new Uint8Array(50_000);
  const write = s.calls.send(fd, big, 0);
  t.equal(told(write.outcome), 'waits');
  for (let round = 0; round < 100 && write.outcome === undefined; round++) {
    for (let next = s.world.takeSent(); next !== undefined; next = s.world.takeSent()) {
      const headers = 20 + (new DataView(next.datagram.buffer).getUint8(32) >> 4) * 4;
      s.rcvNxt += next.datagram.length - headers;
    }
    s.inject({ flags: '.' });
  }
  s.done(write, 50_000);
  t.end();
});

t.test('established, RST → ECONNRESET once, then the end; EPIPE for what is written', (t) => {
  const s = new Script(t);
  const fd = s.accepted();
  const read = s.calls.recv(fd, 10, 0);
  s.inject({ flags: 'R.' });
  s.fails(read.outcome, 'ECONNRESET');
  s.done(s.calls.recv(fd, 10, 0), 0);
  s.fails(s.calls.send(fd, TEXT, 0).outcome, 'EPIPE');
  t.equal(pollOne(s, fd, POLL.POLLIN) & POLL.POLLHUP, POLL.POLLHUP);
  s.done(s.calls.close(fd));
  s.fails(s.calls.close(fd).outcome, 'EBADF');
  t.end();
});

t.test('shutdown → FIN, and nothing more may be written; of reading → 0', (t) => {
  const s = new Script(t);
  const fd = s.accepted();
  s.fails(s.calls.shutdown(fd, 3), 'EINVAL');
  s.ok(s.calls.shutdown(fd, SOCKET.SHUT_RD));
  s.done(s.calls.recv(fd, 10, 0), 0);
  s.silent();
  s.ok(s.calls.shutdown(fd, SOCKET.SHUT_WR));
  t.equal(s.sent().flags, 'F.');
  s.fails(s.calls.send(fd, TEXT, 0).outcome, 'EPIPE');
  const fresh = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  s.fails(s.calls.shutdown(fresh, SOCKET.SHUT_WR), 'ENOTCONN');
  t.end();
});

t.test('close, SO_LINGER → 0: RST; n: waits for the FIN to be acknowledged, n seconds at the most', (t) => {
  const reset = new Script(t);
  let fd = reset.accepted();
  reset.ok(reset.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_LINGER, intsBytes([1, 0])));
  reset.done(reset.calls.close(fd));
  t.match(reset.sent().flags, /R/);

  const s = new Script(t);
  fd = s.accepted();
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_LINGER, intsBytes([1, 3])));
  const close = s.calls.close(fd);
  t.equal(told(close.outcome), 'waits');
  t.equal(s.sent().flags, 'F.');
  s.inject({ flags: '.' });
  s.done(close);

  const slow = new Script(t);
  fd = slow.accepted();
  slow.ok(slow.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_LINGER, intsBytes([1, 3])));
  const begun = slow.world.nowUs;
  const waiting = slow.calls.close(fd);
  slow.world.advance(begun + 60_000_000);
  slow.done(waiting);
  t.equal(waiting.completedUs - begun, 3_000_000);
  t.end();
});

t.test('bind and listen → EADDRINUSE, EADDRNOTAVAIL, EINVAL as Linux has them', (t) => {
  const s = new Script(t);
  const one = s.listen();
  const two = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  s.fails(s.calls.bind(two, inet('0.0.0.0', LOCAL_PORT)), 'EADDRINUSE');
  s.fails(s.calls.bind(two, inet('10.9.9.9', 1)), 'EADDRNOTAVAIL');
  s.fails(s.calls.bind(one, inet('0.0.0.0', 1)), 'EINVAL');
  s.ok(s.calls.bind(two, inet('0.0.0.0', 0)));
  s.ok(s.calls.listen(two, 1));
  t.ok((s.calls.getsockname(two).address?.port ?? 0) > 1024);
  s.done(s.calls.close(one));
  const three = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  t.equal(three, one, 'the lowest free descriptor');
  s.ok(s.calls.bind(three, inet('0.0.0.0', LOCAL_PORT)));
  s.fails(s.calls.accept(three).outcome, 'EINVAL');
  s.fails(s.calls.listen(99, 1), 'EBADF');
  s.fails(s.calls.socket(1, 1, 0), 'EAFNOSUPPORT');
  s.fails(s.calls.socket(2, 1, 17), 'EPROTONOSUPPORT');
  s.fails(s.calls.socket(2, 3, 0), 'ESOCKTNOSUPPORT');
  t.end();
});

t.test('options → kept before the connection, asked of it after; unknown ones are ENOPROTOOPT', (t) => {
  const s = new Script(t);
  const listener = s.listen();
  s.ok(s.calls.setsockopt(listener, TCP.SOL_TCP, TCP.TCP_KEEPIDLE, intBytes(7)));
  s.ok(s.calls.setsockopt(listener, TCP.SOL_TCP, TCP.TCP_NODELAY, intBytes(1)));
  s.handshake();
  const fd = s.done(s.calls.accept(listener), 4).result;
  t.same(s.calls.getsockopt(fd, TCP.SOL_TCP, TCP.TCP_KEEPIDLE, 4).data, intBytes(7));
  t.same(s.calls.getsockopt(fd, TCP.SOL_TCP, TCP.TCP_NODELAY, 4).data, intBytes(1));
  t.same(s.calls.getsockopt(fd, TCP.SOL_TCP, TCP.TCP_MAXSEG, 4).data, intBytes(1000));
  s.fails(s.calls.setsockopt(fd, TCP.SOL_TCP, TCP.TCP_KEEPIDLE, intBytes(0)), 'EINVAL');
  s.fails(s.calls.setsockopt(fd, TCP.SOL_TCP, TCP.TCP_KEEPIDLE, new Uint8Array(2)), 'EINVAL');
  s.fails(s.calls.setsockopt(fd, TCP.SOL_TCP, 999, intBytes(0)), 'ENOPROTOOPT');
  s.fails(s.calls.getsockopt(fd, SO.SOL_SOCKET, 999, 4), 'ENOPROTOOPT');
  t.same(s.calls.getsockopt(fd, TCP.SOL_TCP, TCP.TCP_CONGESTION, 16).data?.subarray(0, 6), Buffer.from('cubic\0'));
  s.fails(s.calls.setsockopt(fd, TCP.SOL_TCP, TCP.TCP_CONGESTION, Buffer.from('nothing')), 'ENOENT');
  s.ok(s.calls.setsockopt(fd, TCP.SOL_TCP, TCP.TCP_CONGESTION, Buffer.from('reno')));
  const info = s.calls.getsockopt(fd, TCP.SOL_TCP, TCP.TCP_INFO, 1000).data as Uint8Array;
  t.equal(info.length, 280);
  t.equal(info[0], 1, 'ESTABLISHED');
  t.equal(new DataView(info.buffer).getUint32(80, true), 10, 'tcpi_snd_cwnd');
  t.equal(s.calls.getsockopt(listener, TCP.SOL_TCP, TCP.TCP_INFO, 1000).data?.[0], 10, 'LISTEN');
  t.end();
});

t.test('TCP_DEFER_ACCEPT → told back as the time of whole retransmissions; no accept before data', (t) => {
  const s = new Script(t);
  const listener = s.listen();
  s.ok(s.calls.setsockopt(listener, TCP.SOL_TCP, TCP.TCP_DEFER_ACCEPT, intBytes(5)));
  t.same(s.calls.getsockopt(listener, TCP.SOL_TCP, TCP.TCP_DEFER_ACCEPT, 4).data, intBytes(7));
  s.ok(s.calls.fcntl(listener, FILE.F_SETFL, FILE.O_NONBLOCK));
  s.handshake();
  s.fails(s.calls.accept(listener).outcome, 'EAGAIN');
  s.inject({ flags: 'P.', data: TEXT });
  s.done(s.calls.accept(listener), 4);
  s.done(s.calls.recv(4, 2000, 0), 1000);
  t.end();
});

t.test('the profile of FreeBSD → its order of options', (t) => {
  const linux = new Script(t);
  const freebsd = new Script(t, { profile: 'freebsd' });
  const layouts = [linux, freebsd].map((s) => {
    s.listen();
    s.inject({ flags: 'S', options: { mss: 1000, sackOk: true, ts: [1, 0], wscale: 7 } });
    const synAck = s.world.takeSent()?.datagram ?? new Uint8Array(0);
    return [...synAck.subarray(40)].join(' ').replaceAll(/^2 4 \d+ \d+/g, 'mss');
  });
  t.match(layouts[0], /^mss 4 2 8 10 /);
  t.match(layouts[1], /^mss 1 3 3 \d+ 4 2 8 10 /);
  t.end();
});

t.test('connect ended by ICMP → the error queue has who said so and of what, offender behind the structure', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM | SOCKET.SOCK_NONBLOCK, 0).result;
  s.fails(s.calls.connect(fd, inet('192.0.2.1', REMOTE_PORT)).outcome, 'EINPROGRESS');
  const { hot } = s.world.stack.tcp.context;
  s.sent();
  const row = [...s.world.stack.tcp.connections()][0] as never;
  const quote = new DataView(new ArrayBuffer(40));
  quote.setUint16(0, s.world.stack.tcp.localPort(row));
  quote.setUint16(2, REMOTE_PORT);
  quote.setInt32(4, hot[(s.world.stack.tcp.rowOf(row) << Tcb.SHIFT) + Tcb.SND_UNA]);
  const { net } = s.world.stack;
  const verdict = s.world.stack.tcp.error({
    view: quote,
    at: 0,
    length: 40,
    source: s.world.stack.tcp.localAddress(row),
    destination: s.world.stack.tcp.remoteAddress(row),
    error: PathError.TIME_EXCEEDED,
    code: 1,
    mtu: 0,
    reporter: net.parseAddress('198.51.100.7'),
  });
  t.equal(verdict, Verdict.OK);
  s.world.calls.settle();
  t.equal(pollOne(s, fd, POLL.POLLOUT) & POLL.POLLERR, POLL.POLLERR);
  // Twelve of the forty bytes fit, and the rest is cut off.
  const outcome = s.ok(s.calls.recv(fd, 12, MESSAGE.MSG_ERRQUEUE).outcome, 12);
  t.same(outcome.address, inet('192.0.2.1', REMOTE_PORT));
  t.equal(outcome.messageFlags, MESSAGE.MSG_ERRQUEUE | MESSAGE.MSG_TRUNC);
  t.same(Array.from(outcome.control?.[0]?.data ?? []), [
    ...[ERRNO.EHOSTUNREACH, 0, 0, 0, 2, 11, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    ...[2, 0, 0, 0, 198, 51, 100, 7, 0, 0, 0, 0, 0, 0, 0, 0],
  ]);
  t.equal(pollOne(s, fd, POLL.POLLOUT) & POLL.POLLERR, 0, 'it was the error, and it has been read');
  s.fails(s.calls.recv(fd, 100, MESSAGE.MSG_ERRQUEUE).outcome, 'EAGAIN');
  s.fails(s.calls.send(fd, TEXT, 0).outcome, 'EPIPE');
  t.end();
});
