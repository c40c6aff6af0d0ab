import { StackError } from '../stack/base/errors.js';
import type { Us } from '../stack/base/units.js';
import type { FrameSlab } from '../stack/memory/frame-slab.js';
import { type DeviceCounters, type FrameBatch, Medium } from '../stack/net/device.js';
import type { Driver } from './driver.js';
import {
  checkInterfaceName,
  Ifreq,
  InterfaceControl,
  InterfaceRequest,
  mtuMax,
  parseHostAddress,
} from './interface-control.js';
import { hardwareAddressFor, sameBytes } from './mac.js';
import { Errno, type Libc, libc, Open, systemError } from './syscall.js';
import { attach, resetTun, setPersistent, TunFlag } from './tun-control.js';

/** When `receive` asks once more after a frame, only to hear that none waits. */
export type DrainPolicy = 'adaptive' | 'always' | 'never';

export interface TapOptions {
  /** Of the kernel's side and ours. Default: what an existing interface has, else 1500. */
  readonly mtu?: number;
  /** Ours, six bytes. Default: locally administered, made from the name and the seed. */
  readonly mac?: Uint8Array;
  readonly seed?: number;
  /** The kernel's own address on the link, as in `10.0.0.1/24`. Default: left alone. */
  readonly hostAddress?: string;
  /** Whether the interface outlives us. Default: left alone, which for a new one means no. */
  readonly persistent?: boolean;
  /** False: only attach to an interface that exists. Default: create it if need be. */
  readonly create?: boolean;
  /** Frames the kernel keeps for us. Default: 4096 on a new interface and on one that has no queue; else left alone. */
  readonly queueFrames?: number;
  readonly drain?: DrainPolicy;
}

const CLONE_DEVICE = '/dev/net/tun';
/** RFC 791: every host takes 68 bytes. */
const MTU_MIN = 68;
/**
 * The kernel's own 500 frames are 0.7 MB; a sender with a larger window loses frames to itself, because TUN drops what does
 * not fit. 4096 hold a window of 6 MiB, the largest that auto-tuning opens by default.
 */
const QUEUE_FRAMES = 4096;

/**
 * Reading until EAGAIN costs one call more than there are frames: nothing in a batch, a third of the turn when frames come
 * one by one. The descriptor is polled level-triggered, so a frame left behind wakes us again at once, at the price of a
 * turn of the event loop. After `FEW_RUN` times the same few frames and no more (one of an echo; an ACK and a SYN where
 * connections are opened and closed one by one), the next `FEW_CREDIT` receives trust that these are all.
 */
const FEW_FRAMES = 3;
const FEW_RUN = 4;
const FEW_CREDIT = 16;
/** A frame this long is part of a stream, and others follow it. */
const FEW_BYTES_MAX = 576;

/**
 * A TAP or TUN interface: the kernel's end is a network interface, ours a descriptor that gives and takes one frame a call.
 * Each frame is read into its slot, and written from it; nothing is copied in between.
 */
export class TapDevice implements Driver {
  readonly name: string;
  readonly medium: Medium;
  readonly mtu: number;
  readonly mac: Uint8Array;
  /** The kernel's MAC address on the link; zeroes for TUN. */
  readonly hostMac: Uint8Array;
  readonly interfaceName: string;
  /** False when the interface existed before. */
  readonly created: boolean;
  readonly counters: DeviceCounters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  /** Why the device no longer works: the interface was deleted. Close it and open another. */
  failure: StackError | null = null;
  /** The error number of the last frame refused, for whoever wonders about `dropsSent`. */
  lastErrno = 0;

  readonly #libc: Libc;
  readonly #drain: DrainPolicy;
  #fd: number;
  /** The slab whose address is `#base`; held, so that the memory stays where it is. */
  #slab: FrameSlab | null = null;
  #base = 0;
  /** Takes what there is no slot for. */
  #scratch: Uint8Array | null = null;
  /** How many frames there were when the queue was last found empty behind them, and how often in a row. */
  #few = 0;
  #fewRun = 0;
  /** Receives that trust it is as many again. */
  #fewCredit = 0;

