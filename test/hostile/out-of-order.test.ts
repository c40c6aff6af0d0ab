import t from 'tap';
import type { Behaviour, Hog, Horde } from './horde.js';
import { Rig, SCALE, UNREAD } from './rig.js';

/**
 * The runs of bytes out of order: many connections keep as many islands as they may, and somebody else's segments get
 * lost.
 */

const ISLANDS = 512;

/** One byte in every other place of its window, sent once. */
const islands: Behaviour = {
  request: 0,
  window: 65_535,
  onConnected(hog: Hog, horde: Horde) {
    const data = new Uint8Array(1);
    for (let i = 0; i < ISLANDS; i++)
      horde.send(hog, { flags: '.', seq: hog.nxt + 1 + 2 * i, ack: 1, win: 65_535, data });
  },
};

const BYTES = 8 << 20;
const LOSS = 0.01;
/**
 * They must get their islands kept: the receive buffer charges each 896 bytes, and 512 do not fit the first 128 KiB.
 */
const SERVER = { receiveBytes: 1 << 20, receiveBytesMax: 6 << 20 };

function speed(tookUs: number): number {
  return BYTES / tookUs;
}

t.test(
  '128 connections with 512 islands each, sent once → an upload at 1 % loss keeps at least half its speed',
  (t) => {
    const alone = speed(new Rig(t, islands, { loss: LOSS, server: SERVER }).upload(BYTES, 600_000_000));
    const rig = new Rig(t, islands, { loss: LOSS, server: SERVER });
    rig.invade(128 * SCALE, UNREAD);
    const filled = rig.pool('tcp.out-of-order');
    t.ok(filled.used >= 0.9 * filled.limit, `${filled.used} of ${filled.limit} runs are theirs`);
    const beside = speed(rig.upload(BYTES, 600_000_000));
    const { evicted } = rig.pool('tcp.out-of-order');
    t.comment(`${alone.toFixed(2)} MB/s alone, ${beside.toFixed(2)} MB/s beside them; ${evicted} islands gave way`);
    t.ok(beside >= alone / 2, `${((100 * beside) / alone).toFixed(0)} % of its speed`);
    t.ok(evicted > 0, 'it had its runs from the largest holders');
    rig.expectAllFreed();
    t.end();
  },
);

t.test('as many connections as there are runs, one island each → whoever has none gets his first', (t) => {
  const one: Behaviour = {
    ...islands,
    onConnected: (hog, horde) =>
      horde.send(hog, { flags: '.', seq: hog.nxt + 10, ack: 1, win: 65_535, data: new Uint8Array(1) }),
  };
  const alone = speed(new Rig(t, one, { loss: LOSS, server: { outOfOrderMax: 2048 } }).upload(BYTES, 600_000_000));
  const rig = new Rig(t, one, { loss: LOSS, server: { outOfOrderMax: 2048 } });
  rig.invade(2048, UNREAD);
  t.equal(rig.pool('tcp.out-of-order').used, 2048);
  const beside = speed(rig.upload(BYTES, 600_000_000));
  t.comment(`${alone.toFixed(2)} MB/s alone, ${beside.toFixed(2)} MB/s beside them`);
  t.ok(beside >= alone / 2, `${((100 * beside) / alone).toFixed(0)} % of its speed`);
  rig.expectAllFreed();
  t.end();
});
