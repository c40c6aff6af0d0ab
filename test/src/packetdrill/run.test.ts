import t from 'tap';
import type { ScriptOutcome } from '../../../src/packetdrill/outcome.js';
import { reportLines } from '../../../src/packetdrill/report.js';
import { runScript, runScriptFile } from '../../../src/packetdrill/run-script.js';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';

function run(text: string, definitions: Readonly<Record<string, string>> = {}): ScriptOutcome {
  return runScript('a.pkt', text, {
    profile: 'linux',
    definitions: new Map(Object.entries(definitions)),
    makeWorld: ({ mtu }) => new ScriptedWorld({ mtu }),
  });
}

/** A connection that accept() gave as 4, at 0.1 s. */
const ESTABLISHED = `\`./defaults.sh\`
  0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 1) = 0
 +0 < S 0:0(0) win 32792 <mss 1000,sackOK,nop,nop,nop,wscale 7>
 +0 > S. 0:0(0) ack 1 <mss 1460,nop,nop,sackOK,nop,wscale 8>
+.1 < . 1:1(0) ack 1 win 257
 +0 accept(3, ..., ...) = 4
`;

/** The same with timestamps. */
const TIMESTAMPS = ESTABLISHED.replace('nop,nop,nop,wscale 7', 'TS val 4000 ecr 0,nop,wscale 7')
  .replace('nop,nop,sackOK,nop,wscale 8', 'sackOK,TS val 100 ecr 4000,nop,wscale 8')
  .replace('win 257', 'win 257 <nop,nop,TS val 4100 ecr 100>');

