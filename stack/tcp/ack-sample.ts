/** What the acknowledgment at hand has shown so far. RFC 5681 §2 calls an ACK a duplicate by what it does not show. */
export const enum AckFlag {
  /** The segment carries data or FIN. */
  DATA = 1 << 0,
  /** It tells the window anew. */
  WINDOW_UPDATE = 1 << 1,
  /** It acknowledges segments cumulatively. */
  DATA_ACKED = 1 << 2,
  /** Among those were some that had been sent twice. */
  RETRANS_ACKED = 1 << 3,
  /** It SACKs something new. */
  DATA_SACKED = 1 << 4,
  /** ECN-Echo, RFC 3168 §6.1.2, or a count of AccECN's that has moved (RFC 9768). */
  ECE = 1 << 5,
  /** A retransmission was found to be lost in its turn. */
  LOST_RETRANS = 1 << 6,
  SND_UNA_ADVANCED = 1 << 7,
  /** It reports a duplicate, RFC 2883. */
  DSACK = 1 << 8,
  /** … of a tail loss probe. */
  DSACK_TLP = 1 << 9,
  /** The retransmission timer is to be set anew. */
  SET_TIMER = 1 << 10,
  /** What is now first had been SACKed, and still it was not acknowledged. */
  RENEGING = 1 << 11,
  /** Something sent once only, before recovery began, has arrived: F-RTO's question (RFC 5682 §3.1). */
  ORIGINAL_ARRIVED = 1 << 12,
  /** A lone segment acknowledged alone: the peer may have waited with it. */
  MAYBE_DELAYED = 1 << 13,
  NOT_DUPLICATE = DATA | WINDOW_UPDATE | DATA_ACKED,
  ALERT = DATA_SACKED | ECE | DSACK,
  FORWARD_PROGRESS = DATA_ACKED | DATA_SACKED,
}

/** Of one acknowledgment: filled and read while it is processed, one record for all. */
export class AckSample {
  flags = 0;
  /** Before it came: SND.UNA, packets outstanding, the end of the highest SACKed segment, packets delivered. */
  priorUna = 0;
  priorPackets = 0;
  priorSackedOut = 0;
  priorHighestSack = 0;
  priorDelivered = 0;
  /** When the first and the last of the newly SACKed, once sent segments had left; `sackTimed`: there were any. */
  sackTimed = false;
  firstSackedAtUs = 0;
  lastSackedAtUs = 0;
  /** The lowest sequence number that arrived after later ones. */
  reorderedFrom = 0;
  /** µs, for congestion control; -1: none. */
  rttUs = -1;
  /** Bytes newly delivered, by records; packets that it newly reports as marked by ECN. */
  bytes = 0;
  marks = 0;
  /** Packets newly delivered, and newly taken for lost; the latter is counted as it happens. */
  delivered = 0;
  lost = 0;
  /** The delivery-rate sample: of the segment sent last among those that arrived (delivery-rate.ts). */
  rated = false;
  rateDelivered = 0;
  rateDeliveredAtUs = 0;
  rateSendUs = 0;
  rateEnd = 0;
  rateAppLimited = false;
  /** The valid blocks in ascending order: left, right. */
  readonly blocks = new Int32Array(8);
  blockCount = 0;
}
