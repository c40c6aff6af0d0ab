import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { CaptureDevice, type CaptureOptions } from '../../drivers/capture.js';
import { createWire } from '../../drivers/loopback.js';
import { fileSink } from '../../drivers/sink.js';
import { PcapngReader } from '../../stack/wire/pcapng-reader.js';
import { frame, frames, TestHost } from './contract.js';

const hasTshark = spawnSync('tshark', ['--version']).status === 0;

/** A sink in memory. */
function memory() {
  const blocks: Uint8Array[] = [];
  const state = { closed: 0 };
  return {
    blocks,
    state,
    bytes: () => Buffer.concat(blocks),
    sink: {
      write(bytes: Uint8Array) {
        blocks.push(bytes.slice());
      },
      close() {
        state.closed += 1;
      },
    },
  };
}

function captured(options: CaptureOptions, queueFrames = 1024) {
  const [near, far] = createWire({ queueFrames });
  const device = new CaptureDevice(near, options);
  return { device, host: new TestHost(device, { noteInts: 1 }), peer: new TestHost(far) };
}

function packets(bytes: Uint8Array) {
  const reader = new PcapngReader(bytes);
  const list: { timeUs: number; direction: number; comment: string; bytes: Uint8Array }[] = [];
  while (reader.next()) {
    list.push({
      timeUs: reader.timeUs,
      direction: reader.flags & 3,
      comment: reader.comment,
      bytes: bytes.slice(reader.at, reader.at + reader.length),
    });
  }
  return { list, reader };
}

t.test('frames both ways → in the file with time, direction and bytes', (t) => {
  const { blocks, bytes, sink, state } = memory();
  const { device, host, peer } = captured({ sink, epochUs: 1_700_000_000_000_000 });
  host.now = 10;
  host.receive();
  host.send([frame(1, 100)]);
  peer.send([frame(2, 1514)]);
  host.now = 25;
  host.receive();
  t.same(blocks, [], 'nothing is written for each frame');
  device.close(host.slab);
  device.close(host.slab);
  t.equal(state.closed, 1);
  const { list, reader } = packets(bytes());
  t.same(list, [
    { timeUs: 1_700_000_000_000_010, direction: 2, comment: '', bytes: Buffer.from(frame(1, 100)) },
    { timeUs: 1_700_000_000_000_025, direction: 1, comment: '', bytes: Buffer.from(frame(2, 1514)) },
  ]);
  t.equal(reader.problem, '');
  t.same([reader.received, reader.dropped], [[2], [0]]);
  t.same([device.problem, device.truncated, device.framesWritten], ['', false, 2]);
  t.end();
});

t.test('a received frame with a comment → written when it is processed, with the note it has then', (t) => {
  const { bytes, sink } = memory();
  const { device, host, peer } = captured({
    sink,
    describe: (slab, offset) => `note ${slab.notes?.[slab.noteRow(offset)]}`,
  });
  peer.send(frames(0, 2));
  device.receive(host.batch, host.slab);
  t.equal(device.framesWritten, 0, 'not before');
  for (let i = 0; i < 2; i++) {
    const notes = host.slab.notes as Int32Array;
    notes[host.slab.noteRow(host.batch.offsets[i] as number)] = 40 + i;
  }
  device.processed(host.batch, host.slab);
  device.close(host.slab);
  t.same(
    packets(bytes()).list.map(({ comment }) => comment),
    ['note 40', 'note 41'],
  );
  t.end();
});

t.test('a frame that is offered again because the device was full → once in the file', (t) => {
  const { bytes, sink } = memory();
  const { device, host, peer } = captured({ sink }, 3);
  host.enqueue(frames(0, 8));
  while (host.queue.count > 0) {
    host.offer();
    peer.receive();
  }
  device.close(host.slab);
  t.same(
    packets(bytes()).list.map((packet) => packet.bytes[17]),
    [0, 1, 2, 3, 4, 5, 6, 7],
  );
  t.end();
});

