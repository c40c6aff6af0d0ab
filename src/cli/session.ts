import { getRandomValues } from 'node:crypto';
import { existsSync, unlinkSync } from 'node:fs';
import { CaptureDevice } from '../../drivers/capture.js';
import type { Driver } from '../../drivers/driver.js';
import { FaultDevice } from '../../drivers/fault.js';
import { openDevice } from '../../drivers/open.js';
import { fileSink } from '../../drivers/sink.js';
import { TraceDevice } from '../../drivers/trace.js';
import type { Address } from '../../stack/base/units.js';
import { FrameSlab, HEADROOM_BYTES } from '../../stack/memory/frame-slab.js';
import type { Interface } from '../../stack/net/interface.js';
import { Stack } from '../../stack/stack.js';
import { monotonicClock } from '../host/clock.js';
import { Host } from '../host/host.js';
import { NodeNet } from '../node/node-net.js';
import { describeFrame, NOTE_INTS } from '../trace/describe.js';
import { defaultControlPath } from './control-path.js';
import { ControlServer } from './control-server.js';
import { stackSource } from './control-source.js';
import { CliError } from './errors.js';
import { FrameWatch } from './frame-watch.js';
import type { StackSettings } from './options.js';
import { colours, notice, print } from './output.js';
import { formatIpv4 } from './values.js';

/** After a device was used, this long until the trace reaches the file. */
const FLUSH_MS = 500;
/** How long connections may take to say goodbye when the program ends. */
const GOODBYE_MS = 1000;
/** Ethernet header and a VLAN tag; and one byte, by which a driver sees that a frame was longer than its slot. */
const LINK_BYTES_MAX = 18 + 1;

/** A stack on its device, with everything the options asked for around it. */
export class Session {
  readonly net: NodeNet;
  /** Why the device no longer works; null while it does. */
  failure: Error | null = null;
  #onFailure: (error: Error) => void = () => {};
  /** Set while there is something to look at: a session that is idle does not wake the processor. */
  #timer: NodeJS.Timeout | null = null;
  /** When the program breaks, the last frames are the ones to be looked at. */
  readonly #onBreak = (): void => this.flush();
  #closed = false;

  constructor(
    readonly settings: StackSettings,
    readonly host: Host,
    readonly iface: Interface,
    readonly device: FrameWatch,
    readonly capture: CaptureDevice | undefined,
    readonly control: ControlServer | undefined,
  ) {
    this.net = new NodeNet(host);
    host.onDeviceFailure = (_attachment, error) => {
      this.failure = error;
      this.#onFailure(error);
    };
    device.onUse(() => {
      if (this.#timer !== null || this.#closed) return;
      this.#timer = setTimeout(() => {
        this.#timer = null;
        this.flush();
      }, FLUSH_MS).unref();
    });
    process.on('uncaughtExceptionMonitor', this.#onBreak);
  }

  get address(): string {
    return formatIpv4(this.settings.address.address);
  }

  /** Called when the device stops to work, at once if it already has; then the session is to be closed. */
  onFailure(callback: (error: Error) => void): void {
    this.#onFailure = callback;
    if (this.failure !== null) callback(this.failure);
  }

  /** What is traced so far is in the file. */
  flush(): void {
    this.device.flush();
  }

  /**
   * Lets connections that are closing finish, for a second at most, then stops. The file is complete, the socket removed, and
   * the interface gone, unless it was there before.
   */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.settle();
    this.host.stop();
    process.off('uncaughtExceptionMonitor', this.#onBreak);
    await this.control?.close();
    if (this.capture !== undefined && this.capture.problem !== '') {
      notice(
        `millrace: the trace is not complete: ${this.capture.problem}; ${this.capture.framesMissing} frames are missing`,
      );
    }
  }

