import type { Test } from 'tap';
import type { Driver } from '../../drivers/driver.js';
import type { Us } from '../../stack/base/units.js';
import { FrameSlab, type FrameSlabOptions } from '../../stack/memory/frame-slab.js';
import { FrameBatch } from '../../stack/net/device.js';

/** An EtherType for experiments (IEEE 802): no stack answers it. */
export const ETHERTYPE_TEST = 0x88b5;

/** A device with someone at the other end. */
export interface Fixture {
  readonly device: Driver;
  /** Sends frames to the device. */
  inject(frames: readonly Uint8Array[]): void;
  /** What the device has sent. */
  collect(): Uint8Array[];
  /** Lets the other end take nothing, and take again; absent where it cannot be made to. */
  block?(): void;
  unblock?(): void;
  /** Takes the device away under its holder. */
  fail(): void;
  close(): void;
}

/** A frame that can be told from others, `length` bytes long. */
export function frame(number: number, length = 60, destination?: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  bytes.set(destination ?? Uint8Array.of(2, 0, 0, 0, 0, 1));
  bytes.set(Uint8Array.of(2, 0, 0, 0, 0, 2), 6);
  view.setUint16(12, ETHERTYPE_TEST);
  view.setUint32(14, number);
  for (let i = 18; i < length; i++) bytes[i] = (number * 31 + i) & 0xff;
  return bytes;
}
export function numberOf(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(14);
}
export function frames(first: number, count: number, length = 60): Uint8Array[] {
  return Array.from({ length: count }, (_, i) => frame(first + i, length));
}

/** What a host does with a device, as far as a device can tell. */
export class TestHost {
  readonly slab: FrameSlab;
  readonly batch: FrameBatch;
  readonly queue = new FrameBatch(512);
  now = 0;
  constructor(
    readonly device: Driver,
    options: FrameSlabOptions & { batchFrames?: number } = {},
  ) {
    this.slab = new FrameSlab({ slots: 1024, ...options });
    this.batch = new FrameBatch(options.batchFrames ?? 256);
  }

  /** One turn's receive: the frames that came, copied out; their slots are given back. */
  receive(): Uint8Array[] {
    const { slab, batch } = this;
    this.device.advance(this.now as Us);
    batch.clear();
    this.device.receive(batch, slab);
    const got: Uint8Array[] = [];
    for (let i = 0; i < batch.count; i++) {
      got.push(slab.bytes.slice(batch.offsets[i], batch.offsets[i] + batch.lengths[i]));
    }
    this.device.processed?.(batch, slab);
    for (let i = 0; i < batch.count; i++) slab.give(batch.offsets[i]);
    return got;
  }
  /** Turns until one brings nothing. */
  receiveAll(): Uint8Array[] {
    const all: Uint8Array[] = [];
    for (;;) {
      const got = this.receive();
      if (got.length === 0) return all;
      all.push(...got);
    }
  }

  enqueue(list: readonly Uint8Array[]): void {
    for (const bytes of list) {
      const at = this.slab.take() + this.slab.headroom;
      this.slab.bytes.set(bytes, at);
      this.queue.push(at, bytes.length);
    }
  }
  /** Offers what is queued; what is not accepted stays. Returns how many were. */
  offer(): number {
    const accepted = this.device.transmit(this.queue, 0, this.slab);
    this.queue.offsets.copyWithin(0, accepted, this.queue.count);
    this.queue.lengths.copyWithin(0, accepted, this.queue.count);
    this.queue.count -= accepted;
    return accepted;
  }
  send(list: readonly Uint8Array[]): number {
    this.enqueue(list);
    return this.offer();
  }
}

