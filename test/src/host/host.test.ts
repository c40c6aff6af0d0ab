import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import t from 'tap';
import { Host } from '../../../src/host/host.js';
import type { Address, Us } from '../../../stack/base/units.js';
import type { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { type Device, type FrameBatch, Medium } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';
import { SMALL_UDP } from '../../small-udp.js';

type Test = Pick<typeof t, 'teardown'>;

/** A device that does as it is told, and keeps what was asked of it. */
class ScriptedDevice implements Device {
  readonly name = 'scripted';
  readonly medium = Medium.IP;
  readonly mtu = 1500;
  readonly mac = new Uint8Array(6);
  readonly counters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  pollFd = -1;
  /** Frames to come. */
  waiting = 0;
  receives = 0;
  processedFrames = 0;
  transmits: number[] = [];
  /** Frames it takes altogether. */
  room = Infinity;
  sent: string[] = [];
  closed = 0;
  wake: (() => void) | null = null;
  /** What `receive` throws: no failure of a device's, but a defect of ours. */
  broken: Error | null = null;

  onWake(callback: (() => void) | null): void {
    this.wake = callback;
  }
  receive(into: FrameBatch, slab: FrameSlab): number {
    this.receives += 1;
    if (this.broken !== null) throw this.broken;
    let count = 0;
    for (; this.waiting > 0 && !into.full; this.waiting -= 1) {
      const slot = slab.take() + slab.headroom;
      // No IP version: dropped at the door.
      slab.bytes.fill(0, slot, slot + 20);
      into.push(slot, 20);
      count += 1;
    }
    return count;
  }
  processed(batch: FrameBatch): void {
    this.processedFrames += batch.count;
  }
  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    let i = first;
    for (; i < from.count && this.room > 0; i++, this.room--) {
      const at = from.offsets[i];
      this.sent.push(Buffer.from(slab.bytes.subarray(at + 28, at + from.lengths[i])).toString());
      slab.give(at);
    }
    this.transmits.push(i - first);
    return i - first;
  }
  advance(_now: Us): void {}
  nextDeadline(): number {
    return Infinity;
  }
  close(): void {
    this.closed += 1;
  }
}

