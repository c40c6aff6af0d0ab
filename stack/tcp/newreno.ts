import type { TcpContext } from './context.js';
import { CaState, countPackets, countReordering, markLost } from './scoreboard.js';
import { Cold } from './tcb.js';
import { Sent, SentFlag } from './transmit-pool.js';

/**
 * Segment path. Without SACK: RFC 5681 §3.2 and NewReno, RFC 6582, put in the terms of the scoreboard. Each duplicate ACK stands for one segment that has arrived out of order, whichever it is,
 * and SACKED_OUT counts them; so limited transmit (RFC 3042), PRR and the states are the same with SACK and without.
 */

/** No more can have arrived out of order than are outstanding, less the holes. True when it was more: then duplicates came from reordering or the network. */
export function limitDuplicates(cold: Int32Array, k: number): boolean {
  const out = cold[k + Cold.PACKETS_OUT];
  let holes = cold[k + Cold.LOST_OUT] > 1 ? cold[k + Cold.LOST_OUT] : 1;
  if (holes > out) holes = out;
  if (cold[k + Cold.SACKED_OUT] + holes <= out) return false;
  cold[k + Cold.SACKED_OUT] = out - holes;
  return true;
}

function checkReordering(tcp: TcpContext, c: number, k: number, more: number): void {
  const { cold, limits } = tcp;
  if (!limitDuplicates(cold, k)) return;
  const degree = cold[k + Cold.PACKETS_OUT] + more;
  cold[k + Cold.REORDERING] = degree < limits.maxReordering ? degree : limits.maxReordering;
  countReordering(tcp, c, k);
}

/**
 * RFC 9937 §6.2: in a reduction no more is counted as delivered, or taken off what is in flight, than RecoverFS. So a
 * peer that makes up duplicate ACKs (Savage et al., 1999) gets no more for them than for those of an honest one.
 */
function atRecoverFs(cold: Int32Array, k: number): boolean {
  const most = cold[k + Cold.RECOVER_FS];
  return most !== 0 && (cold[k + Cold.SACKED_OUT] >= most || cold[k + Cold.PRR_DELIVERED] >= most);
}

/** Duplicate ACKs have come. */
export function countDuplicates(tcp: TcpContext, c: number, k: number, duplicates: number): void {
  const { cold } = tcp;
  if (duplicates === 0 || atRecoverFs(cold, k)) return;
  const before = cold[k + Cold.SACKED_OUT];
  cold[k + Cold.SACKED_OUT] += duplicates;
  checkReordering(tcp, c, k, 0);
  const arrived = cold[k + Cold.SACKED_OUT] - before;
  if (arrived > 0) countPackets(tcp, c, k, arrived);
}

/** `acked` segments were acknowledged: one of them filled the hole, and the others had been told of by duplicates. */
export function acknowledgeDuplicates(tcp: TcpContext, c: number, k: number, acked: number): void {
  const { cold } = tcp;
  if (acked > 0) {
    const fresh = acked - cold[k + Cold.SACKED_OUT];
    countPackets(tcp, c, k, fresh > 1 ? fresh : 1);
    const left = cold[k + Cold.SACKED_OUT] - (acked - 1);
    cold[k + Cold.SACKED_OUT] = left > 0 ? left : 0;
  }
  checkReordering(tcp, c, k, acked);
}

/** RFC 5681 §3.2 step 2 and RFC 6582 §3.2 step 3: the first segment is lost at the third duplicate, and again at each partial acknowledgment. */
export function markFirstLost(tcp: TcpContext, k: number, advanced: boolean): void {
  const { cold } = tcp;
  const state = cold[k + Cold.CA_STATE];
  const third = state < CaState.RECOVERY && cold[k + Cold.SACKED_OUT] >= cold[k + Cold.REORDERING];
  if (!third && !(state === CaState.RECOVERY && advanced)) return;
  const head = cold[k + Cold.SENT_HEAD];
  if ((tcp.transmits.rows[head + Sent.FLAGS] & SentFlag.LOST) === 0) markLost(tcp, k, head);
}
