/**
 * What the stack's work over a TAP costs, in µs: the constants of the cost model. `node cost-run.js` inside a network namespace of its own, as
 * root; `bench -- cost` starts it. Prints one line of JSON.
 *
 * The smallest of many samples each: whatever else runs on the machine only ever adds.
 */
import { openTap } from '../../drivers/tap.js';
import type { CostModel } from '../../src/host/cost-model.js';
import { Host } from '../../src/host/host.js';
import type { Us } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { FrameBatch } from '../../stack/net/device.js';
import { Stack } from '../../stack/stack.js';
import { type FloodKind, floodFrames } from './flood-frames.js';
import { PacketSender } from './packet-sender.js';

/** Frames in a sample: what a turn takes at most. */
const FRAMES = 512;
const SAMPLES = 300;
/** Samples before the first that counts: the code is compiled by then. */
const WARM_UP = 100;
const NAME = 'cost0';
const KERNEL = '10.98.1.1';
const OWN = '10.98.1.2';

const unlimited = { perSecond: 1e9, burst: 1_000_000 };
const stack = new Stack({
  seed: 1,
  now: 0 as Us,
  slab: new FrameSlab(),
  net: {
    resetsPerSecond: unlimited.perSecond,
    resetsBurst: unlimited.burst,
    answerQueueFrames: FRAMES,
  },
});
const device = openTap(NAME, { hostAddress: `${KERNEL}/24` });
const host = new Host({ stack });
const address = stack.net.parseAddress(OWN);
host.attach(device, { addresses: [{ address, prefixLength: 24 }] });
host.start();
const target = {
  mac: device.mac,
  address,
  openPort: 7,
  closedPort: 9,
  fromMac: device.hostMac,
  from: stack.net.parseAddress(KERNEL),
};

function smallest(sample: () => number): number {
  let least = Infinity;
  for (let i = 0; i < WARM_UP + SAMPLES; i++) {
    const value = sample();
    if (i >= WARM_UP && value < least) least = value;
  }
  return least;
}

/** µs of a turn that takes this many frames of the kind. */
function turnUs(kind: FloodKind, count: number): number {
  const sender = new PacketSender(NAME, floodFrames(kind, target, FRAMES));
  const least = smallest(() => {
    sender.send(count);
    const start = performance.now();
    host.turn();
    return (performance.now() - start) * 1000;
  });
  sender.close();
  return least;
}

/** µs from a frame that is sent to the end of the turn that the event loop takes for it. */
async function wakeUs(): Promise<number> {
  const sender = new PacketSender(NAME, floodFrames('rst', target, 1));
  let least = Infinity;
  for (let i = 0; i < WARM_UP + SAMPLES; i++) {
    const before = stack.net.interfaces[0].counters.framesReceived;
    const start = performance.now();
    sender.send(1);
    const sent = performance.now();
    while (stack.net.interfaces[0].counters.framesReceived === before) {
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    const us = (performance.now() - sent) * 1000;
    if (i >= WARM_UP && us < least && sent > start) least = us;
  }
  sender.close();
  return least;
}

// First, while there is nothing: what wakes us is what the kernel itself sends when the interface comes up.
const wake = await wakeUs();
const batch = new FrameBatch(1);
const lookUs = smallest(() => {
  const start = performance.now();
  for (let i = 0; i < FRAMES; i++) {
    if (device.receive(batch, stack.slab) > 0) throw new Error('a frame that nobody sent');
  }
  return ((performance.now() - start) * 1000) / FRAMES;
});
const [one, many] = [turnUs('rst', 1), turnUs('rst', FRAMES)];
const receivedUs = (many - one) / (FRAMES - 1);
const answeredUs = (turnUs('ack', FRAMES) - turnUs('ack', 1)) / (FRAMES - 1);
const costs: CostModel = { turnUs: wake - receivedUs - lookUs, lookUs, receivedUs, sentUs: answeredUs - receivedUs };
host.stop();
process.stdout.write(`${JSON.stringify({ costs })}\n`);
