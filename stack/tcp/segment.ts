import type { InboundPacket } from '../net/transport.js';

/**
 * The segment at hand: SEG.SEQ, SEG.ACK, … of RFC 9293 §3.3.1. One record for the whole stack, filled once for each segment that
 * arrives and read by everything that judges it. It never escapes the call.
 */
export class Segment {
  SEQ = 0;
  ACK = 0;
  /** Length in sequence space: payload, and one each for SYN and FIN. */
  LEN = 0;
  /** The window field as it stands in the header; scaled by whoever knows the shift. */
  WND = 0;
  UP = 0;
  flags = 0;
  /** Offset and length of the payload; both move when the segment is trimmed to the window. */
  textAt = 0;
  textLength = 0;
  /** Header and text as they came, whatever is trimmed: what the segment costs to hold. */
  bytesInAll = 0;
  TSval = 0;
  TSecr = 0;
  hasTimestamps = false;
  /** It moved TS.Recent forward: it is newer than what came before. */
  newer = false;
  bytes: Uint8Array = new Uint8Array(0);
  view: DataView = new DataView(new ArrayBuffer(0));
  /** Addresses and ports, ours first. */
  local = 0;
  remote = 0;
  ports = 0;
  /** The datagram it came in; as the rest of it, of this call only. */
  packet: InboundPacket | undefined = undefined;
  tos = 0;
  ttl = 0;
}
