/** What the stack answers to strangers: behind what connections send, limited in number, and limited in rate. */
import t, { type Test } from 'tap';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import { Medium } from '../../../stack/net/device.js';
import { Interface } from '../../../stack/net/interface.js';
import { OutputFlag } from '../../../stack/net/transport.js';
import { FIRST_DROP, Verdict } from '../../../stack/wire/verdict.js';
import { floodFrames } from '../../../tools/bench/flood-frames.js';
import { Host } from './pair.js';

const PEER_MAC = Uint8Array.of(2, 0, 0, 0, 0, 2);
/** A protocol nobody has: its datagrams stand for those of connections. */
const DATA = 253;

function target(options: ConstructorParameters<typeof Host>[1] = {}) {
  const host = new Host(1, options);
  const peer = host.net.parseAddress('10.0.0.2');
  host.net.neighbors.heard(host.iface, peer, 0x0200, 2, 1);
  const own = host.net.parseAddress('10.0.0.1');
  const frames = (kind: 'icmp' | 'udp', count: number): Uint8Array[] =>
    floodFrames(
      kind,
      { mac: host.iface.mac, address: own, openPort: 7, closedPort: 9, fromMac: PEER_MAC, from: peer },
      count,
    );
  const send = (): Verdict => {
    const at = host.net.takeSegment();
    return host.net.output(at, 20, DATA, own, peer, 0, 64, OutputFlag.NONE);
  };
  host.sent(); // the announcement of our address
  return { host, frames, send };
}

/** The IP protocol of each frame sent. */
function protocols(frames: readonly Uint8Array[]): number[] {
  return frames.map((frame) => frame[14 + 9]);
}

t.test('an echo reply and data of the same turn → data first', (t) => {
  const { host, frames, send } = target();
  for (const frame of frames('icmp', 2)) t.equal(host.hear(frame), Verdict.OK);
  t.equal(send(), Verdict.OK);
  t.equal(send(), Verdict.OK);
  t.same(protocols(host.sent()), [DATA, DATA, 1, 1]);
  t.end();
});

t.test('more answers than may wait → the newest is dropped, and counted; data is not', (t) => {
  const { host, frames, send } = target({ limits: { answerQueueFrames: 3 } });
  const verdicts = frames('icmp', 5).map((frame) => host.hear(frame));
  t.same(verdicts, [Verdict.OK, Verdict.OK, Verdict.OK, Verdict.ANSWER_QUEUE_FULL, Verdict.ANSWER_QUEUE_FULL]);
  t.ok(Verdict.ANSWER_QUEUE_FULL >= FIRST_DROP);
  t.equal(host.net.stats.answerQueueDrops, 2);
  t.equal(host.iface.counters.dropsSent, 2);
  t.equal(send(), Verdict.OK);
  const sent = host.sent();
  t.same(protocols(sent), [DATA, 1, 1, 1]);
  t.same(
    sent.slice(1).map((frame) => frame.subarray(14 + 20 + 4, 14 + 20 + 6).join('.')),
    ['4.0', '4.1', '4.2'],
    'the oldest, in their order',
  );
  t.equal(host.slab.freeCount, host.slotsAtStart, 'every slot is back');
  t.end();
});

/** An interface whose device takes what it is told to, and what it has taken. */
class Slow {
  readonly slab = new FrameSlab({ slots: 256 });
  readonly iface = new Interface(0, { name: 'slow', medium: Medium.IP, transmitQueueFrames: 8 }, this.slab, 4);
  readonly taken: string[] = [];
  readonly #names = new Map<number, string>();