const PASSES: Readonly<Record<string, string>> = {
  'sequence numbers of a SYN are what the script says, all others count from it': `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 123:123(0) win 1000 <mss 1000>
   +0 > S. 77:77(0) ack 124 <mss 1460>
  +.1 < . 1:1(0) ack 1 win 1000
   +0 accept(3, ..., ...) = 4
   +0 write(4, ..., 10) = 10
   +0 > P. 1:11(10) ack 1`,
  'a timestamp of the stack → the script may call it what it likes, and echo it by that name': `${TIMESTAMPS}
   +0 write(4, ..., 10) = 10
   +0 > P. 1:11(10) ack 1 <nop,nop,TS val 7 ecr 4100>
  +.1 < . 1:1(0) ack 11 win 257 <nop,nop,TS val 4200 ecr 7>
   +0 %{ assert 99000 <= tcpi_rtt <= 101000, tcpi_rtt }%`,
  'a scripted segment of three → three on the wire': `${ESTABLISHED}
   +0 write(4, ..., 3000) = 3000
   +0 > P. 1:3001(3000) ack 1`,
  'any options': `${TIMESTAMPS}
   +0 write(4, ..., 10) = 10
   +0 > P. 1:11(10) ack 1 <...>`,
  'any time': `${ESTABLISHED}
   +0 write(4, ..., 10) = 10
   +0 > P. 1:11(10) ack 1
    * > P. 1:11(10) ack 1`,
  'a descriptor of the script → is its own number': `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 17
   +0 fcntl(17, F_GETFL) = 0x2
   +0 close(17) = 0`,
  'what a last call gives rise to → need not be said': `${ESTABLISHED}
   +0 write(4, ..., 10) = 10`,
  'a packet that came within the tolerance → is right': `${ESTABLISHED}
   +0 write(4, ..., 10) = 10
+.003 > P. 1:11(10) ack 1`,
  'the tolerance of a packet long awaited → an eighth of the time': `${ESTABLISHED}
   +0 write(4, ..., 10) = 10
   +0 > P. 1:11(10) ack 1
+.33~+.35 > P. 1:11(10) ack 1`,
  'definitions, by the script and by the command line': `--define=COUNT=10
   ${ESTABLISHED}
   +0 write(4, ..., COUNT) = COUNT
   +0 > P. 1:11(10) ack 1
   +0 %{ assert OTHER == 5 }%`,
  'sysctl in each of its forms': `\`sysctl -q net.ipv4.tcp_sack=0 net/ipv4/tcp_window_scaling=0
   ../../common/set_sysctls.py /proc/sys/net/ipv4/tcp_timestamps=0
   echo 0 > /proc/sys/net/ipv4/tcp_slow_start_after_idle\`
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 1) = 0
   +0 < S 0:0(0) win 32792 <mss 1000,sackOK,TS val 1 ecr 0,nop,wscale 7>
   +0 > S. 0:0(0) ack 1 <mss 1460>`,
  'sleep → virtual time goes on': `0 \`sleep 1\`
    1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3`,
  'UDP both ways': `
    0 socket(..., SOCK_DGRAM, IPPROTO_UDP) = 3
   +0 bind(3, ..., ...) = 0
   +0 connect(3, ..., ...) = 0
   +0 write(3, ..., 1000) = 1000
   +0 > udp (1000)
  +.1 < udp (500)
   +0 read(3, ..., 2000) = 500`,
  'control messages, vectors and ioctl': `${ESTABLISHED}
   +0 setsockopt(4, SOL_TCP, TCP_INQ, [1], 4) = 0
   +0 < P. 1:1001(1000) ack 1 win 257
    * > . 1:1(0) ack 1001
   +0 ioctl(4, SIOCINQ, [1000]) = 0
   +0 recvmsg(4, {msg_name(...)=..., msg_iov(2)=[{..., 100}, {..., 200}], msg_flags=0,
                  msg_control=[{cmsg_level=SOL_TCP, cmsg_type=TCP_CM_INQ, cmsg_data=700}]}, 0) = 300
   +0 readv(4, [{..., 10}, {..., 20}], 2) = 30
   +0 writev(4, [{..., 10}, {..., 20}], 2) = 30
   +0 > P. 1:31(30) ack 1001`,
  'epoll: a level is told again, an edge when something arrived, once is once': `${ESTABLISHED}
   +0 epoll_create(1) = 5
   +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = 0
   +0 epoll_ctl(5, EPOLL_CTL_ADD, 4, {events=EPOLLIN, fd=4}) = -1 EEXIST (File exists)
   +0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
   +0...0.1 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 1000) = 1
  +.1 < P. 1:1001(1000) ack 1 win 257
    * > . 1:1(0) ack 1001
   +0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
   +0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLIN|EPOLLET, fd=4}) = 0
   +0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
   +0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
   +0 < P. 1001:2001(1000) ack 1 win 257
    * > . 1:1(0) ack 2001
   +0 epoll_wait(5, {events=EPOLLIN, fd=4}, 1, 0) = 1
   +0 epoll_ctl(5, EPOLL_CTL_MOD, 4, {events=EPOLLOUT|EPOLLONESHOT, u32=7}) = 0
   +0 epoll_wait(5, {events=EPOLLOUT, u32=7}, 1, 0) = 1
   +0 epoll_wait(5, {events=0, ptr=0}, 1, 0) = 0
   +0 epoll_ctl(5, EPOLL_CTL_DEL, 4, {events=0, fd=4}) = 0
   +0 epoll_ctl(5, EPOLL_CTL_DEL, 4, {events=0, fd=4}) = -1 ENOENT (No such file)
   +0 close(5) = 0`,
  'a buffer that is none': `${ESTABLISHED}
   +0 write(4, NULL, 1000) = -1 EFAULT (Bad address)
   +0 shutdown(4, SHUT_WR) = 0
   +0 > F. 1:1(0) ack 1
   +0 send(4, NULL, 1000, 0) = -1 EPIPE (Broken pipe)`,
  'a file of zeros is sent, and a pipe filled and emptied': `${ESTABLISHED}
   +0 open("/tmp/testfile", O_RDONLY) = 5
   +0 sendfile(4, 5, [0], 50) = 50
   +0 > P. 1:51(50) ack 1
   +0 pipe([6, 7]) = 0
   +0 < P. 1:1001(1000) ack 51 win 257
    * > . 51:51(0) ack 1001
   +0 splice(4, NULL, 7, NULL, 99999, 0) = 1000
   +0 splice(6, NULL, 4, NULL, 300, 0) = 300
   +0 > P. 51:351(300) ack 1001
   +0 close(7) = 0`,
  'metrics of the route, for connections to come': `\`ip route change default via 192.168.0.2 initcwnd 2\`
   ${ESTABLISHED}
   +0 write(4, ..., 5000) = 5000
   +0 %{ assert tcpi_snd_cwnd == 2 and tcpi_unacked == 2, tcpi_unacked }%`,
  'a string is an option, and its own comparison': `${ESTABLISHED}
   +0 setsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", 4) = 0
   +0 getsockopt(4, SOL_TCP, TCP_CONGESTION, "reno", [10]) = 0
   +0 setsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=1, tv_usec=500000}, 16) = 0
   +0 getsockopt(4, SOL_SOCKET, SO_RCVTIMEO, {tv_sec=1, tv_usec=500000}, [16]) = 0`,
  'ports tell connections apart': `
    0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 bind(3, ..., ...) = 0
   +0 listen(3, 5) = 0
   +0 < 1001 > 8080 S 0:0(0) win 1000 <mss 1000>
   +0 > 8080 > 1001 S. 0:0(0) ack 1 <mss 1460>
   +0 < 1002 > 8080 S 5:5(0) win 1000 <mss 1000>
   +0 > 8080 > 1002 S. 0:0(0) ack 6 <mss 1460>
   +0 < 1001 > 8080 . 1:1(0) ack 1 win 1000
   +0 < 1002 > 8080 . 1:1(0) ack 1 win 1000
   +0 accept(3, ..., ...) = 4
   +0 accept(3, ..., ...) = 5
   +0 write(5, ..., 10) = 10
   +0 > 8080 > 1002 P. 1:11(10) ack 1
   +0 write(4, ..., 20) = 20
   +0 > 8080 > 1001 P. 1:21(20) ack 1`,
  'an error of ICMP with the segment it is about': `--mtu=1500
   ${ESTABLISHED.replace('mss 1000', 'mss 1460')}
   +0 write(4, ..., 1460) = 1460
   +0 > P. 1:1461(1460) ack 1
 +.01 < icmp unreachable frag_needed mtu 1400 [1:1461(1460)]
   +0 > P. 1:1461(1460) ack 1`,
};

