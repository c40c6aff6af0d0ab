import t from 'tap';
import { causeText } from '../../../src/trace/cause-text.js';
import { describeFrame, describeNote, NOTE_INTS } from '../../../src/trace/describe.js';
import { FrameSlab } from '../../../stack/memory/frame-slab.js';
import * as noteModule from '../../../stack/net/note.js';
import { Cause, Note, NoteKind } from '../../../stack/net/note.js';
import { State } from '../../../stack/tcp/state.js';
import { Verdict } from '../../../stack/wire/verdict.js';
import { verdicts } from '../../../stack/wire/verdict-text.js';

const ISS = -3;
const IRS = 0x7ffffff0;

/** A connection that has sent its SYN and 1448 bytes, across the wrap of the sequence space, and received 77. */
function established(): Int32Array {
  const note = new Int32Array(Note.SIZE);
  note[Note.KIND] = NoteKind.SENT_TCP;
  note[Note.REASON] = Cause.DATA;
  note[Note.STATE_BEFORE] = State.ESTABLISHED;
  note[Note.STATE_AFTER] = State.ESTABLISHED;
  note[Note.ISS] = ISS;
  note[Note.SND_UNA] = ISS + 1;
  note[Note.SND_NXT] = ISS + 1 + 1448;
  note[Note.SND_WND] = 64_240;
  note[Note.IRS] = IRS;
  note[Note.RCV_NXT] = (IRS + 78) | 0;
  note[Note.RCV_WND] = 65_535;
  note[Note.CWND] = 14_480;
  note[Note.SSTHRESH] = 0x7fffffff;
  note[Note.FLIGHT] = 1448;
  note[Note.SRTT_US] = 312;
  note[Note.RTO_MS] = 200;
  return note;
}

function changed(changes: readonly (readonly [Note, number])[]): Int32Array {
  const note = established();
  for (const [field, value] of changes) note[field] = value;
  return note;
}

t.test('a data segment sent → why, state, and variables counted from the initial sequence numbers', (t) => {
  t.equal(
    describeNote(established(), 0),
    'sent: data · ESTABLISHED · SND.UNA 1 SND.NXT 1449 SND.WND 64240 · RCV.NXT 78 RCV.WND 65535' +
      ' · cwnd 14480 ssthresh ∞ flight 1448 · SRTT 0.31 ms RTO 200 ms',
  );
  t.end();
});

t.test('a segment that moved SND.UNA and RCV.NXT → by how much', (t) => {
  const note = changed([
    [Note.KIND, NoteKind.RECEIVED_TCP],
    [Note.REASON, Verdict.OK],
    [Note.ACKED, 604],
    [Note.ADVANCED, 73],
  ]);
  t.match(describeNote(note, 0), /^received: used: acknowledges 604, brings 73 · ESTABLISHED · /);
  t.end();
});

t.test('a segment that changed the state → both states', (t) => {
  const note = changed([
    [Note.KIND, NoteKind.RECEIVED_TCP],
    [Note.REASON, Verdict.OK],
    [Note.STATE_BEFORE, State.SYN_RECEIVED],
  ]);
  t.match(describeNote(note, 0), /^received: used · SYN-RECEIVED → ESTABLISHED · SND\.UNA 1 /);
  t.end();
});

t.test('a segment that acknowledged and brought bytes → how many, as the stack took them', (t) => {
  const taken = (acked: number, advanced: number): string =>
    describeNote(
      changed([
        [Note.KIND, NoteKind.RECEIVED_TCP],
        [Note.REASON, Verdict.OK],
        [Note.ACKED, acked],
        [Note.ADVANCED, advanced],
      ]),
      0,
    ).split(' · ')[0];
  t.equal(taken(0, 0), 'received: used');
  t.equal(taken(604, 0), 'received: used: acknowledges 604');
  t.equal(taken(0, 73), 'received: used: brings 73');
  t.equal(taken(249, 1), 'received: used: acknowledges 249, brings 1');
  t.end();
});

t.test('a dropped segment → the verdict and its section', (t) => {
  const note = changed([
    [Note.KIND, NoteKind.RECEIVED_TCP],
    [Note.REASON, Verdict.TCP_PAWS],
  ]);
  t.match(describeNote(note, 0), /^dropped: its timestamp is older than one already seen \(RFC 7323 §5\.3\) · ESTAB/);
  t.end();
});

