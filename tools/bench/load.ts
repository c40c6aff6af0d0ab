/**
 * The load program: kernel sockets driven by a synchronous loop, one process, one workload, one line of JSON.
 *
 * node load.js WORKLOAD ADDRESS [--seconds N] [--warm-up N] [--server-pid PID] [--connections N]
 *
 * The workload runs twice, first to warm the server up, then to be measured. `idle` opens its connections, says so, and holds them until its
 * standard input ends.
 */
import { readSync } from 'node:fs';
import { parseArgs } from 'node:util';
import {
  close,
  connectBlocking,
  connectStart,
  Epoll,
  lastError,
  NativeBuffer,
  Poller,
  read,
  shutdownWrite,
  socketAddress,
  throwPending,
  write,
} from './kernel-socket.js';
import { runProgram } from './load-program.js';
import { closedEarly, openMany, STALL_MS } from './openings.js';
import { machineBusy, processCpu } from './process-cost.js';
import { isWorkload, type LoadResult, Service, WORKLOADS, type Workload } from './workload.js';

/** One system call moves this much in the bulk workloads; larger gains nothing, the socket's queue is the limit. */
const BULK_BYTES = 262_144;
interface Work {
  count: number;
  seconds: number;
  medianUs?: number;
  p99Us?: number;
}

type Run = (seconds: number) => Work;

const buffer = new NativeBuffer(BULK_BYTES);

function secondsSince(startMs: number): number {
  return (performance.now() - startMs) / 1000;
}

/** Server receiving. Time runs until the server's own FIN: everything sent has then been read by the program, not just queued. */
function receiveWork(address: string): Run {
  const target = socketAddress(address, Service.DISCARD);
  return (seconds) => {
    const fd = connectBlocking(target);
    const start = performance.now();
    const end = start + seconds * 1000;
    let count = 0;
    while (performance.now() < end) {
      const sent = write(fd, buffer.address, BULK_BYTES);
      if (sent <= 0) throw lastError('write');
      count += sent;
    }
    shutdownWrite(fd);
    if (read(fd, buffer.address, BULK_BYTES) !== 0) throw lastError('read at the end of the stream');
    const elapsed = secondsSince(start);
    close(fd);
    return { count, seconds: elapsed };
  };
}

/** Server sending. The stream has no end; we close on it while it runs. */
function sendWork(address: string): Run {
  const target = socketAddress(address, Service.CHARGEN);
  return (seconds) => {
    const fd = connectBlocking(target);
    const start = performance.now();
    const end = start + seconds * 1000;
    let count = 0;
    while (performance.now() < end) {
      const got = read(fd, buffer.address, BULK_BYTES);
      if (got === 0) throw closedEarly();
      if (got < 0) throw lastError('read');
      count += got;
    }
    const elapsed = secondsSince(start);
    close(fd);
    return { count, seconds: elapsed };
  };
}

/** One byte there and back, one at a time. The read blocks, as a program's would. */
function roundTripWork(address: string): Run {
  const target = socketAddress(address, Service.ECHO);
  const fd = connectBlocking(target);
  const { bytes, address: memory } = new NativeBuffer(2);
  const samples = new Float64Array(1_000_000);
  return (seconds) => {
    const start = performance.now();
    const end = start + seconds * 1000;
    let count = 0;
    for (let now = start; now < end && count < samples.length; ) {
      bytes[0] = count;
      if (write(fd, memory, 1) !== 1) throw lastError('write');
      const got = read(fd, memory + 1, 1);
      if (got === 0) throw closedEarly();
      if (got !== 1) throw lastError('read');
      if (bytes[1] !== bytes[0]) throw new Error('the server echoed another byte than was sent');
      const then = now;
      now = performance.now();
      samples[count++] = now - then;
    }
    const elapsed = secondsSince(start);
    const sorted = samples.subarray(0, count).toSorted();
    return {
      count,
      seconds: elapsed,
      medianUs: sorted[count >> 1] * 1000,
      p99Us: sorted[Math.floor(count * 0.99)] * 1000,
    };
  };
}

/** One byte in flight on each of many connections; whichever answers is asked again. */
function roundTripsWork(address: string, connections: number): Run {
  const target = socketAddress(address, Service.ECHO);
  const poller = new Poller(connections);
  const fds = Array.from({ length: connections }, () => connectBlocking(target));
  const { bytes, address: memory } = new NativeBuffer(connections + 1);
  const answer = memory + connections;
  let started = false;
  fds.forEach((fd, tag) => {
    poller.add(fd, Epoll.IN, tag);
  });
  return (seconds) => {
    if (!started) {
      started = true;
      for (let tag = 0; tag < connections; tag++) {
        if (write(fds[tag], memory + tag, 1) !== 1) throw lastError('write');
      }
    }
    const start = performance.now();
    const end = start + seconds * 1000;
    let count = 0;
    while (performance.now() < end) {
      const ready = poller.wait(STALL_MS);
      for (let index = 0; index < ready; index++) {
        const tag = poller.tagOf(index);
        const got = read(fds[tag], answer, 1);
        if (got === 0) throw closedEarly();
        if (got !== 1) throw lastError('read');
        if (bytes[connections] !== bytes[tag]) throw new Error('the server echoed another byte than was sent');
        bytes[tag]++;
        if (write(fds[tag], memory + tag, 1) !== 1) throw lastError('write');
      }
      count += ready;
    }
    return { count, seconds: secondsSince(start) };
  };
}

