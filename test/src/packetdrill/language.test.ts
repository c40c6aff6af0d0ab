import t from 'tap';
import type { CallEvent, PacketEvent, TcpPacket } from '../../../src/packetdrill/language/ast.js';
import { parseScript } from '../../../src/packetdrill/language/parse-script.js';
import { placeText, ScriptError, Unsupported } from '../../../src/packetdrill/language/script-error.js';
import { TcpFlag } from '../../../stack/wire/tcp.js';

function events(text: string) {
  return parseScript('a.pkt', text).events;
}

function packet(text: string): TcpPacket {
  return (events(text)[0] as PacketEvent).packet as TcpPacket;
}

t.test('times, in each of their forms', (t) => {
  const forms: readonly (readonly [string, string, number, number])[] = [
    ['0', 'absolute', 0, 0],
    ['0.100', 'absolute', 100_000, 100_000],
    ['+.1', 'relative', 100_000, 100_000],
    ['+0', 'relative', 0, 0],
    ['1~2', 'absolute-range', 1_000_000, 2_000_000],
    ['+.3~+.310', 'relative-range', 300_000, 310_000],
    ['*', 'any', 0, 0],
  ];
  for (const [text, kind, us, endUs] of forms) {
    const [event] = events(`${text} > . 1:1(0) ack 1`);
    t.same(event.time, { kind, us, endUs }, text);
  }
  t.end();
});

t.test('a blocking call, in each of its forms → when it begins and when it returns', (t) => {
  for (const text of ['0...0.2', '+0...0.2', '+0...+.2', '0 ... 0.2']) {
    const [event] = events(`${text} connect(3, ..., ...) = 0`);
    t.equal((event as CallEvent).returnsUs, 200_000, text);
    t.equal(event.time.us, 0);
  }
  t.end();
});

t.test('flags → bits, a digit is the ACE field', (t) => {
  const flags: readonly (readonly [string, number])[] = [
    ['S', TcpFlag.SYN],
    ['S.', TcpFlag.SYN | TcpFlag.ACK],
    ['FP.', TcpFlag.FIN | TcpFlag.PSH | TcpFlag.ACK],
    ['R', TcpFlag.RST],
    ['U.', TcpFlag.URG | TcpFlag.ACK],
    ['SEWA', TcpFlag.SYN | TcpFlag.ECE | TcpFlag.CWR | TcpFlag.AE],
    ['.', TcpFlag.ACK],
    ['-', 0],
    ['.5', TcpFlag.ACK | TcpFlag.AE | TcpFlag.ECE],
    ['P.3', TcpFlag.PSH | TcpFlag.ACK | TcpFlag.CWR | TcpFlag.ECE],
  ];
  for (const [text, bits] of flags) t.equal(packet(`0 > ${text} 0:0(0) ack 1`).flags, bits, text);
  t.end();
});

t.test('a segment with everything → its parts', (t) => {
  const seen = packet('+0 < [ect0, ttl 3] 53 > 54 UP. 1:1001(1000) ack 7 win 257 urg 5 <nop,nop,TS val 1 ecr 2>');
  t.match(seen, {
    marks: { ecn: 'ect0', ttl: 3 },
    ports: { source: 53, destination: 54 },
    range: { start: 1, end: 1001, length: 1000 },
    ack: 7,
    window: 257,
    urgent: 5,
    options: [{ kind: 'nop' }, { kind: 'nop' }, { kind: 'TS', val: 1, ecr: 2 }],
  });
  t.equal(packet('+0 > . 1:1(0) ack 1').window, undefined, 'no window: not compared');
  t.same(packet('+0 > . 1:1(0) ack 1').options, [], 'no options: none');
  t.equal(packet('+0 > . 1:1(0) ack 1 <...>').options, undefined, 'any');
  t.same(packet('+0 > (ttl 64) . 1:1(0) ack 1').marks, { ttl: 64 });
  t.same(packet('+0 > [tos 0x10] . 1:1(0) ack 1').marks, { tos: 16 });
  t.same(packet('0 > . 4294967290:4(10) ack 1').range, { start: 4294967290, end: 4, length: 10 }, 'across the wrap');
  t.end();
});

