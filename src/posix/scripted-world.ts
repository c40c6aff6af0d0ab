import type { Address, Us } from '../../stack/base/units.js';
import { FrameSlab } from '../../stack/memory/frame-slab.js';
import { Medium } from '../../stack/net/device.js';
import type { Interface } from '../../stack/net/interface.js';
import { Stack } from '../../stack/stack.js';
import type { ProfileChoice } from '../../stack/tcp/profile.js';
import { joinSegments } from './join-segments.js';
import { PosixError } from './posix-error.js';
import { SocketSystem } from './socket-system.js';
import type { SentDatagram, World } from './world.js';

export interface ScriptedWorldOptions {
  /** Whose layout of options and whose policy: Linux's if not given. */
  readonly profile?: ProfileChoice;
  /** The stack's address, with the prefix of its link. packetdrill's own is the default. */
  readonly localAddress?: string;
  readonly prefixLength?: number;
  readonly mtu?: number;
  readonly seed?: number;
  /** Segments of one burst come as one datagram, as Linux hands them to a device with segmentation offload, and PSH stands at its end. Off: each segment for itself. */
  readonly segmentationOffload?: boolean;
  /** PSH stands on the last segment of each burst, as Linux has it for such a device. `segmentationOffload`'s if not given. */
  readonly pushBursts?: boolean;
  /** The wire joins segments of so many bytes of text, as hardware does; 0: a larger one is one segment. */
  readonly joinedSegmentBytes?: number;
  /** The number of the first descriptor. */
  readonly firstDescriptor?: number;
}

const LOCAL_ADDRESS = '192.168.0.1';
const PREFIX_LENGTH = 16;
const MTU = 1500;

/** A datagram of 64 KiB behind the headroom: a script may well let one arrive, as hardware that joins segments would. */
const SLOT_BYTES = 1 << 17;
/** Only what a flush sends before it is collected lies in slots. */
const SLOTS = 64;
/** A flush that goes on and on would be the stack talking to itself. */
const FLUSHES_MAX = 10_000;
/** Scripts begin a while after the machine does: a timestamp of zero means something of its own (RFC 7323 §3.2). */
const START_US = 1_000_000;

/** Of stream buffers, over all connections of a world. */
const BUFFER_BYTES = 8 << 20;
/** The arena's first chunk, which holds nothing. */
const ARENA_SPARE = 4096;

/** Memory of worlds that were closed. Zeroing it is most of the cost of a world, and no world minds what is in it. */
interface Memory {
  readonly slots: ArrayBuffer;
  readonly buffers: ArrayBuffer;
}
const spare: Memory[] = [];

/** A stack on a wire of IP datagrams, with socket calls on the one side and a script on the other, in virtual time. */
export class ScriptedWorld implements World {
  readonly stack: Stack;
  readonly calls: SocketSystem;
  readonly #iface: Interface;
  readonly #sent: SentDatagram[] = [];
  readonly #joins: boolean;
  /** Undefined once the world is closed. */
  #memory: Memory | undefined;
  #nowUs = START_US;