  constructor(
    fd: number,
    interfaceName: string,
    medium: Medium,
    created: boolean,
    facts: { mtu: number; mac: Uint8Array; hostMac: Uint8Array },
    drain: DrainPolicy,
  ) {
    this.#fd = fd;
    this.#libc = libc();
    this.#drain = drain;
    this.interfaceName = interfaceName;
    this.name = `${medium === Medium.ETHERNET ? 'tap' : 'tun'}:${interfaceName}`;
    this.medium = medium;
    this.created = created;
    this.mtu = facts.mtu;
    this.mac = facts.mac;
    this.hostMac = facts.hostMac;
  }

  get pollFd(): number {
    return this.#fd;
  }

  receive(into: FrameBatch, slab: FrameSlab): number {
    if (this.#fd < 0 || this.failure !== null) return 0;
    if (slab !== this.#slab) this.#adopt(slab);
    const c = this.counters;
    const room = slab.frameBytesMax;
    let found = 0;
    let appended = 0;
    while (into.count < into.capacity) {
      const slot = slab.take();
      if (slot < 0) {
        this.#discard(into.capacity - into.count);
        return appended;
      }
      const at = slot + slab.headroom;
      const length = this.#libc.read(this.#fd, this.#base + at, room);
      if (length <= 0) {
        slab.give(slot);
        this.#readFailed(length);
        this.#emptied(found);
        return appended;
      }
      found += 1;
      // The kernel cuts a frame to what we offered and does not tell: one that fills the slot may have been longer.
      if (length === room) {
        slab.give(slot);
        c.dropsReceived += 1;
        continue;
      }
      into.push(at, length);
      appended += 1;
      c.framesReceived += 1;
      c.bytesReceived += length;
      if (this.#drain === 'never') return appended;
      if (found > this.#few) {
        this.#fewRun = 0;
        this.#fewCredit = 0;
      } else if (this.#drain === 'adaptive' && found === this.#few && this.#fewCredit > 0 && length < FEW_BYTES_MAX) {
        this.#fewCredit -= 1;
        return appended;
      }
    }
    return appended;
  }

  /** The queue held `found` frames. A look that finds none says nothing. */
  #emptied(found: number): void {
    if (found === 0) return;
    this.#fewRun = found === this.#few ? this.#fewRun + 1 : 1;
    this.#few = found <= FEW_FRAMES ? found : 0;
    this.#fewCredit = this.#few > 0 && this.#fewRun >= FEW_RUN ? FEW_CREDIT : 0;
  }

  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    if (slab !== this.#slab) this.#adopt(slab);
    const c = this.counters;
    for (let i = first; i < from.count; i++) {
      const at = from.offsets[i];
      const length = from.lengths[i];
      if (this.#fd < 0 || this.failure !== null) {
        c.dropsSent += 1;
      } else if (this.#libc.write(this.#fd, this.#base + at, length) >= 0) {
        c.framesSent += 1;
        c.bytesSent += length;
      } else {
        const errno = this.#libc.errno();
        this.lastErrno = errno;
        if (errno === Errno.EAGAIN || errno === Errno.ENOBUFS) return i - first;
        // EIO: the interface is down, which is the same as a cable pulled. EINVAL: the kernel finds the frame malformed.
        c.dropsSent += 1;
        if (isGone(errno)) this.#fail(errno);
      }
      slab.give(at);
    }
    return from.count - first;
  }

  advance(_now: Us): void {}

  nextDeadline(): number {
    return Number.POSITIVE_INFINITY;
  }

  close(_slab: FrameSlab): void {
    if (this.#fd < 0) return;
    resetTun(this.#libc, this.#fd);
    this.#libc.close(this.#fd);
    this.#fd = -1;
    this.#slab = null;
  }

  #adopt(slab: FrameSlab): void {
    this.#slab = slab;
    this.#base = this.#libc.addressOf(slab.bytes);
  }

  /** No slot is free: what waits is read and dropped, as a network card does. Left waiting it would wake us for nothing. */
  #discard(framesMax: number): void {
    this.#scratch ??= new Uint8Array(new ArrayBuffer(64));
    const address = this.#libc.addressOf(this.#scratch);
    for (let i = 0; i < framesMax; i++) {
      const length = this.#libc.read(this.#fd, address, this.#scratch.length);
      if (length <= 0) {
        this.#readFailed(length);
        break;
      }
      this.counters.dropsReceived += 1;
    }
  }

  #readFailed(result: number): void {
    const errno = result === 0 ? Errno.EBADFD : this.#libc.errno();
    if (errno !== Errno.EAGAIN && errno !== Errno.EINTR) this.#fail(errno);
  }

  #fail(errno: number): void {
    this.failure = systemError(errno, `${this.name} no longer works`, 'Was the interface deleted? Open it again');
  }
}

