import t from 'tap';
import type { Behaviour, Hog, Horde } from './horde.js';
import { ANSWERS, Rig, UNREAD } from './rig.js';

/**
 * More hostile peers than the memory has room for: the reserve of those who come later is what others have held for
 * long without use.
 */

/** A memory of 16 MiB, 4096 chunks, whatever the scale: what counts is how many want it. */
const SERVER = { bufferBytesMax: 16 << 20 };

/** Fills its window at once, and once more whatever it is told. */
const fills: Behaviour = {
  request: 0,
  window: 65_535,
  onConnected(hog: Hog, horde: Horde) {
    const data = new Uint8Array(1460);
    for (let i = 0; i < 44; i++) {
      horde.send(hog, { flags: '.', seq: hog.nxt, ack: 1, win: 65_535, data });
      hog.nxt += data.length;
    }
  },
};

for (const [what, behaviour, port] of [
  ['fill their windows, and nobody reads', fills, UNREAD],
  ['ask for a large answer and never read', { request: 100, window: 65_535 }, ANSWERS],
] as const) {
  t.test(`3000 peers ${what}, in a memory for a few hundred → an upload goes on at half its speed`, (t) => {
    const bytes = 1 << 20;
    const alone = new Rig(t, behaviour, { server: SERVER }).upload(bytes, 60_000_000);
    const rig = new Rig(t, behaviour, { server: SERVER });
    rig.invade(3000, port);
    const full = rig.pool('tcp.buffers');
    t.comment(full);
    t.ok(full.used > 0.8 * full.limit, `${full.used} of ${full.limit} chunks are theirs`);
    rig.checkAccounts();
    const early = rig.upload(bytes, 60_000_000);
    rig.world.runFor(15_000_000);
    const late = rig.upload(bytes, 60_000_000);
    const { evicted } = rig.pool('tcp.buffers');
    t.comment(
      `${alone / 1000} ms alone, ${early / 1000} ms at once, ${late / 1000} ms a quarter of a minute later; ${evicted} were reset`,
    );
    t.ok(late <= 2 * alone, `${late / alone} times as long`);
    rig.expectAllFreed();
    t.end();
  });
}
