import t, { type Test } from 'tap';
import { Prng } from '../../stack/base/prng.js';
import type { Address, ConnectionId, ListenerId, Us } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Medium } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import { Stack } from '../../stack/stack.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { finish, sum } from '../../stack/wire/checksum.js';
import { Ecn, Ipv4, ipv4HeaderBytes, ipv4Tos } from '../../stack/wire/ipv4.js';
import { SMALL_UDP } from '../small-udp.js';

/** Two stacks, and a router between them that marks what it may and drops what it must, by a seed. */

const LATENCY_US = 5000;
/** From one frame to the next, so that the receiver acknowledges every second one and not a train of them. */
const SPACING_US = 100;
const BYTES = 150_000;

interface Router {
  /** Shares of ECN-capable packets marked, and of all packets dropped. */
  readonly mark: number;
  readonly drop: number;
}

interface Frame {
  readonly at: number;
  readonly to: number;
  readonly bytes: Uint8Array;
}

class Side {
  readonly stack: Stack;
  readonly iface: Interface;
  readonly address: Address;
  constructor(text: string, seed: number, limits: Partial<TcpLimits>) {
    const slab = new FrameSlab({ slots: 2048, slotBytes: 2048 });
    const small = { connectionsMax: 8, activeMax: 8, synReceivedMax: 8, timeWaitMax: 8, listenersMax: 2 };
    this.stack = new Stack({
      seed,
      now: 1_000_000 as Us,
      slab,
      tcp: { ...small, bufferBytesMax: 16 << 20, ...limits },
      udp: SMALL_UDP,
    });
    this.address = this.stack.net.parseAddress(text);
    this.iface = this.stack.net.addInterface({
      name: 'router',
      medium: Medium.IP,
      mtu: 1500,
      addresses: [{ address: this.address, prefixLength: 24 }],
    });
  }
}

class Path {
  readonly sides: readonly [Side, Side];
  readonly #prng: Prng;
  readonly #frames: Frame[] = [];
  #arrival = 0;
  nowUs = 1_000_000;
  id = 0 as ConnectionId;
  peer = 0 as ConnectionId;
  /** Packets marked on the way to each side. */
  readonly marked = [0, 0];

  constructor(
    seed: number,
    readonly router: Router,
    limits: readonly [Partial<TcpLimits>, Partial<TcpLimits>],
  ) {
    this.#prng = new Prng(seed);
    this.sides = [new Side('10.0.0.1', seed, limits[0]), new Side('10.0.0.2', seed + 1, limits[1])];
  }

  /** What either side has sent goes on its way. */
  #collect(): void {
    for (const from of [0, 1] as const) {
      const { iface, stack } = this.sides[from];
      stack.flush();
      const queue = iface.transmitQueue;
      for (let i = queue.first; i < queue.count; i++) {
        const at = queue.offsets[i] as number;
        const bytes = stack.slab.bytes.slice(at, at + (queue.lengths[i] as number));
        stack.slab.give(at);
        if (this.#prng.fraction() < this.router.drop) continue;
        const view = new DataView(bytes.buffer);
        const tos = ipv4Tos(view, 0);
        const capable = (tos & Ecn.MASK) !== Ecn.NOT_ECT;
        if (capable && this.#prng.fraction() < this.router.mark) this.#mark(view, 1 - from);
        this.#arrival = Math.max(this.nowUs + LATENCY_US, this.#arrival + SPACING_US);
        this.#frames.push({ at: this.#arrival, to: 1 - from, bytes });
      }
      queue.sent(queue.length);
    }
  }

  #mark(view: DataView, to: number): void {
    view.setUint8(Ipv4.TOS, ipv4Tos(view, 0) | Ecn.CE);
    view.setUint16(Ipv4.CHECKSUM, 0);
    view.setUint16(Ipv4.CHECKSUM, finish(sum(view, 0, ipv4HeaderBytes(view, 0))));
    this.marked[to] += 1;
  }

  /** Time goes on until `done`, or nothing happens any more. */
  run(done: () => boolean, limitMs = 600_000): void {
    const end = this.nowUs + limitMs * 1000;
    this.#collect();
    while (!done() && this.nowUs < end) {
      const deadline = Math.min(
        ...this.sides.map((side) => side.stack.nextDeadline()),
        this.#frames[0]?.at ?? Infinity,
      );
      if (deadline === Infinity) return;
      this.nowUs = Math.max(this.nowUs, deadline);
      for (const { stack } of this.sides) stack.advance(this.nowUs as Us);
      while (this.#frames.length > 0 && (this.#frames[0] as Frame).at <= this.nowUs)
        this.#deliver(this.#frames.shift() as Frame);
      this.#collect();
    }
  }

  #deliver(frame: Frame): void {
    const { slab } = this.sides[frame.to as 0 | 1].stack;
    const at = slab.take() + slab.headroom;
    slab.bytes.set(frame.bytes, at);
    this.sides[frame.to as 0 | 1].stack.receive(0, at, frame.bytes.length);
    slab.give(at);
  }

