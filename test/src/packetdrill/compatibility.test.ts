import t from 'tap';
import type { ScriptOutcome } from '../../../src/packetdrill/outcome.js';
import { type RunOptions, runScript } from '../../../src/packetdrill/run-script.js';
import { ScriptedWorld } from '../../../src/posix/scripted-world.js';

function run(text: string, options: Partial<RunOptions> = {}): ScriptOutcome {
  return runScript('a.pkt', text, {
    profile: 'linux',
    definitions: new Map(),
    makeWorld: ({ mtu }) => new ScriptedWorld({ mtu }),
    ...options,
  });
}

/** As a script that packetdrill runs is judged there. */
function theirs(text: string): ScriptOutcome {
  return run(text, { asPacketdrill: true });
}

const LISTENING = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
 +0 bind(3, ..., ...) = 0
 +0 listen(3, 2) = 0
`;

const ESTABLISHED = `${LISTENING}
 +0 < S 0:0(0) win 32792 <mss 1000>
 +0 > S. 0:0(0) ack 1 <mss 1460>
+.1 < . 1:1(0) ack 1 win 257
 +0 accept(3, ..., ...) = 4
`;

t.test('a packet behind the last of a script → fails it, and is ignored as packetdrill does', (t) => {
  const text = `${ESTABLISHED}
   +0 write(4, ..., 100) = 100
   +0 > P. 1:101(100) ack 1
   +0 write(4, ..., 100) = 100
   +1 read(4, ..., 100) = -1 EAGAIN`.replace('read(4, ..., 100)', 'recv(4, ..., 100, MSG_DONTWAIT)');
  t.match(run(text), { result: 'failed', reason: /does not expect; packetdrill ignores it \(--as-packetdrill\)/ });
  t.match(theirs(text), { result: 'passed' });
  t.end();
});

t.test('a packet of another socket → fails a script, and is ignored as packetdrill does', (t) => {
  // The first connection retransmits its data beside the handshake of the second.
  const text = `${ESTABLISHED}
   +0 write(4, ..., 100) = 100
   +0 > P. 1:101(100) ack 1
  +.1 < 2000 > 8080 S 0:0(0) win 1000 <mss 1000>
   +0 > S. 0:0(0) ack 1 <mss 1460>
   +1 > S. 0:0(0) ack 1 <mss 1460>`;
  t.match(run(text), { result: 'failed', reason: /not of the connection that is meant; packetdrill ignores it/ });
  const outcome = theirs(text);
  t.match(outcome, { result: 'passed' });
  t.match(outcome.notes.at(-1), /not looked at: .* > P\. 1:101\(100\)/);
  t.match(theirs(text.replace('+1 > S.', '+1 > R.')), { result: 'failed' }, 'those of its own are compared');
  t.match(theirs(`${text}\n+0 > . 1:1(0) ack 1`), { result: 'failed', reason: /nothing was sent/ }, 'and must come');
  t.end();
});

t.test(
  'PSH at the end of a scripted burst → compared as packetdrill does, on a stack for a device that segments',
  (t) => {
    const burst = (flags: string) => `${ESTABLISHED.replace('win 257', 'win 20000')}
   +0 write(4, ..., 11000) = 11000
   +0 > ${flags} 1:10001(10000) ack 1`;
    const worlds = (pushBursts: boolean): Partial<RunOptions> => ({
      asPacketdrill: true,
      makeWorld: () => new ScriptedWorld({ pushBursts }),
    });
    t.match(run(burst('.')), { result: 'passed' });
    t.match(run(burst('P.')), { result: 'passed' }, 'where the cuts are is not what a script says');
    t.match(run(burst('P.'), worlds(true)), { result: 'passed', reason: '' });
    t.match(run(burst('.'), worlds(true)), { result: 'failed', reason: 'flags: expected ., seen P.' });
    t.match(run(burst('P.'), worlds(false)), { result: 'failed', reason: 'flags: expected P., seen .' });
    t.end();
  },
);

t.test('a packet that no connection can be meant by → reaches the stack', (t) => {
  for (const [name, text] of [
    ['before there is a socket', '0 < S 0:0(0) win 100\n+0 > R. 0:0(0) ack 1'],
    ['an ACK before there is a socket', '0 < . 5:5(0) ack 9 win 100\n+0 > R 9:9(0)'],
    ['without "ack" its number is 0', '0 < . 5:5(0) win 100\n+0 > R 0:0(0)'],
    ['a RST has no answer', '0 < R. 1:1(0) win 0\n+1 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3'],
    ['behind the listener', `${LISTENING}+0 close(3) = 0\n+0 < S 7:7(0) win 9\n+0 > R. 0:0(0) ack 1`],
    ['UDP', '0 < udp (10)\n+0 > icmp unreachable port_unreachable'],
  ] as const) {
    t.match(run(text), { result: 'passed', reason: '' }, name);
  }
  t.end();
});

t.test('sendmsg with MSG_FASTOPEN → connects to the address it names', (t) => {
  const text = `0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
   +0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0
   +0 sendmsg(3, {msg_name(...)={sa_family = AF_INET, sin_port = htons(7777), sin_addr = inet_addr("192.0.2.9")},
                  msg_iov(1)=[{..., 10}], msg_flags=0}, MSG_FASTOPEN) = -1 EINPROGRESS
   +0 > S 0:0(0) <...>
   +0 getpeername(3, ..., ...) = -1 ENOTCONN
   +0 < S. 0:0(0) ack 1 win 1000 <mss 1000>
   +0 > . 1:1(0) ack 1
   +0 getpeername(3, {sa_family = AF_INET, sin_port = htons(7777), sin_addr = inet_addr("192.0.2.9")}, [16]) = 0`;
  t.match(run(text), { result: 'passed', reason: '' });
  t.match(run(text.replace(/\{sa_family.*\},\n/, '...,\n').replace(/\+0 getpeername[^\n]*$/, '')), {
    result: 'passed',
  });
  t.end();
});

t.test('SK_MEMINFO_* → the numbers of SO_MEMINFO in code, their places in calls', (t) => {
  const code = `${ESTABLISHED}
   +0 setsockopt(4, SOL_SOCKET, SO_RCVBUF, [8192], 4) = 0
   +0 < P. 1:101(100) ack 1 win 257
   +0 %{
assert SK_MEMINFO_RCVBUF == 16384, SK_MEMINFO_RCVBUF
assert SK_MEMINFO_RMEM_ALLOC >= 100, SK_MEMINFO_RMEM_ALLOC
assert SK_MEMINFO_DROPS == 0 }%
    * > . 1:1(0) ack 101`;
  t.match(run(code), { result: 'passed', reason: '' });
  t.match(run(code.replace('== 16384', '== 1')), { result: 'failed', expected: /SK_MEMINFO_RCVBUF/ });
  t.match(run('0 close(SK_MEMINFO_DROPS) = -1 EBADF'), { result: 'passed' });
  t.match(run('0 %{ assert SK_MEMINFO_RCVBUF > 0 }%'), { result: 'failed', error: true, reason: /whose SO_MEMINFO/ });
  t.end();
});

t.test('states and bits of TCP_INFO → known in calls, too', (t) => {
  const text = `${ESTABLISHED}
   +0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_state=TCP_ESTABLISHED, tcpi_options=0}, [512]) = 0
   +0 getsockopt(4, SOL_TCP, TCP_INFO, {tcpi_ca_state=TCP_CA_Open}, [512]) = 0`;
  t.match(run(text), { result: 'passed', reason: '' });
  t.match(run(text.replace('options=0', 'options=TCPI_OPT_SACK')), { result: 'failed', reason: /tcpi_options/ });
  t.end();
});

t.test('what other packetdrills know → skipped, with the reason and the line', (t) => {
  for (const [text, says] of [
    ['0 setsockopt(3, SOL_TCP, TCP_NOOPT, [1], 4) = 0', /TCP_NOOPT/],
    ['0 setsockopt(3, IPPROTO_TCP, TCP_KEEPINIT, [1], 4) = 0', /TCP_KEEPINIT/],
    ['0 setsockopt(3, SOL_IPV6, IPV6_RECVPKTINFO, [1], 4) = 0', /IPV6_RECVPKTINFO/],
    ['0 cap_set(CAP_NET_ADMIN, [0]) = 0', /cap_set/],
    [`${LISTENING}0 %{ assert tcpi_snd_bwnd == 0 }%`, /tcpi_snd_bwnd/],
    [`${LISTENING}0 %{ assert bbr_bw_lo == 0 }%`, /bbr_bw_lo/],
    ['`ip link set dev tun0 down`', /a device that goes down/],
    ['`ip route add blackhole 192.0.2.1`', /blackhole/],
    ['0 close(3) = -1 EBADF\n+0 `ip link set dev tun0 mtu 900`', /whose MTU changes/],
    ['0 close(3) = -1 EBADF\n+0 `ifconfig tun0 mtu 900`', /whose MTU changes/],
    ['--udp_encaps=vxlan', /UDP encapsulation/],
  ] as const) {
    const outcome = run(text);
    t.match(outcome, { result: 'skipped', reason: says, error: false }, text);
    t.equal(outcome.place?.line, text.split('\n').length, text);
  }
  t.match(run('`ip link set dev tun0 mtu 1400`\n0 close(3) = -1 EBADF'), { result: 'passed' });
  t.match(
    run('`ip link set dev tun0 mtu 7`\n0 close(3) = -1 EBADF'),
    { result: 'skipped' },
    'less than any device has',
  );
  t.end();
});

t.test('commands that set a metric or an MTU → as if the stack had it from the beginning', (t) => {
  const mss = (command: string, mss: number) =>
    `\`${command}\`\n${LISTENING}+0 < S 0:0(0) win 9\n+0 > S. 0:0(0) ack 1 <mss ${mss}>`;
  t.match(run(mss('ip link set dev tun0 mtu 1400', 1360)), { result: 'passed', reason: '' });
  t.match(run(mss('ifconfig tun0 mtu 1400', 1360)), { result: 'passed', reason: '' });
  t.match(run(mss('ip route change default via 192.168.0.2 dev tun0 mtu 1400', 1360)), {
    result: 'passed',
    reason: '',
  });
  t.match(run(mss('ip link set dev tun0 mtu 1400\nip link set dev tun0 mtu 1300', 1260)), { result: 'skipped' });
  t.match(run(mss('ip route get 192.0.2.1', 1460)), { result: 'passed', notes: [/ignored/] });
  const settings: string[] = [];
  const outcome = run('`ip route replace default reordering 7 initcwnd 20`\n0 close(3) = -1 EBADF', {
    makeWorld: () => {
      const world = new ScriptedWorld();
      const { setSysctl } = world;
      world.setSysctl = (name, value) => {
        settings.push(`${name}=${value}`);
        setSysctl.call(world, name, value);
      };
      return world;
    },
  });
  t.match(outcome, { result: 'passed', notes: [] });
  t.same(settings, ['net.ipv4.tcp_reordering=7', 'route.initcwnd=20']);
  t.end();
});

