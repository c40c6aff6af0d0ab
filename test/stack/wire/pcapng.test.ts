import t from 'tap';
import { Prng } from '../../../stack/base/prng.js';
import { Direction, LinkType, PcapngWriter } from '../../../stack/wire/pcapng.js';
import { PcapngReader } from '../../../stack/wire/pcapng-reader.js';
import { CAPTURED, SYN, viewOf } from './frames.js';

const bytes = (hex: string) => new Uint8Array(viewOf(hex).buffer);
/** 14 November 2023, in microseconds: past 2^50, as times of day are. */
const NOW = 1_700_000_000_123_456;

t.test('an empty section, one interface → exactly these bytes', (t) => {
  const writer = new PcapngWriter(16);
  writer.section();
  t.equal(
    Buffer.from(writer.written).toString('hex'),
    '0a0d0d0a' + '20000000' + '4d3c2b1a' + '0100' + '0000' + 'ffffffffffffffff' + '00000000' + '20000000',
  );
  writer.clear();
  t.equal(writer.addInterface({ name: 'ab', linkType: LinkType.RAW, snapLength: 100 }), 0);
  t.equal(
    Buffer.from(writer.written).toString('hex'),
    '01000000' +
      '28000000' +
      '6500' +
      '0000' +
      '64000000' +
      '0200' +
      '0200' +
      '61620000' +
      '0900' +
      '0100' +
      '06000000' +
      '00000000' +
      '28000000',
  );
  t.end();
});

t.test('a packet of an odd length, with comment and direction → padded, and exactly these bytes', (t) => {
  const writer = new PcapngWriter();
  writer.section();
  writer.addInterface({ linkType: LinkType.ETHERNET });
  writer.clear();
  writer.packet(0, 0x1_0000_0002, Uint8Array.of(9, 1, 2, 3, 9), 1, 3, Direction.OUTBOUND, 'é');
  t.equal(
    Buffer.from(writer.written).toString('hex'),
    '06000000' +
      '38000000' +
      '00000000' +
      '01000000' +
      '02000000' +
      '03000000' +
      '03000000' +
      '01020300' +
      '0100' +
      '0200' +
      'c3a90000' +
      '0200' +
      '0400' +
      '02000000' +
      '00000000' +
      '38000000',
  );
  t.end();
});

t.test('written and read back → every packet as it was: bytes, time, direction, comment, losses', (t) => {
  for (const resolution of ['microseconds', 'nanoseconds'] as const) {
    const writer = new PcapngWriter(64);
    writer.section({ application: 'millrace test', os: 'none', hardware: 'none', comment: 'whole file' });
    const one = writer.addInterface({ name: 'mill0', description: 'a wire', linkType: LinkType.ETHERNET, resolution });
    const two = writer.addInterface({ name: 'raw0', linkType: LinkType.RAW, resolution, snapLength: 30 });
    t.equal(two, 1);
    CAPTURED.forEach(({ hex, text }, i) => {
      const frame = bytes(hex);
      const raw = i % 2 === 1;
      const at = raw ? 14 : 0;
      const direction = raw ? Direction.OUTBOUND : Direction.INBOUND;
      writer.packet(raw ? two : one, NOW + i * 999_999, frame, at, frame.length - at, direction, text, i);
    });
    writer.statistics(one, NOW + 1e7, { startUs: NOW, endUs: NOW + 1e7, received: 2 ** 40 + 5, dropped: 7 });

    const reader = new PcapngReader(writer.written);
    CAPTURED.forEach(({ hex, text }, i) => {
      t.ok(reader.next());
      const raw = i % 2 === 1;
      const frame = bytes(hex).subarray(raw ? 14 : 0);
      const kept = raw ? frame.subarray(0, 30) : frame;
      t.equal(reader.iface, raw ? 1 : 0);
      t.equal(reader.timeUs, NOW + i * 999_999, resolution);
      t.equal(reader.originalLength, frame.length);
      t.same(reader.bytes.subarray(reader.at, reader.at + reader.length), kept);
      t.equal(reader.flags, raw ? Direction.OUTBOUND : Direction.INBOUND);
      t.equal(reader.comment, text);
      t.equal(reader.drops, i);
    });
    t.notOk(reader.next());
    t.equal(reader.problem, '');
    t.equal(reader.application, 'millrace test');
    t.same(reader.names, ['mill0', 'raw0']);
    t.same(reader.linkTypes, [LinkType.ETHERNET, LinkType.RAW]);
    t.same(reader.received, [2 ** 40 + 5, -1]);
    t.same(reader.dropped, [7, -1]);
  }
  t.end();
});

t.test(
  'comments of every kind of character → the same text back; half a pair → U+FFFD; too long → cut between characters',
  (t) => {
    const comment = (text: string) => {
      const writer = new PcapngWriter(16);
      writer.section();
      writer.addInterface({ linkType: LinkType.RAW });
      writer.packet(0, 0, new Uint8Array(1), 0, 1, Direction.UNKNOWN, text);
      const reader = new PcapngReader(writer.written);
      t.ok(reader.next());
      t.equal(reader.problem, '');
      return reader.comment;
    };
    for (const text of [
      '',
      'plain',
      '\u0001\u007f',
      'é߿',
      'ࠀ€\uffff',
      '😀\u{10ffff}',
      'a😀é€z',
      '§3.10.7.4 → “used”',
    ]) {
      t.equal(comment(text), text);
      t.equal(comment(text), Buffer.from(text).toString());
    }
    t.equal(comment('a\ud800b\udc00'), 'a\ufffdb\ufffd');
    t.equal(comment('€'.repeat(30000)), '€'.repeat(21844));
    t.equal(comment(`a${'€'.repeat(30000)}`), `a${'€'.repeat(21843)}`);
    t.end();
  },
);

