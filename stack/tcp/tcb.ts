/**
 * The transmission control block, RFC 9293 §3.3.1: every variable of a connection, and where it lives.
 *
 * By temperature. The hot row is one cache line and is all an idle connection has besides its name. The cold row comes from a
 * pool while something is going on (unacknowledged bytes, a pending ACK, a gap, a timer) and goes back when nothing has
 * for a while. The tally row only counts; it is optional and never read by the protocol.
 *
 * A row is named by the offset of its first int: `hot[c + Tcb.SND_UNA]`, `cold[k + Cold.HIGH_SEQ]`.
 */

/** The hot row: 16 int32, 64 bytes. */
export const enum Tcb {
  /** State in the low four bits, Flag above. */
  STATE = 0,
  /** Oldest unacknowledged sequence number. */
  SND_UNA = 1,
  /** Next sequence number to be sent for the first time; retransmission does not take it back. */
  SND_NXT = 2,
  /** The peer's window in bytes, scale applied. */
  SND_WND = 3,
  /** Next sequence number expected. */
  RCV_NXT = 4,
  /** What is left of the window last advertised: RCV.NXT + RCV.WND never moves left (§3.8.6.2.2). */
  RCV_WND = 5,
  /** Smoothed round-trip time in 1/8 µs, RFC 6298 §2. Zero: not measured yet. */
  SRTT = 6,
  /** Its mean deviation in 1/4 µs. */
  RTTVAR = 7,
  /** Congestion window in bytes, RFC 5681 §2. */
  CWND = 8,
  /** Slow-start threshold in bytes. */
  SSTHRESH = 9,
  /** When a segment last came or new data last went, in ms: keepalive, restart after idle, age of TS.Recent. */
  LAST_ACTIVITY = 10,
  /**
   * Largest payload to send with no options, bits 0–15 (EFFECTIVE: see options.ts); Snd.Wind.Shift 16–19;
   * Rcv.Wind.Shift 20–23. While asleep: ACKs still to be sent at once 24–28, whether any data has ever come, 29
   * (ack-memory.ts), and whether the tally holds words of the cold row, 30 (sleep.ts).
   */
  MSS_AND_SHIFTS = 11,
  /** Bytes from SND.UNA on: sent and unacknowledged, then unsent. A queue of the arena. */
  SND_QUEUE = 12,
  /** Bytes before RCV.NXT that the program has not read. */
  RCV_QUEUE = 13,
  /** The cold row's offset in `cold`; zero when there is none. */
  COLD = 14,
  /** TS.Recent, RFC 7323 §4.3. */
  TS_RECENT = 15,

  SIZE = 16,
  SHIFT = 4,
}

/** Bits of Tcb.STATE above the state. */
export const enum Flag {
  STATE_MASK = 0xf,
  /** Timestamps were negotiated, RFC 7323 §3.2. */
  TIMESTAMPS = 1 << 4,
  /** SACK was permitted by both, RFC 2018 §2. */
  SACK = 1 << 5,
  /** Came from LISTEN: a RST in SYN-RECEIVED is then silent (§3.10.7.4). */
  PASSIVE = 1 << 6,
  /** The program wants no Nagle algorithm. */
  NODELAY = 1 << 7,
  /** The program wants partial segments held back (TCP_CORK). */
  CORK = 1 << 8,
  KEEPALIVE = 1 << 9,
  /** CLOSE was called: a FIN follows the queue. */
  FIN_QUEUED = 1 << 10,
  /** Our FIN has been sent at least once; it occupies SND.NXT - 1. */
  FIN_SENT = 1 << 11,
  /** The peer's FIN has been taken into RCV.NXT. */
  FIN_RECEIVED = 1 << 12,
  /** The program has given up the id; what is left is the stack's. */
  ORPHAN = 1 << 13,
  /** In the list of connections that output must look at. */
  MARKED = 1 << 14,
  /** An ACK must go out with the next flush. */
  ACK_NOW = 1 << 15,
  /** Something was received that an ACK is owed for, sooner or later. */
  ACK_PENDING = 1 << 16,
  /** The program read: output considers a window update. */
  WINDOW_CHECK = 1 << 17,
  /** A `send` came up short: WRITABLE is owed. */
  WRITE_BLOCKED = 1 << 18,
  /** Of one that has ended: TS_RECENT holds what was in Cold.FAST_OPEN. */
  FAST_OPEN_KEPT = 1 << 19,
  /** Came from LISTEN, and no program has it yet. */
  UNACCEPTED = 1 << 20,
  /** SND.UP is ahead of SND.UNA. */
  SND_URGENT = 1 << 21,
  /** RCV.UP is ahead of what the program has read. */
  RCV_URGENT = 1 << 22,
  /** Urgent data stays in line (SO_OOBINLINE). */
  URGENT_INLINE = 1 << 23,
  /** Options differ from the defaults: the cold row stays. */
  CUSTOM = 1 << 24,
  /** Interactive traffic: data is answered with data, so ACKs wait for it (Linux: "pingpong"). */
  INTERACTIVE = 1 << 25,
  /** Both can do ECN (RFC 3168 §6.1.1); in SYN-SENT: we have asked. */
  ECN = 1 << 26,
  /** Text of the peer's has come ECN-capable. */
  ECN_SEEN = 1 << 27,
  /** Window scaling was negotiated: both shifts count (RFC 7323 §2.2). */
  WINDOW_SCALE = 1 << 28,
  /** Stands in the list of those whose `send` found no memory. */
  STARVED = 1 << 29,
  /** A mark was received and not yet answered with CWR: our segments carry ECE. */
  ECN_ECHO = 1 << 30,
  /** cwnd was reduced: the next new data carries CWR. */
  ECN_REDUCED = 1 << 31,
}

