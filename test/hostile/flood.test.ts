/** Floods at half the rate that saturates: a live connection is served as before. Virtual time, in which work costs what it costs over a TAP. */
import t from 'tap';
import { FLOODS } from '../../tools/bench/flood-frames.js';
import { FloodWorld } from './flood-world.js';

const ECHOES = 500;

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
