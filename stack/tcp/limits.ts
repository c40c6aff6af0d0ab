import type { ProfileChoice } from './profile.js';

/** Every limit of TCP, each with a default that argues for itself. All may be set when the stack is made. */
export interface TcpLimits {
  /**
   * Whose TCP this one is to be on the wire: the order of options, what is answered and how, and defaults for what is
   * not said here. Linux's newest, which most peers will have met.
   */
  readonly profile: ProfileChoice;
  /** Connections at once, all states with a full row. A million rows are 104 MB of address space, resident only where used. */
  readonly connectionsMax: number;
  /** Connections with something going on at once: cold rows, 768 bytes each while used. All of them, unless memory is short. When all are used, those that only wait to sleep do so at once. */
  readonly activeMax: number;
  /** Half-open connections in all. 4096 as Linux's tcp_max_syn_backlog on a large machine; beyond it the oldest gives way. */
  readonly synReceivedMax: number;
  /** Headers of SYNs that listeners with TCP_SAVE_SYN keep, until they are read or the connection ends; at most 65,535. */
  readonly savedSynsMax: number;
  /** Connections in TIME-WAIT. 65,536: one peer's whole range of ports for 60 s; beyond it the oldest ends early. */
  readonly timeWaitMax: number;
  readonly listenersMax: number;
  /** Default backlog of a listener: 511, as Node asks of the kernel. */
  readonly backlog: number;
  /**
   * Bytes of stream buffers over all connections, counted in chunks of 4096 as they are used. With a quarter of them used a queue holds only what it makes use of, with seven eighths
   * some who make none give way: docs/memory.md.
   */
  readonly bufferBytesMax: number;
  /** Where they lie; made if not given. It is somewhat larger: a spare chunk, and whole ones. */
  readonly bufferMemory: ArrayBuffer | undefined;
  /** Runs of segments kept out of order over all connections. When all are taken, the newest of who has most make room for who has fewer than half as many. */
  readonly outOfOrderMax: number;
  /** … and for one connection: enough for a window of 64 KiB in full segments with every second one lost, twice. */
  readonly outOfOrderPerConnection: number;
  /**
   * Segments sent and not yet acknowledged, over all connections: 48 bytes each while used. 262,144 full ones are 360 MiB in flight, most of the stream buffers. A connection
   * that finds none waits as it does for cwnd. Half of them are anybody's; of the rest each has a share (docs/memory.md).
   */
  readonly transmitRecordsMax: number;
  /** … and for one connection: 16,384, 23 MiB of full segments, far more than a send buffer; with tiny ones it bounds what an acknowledgment can make us look through. */
  readonly transmitRecordsPerConnection: number;
  /** Places in all send queues that are marked: ends of records (MSG_EOR), pushes within long writes. */
  readonly sendMarksMax: number;
  /** Keep the counters that only `info` reads: 128 bytes a connection. Off where ten million connections must fit. */
  readonly tally: boolean;

  /** Receive buffer at the start and at the most, in bytes of memory: the window is the part of it that is text, at first half. Auto-tuning moves between. Linux: tcp_rmem 131,072 and 32 MiB (6 before 6.18). */
  readonly receiveBytes: number;
  readonly receiveBytesMax: number;
  /** Of a receive buffer, how many 256ths may be offered as window when a connection begins; the rest is for what memory costs beyond the bytes. Linux 6.6 and later: half. */
  readonly receiveWindowShare: number;
  /** The first window is a whole number of segments: Linux. */
  readonly windowInSegments: boolean;
  /** What a program may raise the buffer to (Linux's net.core.rmem_max): the window scale allows for that, too. */
  readonly receiveBytesCeiling: number;
  /** The receive buffer follows what the program reads: Linux's tcp_moderate_rcvbuf. */
  readonly moderateReceiveBuffer: boolean;
  /** On shorter round trips the receive buffer grows in proportion to them, so that it stays in the cache: Linux's tcp_rcvbuf_low_rtt, since 7. */
  readonly receiveLowRttUs: number;
  /**
   * The device joins segments before they come here (large receive offload), and each had so many bytes of text: what
   * counts as a full segment. 0: it joins none, or does not say, and a large one counts as one.
   */
  readonly joinedSegmentBytes: number;
  /** A window once promised may be taken back when memory runs short: Linux's tcp_shrink_window, off as RFC 9293 §3.8.6 wants. */
  readonly shrinkWindow: boolean;
  /** Send buffer likewise. Linux: tcp_wmem 16 KiB growing to 4 MiB; ours starts at what an initial window of jumbo writes needs. */
  readonly sendBytes: number;
  readonly sendBytesMax: number;