t.test('options, in each of their forms', (t) => {
  const options = (text: string) => packet(`0 > S 0:0(0) <${text}>`).options;
  t.same(options('mss 1460,nop,wscale 7,sackOK,eol,eol'), [
    { kind: 'mss', value: 1460 },
    { kind: 'nop' },
    { kind: 'wscale', value: 7 },
    { kind: 'sackOK' },
    { kind: 'eol' },
    { kind: 'eol' },
  ]);
  t.same(options('nop,nop,sack 1:2 3:4')?.[2], {
    kind: 'sack',
    blocks: [
      { left: 1, right: 2 },
      { left: 3, right: 4 },
    ],
  });
  t.same(options('FO abcd1234,nop,nop')?.[0], { kind: 'FO', experimental: false, cookie: 'abcd1234' });
  t.same(options('FO,nop,nop')?.[0], { kind: 'FO', experimental: false, cookie: '' });
  t.same(options('FOEXP')?.[0], { kind: 'FO', experimental: true, cookie: '' });
  t.same(options('md5 000102030405060708090a0b0c0d0e0f,nop,nop')?.[0], {
    kind: 'md5',
    digest: '000102030405060708090a0b0c0d0e0f',
  });
  t.same(options('ECN e1b 1 ceb 0 e0b 1,nop')?.[0], { kind: 'ECN', first: 'e1b', counters: [1, 0, 1] });
  t.same(options('ECN e0b 5,nop,nop,nop')?.[0], { kind: 'ECN', first: 'e0b', counters: [5] });
  t.end();
});

t.test('names that are defined → numbers, cookies and codes of packets', (t) => {
  const script = parseScript(
    'a.pkt',
    `--define=PEER_MSS=1000
     --define=SEGMENT=(PEER_MSS-12)
     --define=COOKIE=3021b9d889017eeb
     --define=OTHER=COOKIE
     --define=QUOTED="0xAbCd1234"
     --define=KIND=unreachable
     --define=CODE=frag_needed
     #define END 989
     0 < S 0:0(0) win WIN <mss PEER_MSS,nop,nop,TS val END ecr 0,FO COOKIE>
     0 > . 1:END(SEGMENT) ack END <nop,nop,sack SEGMENT:PEER_MSS 1:END>
     0 < S 0:0(0) win 0 <FO OTHER>
     0 < S 0:0(0) win 0 <FO QUOTED,nop,nop>
     0 < icmp KIND CODE mtu END [1:END(SEGMENT)]
     0 < [tos CE_TOS] udp (END)`,
    new Map([
      ['WIN', '0x100'],
      ['CE_TOS', '3'],
      ['COOKIE', 'aabbccddeeff'],
    ]),
  );
  const packets = script.events.map((event) => (event as PacketEvent).packet);
  t.match(packets[0], { window: 256, options: [{ value: 1000 }, {}, {}, { val: 989 }, { cookie: 'aabbccddeeff' }] });
  t.match(packets[1], { range: { end: 989, length: 988 }, ack: 989 });
  const { options } = packets[1] as TcpPacket;
  t.same(options?.[2], {
    kind: 'sack',
    blocks: [
      { left: 988, right: 1000 },
      { left: 1, right: 989 },
    ],
  });
  t.match(packets[2], { options: [{ cookie: 'aabbccddeeff' }] }, 'the command line comes before the script');
  t.match(packets[3], { options: [{ cookie: 'abcd1234' }] });
  t.match(packets[4], { type: 3, code: 4, mtu: 989, quoted: { range: { length: 988 } } });
  t.match(packets[5], { marks: { tos: 3 }, length: 989 });
  t.end();
});

t.test('a cookie of letters that nobody has defined → itself', (t) => {
  t.match(packet('0 < S 0:0(0) <FO abcdef,eol,eol,eol>').options, [{ cookie: 'abcdef' }]);
  t.end();
});

t.test('"." without "ack" → acknowledges 0; neither flag nor number → none', (t) => {
  t.equal(packet('0 < R. 1:1(0) win 0').ack, 0);
  t.equal(packet('0 < R 1:1(0) win 0').ack, undefined);
  t.end();
});

t.test('with IPv6, icmp has the names of ICMPv6', (t) => {
  const text = '0 < icmp packet_too_big mtu 1280 [1:1461(1460)]';
  t.match(parseScript('a.pkt', `--ip_version=ipv6\n${text}`).events, [{ packet: { version: 6, type: 2, mtu: 1280 } }]);
  t.match(parseScript('a.pkt', text, new Map(), 6).events, [{ packet: { version: 6 } }]);
  t.throws(() => parseScript('a.pkt', text), /no ICMP type/);
  t.throws(() => parseScript('a.pkt', `--ip_version=ipv4\n${text}`, new Map(), 6), /no ICMP type/);
  t.end();
});

