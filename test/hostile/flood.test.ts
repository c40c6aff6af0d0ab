/** Floods at half the rate that saturates: a live connection is served as before. Virtual time, in which work costs what it costs over a TAP. */
import t from 'tap';
import { FLOODS } from '../../tools/bench/flood-frames.js';
import { FloodWorld } from './flood-world.js';

/** As if there were no limits to answers. */
const UNLIMITED = {
  echoAnswersPerSecond: 1e9,
  echoAnswersBurst: 1e6,
  resetsPerSecond: 1e9,
  resetsBurst: 1e6,
  synAnswersPerSecond: 1e9,
  synAnswersBurst: 1e6,
};

const ECHOES = 300;

for (const kind of FLOODS) {
  t.test(`flood of ${kind} at half the saturating rate → p99 of an echo at most doubled`, (t) => {
    const quiet = new FloodWorld(kind).latency(0, ECHOES);
    const rate = new FloodWorld(kind).saturation(20_000);
    const world = new FloodWorld(kind);
    const flooded = world.latency(rate / 2, ECHOES);
    t.comment(
      `saturated at ${Math.round(rate)}/s; p50 ${quiet.p50} → ${flooded.p50} µs, p99 ${quiet.p99} → ${flooded.p99} µs`,
    );
    t.ok(flooded.p99 <= 2 * quiet.p99, `${flooded.p99} µs, ${quiet.p99} µs without`);
    t.end();
  });
}

for (const kind of ['syn', 'ack', 'icmp'] as const) {
  t.test(`flood of ${kind}, more than can be taken → with limits to answers twice as much is taken as without`, (t) => {
    const limited = new FloodWorld(kind);
    const rate = limited.saturation(20_000);
    const unlimited = new FloodWorld(kind, { net: UNLIMITED }).saturation(20_000);
    t.comment(`${Math.round(unlimited)}/s without limits, ${Math.round(rate)}/s with`);
    t.ok(rate >= 1.8 * unlimited, `${rate}, ${unlimited} without`);
    const { stats } = limited.server.stack.net;
    const counted = {
      syn: stats.tcpSynRateLimited,
      ack: stats.tcpOutRstsRateLimited,
      icmp: stats.icmpOutEchoRepsRateLimited,
    };
    t.ok(counted[kind] > 1000, `${counted[kind]} not answered, and counted`);
    t.end();
  });
}

for (const kind of ['syn', 'ack', 'udp'] as const) {
  t.test(
    `flood of ${kind} at half the saturating rate → others are answered: a ping at once, a SYN within its repetitions`,
    (t) => {
      const rate = new FloodWorld(kind).saturation(20_000);
      const world = new FloodWorld(kind);
      t.equal(world.pings(rate / 2, 200), 200);
      t.ok(world.connects(rate / 2), 'connected');
      t.end();
    },
  );
}

t.test('the same flood twice → the same latencies, to the microsecond', (t) => {
  const run = (): object => new FloodWorld('syn').latency(300_000, 50);
  t.same(run(), run());
  t.end();
});
