import t, { type Test } from 'tap';
import { Layer } from '../../drivers/driver.js';
import { FaultDevice } from '../../drivers/fault.js';
import { type FaultOptions, parseFaults } from '../../drivers/fault-options.js';
import { createWire } from '../../drivers/loopback.js';
import { Prng } from '../../stack/base/prng.js';
import type { Us } from '../../stack/base/units.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import type { FrameBatch } from '../../stack/net/device.js';
import { frame, frames, numberOf, TestHost } from './contract.js';

/** A host behind a bad link, and one at the other end of it. */
function badLink(text: string | FaultOptions, seed = 1) {
  const [near, far] = createWire({ queueFrames: 4096 });
  const faults = new FaultDevice(near, typeof text === 'string' ? parseFaults(text) : text, seed);
  const host = new TestHost(faults, { slots: 4096 });
  const peer = new TestHost(far, { slots: 4096 });
  return { near, faults, host, peer };
}
type BadLink = ReturnType<typeof badLink>;

/** What arrives of `count` frames, sent 64 a turn in both directions; the turns are `turnUs` apart. */
function exchange({ faults, host, peer }: BadLink, count: number, turnUs = 10, length = 60) {
  const there: number[] = [];
  const back: number[] = [];
  for (let first = 0; first < count; first += 64) {
    const some = Math.min(64, count - first);
    host.send(frames(first, some, length));
    peer.send(frames(first, some, length));
    there.push(...peer.receiveAll().map(numberOf));
    back.push(...host.receiveAll().map(numberOf));
    host.now = peer.now += turnUs;
  }
  // What is still held has its time.
  for (let deadline = faults.nextDeadline(); deadline !== Number.POSITIVE_INFINITY; deadline = faults.nextDeadline()) {
    host.now = peer.now = Math.max(deadline, host.now);
    back.push(...host.receiveAll().map(numberOf));
    there.push(...peer.receiveAll().map(numberOf));
  }
  return { there, back };
}

function allFree(t: Test, { host, peer }: BadLink): void {
  t.equal(host.slab.freeCount, host.slab.slots, 'every slot is free again');
  t.equal(peer.slab.freeCount, peer.slab.slots, "every slot of the peer's is free again");
}

const EVERYTHING =
  'loss=2%,burst=0.5%:5,duplicate=3%,reorder=3%,corrupt=2%,delay=5ms,jitter=2ms,rate=100mbit,limit=300';

t.test('the same seed → the same faults, frame for frame; another seed → others', (t) => {
  const first = exchange(badLink(EVERYTHING, 7), 5000);
  const again = exchange(badLink(EVERYTHING, 7), 5000);
  const other = exchange(badLink(EVERYTHING, 8), 5000);
  t.same(again, first);
  t.notSame(other.there, first.there);
  t.notSame(first.there, first.back, 'the directions draw from streams of their own');
  t.end();
});

t.test('traffic in one direction → does not change what happens in the other', (t) => {
  const both = exchange(badLink('loss=5%,duplicate=5%'), 2000).there;
  const link = badLink('loss=5%,duplicate=5%');
  const alone: number[] = [];
  for (let i = 0; i < 2000; i += 50) {
    link.host.send(frames(i, 50));
    alone.push(...link.peer.receiveAll().map(numberOf));
  }
  t.same(alone, both);
  t.end();
});

t.test('every fault at once, then close → every slot is given back', (t) => {
  const link = badLink(EVERYTHING);
  exchange(link, 5000);
  allFree(t, link);
  link.host.send(frames(0, 200));
  link.peer.send(frames(0, 200));
  link.host.receive();
  t.ok(link.host.slab.freeCount < link.host.slab.slots, 'some are held');
  link.faults.close(link.host.slab);
  link.faults.close(link.host.slab);
  t.equal(link.host.slab.freeCount, link.host.slab.slots);
  t.end();
});

t.test('loss=10% → a tenth is lost, each for itself, in order otherwise', (t) => {
  const link = badLink('out.loss=10%');
  const { there, back } = exchange(link, 20_000);
  const { lost, frames: seen } = link.faults.faults.out;
  t.equal(seen, 20_000);
  t.equal(there.length, 20_000 - lost);
  // Four standard deviations of a binomial: 4 · √(20000 · 0.1 · 0.9) = 170.
  t.ok(Math.abs(lost - 2000) < 170, `lost ${lost}`);
  // Independent losses come in runs of 1/(1 - p) frames.
  t.ok(Math.abs(meanRun(there, 20_000) - 1 / 0.9) < 0.06, 'runs as short as chance makes them');
  t.same(
    there,
    [...there].sort((a, b) => a - b),
  );
  t.equal(back.length, 20_000, 'nothing is lost the other way');
  allFree(t, link);
  t.end();
});