/**
 * Connect, send FIN, wait for the server's FIN, close. Waiting for the server's FIN is what makes this the server's rate: the kernel completes
 * handshakes on its own, so a client that only connected would count connections the program has not seen yet.
 */
function connectWork(address: string, inFlight: number): Run {
  const target = socketAddress(address, Service.ECHO);
  const poller = new Poller(inFlight);
  return (seconds) => {
    const fds = new Int32Array(inFlight);
    const connected = new Uint8Array(inFlight);
    const begin = (tag: number): void => {
      fds[tag] = connectStart(target);
      connected[tag] = 0;
      // Edge-triggered, registered once: the first edge is the handshake, the second the server's FIN.
      poller.add(fds[tag], Epoll.IN | Epoll.OUT | Epoll.RDHUP | Epoll.EDGE, tag);
    };
    const start = performance.now();
    const end = start + seconds * 1000;
    for (let tag = 0; tag < inFlight; tag++) begin(tag);
    let count = 0;
    let open = inFlight;
    while (open > 0) {
      const ready = poller.wait(STALL_MS);
      const again = performance.now() < end;
      for (let index = 0; index < ready; index++) {
        const tag = poller.tagOf(index);
        const events = poller.eventsOf(index);
        if ((events & Epoll.ERR) !== 0) throwPending(fds[tag]);
        if (connected[tag] === 0) {
          if ((events & Epoll.OUT) === 0) continue;
          connected[tag] = 1;
          shutdownWrite(fds[tag]);
        }
        if ((events & Epoll.RDHUP) === 0) continue;
        if (read(fds[tag], buffer.address, 1) !== 0) throw lastError('read at the end of the stream');
        close(fds[tag]);
        count++;
        if (again) begin(tag);
        else open--;
      }
    }
    return { count, seconds: secondsSince(start) };
  };
}

/** Opens connections and returns when the last handshake is done. */
function openIdle(address: string, connections: number): void {
  openMany(socketAddress(address, Service.ECHO), connections);
  // The server's program may still be accepting. Sockets in its accept queue are open but cost it nothing yet, so one round trip after the
  // last connection: a server accepts in order.
  roundTripWork(address)(0.01);
}

function runOf(workload: Exclude<Workload, 'idle'>, address: string): Run {
  switch (workload) {
    case 'receive':
      return receiveWork(address);
    case 'send':
      return sendWork(address);
    case 'round-trip-1':
      return roundTripWork(address);
    case 'round-trips-64':
      return roundTripsWork(address, 64);
    case 'connect-1':
      return connectWork(address, 1);
    case 'connect-16':
      return connectWork(address, 16);
  }
}

/** Warm-ups at most, on a machine that has no time for us. */
const WARM_UPS_MAX = 20;

/**
 * Until the server has used the CPU for that time: code is compiled after so much work, not after so much time, and on a busy machine
 * little work is done in it.
 */
function warmUp(run: Run, seconds: number, serverPid: number): void {
  if (seconds === 0) return;
  const before = processCpu(serverPid);
  let runs = 0;
  do run(seconds);
  while (++runs < WARM_UPS_MAX && processCpu(serverPid) - before < seconds);
}

function measure(workload: Exclude<Workload, 'idle'>, address: string, options: LoadOptions): LoadResult {
  const run = runOf(workload, address);
  const serverPid = options.serverPid ?? process.pid;
  warmUp(run, options.warmUpSeconds, serverPid);
  const busyBefore = machineBusy();
  const serverBefore = processCpu(serverPid);
  const loadBefore = process.cpuUsage();
  const work = run(options.seconds);
  const load = process.cpuUsage(loadBefore);
  return {
    workload,
    ...work,
    serverCpu: processCpu(serverPid) - serverBefore,
    loadCpu: (load.user + load.system) / 1e6,
    machineBusy: machineBusy() - busyBefore,
  };
}

interface LoadOptions {
  readonly seconds: number;
  readonly warmUpSeconds: number;
  readonly serverPid: number | undefined;
}

function numberOf(name: string, text: string): number {
  const value = Number(text);
  if (!(value >= 0) || text.trim() === '') throw new RangeError(`--${name}: not a number: ${text}`);
  return value;
}

function main(): void {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      seconds: { type: 'string', default: '2' },
      'warm-up': { type: 'string', default: '0.5' },
      'server-pid': { type: 'string' },
      connections: { type: 'string', default: '10000' },
    },
  });
  const [workload, address] = positionals;
  if (workload === undefined || address === undefined || !isWorkload(workload)) {
    throw new RangeError(`usage: load.js WORKLOAD ADDRESS; WORKLOAD is one of ${WORKLOADS.join(', ')}`);
  }
  if (workload === 'idle') {
    const connections = numberOf('connections', values.connections);
    openIdle(address, connections);
    process.stdout.write(`${JSON.stringify({ workload, connections })}\n`);
    // Blocks until the parent lets go, or is gone.
    while (readSync(0, buffer.bytes) > 0);
    return;
  }
  const pid = values['server-pid'];
  const result = measure(workload, address, {
    seconds: numberOf('seconds', values.seconds),
    warmUpSeconds: numberOf('warm-up', values['warm-up']),
    serverPid: pid === undefined ? undefined : numberOf('server-pid', pid),
  });
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

runProgram('load', main);
