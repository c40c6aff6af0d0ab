/** Words of the cold row that are sets of bits (tcb.ts): what AccECN has agreed (RFC 9768), what acknowledging knows (RFC 9293 §3.8.6.3). */

/** Bits of Cold.ACC_ECN. */
export const enum AccEcn {
  ON = 1 << 0,
  /** Our SYN has asked, and nothing has come back yet. */
  ASKED = 1 << 1,
  /** The handshake went without AE, CWR and ECE once: nothing of ours is ECN-capable (RFC 9768 §3.1.5). */
  ACE_WITHHELD = 1 << 2,
  /**
   * The path changes the IP field, the feedback contradicts itself, or a SYN came without the three bits: nothing of
   * ours is ECN-capable.
   */
  ACE_DISTRUSTED = 1 << 3,
  /** ACKs with the option seem not to arrive (§3.2.3.2.2). */
  OPTION_BARRED = 1 << 4,
  /** The peer's option came changed, or too late. */
  OPTION_DISTRUSTED = 1 << 5,
  /** The peer's option has come at all, and with counters. */
  OPTION_SEEN = 1 << 6,
  COUNTERS_SEEN = 1 << 7,
  /** The IP field has changed: the next text is acknowledged at once. */
  ACK_TEXT = 1 << 8,
  /** The next pure ACK tells the field of the SYN-ACK. */
  REFLECT = 1 << 9,
  /** The last option went with a D-SACK. */
  DUPLICATE_TOLD = 1 << 10,
  /** A SYN-ACK came with CE. R_CEP counts that once, however often it comes (§3.2.2.2). */
  SYN_ACK_MARKED = 1 << 11,
  /** Two bits: the IP field of the peer's SYN or SYN-ACK. */
  SYN_FIELD_SHIFT = 12,
  /** Two bits: the least number of counters that the next option must have. */
  OPTION_FIELDS_SHIFT = 14,
  /** The third ACK had an ACE of zero: the peer's marks are not answered (§3.2.2.1, note 1). */
  ACE_IGNORED = 1 << 16,
  /** Our first data was sent again: no option until something of ours has arrived (§3.2.3.2.2). */
  OPTION_HELD = 1 << 17,
  /** The peer's SYN came twice: our SYN-ACK may be lost for its option (§3.2.3.2.2). */
  SYN_AGAIN = 1 << 18,
  /** The next ACK only reports marks of ACKs: it has no SACK blocks (§3.2.2.5.1). */
  MARKS_ONLY = 1 << 19,
}

/**
 * Parts of Cold.ACC_COVERAGE: what can have been marked since an option last showed the bytes with CE
 * (acc-ecn-feedback.ts).
 */
export const enum AccCoverage {
  /** Four bits each, at most 15: packets delivered; pure ACKs sent; pure ACKs sent in the interval before. */
  PACKETS_SHIFT = 0,
  ACKS_SHIFT = 4,
  ACKS_BEFORE_SHIFT = 8,
  MASK = 0xf,
  /** ACE has moved. */
  MOVED = 1 << 12,
  /** Sixteen bits: how many packets an ACK delivers on average, in 1/64. */
  AVERAGE_SHIFT = 16,
}

/** Bits of Cold.ACK_BITS. */
export const enum AckBit {
  /** Since the last ACK the end of a write, or a segment less than full, has come; and a second one. */
  PUSHED = 1,
  PUSHED_TWICE = 2,
  /** A segment found no room: the window is told as zero. */
  NO_ROOM = 4,
  /** RCV_RTT_SEQ holds. */
  MEASURING = 8,
  /** The window has shrunk: Extra.RCV_EDGE is beyond its edge. */
  SHRUNK = 16,
}
