import tap from 'tap';
import { VirtualWorld } from '../../src/host/virtual-world.js';
import { Prng } from '../../stack/base/prng.js';
import { Stack } from '../../stack/stack.js';
import { End, LateWorld, SMALL, stall } from './late-world.js';

/**
 * What has arrived counts before what has not: over a link that loses nothing nothing is sent again, and nobody asks, however
 * late the turns of whoever sends are. docs/decisions/time.md has the statement; these are its three cases.
 */

const LIMIT_US = 10 * 3_600_000_000;
const NONE = { tcpRetransSegs: 0, tcpTimeouts: 0, tcpLossProbes: 0, tcpZeroWindowProbes: 0, tcpKeepalives: 0 };

/** Mostly a little, now and then for seconds; a third of the turns is on time. */
function lateness(prng: Prng): () => number {
  return () => [0, prng.below(3000), prng.below(300_000), prng.below(8_000_000), 0][prng.below(5)] as number;
}

function judge(t: Pick<typeof tap, 'same'>, end: End, what: string): void {
  t.same({ ...end.blamed, repeated: end.repeated }, { ...NONE, repeated: [] }, `${what}: nothing twice, no probe`);
}

for (const late of [0, 1]) {
  for (const both of [false, true]) {
    const name = `${late === 0 ? 'the client' : 'the server'} is as late as it likes, ${both ? 'data both ways' : 'and sends'}`;
    tap.test(`${name} → it sends nothing twice`, (t) => {
      for (let seed = 1; seed <= 4; seed++) {
        const prng = new Prng(seed);
        const draw = lateness(prng);
        const bytes = [late === 0 || both ? 400_000 : 0, late === 1 || both ? 400_000 : 0] as const;
        const latencyUs = [0, 500, 40_000][seed % 3] as number;
        const run = new LateWorld(seed, latencyUs, bytes, seed % 2 === 0 ? undefined : 1 - late);
        // A server that lets a SYN wait for longer than a second gets it twice, and answers it twice, as it must.
        const begun = () => late === 0 || (run.ends[1] as End).established;
        run.run((which) => (which === late && begun() ? draw() : 0), LIMIT_US);
        t.ok(run.done, `seed ${seed}: all has arrived by ${run.world.now}`);
        judge(t, run.ends[late] as End, `seed ${seed}`);
      }
      t.end();
    });
  }
}

tap.test('both are late, each by less than the path takes there and back → nothing twice at either end', (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const prng = new Prng(seed);
    const run = new LateWorld(seed, 30_000, [400_000, 400_000]);
    run.run(() => prng.below(50_000), LIMIT_US);
    t.ok(run.done, `seed ${seed}: all has arrived by ${run.world.now}`);
    for (const [i, end] of run.ends.entries()) judge(t, end, `seed ${seed}, end ${i}`);
  }
  t.end();
});

tap.test('both ends in one process that stands still for seconds → nothing twice at either end', (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const run = new LateWorld(seed, 0, [400_000, 400_000]);
    run.runStalled(lateness(new Prng(seed)), LIMIT_US);
    t.ok(run.done, `seed ${seed}: all has arrived by ${run.world.now}`);
    for (const [i, end] of run.ends.entries()) judge(t, end, `seed ${seed}, end ${i}`);
  }
  t.end();
});

tap.test('one stack that talks to itself, and stands still for seconds → nothing twice', (t) => {
  for (let seed = 1; seed <= 4; seed++) {
    const world = new VirtualWorld(1_000_000);
    const host = world.add('alone', new Stack({ seed, now: world.now, tcp: SMALL }));
    const local = host.stack.net.parseAddress('127.0.0.1');
    const ends = [new End(host, local, 400_000), new End(host, local, 400_000)] as const;
    ends[1].listen();
    ends[0].open(local);
    stall(world, lateness(new Prng(seed)), LIMIT_US, () => ends.every((end) => end.ended));
    t.same([ends[0].received, ends[1].received], [400_000, 400_000], `seed ${seed}: all has arrived by ${world.now}`);
    t.same(ends[0].blamed, NONE);
  }
  t.end();
});
