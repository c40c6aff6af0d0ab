import t from 'tap';
import type { Address, Us } from '../../../stack/base/units.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { Medium } from '../../../stack/net/device.js';
import { Stack } from '../../../stack/stack.js';
import { portPair } from '../../../stack/tcp/connection-table.js';
import { initialSequenceNumber } from '../../../stack/tcp/isn.js';
import { SMALL_UDP } from '../../small-udp.js';

/** Initial sequence numbers, RFC 9293 §3.4.1 and RFC 6528. */

const LOCAL = 0x0a00_0001;
const REMOTE = 0x0a00_0002;

/** Initial sequence numbers of a stack with this seed, the clock at this place. */
function numbers(seed: number): (us: number, remote?: number, localPort?: number, remotePort?: number) => number {
  const slab = new FrameSlab({ slots: 16 });
  const stack = new Stack({
    seed,
    now: 0 as Us,
    slab,
    tcp: { connectionsMax: 4, activeMax: 4, bufferBytesMax: 1 << 20 },
    udp: SMALL_UDP,
  });
  stack.net.addInterface({
    name: 'a',
    medium: Medium.IP,
    addresses: [{ address: LOCAL as Address, prefixLength: 24 }],
  });
  return (us, remote = REMOTE, localPort = 80, remotePort = 4000) => {
    stack.advance(us as Us);
    return initialSequenceNumber(stack.tcp.context, LOCAL, remote, portPair(localPort, remotePort));
  };
}

t.test('one pair of sockets, as time passes → the number grows by one every 4 µs, all the way round (MUST-8)', (t) => {
  const isn = numbers(1);
  const first = isn(1_000_000);
  t.equal((isn(1_000_004) - first) | 0, 1);
  t.equal((isn(1_004_000) - first) | 0, 1000);
  t.equal((isn(3_601_000_000) - first) | 0, 900_000_000);
  const round = 4 * 2 ** 32;
  t.equal(isn(1_000_000 + round), isn(1_000_000 + 2 * round), 'after 4.77 hours it is the same');
  t.end();
});

t.test('any other address or port, the same time → a number that has nothing to do with it (RFC 6528 §3)', (t) => {
  const isn = numbers(1);
  const drawn = new Set<number>();
  for (let i = 0; i < 100; i++) {
    drawn.add(isn(1_000_000, REMOTE + i));
    drawn.add(isn(1_000_000, REMOTE, 81 + i));
    drawn.add(isn(1_000_000, REMOTE, 80, 4001 + i));
  }
  t.equal(drawn.size, 300);
  const sorted = [...drawn].sort((a, b) => a - b);
  const gaps = sorted.slice(1).map((value, i) => value - sorted[i]);
  t.ok(Math.max(...gaps) > 8 * (2 ** 32 / 300) * 0.5, 'neighbours are not evenly apart');
  t.ok(
    Math.min(...gaps) > 0 && sorted[0] < -(2 ** 29) && sorted[299] > 2 ** 29,
    'they are spread over the whole circle',
  );
  t.end();
});

t.test('another secret → other numbers for the same sockets: nobody outside can work them out (MUST-9)', (t) => {
  const differences = new Set<number>();
  for (let seed = 1; seed <= 50; seed++) {
    const isn = numbers(seed);
    differences.add((isn(1_000_000) - isn(1_000_000, REMOTE + 1)) | 0);
  }
  t.equal(differences.size, 50, 'not even the difference between two peers is the same');
  t.end();
});
