/**
 * Where systems and their versions answer the same segment or call differently: a bit for each difference. A stack
 * keeps the bits of its profile in `TcpContext.behaviour`; each is tested on a branch that few segments take.
 */
export const enum Behaviour {
  /** An ACK of what was never sent gets a challenge ACK in ESTABLISHED, too (RFC 9293 §3.10.7.4, RFC 5961 §5.2). */
  ACK_UNSENT = 1 << 0,
  /** A segment that ends beyond the window is taken only if the program has read everything. */
  REFUSE_BEYOND = 1 << 1,
  /** A RST in SYN-RECEIVED must have exactly RCV.NXT; another one in the window is challenged (RFC 5961 §3.2). */
  CHALLENGE_HALF_OPEN = 1 << 2,
  /** The ACK of a SYN-ACK must echo a timestamp that some SYN-ACK had. */
  CHECK_ECHO = 1 << 3,
  /** An ACK without data from before RCV.NXT with an old timestamp is not answered. */
  IGNORE_OLD_ACK = 1 << 4,
  /** TS.Recent follows a segment whose ACK is old, too (RFC 7323 §4.3 does not ask for the ACK). */
  RECENT_DESPITE_OLD_ACK = 1 << 5,
  /** A delay of ACKs that grows ends at `delayedAckMaxMs`, and not only at the RTO. */
  DELAY_CAPPED = 1 << 6,
  /** The receive buffer is tuned as Linux 7 does: receive-space.ts. */
  TUNES_AS_7 = 1 << 7,
  /** A RST after the peer's FIN is EPIPE to the program: its reader has gone. Off: ECONNRESET as ever. */
  RESET_IS_PIPE = 1 << 8,
  /** ACKs are delayed as in FreeBSD: one timer of a fixed time, none while it runs, and none for a FIN. */
  BSD_ACKS = 1 << 9,
  /** Once the handshake has said how large segments are, the receive buffer is a whole number of them. */
  WHOLE_SEGMENTS = 1 << 10,
  /** Where the window has shrunk, what ends before the largest edge ever offered is acceptable (RFC 7323 §2.4). */
  KEEPS_EDGE = 1 << 11,
}