t.test('flush → what was seen so far can be read, and the rest follows', (t) => {
  const { bytes, sink } = memory();
  const { device, host } = captured({ sink });
  host.send(frames(0, 3));
  device.flush();
  t.equal(packets(bytes()).list.length, 3);
  t.equal(packets(bytes()).reader.problem, '');
  host.send(frames(3, 2));
  device.close(host.slab);
  t.equal(packets(bytes()).list.length, 5);
  t.end();
});

t.test('a long capture → written in large blocks', (t) => {
  const { blocks, sink } = memory();
  const { device, host, peer } = captured({ sink });
  for (let i = 0; i < 1000; i++) {
    host.send([frame(i, 1500)]);
    peer.receive();
  }
  t.equal(blocks.length, 5, 'some 300 kB each');
  device.close(host.slab);
  t.end();
});

t.test('maxBytes reached → the file stays below it, and says how much is missing', (t) => {
  const { bytes, sink } = memory();
  const { device, host, peer } = captured({ sink, maxBytes: 10_000, describe: () => 'ä'.repeat(100) });
  for (let i = 0; i < 100; i++) {
    host.send([frame(i, 400)]);
    peer.receive();
  }
  t.equal(device.truncated, true);
  t.match(device.problem, /limit of 10000 bytes/);
  t.equal(device.counters.framesSent, 100, 'the device goes on');
  device.close(host.slab);
  const file = bytes();
  t.ok(file.length <= 10_000 && file.length > 8_500, `${file.length} bytes`);
  const { list, reader } = packets(file);
  t.equal(reader.problem, '');
  t.equal(list.length, device.framesWritten);
  t.same([reader.received, reader.dropped], [[100], [100 - list.length]]);
  t.match(
    file.toString('latin1'),
    new RegExp(`limit of 10000 bytes: ${100 - list.length} later frames are not in this`),
  );
  t.throws(() => captured({ sink, maxBytes: 100 }), { code: 'ERR_OUT_OF_RANGE', message: /maxBytes is 100/ });
  t.end();
});

