import type { Sink } from '../../drivers/sink.js';
import { Prng } from '../../stack/base/prng.js';
import type { ConnectionId } from '../../stack/base/units.js';
import { Event, SocketKind } from '../../stack/net/event-queue.js';
import type { TcpLimits } from '../../stack/tcp/limits.js';
import { drawProgram, Ending, Program } from './program.js';
import { drawPlan, JoinedWorld, type LinkPlan, type Side } from './world.js';

/** What a seed came to: an empty list when all was as it must be. */
export interface Outcome {
  readonly problems: string[];
  readonly plan: LinkPlan;
  readonly bytes: number;
  readonly frames: number;
  readonly endedUs: number;
}

/** Longer than any connection's life: retransmissions at their slowest, an orphan's wait, TIME-WAIT. */
const LIMIT_US = 4 * 3_600_000_000;
const PORT = 80;
const CROSSING_PORT = 5000;

/**
 * One simulation: a link, some connections over it, programs at their ends, all drawn from the seed; `limits` hold on
 * both sides.
 */
export function simulate(seed: number, sink?: Sink, limits: Partial<TcpLimits> = {}): Outcome {
  const prng = new Prng(seed);
  const drawn = drawPlan(prng);
  const plan: LinkPlan = {
    ...drawn,
    limits: [
      { ...drawn.limits[0], ...limits },
      { ...drawn.limits[1], ...limits },
    ],
  };
  const joined = new JoinedWorld(seed, plan, sink);
  const { world } = joined;
  const programs: Program[] = [];
  const problems: string[] = [];
  for (const side of joined.sides) serve(side, programs, prng);
  const connections = 1 + prng.below(6);
  for (let i = 0; i < connections; i++) {
    const side = joined.sides[prng.below(2)] as Side;
    const other = side === joined.near ? joined.far : joined.near;
    const id = side.stack.tcp.open({ remoteAddress: other.address, remotePort: PORT, keepAlive: true });
    programs.push(new Program(side, id, false, drawProgram(prng), prng.below(60_000), prng));
    side.host.wake();
    world.runFor(prng.below(30_000));
  }
  if (prng.below(4) === 0) callEachOther(joined, programs, prng);
  const until = world.now + LIMIT_US;
  while (world.now < until) {
    world.settle();
    for (const program of programs) if (program.nextAt <= world.now) program.step();
    let next = until;
    for (const program of programs) if (program.nextAt < next) next = program.nextAt;
    if (next === until && programs.every((program) => program.done) && world.deadline() === Infinity) break;
    next = Math.min(next, Math.max(world.deadline(), world.now));
    if (next > world.now) world.clock.set(next);
  }
  // A long burst on a slow link can take every retransmission with it: then giving up is right.
  const gaveUp = joined.sides.some((side) => side.stack.net.stats.tcpAbortOnTimeout > 0);
  // In a world with little memory a connection without progress is reset for others, an orphan too: one end sees ENOBUFS, the other a RST.
  const tight = joined.sides.some((side) => side.stack.net.stats.tcpAbortOnMemory > 0);
  const bursts = plan.faults.in.burstStart > 0 || plan.faults.out.burstStart > 0;
  for (const program of programs) judge(program, (gaveUp && bursts) || (tight && wasReset(program)), problems);
  for (const side of joined.sides) checkFreed(side, plan, problems);
  joined.close();
  const bytes = programs.reduce((sum, program) => sum + program.received, 0);
  return { problems, plan, bytes, frames: joined.link.counters.framesSent, endedUs: world.now };
}

/** Both sides OPEN at the same moment, from and to the same ports: RFC 9293 figure 8, over this link. */
function callEachOther(joined: JoinedWorld, programs: Program[], prng: Prng): void {
  const pair = joined.sides.map((side) => {
    const other = side === joined.near ? joined.far : joined.near;
    const options = { remoteAddress: other.address, remotePort: CROSSING_PORT, localPort: CROSSING_PORT };
    const id = side.stack.tcp.open({ ...options, keepAlive: true });
    side.host.wake();
    return new Program(side, id, false, drawProgram(prng), prng.below(60_000), prng);
  }) as [Program, Program];
  pair[0].peer = pair[1];
  pair[1].peer = pair[0];
  programs.push(...pair);
}

/** Accepts what comes. The two programs of a connection are told of each other. */
function serve(side: Side, programs: Program[], prng: Prng): void {
  const { tcp } = side.stack;
  const listener = tcp.listen({ port: PORT, backlog: 8, keepAlive: true });
  const handler = {
    handleEvent() {
      for (let id = tcp.accept(listener); id !== 0; id = tcp.accept(listener)) {
        const served = new Program(side, id as ConnectionId, true, drawProgram(prng), prng.below(60_000), prng);
        const opener = programs.find(
          (other) => !other.serves && other.peer === null && other.side !== side && other.port === served.port,
        );
        if (opener !== undefined) {
          opener.peer = served;
          served.peer = opener;
        }
        programs.push(served);
      }
    },
  };
  side.host.reactor.registerHandler(SocketKind.LISTENER, listener, handler, Event.ACCEPTABLE);
}

function wasReset(program: Program): boolean {
  return [program, program.peer].some((end) => end?.error === 'ENOBUFS' || end?.error === 'ECONNRESET');
}

function judge(program: Program, mayFail: boolean, problems: string[]): void {
  const { peer, plan } = program;
  const name = `${program.side.host.name}:${program.port}${program.serves ? ' (server)' : ''}`;
  const say = (what: string) => problems.push(`${name}: ${what}`);
  if (program.fault !== '') say(program.fault);
  if (!program.done) say(`stalled: sent ${program.sent} of ${plan.sendBytes}, received ${program.received}`);
  if (peer === null) {
    // Its handshake was given up on the other side, or it was reset while it waited to be accepted.
    if (plan.ending === Ending.SHUTDOWN && !mayFail && program.error === '') say('ended without a peer');
    return;
  }
  if (program.received > peer.sent) say(`received ${program.received}, ${peer.sent} were sent`);
  if (mayFail || plan.ending !== Ending.SHUTDOWN || peer.plan.ending !== Ending.SHUTDOWN) return;
  if (program.error !== '') say(`failed with ${program.error}`);
  if (program.received !== peer.plan.sendBytes) say(`received ${program.received} of ${peer.plan.sendBytes}`);
}

function checkFreed(side: Side, plan: LinkPlan, problems: string[]): void {
  const { stack, host } = side;
  const tcp = stack.tcp.context;
  const { connections, active, halfOpen, timeWait } = stack.tcp.counts;
  const left = {
    connections,
    active,
    halfOpen,
    timeWait,
    chunks: tcp.arena.chunksMax - tcp.arena.chunksFree,
    runs: tcp.reassembly.count,
    records: tcp.transmits.count,
    slots: plan.slots - stack.slab.freeCount,
    marked: tcp.marked.length,
    established: stack.net.stats.tcpCurrEstab,
  };
  for (const [what, count] of Object.entries(left)) {
    if (count !== 0) problems.push(`${host.name}: ${count} ${what} left`);
  }
}
