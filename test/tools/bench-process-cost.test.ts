import t from 'tap';
import {
  machineBusy,
  parseMachineBusy,
  parseProcessCpu,
  parseSlabs,
  parseTcpQueueBytes,
  parseThreadCpu,
  processCpu,
  residentBytes,
} from '../../tools/bench/process-cost.js';

t.test('stat of a process, name with spaces and parentheses → user and system time of the right fields', (t) => {
  const stat = '4242 (a) S (b) 1 2) R 1 4242 4242 0 -1 4194304 1000 0 5 0 150 50 7 8 20 0 11 0 999 1 2 3';
  t.equal(parseProcessCpu(stat), 2);
  t.end();
});

t.test('schedstat of a thread → its seconds; none where the kernel keeps no account', (t) => {
  t.equal(parseThreadCpu('548983519 31309257 44\n'), 0.548983519);
  t.equal(parseThreadCpu('0 0 0\n'), undefined);
  t.equal(parseThreadCpu(''), undefined);
  t.end();
});

t.test('stat of the machine → busy without idle, disk and stolen time', (t) => {
  const stat = 'cpu  100 200 300 9999 9999 40 60 9999 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n';
  t.equal(parseMachineBusy(stat), 7);
  t.end();
});

t.test('slabinfo → whole slabs of the caches sockets use, none of the file systems’', (t) => {
  const slabinfo = [
    'slabinfo - version: 2.1',
    '# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables',
    'TCP                   39     39   2368   13    8 : tunables    0    0    0 : slabdata      3      3      0',
    'sock_inode_cache      95     95    832   19    4 : tunables    0    0    0 : slabdata      5      5      0',
    'ext4_inode_cache   46214  46214   1128   14    4 : tunables    0    0    0 : slabdata   3301   3301      0',
    'dentry             55503  55503    192   21    1 : tunables    0    0    0 : slabdata   2643   2643      0',
  ].join('\n');
  t.same(
    [...parseSlabs(slabinfo)],
    [
      ['TCP', 3 * 8 * 4096],
      ['sock_inode_cache', 5 * 4 * 4096],
    ],
  );
  t.end();
});

t.test('sockstat → pages of TCP’s queues in bytes, not those of UDP', (t) => {
  const sockstat = 'sockets: used 17\nTCP: inuse 1 orphan 0 tw 0 alloc 1 mem 111\nUDP: inuse 0 mem 7\n';
  t.equal(parseTcpQueueBytes(sockstat), 111 * 4096);
  t.equal(parseTcpQueueBytes('sockets: used 17\n'), 0);
  t.end();
});

t.test('this process → CPU time and memory that agree with Node’s own accounts', (t) => {
  const { user, system } = process.cpuUsage();
  const own = (user + system) / 1e6;
  // A tick each way for user and system time.
  t.ok(Math.abs(processCpu(process.pid) - own) < 0.2, `${processCpu(process.pid)} s, Node says ${own} s`);
  const ratio = residentBytes(process.pid) / process.memoryUsage.rss();
  t.ok(ratio > 0.5 && ratio < 2, `resident memory is ${ratio} of what Node says`);
  t.ok(machineBusy() >= own * 0.5);
  t.end();
});