t.test('ICMP and UDP', (t) => {
  const at = (text: string) => (events(text)[0] as PacketEvent).packet;
  t.match(at('0 < icmp unreachable frag_needed mtu 1400 [1:1461(1460)]'), {
    protocol: 'icmp',
    type: 3,
    code: 4,
    mtu: 1400,
    quoted: { range: { start: 1, length: 1460 } },
  });
  t.match(at('0 < icmp unreachable port_unreachable [udp (10)]'), { quoted: { protocol: 'udp', length: 10 } });
  t.match(at('0 > udp (1000)'), { protocol: 'udp', length: 1000 });
  t.match(at('0 < icmpv6 packet_too_big mtu 1280 [1:1(0)]'), { version: 6, type: 2 });
  t.end();
});

t.test('calls → arguments, result and error; the next time is not part of a result', (t) => {
  const [first, second] = events(
    '0 fcntl(3, F_SETFL, O_RDWR|O_NONBLOCK) = 0x802 (flags O_RDWR|O_NONBLOCK)\n' +
      '+0 read(3, ..., 10) = -1 EAGAIN (Resource temporarily unavailable)\n* > . 1:1(0) ack 1',
  ) as CallEvent[];
  t.equal(first.args.length, 3);
  t.match(first.args[2], { kind: 'binary', operator: '|' });
  t.match(first.result, { kind: 'integer', value: 0x802 });
  t.equal(second.errno, 'EAGAIN');
  const [message] = events('0 recvmsg(3, {msg_name(...)=..., msg_iov(1)=[{...,10}], msg_control=[]}, 0) = 10');
  t.match((message as CallEvent).args[1], { kind: 'struct', fields: [{ name: 'msg_name' }, { name: 'msg_iov' }, {}] });
  t.end();
});

t.test('options before the first event, comments in three forms, commands and code', (t) => {
  const { options, events } = parseScript(
    'a.pkt',
    `// one
     --tolerance_usecs=10000
     --define=NAME="with blanks"
     --strict_segments
     /* two
        lines */
     \`sysctl -q net.ipv4.tcp_sack=0\`
     # three
     0 %{ assert tcpi_snd_cwnd == 10, tcpi_snd_cwnd }%
     \`restore\``,
  );
  t.same(
    options.map(({ name, value }) => [name, value]),
    [
      ['tolerance_usecs', '10000'],
      ['define', 'NAME="with blanks"'],
      ['strict_segments', ''],
    ],
  );
  t.same(
    events.map(({ kind }) => kind),
    ['command', 'code', 'command'],
  );
  t.equal(events[2].time.kind, 'none');
  t.end();
});