for (const [name, text] of Object.entries(PASSES)) {
  t.test(name, (t) => {
    const outcome = run(text, { OTHER: '5' });
    t.equal(outcome.result, 'passed', reportLines(outcome).join('\n'));
    t.end();
  });
}

/** [script behind the connection, what is said] */
const FAILS: Readonly<Record<string, readonly [string, RegExp]>> = {
  'a packet that does not come': ['+0 > P. 1:11(10) ack 1', /nothing was sent by 0.1/],
  'another length': ['+0 write(4, ..., 10) = 10\n+0 > P. 1:12(11) ack 1', /payload bytes: expected 11, seen 10/],
  'another flag': ['+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1', /flags: expected ., seen P./],
  'too early': ['+0 write(4, ..., 10) = 10\n+.1 > P. 1:11(10) ack 1', /expected at 0.2.* came at 0.1/],
  'too late': ['+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+.1 > P. 1:11(10) ack 1', /nothing was sent by 0.2/],
  'one more than expected': ['+0 write(4, ..., 10) = 10\n+0 > P. 1:11(10) ack 1\n+1 %{ pass }%', /does not expect/],
  'two where one is expected': ['+0 write(4, ..., 1500) = 1500\n+0 > . 1:1001(1000) ack 1', /does not expect/],
  'another result': ['+0 write(4, ..., 10) = 11', /the result of write\(\)/],
  'another error': ['+0 recv(4, ..., 10, MSG_DONTWAIT) = -1 EPIPE (Broken pipe)', /the result of recv\(\)/],
  'another option': ['+0 getsockopt(4, SOL_TCP, TCP_MAXSEG, [5], [4]) = 0', /value: expected 5, seen 1000/],
  'an assertion': ['+0 %{ assert tcpi_snd_cwnd == 9, tcpi_snd_cwnd }%', /an assertion does not hold/],
  'a call that never returns': ['+0 read(4, ..., 10) = 10', /waits, and nothing will ever wake it/],
  'a call that returns too late': [
    '+0...0.1 read(4, ..., 10) = 10\n+.2 < P. 1:11(10) ack 1 win 257\n* > . 1:1(0) ack 11',
    /the return of read\(\) expected at 0.2/,
  ],
  'segments, one by one': [
    '+0 write(4, ..., 2000) = 2000\n+0 > P. 1:2001(2000) ack 1',
    /flags|payload bytes: expected 2000, seen 1000/,
  ],
};

t.test('what the stack does otherwise → failed, with the line', (t) => {
  for (const [name, [text, says]] of Object.entries(FAILS)) {
    const strict = name.startsWith('segments') ? '--strict_segments\n' : '';
    const outcome = run(strict + ESTABLISHED + text);
    t.equal(outcome.result, 'failed', name);
    t.match(outcome.reason, says, name);
    t.equal(outcome.error, false, name);
    t.ok((outcome.place?.line ?? 0) >= ESTABLISHED.split('\n').length, `${name}: a line behind the handshake`);
  }
  t.end();
});

