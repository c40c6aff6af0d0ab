import { seqDiff, seqGeq, seqGt, seqLeq, seqLt, seqMin } from '../base/seq.js';
import { Verdict } from '../wire/verdict.js';
import type { TcpContext } from './context.js';
import { Run } from './reassembly-pool.js';
import { forget, remember, reportDuplicate } from './sack.js';
import { Cold, Tcb } from './tcb.js';

/**
 * Segment path. Bytes that came before their predecessors (RFC 9293 §3.10.7.4, seventh check; MUST-58, SHLD-31): kept in runs sorted by sequence number until the gap is filled. Work and memory are
 * bounded: the window bounds the bytes, a limit the runs of a connection, the pool the runs of all.
 */

/** Keeps [SEG.SEQ, SEG.SEQ + length), which lies in the window and beyond RCV.NXT. */
export function keepOutOfOrder(tcp: TcpContext, c: number, k: number): Verdict {
  const { cold, seg } = tcp;
  const runs = tcp.reassembly.rows;
  const seq = seg.SEQ;
  const end = (seq + seg.textLength) | 0;
  tcp.net.stats.tcpOutOfOrder += 1;
  // Nearly always it follows the run that came last.
  const tail = cold[k + Cold.OOO_TAIL];
  let before = 0;
  let at = cold[k + Cold.OOO_HEAD];
  if (tail !== 0 && seqGeq(seq, runs[tail + Run.END])) {
    if (runs[tail + Run.END] === seq) at = tail;
    else {
      before = tail;
      at = 0;
    }
  } else {
    while (at !== 0 && seqLt(runs[at + Run.END], seq)) {
      before = at;
      at = runs[at + Run.NEXT];
    }
  }
  if (at === 0 || seqGt(runs[at + Run.SEQ], end)) return newRun(tcp, k, before, at);
  return mergeInto(tcp, c, k, at, seq, end);
}

/** A run of its own between `before` and `after`. */
function newRun(tcp: TcpContext, k: number, before: number, after: number): Verdict {
  const { cold, seg, arena } = tcp;
  if (cold[k + Cold.OOO_COUNT] >= tcp.limits.outOfOrderPerConnection) return Verdict.TCP_REASSEMBLY_LIMIT;
  const at = tcp.reassembly.take();
  if (at === 0) return Verdict.TCP_REASSEMBLY_LIMIT;
  const queue = arena.append(0, seg.bytes, seg.textAt, seg.textLength);
  if (queue === 0) {
    tcp.reassembly.give(at);
    return Verdict.TCP_MEMORY;
  }
  const runs = tcp.reassembly.rows;
  runs[at + Run.SEQ] = seg.SEQ;
  runs[at + Run.END] = (seg.SEQ + arena.moved) | 0;
  runs[at + Run.QUEUE] = queue;
  runs[at + Run.NEXT] = after;
  if (before === 0) cold[k + Cold.OOO_HEAD] = at;
  else runs[before + Run.NEXT] = at;
  if (after === 0) cold[k + Cold.OOO_TAIL] = at;
  cold[k + Cold.OOO_COUNT] += 1;
  cold[k + Cold.OOO_BYTES] += arena.moved;
  remember(tcp, k, at);
  return Verdict.OUT_OF_ORDER;
}

/** [seq, end) touches or overlaps the run at `at`: what is new of it goes in, and the run swallows those it now reaches. */
function mergeInto(tcp: TcpContext, c: number, k: number, at: number, seq: number, end: number): Verdict {
  const { arena, seg } = tcp;
  const runs = tcp.reassembly.rows;
  remember(tcp, k, at);
  const first = seqGt(seq, runs[at + Run.SEQ]) ? seq : runs[at + Run.SEQ];
  reportDuplicate(tcp, c, k, first, seqMin(end, runs[at + Run.END]));
  if (seqGeq(seq, runs[at + Run.SEQ]) && seqLeq(end, runs[at + Run.END])) return Verdict.TCP_DUPLICATE;
  if (seqLt(seq, runs[at + Run.SEQ])) {
    const wanted = seqDiff(runs[at + Run.SEQ], seq);
    const front = arena.append(0, seg.bytes, seg.textAt, wanted);
    if (arena.moved < wanted) {
      arena.free(front);
      return Verdict.TCP_MEMORY;
    }
    runs[at + Run.QUEUE] = arena.concat(front, runs[at + Run.QUEUE]);
    runs[at + Run.SEQ] = seq;
    tcp.cold[k + Cold.OOO_BYTES] += wanted;
  }
  while (seqGt(end, runs[at + Run.END])) {
    const next = runs[at + Run.NEXT];
    const stop = next !== 0 && seqLt(runs[next + Run.SEQ], end) ? runs[next + Run.SEQ] : end;
    const from = seqDiff(runs[at + Run.END], seq);
    const wanted = seqDiff(stop, runs[at + Run.END]);
    runs[at + Run.QUEUE] = arena.append(runs[at + Run.QUEUE], seg.bytes, seg.textAt + from, wanted);
    runs[at + Run.END] = (runs[at + Run.END] + arena.moved) | 0;
    tcp.cold[k + Cold.OOO_BYTES] += arena.moved;
    if (arena.moved < wanted) return Verdict.TCP_MEMORY;
    if (!swallowNext(tcp, k, at)) break;
  }
  swallowNext(tcp, k, at);
  return Verdict.OUT_OF_ORDER;
}

