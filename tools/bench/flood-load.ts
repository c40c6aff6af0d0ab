/**
 * The flood and the live echo beside it, in one synchronous loop, so that neither waits for the scheduler to run the other.
 *
 * node flood-load.js KIND DEVICE KERNEL-ADDRESS STACK-ADDRESS SECONDS
 *
 * First the echo alone, then as many frames as can be sent, then half of what the server took of those, with the echo. One line of JSON.
 */
import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { InterfaceControl } from '../../drivers/interface-control.js';
import { parseAddress } from '../../stack/net/address.js';
import { FLOODS, type FloodKind, type FloodResult, floodFrames, type Latency } from './flood-frames.js';
import { connectBlocking, lastError, NativeBuffer, read, socketAddress, write } from './kernel-socket.js';
import { runProgram } from './load-program.js';
import { PacketSender } from './packet-sender.js';
import { Service } from './workload.js';

const CLOSED_PORT = 4999;
/** Frames with one call, so that an echo's answer is not found later than it came. */
const BATCH = 32;
/** From an answer to the next request: random, so that echoes do not keep step with the server's turns. */
const ECHO_EVERY_MS = 0.5;
/** On a machine that has no time for us a run is longer, not empty. */
const ECHOES_MIN = 20;
/** The limits allow bursts; they are over by then. */
const STEADY_AFTER_MS = 300;
/** Frames that the server has taken before anything counts; on a machine that has no time for us, as many as can be. */
const WARM_UP_FRAMES = 200_000;
const WARM_UP_MS_MAX = 3000;
const WARM_UP_STEP_MS = 50;
/** A paced flood that was kept from running does not make up for more than this. */
const DEBT_MS = 1;
/** An echo that takes longer is lost, and so is the run. */
const LOST_AFTER_MS = 10_000;
const MSG_DONTWAIT = 0x40;
const EAGAIN = 11;

const recv: (fd: number, buffer: number, count: number, flags: number) => number = koffi
  .load(null)
  .func('intptr_t recv(int, uintptr_t, size_t, int)');

class Bench {
  readonly #fd: number;
  readonly #device: string;
  readonly #sender: PacketSender;
  readonly #buffer = new NativeBuffer(2);

  constructor(kind: FloodKind, device: string, kernel: string, stack: string) {
    this.#device = device;
    this.#fd = connectBlocking(socketAddress(stack, Service.ECHO));
    // A round trip, so that the kernel knows the stack's MAC.
    if (write(this.#fd, this.#buffer.address, 1) !== 1) throw lastError('write');
    if (read(this.#fd, this.#buffer.address, 1) !== 1) throw lastError('read');
    const control = new InterfaceControl(device);
    const frames = floodFrames(kind, {
      mac: macOf(stack),
      address: parseAddress(stack),
      openPort: Service.ECHO,
      closedPort: CLOSED_PORT,
      fromMac: control.mac,
      from: parseAddress(kernel),
    });
    control.close();
    this.#sender = new PacketSender(device, frames);
  }

  /** Frames the server has taken from the device: for the kernel they are sent. */
  #taken(): number {
    const line = readFileSync('/proc/self/net/dev', 'latin1')
      .split('\n')
      .find((text) => text.trim().startsWith(`${this.#device}:`));
    return Number(line?.split(':')[1]?.trim().split(/\s+/)[9]);
  }

  /** Code is compiled after so much work, not after so much time. */
  warmUp(seconds: number): void {
    this.latency(seconds, 0);
    const enough = this.#taken() + WARM_UP_FRAMES;
    const end = performance.now() + WARM_UP_MS_MAX;
    while (this.#taken() < enough && performance.now() < end) this.#overload(WARM_UP_STEP_MS);
  }

  /** Frames a second that the server takes when there are always more. */
  saturation(seconds: number): number {
    this.#overload(STEADY_AFTER_MS);
    const before = this.#taken();
    const start = performance.now();
    this.#overload(seconds * 1000);
    return (this.#taken() - before) / ((performance.now() - start) / 1000);
  }
  #overload(ms: number): void {
    const end = performance.now() + ms;
    while (performance.now() < end) this.#sender.send(BATCH);
  }

  /** Latency of the echo beside so many frames a second. */
  latency(seconds: number, perSecond: number): Latency {
    const samples: number[] = [];
    const start = performance.now();
    const steady = start + STEADY_AFTER_MS;
    const end = steady + seconds * 1000;
    let due = start;
    let sent = 0;
    let askedAt = 0;
    let nextEcho = steady;
    for (let now = start; now < end || askedAt !== 0 || samples.length < ECHOES_MIN; now = performance.now()) {
      if (perSecond > 0 && now >= due) {
        const count = Math.min(BATCH, Math.floor(((now - due) * perSecond) / 1000) + 1);
        this.#sender.send(count);
        sent += count;
        due = Math.max(due + (count / perSecond) * 1000, now - DEBT_MS);
      }
      if (askedAt !== 0) {
        if (this.#answered()) {
          samples.push((performance.now() - askedAt) * 1000);
          nextEcho = now + Math.random() * 2 * ECHO_EVERY_MS;
          askedAt = 0;
        } else if (now - askedAt > LOST_AFTER_MS) throw new Error('the server does not echo any more');
      } else if (now >= nextEcho) {
        askedAt = performance.now();
        if (write(this.#fd, this.#buffer.address, 1) !== 1) throw lastError('write');
      }
    }
    const elapsed = (performance.now() - start) / 1000;
    samples.sort((a, b) => a - b);
    return {
      perSecond: sent / elapsed,
      echoes: samples.length,
      p50: samples[samples.length >> 1],
      p99: samples[Math.floor(samples.length * 0.99)],
    };
  }

  #answered(): boolean {
    const got = recv(this.#fd, this.#buffer.address + 1, 1, MSG_DONTWAIT);
    if (got === 1) return true;
    if (got === 0) throw new Error('the server closed the connection');
    if (koffi.errno() !== EAGAIN) throw lastError('recv');
    return false;
  }
}

/** As the kernel's neighbour table has it. */
function macOf(address: string): Uint8Array {
  for (const line of readFileSync('/proc/self/net/arp', 'latin1').split('\n')) {
    const fields = line.trim().split(/\s+/);
    if (fields[0] === address) return Uint8Array.from(fields[3].split(':').map((byte) => Number.parseInt(byte, 16)));
  }
  throw new Error(`the kernel knows no neighbour ${address}`);
}

function main(): void {
  const [kind, device, kernel, stack, text] = process.argv.slice(2);
  const seconds = Number(text);
  if (!(FLOODS as readonly string[]).includes(kind) || stack === undefined || !(seconds > 0)) {
    throw new RangeError(`usage: flood-load.js ${FLOODS.join('|')} DEVICE KERNEL-ADDRESS STACK-ADDRESS SECONDS`);
  }
  const bench = new Bench(kind as FloodKind, device, kernel, stack);
  bench.warmUp(seconds / 2);
  const saturation = bench.saturation(seconds / 2);
  const quiet = bench.latency(seconds, 0);
  const flooded = bench.latency(seconds, saturation / 2);
  const result: FloodResult = { kind: kind as FloodKind, saturation, quiet, flooded };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

runProgram('flood-load', main);
