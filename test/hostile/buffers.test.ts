import t from 'tap';
import { ANSWERS, Rig, SCALE, UNREAD } from './rig.js';

/**
 * The stream buffers: some hold as much as they are given and never let go; somebody else has a page to fetch and a
 * file to send.
 */

/** Alone, what a transfer takes. */
function alone(kind: 'page' | 'upload', bytes: number, loss = 0): number {
  return new Rig(t, { request: 0, window: 65_535 }, { loss })[kind](bytes, 60_000_000);
}

t.test('8,300 peers ask for a large answer and never read → a page to another in at most twice its time', (t) => {
  const before = alone('page', 1 << 20);
  const rig = new Rig(t, { request: 100, window: 65_535 });
  const count = Math.ceil(8300 * SCALE);
  rig.invade(count, ANSWERS);
  rig.world.runFor(2_000_000);
  t.equal(rig.horde.established, count, 'nobody was reset for it');
  rig.checkAccounts();
  t.comment(rig.pool('tcp.buffers'));
  const after = rig.page(1 << 20, 60_000_000);
  t.comment(`a page of 1 MiB: ${before / 1000} ms alone, ${after / 1000} ms beside ${count}`);
  t.ok(after <= 2 * before, `${after / before} times as long`);
  const upload = rig.upload(1 << 20, 60_000_000);
  const uploadAlone = alone('upload', 1 << 20);
  t.comment(`an upload of 1 MiB: ${uploadAlone / 1000} ms alone, ${upload / 1000} ms`);
  t.ok(upload <= 2 * uploadAlone, `${upload / uploadAlone} times as long`);
  rig.expectAllFreed();
  t.end();
});

t.test('131,072 connections with one unread byte each → an upload keeps at least half its speed', (t) => {
  const before = alone('upload', 4 << 20);
  const rig = new Rig(t, { request: 1, window: 65_535 });
  const count = 131_072 * SCALE;
  for (let port = 0; port < 4; port++) rig.invade(count / 4, UNREAD + port);
  t.equal(rig.horde.established, count);
  const short = rig.pool('tcp.short-queues').used;
  t.ok(short >= 0.9 * count, `${short} of ${count} hold a sixteenth of a chunk`);
  t.comment(rig.pool('tcp.buffers'));
  const after = rig.upload(4 << 20, 60_000_000);
  t.comment(`an upload of 4 MiB: ${before / 1000} ms alone, ${after / 1000} ms beside ${count}`);
  t.ok(after <= 2 * before, `${after / before} times as long`);
  rig.expectAllFreed();
  t.end();
});
