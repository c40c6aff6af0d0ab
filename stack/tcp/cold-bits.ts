/** Words of the cold row that are sets of bits (tcb.ts): what AccECN has agreed (RFC 9768), what acknowledging knows (RFC 9293 §3.8.6.3). */

/** Bits of Cold.ACC_ECN. */
export const enum AccEcn {
  ON = 1 << 0,
  /** Our SYN has asked, and nothing has come back yet. */
  ASKED = 1 << 1,
  /** The handshake went without AE, CWR and ECE once: nothing of ours is ECN-capable (RFC 9768 §3.1.5). */
  ACE_WITHHELD = 1 << 2,
  /** Somebody on the path changes ACE, or the IP field: nothing of ours is ECN-capable, and marks are not answered (§3.2.2). */
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
  /** Two bits: the IP field of the peer's SYN or SYN-ACK. */
  SYN_FIELD_SHIFT = 12,
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
}
