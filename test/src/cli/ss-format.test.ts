import t from 'tap';
import { answerLine, summaryLines } from '../../../src/cli/commands/ping.js';
import type { SocketInfo, SocketRow } from '../../../src/cli/control-protocol.js';
import { formatInfo, formatMemory, formatPools, formatStats, SocketTable } from '../../../src/cli/ss-format.js';
import { BULK } from './socket-info.js';

const LISTENER: SocketRow = {
  type: 'socket',
  protocol: 'tcp',
  state: 'LISTEN',
  receiveQueue: 2,
  sendQueue: 511,
  localAddress: '0.0.0.0',
  localPort: 80,
  remoteAddress: '',
  remotePort: 0,
};
const CONNECTION: SocketRow = {
  ...LISTENER,
  state: 'ESTABLISHED',
  receiveQueue: 0,
  sendQueue: 123_456,
  localAddress: '10.0.0.2',
  remoteAddress: '192.168.100.200',
  remotePort: 54_321,
};

t.test('rows → ss columns, as wide as the widest of the first', (t) => {
  const table = new SocketTable([LISTENER, CONNECTION]);
  t.equal(
    [table.header(), table.row(LISTENER), table.row(CONNECTION)].join('\n'),
    `Netid  State        Recv-Q  Send-Q  Local Address:Port      Peer Address:Port
tcp    LISTEN            2     511                *:80                    *:*
tcp    ESTABLISHED       0  123456         10.0.0.2:80  192.168.100.200:54321`,
  );
  t.end();
});

t.test('a row wider than the first ones → pushes its own line only', (t) => {
  const table = new SocketTable([LISTENER]);
  t.equal(table.row(LISTENER), 'tcp    LISTEN       2     511                *:80                *:*');
  t.match(table.row(CONNECTION), /^tcp {4}ESTABLISHED {7}0 {2}123456 /);
  t.end();
});

t.test('info → in the words of ss, below its row', (t) => {
  const lines = new SocketTable([CONNECTION]).row({ ...CONNECTION, info: BULK }).split('\n');
  t.equal(lines.length, 2);
  t.equal(
    lines[1],
    '\t ts sack reno ca:recovery wscale:7,8 rto:204 rtt:3.5/1.25 ato:40 mss:1448 pmtu:1500 rcvmss:536 cwnd:20 ssthresh:10' +
      ' bytes_sent:1000000 bytes_retrans:2896 bytes_acked:900000 segs_out:700 segs_in:300 lastack:2 unacked:3 flight:4344' +
      ' lost:1 retrans:1/2 minrtt:0.125 snd_wnd:64240 rcv_wnd:131072',
  );
  t.end();
});

t.test('info of an idle connection → what is zero or off says nothing', (t) => {
  const idle: SocketInfo = {
    ...BULK,
    caState: 'open',
    totalRetrans: 0,
    bytesRetrans: 0,
    timestamps: false,
    sndSsthreshBytes: 0x7fffffff,
  };
  t.notMatch(formatInfo(idle), /ca:|\bretrans:|\bts\b|ssthresh|undefined|false|NaN| {2}/);
  t.end();
});

t.test('counters → those that are not zero, aligned, under their group', (t) => {
  const stats = {
    type: 'stats',
    sockets: { connections: 2, timeWait: 0 },
    counters: { tcpInSegs: 12_345, tcpOutSegs: 7, tcpRetransSegs: 0 },
    verdicts: {},
    interfaces: { 'tap:mill0': { framesReceived: 12_346 } },
  } as const;
  t.equal(
    formatStats(stats),
    'sockets:\n  2  connections\ncounters:\n  12345  tcpInSegs\n      7  tcpOutSegs\ntap:mill0:\n  12346  framesReceived',
  );
  t.equal(formatStats({ ...stats, sockets: {}, counters: {}, interfaces: {} }), 'nothing was counted yet');
  t.end();
});

t.test('ping answers → as ping prints them', (t) => {
  const reply = {
    kind: 'reply',
    seq: 7,
    source: '10.0.0.1',
    bytes: 56,
    ttl: 64,
    rttUs: 0,
    duplicate: false,
    intact: true,
  } as const;
  const times: [number, string][] = [
    [7, '0.007'],
    [312, '0.312'],
    [1500, '1.50'],
    [12_340, '12.3'],
    [123_400, '123'],
  ];
  for (const [rttUs, time] of times) {
    t.equal(answerLine({ ...reply, rttUs }), `64 bytes from 10.0.0.1: icmp_seq=7 ttl=64 time=${time} ms`);
  }
  t.match(answerLine({ ...reply, duplicate: true }), / \(DUP!\)$/);
  t.match(answerLine({ ...reply, intact: false }), /payload changed/);
  t.equal(
    answerLine({ kind: 'error', seq: 1, source: '10.0.0.254', reason: 'time to live exceeded' }),
    'From 10.0.0.254 icmp_seq=1: time to live exceeded',
  );
  t.end();
});

t.test('ping summary → as ping prints it; no round trips without an answer', (t) => {
  const summary = {
    transmitted: 3,
    received: 2,
    duplicates: 1,
    errors: 0,
    lossPercent: 100 / 3,
    timeMs: 2003.4,
    rtt: undefined,
  };
  t.equal(
    summaryLines('10.0.0.1', { ...summary, rtt: { minUs: 100, avgUs: 150, maxUs: 200, mdevUs: 50 } }),
    '\n--- 10.0.0.1 ping statistics ---\n3 packets transmitted, 2 received, +1 duplicates, 33.3% packet loss, time 2003ms\n' +
      'rtt min/avg/max/mdev = 0.100/0.150/0.200/0.050 ms',
  );
  t.notMatch(summaryLines('10.0.0.1', { ...summary, received: 0 }), /rtt/);
  t.end();
});

t.test('memory → skmem as ss has it; with info on the same line', (t) => {
  const memory = {
    receiveBytes: 4096,
    receiveBytesMax: 212_992,
    inFlightBytes: 2896,
    sendBytes: 10_000,
    sendBytesMax: 87_040,
    drops: 3,
  };
  t.equal(formatMemory(memory), 'skmem:(r4096,rb212992,t2896,tb87040,f0,w10000,o0,bl0,d3)');
  const table = new SocketTable([CONNECTION]);
  t.match(table.row({ ...CONNECTION, memory }), /54321\n\t skmem:\(r4096,.*,d3\)$/);
  t.match(table.row({ ...CONNECTION, memory, info: BULK }), /54321\n\t skmem:\(r4096,.*,d3\) ts sack /);
  t.end();
});

t.test('pools → a table with titles; without where none are wanted', (t) => {
  const pool = {
    type: 'pool',
    name: 'net.frames',
    unit: 'frames',
    used: 12,
    limit: 4096,
    reserve: 64,
    highWater: 1000,
    refused: 7,
    evicted: 0,
  } as const;
  const rows = [pool, { ...pool, name: 'udp.datagrams', unit: 'chunks' } as const];
  t.same(formatPools(rows, true).split('\n'), [
    'Pool           Unit    Used  Limit  Reserve  High water  Refused  Evicted',
    'net.frames     frames    12   4096       64        1000        7        0',
    'udp.datagrams  chunks    12   4096       64        1000        7        0',
  ]);
  t.equal(formatPools([pool], false), 'net.frames  frames  12  4096  64  1000  7  0');
  t.end();
});
