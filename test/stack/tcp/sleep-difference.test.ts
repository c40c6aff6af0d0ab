import t, { type Test } from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import type { TcpInfo } from '../../../stack/tcp/info.js';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

/**
 * A connection that sleeps whenever it may, beside one that never does: whatever peer, program and path do, both send
 * the same segments at the same times and show the same in `info`.
 */

const NEVER_MS = 1 << 29;
const STEPS = 30;

/** What a run has shown: the segments sent, and `info` after each step. */
interface Shown {
  readonly lines: string[];
  /** How often the connection was asleep at the end of a silence. */
  slept: number;
}

/** One connection through a program of steps that the seed decides. */
function run(t: Test, seed: number, hibernateMs: number, limits: Partial<TcpLimits>): Shown {
  const prng = new Prng(seed);
  const timestamps = prng.below(2) === 0;
  const sackOk = prng.below(4) !== 0;
  const peer = established(t, {
    tcp: { hibernateMs, ...limits },
    syn: {
      mss: [536, 1000, 1460][prng.below(3)] as number,
      ...(sackOk ? { sackOk: true } : {}),
      wscale: 7,
      ...(timestamps ? { ts: [1000, 0] as const } : {}),
    },
    win: [20, 501, 2000][prng.below(3)] as number,
  });
  const shown: Shown = { lines: [], slept: 0 };
  const rttMs = [1, 20, 180][prng.below(3)] as number;
  for (let step = 0; step < STEPS; step++) {
    const what = act(peer, prng, rttMs, shown);
    record(peer, shown, `${step} ${what}`);
  }
  return shown;
}

function act(peer: Peer, prng: Prng, rttMs: number, shown: Shown): string {
  switch (prng.below(9)) {
    case 0:
    case 1:
      return request(peer, prng);
    case 2:
    case 3:
      return answer(peer, prng, rttMs);
    case 4: {
      // Out of order: the second of two segments first; and the first twice, now and then.
      const first = peer.nxt;
      peer.inject({ seq: first + 500, data: 500 });
      peer.advanceMs(prng.below(3));
      peer.inject({ seq: first, data: 500 });
      if (prng.below(2) === 0) peer.inject({ seq: first, data: 500 });
      peer.nxt += 1000;
      peer.read();
      return 'reordered';
    }
    case 5: {
      // The window moves, as that of a peer which reads slowly does.
      peer.win = [20, 400, 501, 2000][prng.below(4)] as number;
      peer.ack();
      return `window ${peer.win}`;
    }
    default: {
      const ms = [41, 60, 250, 700, 3000, 60_000][prng.below(6)] as number;
      peer.advanceMs(ms);
      if (!peer.tcp.info(peer.id).active) shown.slept += 1;
      return `${ms} ms`;
    }
  }
}

function request(peer: Peer, prng: Prng): string {
  const bytes = [1, 80, 300, 700, 1448, 4000][prng.below(6)] as number;
  for (let left = bytes; left > 0; left -= 1448) peer.data(Math.min(left, 1448));
  if (prng.below(4) === 0) peer.advanceMs(prng.below(300));
  peer.read();
  return `request of ${bytes}`;
}

/** The program writes, and the peer acknowledges all of it a round trip later, or loses the first segment of it. */
function answer(peer: Peer, prng: Prng, rttMs: number): string {
  const bytes = [10, 900, 3000, 14_000, 40_000][prng.below(5)] as number;
  const loses = prng.below(6) === 0;
  const una = peer.rcvNxt;
  peer.write(bytes);
  for (let turns = 0; turns < 60 && peer.tcp.unacknowledged(peer.id) > 0; turns++) {
    peer.advanceMs(rttMs);
    if (loses && turns === 0) for (let i = 0; i < 3; i++) peer.inject({ ack: una });
    else peer.ack();
  }
  return `answer of ${bytes}${loses ? ', the first lost' : ''}`;
}

function record(peer: Peer, shown: Shown, what: string): void {
  const { active: _, ...info } = peer.tcp.info(peer.id) as TcpInfo;
  const sent = peer.drain().map((segment) => `${segment.line}`);
  // One fact a line, so that a difference names itself.
  shown.lines.push(`${what} at ${peer.nowUs / 1000}: ${sent.join(' | ')}`, JSON.stringify(info));
}

// Where PSH stands within a long write follows the largest window; an idle connection keeps the one that holds now.
const pushHalfWindows = false;

for (const [what, limits] of [
  ['as it is', { pushHalfWindows }],
  ['Reno, paced', { congestion: 'reno', pacing: true, pushHalfWindows }],
] as const) {
  t.test(`asleep or awake, ${what} → the same segments, the same info`, (t) => {
    let slept = 0;
    for (let seed = 1; seed <= 30; seed++) {
      const sleeping = run(t, seed, 40, limits);
      const awake = run(t, seed, NEVER_MS, limits);
      slept += sleeping.slept;
      const at = sleeping.lines.findIndex((line, i) => line !== awake.lines[i]);
      if (at < 0) continue;
      t.equal(sleeping.lines[at], awake.lines[at], `seed ${seed}, after ${sleeping.lines[at - (at % 2) - 2]}`);
      break;
    }
    t.ok(slept > 40, `asleep after ${slept} silences`);
    t.end();
  });
}
