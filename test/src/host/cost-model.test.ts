/** Virtual worlds in which a host's work takes time. */
import t from 'tap';
import { createWire } from '../../../drivers/loopback.js';
import { TAP_COSTS } from '../../../src/host/cost-model.js';
import { type VirtualHost, VirtualWorld } from '../../../src/host/virtual-world.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { FrameBatch } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';

const LATENCY_US = 100;
/** Whole numbers, so that sums are exact. */
const COSTS = { turnUs: 1000, lookUs: 1, receivedUs: 10, sentUs: 20 };

interface Machines {
  readonly world: VirtualWorld;
  readonly near: VirtualHost;
  readonly far: VirtualHost;
  /** So many echo requests at once. */
  ping(count: number): void;
  /** When their answers came, µs from the request. */
  answers(): number[];
}

function machines(queueFrames = 1024): Machines {
  const world = new VirtualWorld();
  const [a, b] = createWire({ latencyUs: LATENCY_US, queueFrames, whenFull: 'drop' });
  const limits = { connectionsMax: 16, activeMax: 16 };
  const near = world.add('near', new Stack({ seed: 1, tcp: limits }), {}, COSTS);
  const far = world.add('far', new Stack({ seed: 2, tcp: limits }));
  const nearAddress = near.stack.net.parseAddress('10.0.0.1');
  near.attach(a, { addresses: [{ address: nearAddress, prefixLength: 24 }] });
  far.attach(b, { addresses: [{ address: far.stack.net.parseAddress('10.0.0.2'), prefixLength: 24 }] });
  let start = 0;
  const ping = (count: number): void => {
    start = world.now;
    for (let i = 0; i < count; i++) far.stack.net.sendEcho(nearAddress, 1, i, 8);
    far.wake();
  };
  const answers = (): number[] => {
    const times: number[] = [];
    while (far.stack.net.nextEcho()) times.push(far.stack.net.echoResult.at - start);
    return times;
  };
  ping(1); // ARP, both ways
  world.runFor(10_000_000);
  answers();
  return { world, near, far, ping, answers };
}

t.test(
  'one request → its answer comes a turn, a look, a frame in and a frame out later than the wire alone would bring it',
  (t) => {
    const { world, ping, answers } = machines();
    ping(1);
    world.runFor(1_000_000);
    t.same(answers(), [2 * LATENCY_US + COSTS.turnUs + COSTS.lookUs + COSTS.receivedUs + COSTS.sentUs]);
    t.end();
  },
);

t.test('several at once → each answer leaves when the work has come to it', (t) => {
  const { world, ping, answers } = machines();
  ping(3);
  world.runFor(1_000_000);
  const first = 2 * LATENCY_US + COSTS.turnUs + COSTS.lookUs + 3 * COSTS.receivedUs + COSTS.sentUs;
  t.same(answers(), [first, first + COSTS.sentUs, first + 2 * COSTS.sentUs]);
  t.end();
});

t.test('what arrives while the host works → waits, and is taken by the next turn', (t) => {
  const { world, near, ping, answers } = machines();
  ping(1);
  world.runFor(LATENCY_US + 500); // in the middle of the turn
  t.equal(near.busyUntilUs, world.now + 531);
  ping(1);
  world.runFor(1_000_000);
  const times = answers();
  t.equal(times.length, 2);
  // The turn at hand has 431 µs left when the second arrives; then a turn of its own.
  t.equal(times[1], LATENCY_US + 431 + COSTS.turnUs + COSTS.lookUs + COSTS.receivedUs + COSTS.sentUs + LATENCY_US);
  t.end();
});

t.test(
  'frames come fast → the next turn follows at once, without the event loop in between, until one finds nothing',
  (t) => {
    const { world, ping, near, answers } = machines();
    ping(4);
    world.runFor(LATENCY_US);
    t.equal(near.turns.again, true, 'four frames are many');
    ping(1);
    world.runFor(1_000_000);
    const busy = COSTS.turnUs + COSTS.lookUs + 4 * (COSTS.receivedUs + COSTS.sentUs);
    t.equal(answers().at(-1), busy + COSTS.lookUs + COSTS.receivedUs + COSTS.sentUs + LATENCY_US);
    t.equal(near.turns.again, false);
    t.end();
  },
);

t.test('frames come fast for ever → after a turn’s budget others get theirs', (t) => {
  const { world, near, far } = machines();
  const address = near.stack.net.parseAddress('10.0.0.1');
  let turnsAtOnce = 0;
  let longest = 0;
  for (let i = 0; i < 3000; i++) {
    for (let n = 0; n < 10; n++) far.stack.net.sendEcho(address, 1, n, 8);
    far.wake();
    world.runFor(100);
    turnsAtOnce = near.turns.again ? turnsAtOnce + 1 : 0;
    longest = Math.max(longest, turnsAtOnce);
  }
  t.ok(longest > 0 && longest < 200, `${longest} in a row`);
  t.end();
});

t.test('more than the queue holds → the newest are lost and counted, as before a TAP', (t) => {
  const { world, near, far } = machines(8);
  const device = far.attachments[0].device;
  const slab = new FrameSlab({ slots: 64 });
  const batch = new FrameBatch(20);
  for (let i = 0; i < 20; i++) batch.push(slab.take() + slab.headroom, 60);
  device.advance(world.now);
  t.equal(device.transmit(batch, 0, slab), 20, 'nothing waits at the sender');
  t.equal(device.counters.dropsSent, 12);
  t.equal(slab.freeCount, 64);
  const before = near.attachments[0].iface.counters.framesReceived;
  world.runFor(1_000_000);
  t.equal(near.attachments[0].iface.counters.framesReceived - before, 8);
  t.end();
});

t.test('a host without a model → its work takes no time', (t) => {
  const { far } = machines();
  t.equal(far.cpu, null);
  t.equal(far.busyUntilUs, 0);
  t.end();
});

t.test('the model of a TAP → every constant is above zero, and a turn costs more than a frame', (t) => {
  for (const value of Object.values(TAP_COSTS)) t.ok(value > 0);
  t.ok(TAP_COSTS.turnUs > TAP_COSTS.receivedUs + TAP_COSTS.sentUs);
  t.end();
});
