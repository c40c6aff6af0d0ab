import { spawnSync } from 'node:child_process';
import type { Driver } from '../../drivers/driver.js';
import { createWire } from '../../drivers/loopback.js';
import { openTap } from '../../drivers/tap.js';
import { ETHERTYPE_TEST, type Fixture, TestHost } from './contract.js';
import { PacketSocket } from './packet-socket.js';

/** The near end of a wire, with whatever `wrap` puts in front of it. */
export function onLoopback(wrap: (inner: Driver) => Driver = (inner) => inner): Fixture {
  const [near, far] = createWire({ queueFrames: 128 });
  const farHost = new TestHost(far);
  let blocked = false;
  const device = wrap(near);
  return {
    device,
    inject(frames) {
      farHost.send(frames);
    },
    collect: () => (blocked ? [] : farHost.receiveAll()),
    block() {
      blocked = true;
    },
    unblock() {
      blocked = false;
    },
    fail() {
      near.fail();
    },
    close() {
      far.close(farHost.slab);
    },
  };
}

let taps = 0;

/** A TAP in this namespace, the kernel's packet socket at the other end. */
export function onTap(wrap: (inner: Driver) => Driver = (inner) => inner): Fixture {
  taps += 1;
  const tap = openTap(`contract${taps}`);
  const socket = new PacketSocket(tap.interfaceName, ETHERTYPE_TEST);
  return {
    device: wrap(tap),
    inject(frames) {
      for (const bytes of frames) socket.send(bytes);
    },
    collect() {
      const got: Uint8Array[] = [];
      for (;;) {
        const bytes = socket.receive();
        if (bytes === undefined) return got;
        got.push(bytes);
      }
    },
    fail() {
      // The second time there is none.
      spawnSync('ip', ['link', 'del', tap.interfaceName]);
    },
    close() {
      socket.close();
    },
  };
}
