import { seqDiff, seqGeq, seqGt, seqLeq, seqLt, seqMin } from '../base/seq.js';
import { Verdict } from '../wire/verdict.js';
import type { TcpContext } from './context.js';
import { settle } from './memory.js';
import { Run } from './reassembly-pool.js';
import { chargeBehindLast, chargeDelivered, costOfSegment, forgetLastAhead, noteLastAhead } from './receive-memory.js';
import { findRun, insertRun, lookAtFront, runAfter, stepTo, unlinkNext } from './run-list.js';
import { extendDuplicate, forgetBlocks, reportDuplicate } from './sack.js';
import { addTo } from './tally.js';
import { Cold, Tally, Tcb } from './tcb.js';

/**
 * Segment path. Bytes that came before their predecessors (RFC 9293 §3.10.7.4, seventh check; MUST-58, SHLD-31): kept in runs sorted by sequence number until the gap is filled. Work and memory are
 * bounded: the window bounds where a segment may begin, the receive buffer what all of them may cost, a limit the runs of a connection, the pool the runs of all.
 */

/** Keeps the text at SEG.SEQ, which begins in the window and beyond RCV.NXT. */
export function keepOutOfOrder(tcp: TcpContext, c: number, k: number): Verdict {
  const { cold, seg } = tcp;
  const runs = tcp.reassembly.rows;
  const seq = seg.SEQ;
  const end = (seq + seg.textLength) | 0;
  // Nearly always it follows the run that came last.
  const tail = cold[k + Cold.OOO_TAIL];
  if (tail !== 0 && runs[tail + Run.END] === seq) return growTail(tcp, k, tail);
  const before = findRun(tcp, k, seq);
  if (before !== 0 && seqGeq(runs[before + Run.END], seq)) return mergeInto(tcp, c, k, before);
  const after = runAfter(tcp, k, before);
  if (after === 0 || seqGt(runs[after + Run.SEQ], end)) return newRun(tcp, c, k);
  stepTo(tcp, after);
  return mergeInto(tcp, c, k, after);
}

function growTail(tcp: TcpContext, k: number, at: number): Verdict {
  const { arena, seg } = tcp;
  const runs = tcp.reassembly.rows;
  runs[at + Run.QUEUE] = arena.append(runs[at + Run.QUEUE], seg.bytes, seg.textAt, seg.textLength);
  runs[at + Run.END] = (runs[at + Run.END] + arena.moved) | 0;
  charge(tcp, k, at, chargeBehindLast(tcp, k));
  return arena.moved < seg.textLength ? Verdict.TCP_MEMORY : Verdict.OUT_OF_ORDER;
}

function charge(tcp: TcpContext, k: number, at: number, cost: number): void {
  tcp.reassembly.rows[at + Run.MEM] += cost;
  tcp.cold[k + Cold.OOO_MEM] += cost;
}

/** A run of its own where `findRun` has looked. */
function newRun(tcp: TcpContext, c: number, k: number): Verdict {
  const { cold, seg, arena } = tcp;
  if (cold[k + Cold.OOO_COUNT] >= tcp.limits.outOfOrderPerConnection) return Verdict.TCP_REASSEMBLY_LIMIT;
  let at = tcp.reassembly.take();
  if (at === 0) {
    if (!largestLetsGo(tcp, c, k)) {
      tcp.net.stats.tcpRunsRefused += 1;
      return Verdict.TCP_REASSEMBLY_LIMIT;
    }
    at = tcp.reassembly.take();
    // The search was lost with the other's.
    findRun(tcp, k, seg.SEQ);
  }
  const queue = arena.append(0, seg.bytes, seg.textAt, seg.textLength);
  if (queue === 0) {
    tcp.reassembly.give(at);
    return Verdict.TCP_MEMORY;
  }
  const runs = tcp.reassembly.rows;
  runs[at + Run.SEQ] = seg.SEQ;
  runs[at + Run.END] = (seg.SEQ + arena.moved) | 0;
  runs[at + Run.QUEUE] = queue;
  runs[at + Run.MEM] = 0;
  insertRun(tcp, k, at);
  charge(tcp, k, at, costOfSegment(tcp));
  if (cold[k + Cold.OOO_TAIL] === at) noteLastAhead(tcp, k);
  return Verdict.OUT_OF_ORDER;
}

/**
 * All runs are taken. As long as somebody has more than twice as many as `c`, the newest of his is let go for it: so they share, and nobody's first gap waits for
 * another's. False when nobody has.
 */