t.test('burst=1%:8 → frames are lost in runs of eight on average', (t) => {
  const link = badLink('out.burst=1%:8');
  const { there } = exchange(link, 50_000);
  const { burstLost } = link.faults.faults.out;
  t.equal(there.length, 50_000 - burstLost);
  // In the long run 8 of 8 + 99 frames are in a burst.
  t.ok(Math.abs(burstLost / 50_000 - 8 / 107) < 0.012, `lost ${burstLost}`);
  t.ok(Math.abs(meanRun(there, 50_000) - 8) < 1.2, `runs of ${meanRun(there, 50_000)}`);
  t.end();
});

t.test('burst=1%:8:50% → half of a burst survives', (t) => {
  const link = badLink('out.burst=1%:8:50%');
  exchange(link, 50_000);
  t.ok(Math.abs(link.faults.faults.out.burstLost / 50_000 - 4 / 107) < 0.008);
  t.end();
});

t.test('duplicate=5% → some arrive twice, one behind the other and alike', (t) => {
  const link = badLink('duplicate=5%');
  const { there, back } = exchange(link, 10_000);
  for (const [got, { duplicated }] of [
    [there, link.faults.faults.out],
    [back, link.faults.faults.in],
  ] as const) {
    t.equal(got.length, 10_000 + duplicated);
    t.ok(Math.abs(duplicated - 500) < 90, `duplicated ${duplicated}`);
    t.equal(got.filter((number, i) => i > 0 && got[i - 1] === number).length, duplicated);
    t.equal(new Set(got).size, 10_000);
  }
  allFree(t, link);
  t.end();
});

t.test('a duplicate → has the bytes and the note of the original', (t) => {
  const [near, far] = createWire();
  const device = new FaultDevice(near, parseFaults('in.duplicate=100%,in.delay=1ms'), 1);
  const host = new TestHost(device, { noteInts: 4 });
  const peer = new TestHost(far);
  const sent = frame(3, 1400);
  peer.send([sent]);
  t.same(host.receive(), []);
  host.now = 1000;
  t.same(host.receive(), [sent, sent]);
  t.not(host.batch.offsets[0], host.batch.offsets[1], 'each in a slot of its own');
  t.equal(host.slab.freeCount, host.slab.slots);

  const notes: (number | undefined)[] = [];
  class Spy extends Layer {
    override transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
      for (let i = first; i < from.count; i++) notes.push(slab.notes?.[slab.noteRow(from.offsets[i] as number) + 3]);
      return super.transmit(from, first, slab);
    }
  }
  const out = new TestHost(new FaultDevice(new Spy(near), parseFaults('out.duplicate=100%'), 1), { noteInts: 4 });
  out.enqueue([sent]);
  (out.slab.notes as Int32Array)[out.slab.noteRow(out.queue.offsets[0] as number) + 3] = 77;
  out.offer();
  t.same(notes, [77, 77]);
  t.end();
});

t.test('corrupt=10% → one bit of a tenth of the frames is flipped', (t) => {
  const link = badLink('out.corrupt=10%');
  let changed = 0;
  const positions = new Set<number>();
  for (let i = 0; i < 5000; i++) {
    const sent = frame(i, 100);
    link.host.send([sent]);
    const [got] = link.peer.receive();
    const flipped = bitsApart(sent, got as Uint8Array);
    if (flipped.length > 0) changed += 1;
    if (flipped.length > 1) t.fail(`${flipped.length} bits of frame ${i}`);
    for (const bit of flipped) positions.add(bit);
  }
  t.equal(changed, link.faults.faults.out.corrupted);
  t.ok(Math.abs(changed - 500) < 85, `corrupted ${changed}`);
  t.ok(positions.size > 300, `at ${positions.size} places of 800`);
  t.end();
});

