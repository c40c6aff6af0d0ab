import { assert } from '../base/assert.js';
import { StackError } from '../base/errors.js';
import { RowPool } from '../memory/row-pool.js';
import type { InboundPacket } from '../net/transport.js';
import { Ethernet, EtherType } from '../wire/ethernet.js';
import { Vlan } from '../wire/vlan.js';
import type { TcpContext } from './context.js';
import type { Listener } from './listener-table.js';
import { Tcb } from './tcb.js';

/**
 * Segment path. The headers of SYNs, for listeners whose programs ask what clients begin with (Linux's TCP_SAVE_SYN): the
 * IP and the TCP header as they came (RFC 9293 §3.1), and with 2 the MAC header before them. They are found by the row
 * of the half-open connection, and then by that of the connection it becomes. A program that reads it frees it, and so does the end of either.
 */

/** What a listener asks for. */
export const enum SaveSyn {
  NO = 0,
  HEADERS = 1,
  MAC_TOO = 2,
}

/** Two headers of 60 bytes with all options, and one of Ethernet. */
const SLOT_BYTES = 136;

export class SavedSyns {
  readonly #bytes: Uint8Array;
  readonly #lengths: Uint8Array;
  /** By row of a connection, and of a half-open one: its slot plus 1. Not touched as long as nobody asks. */
  readonly #slotOf: Uint16Array;
  readonly #slotOfHalfOpen: Uint16Array;
  readonly #pool: RowPool;

  constructor(max: number, connectionsMax: number, halfOpenMax: number) {
    assert(max <= 0xffff, 'savedSynsMax is at most 65,535');
    this.#bytes = new Uint8Array(max * SLOT_BYTES);
    this.#lengths = new Uint8Array(max);
    this.#slotOf = new Uint16Array(connectionsMax);
    this.#slotOfHalfOpen = new Uint16Array(halfOpenMax);
    this.#pool = new RowPool(max);
  }

  get count(): number {
    return this.#pool.used;
  }
  get highWater(): number {
    return this.#pool.highWater;
  }

  /** The slot plus 1, or 0 when all are taken. `from` to `to` are the IP and the TCP header; `link`: of Ethernet's before them, its offset, or -1. */
  save(bytes: Uint8Array, link: number, from: number, to: number): number {
    const slot = this.#pool.take();
    if (slot < 0) return 0;
    let at = slot * SLOT_BYTES;
    if (link >= 0) {
      // Without a tag of a VLAN, as Linux has it.
      for (let i = 0; i < Ethernet.TYPE; i++) this.#bytes[at++] = bytes[link + i];
      this.#bytes[at++] = EtherType.IPV4 >>> 8;
      this.#bytes[at++] = EtherType.IPV4 & 0xff;
    }
    for (let i = from; i < to; i++) this.#bytes[at++] = bytes[i];
    this.#lengths[slot] = at - slot * SLOT_BYTES;
    return slot + 1;
  }

  /** A half-open connection has it. */
  await(row: number, saved: number): void {
    this.#slotOfHalfOpen[row] = saved;
  }
  /** A connection has it from now on; 0: there is none. */
  assign(saved: number, row: number): void {
    this.#slotOf[row] = saved;
  }
  /** A half-open one has become a connection. */
  promote(halfOpen: number, row: number): void {
    this.assign(this.#slotOfHalfOpen[halfOpen], row);
    this.#slotOfHalfOpen[halfOpen] = 0;
  }
  /** The half-open row is free again. */
  giveUp(row: number): void {
    const saved = this.#slotOfHalfOpen[row];
    this.#slotOfHalfOpen[row] = 0;
    if (saved !== 0) this.#pool.give(saved - 1);
  }

  /** The row is given back. */
  release(row: number): void {
    if (this.#slotOf[row] === 0) return;
    this.#pool.give(this.#slotOf[row] - 1);
    this.#slotOf[row] = 0;
  }

  /** Control path. What is kept for the connection in `row`; empty: nothing, or it has been read. */
  read(row: number): Uint8Array {
    const slot = this.#slotOf[row] - 1;
    if (slot < 0) return new Uint8Array(0);
    return this.#bytes.slice(slot * SLOT_BYTES, slot * SLOT_BYTES + this.#lengths[slot]);
  }
}

export function savesSyns(listener: Listener): boolean {
  return modeOf(listener) !== SaveSyn.NO;
}

function modeOf(listener: Listener): SaveSyn {
  return listener.defaults.options?.get('saveSyn') ?? SaveSyn.NO;
}

/** The headers of the SYN at hand: the number of their slot plus 1, 0 when all are taken. */
export function saveSyn(tcp: TcpContext, listener: Listener): number {
  const { seg, savedSyns, net } = tcp;
  const packet = seg.packet as InboundPacket;
  const iface = net.interfaces[packet.iface];
  // What was put together of fragments, or came by no wire, has no frame of its own.
  const framed =
    modeOf(listener) === SaveSyn.MAC_TOO && packet.slot >= 0 && iface !== undefined && iface.linkHeaderBytes > 0;
  const link = framed ? macHeaderAt(seg.bytes, packet.ipAt, iface.mac) : -1;
  const saved = savedSyns.save(seg.bytes, link, packet.ipAt, seg.textAt);
  if (saved === 0) net.stats.tcpSavedSynsRefused += 1;
  return saved;
}

/** Our own address begins the frame: 14 bytes before the IP header, or 18 with a tag of a VLAN, of which one may be for its priority only. */
function macHeaderAt(bytes: Uint8Array, ipAt: number, mac: Uint8Array): number {
  const at = ipAt - Ethernet.HEADER_BYTES;
  for (let i = 0; i < mac.length; i++) if (bytes[at + i] !== mac[i]) return at - Vlan.HEADER_BYTES;
  return at;
}

/** TCP_SAVED_SYN: once, and empty afterwards. Throws EINVAL, and keeps it, where it is longer than `most`. Control path. */
export function takeSavedSyn(tcp: TcpContext, c: number, most: number): Uint8Array {
  const row = c >>> Tcb.SHIFT;
  const headers = tcp.savedSyns.read(row);
  if (headers.length > most) throw new StackError('EINVAL', `the headers of the SYN are ${headers.length} bytes long`);
  tcp.savedSyns.release(row);
  return headers;
}
