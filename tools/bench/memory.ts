/**
 * What the stack's tables cost per operation, beside what a program would use instead:
 * `node dist/tools/bench/memory.js [--json] [--quick]`. Medians of five, in one process, one after another.
 */
import { KeyHash } from '../../stack/base/keyed-hash.js';
import { Prng } from '../../stack/base/prng.js';
import { ByteArena } from '../../stack/memory/byte-arena.js';
import { copyBytes } from '../../stack/memory/copy.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { HashIndex } from '../../stack/memory/hash-index.js';
import { IntRing } from '../../stack/memory/ring.js';
import { RowPool } from '../../stack/memory/row-pool.js';
import { TimerWheel } from '../../stack/time/timer-wheel.js';

interface Figure {
  readonly name: string;
  readonly ns: number;
  /** The same done with what the language offers, or by the other way considered. */
  readonly besides: Readonly<Record<string, number>>;
}

const quick = process.argv.includes('--quick');
const json = process.argv.includes('--json');
const prng = new Prng(1);
/** Results go here, so that no loop is optimized away. */
let sink = 0;

/** Nanoseconds per operation: the median of five runs, after two that warm the compiler up. */
function measure(operations: number, run: (operations: number) => void): number {
  const n = quick ? Math.ceil(operations / 10) : operations;
  const samples: number[] = [];
  for (let i = 0; i < 7; i++) {
    const start = process.hrtime.bigint();
    run(n);
    if (i >= 2) samples.push(Number(process.hrtime.bigint() - start) / n);
  }
  samples.sort((a, b) => a - b);
  return samples[2];
}

const figures: Figure[] = [];
function figure(name: string, ns: number, besides: Record<string, number> = {}): void {
  figures.push({ name, ns, besides });
}

function copies(): void {
  const source = new Uint8Array(1 << 20);
  const into = new Uint8Array(1 << 20);
  for (const count of [8, 20, 32, 48, 64, 128, 1460]) {
    const places = ((1 << 20) - 2048) >>> 11;
    let at = 0;
    const ours = measure(1_000_000, (n) => {
      for (let i = 0; i < n; i++) {
        at = (at + 1) % places;
        copyBytes(source, at << 11, into, (at << 11) + 3, count);
      }
    });
    const loop = measure(count > 200 ? 100_000 : 1_000_000, (n) => {
      for (let i = 0; i < n; i++) {
        at = (at + 1) % places;
        const from = at << 11;
        for (let j = 0; j < count; j++) into[from + 3 + j] = source[from + j];
      }
    });
    const view = measure(1_000_000, (n) => {
      for (let i = 0; i < n; i++) {
        at = (at + 1) % places;
        into.set(source.subarray(at << 11, (at << 11) + count), (at << 11) + 3);
      }
    });
    figure(`copyBytes, ${count} bytes`, ours, { loop, 'set(subarray)': view });
  }
}

function arena(): void {
  const bytes = new ByteArena();
  const source = new Uint8Array(1460);
  const into = new Uint8Array(1460);
  for (const count of [20, 1460]) {
    let queue = 0;
    const ours = measure(500_000, (n) => {
      for (let i = 0; i < n; i++) {
        queue = bytes.append(queue, source, 0, count);
        queue = bytes.append(queue, source, 0, count);
        queue = bytes.read(queue, into, 0, count);
        queue = bytes.read(queue, into, 0, count);
      }
    });
    const list: Buffer[] = [];
    const buffers = measure(500_000, (n) => {
      for (let i = 0; i < n; i++) {
        list.push(Buffer.from(source.subarray(0, count)));
        list.push(Buffer.from(source.subarray(0, count)));
        list.shift()?.copy(into);
        list.shift()?.copy(into);
      }
    });
    figure(`append and read ${count} bytes`, ours / 2, { 'array of Buffers': buffers / 2 });
  }
  for (const chunks of [2, 1000, 10_000]) {
    let queue = 0;
    for (let i = 0; i < chunks; i++) queue = bytes.append(queue, new Uint8Array(4096), 0, 4096);
    const length = bytes.length(queue);
    let offset = 0;
    figure(
      `copyOut 1460 in sequence, ${chunks} chunks`,
      measure(500_000, (n) => {
        for (let i = 0; i < n; i++) {
          bytes.copyOut(queue, offset, into, 0, 1460);
          offset = offset + 2920 > length ? 0 : offset + 1460;
        }
      }),
    );
    let low = 0;
    let high = length >>> 1;
    figure(
      `copyOut 1460 low and high in turn, ${chunks} chunks`,
      measure(500_000, (n) => {
        for (let i = 0; i < n; i += 2) {
          bytes.copyOut(queue, low, into, 0, 1460);
          bytes.copyOut(queue, high, into, 0, 1460);
          low = low + 2920 > length >>> 1 ? 0 : low + 1460;
          high = high + 2920 > length ? length >>> 1 : high + 1460;
        }
      }),
    );
    bytes.free(queue);
  }
}