t.test('IPv6 notation → read whole, then skipped', (t) => {
  const text = `--ip_version=ipv6
   --local_ip=fd3d:0a0b:17d6::1
   0 socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, {sa_family = AF_INET6, sin6_port = htons(8080), inet_pton(AF_INET6, "fd3d::1", &sin6_addr)}, 28) = 0
  +0 < [flowlabel 0x12345, hlim 3] S 0:0(0) win 1 <mss 1220>
  +0 < icmp packet_too_big mtu 1280 [1:1(0)]`;
  t.match(run(text), { result: 'skipped', reason: /IPv6/ });
  t.match(run(`${text}\n+0 < S 0`), { result: 'failed', error: true, place: { line: 7 } }, 'what is wrong is said');
  const mapped = `--ip_version=ipv4-mapped-ipv6
   0 socket(AF_INET6, SOCK_STREAM, IPPROTO_TCP) = 3
  +0 bind(3, {sa_family = AF_INET, sin_port = htons(8081), inet_pton(AF_INET, "192.168.0.1", &sin_addr)}, 16) = 0
  +0 getsockname(3, {sa_family = AF_INET, sin_port = htons(8081), sin_addr = inet_addr("192.168.0.1")}, [16]) = 0`;
  t.match(run(mapped), { result: 'passed', reason: '' });
  t.match(run(mapped.replace('168.0.1"', '168.0.2"')), { result: 'failed', reason: /bind/ });
  t.end();
});