function largestLetsGo(tcp: TcpContext, c: number, k: number): boolean {
  const { cold, holders } = tcp;
  const list = holders.runs.largest(31);
  if (list < 0) return false;
  const other = holders.coldOf(holders.runs.first(list));
  if (other === k || cold[k + Cold.OOO_COUNT] >>> list !== 0) return false;
  settle(tcp, c);
  pruneNewest(tcp, other, 1);
  settle(tcp, tcp.holders.ownerOf(other));
  return true;
}

/** Lets the `count` newest runs go, the farthest from RCV.NXT: memory is short, and others have a better claim to it (RFC 2018 §8). */
export function pruneNewest(tcp: TcpContext, k: number, count: number): void {
  const { cold } = tcp;
  for (let left = count; left > 0 && cold[k + Cold.OOO_COUNT] > 0; left--) {
    dropTail(tcp, k);
    tcp.net.stats.tcpRunsEvicted += 1;
  }
  forgetBlocks(tcp, k);
}

/** The last run goes. Returns what it cost of the receive buffer. */
function dropTail(tcp: TcpContext, k: number): number {
  const { cold } = tcp;
  const runs = tcp.reassembly.rows;
  const tail = cold[k + Cold.OOO_TAIL];
  findRun(tcp, k, runs[tail + Run.SEQ]);
  unlinkNext(tcp, k);
  tcp.arena.free(runs[tail + Run.QUEUE]);
  cold[k + Cold.OOO_MEM] -= runs[tail + Run.MEM];
  forgetLastAhead(tcp, k);
  tcp.reassembly.give(tail);
  return runs[tail + Run.MEM];
}

/** The segment touches or overlaps the run at `at`: what is new of it goes in, and the run swallows those it now reaches. */
function mergeInto(tcp: TcpContext, c: number, k: number, at: number): Verdict {
  const { arena, seg } = tcp;
  const runs = tcp.reassembly.rows;
  const seq = seg.SEQ;
  const end = (seq + seg.textLength) | 0;
  const first = seqGt(seq, runs[at + Run.SEQ]) ? seq : runs[at + Run.SEQ];
  reportDuplicate(tcp, c, k, first, seqMin(end, runs[at + Run.END]));
  if (seqGeq(seq, runs[at + Run.SEQ]) && seqLeq(end, runs[at + Run.END])) return Verdict.TCP_DUPLICATE;
  // What the segment brings whole for the second time is held once.
  if (seqLeq(seq, runs[at + Run.SEQ]) && seqGeq(end, runs[at + Run.END])) charge(tcp, k, at, -runs[at + Run.MEM]);
  charge(tcp, k, at, costOfSegment(tcp));
  if (seqLt(seq, runs[at + Run.SEQ])) {
    const wanted = seqDiff(runs[at + Run.SEQ], seq);
    const front = arena.append(0, seg.bytes, seg.textAt, wanted);
    if (arena.moved < wanted) {
      arena.free(front);
      return Verdict.TCP_MEMORY;
    }
    runs[at + Run.QUEUE] = arena.concat(front, runs[at + Run.QUEUE]);
    runs[at + Run.SEQ] = seq;
  }
  while (seqGt(end, runs[at + Run.END])) {
    const next = runAfter(tcp, k, at);
    const stop = next !== 0 && seqLt(runs[next + Run.SEQ], end) ? runs[next + Run.SEQ] : end;
    const from = seqDiff(runs[at + Run.END], seq);
    const wanted = seqDiff(stop, runs[at + Run.END]);
    runs[at + Run.QUEUE] = arena.append(runs[at + Run.QUEUE], seg.bytes, seg.textAt + from, wanted);
    runs[at + Run.END] = (runs[at + Run.END] + arena.moved) | 0;
    if (arena.moved < wanted) return Verdict.TCP_MEMORY;
    if (!swallowNext(tcp, c, k, at, end)) break;
  }
  swallowNext(tcp, c, k, at, end);
  if (tcp.cold[k + Cold.OOO_TAIL] === at && runs[at + Run.END] === end) noteLastAhead(tcp, k);
  return Verdict.OUT_OF_ORDER;
}

/** Joins the run at `at` with the one behind it if they touch. What the segment, up to `end`, brought of that one has come twice. */
function swallowNext(tcp: TcpContext, c: number, k: number, at: number, end: number): boolean {
  const runs = tcp.reassembly.rows;
  const next = runAfter(tcp, k, at);
  if (next === 0 || runs[next + Run.SEQ] !== runs[at + Run.END]) return false;
  extendDuplicate(tcp, c, k, runs[next + Run.SEQ], seqMin(end, runs[next + Run.END]));
  unlinkNext(tcp, k);
  runs[at + Run.QUEUE] = tcp.arena.concat(runs[at + Run.QUEUE], runs[next + Run.QUEUE]);
  runs[at + Run.END] = runs[next + Run.END];
  if (seqGeq(end, runs[next + Run.END])) tcp.cold[k + Cold.OOO_MEM] -= runs[next + Run.MEM];
  else runs[at + Run.MEM] += runs[next + Run.MEM];
  tcp.reassembly.give(next);
  return true;
}

