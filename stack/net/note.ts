/**
 * What the stack thought about a frame, for the trace. When tracing is on the slab has a row of these for each slot
 * (`slab.notes`); when it is off there is none, and the only cost is the test for it.
 */
export const enum Note {
  /** NoteKind. */
  KIND = 0,
  /** Received: the Verdict. Sent: the Cause. */
  REASON = 1,
  /** Row of the connection, or -1. */
  ROW = 2,
  STATE_BEFORE = 3,
  STATE_AFTER = 4,
  SND_UNA = 5,
  SND_NXT = 6,
  SND_WND = 7,
  RCV_NXT = 8,
  RCV_WND = 9,
  CWND = 10,
  SSTHRESH = 11,
  /** Bytes sent and not yet acknowledged. */
  FLIGHT = 12,
  SRTT_US = 13,
  RTO_MS = 14,
  /** Initial sequence numbers, so that relative ones can be printed. */
  ISS = 15,
  IRS = 16,
  /** Received for TCP: by how much it moved SND.UNA and RCV.NXT. */
  ACKED = 17,
  ADVANCED = 18,
  SIZE = 20,
}

export const enum NoteKind {
  NONE = 0,
  /** Received, no connection concerned: ARP, ICMP, UDP, a segment for nobody. */
  RECEIVED = 1,
  /** Received for a TCP connection: the variables are filled in. */
  RECEIVED_TCP = 2,
  SENT = 3,
  SENT_TCP = 4,
}

/** Why a frame was sent. */
export const enum Cause {
  NONE = 0,
  // Below TCP
  ARP_REQUEST = 1,
  ARP_REPLY = 2,
  ARP_ANNOUNCE = 3,
  ICMP_ECHO_REPLY = 4,
  ICMP_ECHO_REQUEST = 5,
  ICMP_ERROR = 6,
  UDP_DATA = 7,
  // TCP
  SYN = 16,
  SYN_ACK = 17,
  DATA = 18,
  FIN = 19,
  ACK_NOW = 20,
  ACK_DELAYED = 21,
  ACK_DUPLICATE = 22,
  WINDOW_UPDATE = 23,
  RETRANSMIT_TIMEOUT = 24,
  RETRANSMIT_FAST = 25,
  RETRANSMIT_PARTIAL_ACK = 26,
  RETRANSMIT_PATH_MTU = 27,
  LIMITED_TRANSMIT = 28,
  ZERO_WINDOW_PROBE = 29,
  KEEPALIVE = 30,
  CHALLENGE_ACK = 31,
  TIME_WAIT_ACK = 32,
  RST_NO_CONNECTION = 33,
  RST_UNACCEPTABLE_ACK = 34,
  RST_ABORT = 35,
  RST_UNREAD_DATA = 36,
  RST_DATA_AFTER_CLOSE = 37,
  RST_TIMEOUT = 38,
  RST_LISTENER_CLOSED = 39,
  URGENT = 40,
  /** A tail loss probe: new data, or the last segment again. */
  LOSS_PROBE = 41,
  RETRANSMIT_PROBE = 42,
  /** A SYN of RFC 3168 and one of RFC 9768 in one handshake. */
  RST_ECN_MIXED = 43,
  COUNT = 48,
}