t.test('IPv6 sockets for IPv4 → errors by the names of IPv6', (t) => {
  const text = `--ip_version=ipv4-mapped-ipv6
  --define=CMSG_LEVEL_IP=SOL_IPV6
  --define=CMSG_TYPE_RECVERR=IPV6_RECVERR
  ${ESTABLISHED}
  +0 setsockopt(4, SOL_SOCKET, SO_ZEROCOPY, [1], 4) = 0
  +0 send(4, ..., 100, MSG_ZEROCOPY) = 100
  +0 > P. 1:101(100) ack 1
  +0 < . 1:1(0) ack 101 win 257
  +0 recvmsg(4, {msg_name(...)=..., msg_iov(1)=[{..., 0}], msg_flags=MSG_ERRQUEUE,
       msg_control=[{cmsg_level=CMSG_LEVEL_IP, cmsg_type=CMSG_TYPE_RECVERR,
                     cmsg_data={ee_errno=0, ee_origin=SO_EE_ORIGIN_ZEROCOPY, ee_type=0, ee_info=0, ee_data=0}}]},
       MSG_ERRQUEUE) = 0`;
  t.match(run(text), { result: 'passed', reason: '' });
  t.match(run(text.replace('ipv4-mapped-ipv6', 'ipv4')), { result: 'failed', reason: /control message/ });
  t.match(run(text.replace(/ *--define.*\n/g, '')), { result: 'passed', reason: '' }, 'unless told otherwise, of IPv4');
  t.end();
});

