import t from 'tap';
import { FILE, IP, MESSAGE, POLL, SO, SOCKET } from '../../../src/posix/constants.js';
import { intBytes } from '../../../src/posix/option-value.js';
import type { PollFd } from '../../../src/posix/socket-calls.js';
import { emitIpv4, Ipv4, ipv4PseudoSum } from '../../../stack/wire/ipv4.js';
import { emitUdp, finishUdpChecksum } from '../../../stack/wire/udp.js';
import { inet, Script, told } from './script.js';

const PEER = inet('192.0.2.1', 5353);

function datagram(text: string, sourcePort = 5353, destinationPort = 53): Uint8Array {
  const data = Buffer.from(text);
  const total = Ipv4.HEADER_BYTES + 8 + data.length;
  const bytes = new Uint8Array(total);
  const view = new DataView(bytes.buffer);
  const source = (192 << 24) | (2 << 8) | 1;
  const destination = (192 << 24) | (168 << 16) | 1;
  emitUdp(view, 20, sourcePort, destinationPort, 8 + data.length);
  bytes.set(data, 28);
  finishUdpChecksum(view, 20, 8 + data.length, ipv4PseudoSum(source, destination, 17, 8 + data.length));
  emitIpv4(view, 0, Ipv4.HEADER_BYTES, 0, total, 1, 0, 64, 17, source, destination);
  return bytes;
}

t.test('a bound socket → datagrams with their senders; too long ones are cut and say so', (t) => {
  const s = new Script(t);
  const fd = s.ok(s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM, 0), 3).result;
  s.ok(s.calls.bind(fd, inet('0.0.0.0', 53)));
  s.fails(s.calls.bind(fd, inet('0.0.0.0', 54)), 'EINVAL');
  s.fails(s.calls.recv(fd, 10, MESSAGE.MSG_DONTWAIT).outcome, 'EAGAIN');
  const recv = s.calls.recv(fd, 100, 0);
  t.equal(told(recv.outcome), 'waits');
  s.world.deliver(datagram('hello'));
  const first = s.done(recv, 5);
  t.equal(Buffer.from(first.data ?? []).toString(), 'hello');
  t.same(first.address, PEER);
  s.world.deliver(datagram('longer than that'));
  t.same(s.calls.ioctl(fd, FILE.SIOCINQ).data, intBytes(16));
  s.done(s.calls.recv(fd, 100, MESSAGE.MSG_PEEK), 16);
  const cut = s.done(s.calls.recv(fd, 6, 0), 6);
  t.equal(cut.messageFlags, MESSAGE.MSG_TRUNC);
  s.world.deliver(datagram('longer than that'));
  s.done(s.calls.recv(fd, 6, MESSAGE.MSG_TRUNC), 16);
  t.end();
});

t.test('sendto, connect and send → on the wire; without anybody to send to EDESTADDRREQ', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM, SOCKET.IPPROTO_UDP).result;
  s.fails(s.calls.send(fd, Buffer.from('x'), 0).outcome, 'EDESTADDRREQ');
  s.done(s.calls.send(fd, Buffer.from('one'), 0, PEER), 3);
  t.equal(s.world.takeSent()?.datagram.length, 31);
  s.fails(s.calls.getpeername(fd), 'ENOTCONN');
  s.done(s.calls.connect(fd, PEER));
  t.same(s.calls.getpeername(fd).address, PEER);
  s.done(s.calls.send(fd, Buffer.from('two'), 0), 3);
  s.fails(s.calls.send(fd, new Uint8Array(70_000), 0).outcome, 'EMSGSIZE');
  s.fails(s.calls.listen(fd, 1), 'EOPNOTSUPP');
  s.fails(s.calls.accept(fd).outcome, 'EOPNOTSUPP');
  s.ok(s.calls.setsockopt(fd, IP.SOL_IP, IP.IP_TTL, intBytes(9)));
  s.world.takeSent();
  s.done(s.calls.send(fd, Buffer.from('three'), 0), 5);
  t.equal(s.world.takeSent()?.datagram[8], 9, 'the TTL');
  s.done(s.calls.close(fd));
  t.end();
});

t.test('poll → waits for any of its descriptors, for as long as it says', (t) => {
  const s = new Script(t);
  const udp = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM, 0).result;
  s.ok(s.calls.bind(udp, inet('0.0.0.0', 53)));
  const tcp = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, 0).result;
  s.ok(s.calls.listen(tcp, 1));
  const fds = (): PollFd[] => [
    { fd: udp, events: POLL.POLLIN, revents: 0 },
    { fd: tcp, events: POLL.POLLIN, revents: 0 },
    { fd: -1, events: POLL.POLLIN, revents: 0 },
  ];
  const begun = s.world.nowUs;
  const idle = s.calls.poll(fds(), 250);
  s.world.advance(begun + 1_000_000);
  s.done(idle, 0);
  t.equal(idle.completedUs - begun, 250_000);
  const asked = fds();
  const ready = s.calls.poll(asked, -1);
  t.equal(told(ready.outcome), 'waits');
  s.world.deliver(datagram('x'));
  s.done(ready, 1);
  t.same(
    asked.map((entry) => entry.revents),
    [POLL.POLLIN, 0, 0],
  );
  const bad: PollFd[] = [{ fd: 77, events: 0, revents: 0 }];
  s.done(s.calls.poll(bad, 0), 1);
  t.equal(bad[0]?.revents, POLL.POLLNVAL);
  t.end();
});

t.test('level SOL_SOCKET → what Linux tells', (t) => {
  const s = new Script(t);
  const fd = s.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_DGRAM, 0).result;
  const get = (option: number) => s.calls.getsockopt(fd, SO.SOL_SOCKET, option, 4).data;
  t.same(get(SO.SO_TYPE), intBytes(SOCKET.SOCK_DGRAM));
  t.same(get(SO.SO_PROTOCOL), intBytes(SOCKET.IPPROTO_UDP));
  t.same(get(SO.SO_DOMAIN), intBytes(SOCKET.AF_INET));
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_RCVBUF, intBytes(1)));
  t.same(get(SO.SO_RCVBUF), intBytes(2304), 'SOCK_MIN_RCVBUF');
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_RCVBUF, intBytes(1 << 30)));
  t.same(get(SO.SO_RCVBUF), intBytes(8_388_608), 'twice rmem_max');
  s.fails(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_ERROR, intBytes(0)), 'ENOPROTOOPT');
  s.fails(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_BROADCAST, new Uint8Array(3)), 'EINVAL');
  s.fails(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_BINDTODEVICE, Buffer.from('eth7')), 'ENODEV');
  const timeval = new Uint8Array(16);
  new DataView(timeval.buffer).setBigInt64(8, 1_000_000n, true);
  s.fails(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_RCVTIMEO, timeval), 'EDOM');
  new DataView(timeval.buffer).setBigInt64(8, 500_000n, true);
  s.ok(s.calls.setsockopt(fd, SO.SOL_SOCKET, SO.SO_RCVTIMEO, timeval));
  t.same(s.calls.getsockopt(fd, SO.SOL_SOCKET, SO.SO_RCVTIMEO, 16).data, timeval);
  const begun = s.world.nowUs;
  const recv = s.calls.recv(fd, 1, 0);
  s.world.advance(begun + 2_000_000);
  s.fails(recv.outcome, 'EAGAIN');
  t.equal(recv.completedUs - begun, 500_000);
  t.end();
});
