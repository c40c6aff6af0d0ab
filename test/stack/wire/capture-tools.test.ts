import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import { emitArp } from '../../../stack/wire/arp.js';
import { emitIcmpv4, finishIcmpv4Checksum } from '../../../stack/wire/icmpv4.js';
import { Direction, LinkType, PcapngWriter } from '../../../stack/wire/pcapng.js';
import { printFrame } from '../../../stack/wire/print.js';
import { CAPTURED, ipv4Frame, UDP, viewOf } from './frames.js';

/** What others make of our captures, and whether they print what we print. */

const NOW = 1_700_000_000_123_456;
const missing = (tool: string) =>
  spawnSync(tool, ['--version'], { stdio: 'ignore' }).error === undefined ? false : `${tool} is not installed`;

function inFile<T>(bytes: Uint8Array, use: (path: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-wire-'));
  try {
    const path = join(folder, 'capture.pcapng');
    writeFileSync(path, bytes);
    return use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Lines of fields, tab-separated. */
function tshark(path: string, fields: readonly string[]): string[][] {
  const options = ['-o', 'tcp.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE', '-o', 'ip.check_checksum:TRUE'];
  const wanted = fields.flatMap((field) => ['-e', field]);
  const args = ['-r', path, ...options, '-T', 'fields', ...wanted];
  const text = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  return text
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

t.test(
  'a capture of two interfaces, read by tshark → all it was told, and no complaint',
  { skip: missing('tshark') },
  (t) => {
    const writer = new PcapngWriter();
    writer.section({ application: 'millrace', hardware: 'virtual', os: 'none', comment: 'a test’s capture' });
    const ethernet = writer.addInterface({ name: 'mill0', description: 'a wire', linkType: LinkType.ETHERNET });
    const raw = writer.addInterface({ name: 'tun0', linkType: LinkType.RAW, resolution: 'nanoseconds' });
    CAPTURED.forEach(({ hex }, i) => {
      const frame = new Uint8Array(viewOf(hex).buffer);
      const comment = `frame ${i}: § “why”`;
      if (i % 2 === 0) writer.packet(ethernet, NOW + i, frame, 0, frame.length, Direction.INBOUND, comment);
      else writer.packet(raw, NOW + i, frame, 14, frame.length - 14, Direction.OUTBOUND, comment);
    });
    writer.statistics(ethernet, NOW + 100, { startUs: NOW, endUs: NOW + 100, received: 6, dropped: 1 });
    inFile(writer.written, (path) => {
      const rows = tshark(path, [
        'frame.interface_name',
        'frame.time_epoch',
        'frame.packet_flags_direction',
        'frame.comment',
        'frame.len',
        '_ws.malformed',
        'ip.checksum.status',
        'tcp.checksum.status',
        'udp.checksum.status',
      ]);
      t.equal(rows.length, CAPTURED.length);
      rows.forEach((row, i) => {
        const [name, time, direction, comment, length, malformed, ...sums] = row;
        t.equal(name, i % 2 === 0 ? 'mill0' : 'tun0');
        t.match(time, i % 2 === 0 ? `1700000000.${123456 + i}` : `1700000000.${123456 + i}000`);
        t.equal(Number(direction), i % 2 === 0 ? 1 : 2);
        t.equal(comment, `frame ${i}: § “why”`);
        t.equal(Number(length), CAPTURED[i].hex.length / 2 - (i % 2 === 0 ? 0 : 14));
        t.equal(malformed ?? '', '');
        // 0 bad, 1 good, 2 unverified. An ICMP error repeats the field for its quote, whose checksum Linux left out.
        const good = sums.filter((sum) => sum !== undefined && sum !== '').map((sum) => sum.split(',')[0]);
        t.ok(good.length > 0 && (i === 8 || good.every((sum) => sum === '1')), row.join(' '));
      });
    });
    t.end();
  },
);

t.test('the same, read by capinfos → its counts, its interfaces, its comment', { skip: missing('capinfos') }, (t) => {
  const writer = new PcapngWriter();
  writer.section({ application: 'millrace', comment: 'one comment' });
  writer.addInterface({ name: 'mill0', linkType: LinkType.ETHERNET, snapLength: 60, resolution: 'nanoseconds' });
  for (const { hex } of CAPTURED)
    writer.packet(0, NOW, new Uint8Array(viewOf(hex).buffer), 0, hex.length / 2, Direction.INBOUND);
  writer.statistics(0, NOW, { received: 11, dropped: 0 });
  inFile(writer.written, (path) => {
    const text = execFileSync('capinfos', [path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    t.match(text, /File type:\s+Wireshark\/\.\.\. - pcapng/);
    t.match(text, new RegExp(`Number of packets:\\s+${CAPTURED.length}\\n`));
    t.match(text, /Capture application:\s+millrace\n/);
    t.match(text, /one comment/);
    t.match(text, /Name = mill0\n/);
    t.match(text, /Encapsulation = Ethernet/);
    t.match(text, /Time precision = nanoseconds \(9\)/);
    t.match(text, /Capture length = 60\n/);
    t.match(text, /Number of stat entries = 1\n/);
    t.match(text, new RegExp(`Number of packets = ${CAPTURED.length}\\n`));
  });
  t.end();
});

/** Frames of everything that we and tcpdump both know how to name. */
function zoo(): DataView[] {
  const frames = CAPTURED.map(({ hex }) => viewOf(hex));
  const quote = '4500003c000140003f0667ae0a0000010a000009' + '0050109212345678';
  for (const [type, code, rest] of [
    ...Array.from({ length: 16 }, (_, code) => [3, code, 1400]),
    [5, 0, 0x0a000001],
    [5, 1, 0x0a000001],
    [11, 0, 0],
    [11, 1, 0],
    [12, 0, 20 << 24],
    [4, 0, 0],
  ]) {
    const view = ipv4Frame(1, `0000000000000000${quote}`);
    emitIcmpv4(view, 34, type, code, rest);
    finishIcmpv4Checksum(view, 34, 36);
    frames.push(view);
  }
  const tcp = (flags: string, options: string, data = '') => {
    const offset = (5 + options.length / 8).toString(16);
    frames.push(ipv4Frame(6, `005010920000000100000002${offset}${flags}ffff00000003${options}${data}`));
  };
  // Not the ninth flag: tcpdump 4.99.3 does not know its letter yet.
  for (const flags of ['000', '002', '012', '018', '011', '014', '038', '0c2', '0d2', '0ff', '029']) {
    tcp(flags, '', '616263');
    tcp(flags, '');
  }
  tcp('010', '0101050a0000000a0000000b');
  tcp('010', '0101080a0000000100000002' + '010105120000000a0000000bfffffff000000004');
  tcp('002', '020405b4' + '0402' + '080affffffff00000000' + '01' + '03030e');
  tcp('002', '22020101' + '020405b4');
  tcp('002', '220a0102030405060708' + '0000');
  tcp('010', 'fd04beef' + 'fd020101');
  const arp = (operation: number, senderIp: number, targetIp: number) => {
    const view = viewOf(`ffffffffffff0200000000010806${'00'.repeat(28)}`);
    emitArp(view, 14, operation, 0x0200, 1, senderIp, 0, 0, targetIp);
    frames.push(view);
  };
  arp(1, 0x0a000001, 0x0a000002);
  arp(2, 0x0a000001, 0x0a000002);
  frames.push(viewOf(UDP.hex, 0, 13));
  return frames;
}

t.test('frames of every kind → the line that tcpdump prints', { skip: missing('tcpdump') }, (t) => {
  const frames = zoo();
  const writer = new PcapngWriter();
  writer.section();
  writer.addInterface({ name: 'mill0', linkType: LinkType.ETHERNET });
  for (const view of frames) writer.packet(0, NOW, new Uint8Array(view.buffer), 0, view.byteLength, Direction.INBOUND);
  const theirs = inFile(writer.written, (path) =>
    execFileSync('tcpdump', ['-n', '-t', '-S', '-r', path], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
  )
    .trimEnd()
    .split('\n')
    // What follows the length is tcpdump's reading of the data; two spaces are a slip of its own.
    .map((line) => line.replace(/(length \d+): HTTP.*$/, '$1').replace('tfo  ', 'tfo '));
  t.equal(theirs.length, frames.length);
  frames.forEach((view, i) => {
    t.equal(printFrame(view, 0, view.byteLength, { checksums: false }), theirs[i]);
  });
  t.end();
});
