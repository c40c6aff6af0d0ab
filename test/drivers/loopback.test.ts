import t from 'tap';
import { createWire } from '../../drivers/loopback.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Medium } from '../../stack/net/device.js';
import { frame, frames, numberOf, TestHost } from './contract.js';

t.test('latency 250 µs → a frame is there when that has passed, not before', (t) => {
  const [near, far] = createWire({ latencyUs: 250 });
  const host = new TestHost(near);
  const peer = new TestHost(far);
  host.now = peer.now = 1000;
  host.receive();
  t.equal(far.nextDeadline(), Number.POSITIVE_INFINITY);
  host.send([frame(1)]);
  t.equal(far.nextDeadline(), 1250);
  t.equal(near.nextDeadline(), Number.POSITIVE_INFINITY);
  peer.now = 1249;
  t.same(peer.receive(), []);
  peer.now = 1250;
  t.same(peer.receive().map(numberOf), [1]);
  t.end();
});

t.test('frames around the ring many times → each arrives once, in order', (t) => {
  const [near, far] = createWire({ queueFrames: 7 });
  const host = new TestHost(near);
  const peer = new TestHost(far);
  const got: number[] = [];
  for (let i = 0; i < 1000; i += 5) {
    host.send(frames(i, 5, 60 + (i % 1400)));
    got.push(...peer.receiveAll().map(numberOf));
  }
  t.same(
    got,
    Array.from({ length: 1000 }, (_, i) => i),
  );
  t.end();
});

t.test('slabs of different sizes → frames are copied between them', (t) => {
  const [near, far] = createWire();
  const host = new TestHost(near, { slotBytes: 2048 });
  const peer = new TestHost(far, { slotBytes: 4096, slots: 16 });
  const sent = frame(1, 1514);
  host.send([sent]);
  t.same(peer.receive(), [sent]);
  t.end();
});

t.test('a frame longer than MTU and headers → dropped by the sender and counted', (t) => {
  const [near, far] = createWire({ mtu: 576 });
  const host = new TestHost(near);
  const peer = new TestHost(far);
  t.equal(host.send([frame(1, 576 + 18), frame(2, 576 + 19), frame(3)]), 3);
  t.same(peer.receive().map(numberOf), [1, 3]);
  t.equal(near.counters.dropsSent, 1);
  t.equal(host.slab.freeCount, host.slab.slots);
  t.end();
});

t.test('a frame on an idle wire → wakes the receiver, once for a queue', (t) => {
  const [near, far] = createWire();
  const host = new TestHost(near);
  const peer = new TestHost(far);
  let wakes = 0;
  far.onWake(() => {
    wakes += 1;
  });
  host.send([frame(1)]);
  host.send([frame(2)]);
  t.equal(wakes, 1);
  peer.receive();
  host.send([frame(3)]);
  t.equal(wakes, 2);
  t.end();
});

t.test('a sender that had to wait → woken when there is room, and not made to spin until then', (t) => {
  const [near, far] = createWire({ queueFrames: 2, latencyUs: 100 });
  const host = new TestHost(near);
  const peer = new TestHost(far);
  let wakes = 0;
  near.onWake(() => {
    wakes += 1;
  });
  t.equal(host.send(frames(0, 3)), 2);
  t.equal(near.nextDeadline(), 100);
  host.now = 100;
  host.receive();
  t.equal(near.nextDeadline(), Number.POSITIVE_INFINITY);
  t.equal(wakes, 0);
  peer.now = 100;
  peer.receive();
  t.equal(wakes, 1);
  t.equal(host.offer(), 1);
  t.end();
});

t.test('the peer is closed → frames to it are dropped and counted; what it had sent still arrives', (t) => {
  const [near, far] = createWire();
  const host = new TestHost(near);
  const peer = new TestHost(far);
  peer.send([frame(1)]);
  far.close(new FrameSlab({ slots: 1 }));
  t.same(host.receive().map(numberOf), [1]);
  t.equal(host.send([frame(2)]), 1);
  t.equal(near.counters.dropsSent, 1);
  t.end();
});

t.test('names, peers and MAC addresses → the two ends differ, the same every time', (t) => {
  const [near, far] = createWire({ seed: 3 });
  const [again] = createWire({ seed: 3 });
  const [other] = createWire({ seed: 4 });
  t.equal(near.peer, far);
  t.equal(far.peer, near);
  t.notSame(near.mac, far.mac);
  t.same(near.mac, again.mac);
  t.notSame(near.mac, other.mac);
  t.same(createWire({ medium: Medium.IP })[0].mac, new Uint8Array(6));
  t.end();
});

for (const [options, message] of [
  [{ mtu: 67 }, /^mtu is 67: allowed is a whole number from 68 to 65535/],
  [{ mtu: 1500.5 }, /^mtu is 1500\.5/],
  [{ latencyUs: -1 }, /^latencyUs is -1/],
  [{ queueFrames: 0 }, /^queueFrames is 0/],
] as const) {
  t.test(`${JSON.stringify(options)} → refused, naming the option and what is allowed`, (t) => {
    t.throws(() => createWire(options), { code: 'ERR_OUT_OF_RANGE', message });
    t.end();
  });
}