/** EBADFD: the interface was deleted. EBADF: somebody has closed our descriptor. */
function isGone(errno: number): boolean {
  return errno === Errno.EBADFD || errno === Errno.EBADF || errno === Errno.ENODEV || errno === Errno.ENXIO;
}

/** Ethernet frames. Creates the interface unless it exists. Throws a `StackError` that says what to do. */
export function openTap(interfaceName: string, options: TapOptions = {}): TapDevice {
  return openTunTap(interfaceName, Medium.ETHERNET, options);
}

/** IP packets, without a link header. */
export function openTun(interfaceName: string, options: TapOptions = {}): TapDevice {
  return openTunTap(interfaceName, Medium.IP, options);
}

function openTunTap(interfaceName: string, medium: Medium, options: TapOptions): TapDevice {
  const kind = medium === Medium.ETHERNET ? 'tap' : 'tun';
  checkInterfaceName(interfaceName, `${kind}:${interfaceName}`);
  checkOptions(options, medium);
  const host = options.hostAddress === undefined ? undefined : parseHostAddress(options.hostAddress);
  const system = libc();
  const control = new InterfaceControl(interfaceName);
  let fd = -1;
  try {
    const existed = control.exists();
    if (!existed && options.create === false) {
      throw new StackError(
        'ENODEV',
        `There is no interface ${interfaceName}. As root: ip tuntap add dev ${interfaceName} mode ${kind} user ${process.env.USER ?? 'NAME'}`,
      );
    }
    fd = system.open(CLONE_DEVICE, Open.O_RDWR | Open.O_NONBLOCK | Open.O_CLOEXEC);
    if (fd < 0) throw cloneDeviceError(system.errno());
    const request = new InterfaceRequest(interfaceName);
    request.setUint16(
      Ifreq.UNION,
      (medium === Medium.ETHERNET ? TunFlag.IFF_TAP : TunFlag.IFF_TUN) | TunFlag.IFF_NO_PI,
    );
    if (attach(system, fd, request.address) < 0) throw attachError(system.errno(), control, kind, existed);
    if (!resetTun(system, fd)) {
      throw systemError(system.errno(), `The offloads of ${interfaceName} cannot be turned off`, 'Choose another name');
    }
    if (options.mtu !== undefined && options.mtu !== control.mtu) control.mtu = options.mtu;
    if (options.queueFrames !== undefined) control.queueFrames = options.queueFrames;
    else if (!existed || control.queueFrames === 0) lengthenQueue(control);
    if (host !== undefined) control.setAddress(host.address, host.prefixLength);
    control.bringUp();
    const hostMac = medium === Medium.ETHERNET ? control.mac : new Uint8Array(6);
    const mac = medium === Medium.ETHERNET ? chooseMac(interfaceName, hostMac, options) : new Uint8Array(6);
    const facts = { mtu: control.mtu, mac, hostMac };
    // Last, so that an error above leaves nothing behind.
    if (options.persistent !== undefined) setPersistent(system, fd, interfaceName, options.persistent);
    return new TapDevice(fd, interfaceName, medium, !existed, facts, options.drain ?? 'adaptive');
  } catch (error) {
    if (fd >= 0) system.close(fd);
    throw error;
  } finally {
    control.close();
  }
}

/**
 * As long as we would like it. A root of a user namespace may not say so, and does with what there is; but without a queue
 * the kernel drops every frame, and counts it where nobody looks.
 */