t.test('timestamps are compared with the clock where the script says how long a tick is', (t) => {
  const script = (ms: number) => `--tcp_ts_tick_usecs=1000
    ${TIMESTAMPS}
    +0 write(4, ..., 10) = 10
    +0 > P. 1:11(10) ack 1 <nop,nop,TS val ${100 + ms} ecr 4100>`;
  t.equal(run(script(100)).result, 'passed');
  t.match(run(script(300)), { result: 'failed', reason: 'timestamp: expected TS val 400, seen 200' });
  t.end();
});

t.test('a wrong script → an error with its place, no judgment of the stack', (t) => {
  const wrong: readonly (readonly [string, string, RegExp])[] = [
    ['--nonsense=1\n', '1:1', /packetdrill has no option --nonsense/],
    ['--mtu=x\n', '1:1', /--mtu is "x"/],
    ['0 nonsense(3) = 0', '1:1', /there is no system call nonsense/],
    ['0 close(NONSENSE) = 0', '1:9', /"NONSENSE" is not a name known here/],
    ['0 close(3) = -1 ENONSENSE', '1:1', /there is no error ENONSENSE/],
    ['0 close() = 0', '1:1', /close\(\) takes 1 arguments, not 0/],
    ['0 > . 1:1(0) ack 1', '1:1', /no socket of the script/],
    ['1 close(3) = -1 EBADF\n0 close(3) = 0', '2:1', /time goes backward/],
    ['0 write(3, ..., 999999999999) = 1', '1:17', /no number of bytes/],
    [
      '0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n0 bind(3, ..., ...) = 0\n0 listen(3, 1) = 0\n0 < S 0:65535(65535) win 1',
      '4:1',
      /65575 bytes/,
    ],
    ['0 %{ assert tcpi_snd_cwnd }%', '1:1', /no socket/],
    ['0 close(X) = 0', '1:1', /leads back to itself/],
  ];
  for (const [text, at, says] of wrong) {
    const outcome = run(text, { X: 'X' });
    t.match(outcome, { result: 'failed', error: true, reason: says }, text);
    t.equal(`${outcome.place?.line}:${outcome.place?.column}`, at, text);
  }
  t.end();
});

t.test('what is not offered → skipped, with the reason', (t) => {
  for (const [text, says] of [
    ['--ip_version=ipv6\n', /IPv6/],
    ['0 vmsplice(3, NULL, 4, 0) = 10', /vmsplice/],
    ['0 setsockopt(3, SOL_SOCKET, SO_TIMESTAMPING, [1], 4) = 0', /SO_TIMESTAMPING/],
    ['`iptables -A OUTPUT -j DROP`', /iptables/],
    ['0 < sctp: x', /sctp/],
    ['0 socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3', /IPv6/],
    ['`tc qdisc add dev tun0 root pfifo limit 0`', /limit 0/],
    ['`ip route change default mtu lock 1000`', /the metric mtu/],
    ['0 close(3) = -1 EBADF\n+0 `ip route change default mtu 1000`', /the metric mtu/],
    ['`ip route change default advmss 1000`', /the metric advmss/],
  ] as const) {
    t.match(run(text), { result: 'skipped', reason: says }, text);
  }
  t.end();
});

t.test('commands that are not understood → ignored, and noted', (t) => {
  const outcome = run('`tc class add dev tun0\nsysctl -q net.ipv4.nonsense=1\nfrobnicate`\n0 close(3) = -1 EBADF');
  t.equal(outcome.result, 'passed');
  t.match(outcome.notes, [/tc class.*ignored/, /net.ipv4.nonsense=1 ignored/, /"frobnicate" ignored/]);
  t.end();
});

t.test('a script without end → an error, and soon', (t) => {
  const outcome = run('0 close(3) = -1 EBADF\n2600000 close(3) = -1 EBADF');
  t.match(outcome, { result: 'failed', reason: /more than a week/ });
  t.end();
});

t.test('what is no regular file → an error, and no waiting for it', (t) => {
  for (const [file, says] of [
    ['/dev/zero', /no regular file/],
    ['/nowhere.pkt', /ENOENT/],
  ] as const) {
    const outcome = runScriptFile(file, {
      profile: 'linux',
      definitions: new Map(),
      makeWorld: () => new ScriptedWorld(),
    });
    t.match(outcome, { result: 'failed', error: true, reason: says });
  }
  t.end();
});

t.test('the same script twice → the same packets', (t) => {
  const text = `${ESTABLISHED}+0 write(4, ..., 3000) = 3000\n+0 > R 1:1(0)`;
  t.same(run(text), run(text));
  t.end();
});
