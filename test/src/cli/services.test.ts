import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type t as tap } from 'tap';
import { noTap, PROGRAM, Run, run, scratch } from './run-cli.js';

const NETWORK = ['--host-address', '10.0.0.1'];

/** The value a command of a shell in the namespace of `of` writes. */
async function shell(of: Run, script: string): Promise<string> {
  const { stdout, stderr } = await of.beside('bash', '-c', script);
  return stdout + stderr;
}

t.test(
  'serve, curl → the file, its line in the log, a trace with a comment on every frame',
  { skip: noTap },
  async (t) => {
    const cwd = scratch(t);
    const body = Buffer.alloc(300_000, 'millrace ');
    writeFileSync(join(cwd, 'file.bin'), body);
    const trace = join(cwd, 't.pcapng');
    const control = join(cwd, 's.sock');
    const server = new Run(['serve', cwd, ...NETWORK, '--trace', trace, '--control', control, '--seed', '7'], {
      namespace: true,
    });
    await server.says(/connections: /);
    t.match(server.stdout, new RegExp(`serving ${cwd} at http://10.0.0.2/\n.*MTU 1500, seed 7\n`));
    const got = await server.beside('curl', '-sS', '-m', '20', 'http://10.0.0.2/file.bin');
    t.equal(hash(Buffer.from(got.stdout, 'latin1')), hash(body));
    await server.says(/10\.0\.0\.1 GET \/file\.bin 200/);
    server.child.kill('SIGTERM');
    const { status, stderr } = await server.ended;
    t.equal(status, 0);
    t.equal(stderr, '');
    t.notOk(existsSync(control), 'the socket is gone');
    t.ok(existsSync(trace));
    checkTrace(t, trace);
  },
);

t.test('serve, a client that gives up → its log says how much of what was sent', { skip: noTap }, async (t) => {
  const server = new Run(['serve', scratch(t), ...NETWORK], { namespace: true });
  await server.says(/serving /);
  await server.beside(
    'curl',
    '-s',
    '-m',
    '1',
    '--limit-rate',
    '1000',
    'http://10.0.0.2/bytes/30000000',
    '-o',
    '/dev/null',
  );
  await server.says(
    /10\.0\.0\.1 GET \/bytes\/30000000 200, cut off: the connection ended after \d+ of 30000000 bytes\n/,
  );
  server.child.kill('SIGTERM');
  const { status, stderr } = await server.ended;
  t.equal(status, 0);
  t.equal(stderr, '');
});

t.test(
  'ss → the connections of a running instance, its listeners, what TCP knows, its counters',
  { skip: noTap },
  async (t) => {
    const control = join(scratch(t), 's.sock');
    const server = new Run(['echo', ...NETWORK, '--control', control, '--discard', '--chargen', '1900'], {
      namespace: true,
    });
    await server.says(/connections: /);
    const ss = `${process.execPath} ${PROGRAM} ss --control ${control}`;
    const text = await shell(
      server,
      `exec 3<>/dev/tcp/10.0.0.2/7; echo hello >&3; read -t 10 answer <&3; echo "answer $answer"
     ${ss}; echo ---; ${ss} -l; echo ---; ${ss} -ai; echo ---; ${ss} --json -i; echo ---; ${ss} --stats; echo ---; ${ss} -H -l; echo ---; ${ss} -am; echo ---; ${ss} -m --json`,
    );
    const [connected, listening, all, json, stats, bare, memory, memoryJson] = text.split('---\n');
    t.match(
      connected,
      /^answer hello\nNetid +State +Recv-Q +Send-Q .*\ntcp +ESTABLISHED +0 +0 +10\.0\.0\.2:7 +10\.0\.0\.1:\d+\n$/,
    );
    for (const port of [7, 9, 1900])
      t.match(listening, new RegExp(`tcp +LISTEN +0 +511 +10\\.0\\.0\\.2:${port} +\\*:\\*`));
    t.match(listening, /udp +UNCONNECTED +0 +0 +10\.0\.0\.2:7 +\*:\*/);
    t.notMatch(listening, /ESTABLISHED/);
    t.match(all, /ESTABLISHED.*\n\t .*\bcwnd:\d+ .*bytes_received:6\b/);
    const row = JSON.parse(json) as {
      state: string;
      remoteAddress: string;
      info: { bytesReceived: number; rtoUs: number };
    };
    t.match(row, { state: 'ESTABLISHED', remoteAddress: '10.0.0.1', info: { bytesReceived: 6 } });
    t.ok(row.info.rtoUs >= 200_000, 'the floor of RTO');
    t.match(stats, /counters:\n(.*\n)* +1 {2}tcpPassiveOpens/);
    t.notMatch(bare, /Netid/);
    t.match(memory, /ESTABLISHED.*\n\t skmem:\(r0,rb131072,t0,tb\d+,f0,w0,o0,bl0,d0\)\n/);
    t.match(memory, /udp +UNCONNECTED.*\n\t skmem:\(r0,rb212992,t0,tb0,f0,w0,o0,bl0,d0\)\n/);
    t.match(memory, /\n\nPool +Unit +Used .*\nnet\.frames +frames +\d+ +4096 +64 /);
    t.match(memory, /\nudp\.datagrams +chunks +0 +16384 +2 /);
    const [connection, ...pools] = memoryJson
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { pool?: string; limit?: number; memory?: { receiveBytesMax: number } });
    t.equal(connection.memory?.receiveBytesMax, 131_072);
    t.match(
      pools.find(({ pool }) => pool === 'net.neighborQueue'),
      { unit: 'frames', used: 0, limit: 512, reserve: 1 },
    );
    server.child.kill('SIGINT');
    t.equal((await server.ended).status, 0);
  },
);