t.test('reorder=5% → some let one to four later ones pass; nothing is lost', (t) => {
  const link = badLink('out.reorder=5%');
  const { there } = exchange(link, 20_000);
  const { reordered } = link.faults.faults.out;
  t.equal(there.length, 20_000);
  t.ok(Math.abs(reordered - 1000) < 125, `reordered ${reordered}`);
  // A frame is late by those numbered above it that came before; with others held beside it, by a few more.
  const late = there.map((number, i) => there.slice(Math.max(0, i - 40), i).filter((other) => other > number).length);
  t.equal(late.filter((by) => by > 0).length >= reordered * 0.95, true);
  t.ok(Math.max(...late) <= 8, `late by ${Math.max(...late)} at most`);
  t.ok(late.filter((by) => by >= 3).length > reordered / 4, 'often by enough to look like a loss');
  allFree(t, link);
  t.end();
});

t.test('reorder=100%, and nothing follows → the frame is let go after five milliseconds', (t) => {
  const link = badLink('reorder=100%');
  link.host.send([frame(1)]);
  link.peer.send([frame(2)]);
  t.same(link.host.receive(), []);
  t.same(link.peer.receive(), []);
  t.equal(link.faults.nextDeadline(), 5000);
  link.host.now = link.peer.now = 5000;
  t.same(link.host.receive().map(numberOf), [2]);
  t.same(link.peer.receive().map(numberOf), [1]);
  t.equal(link.faults.nextDeadline(), Number.POSITIVE_INFINITY);
  t.same(link.faults.faults.out.reordered, 0, 'nothing has passed it');
  t.end();
});

t.test('delay=10ms → each frame exactly ten milliseconds later, both ways', (t) => {
  const link = badLink('delay=10ms');
  const { host, peer, faults } = link;
  host.now = peer.now = 500;
  faults.advance(500 as Us);
  host.send([frame(1)]);
  peer.send([frame(2)]);
  t.same(host.receive(), []);
  t.equal(faults.nextDeadline(), 10_500);
  host.now = peer.now = 10_499;
  t.same([host.receive(), peer.receive()], [[], []]);
  host.now = peer.now = 10_500;
  t.same(host.receive().map(numberOf), [2]);
  t.same(peer.receive().map(numberOf), [1]);
  t.equal(faults.nextDeadline(), Number.POSITIVE_INFINITY);
  t.end();
});

t.test('jitter → arrivals spread around the delay, and never out of order', (t) => {
  const link = badLink('out.delay=10ms,out.jitter=4ms');
  const { host, peer, faults } = link;
  const delays: number[] = [];
  for (let i = 0; i < 500; i++) {
    const sentAt = host.now;
    faults.advance(sentAt as Us);
    host.send([frame(i)]);
    const due = faults.nextDeadline();
    delays.push(due - sentAt);
    faults.advance(due as Us);
    peer.now = due;
    t.same(peer.receive().map(numberOf), [i]);
    host.now = due + 20_000;
  }
  t.ok(Math.min(...delays) >= 6000 && Math.min(...delays) < 6200, `least ${Math.min(...delays)}`);
  t.ok(Math.max(...delays) <= 14_000 && Math.max(...delays) > 13_800, `most ${Math.max(...delays)}`);
  const mean = delays.reduce((sum, delay) => sum + delay, 0) / delays.length;
  t.ok(Math.abs(mean - 10_000) < 420, `mean ${mean}`);
  const { there } = exchange(badLink('delay=10ms,jitter=10ms'), 5000);
  t.same(
    there,
    Array.from({ length: there.length }, (_, i) => (there[0] as number) + i),
    'close together, too',
  );
  t.end();
});

t.test('rate=12mbit → a frame of 1500 bytes each millisecond', (t) => {
  const link = badLink('out.rate=12mbit');
  link.host.send(frames(0, 10, 1500));
  const arrivals: number[] = [];
  while (arrivals.length < 10) {
    link.host.now = link.faults.nextDeadline();
    link.faults.advance(link.host.now as Us);
    link.peer.now = link.host.now;
    for (const _ of link.peer.receive()) arrivals.push(link.host.now);
  }
  t.same(arrivals, [1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000]);
  t.end();
});

t.test('rate, idle for a while → no credit is saved up', (t) => {
  const link = badLink('out.rate=12mbit');
  link.faults.advance(1_000_000 as Us);
  link.host.send(frames(0, 2, 1500));
  t.equal(link.faults.nextDeadline(), 1_001_000);
  link.faults.advance(1_001_000 as Us);
  t.equal(link.faults.nextDeadline(), 1_002_000);
  t.end();
});