function index(rows: number): void {
  const keys = new Int32Array(rows * 4);
  const table = new HashIndex(keys, 4, new KeyHash(prng.next(), prng.next()));
  for (let row = 0; row < rows; row++) {
    keys[row * 4] = prng.next();
    keys[row * 4 + 1] = 0x0a000001;
    keys[row * 4 + 2] = (row & 0xffff) << 16;
  }
  // Each insert by itself: the mean hides what resizing at one go would cost. The longest of all is the scheduler's, not ours.
  const times = new Float64Array(rows);
  const start = process.hrtime.bigint();
  for (let row = 0; row < rows; row++) {
    const before = performance.now();
    table.insert(row);
    times[row] = performance.now() - before;
  }
  const mean = Number(process.hrtime.bigint() - start) / rows;
  times.sort();
  figure(`HashIndex insert, growing to ${rows} rows`, mean, {
    '99.9 %': times[Math.floor(rows * 0.999)] * 1e6,
    '99.99 %': times[Math.floor(rows * 0.9999)] * 1e6,
  });
  const map = new Map<number, number>();
  for (let row = 0; row < rows; row++) map.set((keys[row * 4] >>> 0) * 65_536 + (row & 0xffff), row);
  const order = new Int32Array(1 << 20);
  for (let i = 0; i < order.length; i++) order[i] = prng.below(rows);
  const ours = measure(1_000_000, (n) => {
    for (let i = 0; i < n; i++) {
      const row = order[i & (order.length - 1)];
      sink += table.find(keys[row * 4], 0x0a000001, (row & 0xffff) << 16);
    }
  });
  const other = measure(1_000_000, (n) => {
    for (let i = 0; i < n; i++) {
      const row = order[i & (order.length - 1)];
      sink += map.get((keys[row * 4] >>> 0) * 65_536 + (row & 0xffff)) ?? 0;
    }
  });
  figure(`HashIndex find, ${rows} rows, at random`, ours, { Map: other });
  figure(
    `HashIndex find of none, ${rows} rows`,
    measure(1_000_000, (n) => {
      for (let i = 0; i < n; i++) sink += table.find(i, i, i);
    }),
  );
  figure(
    `HashIndex remove and insert, ${rows} rows`,
    measure(500_000, (n) => {
      for (let i = 0; i < n; i++) {
        const row = order[i & (order.length - 1)];
        table.remove(row);
        table.insert(row);
      }
    }),
  );
}

function wheel(ids: number): void {
  const timers = new TimerWheel(ids, 0);
  for (let id = 0; id < ids; id++) timers.arm(id, 1000 + prng.below(7_200_000));
  const order = new Int32Array(1 << 20);
  for (let i = 0; i < order.length; i++) order[i] = prng.below(ids);
  let now = 0;
  figure(
    `TimerWheel re-arm, 200 ms ahead, ${ids} timers, at random`,
    measure(1_000_000, (n) => {
      for (let i = 0; i < n; i++) timers.arm(order[i & (order.length - 1)], now + 200 + (i & 1023));
    }),
  );
  let ring = 0;
  const few = measure(1_000_000, (n) => {
    for (let i = 0; i < n; i++) timers.arm((ring = (ring + 1) & 63), now + 200 + (i & 1023));
  });
  const nodes: NodeJS.Timeout[] = [];
  const node = measure(100_000, (n) => {
    for (let i = 0; i < n; i++) {
      clearTimeout(nodes[i & 63]);
      nodes[i & 63] = setTimeout(() => {}, 200 + (i & 1023));
    }
  });
  for (const timeout of nodes) clearTimeout(timeout);
  figure('TimerWheel re-arm, 64 busy timers', few, { setTimeout: node });
  for (let id = 0; id < ids; id++) timers.arm(id, now + 1 + prng.below(1_000_000));
  let expired = 0;
  let longest = 0;
  const start = process.hrtime.bigint();
  while (timers.count > 0) {
    const before = performance.now();
    now += timers.msToNext(now);
    for (let id = timers.expire(now); id !== -1; id = timers.expire(now)) expired += 1;
    longest = Math.max(longest, performance.now() - before);
  }
  figure(`TimerWheel expire, cascades included, ${ids} timers`, Number(process.hrtime.bigint() - start) / expired, {
    'longest round, µs': longest * 1000,
  });
}

function small(): void {
  const pool = new RowPool(1 << 20);
  const slab = new FrameSlab();
  const ring = new IntRing(64);
  const array: number[] = [];
  const pair = (name: string, run: (n: number) => void, besides: Record<string, number> = {}): void =>
    figure(name, measure(2_000_000, run), besides);
  pair('RowPool take and give', (n) => {
    for (let i = 0; i < n; i++) pool.give(pool.take());
  });
  pair('FrameSlab take and give', (n) => {
    for (let i = 0; i < n; i++) slab.give(slab.take() + 130);
  });
  for (let i = 0; i < 20; i++) {
    ring.push(i);
    array.push(i);
  }
  const arrays = measure(2_000_000, (n) => {
    for (let i = 0; i < n; i++) {
      array.push(i);
      sink += array.shift() ?? 0;
    }
  });
  pair(
    'IntRing push and shift, 20 held',
    (n) => {
      for (let i = 0; i < n; i++) {
        ring.push(i);
        sink += ring.shift();
      }
    },
    { Array: arrays },
  );
}

copies();
arena();
for (const rows of quick ? [10_000] : [10_000, 1_000_000, 4_000_000]) index(rows);
for (const ids of quick ? [10_000] : [10_000, 1_000_000]) wheel(ids);
small();

if (json) {
  console.log(JSON.stringify({ bench: 'memory', unit: 'ns', figures }));
} else {
  for (const { name, ns, besides } of figures) {
    const others = Object.entries(besides).map(([other, value]) => `${other} ${value.toFixed(1)}`);
    console.log(`${name.padEnd(58)} ${ns.toFixed(1).padStart(8)} ns   ${others.join(' · ')}`);
  }
}
if (sink === 0.5) console.log(sink);
