import t, { type Test } from 'tap';
import { describeFrame, NOTE_INTS } from '../../src/trace/describe.js';
import { Prng } from '../../stack/base/prng.js';
import type { ConnectionId, UdpId } from '../../stack/base/units.js';
import type { Stack } from '../../stack/stack.js';
import { Verdict } from '../../stack/wire/verdict.js';
import { FULL } from '../full.js';
import { FrameMaker, UDP_PORT, VICTIM_PORT } from './frames.js';
import { LiveWorld } from './live.js';

/** `MILLRACE_FUZZ=SEED:FRAMES` replays a failure, or fuzzes for longer. */
const [seed, frames] = (process.env.MILLRACE_FUZZ ?? (FULL ? '1:1000000' : '1:250000')).split(':').map(Number) as [
  number,
  number,
];

const BURST_FRAMES = 64;

/** A program that serves strangers: reads, answers, closes or aborts as the moment has it. */
class Victim {
  readonly #prng: Prng;
  readonly #listener;
  readonly #udp: UdpId;
  readonly #ids: ConnectionId[] = [];
  readonly #into = new Uint8Array(4096);
  accepted = 0;
  datagrams = 0;

  constructor(
    readonly stack: Stack,
    seed: number,
  ) {
    this.#prng = new Prng(seed);
    this.#listener = stack.tcp.listen({ port: VICTIM_PORT, backlog: 16, receiveBytes: 16_384 });
    this.#udp = stack.udp.open({ port: UDP_PORT });
  }

  serve(): void {
    const { tcp, udp } = this.stack;
    for (let id = tcp.accept(this.#listener); id !== 0; id = tcp.accept(this.#listener)) {
      this.#ids.push(id);
      this.accepted += 1;
    }
    while (udp.receive(this.#udp, this.#into, 0, this.#into.length) >= 0) this.datagrams += 1;
    for (let i = this.#ids.length - 1; i >= 0; i--)
      if (this.#attend(this.#ids[i] as ConnectionId)) this.#ids.splice(i, 1);
  }

  /** True when the connection is given up. */
  #attend(id: ConnectionId): boolean {
    const { tcp } = this.stack;
    const mood = this.#prng.below(100);
    try {
      if (mood < 40) {
        if (tcp.receive(id, this.#into) >= 0) return false;
        tcp.close(id);
        return true;
      }
      if (mood < 60) tcp.send(id, this.#into, 0, this.#prng.below(4096));
      else if (mood === 60) tcp.shutdown(id);
      else if (mood === 61) {
        tcp.close(id);
        return true;
      } else if (mood === 62) {
        tcp.abort(id);
        return true;
      }
      return false;
    } catch {
      // Reset, timed out, shut down before: whatever it was, it is over.
      tcp.close(id);
      return true;
    }
  }

  end(): void {
    this.stack.tcp.closeListener(this.#listener);
    for (const id of this.#ids) this.stack.tcp.abort(id);
    this.stack.udp.close(this.#udp);
  }
}

/** Throws `frames` frames at the near stack while its live connections go on. `each` sees every frame after the stack has. */
function storm(
  live: LiveWorld,
  victim: Victim,
  seed: number,
  frames: number,
  each: (at: number, verdict: Verdict) => void,
): void {
  const { near } = live;
  const { slab } = near;
  const { bytes, view } = slab;
  const maker = new FrameMaker(seed, live);
  for (let done = 0; done < frames; ) {
    for (let i = 0; i < BURST_FRAMES; i++, done++) {
      const at = slab.take() + slab.headroom;
      const length = maker.make(bytes, view, at);
      each(at, near.receive(0, at, length));
      slab.give(at);
    }
    victim.serve();
    listenIn(near, (at, length) => maker.remember(bytes.subarray(at, at + length)));
    live.breathe(300);
    stopListening(near);
  }
}

/** The live connections end with nothing lost, and the near stack has everything back. */
function calm(t: Test, live: LiveWorld, victim: Victim): void {
  const { near } = live;
  const { slab } = near;
  victim.end();
  live.finish();
  for (const stream of live.streams) {
    t.ok(stream.received > 1000 && stream.received === stream.sent, `${stream.received} bytes of ${stream.sent}`);
  }
  t.ok(victim.accepted > 0 && victim.datagrams > 0, `${victim.accepted} strangers served`);
  // Everything runs out: TIME-WAIT, retransmissions to strangers, reassembly.
  live.world.runFor(3_600_000_000);
  const { context, counts } = near.tcp;
  t.same(
    {
      connections: counts.connections,
      active: counts.active,
      halfOpen: counts.halfOpen,
      timeWait: counts.timeWait,
      listeners: counts.listeners,
      chunks: context.arena.chunksMax - context.arena.chunksFree,
      runs: context.reassembly.count,
      records: context.transmits.count,
      fragments: near.net.reassemblies,
      slots: slab.slots - slab.freeCount,
      established: near.net.stats.tcpCurrEstab,
    },
    {
      connections: 0,
      active: 0,
      halfOpen: 0,
      timeWait: 0,
      listeners: 0,
      chunks: 0,
      runs: 0,
      records: 0,
      fragments: 0,
      slots: 0,
      established: 0,
    },
    'everything is given back',
  );
}

t.test(`live connections, ${frames} hostile frames → no exception, no growth, not a byte of theirs wrong`, (t) => {
  t.comment(`MILLRACE_FUZZ=${seed}:${frames}`);
  const live = new LiveWorld(seed, 4);
  const victim = new Victim(live.near, seed);
  const verdicts = new Float64Array(Verdict.COUNT);
  storm(live, victim, seed, frames, (_at, verdict) => {
    verdicts[verdict] += 1;
  });
  calm(t, live, victim);
  const distinct = verdicts.reduce((n, count) => n + (count > 0 ? 1 : 0), 0);
  t.ok(distinct > 40, `${distinct} different verdicts: the fuzz reaches deep`);
  t.end();
});

t.test('hostile frames while somebody traces → each has a note, and words for it', (t) => {
  const live = new LiveWorld(seed + 1, 2, NOTE_INTS);
  const victim = new Victim(live.near, seed);
  let wordless = 0;
  storm(live, victim, seed + 1, Math.min(frames, 100_000), (at) => {
    if (describeFrame(live.near.slab, at) === '') wordless += 1;
  });
  t.equal(wordless, 0);
  calm(t, live, victim);
  t.end();
});

/** Has `heard` told of each frame that comes to the stack by its device. */
function listenIn(stack: Stack, heard: (at: number, length: number) => void): void {
  const { net } = stack;
  const receive = net.receive.bind(net);
  net.receive = (iface, at, length) => {
    heard(at, length);
    return receive(iface, at, length);
  };
}
function stopListening(stack: Stack): void {
  Reflect.deleteProperty(stack.net, 'receive');
}
