import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Note, NoteKind } from '../../stack/net/note.js';
import { State, stateName } from '../../stack/tcp/state.js';
import { FIRST_DROP, Verdict } from '../../stack/wire/verdict.js';
import { verdictSection, verdictText } from '../../stack/wire/verdict-text.js';
import { causeText } from './cause-text.js';

/** As the stack writes "no limit": ssthresh before the first loss, RFC 5681 §3.1. */
const INFINITE = 0x7fffffff;
const SEPARATOR = ' · ';

/** How many ints a slab's `noteInts` must be for a frame to be described. */
export const NOTE_INTS = Note.SIZE;

/**
 * What the stack thought of the frame in the slot that `offset` lies in, as one line:
 *
 *   received: used · SYN-SENT → ESTABLISHED · SND.UNA 1 SND.NXT 1 SND.WND 64240 · RCV.NXT 1 RCV.WND 65535 · cwnd …
 *
 * Sequence numbers count from the connection's own: SND.UNA and SND.NXT from ISS, RCV.NXT from IRS; so data begins at 1.
 */
export function describeFrame(slab: FrameSlab, offset: number): string {
  const notes = slab.notes;
  return notes === null ? 'no notes are kept' : describeNote(notes, slab.noteRow(offset));
}

/** The same, from a row of notes. */
export function describeNote(notes: Int32Array, at: number): string {
  const reason = notes[at + Note.REASON];
  switch (notes[at + Note.KIND]) {
    case NoteKind.RECEIVED:
      return received(reason) + states(notes, at);
    case NoteKind.RECEIVED_TCP:
      return received(reason) + effect(notes, at) + connection(notes, at);
    case NoteKind.SENT:
      return sent(reason) + states(notes, at);
    case NoteKind.SENT_TCP:
      return sent(reason) + connection(notes, at);
    default:
      // The frame never reached the stack, or left past it: a fault device may drop one or send it twice.
      return 'the stack left no note';
  }
}

function received(verdict: number): string {
  // A reset that counts is no drop: it did what it came for.
  const outcome = verdict >= FIRST_DROP && verdict !== Verdict.TCP_RESET ? 'dropped' : 'received';
  return `${outcome}: ${verdictText(verdict as Verdict)}${cited(verdictSection(verdict as Verdict))}`;
}

/** `: acknowledges 604, brings 73`: what it did to the sequence numbers, a FIN counted as one. */
function effect(notes: Int32Array, at: number): string {
  const acked = notes[at + Note.ACKED];
  const advanced = notes[at + Note.ADVANCED];
  const parts: string[] = [];
  if (acked > 0) parts.push(`acknowledges ${acked}`);
  if (advanced > 0) parts.push(`brings ${advanced}`);
  return parts.length === 0 ? '' : `: ${parts.join(', ')}`;
}

function sent(cause: number): string {
  const { text, section } = causeText(cause);
  return `sent: ${text}${cited(section)}`;
}

function cited(section: string): string {
  return section === '' ? '' : ` (${section})`;
}

/** `SYN-SENT → ESTABLISHED`, or one state when the segment changed none; nothing where no connection is concerned. */
function states(notes: Int32Array, at: number): string {
  const before = notes[at + Note.STATE_BEFORE] as State;
  const after = endOf(before, notes[at + Note.STATE_AFTER] as State);
  if (before !== after) return `${SEPARATOR}${stateName(before)} → ${stateName(after)}`;
  return after === State.CLOSED ? '' : SEPARATOR + stateName(after);
}

/**
 * Once its row is gone, what answers for a connection is the listener it came from. It ended all the same: only from
 * SYN-RECEIVED does a connection return to LISTEN (RFC 9293 §3.10.7.4, second check).
 */
function endOf(before: State, after: State): State {
  const lived = before > State.SYN_RECEIVED;
  return lived && after === State.LISTEN ? State.CLOSED : after;
}

function connection(notes: Int32Array, at: number): string {
  const iss = notes[at + Note.ISS];
  const irs = notes[at + Note.IRS];
  const una = (notes[at + Note.SND_UNA] - iss) >>> 0;
  const nxt = (notes[at + Note.SND_NXT] - iss) >>> 0;
  // Until the peer's SYN has come there is nothing to count from.
  const noSyn = notes[at + Note.STATE_AFTER] === State.SYN_SENT;
  const rcv = noSyn ? '–' : String((notes[at + Note.RCV_NXT] - irs) >>> 0);
  const parts = [
    `SND.UNA ${una} SND.NXT ${nxt} SND.WND ${notes[at + Note.SND_WND]}`,
    `RCV.NXT ${rcv} RCV.WND ${notes[at + Note.RCV_WND]}`,
    `cwnd ${notes[at + Note.CWND]} ssthresh ${limit(notes[at + Note.SSTHRESH])} flight ${notes[at + Note.FLIGHT]}`,
    `SRTT ${duration(notes[at + Note.SRTT_US])} RTO ${notes[at + Note.RTO_MS]} ms`,
  ];
  return states(notes, at) + SEPARATOR + parts.join(SEPARATOR);
}

function limit(bytes: number): string {
  return bytes <= 0 || bytes >= INFINITE ? '∞' : String(bytes);
}

/** A round trip of zero is none measured yet: RFC 6298 §2.1. */
function duration(us: number): string {
  if (us <= 0) return '–';
  return `${(us / 1000).toFixed(us < 10_000 ? 2 : us < 100_000 ? 1 : 0)} ms`;
}