  /** RFC 6298 §2.4 says one second. Deviation: 200 ms as Linux, since delayed ACKs have come down to 40 ms. */
  readonly rtoMinMs: number;
  /** RFC 6298 §2.5: at least 60 s. Linux: 120 s. */
  readonly rtoMaxMs: number;
  /** Before any measurement, RFC 6298 §2.1. */
  readonly rtoInitialMs: number;
  /** R2 for SYN and SYN-ACK as a count: Linux's tcp_syn_retries 6 and tcp_synack_retries 5. Deviation: that is 127 s, and RFC 9293 MUST-23 wants 3 minutes at the least; a program that does, too, sets 7. */
  readonly synRetries: number;
  readonly synAckRetries: number;
  /** R1 as a count: this many retransmissions in vain, and IP is told to doubt the way there. Linux's tcp_retries1, 3, which is also the least RFC 9293 SHLD-10 asks for. */
  readonly retries1: number;
  /** So many times a SYN is repeated after the same wait before the wait doubles, and `synRetries` counts from there: Linux's tcp_syn_linear_timeouts, 4. */
  readonly synLinearTimeouts: number;
  /**
   * PSH stands on the last segment of every burst, of a retransmitted one too, and not only where a write ends. Linux says it on what it hands to a device that segments, so it is for a device that does; off, as nothing
   * here segments for us.
   */
  readonly pushBursts: boolean;
  /** A long write is pushed at each half of the peer's largest window too, as by Linux, and not only where it ends. */
  readonly pushHalfWindows: boolean;
  /** RTO for data when the handshake was repeated and left nothing to measure by: 3 s, RFC 6298 §5.7. */
  readonly rtoFallbackMs: number;
  /**
   * SYN cookies (RFC 4987 §3.6), Linux's tcp_syncookies: 0 never, 1 when a listener's queue of half-open connections is full (more than its backlog), 2 always. 1: a flood then
   * costs true peers nothing but options.
   */
  readonly synCookies: number;
  /** Without cookies, how many half-open connections a listener may have: Linux's tcp_max_syn_backlog, of which it leaves the last quarter to peers it knows. */
  readonly synBacklogMax: number;
  /** Fast Open (RFC 7413), bits as of Linux's tcp_fastopen: 1 as client, 2 as server, 4 and 0x200 without cookies, 0x400 every listener. Linux's default, 1: a server must be asked to. */
  readonly fastOpen: number;
  /** How long no SYN brings data after a path has swallowed three: Linux's tcp_fastopen_blackhole_timeout_sec; 0, the default there too: it is not looked for. */
  readonly fastOpenPauseSeconds: number;
  /** A handshake that completes while the accept queue is full is reset instead of left to be tried again: Linux's tcp_abort_on_overflow, off. */
  readonly abortOnOverflow: boolean;
  /** Text in a SYN-ACK is taken (RFC 9293 §3.10.7.3). Off: Linux leaves it to be sent again. */
  readonly synAckText: boolean;
  /** R2 for data as a count: Linux's tcp_retries2, 15, about 15 minutes (RFC 9293 SHLD-11: at least 100 s). */
  readonly retries: number;
  /** The same for a connection nobody owns any more: Linux's tcp_orphan_retries. 0: eight while the back-off has not reached its end, then none. */
  readonly orphanRetries: number;
  /**
   * Connections nobody owns any more and that still have something to send, at the most: beyond it those that are not answered are reset. Linux's
   * tcp_max_orphans; 65,536, as it has on a machine of 16 GB.
   */
  readonly orphansMax: number;
  /** 2MSL. Deviation: RFC 9293 has MSL = 2 minutes; 60 s in all, as Linux. */
  readonly timeWaitMs: number;
  /** An old RST does not end TIME-WAIT, RFC 1337. Off, as Linux's tcp_rfc1337. */
  readonly rfc1337: boolean;
  /**
   * Whether an active OPEN may take over its pair from TIME-WAIT (RFC 6191), with timestamps and old enough: 0 never, 1 always, 2 on this host's own
   * addresses only. 2 as Linux's tcp_tw_reuse: what the other end has done with the old connection is known for certain only here.
   */
  readonly timeWaitReuse: number;
  /** … once it is this old: a tick of every timestamp clock (RFC 6191 §3). Linux's tcp_tw_reuse_delay, a second. */
  readonly timeWaitReuseDelayMs: number;
  /** How long an orphan waits for the peer's FIN: Linux's tcp_fin_timeout. */
  readonly finWait2Ms: number;
  /** RFC 9293 §3.8.4: at least two hours by default; interval and count as Linux. */
  readonly keepIdleMs: number;
  readonly keepIntervalMs: number;
  readonly keepCount: number;
  /** Delayed ACK: RFC 9293 allows 500 ms (MUST-40); Linux waits 40 ms, adapting up to 200. */
  readonly delayedAckMinMs: number;
  readonly delayedAckMaxMs: number;
  /** ACKs sent at once at the most when data begins to come and after trouble, so that the sender's window opens fast. Linux: 16. */
  readonly quickAcks: number;
  /** SACK compression: so many duplicate ACKs at the most are held back for one, and no longer than this. Linux: tcp_comp_sack_nr, tcp_comp_sack_delay_ns. 0: none. */
  readonly compressedAcksMax: number;
  readonly compressedAckDelayUs: number;
  /** … and no longer than this part of a round trip: Linux's tcp_comp_sack_rtt_percent, 33 since 7, a twentieth before. */
  readonly compressedAckRttPercent: number;
  /** The congestion control of connections that choose none, by name. CUBIC (RFC 9438), as every large system has it. */
  readonly congestion: string;
  /**
   * How CUBIC leaves slow start before it ends in loss. `classic`: Linux's HyStart, which reacts at once, and sees a train of ACKs as well as a longer round trip. `plusplus`: HyStart++
   * (RFC 9406), which is not deceived by a round trip that only jitters. Linux's is the default, because connections should do what their peers' operators have seen
   * before; a path with wireless links is better served by the other.
   */
  readonly hystart: 'off' | 'classic' | 'plusplus';
  /** RFC 5681 §4.1: a window that was not used for an RTO shrinks. Linux's tcp_slow_start_after_idle, on. */
  readonly slowStartAfterIdle: boolean;
  /** cwnd is never larger: Linux's snd_cwnd_clamp. 2^30: window scaling can express no more. */
  readonly cwndMaxBytes: number;
  /** Segments of every connection are spread over the round trip. Off as in Linux, whose TCP bursts unless a queueing discipline or the program asks. */
  readonly pacing: boolean;
  /** How much faster than a cwnd a round trip, in slow start and after: Linux's tcp_pacing_ss_ratio and tcp_pacing_ca_ratio. */
  readonly pacingSlowStartPercent: number;
  readonly pacingAvoidancePercent: number;
  /** Segments that leave together however low the rate is: Linux's tcp_min_tso_segs. */
  readonly pacingBurstSegments: number;
  /** Initial window in segments, RFC 6928. */
  readonly initialWindowSegments: number;
  /**
   * How losses are found where SACK is agreed, as bits of Linux's tcp_recovery: 1 RACK (RFC 8985), else by counting SACKed segments (RFC 6675); 2 RACK's window for reordering does not follow
   * D-SACKs; 4 three SACKed segments do not shut it. 1, as Linux.
   */
  readonly recovery: number;
  /** Tail loss probes, RFC 8985 §7, as Linux's tcp_early_retrans: 3 or 4 yes, anything else no. */
  readonly tailLossProbe: number;
  /** F-RTO, RFC 5682: Linux's tcp_frto. */
  readonly frto: boolean;
  /** Duplicates that mean a loss, at first, and at the most where the path is seen to reorder: Linux's tcp_reordering and tcp_max_reordering. RFC 5681 §3.2: three. */
  readonly reordering: number;
  readonly maxReordering: number;
  /** Small segments are put together when sent again: Linux's tcp_retrans_collapse. */
  readonly retransmitGathers: boolean;
  /** How long the smallest round trip is believed: Linux's tcp_min_rtt_wlen, five minutes. */
  readonly minRttWindowMs: number;
  /** Challenge ACKs for each second over the stack, RFC 5961 §7. Without limit as Linux today: a limit shared by all connections tells an attacker of one about another; the limit of each connection does the work. */
  readonly challengeAcksPerSecond: number;
  /** … and for one connection one in so many ms: Linux's tcp_invalid_ratelimit. */
  readonly challengeAckIntervalMs: number;
  /** Ephemeral ports, inclusive: Linux's ip_local_port_range; RFC 6056 §3.2 would allow 1024 and up. */
  readonly portFirst: number;
  readonly portLast: number;
  /** A connection without anything going on for this long gives its cold row back. 40 ms, a delayed ACK's time: at ten thousand new connections a second 400 rows wait, not thousands. */
  readonly hibernateMs: number;
  /**
   * … unless the row has learnt something of the path that nothing else keeps (CUBIC's curve, reordering, a receive
   * buffer that has grown): then after so long, for paths change. Five minutes, as RFC 7661 §4.3 has it for an unused
   * cwnd, and as long as a smallest round trip is believed. Deviation: Linux remembers as long as the connection lives.
   */
  readonly pathMemoryMs: number;

