import { type Cause, Note, NoteKind } from '../net/note.js';
import { Verdict } from '../wire/verdict.js';
import type { TcpContext } from './context.js';
import { rtoMs } from './rtt.js';
import { State } from './state.js';
import { Cold, Flag, Tally, Tcb } from './tcb.js';

/** What the trace is told about a segment: the variables of RFC 9293 §3.3.1. Called only while somebody traces. */

/** Segment path. The variables of `c` into the note of the slot that `offset` lies in. */
function describe(tcp: TcpContext, notes: Int32Array, at: number, c: number): void {
  const { hot, cold } = tcp;
  const k = hot[c + Tcb.COLD];
  const row = c >>> Tcb.SHIFT;
  notes[at + Note.ROW] = row;
  notes[at + Note.STATE_AFTER] = hot[c + Tcb.STATE] & Flag.STATE_MASK;
  notes[at + Note.SND_UNA] = hot[c + Tcb.SND_UNA];
  notes[at + Note.SND_NXT] = hot[c + Tcb.SND_NXT];
  notes[at + Note.SND_WND] = hot[c + Tcb.SND_WND];
  notes[at + Note.RCV_NXT] = hot[c + Tcb.RCV_NXT];
  notes[at + Note.RCV_WND] = hot[c + Tcb.RCV_WND];
  notes[at + Note.CWND] = hot[c + Tcb.CWND];
  notes[at + Note.SSTHRESH] = hot[c + Tcb.SSTHRESH];
  notes[at + Note.FLIGHT] = (hot[c + Tcb.SND_NXT] - hot[c + Tcb.SND_UNA]) | 0;
  notes[at + Note.SRTT_US] = hot[c + Tcb.SRTT] >> 3;
  notes[at + Note.RTO_MS] = rtoMs(tcp, c, k === 0 ? 0 : cold[k + Cold.BACKOFF]);
  if (tcp.tallies) {
    notes[at + Note.ISS] = tcp.tally[row * Tally.SIZE + Tally.ISS];
    notes[at + Note.IRS] = tcp.tally[row * Tally.SIZE + Tally.IRS];
  }
}

export function noteSent(tcp: TcpContext, c: number, offset: number, cause: Cause): void {
  const { slab } = tcp.net;
  const notes = slab.notes;
  if (notes === null) return;
  const at = slab.noteRow(offset);
  describe(tcp, notes, at, c);
  notes[at + Note.KIND] = NoteKind.SENT_TCP;
  notes[at + Note.REASON] = cause;
  notes[at + Note.STATE_BEFORE] = notes[at + Note.STATE_AFTER];
}

/** Sent for no full row: a RST, a SYN-ACK, an answer from TIME-WAIT. */
export function noteSentAlone(tcp: TcpContext, offset: number, cause: Cause, state: number): void {
  const { slab } = tcp.net;
  const notes = slab.notes;
  if (notes === null) return;
  const at = slab.noteRow(offset);
  notes[at + Note.KIND] = NoteKind.SENT;
  notes[at + Note.REASON] = cause;
  notes[at + Note.ROW] = -1;
  notes[at + Note.STATE_BEFORE] = state;
  notes[at + Note.STATE_AFTER] = state;
}

/** Before the checks: what the state was, and which connection it concerns. */
export function noteArrival(tcp: TcpContext, c: number): void {
  tcp.noteRow = c;
  tcp.noteStateBefore = c < 0 ? 0 : tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK;
  tcp.noteUnaBefore = c < 0 ? 0 : tcp.hot[c + Tcb.SND_UNA];
  tcp.noteNxtBefore = c < 0 ? 0 : tcp.hot[c + Tcb.RCV_NXT];
}

/** After them. The connection may be gone; then only its states are told. */
export function noteReceived(tcp: TcpContext, slot: number, verdict: Verdict, stateAfter: number): void {
  const { slab } = tcp.net;
  const notes = slab.notes;
  if (notes === null || slot < 0) return;
  const at = slab.noteRow(slot);
  const c = tcp.noteRow;
  if (c >= 0 && (tcp.hot[c + Tcb.STATE] & Flag.STATE_MASK) !== 0) {
    describe(tcp, notes, at, c);
    notes[at + Note.KIND] = NoteKind.RECEIVED_TCP;
    // Sequence numbers mean something only once the handshake is over.
    if (tcp.noteStateBefore >= State.ESTABLISHED) {
      notes[at + Note.ACKED] = (tcp.hot[c + Tcb.SND_UNA] - tcp.noteUnaBefore) | 0;
      notes[at + Note.ADVANCED] = (tcp.hot[c + Tcb.RCV_NXT] - tcp.noteNxtBefore) | 0;
    }
  } else {
    notes[at + Note.KIND] = NoteKind.RECEIVED;
    notes[at + Note.ROW] = -1;
    notes[at + Note.STATE_AFTER] = stateAfter;
  }
  notes[at + Note.REASON] = verdict;
  notes[at + Note.STATE_BEFORE] = tcp.noteStateBefore;
}