/** The cold row, while something is going on: 192 int32, 768 bytes. What each means, and whether it outlives sleep: cold-fields.ts. */
export const enum Cold {
  /** Segment sequence and acknowledgment number used for the last window update. */
  SND_WL1 = 0,
  SND_WL2 = 1,
  /** Largest window the peer has ever offered: sender's silly-window rule, §3.8.6.2.1. */
  MAX_SND_WND = 2,
  /** Last.ACK.sent, RFC 7323 §4.3. */
  LAST_ACK_SENT = 3,

  // Timers: a bit for each that runs, and their deadlines in ms.
  TIMERS = 4,
  AT_RETRANSMIT = 96,
  AT_DELAYED_ACK = 97,
  AT_PERSIST = 98,
  AT_KEEPALIVE = 99,
  /** The limit on an orphan's FIN-WAIT-2. */
  AT_LINGER = 100,
  /** When a paced segment may leave. */
  AT_PACING = 101,

  /** How often the running retransmission or persist timer has backed off. */
  BACKOFF = 10,
  /** Consecutive retransmissions of the segment at SND.UNA (R1, R2). */
  RETRANSMITS = 11,
  /** When something was first retransmitted without progress since, or a shut window first probed, in ms; 0: no trouble. */
  TROUBLE_SINCE = 12,
  /** Probes of a window or of a silent peer that have not been answered. */
  PROBES_OUT = 13,

  /** The round trip of our SYN is being measured, and when it was sent (µs, int32). */
  RTT_RUNS = 14,
  RTT_AT_US = 16,
  /** SND.NXT when the present round trip of RTTVAR's estimation began. */
  RTT_SEQ = 15,
  /** Smallest round trip of the last five minutes, µs; 0x7fffffff none (min-rtt.ts). */
  MIN_RTT_US = 17,

  /** SND.NXT when the present state of loss recovery began; RFC 6582 §3.2 "recover", RFC 6675 "RecoveryPoint". */
  HIGH_SEQ = 18,
  /** CaState of scoreboard.ts. */
  CA_STATE = 19,
  /** What is outstanding, in order of sequence numbers: transmit-queue.ts. */
  SENT_HEAD = 20,
  SENT_TAIL = 21,
  /** What output is to do before anything new: a Rexmit. */
  REXMIT = 22,
  /** Bytes acknowledged in congestion avoidance that have not yet grown cwnd, RFC 5681 §3.1 (3) by byte counting. */
  CWND_CREDIT = 23,
  /** What the retransmission timer stands for: a Pending. */
  PENDING = 25,
  /** Set while the last flight was limited by cwnd: only then may cwnd grow (RFC 7661's concern, cwnd-validation.ts). */
  CWND_LIMITED = 26,

  /** Receiving out of order: first record on each of the four levels of the list (run-list.ts), how many, the last record. */
  OOO_HEAD = 177,
  OOO_COUNT = 28,
  OOO_TAIL = 30,
  /** A duplicate to report in the next ACK, RFC 2883; equal: none. */
  DSACK_LEFT = 31,
  DSACK_RIGHT = 32,
  /** The peer's FIN came before some data: its sequence number, valid when FIN_WAITING. */
  FIN_SEQ = 33,
  FIN_WAITING = 34,

  /** ACKs still to be sent at once, at the start and after trouble. */
  QUICK_ACKS = 35,
  /** Bytes that still fit behind the last segment of the receive queue, and above them those behind what lies farthest ahead (receive-memory.ts). */
  RCV_TAILROOM = 36,
  /** The delay of a delayed ACK, adapted to the spacing of data, ms; 0 until data has come. */
  ATO_MS = 37,
  /** When data last came, ms. */
  LAST_DATA_AT = 38,
  /** What "full-sized" means to the receiver, as far as segments have shown; and the size of the last that was smaller, header included. */
  RCV_MSS = 39,
  LAST_SEGMENT_BYTES = 189,
  /** Bits of AckBit. */
  ACK_BITS = 169,
  /** SACK compression: ACKs held back, duplicate ACKs sent since RCV.NXT was last COMPRESSED_AT. */
  COMPRESSED_ACKS = 170,
  DUPACKS_SENT = 171,
  COMPRESSED_AT = 172,

  /** Limits on the queues, bytes; they grow by themselves unless the program has set them. */
  RCV_LIMIT = 40,
  SND_LIMIT = 41,
  /** Receive-window auto-tuning: bytes read since TUNE_AT_US, and the most an interval had. */
  TUNE_COPIED = 42,
  TUNE_SPACE = 43,
  TUNE_AT_US = 44,
  /** The receiver's view of the round trip in 1/8 µs; the measurement under way (which RCV.NXT ends it, since when, AckBit.MEASURING); the TSecr used last. */
  RCV_RTT = 45,
  RCV_RTT_SEQ = 173,
  RCV_RTT_AT_US = 174,
  RCV_RTT_TSECR = 175,
  /** What the window may grow to now: Linux's rcv_ssthresh. */
  RCV_SSTHRESH = 65,
  /** Of 256 bytes of the receive buffer, how many are text: the rest is what holding a segment costs besides. */
  RCV_SCALING = 66,
  /** What the bytes not yet read, and those out of order, take of RCV_LIMIT. */
  RCV_MEM = 67,
  OOO_MEM = 176,

  SND_UP = 46,
  RCV_UP = 47,

  /** Options, when Flag.CUSTOM. EXTRA: the row of those that few connections have (extra-rows.ts); 0: none. */
  KEEP_IDLE_MS = 48,
  KEEP_INTERVAL_MS = 49,
  KEEP_COUNT = 50,
  USER_TIMEOUT_MS = 51,
  TOS_AND_TTL = 52,
  MSS_CLAMP = 53,
  /** Bits of Custom, IP_MTU_DISCOVER, IP_MINTTL. */
  CUSTOM = 54,
  LINGER2_MS = 55,
  SYN_RETRIES = 56,
  EXTRA = 57,
  /** The largest window: what the buffer allows, or the program (Custom.WINDOW_CLAMP). */
  WINDOW_CLAMP = 58,

  /** The last soft error reported by ICMP: an index into the error table, told if the connection times out. */
  SOFT_ERROR = 59,
  /** End of the last segment sent that was smaller than full: Nagle's algorithm as Minshall has it. */
  SND_SML = 61,
  /** When a challenge ACK last went out, ms. */
  CHALLENGED_AT = 62,
  /** SACK blocks to tell, most recent first (RFC 2018 §4): how many, and their edges. */
  SACK_COUNT = 64,
  SACK_BLOCKS = 181,
  /** Added to the clock in our timestamps, RFC 7323 §5.4. */
  TS_OFFSET = 68,
  /** The last Cause an ACK was owed for, so that the trace can tell a duplicate ACK from a prompt one. */
  ACK_CAUSE = 69,

  /** What holds the send buffer's bytes back (Busy), and since when: for the tally. */
  BUSY = 70,
  BUSY_SINCE_US = 71,
  /** Packets delivered, modulo 2^32: acknowledged or SACKed. */
  DELIVERED = 72,
  /** Delivery rate (delivery-rate.ts): when the flight that is measured began to be sent; the last sample, its packets, µs, and whether the program was the limit. */
  FIRST_SENT_AT_US = 73,
  RATE_PACKETS = 74,
  RATE_APP_LIMITED = 75,
  /** When recovery from a timeout began, ms. */
  TIMED_OUT_AT = 76,
  /** What is outstanding and may still arrive, in order of sending. */
  OLDEST = 77,
  NEWEST = 78,

  /** The private area of congestion control: sixteen words, see congestion.ts. */
  CC = 80,
  /** Which control it is: a number of the registry; 0: the stack's default. */
  CONGESTION = 5,
  /** When data last went, new or again, ms: restart after idle. */
  LAST_SENT_AT = 6,
  /** Validation of cwnd: SND.NXT when CWND_LIMITED and FLIGHT_MAX were last set, and the most bytes outstanding since. */
  CWND_USAGE_END = 7,
  FLIGHT_MAX = 8,
  /** The most bytes outstanding since CWND_STAMP, and when cwnd was last used up or taken back, ms. */
  CWND_USED = 9,
  CWND_STAMP = 60,
  /** Pacing: bytes a second at the most (unsigned; 0: no limit), when the next segment may leave, µs, and the segments sent, up to ten. */
  MAX_PACING_RATE = 63,
  DEPARTS_AT_US = 79,
  DATA_SEGMENTS = 104,
  /** Segments delivered with ECN's mark, modulo 2^32: RFC 9768's s.cep. */
  DELIVERED_CE = 105,
  /** Segments of the burst that pacing lets out now. */
  PACED_BURST = 106,
  /** The scoreboard's counts (scoreboard.ts), in packets: outstanding, SACKed (or duplicate ACKs), lost, sent again and on their way. */
  PACKETS_OUT = 107,
  SACKED_OUT = 108,
  LOST_OUT = 109,
  RETRANS_OUT = 110,
  /** Whether the last text came marked: DCTCP.CE of RFC 8257 §3.2. */
  CE_STATE = 112,
  /** TCP_DEFER_ACCEPT of a connection we opened: the handshake's last ACK waits for data to go with it. */
  DEFER_ACCEPT = 113,
  /** One past the highest SACKed segment. */
  HIGHEST_SACK = 116,
  /** How far segments overtake one another, in segments, and how often that was seen. */
  REORDERING = 117,
  REORD_SEEN = 118,
  /** Bits of RecoveryBit. */
  RECOVERY_BITS = 119,
  /** Records at which sending again and marking go on, with how many SACKed ones are before the latter; and where the last SACK block ended. */
  RETRANSMIT_HINT = 120,
  LOST_HINT = 121,
  LOST_HINT_COUNT = 122,
  SACK_HINT = 123,
  /** The express lane of the records, and records since the last on it. */
  EXPRESS_HEAD = 124,
  EXPRESS_TAIL = 125,
  EXPRESS_SINCE = 126,
  /** A reduction that may be undone (undo.ts): SND.UNA when it began, retransmissions not yet reported as duplicates (-1: none was sent), cwnd and ssthresh before. */
  UNDO_MARKER = 127,
  UNDO_RETRANS = 128,
  PRIOR_CWND = 129,
  PRIOR_SSTHRESH = 130,
  /** PRR, RFC 9937 §6.1: packets delivered and sent since a reduction began; RecoverFS in packets, 0: no reduction runs. */
  PRR_DELIVERED = 131,
  PRR_OUT = 132,
  RECOVER_FS = 111,
  /** When the first retransmission of this episode was sent, ms. */
  RETRANS_STAMP = 133,
  /** RACK.xmit_ts, RACK.end_seq and RACK.rtt of RFC 8985 §5.2; its reordering window's steps, recoveries they are kept for, and DELIVERED when they changed. */
  RACK_AT_US = 134,
  RACK_END = 135,
  RACK_RTT_US = 136,
  RACK_STEPS = 137,
  RACK_PERSIST = 138,
  RACK_LAST_DELIVERED = 139,
  /** TLP.end_seq, RFC 8985 §7.1. */
  TLP_HIGH_SEQ = 140,
  /** Segments sent again, and duplicates the peer has reported. */
  TOTAL_RETRANS = 141,
  DSACK_DUPS = 142,
  /** The variance term of the RTO and the largest deviation of this round trip, µs (rtt.ts). */
  RTTVAR_US = 143,
  MDEV_MAX_US = 144,
  MIN_RTT_AT = 145,
  MIN_RTT_2_US = 146,
  MIN_RTT_2_AT = 147,
  MIN_RTT_3_US = 148,
  MIN_RTT_3_AT = 149,
  /** When DELIVERED last changed; the length of the last rate sample; DELIVERED at which the program's being the limit is past, or 0. */
  DELIVERED_AT_US = 150,
  RATE_INTERVAL_US = 151,
  APP_LIMITED = 152,
  /** What peer and program allow a segment to be, before path, probing and window (Linux: mss_clamp); a ConnectionError that IP_RECVERR wants told. */
  PEER_MSS = 24,
  NOTICE = 102,
  /** Packets delivered (DELIVERED) when congestion control was last told of it. */
  CC_DELIVERED = 153,
  /** Accurate ECN, RFC 9768 (acc-ecn.ts). Bits of AccEcn; 0: not this mode. */
  ACC_ECN = 154,
  /** Packets received with CE, modulo 2^32, and how many of them no ACK has told yet. */
  R_CEP = 155,
  R_CE_PENDING = 156,
  /** The IP field of the last segment received. */
  R_FIELD = 157,
  /** Bytes of text received, modulo 2^32, for each value of the IP field but zero: r.e1b, r.e0b, r.ceb. */
  R_BYTES = 157,
  R_E1B = 158,
  R_E0B = 159,
  R_CEB = 160,
  /** The field that, by the option, packets of ours have had of late; zero: they differ, or nobody has said. */
  S_FIELD = 161,
  /** The peer's counters as far as we know them: s.e1b, s.e0b, s.ceb. */
  S_BYTES = 161,
  S_E1B = 162,
  S_E0B = 163,
  S_CEB = 164,
  /** Options still to be sent for a reason; what bounds the peer's count, parts of AccCoverage. */
  ACC_OPTION_DEMAND = 165,
  ACC_COVERAGE = 166,
  /** When the last was sent, µs, and which duplicate it reported. */
  ACC_OPTION_AT_US = 167,
  ACC_DUPLICATE_SEQ = 168,
  /** Bits of FastOpen; on a server, when the first SYN-ACK of a child went out, µs. */
  FAST_OPEN = 190,
  SYN_SENT_AT_US = 191,
  /** Path MTU probing (mtu-probe.ts): the MTU known to arrive, the largest possible, the one tried now (0: none), its segment, and when the search began, ms. */
  MTU_LOW = 27,
  MTU_HIGH = 29,
  MTU_PROBED = 103,
  MTU_PROBE_SEQ = 114,
  MTU_SEARCHED_AT = 115,
  SIZE = 192,
}

