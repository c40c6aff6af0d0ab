import { existsSync, readFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { COLD_FIELDS, COLD_HOLES } from '../../../stack/tcp/cold-fields.js';
import { wake } from '../../../stack/tcp/connection.js';
import { type Field, HOT_FIELDS, TALLY_FIELDS } from '../../../stack/tcp/fields.js';
import type { TcpLimits } from '../../../stack/tcp/limits.js';
import { Note } from '../../../stack/tcp/sleep.js';
import { Cold, Tally, Tcb } from '../../../stack/tcp/tcb.js';
import { Timer } from '../../../stack/tcp/timers.js';
import type { Peer } from './peer.js';
import { established } from './states.js';

/** Every field of a connection's rows: the table is complete, and what it says of sleep is so. */

const SOURCE = new URL('../../../../stack/tcp/', import.meta.url);

/** The members of an enum as tcb.ts has them: constant enums are numbers by now, so the text is read. */
function members(name: string): Map<string, number> {
  const text = readFileSync(new URL('tcb.ts', SOURCE), 'utf8');
  const body = text.slice(text.indexOf(`export const enum ${name} {`)).split('\n}')[0] as string;
  const found = new Map<string, number>();
  for (const [, member, value] of body.matchAll(/^ {2}([A-Z][A-Z0-9_]*) = (\d+),$/gm))
    found.set(member as string, Number(value));
  return found;
}

for (const [name, size, fields, holes, bases] of [
  ['Cold', Cold.SIZE, COLD_FIELDS, COLD_HOLES, ['R_BYTES', 'S_BYTES']],
  ['Tcb', Tcb.SIZE, HOT_FIELDS, [], ['SHIFT']],
  ['Tally', Tally.SIZE, TALLY_FIELDS, [], []],
] as const) {
  t.test(`${name} → each word belongs to one field of the table, under its own number`, (t) => {
    const declared = members(name);
    t.equal(declared.get('SIZE'), size);
    const owners = new Map<number, string>();
    for (const [member, row] of Object.entries<Field>(fields)) {
      t.equal(row.at, declared.get(member), `${member} has its number`);
      for (let word = row.at; word < row.at + row.words; word++) {
        t.notOk(owners.has(word), `word ${word} belongs to ${member} alone, not to ${owners.get(word)} as well`);
        owners.set(word, member);
      }
      t.ok(existsSync(new URL(`${row.owner}.ts`, SOURCE)), `${member}: ${row.owner}.ts exists`);
      t.ok(row.source.length > 0 && row.sleep.why.length > 0);
    }
    for (const member of declared.keys())
      t.ok(
        member in fields || member === 'SIZE' || (bases as readonly string[]).includes(member),
        `${member} has a row`,
      );
    const free = Array.from({ length: size }, (_, word) => word).filter((word) => !owners.has(word));
    t.same(free, holes, 'no word is free that is not said to be');
    t.end();
  });
}

t.test('what sleep lends of the tally → initial sequence numbers and high halves, no word twice', (t) => {
  const lent = [
    Note.SEGMENTS,
    Note.PACKED,
    Note.MDEV_MAX_US,
    Note.RCV_RTT_TSECR,
    Note.CC,
    Note.RATE_INTERVAL_US,
    Note.RCV_RTT,
    Note.RCV_SSTHRESH,
    Note.RTTVAR_US,
  ];
  t.equal(new Set(lent).size, lent.length);
  const highs = Object.values<Field>(TALLY_FIELDS).filter((row) => row.kind === 'low');
  const free = [Tally.ISS, Tally.IRS, ...highs.map((row) => row.at + 1)];
  for (const word of lent) t.ok(free.includes(word), `word ${word}`);
  t.end();
});

/** Small tables: there is a stack for each field. */
const FEW: Partial<TcpLimits> = {
  connectionsMax: 4,
  activeMax: 4,
  bufferBytesMax: 1 << 20,
  outOfOrderMax: 16,
  transmitRecordsMax: 64,
};

/** An idle keep-alive connection: a request has come, and was answered. */
function resting(t: Test, limits: Partial<TcpLimits> = {}): Peer {
  const peer = established(t, {
    tcp: { ...FEW, ...limits },
    slots: 16,
    syn: { mss: 1460, sackOk: true, wscale: 7, ts: [5, 0] },
    win: 501,
  });
  peer.data(700);
  peer.read();
  peer.write(3000);
  peer.advanceMs(2);
  peer.ack();
  peer.drain();
  return peer;
}

const row = (peer: Peer): number => peer.tcp.rowOf(peer.id) << Tcb.SHIFT;
const coldRow = (peer: Peer): number => peer.tcp.context.hot[row(peer) + Tcb.COLD] as number;
const word = (peer: Peer, at: number): number => peer.tcp.context.cold[coldRow(peer) + at] as number;
const asleep = (peer: Peer): boolean => peer.tcp.counts.active === 0;

/** A value other than the word's, which says something by itself; where any other would not do, which. */
const TELLING: Readonly<Record<string, number>> = {
  TIMERS: 1 << Timer.LINGER,
  ACK_BITS: 1,
  CUSTOM: 4,
  RECOVERY_BITS: 1,
  CC: 7,
  BUSY: 1,
  RATE_APP_LIMITED: 1,
};
/** Fields whose word says something only beside another: what else must be so. */
const BESIDE: Readonly<Record<string, (peer: Peer) => void>> = {
  TIMERS: (peer) => put(peer, Cold.AT_LINGER, 1 << 29),
  MAX_SND_WND: (peer) => {
    peer.tcp.context.hot[row(peer) + Tcb.SND_WND] = 2000;
    put(peer, Cold.MAX_SND_WND, 64_128);
  },
  CHALLENGED_AT: (peer) => put(peer, Cold.CHALLENGED_AT, peer.nowUs / 1000 - 100),
  // The window that 128 KiB of memory are worth.
  WINDOW_CLAMP: (peer) => {
    put(peer, Cold.RCV_SCALING, word(peer, Cold.RCV_SCALING) + 3);
    put(peer, Cold.WINDOW_CLAMP, 512 * word(peer, Cold.RCV_SCALING));
  },
  RCV_SCALING: (peer) => put(peer, Cold.WINDOW_CLAMP, 512 * word(peer, Cold.RCV_SCALING)),
  CWND_STAMP: (peer) => {
    peer.tcp.context.hot[row(peer) + Tcb.CWND] = 40 * 1448;
    put(peer, Cold.SND_LIMIT, 131_072);
  },
};
/** What only a paced connection has a use for. */
const PACED: Readonly<Record<string, (peer: Peer) => void>> = {
  DEPARTS_AT_US: (peer) => {
    put(peer, Cold.DEPARTS_AT_US, peer.nowUs + 900_000);
    put(peer, Cold.DATA_SEGMENTS, 10);
  },
  DATA_SEGMENTS: (peer) => put(peer, Cold.DATA_SEGMENTS, 3),
};
/** Fields that are kept as what their word means, and not as the word. */
const MEANT: Readonly<Record<string, (peer: Peer) => number>> = {
  SND_WL1: (peer) => ((peer.tcp.context.hot[row(peer) + Tcb.RCV_NXT] as number) - 1) | 0,
};
/** Sleep waits for these until a time that has come by itself a second later. */
const PASSING = new Set(['CHALLENGED_AT', 'CWND_STAMP', 'DEPARTS_AT_US']);
/** The tally's own words, which the cold row repeats. */
const TALLIED: Readonly<Record<string, Tally>> = {
  MIN_RTT_US: Tally.MIN_RTT_US,
  LAST_SENT_AT: Tally.LAST_DATA_SENT,
  LAST_DATA_AT: Tally.LAST_DATA_RECEIVED,
};

function put(peer: Peer, at: number, value: number): void {
  peer.tcp.context.cold[coldRow(peer) + at] = value;
}

/** A resting connection with a telling value in the field. */
function disturbed(t: Test, name: string, field: Field, limits: Partial<TcpLimits> = {}): [Peer, number] {
  const peer = resting(t, { ...limits, ...(name in PACED ? { pacing: true } : {}) });
  const { at } = field;
  const value = TELLING[name] ?? word(peer, at) + 3;
  put(peer, at, value);
  const tallied = TALLIED[name];
  if (tallied !== undefined && peer.tcp.context.tallies)
    peer.tcp.context.tally[peer.tcp.rowOf(peer.id) * Tally.SIZE + tallied] = value;
  (BESIDE[name] ?? PACED[name])?.(peer);
  return [peer, word(peer, at)];
}

function awakened(peer: Peer): number {
  wake(peer.tcp.context, row(peer));
  return coldRow(peer);
}

t.test('at rest, nothing disturbed → sleeps', (t) => {
  for (const tally of [true, false]) {
    const peer = resting(t, { tally });
    peer.advanceMs(39);
    t.notOk(asleep(peer));
    peer.advanceMs(200);
    t.ok(asleep(peer), `tally ${tally}`);
  }
  t.end();
});

for (const [name, field] of Object.entries<Field>(COLD_FIELDS)) {
  const { at } = field;
  const { rule } = field.sleep;
  t.test(`${name}, ${rule}: ${field.sleep.why}`, (t) => {
    const [peer, value] = disturbed(t, name, field);
    const before = row(peer);
    const passing = PASSING.has(name);
    peer.advanceMs(passing ? 60 : 1000);
    switch (rule) {
      case 'forbids':
        t.notOk(asleep(peer), 'the row stays');
        t.equal(word(peer, at), value, 'and the word in it');
        peer.advanceMs(passing ? 2000 : 400_000);
        t.equal(asleep(peer), passing, passing ? 'until its time has passed' : 'for good');
        break;
      case 'path': {
        t.notOk(asleep(peer), 'the row stays');
        t.equal(word(peer, at), value, 'and the word in it');
        peer.advanceMs(290_000);
        t.notOk(asleep(peer));
        peer.advanceMs(20_000);
        t.ok(asleep(peer), 'until the path is forgotten');
        break;
      }
      case 'lost': {
        t.ok(asleep(peer), 'the row goes');
        const fresh = resting(t);
        fresh.advanceMs(1000);
        t.ok(asleep(fresh));
        const [k, other] = [awakened(peer), awakened(fresh)];
        const { cold } = peer.tcp.context;
        t.equal(cold[k + at], fresh.tcp.context.cold[other + at], 'and the next is as if nothing had been there');
        break;
      }
      case 'tally': {
        t.ok(asleep(peer), 'the row goes');
        t.equal(peer.tcp.context.cold[awakened(peer) + at], value, 'the tally has kept the word');
        const [without] = disturbed(t, name, field, { tally: false });
        without.advanceMs(1000);
        t.ok(asleep(without), 'without tallies it goes all the same');
        break;
      }
      default:
        // What does not follow from the hot row is not let go.
        if (!asleep(peer)) t.equal(word(peer, at), value, 'the row stays, and the word in it');
        else {
          const meant = MEANT[name]?.(peer) ?? value;
          t.equal(peer.tcp.context.cold[awakened(peer) + at], meant, 'a woken row has it again');
        }
    }
    t.equal(row(peer), before);
    t.end();
  });
}

t.test('cold rows scarce → what is known of a path is no reason to hold one; what nobody else keeps is', (t) => {
  for (const [name, sleeps] of [
    ['REORDERING', true],
    ['SOFT_ERROR', false],
  ] as const) {
    const [peer] = disturbed(t, name, COLD_FIELDS[name], { activeMax: 1, connectionsMax: 1 });
    peer.advanceMs(1000);
    t.equal(asleep(peer), sleeps, name);
  }
  t.end();
});