t.test('limit=20, more than that at once → the first twenty pass, the rest is dropped and counted', (t) => {
  const link = badLink('rate=1mbit,limit=20');
  t.equal(link.host.send(frames(0, 100)), 100, 'a router does not push back');
  t.equal(link.faults.faults.out.overLimit, 80);
  t.equal(link.host.slab.freeCount, link.host.slab.slots - 20);
  link.host.now = link.peer.now = 1e9;
  link.faults.advance(link.host.now as Us);
  t.same(
    link.peer.receiveAll().map(numberOf),
    Array.from({ length: 20 }, (_, i) => i),
  );
  link.peer.send(frames(0, 100));
  link.host.receive();
  t.equal(link.faults.faults.in.overLimit, 80);
  t.end();
});

t.test('the device below is stuck → delayed frames are kept, offered again within a millisecond, and not lost', (t) => {
  const [near, far] = createWire({ queueFrames: 8 });
  const device = new FaultDevice(near, parseFaults('out.delay=1ms'), 1);
  const host = new TestHost(device);
  const peer = new TestHost(far);
  t.equal(host.send(frames(0, 100)), 100);
  device.advance(1000 as Us);
  t.ok(device.nextDeadline() > 1000 && device.nextDeadline() <= 2000, 'no busy loop');
  const got: number[] = [];
  for (let now = 1000; now < 20_000; now += 1000) {
    device.advance(now as Us);
    peer.now = now;
    got.push(...peer.receiveAll().map(numberOf));
  }
  t.same(
    got,
    Array.from({ length: 100 }, (_, i) => i),
  );
  t.equal(host.slab.freeCount, host.slab.slots);
  t.end();
});

t.test('three hundred links with faults at random, and at any moment closed → every frame is accounted for', (t) => {
  for (let seed = 0; seed < 300; seed++) {
    const prng = new Prng(seed);
    const chance = () => (prng.below(3) === 0 ? prng.fraction() : 0);
    const lane = () => {
      const delayUs = prng.below(2) * prng.below(3000);
      const rateBits = prng.below(2) === 0 ? Number.POSITIVE_INFINITY : 1e4 + prng.below(1e8);
      return {
        loss: chance(),
        burstStart: chance(),
        burstFrames: 1 + prng.below(10),
        burstLoss: prng.fraction(),
        duplicate: chance(),
        reorder: chance(),
        corrupt: chance(),
        delayUs,
        jitterUs: prng.below(delayUs + 1),
        rateBits,
        limit: 1 + prng.below(50),
      };
    };
    const [near, far] = createWire({ queueFrames: 1 + prng.below(100) });
    const device = new FaultDevice(near, { in: lane(), out: lane() }, seed);
    // Few slots, so that they run out, too.
    const host = new TestHost(device, { slots: 32 + prng.below(64), batchFrames: 1 + prng.below(64) });
    const peer = new TestHost(far);
    for (let turn = 0; turn < 60; turn++) {
      host.now = peer.now += prng.below(500);
      peer.send(frames(turn, Math.min(prng.below(30), 200 - peer.queue.count)));
      host.enqueue(frames(turn, Math.min(prng.below(20), host.slab.freeCount)));
      host.receive();
      host.offer();
      peer.receive();
      const deadline = device.nextDeadline();
      if (!(deadline >= 0)) t.fail(`deadline ${deadline}, seed ${seed}`);
    }
    device.close(host.slab);
    const held = host.slab.slots - host.slab.freeCount;
    if (held !== host.queue.count) t.fail(`${held} slots taken, ${host.queue.count} in the queue, seed ${seed}`);
  }
  t.pass('no slot lost, none given back twice');
  t.end();
});

/** How many frames in a row are missing, on average. */
function meanRun(got: readonly number[], count: number): number {
  let runs = 0;
  let next = 0;
  for (const number of [...got, count]) {
    if (number > next) runs += 1;
    next = number + 1;
  }
  return (count - got.length) / runs;
}

function bitsApart(a: Uint8Array, b: Uint8Array): number[] {
  const bits: number[] = [];
  for (let i = 0; i < a.length * 8; i++) {
    if (((((a[i >> 3] as number) ^ (b[i >> 3] as number)) >> (i & 7)) & 1) === 1) bits.push(i);
  }
  return bits;
}