function lengthenQueue(control: InterfaceControl): void {
  try {
    control.queueFrames = QUEUE_FRAMES;
  } catch (error) {
    if (!(error instanceof StackError) || error.code !== 'EPERM') throw error;
    if (control.queueFrames > 0) return;
    throw new StackError(
      'EPERM',
      `${control.name} has no queue, so every frame to us would be dropped. As root: ip link set ${control.name} txqueuelen ${QUEUE_FRAMES}`,
    );
  }
}

function checkOptions(options: TapOptions, medium: Medium): void {
  const { mtu, mac, queueFrames } = options;
  const most = mtuMax(medium);
  if (mtu !== undefined && !(Number.isInteger(mtu) && mtu >= MTU_MIN && mtu <= most)) {
    throw new StackError('ERR_OUT_OF_RANGE', `mtu is ${mtu}: allowed is a whole number from ${MTU_MIN} to ${most}`);
  }
  if (queueFrames !== undefined && !(Number.isInteger(queueFrames) && queueFrames >= 1 && queueFrames <= 1_000_000)) {
    throw new StackError(
      'ERR_OUT_OF_RANGE',
      `queueFrames is ${queueFrames}: allowed is a whole number from 1 to 1000000`,
    );
  }
  if (mac !== undefined && (mac.length !== 6 || ((mac[0] as number) & 1) !== 0 || mac.every((byte) => byte === 0))) {
    throw new StackError(
      'ERR_INVALID_ARG_VALUE',
      'mac is no station address: six bytes, the first of them even, not all zero',
    );
  }
}

/** Two stations of one link: with the kernel's own address it would take our frames for its own and drop them. */
function chooseMac(interfaceName: string, hostMac: Uint8Array, options: TapOptions): Uint8Array {
  const mac = options.mac ?? hardwareAddressFor(interfaceName, options.seed ?? 0);
  if (!sameBytes(mac, hostMac)) return mac;
  if (options.mac === undefined) return hardwareAddressFor(interfaceName, (options.seed ?? 0) + 1);
  throw new StackError(
    'EADDRINUSE',
    `mac is the kernel's own address on ${interfaceName}: give another, or leave it out`,
  );
}

function cloneDeviceError(errno: number): StackError {
  const doing = `${CLONE_DEVICE} cannot be opened`;
  if (errno === Errno.EACCES || errno === Errno.EPERM) {
    return systemError(
      errno,
      doing,
      'Run as root, or let root allow it ("chmod 666 /dev/net/tun") and create the interface for you ("ip tuntap add dev NAME mode tap user YOU"); the device "loopback" needs no rights',
    );
  }
  if (errno === Errno.ENOENT || errno === Errno.ENODEV || errno === Errno.ENXIO) {
    return systemError(
      errno,
      doing,
      'Load the driver as root ("modprobe tun"), or give the container the device ("--device /dev/net/tun"); the device "loopback" needs neither',
    );
  }
  return systemError(errno, doing, 'Use the device "loopback" instead');
}

function attachError(errno: number, control: InterfaceControl, kind: string, existed: boolean): StackError {
  const name = control.name;
  if (errno === Errno.EPERM || errno === Errno.EACCES) {
    const doing = existed
      ? `${name} belongs to another user or group`
      : `${name} cannot be created without CAP_NET_ADMIN`;
    return systemError(errno, doing, `Run as root, or as root once: ip tuntap add dev ${name} mode ${kind} user YOU`);
  }
  if (errno === Errno.EBUSY) {
    return systemError(errno, `${name} is in use by another program`, 'Stop that one, or choose another name');
  }
  if (errno === Errno.EINVAL && existed) {
    const actual = control.kind();
    let found = 'something else';
    if (actual === kind) {
      const doing = `${name} exists and is not a plain ${kind} but a ${kind} with several queues`;
      return systemError(errno, doing, `Choose another name, or make it again without "multi_queue"`);
    }
    if (actual === 'tap' || actual === 'tun') found = `a ${actual}`;
    else if (actual !== '') found = `driven by "${actual}"`;
    return systemError(errno, `${name} exists and is not a plain ${kind} but ${found}`, 'Choose another name');
  }
  return systemError(errno, `${name} cannot be opened as a ${kind}`, 'Choose another name');
}