  constructor(options: ScriptedWorldOptions = {}) {
    this.#memory = spare.pop() ?? {
      slots: new ArrayBuffer(SLOT_BYTES * SLOTS),
      buffers: new ArrayBuffer(BUFFER_BYTES + ARENA_SPARE),
    };
    this.#joins = options.segmentationOffload ?? false;
    const slab = new FrameSlab({ slotBytes: SLOT_BYTES, slots: SLOTS, memory: this.#memory.slots });
    this.stack = new Stack({
      seed: options.seed ?? 1,
      now: START_US as Us,
      slab,
      // A script has a handful of connections; the tables are made for each world anew.
      tcp: {
        profile: options.profile ?? 'linux',
        pushBursts: options.pushBursts ?? this.#joins,
        joinedSegmentBytes: options.joinedSegmentBytes ?? 0,
        connectionsMax: 1024,
        activeMax: 1024,
        synReceivedMax: 1024,
        timeWaitMax: 1024,
        bufferBytesMax: BUFFER_BYTES,
        bufferMemory: this.#memory.buffers,
        outOfOrderMax: 1 << 13,
        transmitRecordsMax: 1 << 13,
      },
      udp: { socketsMax: 256, receiveBytesTotal: 1 << 20 },
    });
    const local = this.stack.net.parseAddress(options.localAddress ?? LOCAL_ADDRESS);
    this.#iface = this.stack.net.addInterface({
      name: 'tun0',
      medium: Medium.IP,
      mtu: options.mtu ?? MTU,
      addresses: [{ address: local, prefixLength: options.prefixLength ?? PREFIX_LENGTH }],
      transmitQueueFrames: SLOTS,
    });
    // Everything else lies beyond the wire.
    this.stack.net.addRoute({ destination: 0 as Address, prefixLength: 0, iface: this.#iface.index, metric: 1 });
    this.calls = new SocketSystem({
      stack: this.stack,
      nowUs: () => this.#nowUs,
      flush: () => this.#flush(),
      ...(options.firstDescriptor === undefined ? {} : { firstDescriptor: options.firstDescriptor }),
    });
  }

  get nowUs(): number {
    return this.#nowUs;
  }

  nextDeadlineUs(): number {
    return Math.max(this.#nowUs, Math.min(this.stack.nextDeadline(), this.calls.nextDeadlineUs()));
  }

  advance(untilUs: number): void {
    for (;;) {
      const next = this.nextDeadlineUs();
      if (next > untilUs) break;
      this.#step(next);
    }
    if (untilUs > this.#nowUs) {
      this.#nowUs = untilUs;
      this.stack.advance(untilUs as Us);
    }
  }

  /** Time stands at `us`, and what is due has not happened yet: timers come late, and what arrives or is called now counts before them. */
  advanceLate(us: number): void {
    if (us <= this.#nowUs) return;
    this.#nowUs = us;
    this.stack.at(us as Us);
  }

  /** Time stands at `us`, and everything that is due has happened. */
  #step(us: number): void {
    this.#nowUs = us;
    this.stack.advance(us as Us);
    this.calls.expire();
    this.calls.settle();
  }

  deliver(datagram: Uint8Array): void {
    const { slab } = this.stack;
    if (datagram.length > slab.frameBytesMax) {
      throw new PosixError('EMSGSIZE', `${datagram.length} bytes are no IP datagram`);
    }
    const slot = slab.take();
    if (slot < 0) throw new PosixError('ENOBUFS', 'no slot is free: the stack has kept them all');
    const at = slot + slab.headroom;
    slab.bytes.set(datagram, at);
    this.stack.receive(this.#iface.index, at, datagram.length);
    slab.give(slot);
    this.calls.settle();
  }

  takeSent(): SentDatagram | undefined {
    return this.#sent.shift();
  }

  setSysctl(name: string, value: string): void {
    this.calls.settings.set(name, value);
  }

  getSysctl(name: string): string {
    return this.calls.settings.get(name);
  }

  /** The world is not used any more. Its memory is the next one's. Idempotent. */
  close(): void {
    if (this.#memory !== undefined) spare.push(this.#memory);
    this.#memory = undefined;
  }

  /** Lets the stack send, and takes what it sent. */
  #flush(): void {
    const { slab } = this.stack;
    const queue = this.#iface.transmitQueue;
    const sent: Uint8Array[] = [];
    for (let round = 0; round < FLUSHES_MAX; round++) {
      this.stack.flush();
      if (queue.length === 0) break;
      for (let i = queue.first; i < queue.count; i++) {
        const at = queue.offsets[i];
        sent.push(slab.bytes.slice(at, at + queue.lengths[i]));
        slab.give(at);
      }
      queue.sent(queue.length);
    }
    for (const datagram of this.#joins ? joinSegments(sent) : sent) this.#sent.push({ timeUs: this.#nowUs, datagram });
  }
}
