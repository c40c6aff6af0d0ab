import type { Test } from 'tap';
import { SOCKET } from '../../../src/posix/constants.js';
import { errnoName } from '../../../src/posix/errno.js';
import { ScriptedWorld, type ScriptedWorldOptions } from '../../../src/posix/scripted-world.js';
import type { Outcome, PendingCall, SocketAddress } from '../../../src/posix/socket-calls.js';
import {
  type Direction,
  readSegment,
  type Segment,
  type SegmentOptions,
  writeSegment,
} from '../../stack/tcp/segment.js';

const LOCAL = '192.168.0.1';
const REMOTE = '192.0.2.1';
export const LOCAL_PORT = 8080;
export const REMOTE_PORT = 40_000;
const REMOTE_ISS = 0x7fff_f000;

export function inet(host: string, port: number): SocketAddress {
  return { family: SOCKET.AF_INET, host, port };
}

/** `4`, or `EAGAIN`. */
export function told(outcome: Outcome | undefined): number | string {
  if (outcome === undefined) return 'waits';
  return outcome.result < 0 ? errnoName(outcome.errno) : outcome.result;
}

/** A world with one peer in it, played by hand: numbers relative to the initial ones. */
export class Script {
  readonly world: ScriptedWorld;
  localIss = 0;
  localPort = LOCAL_PORT;
  remotePort = REMOTE_PORT;
  /** Of the peer's stream, and what it expects next. */
  nxt = 0;
  rcvNxt = 0;

  constructor(
    readonly t: Test,
    options: ScriptedWorldOptions = {},
  ) {
    this.world = new ScriptedWorld(options);
  }

  get calls(): ScriptedWorld['calls'] {
    return this.world.calls;
  }

  /** The call succeeds, and comes to this. */
  ok(outcome: Outcome | undefined, result = 0): Outcome {
    this.t.equal(told(outcome), result);
    return outcome as Outcome;
  }
  fails(outcome: Outcome | undefined, errno: string): void {
    this.t.equal(told(outcome), errno);
  }
  done(call: PendingCall, result = 0): Outcome {
    return this.ok(call.outcome, result);
  }

  inject(spec: {
    flags: string;
    seq?: number;
    ack?: number;
    win?: number;
    data?: Uint8Array;
    options?: SegmentOptions;
  }): void {
    const { net } = this.world.stack;
    const direction: Direction = {
      source: net.parseAddress(REMOTE),
      destination: net.parseAddress(LOCAL),
      sourcePort: this.remotePort,
      destinationPort: this.localPort,
      seqBase: REMOTE_ISS,
      ackBase: this.localIss,
    };
    const data = spec.data ?? new Uint8Array(0);
    const seq = spec.seq ?? this.nxt;
    const room = new Uint8Array(data.length + 120);
    const size = writeSegment(
      new DataView(room.buffer),
      0,
      {
        flags: spec.flags,
        seq,
        ack: spec.ack ?? this.rcvNxt,
        win: spec.win ?? 65_535,
        data,
        ...(spec.options === undefined ? {} : { options: spec.options }),
      },
      direction,
    );
    const length = data.length + (/[SF]/.test(spec.flags) ? 1 : 0);
    this.nxt = Math.max(this.nxt, seq + length);
    this.world.deliver(room.subarray(0, size));
  }

  /** The next segment the stack sent. */
  sent(): Segment {
    const sent = this.world.takeSent();
    if (sent === undefined) throw new Error('the stack has sent nothing');
    const view = new DataView(sent.datagram.buffer);
    // The stack's ports and its initial sequence number are learnt from its SYN.
    const tcpAt = (view.getUint8(0) & 0xf) * 4;
    if ((view.getUint8(tcpAt + 13) & 2) !== 0) {
      this.localPort = view.getUint16(tcpAt);
      this.localIss = view.getInt32(tcpAt + 4);
    }
    const { net } = this.world.stack;
    const way: Direction = {
      source: net.parseAddress(LOCAL),
      destination: net.parseAddress(REMOTE),
      sourcePort: this.localPort,
      destinationPort: this.remotePort,
      seqBase: this.localIss,
      ackBase: REMOTE_ISS,
    };
    const segment = readSegment(view, 0, sent.datagram.length, way, sent.timeUs);
    this.rcvNxt = Math.max(this.rcvNxt, segment.seq + segment.length + (/[SF]/.test(segment.flags) ? 1 : 0));
    return segment;
  }
  silent(): void {
    this.t.equal(this.world.takeSent(), undefined, 'nothing was sent');
  }

  /** socket, bind, listen: the listener's descriptor. */
  listen(backlog = 5): number {
    const fd = this.ok(this.calls.socket(SOCKET.AF_INET, SOCKET.SOCK_STREAM, SOCKET.IPPROTO_TCP), 3).result;
    this.ok(this.calls.bind(fd, inet('0.0.0.0', LOCAL_PORT)));
    this.ok(this.calls.listen(fd, backlog));
    return fd;
  }

  /** The three segments of a peer's open. */
  handshake(options: SegmentOptions = { mss: 1000 }): void {
    this.nxt = 0;
    this.inject({ flags: 'S', options });
    this.sent();
    this.inject({ flags: '.' });
  }

  /** An accepted connection, descriptor 4. */
  accepted(options: SegmentOptions = { mss: 1000 }): number {
    const listener = this.listen();
    this.handshake(options);
    return this.done(this.calls.accept(listener), 4).result;
  }
}
