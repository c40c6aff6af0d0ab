/** A program of `full-disk.test.ts`: a capture in the folder it is given, whose disk becomes full. Prints what it saw as JSON. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { CaptureDevice } from '../../drivers/capture.js';
import { createWire } from '../../drivers/loopback.js';
import { fileSink } from '../../drivers/sink.js';
import { PcapngReader } from '../../stack/wire/pcapng-reader.js';
import { frame, TestHost } from './contract.js';

/** Captures into `folder` until the disk is full, and a little longer. */
function fill(folder: string): void {
  const path = join(folder, 'a.pcapng');
  const said: string[] = [];
  const [near, far] = createWire();
  const device = new CaptureDevice(near, { sink: fileSink(path), onProblem: (problem) => said.push(problem) });
  const host = new TestHost(device);
  const peer = new TestHost(far);
  let toldAfter = 0;
  for (let i = 0; i < 200; i++) {
    host.send([frame(i, 1500)]);
    peer.receive();
    device.flush();
    if (toldAfter === 0 && said.length > 0) toldAfter = i + 1;
  }
  device.close(host.slab);
  const bytes = readFileSync(path);
  const reader = new PcapngReader(bytes);
  let packets = 0;
  while (reader.next()) packets += 1;
  const { framesWritten, framesMissing } = device;
  const seen = { said, toldAfter, packets, framesWritten, framesMissing, problem: reader.problem, bytes: bytes.length };
  process.stdout.write(`${JSON.stringify({ ...seen, claimed: device.bytes, dropped: reader.dropped })}\n`);
}

fill(process.argv[2] as string);
