import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test as TestArgument } from 'tap';
import { generateBytes } from '../../src/apps/generated-bytes.js';
import { enterNetwork, run, startCommand, startPeer, sysctl, temporaryDirectory } from './network.js';

const skip = enterNetwork('ip', 'curl');
const MIB = 2 ** 20;

function sha256(parts: Iterable<Uint8Array>): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
}

/** Downloads `bytes` of the pattern and uploads as many random ones, and compares sums. */
async function bothWays(t: TestArgument, address: string, bytes: number): Promise<void> {
  const folder = temporaryDirectory(t);
  const down = join(folder, 'down');
  const got = await run('curl', ['-sS', '-f', '-o', down, `http://${address}/bytes/${bytes}`]);
  t.equal(got.stderr, '');
  t.equal(sha256([readFileSync(down)]), sha256(generateBytes(0, bytes)), `${bytes} bytes down`);

  const up = join(folder, 'up');
  const sent = randomBytes(bytes);
  writeFileSync(up, sent);
  const put = await run('curl', ['-sS', '-f', '-T', up, `http://${address}/upload`]);
  t.equal(put.stderr, '');
  t.same(JSON.parse(put.stdout || '{}'), { bytes, sha256: sha256([sent]) }, `${bytes} bytes up`);
}

t.test('curl, 16 MiB down and up → the same bytes', { skip }, async (t) => {
  const { address } = await startPeer(t);
  await bothWays(t, address, 16 * MIB);
});

t.test('files of a directory: keep-alive, HEAD, Range → one connection, the right parts', { skip }, async (t) => {
  const folder = temporaryDirectory(t);
  const content = randomBytes(300_000);
  writeFileSync(join(folder, 'file.bin'), content);
  const { address, stdout } = await startCommand(t, ['serve', folder]);
  t.match(stdout, `http://${address}/`);
  const url = `http://${address}/file.bin`;

  const kept = await run('curl', [
    '-sS',
    '-f',
    '-w',
    '%{num_connects} ',
    ...[1, 2, 3].flatMap(() => ['-o', '/dev/null', url]),
  ]);
  t.equal(kept.stdout, '1 0 0 ', 'three answers over one connection');

  const head = await run('curl', ['-sS', '-f', '-I', url]);
  t.match(head.stdout, /^HTTP\/1\.1 200 OK\r\n/);
  t.match(head.stdout, /content-length: 300000\r\n/i);
  t.ok(head.stdout.endsWith('\r\n\r\n'), 'and no body');

  const part = join(folder, 'part');
  const range = await run('curl', ['-sS', '-f', '-w', '%{http_code}', '-r', '1000-65999', '-o', part, url]);
  t.equal(range.stdout, '206');
  t.ok(readFileSync(part).equals(content.subarray(1000, 66_000)));

  const beyond = await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-r', '300000-', url]);
  t.equal(beyond.stdout, '416');
});

t.test('20 transfers at once → every one complete', { skip }, async (t) => {
  const { address } = await startPeer(t);
  const urls = Array.from({ length: 20 }, (_, i) => ['-o', '/dev/null', `http://${address}/bytes/${MIB + i}`]).flat();
  const got = await run('curl', [
    '--no-progress-meter',
    '-f',
    '-Z',
    '--parallel-max',
    '20',
    '-w',
    '%{size_download}\n',
    ...urls,
  ]);
  t.equal(got.stderr, '');
  const sizes = got.stdout.trim().split('\n').map(Number);
  t.same(
    sizes.sort((a, b) => a - b),
    Array.from({ length: 20 }, (_, i) => MIB + i),
  );
});

for (const option of ['tcp_timestamps', 'tcp_sack', 'tcp_window_scaling']) {
  t.test(`kernel with ${option}=0 → the connection does without, both ways`, { skip }, async (t) => {
    sysctl(`ipv4/${option}`, 0);
    t.teardown(() => sysctl(`ipv4/${option}`, 1));
    const { address } = await startPeer(t);
    await bothWays(t, address, 2 * MIB);
  });
}

/** 576: what every host takes; 9000: jumbo frames, for which the slots are larger. */
for (const mtu of [576, 9000]) {
  t.test(`MTU ${mtu} → segments of that size, both ways`, { skip }, async (t) => {
    const peer = await startPeer(t, { mtu: `${mtu}` });
    const link = await run('ip', ['link', 'show', peer.interfaceName]);
    t.match(link.stdout, `mtu ${mtu} `);
    const before = await peer.call('counts', null);
    await bothWays(t, peer.address, 2 * MIB);
    const after = await peer.call('counts', null);
    const bytesPerSegment = (4 * MIB) / (after.stats.tcpOutSegs + after.stats.tcpInSegs - before.stats.tcpInSegs);
    t.ok(bytesPerSegment < mtu && bytesPerSegment > mtu / 4, `${bytesPerSegment} bytes for each segment, ACKs counted`);
    t.equal(after.stats.ipReasmReqds, 0, 'nothing was fragmented');
    t.equal(after.stats.ipFragCreates, 0);
  });
}