/** Joins the run at `at` with the one behind it if they touch. */
function swallowNext(tcp: TcpContext, k: number, at: number): boolean {
  const runs = tcp.reassembly.rows;
  const next = runs[at + Run.NEXT];
  if (next === 0 || runs[next + Run.SEQ] !== runs[at + Run.END]) return false;
  runs[at + Run.QUEUE] = tcp.arena.concat(runs[at + Run.QUEUE], runs[next + Run.QUEUE]);
  runs[at + Run.END] = runs[next + Run.END];
  runs[at + Run.NEXT] = runs[next + Run.NEXT];
  if (tcp.cold[k + Cold.OOO_TAIL] === next) tcp.cold[k + Cold.OOO_TAIL] = at;
  tcp.cold[k + Cold.OOO_COUNT] -= 1;
  forget(tcp, k, next);
  tcp.reassembly.give(next);
  return true;
}

/** RCV.NXT has moved: what it has reached goes to the receive queue. Returns how many bytes that were. */
export function deliverRuns(tcp: TcpContext, c: number, k: number): number {
  const { hot, cold, arena } = tcp;
  const runs = tcp.reassembly.rows;
  let delivered = 0;
  let at = cold[k + Cold.OOO_HEAD];
  while (at !== 0 && seqLeq(runs[at + Run.SEQ], hot[c + Tcb.RCV_NXT])) {
    const length = seqDiff(runs[at + Run.END], runs[at + Run.SEQ]);
    const old = seqDiff(hot[c + Tcb.RCV_NXT], runs[at + Run.SEQ]);
    const fresh = length - old;
    if (fresh > 0) {
      const queue = old > 0 ? arena.drop(runs[at + Run.QUEUE], old) : runs[at + Run.QUEUE];
      hot[c + Tcb.RCV_QUEUE] = arena.concat(hot[c + Tcb.RCV_QUEUE], queue);
      hot[c + Tcb.RCV_NXT] = runs[at + Run.END];
      hot[c + Tcb.RCV_WND] -= fresh;
      delivered += fresh;
    } else {
      arena.free(runs[at + Run.QUEUE]);
    }
    if (old > 0) reportDuplicate(tcp, c, k, runs[at + Run.SEQ], (runs[at + Run.SEQ] + (fresh > 0 ? old : length)) | 0);
    const next = runs[at + Run.NEXT];
    cold[k + Cold.OOO_COUNT] -= 1;
    cold[k + Cold.OOO_BYTES] -= length;
    forget(tcp, k, at);
    tcp.reassembly.give(at);
    at = next;
  }
  cold[k + Cold.OOO_HEAD] = at;
  if (at === 0) cold[k + Cold.OOO_TAIL] = 0;
  return delivered;
}

/** Everything kept is given back. */
export function freeRuns(tcp: TcpContext, k: number): void {
  const { cold } = tcp;
  const runs = tcp.reassembly.rows;
  for (let at = cold[k + Cold.OOO_HEAD]; at !== 0; ) {
    const next = runs[at + Run.NEXT];
    tcp.arena.free(runs[at + Run.QUEUE]);
    forget(tcp, k, at);
    tcp.reassembly.give(at);
    at = next;
  }
  cold[k + Cold.OOO_HEAD] = 0;
  cold[k + Cold.OOO_TAIL] = 0;
  cold[k + Cold.OOO_COUNT] = 0;
  cold[k + Cold.OOO_BYTES] = 0;
}