  /** Waits until no connection is left, a second at most: the end of one is in the trace then, too. Without a device nothing can end. */
  async settle(): Promise<void> {
    if (this.failure !== null) return;
    const until = Date.now() + GOODBYE_MS;
    while (this.#busy() && Date.now() < until) await new Promise<void>((resolve) => setTimeout(resolve, 10));
  }

  #busy(): boolean {
    for (const _id of this.host.stack.tcp.connections()) return true;
    return false;
  }
}

/**
 * Opens what the settings name and starts the stack on it. When one thing cannot be had, what was opened before is closed
 * again, so that a failure leaves neither device nor socket nor file.
 */
export async function openSession(settings: StackSettings, given?: Driver): Promise<Session> {
  const device = given ?? openDriver(settings);
  const slab = makeSlab(settings, device);
  let control: ControlServer | undefined;
  try {
    const stack = new Stack({
      slab,
      seed: settings.seed,
      now: monotonicClock.now(),
      // 32 bits of seed can be tried through; sequence numbers must not be guessed (RFC 6528 §3).
      ...(settings.seedGiven ? {} : { secret: getRandomValues(new Int32Array(4)) }),
    });
    const host = new Host({ stack });
    if (settings.control !== false) {
      control = await ControlServer.open(settings.control ?? defaultControlPath(), stackSource(host));
    }
    const { outer, capture } = wrap(device, settings);
    const watch = new FrameWatch(outer);
    const { address, prefixLength } = settings.address;
    const iface = host.attach(watch, { addresses: [{ address: address as Address, prefixLength }] });
    if (settings.gateway !== undefined) {
      stack.net.addRoute({ destination: 0 as Address, prefixLength: 0, gateway: settings.gateway as Address });
    }
    host.start();
    return new Session(settings, host, iface, watch, capture, control);
  } catch (error) {
    await control?.close();
    device.close(slab);
    throw error;
  }
}

/** The device that the settings name, as they want it. Throws a `StackError` when it cannot be had. */
export function openDriver(settings: StackSettings): Driver {
  const { mtu, hostAddress, seed } = settings;
  return openDevice(settings.device, {
    seed,
    ...(mtu === undefined ? {} : { mtu }),
    ...(hostAddress === undefined
      ? {}
      : { hostAddress: `${formatIpv4(hostAddress.address)}/${hostAddress.prefixLength}` }),
  });
}

/** Slots large enough for the device's frames; notes only when somebody reads them. */
function makeSlab(settings: StackSettings, device: Driver): FrameSlab {
  const needed = HEADROOM_BYTES + LINK_BYTES_MAX + device.mtu;
  const slotBytes = Math.max(2048, 2 ** Math.ceil(Math.log2(needed)));
  const noted = settings.trace !== undefined || settings.print;
  return new FrameSlab({ slotBytes, noteInts: noted ? NOTE_INTS : 0 });
}

/**
 * Faults lie below the trace: it shows what the stack sent, though it may be lost later, and what reached it; so there is a
 * note for every frame.
 */
function wrap(device: Driver, settings: StackSettings): { outer: Driver; capture: CaptureDevice | undefined } {
  let outer = device;
  let capture: CaptureDevice | undefined;
  if (settings.faults !== undefined) outer = new FaultDevice(outer, settings.faults, settings.seed);
  if (settings.print) {
    outer = new TraceDevice(outer, { write: print, describe: describeFrame, colour: colours.isColorSupported });
  }
  if (settings.trace !== undefined) {
    capture = new CaptureDevice(outer, {
      sink: traceSink(settings.trace),
      maxBytes: settings.traceLimitBytes,
      describe: describeFrame,
      onProblem: (problem) => notice(`millrace: the trace ends here: ${problem}. Everything else goes on`),
      epochUs: Math.round(performance.timeOrigin * 1000),
    });
    outer = capture;
  }
  return { outer, capture };
}

function traceSink(path: string) {
  const existed = existsSync(path);
  try {
    return fileSink(path);
  } catch (error) {
    if (!existed && existsSync(path)) unlinkSync(path);
    throw error instanceof Error && 'code' in error
      ? new CliError(String(error.code), `--trace: ${error.message}`)
      : error;
  }
}
