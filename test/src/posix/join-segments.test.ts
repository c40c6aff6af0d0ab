import t from 'tap';
import { joinSegments } from '../../../src/posix/join-segments.js';
import { type Direction, readSegment, type SegmentSpec, writeSegment } from '../../stack/tcp/segment.js';

const WAY: Direction = {
  source: 1 << 24,
  destination: 2 << 24,
  sourcePort: 80,
  destinationPort: 4000,
  seqBase: 0x7fffff00,
  ackBase: 9,
};

function segment(seq: number, length: number, more: Partial<SegmentSpec> = {}): Uint8Array {
  const room = new Uint8Array(length + 100);
  const data = Uint8Array.from({ length }, (_, i) => (seq + i) % 251);
  const spec = { flags: '.', seq, ack: 1, win: 500, data, ...more };
  return room.slice(0, writeSegment(new DataView(room.buffer), 0, spec, WAY));
}

/** `P. 1:3001`, and the bytes in their places. */
function read(datagram: Uint8Array): string {
  const { flags, seq, length, data } = readSegment(new DataView(datagram.buffer), 0, datagram.length, WAY, 0);
  if (!data.every((byte, i) => byte === (seq + i) % 251)) return 'the bytes are wrong';
  return `${flags} ${seq}:${seq + length}`;
}

t.test('full segments one after the other → one datagram, up to and with PSH, a shorter one, or FIN', (t) => {
  const sent = [
    segment(1, 1000),
    segment(1001, 1000, { flags: 'P.' }),
    segment(2001, 1000),
    segment(3001, 1000),
    segment(4001, 10, { flags: 'P.' }),
    segment(4011, 1000),
    segment(5011, 1000, { flags: 'FP.' }),
  ];
  t.same(joinSegments(sent).map(read), ['P. 1:2001', 'P. 2001:4011', 'FP. 4011:6011']);
  t.end();
});

t.test('no PSH at the end → no burst: each segment for itself', (t) => {
  const sent = [segment(1, 1000), segment(1001, 1000)];
  t.same(joinSegments(sent), sent);
  t.end();
});

t.test('a gap, another acknowledgment, window or option, a wrong checksum → not joined', (t) => {
  t.equal(joinSegments([segment(1, 1000), segment(2001, 1000, { flags: 'P.' })]).length, 2);
  t.equal(joinSegments([segment(1, 1000), segment(1001, 1000, { flags: 'P.', ack: 2 })]).length, 2);
  t.equal(joinSegments([segment(1, 1000), segment(1001, 1000, { flags: 'P.', win: 2 })]).length, 2);
  t.equal(joinSegments([segment(1, 1000), segment(1001, 1000, { flags: 'P.', options: { ts: [1, 2] } })]).length, 2);
  t.equal(joinSegments([segment(1, 1000), segment(1001, 1001, { flags: 'P.' })]).length, 2, 'longer than the first');
  t.equal(joinSegments([segment(1, 0), segment(1, 0)]).length, 2, 'acknowledgments');
  const wrong = segment(1001, 1000);
  wrong[60] = (wrong[60] ?? 0) ^ 1;
  const both = [segment(1, 1000), wrong];
  t.same(joinSegments(both), both, 'what is wrong stays to be seen');
  t.end();
});

t.test('more than a datagram holds → another', (t) => {
  const sent = Array.from({ length: 70 }, (_, i) => segment(1 + i * 1000, 1000, i % 35 === 34 ? { flags: 'P.' } : {}));
  const joined = joinSegments(sent).map((datagram) => datagram.length);
  t.ok(joined.every((length) => length <= 65_535));
  t.equal(joined.length, 2);
  t.end();
});

t.test('CWR at the beginning of a burst → the datagram says it', (t) => {
  const joined = joinSegments([segment(1, 1000, { flags: '.W' }), segment(1001, 1000, { flags: 'P.' })]);
  t.same(joined.map(read), ['P.W 1:2001']);
  t.end();
});
