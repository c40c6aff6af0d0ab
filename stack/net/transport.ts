import type { Address } from '../base/units.js';
import type { Verdict } from '../wire/verdict.js';

/** What a transport offers to the network layer below it. TCP and UDP register one each, by protocol number. */
export interface Transport {
  /**
   * A whole datagram's payload has come for one of our addresses (or for broadcast, where `broadcast` says so).
   * `at` and `length` bound it in the slab's bytes (or in the reassembly buffer's: hence `bytes` and `view`).
   */
  input(packet: InboundPacket): Verdict;
  /** An ICMP error quotes a datagram of ours. `at` points to the quoted transport header, of which 8 bytes are sure. */
  error(report: ErrorReport): Verdict;
}

/** How a transport wants its datagram sent. Bits. */
export const enum OutputFlag {
  NONE = 0,
  /** Never fragment, neither here nor on the way: what path MTU discovery needs (RFC 1191 §3). */
  DONT_FRAGMENT = 1,
  /** The program may send to broadcast addresses; without it they are refused (POSIX EACCES). */
  BROADCAST = 2,
  /**
   * An answer of the stack's own to somebody who need not be a peer, and may have forged his address: it waits behind what connections send, is dropped
   * before it, and is not worth more than a few address resolutions a second.
   */
  ANSWER = 4,
}

/** The one record of the datagram at hand: filled by ip-input, read by the transport during the call, never kept. */
export interface InboundPacket {
  bytes: Uint8Array;
  view: DataView;
  /** Offset of the transport header. */
  at: number;
  /** Bytes from there, padding of the link already cut off. */
  length: number;
  source: Address;
  destination: Address;
  /** Sent to a broadcast or multicast address, on the link or in IP. */
  broadcast: boolean;
  /** Type of service octet: DSCP and ECN. */
  tos: number;
  ttl: number;
  /** Index of the interface it came by. */
  iface: number;
  /** Offset of the IP header, for ICMP errors that quote it. */
  ipAt: number;
  /** The slot it lies in, for the trace's note; -1 for a reassembled datagram. */
  slot: number;
}

export const enum PathError {
  /** ICMP type 3 codes 0, 5, 6, 7, 8, 11, 12; RFC 1122 §4.2.3.9: soft. */
  UNREACHABLE_NET = 0,
  UNREACHABLE_HOST = 1,
  /** Code 2: hard. */
  UNREACHABLE_PROTOCOL = 2,
  /** Code 3: hard. */
  UNREACHABLE_PORT = 3,
  /** Code 4: `mtu` is set (RFC 1191 §3, estimated from the plateau table when the router did not say). */
  TOO_BIG = 4,
  /** Codes 9, 10, 13. */
  PROHIBITED = 5,
  TIME_EXCEEDED = 6,
  PARAMETER_PROBLEM = 7,
  /** The neighbour did not answer. */
  HOST_DOWN = 8,
}

export interface ErrorReport {
  view: DataView;
  /** Offset of the quoted transport header. */
  at: number;
  /** Bytes of it that were quoted. */
  length: number;
  /** As quoted: source is ours. */
  source: Address;
  destination: Address;
  error: PathError;
  /** ICMP's code, where type 3 has told. */
  code: number;
  mtu: number;
  /** Whoever sent the error. */
  reporter: Address;
}
