import t from 'tap';
import { createWire } from '../../drivers/loopback.js';
import { TraceDevice, type TraceOptions } from '../../drivers/trace.js';
import { Medium } from '../../stack/net/device.js';
import { Note, NoteKind } from '../../stack/net/note.js';
import { frame, frames, TestHost } from './contract.js';

function traced(options: Omit<TraceOptions, 'write'> = {}, medium = Medium.ETHERNET) {
  const lines: string[] = [];
  const [near, far] = createWire({ medium });
  const device = new TraceDevice(near, { ...options, write: (line) => lines.push(line) });
  return { lines, device, host: new TestHost(device, { noteInts: Note.SIZE }), peer: new TestHost(far) };
}

/** A SYN from 10.0.0.1 port 1000 to 10.0.0.2 port 80 with SEQ 5000; without a link header. */
const SYN = Uint8Array.from(
  Buffer.from('4500002800000000400666ce0a0000010a00000203e800500000138800000000500204000000' + '0000', 'hex'),
);

t.test('frames both ways → a line each, with time and direction', (t) => {
  const { lines, host, peer } = traced();
  host.now = 1_000_250;
  host.receive();
  host.send([frame(1)]);
  peer.send([frame(2)]);
  host.now = 2_000_000;
  host.receive();
  t.match(lines, [/^1\.000250 out .*88b5.*length 60$/i, /^2\.000000 in {2}.*88b5.*length 60$/i]);
  t.equal(lines.length, 2);
  t.end();
});

t.test('with comments → received frames are printed when processed, sequence numbers from the initial ones', (t) => {
  const { lines, device, host, peer } = traced({ describe: () => 'LISTEN → SYN-RECEIVED' }, Medium.IP);
  peer.send([SYN]);
  device.receive(host.batch, host.slab);
  t.same(lines, []);
  const notes = host.slab.notes as Int32Array;
  const row = host.slab.noteRow(host.batch.offsets[0] as number);
  notes[row + Note.KIND] = NoteKind.RECEIVED_TCP;
  notes[row + Note.IRS] = 5000;
  device.processed(host.batch, host.slab);
  t.match(
    lines[0],
    /^0\.000000 in {2}IP 10\.0\.0\.1\.1000 > 10\.0\.0\.2\.80: Flags \[S\], seq 0,.*# LISTEN → SYN-RECEIVED$/,
  );
  t.equal(lines.length, 1);
  host.slab.give(host.batch.offsets[0] as number);

  notes.fill(0);
  peer.send([SYN]);
  host.receive();
  t.match(lines[1], /seq 5000,/, 'without a note, as it stands on the wire');
  t.end();
});

t.test('maxLines=3 → three frames, one line that says so, and a count at the end', (t) => {
  const { lines, device, host } = traced({ maxLines: 3 });
  host.send(frames(0, 10));
  t.equal(lines.length, 4);
  t.match(lines[3], /3 frames printed, which is the limit/);
  device.close(host.slab);
  device.close(host.slab);
  t.match(lines[4], /^trace: 7 frames were not shown$/);
  t.equal(lines.length, 5);
  t.same([device.framesPrinted, device.framesHidden], [3, 7]);
  t.throws(() => traced({ maxLines: 0 }), { code: 'ERR_OUT_OF_RANGE', message: /maxLines is 0/ });
  t.end();
});

t.test('colour → only when asked for, and always switched off again', (t) => {
  const plain = traced({ describe: () => 'why' });
  plain.host.send([frame(1)]);
  t.notMatch(plain.lines[0], '\x1b');
  const coloured = traced({ describe: () => 'why', colour: true });
  coloured.host.send([frame(1)]);
  const line = coloured.lines[0] as string;
  t.ok(line.endsWith('\x1b[0m'));
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the escape sequences are what is looked for
  t.equal(line.replaceAll(/\x1b\[\d+m/g, ''), plain.lines[0]);
  t.end();
});
