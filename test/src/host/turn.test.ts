import t from 'tap';
import { VirtualClock } from '../../../src/host/clock.js';
import { attachDevice, Turn } from '../../../src/host/turn.js';
import { StackDemultiplexer } from '../../../src/reactor/demultiplexer.js';
import { Reactor } from '../../../src/reactor/reactor.js';
import type { ConnectionId } from '../../../stack/base/units.js';
import type { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { type Device, type FrameBatch, Medium } from '../../../stack/net/device.js';
import { Event, SocketKind } from '../../../stack/net/event-queue.js';
import { Stack } from '../../../stack/stack.js';

/** Frames that are dropped at the door, as many as the test wants; what is sent is taken and forgotten. */
class FloodedDevice implements Device {
  readonly name = 'flooded';
  readonly medium = Medium.IP;
  readonly mtu = 1500;
  readonly mac = new Uint8Array(6);
  readonly pollFd = -1;
  readonly counters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  waiting = 0;
  sent = 0;
  /** The last time it was told. */
  now = 0;

  receive(into: FrameBatch, slab: FrameSlab): number {
    let count = 0;
    for (; this.waiting > 0 && !into.full; this.waiting -= 1, count++) into.push(slab.take() + slab.headroom, 20);
    return count;
  }
  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    for (let i = first; i < from.count; i++) slab.give(from.offsets[i] as number);
    this.sent += from.count - first;
    return from.count - first;
  }
  advance(now: number): void {
    this.now = now;
  }
  nextDeadline(): number {
    return Infinity;
  }
  close(): void {}
}

class Rig {
  readonly clock = new VirtualClock(1_000_000);
  readonly stack = new Stack({ seed: 1, now: this.clock.now(), tcp: { connectionsMax: 64, activeMax: 64 } });
  readonly reactor = new Reactor(new StackDemultiplexer(this.stack));
  readonly turn = new Turn(this.stack, this.reactor, this.clock);
  readonly device = new FloodedDevice();
  constructor() {
    const address = this.stack.net.parseAddress('10.0.0.1');
    attachDevice(this.turn, this.device, { addresses: [{ address, prefixLength: 24 }] });
  }
  open(): ConnectionId {
    return this.stack.tcp.open({ remoteAddress: this.stack.net.parseAddress('10.0.0.2'), remotePort: 80 });
  }
  run(): void {
    this.turn.run(this.clock.now());
    this.turn.rest();
  }
  send(): void {
    this.turn.send(this.clock.now());
    this.turn.rest();
  }
  get repeated(): number {
    return this.stack.net.stats.tcpRetransSegs;
  }
}

t.test('frames without end → timers wait for eight turns, and then expire all the same', (t) => {
  const rig = new Rig();
  rig.open();
  rig.run();
  rig.device.waiting = Infinity;
  rig.clock.set(2_000_000);
  for (let turn = 0; turn < 8; turn++) {
    rig.run();
    t.equal(rig.turn.more, true);
  }
  t.equal(rig.repeated, 0);
  rig.run();
  t.equal(rig.repeated, 1);
  t.end();
});

t.test('a device that is drained after three turns → timers expire in the third', (t) => {
  const rig = new Rig();
  rig.open();
  rig.run();
  rig.device.waiting = 1100;
  rig.clock.set(2_000_000);
  rig.run();
  rig.run();
  t.equal(rig.repeated, 0);
  rig.run();
  t.equal(rig.repeated, 1);
  t.end();
});

t.test('half a turn, which asks no device → no timer expires; a whole one is due', (t) => {
  const rig = new Rig();
  rig.open();
  rig.run();
  rig.clock.set(2_000_000);
  rig.send();
  t.equal(rig.repeated, 0);
  t.equal(rig.turn.deadline() <= rig.clock.now(), true);
  rig.run();
  t.equal(rig.repeated, 1);
  t.end();
});

t.test('a timer that comes up late → it waits for one more turn, and no longer', (t) => {
  const rig = new Rig();
  rig.open();
  rig.run();
  rig.clock.set(9_000_000);
  rig.run();
  t.equal(rig.repeated, 0);
  t.equal(rig.turn.deadline() <= rig.clock.now(), true, 'which is due at once');
  rig.clock.set(19_000_000);
  rig.run();
  t.equal(rig.repeated, 1);
  t.end();
});

t.test('a handler that runs for eight seconds → what it sends is stamped with the time it leaves at', (t) => {
  const rig = new Rig();
  const udp = rig.stack.udp.open({ port: 7 });
  const handler = {
    handleEvent() {
      rig.open();
      rig.clock.set(rig.clock.now() + 8_000_000);
    },
  };
  rig.reactor.registerHandler(SocketKind.UDP, udp, handler, Event.WRITABLE);
  rig.reactor.raise(SocketKind.UDP, udp, Event.WRITABLE);
  rig.run();
  t.equal(rig.device.sent, 1);
  t.equal(rig.device.now, 9_000_000, 'the device that may delay it has that time, too');
  rig.clock.set(9_999_000);
  rig.run();
  rig.run();
  t.equal(rig.repeated, 0);
  rig.clock.set(10_000_000);
  rig.run();
  t.equal(rig.repeated, 1, 'the timer of the SYN runs from there');
  t.end();
});

t.test('OPEN, close before the next turn → no SYN was sent, and none is', (t) => {
  const rig = new Rig();
  rig.stack.tcp.close(rig.open());
  rig.run();
  t.equal(rig.device.sent, 0);
  t.equal(rig.stack.tcp.counts.connections, 0);
  t.end();
});