t.test('a reset that counts → received, not dropped, and the state it led to', (t) => {
  const note = changed([
    [Note.KIND, NoteKind.RECEIVED],
    [Note.REASON, Verdict.TCP_RESET],
    [Note.STATE_AFTER, State.CLOSED],
  ]);
  t.equal(describeNote(note, 0), 'received: ended the connection (RFC 9293 §3.10.7.4) · ESTABLISHED → CLOSED');
  t.end();
});

t.test('LAST-ACK, ACK of FIN, and a listener still there → CLOSED, not LISTEN', (t) => {
  const ended = (before: State): string =>
    describeNote(
      changed([
        [Note.KIND, NoteKind.RECEIVED],
        [Note.REASON, Verdict.OK],
        [Note.STATE_BEFORE, before],
        [Note.STATE_AFTER, State.LISTEN],
      ]),
      0,
    );
  t.equal(ended(State.LAST_ACK), 'received: used · LAST-ACK → CLOSED');
  t.equal(ended(State.SYN_RECEIVED), 'received: used · SYN-RECEIVED → LISTEN');
  t.equal(ended(State.LISTEN), 'received: used · LISTEN');
  t.end();
});

t.test('SYN-SENT → nothing is said of the peer before its SYN has come, nor of a round trip', (t) => {
  const note = changed([
    [Note.REASON, Cause.SYN],
    [Note.STATE_BEFORE, State.SYN_SENT],
    [Note.STATE_AFTER, State.SYN_SENT],
    [Note.RCV_NXT, 0],
    [Note.SRTT_US, 0],
  ]);
  t.match(
    describeNote(note, 0),
    /^sent: SYN: active OPEN \(RFC 9293 §3\.10\.1\) · SYN-SENT .* RCV\.NXT – .* SRTT – RTO/,
  );
  t.end();
});

t.test('no connection concerned → no state', (t) => {
  const note = new Int32Array(Note.SIZE);
  note[Note.KIND] = NoteKind.SENT;
  note[Note.REASON] = Cause.ARP_REPLY;
  t.equal(describeNote(note, 0), 'sent: ARP reply: somebody asked for our address (RFC 826)');
  t.end();
});

t.test('ssthresh and round trips → in the precision that matters', (t) => {
  const cases: [number, string][] = [
    [999, 'SRTT 1.00 ms'],
    [10_000, 'SRTT 10.0 ms'],
    [250_400, 'SRTT 250 ms'],
  ];
  for (const [us, text] of cases) t.match(describeNote(changed([[Note.SRTT_US, us]]), 0), text);
  t.match(describeNote(changed([[Note.SSTHRESH, 2896]]), 0), 'ssthresh 2896 ');
  t.end();
});

t.test('a frame in a slab → the note of its own slot', (t) => {
  const slab = new FrameSlab({ slots: 4, noteInts: NOTE_INTS });
  const other = slab.take();
  const slot = slab.take();
  const notes = slab.notes as Int32Array;
  notes.set(established(), slab.noteRow(slot));
  t.match(describeFrame(slab, slot + slab.headroom), /^sent: data · ESTABLISHED/);
  t.equal(describeFrame(slab, other), 'the stack left no note');
  t.equal(describeFrame(new FrameSlab({ slots: 4 }), 0), 'no notes are kept');
  t.end();
});

t.test('every cause → a text of its own, and a section for all but what the program wanted', (t) => {
  const causes = (noteModule as unknown as { Cause: Record<string, number | string> }).Cause;
  const names = Object.keys(causes).filter((name) => Number.isNaN(Number(name)));
  const texts = new Set<string>();
  for (const name of names) {
    if (name === 'NONE' || name === 'COUNT') continue;
    const { text, section } = causeText(causes[name] as number);
    t.not(text, causeText(Cause.NONE).text, `${name} has a text`);
    t.notOk(texts.has(text), `${name} has a text of its own`);
    texts.add(text);
    if (name !== 'DATA') t.match(section, /^RFC \d+( §[\d.]+)?$/, `${name} has a section`);
  }
  t.ok(texts.size > 30, 'the causes were found');
  t.end();
});

t.test('every verdict → a line that says what became of the frame', (t) => {
  for (const verdict of verdicts()) {
    const note = changed([
      [Note.KIND, NoteKind.RECEIVED],
      [Note.REASON, verdict],
    ]);
    t.match(describeNote(note, 0), /^(received|dropped): \S+/);
    t.notMatch(describeNote(note, 0), /no such verdict/);
  }
  t.end();
});
