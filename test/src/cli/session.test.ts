import { mock } from 'node:test';
import t from 'tap';
import type { Driver } from '../../../drivers/driver.js';
import { Layer } from '../../../drivers/driver.js';
import { createWire } from '../../../drivers/loopback.js';
import { FrameWatch } from '../../../src/cli/frame-watch.js';
import type { StackSettings } from '../../../src/cli/options.js';
import { Session } from '../../../src/cli/session.js';
import { Host } from '../../../src/host/host.js';
import { StackError } from '../../../stack/base/errors.js';
import type { Address } from '../../../stack/base/units.js';
import { FrameBatch } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';
import { SMALL_UDP } from '../../small-udp.js';

class Watched extends Layer {
  flushes = 0;
  broken: StackError | null = null;
  override get failure(): StackError | null {
    return this.broken;
  }
  override flush(): void {
    this.flushes += 1;
    super.flush();
  }
}

const SETTINGS: StackSettings = {
  device: 'tap:unused',
  address: { address: 0x0a000001, prefixLength: 24 },
  gateway: undefined,
  mtu: undefined,
  hostAddress: undefined,
  trace: undefined,
  traceLimitBytes: 1 << 20,
  print: false,
  faults: undefined,
  seed: 1,
  seedGiven: true,
  control: false,
};
/** Longer than any period a timer of the session could have. */
const LONG_MS = 60_000;

t.beforeEach(() => mock.timers.enable({ apis: ['setTimeout', 'setInterval'] }));
t.afterEach(() => mock.timers.reset());

/** A session whose host is driven by hand: nothing touches the device but the test. */
function session(t: { teardown(body: () => Promise<void>): void }) {
  const inner: Driver = createWire()[0];
  const device = new Watched(inner);
  const watch = new FrameWatch(device);
  const stack = new Stack({ seed: 1, tcp: { connectionsMax: 16, activeMax: 16 }, udp: SMALL_UDP });
  const host = new Host({ stack });
  const iface = host.attach(watch, { addresses: [{ address: SETTINGS.address.address as Address, prefixLength: 24 }] });
  const made = new Session(SETTINGS, host, iface, watch, undefined, undefined);
  t.teardown(() => made.close());
  const batch = new FrameBatch(16);
  return {
    made,
    device,
    use: () => watch.receive(batch, stack.slab),
    send: () => watch.transmit(batch, 0, stack.slab),
  };
}

t.test('idle → nothing is looked at, no timer wakes the process', (t) => {
  const { device, use, send } = session(t);
  mock.timers.tick(LONG_MS);
  t.equal(device.flushes, 0);
  use();
  use();
  mock.timers.tick(LONG_MS);
  t.equal(device.flushes, 1, 'received: once, and then idle again');
  send();
  mock.timers.tick(LONG_MS);
  t.equal(device.flushes, 2, 'sent: likewise');
  t.end();
});

t.test('device fails → reported once; to a command that asks later, too', async (t) => {
  const { made, device } = session(t);
  const failures: Error[] = [];
  made.onFailure((error) => failures.push(error));
  device.broken = new StackError('EIO', 'the interface is gone');
  made.host.turn();
  made.host.turn();
  await Promise.resolve();
  t.same(failures, [device.broken]);
  made.onFailure((error) => failures.push(error));
  t.equal(failures[1], failures[0]);
});

t.test('closed, used → no timer is set', async (t) => {
  const { made, device, use } = session(t);
  use();
  await made.close();
  use();
  mock.timers.tick(LONG_MS);
  t.equal(device.flushes, 0);
});
