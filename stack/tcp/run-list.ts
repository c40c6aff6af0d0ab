import { seqLt } from '../base/seq.js';
import type { TcpContext } from './context.js';
import { Run } from './reassembly-pool.js';
import { Cold } from './tcb.js';

/**
 * Segment path. The order of a connection's runs (RFC 9293 §3.10.7.4, seventh check): a skip list. A sender may choose where each segment falls, so a plain list would cost a walk over all runs for each;
 * a search here takes some dozen steps however many there are. A record stands on as many of the four levels as a keyed hash of its place says: a quarter
 * of those on one level also on the next, and nobody outside can choose records that stand low.
 */
export const RUN_LEVELS = 4;

/** What `findRun` leaves behind: on each level the last record before the place sought, 0 where it is the head. */
const path = new Int32Array(RUN_LEVELS);
/** Steps taken by searches, for the tests that show their number bounded. */
export const runSearch = { steps: 0 };

function levelsOf(tcp: TcpContext, at: number): number {
  // The last step of Murmur3's mixing: every bit of the product depends on every bit of the key.
  let hash = Math.imul(at ^ tcp.secret[2], 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  hash ^= hash >>> 16;
  if ((hash & 3) !== 0) return 1;
  if ((hash & 0xc) !== 0) return 2;
  return (hash & 0x30) !== 0 ? 3 : RUN_LEVELS;
}

/** The record behind `at` on a level; behind the head for 0. */
function following(tcp: TcpContext, k: number, at: number, level: number): number {
  return at === 0 ? tcp.cold[k + Cold.OOO_HEAD + level] : tcp.reassembly.rows[at + Run.NEXT + level];
}

function link(tcp: TcpContext, k: number, at: number, level: number, next: number): void {
  if (at === 0) tcp.cold[k + Cold.OOO_HEAD + level] = next;
  else tcp.reassembly.rows[at + Run.NEXT + level] = next;
}

/** The last run that begins before `seq`, or 0. The list may be changed behind it until the next search. */
export function findRun(tcp: TcpContext, k: number, seq: number): number {
  const runs = tcp.reassembly.rows;
  let at = 0;
  for (let level = RUN_LEVELS - 1; level >= 0; level--) {
    for (let next = following(tcp, k, at, level); next !== 0 && seqLt(runs[next + Run.SEQ], seq); ) {
      at = next;
      next = following(tcp, k, at, level);
      runSearch.steps += 1;
    }
    path[level] = at;
  }
  return at;
}

/** The run behind `at`, 0 when there is none; the first of all for 0. */
export function runAfter(tcp: TcpContext, k: number, at: number): number {
  return following(tcp, k, at, 0);
}

/** Puts a record where `findRun` has looked. */
export function insertRun(tcp: TcpContext, k: number, at: number): void {
  const levels = levelsOf(tcp, at);
  for (let level = 0; level < levels; level++) {
    link(tcp, k, at, level, following(tcp, k, path[level], level));
    link(tcp, k, path[level], level, at);
  }
  if (following(tcp, k, at, 0) === 0) tcp.cold[k + Cold.OOO_TAIL] = at;
  const count = tcp.cold[k + Cold.OOO_COUNT] + 1;
  tcp.cold[k + Cold.OOO_COUNT] = count;
  // The list among the holders changes with the powers of two.
  if ((count & (count - 1)) === 0) tcp.holders.runs.place(tcp.holders.placeOf(k), count);
}

/** The place looked at moves behind the next run, `at`, which has grown forward to it. */
export function stepTo(tcp: TcpContext, at: number): void {
  const levels = levelsOf(tcp, at);
  for (let level = 0; level < levels; level++) path[level] = at;
}

/** Takes the run behind the place looked at out of the list. Its record and bytes are the caller's to give back. */
export function unlinkNext(tcp: TcpContext, k: number): number {
  const at = following(tcp, k, path[0], 0);
  const levels = levelsOf(tcp, at);
  for (let level = 0; level < levels; level++) link(tcp, k, path[level], level, following(tcp, k, at, level));
  if (following(tcp, k, path[0], 0) === 0) tcp.cold[k + Cold.OOO_TAIL] = path[0];
  const count = tcp.cold[k + Cold.OOO_COUNT];
  tcp.cold[k + Cold.OOO_COUNT] = count - 1;
  if ((count & (count - 1)) === 0) tcp.holders.runs.place(tcp.holders.placeOf(k), count - 1);
  return at;
}

/** The place looked at is the front. */
export function lookAtFront(): void {
  path.fill(0);
}