  offer(name: string, isAnswer: boolean): Verdict {
    const at = this.slab.take();
    this.#names.set(at, name);
    return isAnswer ? this.iface.enqueueAnswer(at, 40) : this.iface.enqueue(at, 40);
  }
  /** A flush, and the device takes so many frames. */
  flush(frames: number): void {
    this.iface.admitAnswers();
    const queue = this.iface.transmitQueue;
    const count = Math.min(frames, queue.length);
    for (let i = queue.first; i < queue.first + count; i++) {
      this.taken.push(this.#names.get(queue.offsets[i]) as string);
      this.slab.give(queue.offsets[i]);
    }
    queue.sent(count);
  }
}

t.test('a device that is always behind → answers are sent, and connections wait for one load of them at most', (t) => {
  const slow = new Slow();
  let data = 0;
  for (let round = 0; round < 400; round++) {
    slow.offer('answer', true);
    while (slow.iface.transmitQueue.room > 0) slow.offer(`data ${data++}`, false);
    slow.flush(1 + (round % 4));
  }
  t.ok(slow.taken.includes('answer'), 'not starved');
  t.same(
    slow.taken.filter((name) => name !== 'answer'),
    Array.from({ length: slow.taken.filter((name) => name !== 'answer').length }, (_, i) => `data ${i}`),
    'data in its order',
  );
  let run = 0;
  let longest = 0;
  for (const name of slow.taken) {
    run = name === 'answer' ? run + 1 : 0;
    longest = Math.max(longest, run);
  }
  t.equal(longest, 4);
  t.ok(slow.iface.transmitQueue.length <= 8 + 4);
  t.end();
});

t.test('answers behind others that a device would not take → they follow when it does', (t) => {
  const slow = new Slow();
  slow.offer('first', true);
  slow.flush(0);
  slow.offer('second', true);
  slow.flush(8);
  t.same(slow.taken, ['first']);
  t.equal(slow.iface.hasAnswersWaiting, true);
  slow.flush(8);
  t.same(slow.taken, ['first', 'second']);
  t.equal(slow.iface.hasAnswersWaiting, false);
  t.end();
});

t.test('an interface that is down → no answer waits, and no slot is lost', (t) => {
  const slow = new Slow();
  const free = slow.slab.freeCount;
  slow.iface.up = false;
  t.equal(slow.offer('answer', true), Verdict.INTERFACE_DOWN);
  t.equal(slow.slab.freeCount, free);
  t.end();
});

function limited(t: Test, kind: 'icmp' | 'udp', limits: object): { answered: number; host: Host } {
  const { host, frames } = target({ limits: { answerQueueFrames: 512, ...limits } });
  const some = frames(kind, 100);
  let answered = 0;
  const second = (): void => {
    // A hundred at once, each tenth of a second.
    for (let i = 0; i < 10; i++) {
      for (const frame of some) host.hear(frame);
      answered += host.sent().length;
      host.advanceTo(host.clock.us + 100_000);
    }
  };
  second();
  const before = answered;
  second();
  t.ok(before >= answered - before, 'the burst comes first');
  return { answered: answered - before, host };
}

t.test('echo requests beyond the rate → not answered, a verdict and a counter; those within it are', (t) => {
  const { answered, host } = limited(t, 'icmp', { echoAnswersPerSecond: 200, echoAnswersBurst: 50 });
  // The last few tokens are given out by chance.
  t.ok(answered > 150 && answered <= 200, `${answered} in a second`);
  t.equal(host.net.stats.icmpOutEchoReps + host.net.stats.icmpOutEchoRepsRateLimited, 2000);
  t.equal(host.net.stats.verdicts[Verdict.ICMP_RATE_LIMITED], host.net.stats.icmpOutEchoRepsRateLimited);
  t.end();
});

t.test('ARP requests beyond the rate → not answered, a verdict and a counter', (t) => {
  const { host } = target({ limits: { arpRepliesPerSecond: 10, arpRepliesBurst: 5 } });
  const request = new Uint8Array(14 + 28);
  request.set([...new Array(6).fill(255), ...PEER_MAC, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, ...PEER_MAC, 10, 0, 0, 2], 0);
  request.set([10, 0, 0, 1], 38);
  const verdicts = Array.from({ length: 20 }, () => host.hear(request));
  const replies = host.sent().length;
  t.equal(verdicts[0], Verdict.OK);
  t.equal(verdicts[19], Verdict.ARP_RATE_LIMITED);
  t.ok(replies >= 2 && replies <= 5, `${replies} replies`);
  t.equal(host.net.stats.arpRepliesRateLimited, 20 - replies);
  t.equal(host.net.stats.arpRepliesSent, replies);
  host.advanceTo(host.clock.us + 10_000_000);
  host.sent();
  t.equal(host.hear(request), Verdict.OK, 'later again');
  t.end();
});
