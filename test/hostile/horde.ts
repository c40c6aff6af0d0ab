import type { Driver } from '../../drivers/driver.js';
import type { Us } from '../../stack/base/units.js';
import type { FrameSlab } from '../../stack/memory/frame-slab.js';
import { type DeviceCounters, type FrameBatch, Medium } from '../../stack/net/device.js';
import { ipv4HeaderBytes, ipv4TotalLength } from '../../stack/wire/ipv4.js';
import {
  TcpFlag,
  tcpAck,
  tcpDestinationPort,
  tcpFlags,
  tcpHeaderBytes,
  tcpSeq,
  tcpSourcePort,
} from '../../stack/wire/tcp.js';
import { type SegmentSpec, writeSegment } from '../stack/tcp/segment.js';

/** One of them: a pair of ports, and where both streams are. Numbers relative to the initial ones, as in test/stack/tcp. */
export class Hog {
  /** The next byte it sends, and the next of the server's it expects. */
  nxt = 0;
  expected = 0;
  /** The next byte of its own that the server waits for. */
  acknowledged = 1;
  /** What the server calls its first number. */
  base = 0;
  established = false;
  /** The server has reset it. */
  gone = false;
  constructor(
    readonly address: number,
    readonly port: number,
    readonly serverPort: number,
  ) {}
}

export interface Behaviour {
  /** The handshake's last ACK carries this much text. */
  readonly request: number;
  /** Bytes it lets come, and never reads. */
  readonly window: number;
  /** It does not complete the handshake. */
  readonly silent?: boolean;
  /** It acknowledges no text. */
  readonly mute?: boolean;
  /** It answers the server's FIN with its own. */
  readonly finishes?: boolean;
  /** What it does once it is connected. */
  onConnected?(hog: Hog, horde: Horde): void;
}

/** Of any SYN: every number below counts from it. */
const ISS = 1000;

/**
 * Any number of peers that mean no good, behind one device: each a row of numbers and not a stack, so that a hundred thousand cost little. They
 * answer at once, and do only what the test has them do.
 */
export class Horde implements Driver {
  readonly name = 'horde';
  readonly medium = Medium.IP;
  readonly mtu = 1500;
  readonly mac = new Uint8Array(6);
  readonly pollFd = -1;
  readonly counters: DeviceCounters = {
    framesReceived: 0,
    bytesReceived: 0,
    framesSent: 0,
    bytesSent: 0,
    dropsReceived: 0,
    dropsSent: 0,
  };
  readonly hogs = new Map<number, Hog>();
  #waiting: [Hog, SegmentSpec][] = [];
  #next = 0;
  #now = 0;
  #wake: (() => void) | null = null;
  #leaving = false;

  constructor(
    readonly server: number,
    readonly behaviour: Behaviour,
  ) {}

  connect(address: number, port: number, serverPort: number): Hog {
    const hog = new Hog(address, port, serverPort);
    this.hogs.set(keyOf(address, port, serverPort), hog);
    this.send(hog, { flags: 'S', seq: 0, ack: 0, win: 65_535, options: { mss: 1460, sackOk: true } });
    hog.nxt = 1;
    return hog;
  }

  send(hog: Hog, spec: SegmentSpec): void {
    if (this.#waiting.length === this.#next) {
      this.#waiting = [];
      this.#next = 0;
    }
    this.#waiting.push([hog, spec]);
    this.#wake?.();
  }

  /** All that are still connected reset their connections. What the server answers to a number it does not take says which it would. */
  leave(): void {
    this.#leaving = true;
    for (const hog of this.hogs.values()) if (!hog.gone) this.#reset(hog);
  }

  #reset(hog: Hog): void {
    this.send(hog, { flags: 'R.', seq: hog.acknowledged, ack: hog.expected, win: 0 });
  }

  get established(): number {
    let count = 0;
    for (const hog of this.hogs.values()) if (hog.established && !hog.gone) count += 1;
    return count;
  }

  receive(into: FrameBatch, slab: FrameSlab): number {
    let appended = 0;
    while (!into.full && this.#next < this.#waiting.length) {
      const slot = slab.take();
      if (slot < 0) break;
      const at = slot + slab.headroom;
      const [hog, spec] = this.#waiting[this.#next] as [Hog, SegmentSpec];
      this.#next += 1;
      const length = writeSegment(slab.view, at, spec, {
        source: hog.address,
        destination: this.server,
        sourcePort: hog.port,
        destinationPort: hog.serverPort,
        seqBase: ISS,
        ackBase: hog.base,
      });
      into.push(at, length);
      appended += 1;
    }
    return appended;
  }

  transmit(from: FrameBatch, first: number, slab: FrameSlab): number {
    const { view } = slab;
    for (let i = first; i < from.count; i++) {
      const at = from.offsets[i] as number;
      const tcp = at + ipv4HeaderBytes(view, at);
      const hog = this.hogs.get(keyOf(view.getInt32(at + 16), tcpDestinationPort(view, tcp), tcpSourcePort(view, tcp)));
      if (hog !== undefined) {
        const length = ipv4TotalLength(view, at) - ipv4HeaderBytes(view, at) - tcpHeaderBytes(view, tcp);
        hog.acknowledged = (tcpAck(view, tcp) - ISS) | 0;
        this.#arrives(hog, tcpFlags(view, tcp), tcpSeq(view, tcp), length);
      }
      slab.give(at);
    }
    return from.count - first;
  }

  #arrives(hog: Hog, flags: number, seq: number, length: number): void {
    if ((flags & TcpFlag.RST) !== 0) {
      hog.gone = true;
      return;
    }
    if (this.behaviour.silent === true) return;
    if ((flags & TcpFlag.SYN) !== 0) {
      hog.base = seq;
      hog.expected = 1;
      const data = new Uint8Array(this.behaviour.request);
      this.send(hog, { flags: '.', seq: hog.nxt, ack: 1, win: this.behaviour.window, data });
      hog.nxt += data.length;
      const first = !hog.established;
      hog.established = true;
      if (first) this.behaviour.onConnected?.(hog, this);
      return;
    }
    if ((flags & TcpFlag.FIN) !== 0 && this.behaviour.finishes === true) {
      hog.expected = ((seq - hog.base) | 0) + length + 1;
      this.send(hog, { flags: 'F.', seq: hog.nxt, ack: hog.expected, win: this.behaviour.window });
      hog.gone = true;
      return;
    }
    if (this.#leaving) {
      this.#reset(hog);
      return;
    }
    if (this.behaviour.mute === true) return;
    const relative = (seq - hog.base) | 0;
    if (length === 0 && relative >= hog.expected) return;
    if (relative === hog.expected) hog.expected += length;
    const left = this.behaviour.window - (hog.expected - 1);
    this.send(hog, { flags: '.', seq: hog.nxt, ack: hog.expected, win: left > 0 ? left : 0 });
  }

  advance(now: Us): void {
    this.#now = now;
  }
  nextDeadline(): number {
    return this.#next < this.#waiting.length ? this.#now : Number.POSITIVE_INFINITY;
  }
  onWake(callback: (() => void) | null): void {
    this.#wake = callback;
  }
  close(): void {}
}

function keyOf(address: number, port: number, serverPort: number): number {
  return (address & 0xff) * 2 ** 32 + port * 2 ** 16 + serverPort;
}