  /** Packetization-layer path MTU discovery, RFC 4821: 0 never, 1 when segments seem to vanish for their size, 2 always. 0 as Linux's tcp_mtu_probing: most paths tell. */
  readonly mtuProbing: number;
  /** Where the search begins (RFC 4821 §7.2: about 1024), and the least it falls back to. Linux's tcp_base_mss and tcp_mtu_probe_floor. */
  readonly mtuBaseMss: number;
  readonly mtuProbeFloor: number;
  /** The search is over when this few bytes are left to find out, and begins anew after so long (RFC 4821 §7.7: ten minutes). */
  readonly mtuProbeThreshold: number;
  readonly mtuProbeIntervalMs: number;

  /** Offered and accepted: options of the wire. */
  readonly timestamps: boolean;
  readonly windowScaling: boolean;
  readonly sack: boolean;
  /**
   * ECN, in the numbers of Linux's tcp_ecn: 0 never, 1 asked for and agreed to, 2 agreed to; 3, 4 and 5 agree to Accurate ECN (RFC 9768), too, and ask for that, for
   * ECN as it was, or for nothing. 2 as Linux: a SYN that asks is still dropped by a few firewalls, and a peer that asks has taken that risk already.
   */
  readonly ecn: number;
  /** A SYN that asked for ECN and was not answered goes again without, RFC 3168 §6.1.1.1: Linux's tcp_ecn_fallback. */
  readonly ecnFallback: boolean;
  /** When the AccECN option is sent, in the numbers of Linux's tcp_ecn_option: 0 never, 1 where needed, 2 where there is room, 3 even if it seems not to arrive. 2 as Linux. */
  readonly ecnOption: number;
  /** With 1, how often in a round trip at the least: Linux's tcp_ecn_option_beacon, 3, as RFC 9768 §3.2.3.3 recommends. */
  readonly ecnOptionBeacon: number;
  /** Duplicates are reported, RFC 2883: Linux's tcp_dsack. */
  readonly dsack: boolean;
}