t.test('echo → TCP and UDP come back, discard keeps quiet, chargen talks', { skip: noTap }, async (t) => {
  const server = new Run(['echo', ...NETWORK, '--no-control', '--discard', '--chargen'], { namespace: true });
  await server.says(/on tap:mill0/);
  const text = await shell(
    server,
    `exec 3<>/dev/tcp/10.0.0.2/7; echo over tcp >&3; read -t 10 a <&3; echo "$a"
     exec 4<>/dev/udp/10.0.0.2/7; printf u >&4; read -t 10 -N 1 b <&4; echo "$b"
     exec 5<>/dev/tcp/10.0.0.2/9; echo lost >&5; read -t 0.2 c <&5; echo "discard said: $c"
     exec 6<>/dev/tcp/10.0.0.2/19; head -c 74 <&6`,
  );
  t.match(text, /^over tcp\nu\ndiscard said: \n !"#\$%&'\(\)\*\+,-\.\//);
  server.child.kill('SIGTERM');
  t.equal((await server.ended).status, 0);
});

t.test('ping → replies, fragments and all; status 0', { skip: noTap }, async (t) => {
  const { status, stdout } = await run(['ping', '10.0.0.1', ...NETWORK, '-c', '3', '-i', '20ms', '-s', '8000'], {
    namespace: true,
  });
  t.equal(status, 0);
  t.match(
    stdout,
    /^PING 10\.0\.0\.1 from 10\.0\.0\.2 on tap:mill0: 8000\(8028\) bytes of data\.\n8008 bytes from 10\.0\.0\.1: icmp_seq=1 ttl=64 time=/,
  );
  t.match(stdout, /3 packets transmitted, 3 received, 0% packet loss/);
  t.notMatch(stdout, /changed|DUP/);
});

t.test('ping, nobody there → says why, status 1', { skip: noTap }, async (t) => {
  const { status, stdout } = await run(['ping', '10.0.0.9', ...NETWORK, '-c', '1', '--json'], { namespace: true });
  t.equal(status, 1);
  const [answer, summary] = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  t.match(answer, { kind: 'error', reason: 'the host does not answer ARP' });
  t.match(summary, { kind: 'summary', transmitted: 1, received: 0 });
});

t.test('ping, Ctrl-C → the summary so far', { skip: noTap }, async (t) => {
  const ping = new Run(['ping', '10.0.0.1', ...NETWORK, '-i', '20ms'], { namespace: true });
  await ping.says(/icmp_seq=3 /);
  ping.child.kill('SIGINT');
  const { status, stdout } = await ping.ended;
  t.equal(status, 0);
  t.match(stdout, /--- 10\.0\.0\.1 ping statistics ---\n\d+ packets transmitted, \d+ received/);
});

t.test('a trace at its limit → ends there, and says so', { skip: noTap }, async (t) => {
  const trace = join(scratch(t), 't.pcapng');
  const server = new Run(['serve', ...NETWORK, '--no-control', '--trace', trace, '--trace-limit', '64k'], {
    namespace: true,
  });
  await server.says(/tracing to/);
  const got = await server.beside(
    'curl',
    '-sS',
    '-m',
    '20',
    '-o',
    '/dev/null',
    '-w',
    '%{size_download}',
    'http://10.0.0.2/bytes/500000',
  );
  t.equal(got.stdout, '500000', 'traffic goes on');
  server.child.kill('SIGTERM');
  const { status, stderr } = await server.ended;
  t.equal(status, 0);
  t.match(stderr, /the trace is not complete: the capture reached its limit of 65536 bytes; \d+ frames are missing/);
});

t.test('--print → a line for each frame, with its comment', { skip: noTap }, async (t) => {
  const server = new Run(['serve', ...NETWORK, '--no-control', '--print', '--quiet'], { namespace: true });
  await server.says(/on tap:mill0/);
  await server.beside('curl', '-sS', '-m', '20', 'http://10.0.0.2/');
  await server.says(
    /in {2}IP 10\.0\.0\.1\.\d+ > 10\.0\.0\.2\.80: Flags \[S\], seq \d+.*# received: used · LISTEN → SYN-RECEIVED/,
  );
  server.child.kill('SIGTERM');
  t.equal((await server.ended).status, 0);
  t.notOk(server.stdout.includes('\x1b'), 'no colour in a pipe');
});

function hash(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Wireshark's own opinion, where it is installed. */
function checkTrace(t: Pick<typeof tap, 'ok' | 'same' | 'equal' | 'comment'>, trace: string): void {
  const tshark = (...args: string[]): string => {
    const { stdout, error } = spawnSync('tshark', ['-r', trace, ...args], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return error === undefined ? stdout : '';
  };
  if (tshark('-c', '1') === '') {
    t.comment('tshark is not installed: the trace is not checked by it');
    return;
  }
  const comments = tshark('-T', 'fields', '-e', 'frame.comment').trimEnd().split('\n');
  t.ok(comments.length > 100);
  t.same(
    comments.filter((comment) => !/^(sent|received|dropped): \S/.test(comment)),
    [],
    'a comment on every frame',
  );
  t.equal(tshark('-Y', '_ws.malformed || _ws.expert.severity == error'), '', 'nothing malformed, no error');
  const states = comments
    .filter((comment) => comment.includes('→'))
    .map((comment) => /· (\S+ → \S+)/.exec(comment)?.[1]);
  t.same(states.slice(0, 2), ['LISTEN → SYN-RECEIVED', 'SYN-RECEIVED → ESTABLISHED']);
  t.equal(states.at(-1), 'LAST-ACK → CLOSED');
}