/** The tally row: what only `info` reads. 32 int32; 64-bit counters as two halves, low first. */
export const enum Tally {
  BYTES_SENT = 0,
  BYTES_ACKED = 2,
  BYTES_RECEIVED = 4,
  BYTES_RETRANSMITTED = 6,
  SEGS_OUT = 8,
  SEGS_IN = 9,
  DATA_SEGS_OUT = 10,
  DATA_SEGS_IN = 11,
  RETRANSMITTED = 12,
  OOO_SEGS_IN = 13,
  DSACK_DUPLICATES = 14,
  /** Times in ms: the last data sent, data received, ACK received. */
  LAST_DATA_SENT = 15,
  LAST_DATA_RECEIVED = 16,
  LAST_ACK_RECEIVED = 17,
  /** How long timeouts took to be repaired. */
  RTO_TIME_MS = 18,
  MIN_RTT_US = 19,
  /** Timeouts in the lower half, episodes of them in the upper, each modulo 2^16 as Linux counts. */
  RTO_COUNTS = 20,
  /** Packets delivered that were reported as marked. */
  DELIVERED_CE = 21,
  DELIVERED = 22,
  /** How often segments were seen to overtake one another. */
  REORDERINGS = 23,
  /** Initial sequence numbers, so that relative ones can be shown. */
  ISS = 24,
  IRS = 25,
  /** How long there was something to send; how much of that the peer's window or our own buffer was the limit. */
  BUSY_US = 26,
  PEER_WINDOW_US = 28,
  SEND_BUFFER_US = 30,

  SIZE = 32,
}

/** The name row, 16 bytes: the key of the look-up, and the generation that tells a stale id. */
export const enum Name {
  LOCAL = 0,
  REMOTE = 1,
  /** Local port in the high half, remote port in the low. */
  PORTS = 2,
  GENERATION = 3,
  SIZE = 4,
}

/** What the program has set. */
export const enum Custom {
  RCV_LIMIT = 1,
  SND_LIMIT = 2,
  /** The program will not read any more (SHUT_RD). */
  RECEIVE_SHUT = 4,
  /** IP_RECVERR: what ICMP says is told at once. */
  RECEIVE_ERRORS = 16,
  /** The path's MTU is searched for by probes. */
  MTU_SEARCH = 256,
  /** TCP_NODELAY was set: what waits goes out, whatever holds it back, until more is written. */
  RELEASED = 64,
  /** IP_MTU_DISCOVER in three bits, with WANT and DONT exchanged so that 0 is the usual; IP_MINTTL in eight. */
  MTU_DISCOVER_BIT = 16,
  MIN_TTL_BIT = 24,
  WINDOW_CLAMP = 32,
}