t.test('a second section in one file, another byte order, blocks nobody knows, a simple packet → all read', (t) => {
  const writer = new PcapngWriter();
  writer.section();
  writer.addInterface({ name: 'first', linkType: LinkType.ETHERNET });
  writer.packet(0, 1, bytes(SYN.hex), 0, 74, Direction.INBOUND);
  const bigEndian =
    '0a0d0d0a' +
    '0000001c' +
    '1a2b3c4d' +
    '00010000' +
    'ffffffffffffffff' +
    '0000001c' +
    '00000bad' +
    '00000010' +
    'deadbeef' +
    '00000010' +
    // Timestamps in units of 2^-20 s.
    '00000001' +
    '00000020' +
    '00650000' +
    '00000000' +
    '0009000194000000' +
    '00000000' +
    '00000020' +
    '00000006' +
    '00000024' +
    '00000000' +
    '00000001' +
    '00080000' +
    '00000002' +
    '00000050' +
    'abcd0000' +
    '00000024' +
    '00000003' +
    '00000014' +
    '00000003' +
    '01020300' +
    '00000014';
  const file = Buffer.concat([writer.written, Buffer.from(bigEndian, 'hex')]);
  const reader = new PcapngReader(file);
  t.ok(reader.next());
  t.equal(reader.timeUs, 1);
  t.ok(reader.next());
  t.same(reader.names, ['']);
  t.same(reader.linkTypes, [LinkType.RAW]);
  t.equal(reader.timeUs, Math.floor(((2 ** 32 + 0x80000) / 2 ** 20) * 1e6));
  t.equal(reader.length, 2);
  t.equal(reader.originalLength, 0x50);
  t.equal(file.readUInt16BE(reader.at), 0xabcd);
  t.ok(reader.next());
  t.equal(reader.length, 3);
  t.notOk(reader.next());
  t.equal(reader.problem, '');
  t.end();
});

function sample(): Uint8Array {
  const writer = new PcapngWriter();
  writer.section({ application: 'x' });
  writer.addInterface({ name: 'mill0', linkType: LinkType.ETHERNET });
  for (const { hex, text } of CAPTURED) writer.packet(0, NOW, bytes(hex), 0, hex.length / 2, Direction.INBOUND, text);
  writer.statistics(0, NOW, { received: 11, dropped: 0 });
  return writer.written.slice();
}

t.test('a file cut anywhere → the packets before the cut, and a problem unless the cut falls between blocks', (t) => {
  const file = sample();
  let whole = 0;
  for (let length = 0; length <= file.length; length++) {
    const reader = new PcapngReader(file.subarray(0, length));
    let packets = 0;
    while (reader.next()) packets += 1;
    t.ok(packets <= CAPTURED.length);
    if (reader.problem === '') whole += 1;
  }
  // Nothing at all, and behind each of section, interface, packets and statistics.
  t.equal(whole, 1 + 2 + CAPTURED.length + 1);
  t.end();
});

t.test('fields that lie → the problem and its place', (t) => {
  for (const [at, value, problem] of [
    [0, 1, 'at byte 0: not a pcapng file'],
    [8, 0, 'at byte 0: section header without the byte-order magic'],
    [4, 0, 'at byte 0: block length 0'],
    [4, 13, 'at byte 0: block length 13'],
    [4, 0x7ffffffc, 'at byte 0: block cut off'],
    [4, 36, 'at byte 0: block lengths differ'],
    [12, 2, 'at byte 8: version 2'],
  ] as const) {
    const file = sample();
    new DataView(file.buffer).setUint32(at, value, true);
    const reader = new PcapngReader(file);
    t.notOk(reader.next());
    t.equal(reader.problem, problem);
  }
  const writer = new PcapngWriter();
  writer.section();
  const interfaceAt = writer.length;
  writer.addInterface({ name: 'mill0', linkType: LinkType.ETHERNET });
  const packetAt = writer.length;
  writer.packet(0, NOW, new Uint8Array(8), 0, 8, Direction.INBOUND, 'comment');
  for (const [at, value, problem] of [
    [packetAt + 8, 1, 'packet of interface 1, never described'],
    [packetAt + 20, 100, 'packet of 100 bytes in a shorter block'],
    [packetAt + 20, 33, 'packet of 33 bytes in a shorter block'],
    [packetAt + 36, 0x00640001, 'option 1 of 100 bytes passes the end of its block'],
    [interfaceAt + 16, 0x00640002, 'option 2 of 100 bytes passes the end of its block'],
  ] as const) {
    const file = writer.written.slice();
    new DataView(file.buffer).setUint32(at, value, true);
    const reader = new PcapngReader(file);
    t.notOk(reader.next());
    t.match(reader.problem, problem);
  }
  t.end();
});

t.test('20,000 files with a few bytes changed → no exception, and every packet inside the file', (t) => {
  const prng = new Prng(1);
  const original = sample();
  let outside = 0;
  let problems = 0;
  for (let i = 0; i < 20000; i++) {
    const file = original.slice();
    for (let k = 0; k <= prng.below(4); k++) file[prng.below(file.length)] = prng.next();
    const reader = new PcapngReader(file);
    while (reader.next()) if (reader.at + reader.length > file.length) outside += 1;
    if (reader.problem !== '') problems += 1;
  }
  t.equal(outside, 0);
  t.ok(problems > 1000);
  t.end();
});
