import type { Address } from '../base/units.js';
import { Cause } from '../net/note.js';
import { OutputFlag } from '../net/transport.js';
import { emitTcp, finishTcpChecksum, Tcp, TcpFlag } from '../wire/tcp.js';
import { emitTimestampsPadded } from '../wire/tcp-options.js';
import { localPort, remotePort } from './connection-table.js';
import type { TcpContext } from './context.js';
import { DEFAULT_TTL, PROTOCOL_TCP } from './emit.js';
import { State } from './state.js';
import { emitSynOptions, type SynOffer } from './syn-options.js';
import { noteSentAlone } from './trace-note.js';

/** Segment path. Segments that do not come from a full row: SYN, SYN-ACK, RST, and the answers of TIME-WAIT and SYN-RECEIVED. */

/** Sends SYN or SYN-ACK, its options in the order of the stack's profile. False when no frame is free. */
export function sendSyn(
  tcp: TcpContext,
  local: number,
  remote: number,
  ports: number,
  seq: number,
  ack: number,
  flags: number,
  window: number,
  offer: SynOffer,
  cause: Cause,
  state: State,
  kind: OutputFlag = OutputFlag.NONE,
): boolean {
  const { net } = tcp;
  if (kind !== OutputFlag.ANSWER && net.roomTo(remote as Address) <= 0) return false;
  const at = net.takeSegment();
  if (at < 0) return false;
  const { bytes, view } = net.slab;
  const headerBytes = emitSynOptions(view, at, offer, tcp.profile.synLayout) - at;
  emitTcp(view, at, localPort(ports), remotePort(ports), seq, ack, headerBytes, flags, window, 0);
  if (offer.textLength > 0) tcp.arena.copyOut(offer.textQueue, 0, bytes, at + headerBytes, offer.textLength);
  noteSentAlone(tcp, at, cause, state);
  handOver(tcp, at, headerBytes + offer.textLength, local, remote, offer.tos, offer.ttl || DEFAULT_TTL, kind);
  return true;
}

/** A segment of 20 bytes, or 32 with timestamps. */
export function sendBare(
  tcp: TcpContext,
  local: number,
  remote: number,
  ports: number,
  seq: number,
  ack: number,
  flags: number,
  window: number,
  timestamps: boolean,
  tsVal: number,
  tsEcr: number,
  cause: Cause,
  state: State,
  tos = 0,
  kind: OutputFlag = OutputFlag.NONE,
): boolean {
  const { net } = tcp;
  // Answers have a queue of their own.
  if (kind !== OutputFlag.ANSWER && net.roomTo(remote as Address) <= 0) return false;
  const at = net.takeSegment();
  if (at < 0) return false;
  const { view } = net.slab;
  const end = timestamps ? emitTimestampsPadded(view, at + Tcp.OPTIONS, tsVal, tsEcr) : at + Tcp.OPTIONS;
  emitTcp(view, at, localPort(ports), remotePort(ports), seq, ack, end - at, flags, window, 0);
  if ((flags & TcpFlag.RST) !== 0) net.stats.tcpOutRsts += 1;
  noteSentAlone(tcp, at, cause, state);
  handOver(tcp, at, end - at, local, remote, tos, DEFAULT_TTL, kind);
  return true;
}

function handOver(
  tcp: TcpContext,
  at: number,
  length: number,
  local: number,
  remote: number,
  tos: number,
  ttl: number,
  kind: OutputFlag,
): void {
  const { net } = tcp;
  net.stats.tcpOutSegs += 1;
  const source = local as Address;
  const destination = remote as Address;
  finishTcpChecksum(net.slab.view, at, length, net.pseudoHeaderSum(source, destination, PROTOCOL_TCP, length));
  net.output(at, length, PROTOCOL_TCP, source, destination, tos, ttl, OutputFlag.DONT_FRAGMENT | kind);
}

/**
 * RST in answer to the segment at hand, RFC 9293 §3.5.2 group 1: with the sequence number the peer asks for if it acknowledges
 * something, else zero and an acknowledgment of all it sent. Never in answer to a RST. Before a connection is established whoever sent the
 * segment is a stranger: there is a limit to such RSTs, and they wait behind what connections send.
 */
export function refuseSegment(tcp: TcpContext, cause: Cause, state: State): void {
  const { seg } = tcp;
  if ((seg.flags & TcpFlag.RST) !== 0) return;
  const isPeer = state >= State.ESTABLISHED;
  if (!isPeer && !tcp.net.answers.mayReset()) return;
  const acks = (seg.flags & TcpFlag.ACK) !== 0;
  sendBare(
    tcp,
    seg.local,
    seg.remote,
    seg.ports,
    acks ? seg.ACK : 0,
    acks ? 0 : (seg.SEQ + seg.LEN) | 0,
    acks ? TcpFlag.RST : TcpFlag.RST | TcpFlag.ACK,
    0,
    false,
    0,
    0,
    cause,
    state,
    0,
    isPeer ? OutputFlag.NONE : OutputFlag.ANSWER,
  );
}
