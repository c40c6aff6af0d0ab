import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { generateBytes } from '../../src/apps/generated-bytes.js';
import { enterNetwork, run, startPeer, temporaryDirectory, within } from './network.js';
import { Port } from './peer-protocol.js';

const skip = enterNetwork('ip', 'curl', 'ping');
const MIB = 2 ** 20;
const BYTES = 4 * MIB;

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Each stresses something else: the usual; losses in a row; bits turned over; a queue that overflows; reordering alone, which must not be taken for loss for ever. */
const LINKS = [
  'loss=1%,reorder=1%,duplicate=0.5%,delay=10ms',
  'burst=0.2%:4,delay=2ms',
  'corrupt=1%,delay=1ms',
  'rate=100mbit,limit=50,delay=2ms',
  'reorder=10%,jitter=1ms,delay=2ms',
];

for (const fault of LINKS) {
  t.test(`${fault} → 4 MiB down and up, the same bytes`, { skip }, async (t) => {
    const folder = temporaryDirectory(t);
    const peer = await startPeer(t, { fault });
    const down = join(folder, 'down');
    const got = await run('curl', ['-sS', '-f', '-o', down, `http://${peer.address}/bytes/${BYTES}`]);
    t.equal(got.stderr, '');
    t.ok(readFileSync(down).equals(Buffer.concat([...generateBytes(0, BYTES)])), 'down');

    const up = join(folder, 'up');
    const sent = randomBytes(BYTES);
    writeFileSync(up, sent);
    const put = await run('curl', ['-sS', '-f', '-T', up, `http://${peer.address}/upload`]);
    t.equal(put.stderr, '');
    t.same(JSON.parse(put.stdout || '{}'), { bytes: BYTES, sha256: sha256(sent) }, 'up');

    const { stats, verdicts } = await peer.call('counts', null);
    if (fault.includes('loss') || fault.includes('burst'))
      t.ok((stats.tcpRetransSegs ?? 0) > 0, 'something was sent again');
    if (fault.includes('corrupt')) t.ok((verdicts.TCP_CHECKSUM ?? 0) > 0, 'checksums found what was corrupted');
  });
}

t.test('both directions of 20 connections at once over a bad link → every byte', { skip }, async (t) => {
  const peer = await startPeer(t, { fault: 'loss=1%,reorder=1%,duplicate=0.5%,delay=2ms' });
  const transfer = (): Promise<boolean> =>
    new Promise((resolve) => {
      const sent = randomBytes(100_000);
      const parts: Buffer[] = [];
      const socket = net.connect(Port.ECHO, peer.address);
      socket.on('data', (bytes: Buffer) => parts.push(bytes));
      socket.on('error', () => resolve(false));
      socket.on('close', () => resolve(Buffer.concat(parts).equals(sent)));
      socket.end(sent);
    });
  const results = await within('20 transfers', Promise.all(Array.from({ length: 20 }, transfer)));
  t.equal(results.filter((good) => good).length, 20);
});