t.test("packetdrill's options of the command line → come before the script's", (t) => {
  const options = (...pairs: readonly (readonly [string, string])[]) => ({ options: new Map(pairs) });
  const mss = (mtu: string) => `--mtu=1400\n${LISTENING}+0 < S 0:0(0) win 9\n+0 > S. 0:0(0) ack 1 <mss ${mtu}>`;
  t.match(run(mss('1360')), { result: 'passed' });
  t.match(run(mss('960'), options(['mtu', '1000'], ['mss', '1000'], ['debug', ''])), { result: 'passed', reason: '' });
  t.match(run(mss('1360'), options(['ip_version', 'ipv6'])), { result: 'skipped', reason: /IPv6/ });
  t.match(run(mss('1360'), options(['mtu', 'x'])), { result: 'failed', error: true, reason: /--mtu is "x"/ });
  t.match(run('0 < icmp packet_too_big mtu 1280', options(['ip_version', 'ipv6'])), { result: 'skipped' });
  t.end();
});

t.test('--non_fatal → what differs is noted, and the script goes on', (t) => {
  const packets = `--non_fatal=packet\n${ESTABLISHED}+0 write(4, ..., 10) = 10\n+0 > . 1:11(10) ack 1\n+0 close(9) = -1 EBADF`;
  const outcome = run(packets);
  t.match(outcome, { result: 'passed' });
  t.match(outcome.notes, [/line 11: flags: expected \., seen P\./]);
  t.match(run(packets.replace('non_fatal=packet', 'non_fatal=syscall')), { result: 'failed' });
  t.match(run(packets.replace('close(9) = -1', 'close(4) = -1')), { result: 'failed' }, 'a call is no packet');
  t.match(run('--non_fatal=syscall,packet\n0 close(9) = 0'), { result: 'passed', notes: [/line 2: the result/] });
  t.match(run('--non_fatal=everything\n'), { result: 'failed', error: true, reason: /packet and syscall/ });
  t.match(
    run('--non_fatal=packet\n0 close(NOTHING) = 0'),
    { result: 'failed', error: true },
    'a wrong script is wrong',
  );
  t.end();
});
