import t from 'tap';
import type { Behaviour } from './horde.js';
import { ANSWERS, Rig, UNREAD } from './rig.js';

/**
 * The pools of rows: half-open connections, TIME-WAIT, what waits to be accepted, records of what was sent, cold rows.
 */

const NOTHING: Behaviour = { request: 0, window: 65_535 };
const BYTES = 1 << 20;

function alone(): number {
  return new Rig(t, NOTHING).upload(BYTES, 60_000_000);
}

t.test('SYNs without end that nobody completes → the oldest gives way, cookies go on, an upload beside them', (t) => {
  const before = alone();
  const silent: Behaviour = { ...NOTHING, silent: true };
  const rig = new Rig(t, silent, { server: { synReceivedMax: 512 } });
  rig.invade(20_000, ANSWERS);
  t.equal(rig.pool('tcp.syn-received').used, 512);
  const after = rig.upload(BYTES, 60_000_000);
  t.comment(`${before / 1000} ms alone, ${after / 1000} ms beside them`);
  t.ok(after <= 2 * before, `${after / before} times as long`);
  rig.expectAllFreed();
  t.end();
});

t.test('handshakes without end that nobody accepts → their own listener is full; an upload at another port', (t) => {
  const before = alone();
  const rig = new Rig(t, NOTHING);
  const { tcp } = rig.server.stack;
  const listener = tcp.listen({ port: 7, backlog: 100 });
  rig.invade(2000, 7);
  const waiting = rig.pool('tcp.accept-queues');
  t.equal(waiting.used, 101);
  t.ok(waiting.refused >= 1000, `${waiting.refused} found it full`);
  const after = rig.upload(BYTES, 60_000_000);
  t.ok(after <= 2 * before, `${after / before} times as long`);
  tcp.closeListener(listener);
  rig.expectAllFreed();
  t.end();
});

t.test(
  'connections that end on our side without end → the oldest TIME-WAIT ends early, and no SYN is refused for it',
  (t) => {
    const before = alone();
    // The peer answers our FIN with its own.
    const polite: Behaviour = { ...NOTHING, request: 1, finishes: true };
    const rig = new Rig(t, polite, { server: { timeWaitMax: 256 } });
    const { tcp } = rig.server.stack;
    const listener = tcp.listen({ port: 7, backlog: 1024 });
    for (let round = 0; round < 8; round++) {
      rig.invade(256, 7, round * 256);
      const into = new Uint8Array(1);
      for (let id = tcp.accept(listener); id !== 0; id = tcp.accept(listener)) {
        tcp.receive(id, into);
        tcp.close(id);
      }
      rig.server.wake();
      rig.world.settle();
    }
    const waiting = rig.pool('tcp.time-wait');
    t.equal(waiting.used, 256);
    t.equal(waiting.evicted, 8 * 256 - 256);
    const after = rig.upload(BYTES, 60_000_000);
    t.ok(after <= 2 * before, `${after / before} times as long`);
    tcp.closeListener(listener);
    rig.expectAllFreed();
    t.end();
  },
);

t.test(
  'what is sent to many is never acknowledged → each has its share of the records, and a page beside them',
  (t) => {
    const before = new Rig(t, NOTHING).page(BYTES, 60_000_000);
    const mute: Behaviour = { request: 100, window: 65_535, mute: true };
    const rig = new Rig(t, mute, { server: { bufferBytesMax: 128 << 20, transmitRecordsMax: 16_384 } });
    rig.invade(2000, ANSWERS);
    const records = rig.pool('tcp.sent');
    t.ok(records.used >= 0.8 * records.limit, `${records.used} of ${records.limit} are theirs`);
    rig.world.runFor(20_000_000);
    const after = rig.page(BYTES, 120_000_000);
    t.comment(`${before / 1000} ms alone, ${after / 1000} ms beside them; ${rig.pool('tcp.sent').refused} refused`);
    t.ok(after <= 2 * before, `${after / before} times as long`);
    rig.expectAllFreed();
    t.end();
  },
);

t.test(
  'more connections than cold rows, most of them between two segments → the one that only waits to sleep does so',
  (t) => {
    const before = alone();
    const rig = new Rig(t, NOTHING, { server: { activeMax: 256, hibernateMs: 3_600_000 } });
    rig.invade(2000, UNREAD);
    const active = rig.pool('tcp.active');
    t.equal(rig.horde.established, 2000);
    t.equal(active.used, 256);
    t.ok(active.evicted >= 1700, `${active.evicted} slept early`);
    const after = rig.upload(BYTES, 60_000_000);
    t.ok(after <= 2 * before, `${after / before} times as long`);
    rig.expectAllFreed();
    t.end();
  },
);

t.test('every cold row is held by a byte that nobody reads → whoever holds one for longest gives way', (t) => {
  const before = alone();
  const rig = new Rig(t, { request: 1, window: 65_535 }, { server: { activeMax: 256 } });
  rig.invade(300, UNREAD);
  t.equal(rig.pool('tcp.active').used, 256);
  rig.world.runFor(3_000_000);
  rig.upload(BYTES, 60_000_000);
  const after = rig.upload(BYTES, 60_000_000);
  t.comment(`${before / 1000} ms alone, ${after / 1000} ms beside them`);
  t.ok(after <= 2 * before, `${after / before} times as long`);
  rig.expectAllFreed();
  t.end();
});
