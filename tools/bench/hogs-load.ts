/**
 * Peers that ask for an endless answer and never read it, and somebody who asks for a page beside them.
 *
 * node hogs-load.js ADDRESS HOGS PAGES SERVER-PID
 *
 * First the pages alone, then the hogs, and, when the server has nothing left to send them, the pages again. One line of JSON.
 */
import {
  close,
  connectBlocking,
  lastError,
  NativeBuffer,
  read,
  resetOnClose,
  SystemCallError,
  socketAddress,
} from './kernel-socket.js';
import { runProgram } from './load-program.js';
import { openMany } from './openings.js';
import { processCpu } from './process-cost.js';
import { type HogsResult, Service } from './workload.js';

const PAGE_BYTES = 1 << 20;
/** Pages that do not count: code is compiled, and the windows of the path are known. */
const WARM_UP_PAGES = 60;
/** The server rests when it has used less than a tenth of this time; it is waited for at most two minutes. */
const LOOK_MS = 500;
const LOOKS_MAX = 240;

const buffer = new NativeBuffer(262_144);

/** Milliseconds from the open to the last byte; Infinity when the server answers nothing for a blocking call's limit. */
function page(address: string): number {
  const start = performance.now();
  let fd = -1;
  try {
    fd = connectBlocking(socketAddress(address, Service.CHARGEN));
    resetOnClose(fd);
    for (let left = PAGE_BYTES; left > 0; ) {
      const got = read(fd, buffer.address, Math.min(left, buffer.bytes.length));
      if (got <= 0) throw lastError('read');
      left -= got;
    }
    return performance.now() - start;
  } catch (error) {
    if (error instanceof SystemCallError) return Number.POSITIVE_INFINITY;
    throw error;
  } finally {
    if (fd >= 0) close(fd);
  }
}

/** Stops at the first page that never comes: the others would not, either. */
function pages(address: string, count: number): number[] {
  const times: number[] = [];
  while (times.length < count) {
    const ms = page(address);
    times.push(ms);
    if (ms === Number.POSITIVE_INFINITY) break;
  }
  return times;
}

function waitForRest(pid: number): void {
  const cell = new Int32Array(new SharedArrayBuffer(4));
  for (let look = 0; look < LOOKS_MAX; look++) {
    const before = processCpu(pid);
    Atomics.wait(cell, 0, 0, LOOK_MS);
    if (processCpu(pid) - before < LOOK_MS / 10_000) return;
  }
}

function main(): void {
  const [address = '', hogs = '', count = '', pid = ''] = process.argv.slice(2);
  if (![hogs, count, pid].every((text) => Number.isInteger(Number(text)) && Number(text) > 0)) {
    throw new RangeError('usage: hogs-load.js ADDRESS HOGS PAGES SERVER-PID');
  }
  pages(address, WARM_UP_PAGES);
  const alone = pages(address, Number(count));
  // Nothing of theirs is ever read.
  openMany(socketAddress(address, Service.CHARGEN), Number(hogs));
  waitForRest(Number(pid));
  const beside = pages(address, Number(count));
  // JSON has no Infinity.
  const finite = (times: number[]) => times.map((ms) => (Number.isFinite(ms) ? ms : null));
  const result: HogsResult = { alone: finite(alone), beside: finite(beside) };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

runProgram('hogs-load', main);