export const TCP_LIMITS: TcpLimits = {
  profile: 'linux',
  connectionsMax: 1 << 20,
  activeMax: 1 << 20,
  synReceivedMax: 4096,
  savedSynsMax: 16_384,
  timeWaitMax: 1 << 16,
  listenersMax: 1024,
  backlog: 511,
  bufferBytesMax: 512 << 20,
  bufferMemory: undefined,
  outOfOrderMax: 1 << 16,
  outOfOrderPerConnection: 512,
  transmitRecordsMax: 1 << 18,
  transmitRecordsPerConnection: 16_384,
  sendMarksMax: 1 << 17,
  tally: true,
  receiveBytes: 131_072,
  receiveBytesMax: 32 << 20,
  receiveWindowShare: 128,
  windowInSegments: true,
  receiveBytesCeiling: 4 << 20,
  moderateReceiveBuffer: true,
  receiveLowRttUs: 1000,
  joinedSegmentBytes: 0,
  shrinkWindow: false,
  sendBytes: 131_072,
  sendBytesMax: 4 << 20,
  rtoMinMs: 200,
  rtoMaxMs: 120_000,
  rtoInitialMs: 1000,
  synRetries: 6,
  synAckRetries: 5,
  retries1: 3,
  synLinearTimeouts: 4,
  pushBursts: false,
  pushHalfWindows: true,
  rtoFallbackMs: 3000,
  synCookies: 1,
  synBacklogMax: 4096,
  fastOpen: 1,
  fastOpenPauseSeconds: 0,
  abortOnOverflow: false,
  synAckText: false,
  retries: 15,
  orphanRetries: 0,
  orphansMax: 1 << 16,
  timeWaitMs: 60_000,
  rfc1337: false,
  timeWaitReuse: 2,
  timeWaitReuseDelayMs: 1000,
  finWait2Ms: 60_000,
  keepIdleMs: 7_200_000,
  keepIntervalMs: 75_000,
  keepCount: 9,
  delayedAckMinMs: 40,
  delayedAckMaxMs: 200,
  quickAcks: 16,
  compressedAcksMax: 44,
  compressedAckDelayUs: 1000,
  compressedAckRttPercent: 33,
  congestion: 'cubic',
  hystart: 'classic',
  slowStartAfterIdle: true,
  cwndMaxBytes: 1 << 30,
  pacing: false,
  pacingSlowStartPercent: 200,
  pacingAvoidancePercent: 120,
  pacingBurstSegments: 2,
  initialWindowSegments: 10,
  recovery: 1,
  tailLossProbe: 3,
  frto: true,
  reordering: 3,
  maxReordering: 300,
  retransmitGathers: true,
  minRttWindowMs: 300_000,
  challengeAcksPerSecond: 0x7fffffff,
  challengeAckIntervalMs: 500,
  portFirst: 32_768,
  portLast: 60_999,
  hibernateMs: 40,
  pathMemoryMs: 300_000,
  mtuProbing: 0,
  mtuBaseMss: 1024,
  mtuProbeFloor: 48,
  mtuProbeThreshold: 8,
  mtuProbeIntervalMs: 600_000,
  timestamps: true,
  windowScaling: true,
  sack: true,
  ecn: 2,
  ecnFallback: true,
  ecnOption: 2,
  ecnOptionBeacon: 3,
  dsack: true,
};