t.test('the disk is full → frames go on, and the loss is counted and said', (t) => {
  const { device, host, peer } = captured({
    sink: {
      write() {
        throw new Error('ENOSPC: no space left on device, write');
      },
      close() {},
    },
  });
  host.send(frames(0, 3));
  device.flush();
  host.send(frames(3, 2));
  t.equal(peer.receiveAll().length, 5);
  t.match(device.problem, /could not be written \(ENOSPC/);
  t.equal(device.truncated, false);
  t.same([device.framesWritten, device.framesMissing], [0, 5]);
  device.close(host.slab);
  t.end();
});

/** A sink in memory that takes so many bytes and no more, as a full disk does: what fits of a write is there. */
function small(room: number) {
  const file = Buffer.alloc(room);
  const state = { length: 0, room };
  return {
    state,
    bytes: () => file.subarray(0, state.length),
    sink: {
      get length() {
        return state.length;
      },
      write(bytes: Uint8Array) {
        const fits = bytes.subarray(0, Math.min(bytes.length, state.room - state.length));
        file.set(fits, state.length);
        state.length += fits.length;
        if (fits.length < bytes.length) throw new Error('ENOSPC: no space left on device, write');
      },
      truncate(length: number) {
        state.length = length;
      },
      close() {},
    },
  };
}

t.test('the disk is full within a block, wherever → the file ends with the block before, and says it at once', (t) => {
  const whole = memory();
  const record = (sink: CaptureOptions['sink'], said: string[] = []) => {
    const { device, host, peer } = captured({ sink, onProblem: (problem) => said.push(problem) });
    for (let i = 0; i < 3; i++) {
      host.send(frames(i * 10, 10, 100));
      peer.receive();
      device.flush();
    }
    return { device, host };
  };
  const complete = record(whole.sink);
  complete.device.close(complete.host.slab);
  const size = whole.bytes().length;
  for (let room = 200; room < size; room += 7) {
    const said: string[] = [];
    const { bytes, sink } = small(room);
    const { device, host } = record(sink, said);
    const told = room < size - 100;
    if (told) t.equal(said.length, 1, `${room} bytes: told once, before the end`);
    device.close(host.slab);
    t.equal(said.length, 1);
    t.match(said[0], /could not be written \(ENOSPC/);
    const { list, reader } = packets(bytes());
    t.equal(reader.problem, '', `${room} bytes: whole blocks`);
    t.equal(list.length, device.framesWritten);
    t.equal(device.framesWritten + device.framesMissing, 30);
    t.equal(bytes().length, device.bytes);
    t.ok(room - bytes().length < 400, 'no more is cut than a block, or the one that says how it ended');
  }
  t.end();
});

t.test('the limit of the file → said at once, once', (t) => {
  const said: string[] = [];
  const { device, host, peer } = captured({
    sink: memory().sink,
    maxBytes: 10_000,
    onProblem: (problem) => said.push(problem),
  });
  for (let i = 0; i < 100; i++) {
    host.send([frame(i, 400)]);
    peer.receive();
  }
  t.same(said, ['the capture reached its limit of 10000 bytes']);
  device.close(host.slab);
  t.equal(said.length, 1);
  t.end();
});

t.test('fileSink, cut → what is written next follows the cut', (t) => {
  const path = join(t.testdir(), 'file');
  const sink = fileSink(path);
  sink.write(Buffer.from('0123456789'));
  sink.truncate?.(4);
  t.equal(sink.length, 4);
  sink.write(Buffer.from('ab'));
  sink.write(Buffer.from('cd'));
  t.equal(sink.length, 8);
  sink.close();
  t.equal(readFileSync(path, 'latin1'), '0123abcd');
  t.end();
});

t.test('the same frames at the same times → the same file, byte for byte', (t) => {
  const record = () => {
    const { bytes, sink } = memory();
    const { device, host } = captured({ sink, describe: (_, offset) => `at ${offset}` });
    host.send(frames(0, 50, 300));
    device.close(host.slab);
    return bytes();
  };
  t.same(record(), record());
  t.end();
});

t.test('a path that cannot be written → one error that says what to do', (t) => {
  t.throws(() => fileSink(join(t.testdir(), 'missing', 'a.pcapng')), {
    code: 'ENOENT',
    message: /a directory that exists/,
  });
  t.throws(() => fileSink(t.testdir()), { code: 'EIO', message: /EISDIR/ });
  t.end();
});

function tshark(t: Test, path: string, ...fields: string[]): string[][] {
  const args = ['-r', path, '-T', 'fields', ...fields.flatMap((field) => ['-e', field])];
  const output = execFileSync('tshark', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  t.comment(output);
  return output
    .trimEnd()
    .split('\n')
    .map((line) => line.split('\t'));
}

t.test('tshark → reads frames, directions and comments', { skip: hasTshark ? false : 'needs tshark' }, (t) => {
  const path = join(t.testdir(), 'capture.pcapng');
  const { device, host, peer } = captured({
    sink: fileSink(path),
    epochUs: 1_700_000_000_000_000,
    describe: (_, offset) => (offset === 0 ? undefined : 'received: used · LISTEN → SYN-RECEIVED'),
  });
  host.send([frame(1, 60), frame(2, 1514)]);
  peer.send([frame(3, 200)]);
  host.now = 1_500_000;
  host.receive();
  device.close(host.slab);
  const comment = 'received: used · LISTEN → SYN-RECEIVED';
  t.same(
    tshark(t, path, 'frame.time_epoch', 'frame.len', 'frame.packet_flags_direction', 'eth.type', 'frame.comment'),
    [
      ['1700000000.000000000', '60', '0x00000002', '0x88b5', comment],
      ['1700000000.000000000', '1514', '0x00000002', '0x88b5', comment],
      ['1700000001.500000000', '200', '0x00000001', '0x88b5', comment],
    ],
  );
  t.equal(readFileSync(path).length, device.bytes);
  t.end();
});