function machine(t: Test): { host: Host; device: ScriptedDevice; stack: Stack; send: (text: string) => void } {
  const stack = new Stack({ seed: 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
  const host = new Host({ stack });
  const device = new ScriptedDevice();
  const address = stack.net.parseAddress('10.0.0.1');
  host.attach(device, { addresses: [{ address, prefixLength: 24 }] });
  t.teardown(() => host.stop());
  const id = stack.udp.open({ address, port: 1 });
  const to = stack.net.parseAddress('10.0.0.2');
  const send = (text: string): void => {
    const bytes = Buffer.from(text);
    stack.udp.send(id, bytes, 0, bytes.length, to, 2);
    host.wake();
  };
  return { host, device, stack, send };
}

const tick = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

t.test(
  'sent outside a turn, promises and ticks in between → one transmission, in the same pass of the event loop',
  async (t) => {
    const { host, device, send } = machine(t);
    host.start();
    device.transmits = [];
    device.sent = [];
    send('a');
    send('b');
    process.nextTick(() => send('c'));
    await Promise.resolve();
    send('d');
    t.same(device.sent, [], 'not from within the call');
    await tick();
    t.same(device.sent, ['a', 'b', 'd', 'c']);
    t.same(device.transmits, [4]);
  },
);

t.test('idle → not one turn, however often the event loop comes round', async (t) => {
  const { host, device } = machine(t);
  host.start();
  await tick();
  const before = device.receives;
  for (let i = 0; i < 500; i++) await tick();
  t.equal(device.receives, before);
});

t.test('a device wakes the host → a turn, once for many calls', async (t) => {
  const { host, device } = machine(t);
  host.start();
  await tick();
  const before = device.receives;
  device.waiting = 3;
  const due = device.nextDeadline;
  device.nextDeadline = () => (device.waiting > 0 ? 0 : due());
  device.wake?.();
  device.wake?.();
  await tick();
  await tick();
  t.equal(device.waiting, 0);
  t.equal(device.receives, before + 1);
  t.equal(device.processedFrames, 3);
});

t.test('frames without end → Node’s timers run all the same, and no slot is lost', async (t) => {
  const { host, device, stack } = machine(t);
  const free = stack.slab.freeCount;
  device.waiting = Infinity;
  host.start();
  // However slow the machine: a turn takes at most 512 frames, and between two of them a timer gets its chance.
  while (device.processedFrames <= 512) await new Promise((resolve) => setTimeout(resolve, 1));
  t.ok(device.processedFrames > 512);
  device.waiting = 0;
  await tick();
  await tick();
  t.equal(stack.slab.freeCount, free);
});

t.test('the device takes less than it is offered → the rest is offered again, in order', async (t) => {
  const { host, device, stack, send } = machine(t);
  host.start();
  const free = stack.slab.freeCount;
  device.sent = [];
  device.room = 2;
  for (let i = 0; i < 5; i++) send(String(i));
  await tick();
  t.same(device.sent, ['0', '1']);
  device.room = 1;
  send('5');
  await tick();
  t.same(device.sent, ['0', '1', '2']);
  device.room = Infinity;
  // Nobody calls: the host comes back by itself.
  while (device.sent.length < 6) await new Promise((resolve) => setTimeout(resolve, 1));
  t.same(device.sent, ['0', '1', '2', '3', '4', '5']);
  t.equal(stack.slab.freeCount, free);
});

t.test('more to send than the transmit queue holds → all of it in one turn where the device keeps up', async (t) => {
  const { host, device, stack } = machine(t);
  host.start();
  device.sent = [];
  const id = stack.udp.open({ port: 7 });
  const to = stack.net.parseAddress('10.0.0.2');
  const limit = host.attachments[0].iface.transmitQueue.limit;
  for (let i = 0; i < limit + 500; i++) {
    stack.udp.send(id, Buffer.from('x'), 0, 1, to, 2);
    if (i === limit - 1) host.turn();
  }
  host.turn();
  t.equal(device.sent.length, limit + 500);
});

t.test('stopped → what is queued is sent, the device closed once, and nothing more happens', async (t) => {
  const { host, device, send } = machine(t);
  host.start();
  device.sent = [];
  send('last');
  host.stop();
  host.stop();
  t.same(device.sent, ['last']);
  t.equal(device.closed, 1);
  t.equal(device.wake, null);
  t.equal(host.running, false);
  const before = device.receives;
  send('too late');
  await tick();
  t.same(device.sent, ['last']);
  t.equal(device.receives, before);
});

t.test(
  'an invariant of the stack breaks in a turn → the host stops, and the error is uncaught, not lost',
  async (t) => {
    const { host, device } = machine(t);
    host.start();
    device.broken = new Error('broken invariant');
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException');
    const caught = new Promise((resolve) => process.once('uncaughtException', resolve));
    host.turn();
    t.equal(await caught, device.broken);
    for (const listener of others) process.on('uncaughtException', listener);
    t.equal(host.running, false);
  },
);

t.test('a turn asked for from within a turn → nothing; the one that runs does it', (t) => {
  const { host, device } = machine(t);
  host.start();
  let inside = 0;
  const receive = device.receive.bind(device);
  device.receive = (into, slab) => {
    inside += 1;
    host.turn();
    return receive(into, slab);
  };
  host.turn();
  t.equal(inside, 1);
  t.end();
});

t.test('a descriptor turns readable → a turn', async (t) => {
  const fifo = path.join(t.testdir(), 'fifo');
  execFileSync('mkfifo', [fifo]);
  const fd = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
  const { host, device } = machine(t);
  t.teardown(() => closeSync(fd));
  device.pollFd = fd;
  let told: () => void = () => {};
  const byte = new Uint8Array(1);
  device.receive = () => {
    try {
      readSync(fd, byte);
      told();
    } catch {
      // Nothing to read: the turn at the start.
    }
    return 0;
  };
  host.start();
  for (const value of [1, 2, 3]) {
    const turned = new Promise<void>((resolve) => {
      told = resolve;
    });
    writeSync(fd, new Uint8Array([value]));
    await turned;
    t.equal(byte[0], value);
  }
  host.stop();
});

t.test('the MTU asked for → at most the device’s', (t) => {
  const stack = new Stack({ seed: 1, tcp: { connectionsMax: 64, activeMax: 64 }, udp: SMALL_UDP });
  const host = new Host({ stack });
  t.equal(host.attach(new ScriptedDevice(), { mtu: 9000 }).mtu, 1500);
  t.equal(host.attach(new ScriptedDevice(), { mtu: 1280 }).mtu, 1280);
  t.equal(stack.net.isLocal(0x0a000001 as Address), false);
  t.end();
});