t.test('conditions leave out lines, and places stay true', (t) => {
  const text = '#ifdef A\n0 close(1) = 0\n#else\n0 close(2) = 0\n#endif\n0 close(3) = x y';
  t.throws(() => parseScript('a.pkt', text), { message: /found "y"/ });
  const source = (definitions: Map<string, string>) =>
    parseScript('a.pkt', text.replace(' y', '').replace('x', '0'), definitions).events.map(({ source }) => source);
  t.same(source(new Map()), ['0 close(2) = 0', '0 close(3) = 0']);
  t.same(source(new Map([['A', '1']])), ['0 close(1) = 0', '0 close(3) = 0']);
  const own = parseScript('a.pkt', `--define=A=1\n${text.replace('x y', '0')}`);
  t.same(
    own.events.map(({ source }) => source),
    ['0 close(1) = 0', '0 close(3) = 0'],
    'what the script defines itself decides, too',
  );
  t.throws(() => parseScript('a.pkt', '#ifdef A\n'), /no #endif/);
  t.throws(() => parseScript('a.pkt', '#endif\n'), /#endif without #if/);
  t.end();
});

/** [script, line:column, what is said] */
const WRONG: readonly (readonly [string, string, RegExp])[] = [
  ['0 > S', '1:6', /expected a sequence number, found the end of the script/],
  ['0 > . 1:3(1) ack 1', '1:7', /1 and 1 bytes make 2, not 3/],
  ['--define=W=0x10000\n0 < S 0:0(0) win W', '2:18', /W \(65536\) is too large for a window/],
  ['--define=W=3-4\n0 < S 0:0(0) win W', '2:18', /W \(-1\) is too small for a window/],
  ['--define=W=W\n0 < S 0:0(0) win W', '2:18', /the definition of W leads back to itself/],
  ['--define=A=B\n--define=B=A\n0 < S 0:0(0) <FO A,nop,nop>', '3:18', /the definition of A leads back to itself/],
  ['--define=W=x\n0 < S 0:0(0) win W', '2:18', /expected a window, found "W"/],
  ['--define=W=1/0\n0 < S 0:0(0) win W', '2:18', /division by zero/],
  ['--define=C=xyz\n0 < S 0:0(0) <FO C>', '2:18', /a Fast Open cookie: C is defined as "xyz"/],
  ['--define=C=abc\n0 < S 0:0(0) <FO C>', '2:18', /odd number/],
  ['--define=C=nowhere\n0 < icmp unreachable C', '2:21', /"C" is no code/],
  ['0 > X. 1:1(0) ack 1', '1:5', /"X." is neither TCP flags/],
  ['0 < S 0:0(0) win 70000', '1:18', /70000 is too large for a window/],
  ['0 < S 0:0(0) win 1 <mss 1000,nop>', '1:20', /these options take 5 bytes/],
  ['0 < S 0:0(0) win 1 <mss 1000,wscal 7>', '1:30', /expected a TCP option .* found "wscal 7>"/],
  ['0 < S 0:0(0) win 1 <...>', '1:20', /for outbound packets/],
  ['0 < [ect01] . 1:1(0) ack 1 win 1', '1:6', /outbound packets only/],
  ['0 < icmp unreachable nowhere [1:1(0)]', '1:21', /"nowhere" is no code/],
  ['0 < icmp nonsense', '1:10', /"nonsense" is no ICMP type/],
  ['0 read(3, ..., 10', '1:18', /expected "," or "\)"/],
  ['0 read(3, "abc', '1:11', /a string that begins here does not end/],
  ['0 read 3', '1:8', /expected "\("/],
  ['0 /* open', '1:3', /a comment that begins here does not end/],
  ['0 %{ assert 1', '1:3', /a code block that begins here does not end/],
  ['`sysctl', '1:1', /a command that begins here does not end/],
  ['socket(...) = 3', '1:1', /expected the time of an event/],
  ['* close(3) = 0', '1:1', /only outbound packets/],
  ['2~1 > . 1:1(0) ack 1', '1:1', /ends before it begins/],
  ['99999999 close(3) = 0', '1:1', /may be 2678400 s at most/],
  ['0 close(3) = 0\n\n  0 nonsense', '3:13', /expected "\("/],
];

t.test('what is wrong → an error with its place', (t) => {
  for (const [text, at, says] of WRONG) {
    try {
      parseScript('a.pkt', text);
      t.fail(`no error: ${text}`);
    } catch (error) {
      t.type(error, ScriptError, text);
      if (!(error instanceof ScriptError)) continue;
      t.equal(placeText(error.place), `a.pkt:${at}`, text);
      t.match(error.message, says, text);
    }
  }
  t.end();
});

t.test('other protocols → not supported, no error', (t) => {
  for (const text of [
    '0 < sctp: INIT[]',
    '0 < gre: . 1:1(0)',
    '0 > S 0:0(0) <mp_capable a>',
    '0 > S 0:0(0) <tarr 2>',
    '0 < mpls (label 1)',
    '0 < ipv6 fd00::1 > fd00::2: . 1:1(0)',
  ]) {
    t.throws(() => parseScript('a.pkt', text), Unsupported, text);
  }
  t.end();
});

t.test('hostile scripts → an error, and soon', (t) => {
  t.throws(() => parseScript('a.pkt', `0 close(${'['.repeat(100_000)}`), /nested deeper/);
  t.throws(() => parseScript('a.pkt', `0 close(${'-'.repeat(100_000)}1) = 0`), /nested deeper/);
  t.throws(() => parseScript('a.pkt', ' '.repeat(2 << 20)), /larger than/);
  t.throws(() => parseScript('a.pkt', '0 close(3) = 0\n'.repeat(60_000)), /more than 50000 events/);
  t.throws(() => parseScript('a.pkt', '\0\u0001\uffff'), ScriptError);
  t.end();
});