/** RCV.NXT has moved: what it has reached goes to the receive queue. */
export function deliverRuns(tcp: TcpContext, c: number, k: number): void {
  const { hot, cold, arena } = tcp;
  const runs = tcp.reassembly.rows;
  const reached = hot[c + Tcb.RCV_NXT];
  lookAtFront();
  let at = runAfter(tcp, k, 0);
  while (at !== 0 && seqLeq(runs[at + Run.SEQ], hot[c + Tcb.RCV_NXT])) {
    const last = cold[k + Cold.OOO_TAIL] === at;
    unlinkNext(tcp, k);
    const length = seqDiff(runs[at + Run.END], runs[at + Run.SEQ]);
    const old = seqDiff(reached, runs[at + Run.SEQ]);
    const fresh = length - old;
    if (old > 0) extendDuplicate(tcp, c, k, runs[at + Run.SEQ], fresh > 0 ? reached : runs[at + Run.END]);
    if (fresh > 0) {
      const queue = old > 0 ? arena.drop(runs[at + Run.QUEUE], old) : runs[at + Run.QUEUE];
      const before = arena.length(hot[c + Tcb.RCV_QUEUE]);
      hot[c + Tcb.RCV_QUEUE] = arena.concat(hot[c + Tcb.RCV_QUEUE], queue);
      hot[c + Tcb.RCV_NXT] = runs[at + Run.END];
      hot[c + Tcb.RCV_WND] -= fresh;
      if (tcp.tallies) addTo(tcp.tally, (c >>> Tcb.SHIFT) * Tally.SIZE + Tally.BYTES_RECEIVED, fresh);
      chargeDelivered(tcp, k, before, fresh, runs[at + Run.MEM], old === 0, last);
    } else {
      arena.free(runs[at + Run.QUEUE]);
    }
    cold[k + Cold.OOO_MEM] -= runs[at + Run.MEM];
    tcp.reassembly.give(at);
    at = runAfter(tcp, k, 0);
  }
  if (hot[c + Tcb.RCV_WND] < 0) hot[c + Tcb.RCV_WND] = 0;
}

/**
 * Lets runs go, the last first, until those that are left cost no more than `allowed`, an eighth of the buffer at a time (as Linux): RFC 2018 §8 allows it, and what is nearest to RCV.NXT
 * is worth most. A segment that would be the last itself does not make another go.
 */
export function pruneRuns(tcp: TcpContext, k: number, allowed: number): void {
  const { cold, seg } = tcp;
  const runs = tcp.reassembly.rows;
  const step = cold[k + Cold.RCV_LIMIT] >>> 3;
  let goal = step;
  let pruned = false;
  for (let tail = cold[k + Cold.OOO_TAIL]; tail !== 0; tail = cold[k + Cold.OOO_TAIL]) {
    if (seqGt(seg.SEQ, runs[tail + Run.SEQ])) break;
    goal -= dropTail(tcp, k);
    pruned = true;
    if (goal > 0) continue;
    if (cold[k + Cold.OOO_MEM] <= allowed) break;
    goal = step;
  }
  if (!pruned) return;
  tcp.net.stats.tcpOfoPruned += 1;
  forgetBlocks(tcp, k);
}

/** Everything kept is given back. */
export function freeRuns(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const runs = tcp.reassembly.rows;
  lookAtFront();
  while (cold[k + Cold.OOO_COUNT] > 0) {
    const at = unlinkNext(tcp, k);
    tcp.arena.free(runs[at + Run.QUEUE]);
    tcp.reassembly.give(at);
  }
  cold[k + Cold.OOO_MEM] = 0;
  forgetBlocks(tcp, k);
}

/** Control path. Bytes kept out of order. */
export function bytesOutOfOrder(tcp: TcpContext, k: number): number {
  const runs = tcp.reassembly.rows;
  let bytes = 0;
  for (let at = runAfter(tcp, k, 0); at !== 0; at = runAfter(tcp, k, at))
    bytes += seqDiff(runs[at + Run.END], runs[at + Run.SEQ]);
  return bytes;
}