/** What `stack/net/device.ts` promises, asked of one device. */
export function deviceContract(t: Test, name: string, make: () => Fixture): void {
  const check = (title: string, body: (t: Test, fixture: Fixture, host: TestHost) => void, options = {}) => {
    t.test(`${name}: ${title}`, (t) => {
      const fixture = make();
      const host = new TestHost(fixture.device, options);
      body(t, fixture, host);
      fixture.device.close(host.slab);
      host.queue.clear();
      fixture.close();
      t.end();
    });
  };

  check('a frame that waits → received unchanged behind the headroom, and counted', (t, fixture, host) => {
    const sent = frame(7, 1000);
    fixture.inject([sent]);
    const [got, ...more] = host.receive();
    t.same(got, sent);
    t.same(more, []);
    t.equal(host.slab.freeCount, host.slab.slots, 'every slot is free again');
    t.equal(host.batch.offsets[0], host.slab.slotOf(host.batch.offsets[0] as number) + host.slab.headroom);
    t.match(fixture.device.counters, { framesReceived: 1, bytesReceived: 1000, dropsReceived: 0 });
    t.same(host.receive(), [], 'and not a second time');
  });

  check('a hundred frames each way → in order', (t, fixture, host) => {
    const numbers = Array.from({ length: 100 }, (_, i) => i);
    fixture.inject(frames(0, 100));
    t.same(host.receiveAll().map(numberOf), numbers);
    t.equal(host.send(frames(0, 100)), 100);
    t.same(fixture.collect().map(numberOf), numbers);
    t.equal(host.slab.freeCount, host.slab.slots);
    t.match(fixture.device.counters, { framesReceived: 100, framesSent: 100, bytesSent: 6000, dropsSent: 0 });
  });

  check(
    'more frames than the batch holds → the rest with the next receive',
    (t, fixture, host) => {
      fixture.inject(frames(0, 20));
      t.same(host.receive().map(numberOf), [0, 1, 2, 3, 4, 5, 6, 7]);
      t.same(host.receiveAll().map(numberOf), [8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
      t.equal(host.slab.freeCount, host.slab.slots);
    },
    { batchFrames: 8 },
  );

  check('a batch with frames in it already → appended behind them', (t, fixture, host) => {
    fixture.inject([frame(5)]);
    host.batch.push(12345, 67);
    fixture.device.advance(0 as Us);
    t.equal(fixture.device.receive(host.batch, host.slab), 1);
    t.equal(host.batch.count, 2);
    t.equal(host.batch.offsets[0], 12345);
    t.equal(host.batch.lengths[1], 60);
    host.slab.give(host.batch.offsets[1] as number);
  });

  check('transmit from the middle of a batch → only those, and only their slots given back', (t, fixture, host) => {
    host.enqueue(frames(0, 5));
    const kept = [host.queue.offsets[0] as number, host.queue.offsets[1] as number];
    t.equal(fixture.device.transmit(host.queue, 2, host.slab), 3);
    t.same(fixture.collect().map(numberOf), [2, 3, 4]);
    t.equal(host.slab.freeCount, host.slab.slots - 2);
    for (const at of kept) host.slab.give(at);
  });

  check(
    'no slot free → the frame is lost and counted, and the device goes on',
    (t, fixture, host) => {
      fixture.inject(frames(0, 6));
      const taken = Array.from({ length: 2 }, () => host.slab.take());
      t.same(host.receive().map(numberOf), [0, 1]);
      t.equal(fixture.device.counters.dropsReceived, 4);
      for (const at of taken) host.slab.give(at);
      t.equal(host.slab.freeCount, host.slab.slots);
      fixture.inject([frame(9)]);
      t.same(host.receive().map(numberOf), [9]);
    },
    { slots: 4 },
  );

  check(
    'a frame longer than a slot → lost and counted; the next is received',
    (t, fixture, host) => {
      fixture.inject([frame(1, 1000), frame(2, 200)]);
      t.same(host.receiveAll().map(numberOf), [2]);
      t.equal(fixture.device.counters.dropsReceived, 1);
      t.equal(host.slab.freeCount, host.slab.slots);
    },
    { slotBytes: 512 },
  );

  check(
    'the other end takes no more → a short count; the rest, offered again, arrives once and in order',
    (t, fixture, host) => {
      if (fixture.block === undefined || fixture.unblock === undefined) {
        t.pass('this device cannot be made to refuse');
        return;
      }
      fixture.block();
      const accepted = host.send(frames(0, 200));
      t.ok(accepted < 200, `accepted ${accepted} of 200`);
      t.equal(host.queue.count, 200 - accepted);
      const got: number[] = [];
      fixture.unblock();
      for (let turn = 0; turn < 200 && got.length < 200; turn++) {
        got.push(...fixture.collect().map(numberOf));
        fixture.device.advance(host.now as Us);
        host.offer();
      }
      t.same(
        got,
        Array.from({ length: 200 }, (_, i) => i),
      );
      t.equal(host.slab.freeCount, host.slab.slots);
    },
  );

  check(
    'close → twice is once; nothing is received, and what is offered is dropped and given back',
    (t, fixture, host) => {
      fixture.inject(frames(0, 3));
      fixture.device.close(host.slab);
      fixture.device.close(host.slab);
      t.same(host.receive(), []);
      t.equal(host.send(frames(0, 3)), 3);
      t.equal(fixture.device.counters.dropsSent, 3);
      t.equal(host.slab.freeCount, host.slab.slots);
      t.equal(fixture.device.pollFd, -1);
      t.equal(fixture.device.nextDeadline(), Number.POSITIVE_INFINITY);
    },
  );

  check(
    'it fails → says why from the next use on; nothing is received, what is offered is dropped',
    (t, fixture, host) => {
      const { device } = fixture;
      t.equal(device.failure, null, 'it works');
      t.equal(host.send(frames(0, 3)), 3);
      fixture.inject(frames(0, 3));
      t.equal(host.receive().length, 3);
      t.equal(device.failure, null, 'still');
      let wakes = 0;
      device.onWake?.(() => {
        wakes += 1;
      });
      fixture.fail();
      t.same(host.receive(), []);
      const { failure } = device;
      t.match(failure, { code: 'EIO', message: /no longer works/ });
      if (device.pollFd < 0) t.equal(wakes, 1, 'without a descriptor its host is woken');
      const { dropsSent, framesSent } = device.counters;
      t.equal(host.send(frames(0, 200)), 200, 'all accepted');
      t.equal(device.counters.dropsSent - dropsSent, 200, 'and dropped');
      t.equal(device.counters.framesSent, framesSent);
      t.equal(host.slab.freeCount, host.slab.slots);
      fixture.fail();
      t.same(host.receive(), []);
      device.close(host.slab);
      t.equal(device.failure, failure, 'the same, once and for all');
      t.equal(device.nextDeadline(), Number.POSITIVE_INFINITY);
    },
  );

  check('it fails while it sends → the frames are dropped, the failure is known', (t, fixture, host) => {
    host.enqueue(frames(0, 3));
    fixture.fail();
    t.equal(host.offer(), 3);
    t.match(fixture.device.failure, { code: 'EIO' });
    t.equal(fixture.device.counters.dropsSent, 3);
    t.equal(host.slab.freeCount, host.slab.slots);
  });

  check('name, MTU, MAC → known', (t, fixture) => {
    const { device } = fixture;
    t.match(device.name, /^(tap:|loopback)/);
    t.equal(device.mtu, 1500);
    t.equal(device.mac.length, 6);
    t.equal((device.mac[0] as number) & 3, 2, 'locally administered, a station');
  });
}
