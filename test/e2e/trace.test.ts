import { randomBytes } from 'node:crypto';
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { enterNetwork, run, startCommand, temporaryDirectory } from './network.js';

const skip = enterNetwork('ip', 'curl', 'ping', 'tshark');

/** Lines that tshark prints for frames that match, checksums verified. */
async function tshark(file: string, ...options: string[]): Promise<string[]> {
  const checks = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const { status, stdout, stderr } = await run('tshark', ['-n', '-r', file, ...checks, ...options]);
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  return stdout.split('\n').filter((line) => line !== '');
}

const BAD = [
  '_ws.malformed',
  '_ws.expert.severity >= error',
  'ip.checksum.status == 0',
  'tcp.checksum.status == 0',
  'udp.checksum.status == 0',
  'icmp.checksum.status == 0',
];

t.test('a clean run, traced → tshark finds nothing wrong, every frame is explained', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  const trace = join(folder, 'trace.pcapng');
  const command = await startCommand(t, ['serve', '--trace', trace]);
  const { address } = command;
  await run('ping', ['-c', '3', '-i', '0.1', '-w', '10', '-s', '4000', address]);
  for (const path of ['/', '/missing', '/bytes/1048576'])
    await run('curl', ['-sS', '-o', '/dev/null', `http://${address}${path}`]);
  const upload = join(folder, 'upload');
  writeFileSync(upload, randomBytes(2 ** 20));
  await run('curl', ['-sS', '-T', upload, `http://${address}/upload`]);
  await run('curl', ['-sS', `http://${address}:81/`]);
  const { status, stderr } = await command.stop();
  t.same([status, stderr], [0, '']);

  t.same(await tshark(trace, '-Y', BAD.join(' || ')), [], 'nothing malformed, no wrong checksum, no expert error');
  const frames = await tshark(trace, '-T', 'fields', '-e', 'frame.number');
  t.ok(frames.length > 1000, `${frames.length} frames`);
  t.same(await tshark(trace, '-Y', '!frame.comment'), [], 'each has a comment');

  const comments = (filter: string): Promise<string[]> =>
    tshark(trace, '-Y', filter, '-T', 'fields', '-e', 'frame.comment');
  const sent = await comments(`ip.src == ${address}`);
  t.same(
    sent.filter((comment) => !/^sent: \w/.test(comment)),
    [],
    'each of ours says why it was sent',
  );
  const received = await comments(`ip.dst == ${address}`);
  t.same(
    received.filter((comment) => !/^(received|dropped): \w/.test(comment)),
    [],
    'each of theirs, what became of it',
  );
  const steps = [
    'LISTEN → SYN-RECEIVED',
    'SYN-RECEIVED → ESTABLISHED',
    'ESTABLISHED → CLOSE-WAIT',
    'LAST-ACK → CLOSED',
  ];
  for (const step of steps) {
    t.ok(
      received.some((comment) => comment.includes(step)),
      step,
    );
  }
  t.ok(
    sent.some((comment) => /RST.*RFC 9293/.test(comment)),
    'the reset names its rule',
  );
});

t.test('--trace-limit → the file stays below it and opens; what is missing is said', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  const trace = join(folder, 'trace.pcapng');
  const command = await startCommand(t, ['serve', '--trace', trace, '--trace-limit', '1M']);
  const got = await run('curl', [
    '-sS',
    '-o',
    '/dev/null',
    '-w',
    '%{size_download}',
    `http://${command.address}/bytes/8000000`,
  ]);
  t.equal(got.stdout, '8000000', 'the transfer is none the worse');
  const { status, stderr } = await command.stop();
  t.equal(status, 0);
  t.match(stderr, /^millrace: the trace ends here: the capture reached its limit/m, 'at once');
  t.match(stderr, /trace is not complete: .* frames are missing/);
  t.ok(statSync(trace).size <= 2 ** 20, `${statSync(trace).size} bytes`);
  t.ok((await tshark(trace)).length > 100);
});