  /** The near side sends BYTES; those that arrived. */
  transfer(t: Test): number {
    const [near, far] = this.sides;
    const listener: ListenerId = far.stack.tcp.listen({ port: 80 });
    this.id = near.stack.tcp.open({ remoteAddress: far.address, remotePort: 80 });
    let sent = 0;
    let received = 0;
    const data = new Uint8Array(20_000).fill(7);
    const into = new Uint8Array(1 << 16);
    this.run(() => {
      if (this.peer === 0) this.peer = far.stack.tcp.accept(listener) as ConnectionId;
      if (near.stack.tcp.info(this.id).state === 'ESTABLISHED' && sent < BYTES)
        sent += near.stack.tcp.send(this.id, data, 0, Math.min(data.length, BYTES - sent));
      if (this.peer !== 0) {
        const n = far.stack.tcp.receive(this.peer, into);
        if (n > 0) {
          received += n;
          if (into.subarray(0, n).some((byte) => byte !== 7)) t.fail('a byte is not what was sent');
        }
      }
      this.#collect();
      return received === BYTES && near.stack.tcp.unacknowledged(this.id) === 0;
    });
    return received;
  }
}

const MODES: readonly (readonly [string, Partial<TcpLimits>])[] = [
  ['ECN', { ecn: 1 }],
  ['Accurate ECN', { ecn: 3 }],
  ['Accurate ECN, the option where needed', { ecn: 3, ecnOption: 1 }],
  ['Accurate ECN without option', { ecn: 3, ecnOption: 0 }],
  ['DCTCP', { congestion: 'dctcp' }],
  ['DCTCP over Accurate ECN', { congestion: 'dctcp', ecn: 3 }],
];

for (const [name, limits] of MODES) {
  t.test(`${name}, a router that marks and drops → every byte arrives, and the window is lowered`, (t) => {
    for (let seed = 1; seed <= 3; seed++) {
      const router = { mark: [0.01, 0.1, 0.5][seed % 3] as number, drop: seed % 2 === 0 ? 0.02 : 0 };
      const path = new Path(seed, router, [limits, limits]);
      const received = path.transfer(t);
      if (received !== BYTES) t.fail(`seed ${seed}: ${received} bytes`);
      const stats = path.sides[0].stack.net.stats;
      if (router.mark > 0.05 && stats.tcpEcnReductions === 0) t.fail(`seed ${seed}: never reduced`);
    }
    t.end();
  });
}

t.test('Accurate ECN, a router that marks and drops nothing → what is reported as marked is what was', (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const path = new Path(seed, { mark: (seed % 4) * 0.2, drop: 0 }, [{ ecn: 3 }, { ecn: 3 }]);
    t.equal(path.transfer(t), BYTES);
    const [near, far] = path.sides;
    const sender = near.stack.tcp.info(path.id);
    const receiver = far.stack.tcp.info(path.peer);
    t.equal(sender.ecnMode, 'accecn');
    t.same(
      [receiver.receivedCe, receiver.receivedCeBytes + receiver.receivedE0Bytes, sender.receivedCe],
      [path.marked[1], BYTES, path.marked[0]],
      `seed ${seed}: each side has counted its marks`,
    );
    t.equal(sender.deliveredCe, receiver.receivedCe, `seed ${seed}: and told them`);
    t.equal(sender.deliveredCeBytes, receiver.receivedCeBytes);
  }
  t.end();
});

t.test(
  'Accurate ECN, a router that marks everything → ACKs of ACKs die out (RFC 9768 §3.2.2.5.1), and every mark is told',
  (t) => {
    for (const ecnOption of [0, 2]) {
      const path = new Path(1, { mark: 1, drop: 0 }, [
        { ecn: 3, ecnOption },
        { ecn: 3, ecnOption },
      ]);
      t.equal(path.transfer(t), BYTES);
      const [toNear, toFar] = path.marked as [number, number];
      path.run(() => false, 60_000);
      const after = [(path.marked[0] as number) - toNear, (path.marked[1] as number) - toFar];
      t.ok(
        after.every((acks) => acks <= 3),
        `${after} ACKs each way after the last data`,
      );
      const sender = path.sides[0].stack.tcp.info(path.id);
      const receiver = path.sides[1].stack.tcp.info(path.peer);
      t.same([sender.receivedCe, receiver.receivedCe], path.marked);
      t.ok(receiver.receivedCe - sender.deliveredCe < 3, 'all but the last two, which make no ACK due');
    }
    t.end();
  },
);
