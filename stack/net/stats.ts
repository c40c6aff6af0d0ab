import { Verdict } from '../wire/verdict.js';

/**
 * Counters of the whole stack, in the spirit and mostly the names of the IP-MIB (RFC 4293) and TCP-MIB (RFC 4022), so that
 * they can be laid beside `/proc/net/snmp`. Plain numeric fields: counting is one add to an object of fixed shape, and they
 * stay exact up to 2^53. Nothing decreases but the gauge `tcpCurrEstab`.
 */
export class Stats {
  /** How often each verdict was reached, by `Verdict`: one counter per cause of a drop. */
  readonly verdicts = new Float64Array(Verdict.COUNT);

  // ARP and neighbours
  arpRequestsReceived = 0;
  arpRepliesReceived = 0;
  arpRequestsSent = 0;
  /** Times a request had to wait because of the rate limit. */
  arpRequestsRateLimited = 0;
  arpRepliesSent = 0;
  /** Replies not sent because of the rate limit. */
  arpRepliesRateLimited = 0;
  arpAnnouncementsSent = 0;
  /** Somebody else claimed an address of ours (RFC 5227 §2.4). */
  arpConflicts = 0;
  neighborEvictions = 0;
  neighborFailures = 0;
  /** Frames lost waiting for a neighbour: the queue was full, or nobody answered. */
  neighborQueueDrops = 0;
  /** Times a transport gave negative advice about the way to a peer. */
  pathDoubts = 0;

  // IP
  ipInReceives = 0;
  ipInHdrErrors = 0;
  ipInAddrErrors = 0;
  ipInUnknownProtos = 0;
  ipInDelivers = 0;
  ipOutRequests = 0;
  ipOutDiscards = 0;
  ipOutNoRoutes = 0;
  ipReasmReqds = 0;
  ipReasmOKs = 0;
  ipReasmFails = 0;
  ipReasmTimeout = 0;
  ipReasmOverlaps = 0;
  ipFragOKs = 0;
  ipFragFails = 0;
  ipFragCreates = 0;
  /** Answers to strangers dropped, because as many as may wait for the device waited already. */
  answerQueueDrops = 0;
  /** Datagrams from ourselves to ourselves. */
  ipLoopback = 0;

  // ICMP
  icmpInMsgs = 0;
  icmpInErrors = 0;
  icmpInDestUnreachs = 0;
  icmpInTimeExcds = 0;
  icmpInParmProbs = 0;
  icmpInSrcQuenchs = 0;
  icmpInRedirects = 0;
  icmpInEchos = 0;
  icmpInEchoReps = 0;
  icmpOutMsgs = 0;
  icmpOutDestUnreachs = 0;
  icmpOutTimeExcds = 0;
  icmpOutParmProbs = 0;
  icmpOutEchos = 0;
  icmpOutEchoReps = 0;
  /** Errors not sent because of the rate limit. */
  icmpOutRateLimited = 0;
  /** Echo replies not sent because of theirs. */
  icmpOutEchoRepsRateLimited = 0;
  pathMtuLowered = 0;
  pathMtuExpired = 0;

  // UDP
  udpInDatagrams = 0;
  udpNoPorts = 0;
  udpInErrors = 0;
  udpOutDatagrams = 0;
  udpRcvbufErrors = 0;
  udpSndbufErrors = 0;
  udpInCsumErrors = 0;

  // TCP
  tcpActiveOpens = 0;
  tcpPassiveOpens = 0;
  tcpAttemptFails = 0;
  tcpEstabResets = 0;
  tcpCurrEstab = 0;
  tcpInSegs = 0;
  tcpOutSegs = 0;
  tcpRetransSegs = 0;
  tcpInErrs = 0;
  tcpOutRsts = 0;
  /** RSTs to segments of no connection, not sent because of the rate limit. */
  tcpOutRstsRateLimited = 0;
  tcpInCsumErrors = 0;
  tcpTimeouts = 0;
  /** Times fast recovery has begun. */
  tcpFastRetransmits = 0;
  /** Retransmissions found to be lost in their turn. */
  tcpLostRetransmits = 0;
  /** Tail loss probes sent, and those that repaired a loss by themselves. */
  tcpLossProbes = 0;
  tcpLossProbeRecoveries = 0;
  /** Reductions of the window taken back, and timeouts that F-RTO has found needless. */
  tcpUndos = 0;
  tcpSpuriousTimeouts = 0;
  /** Peers that threw away what they had SACKed. */
  tcpSackReneging = 0;
  tcpDupAcksIn = 0;
  tcpDelayedAcks = 0;
  tcpPureAcks = 0;
  tcpOutOfOrder = 0;
  /** Segments with an option whose length cannot be. */
  tcpBadOptions = 0;
  /** Duplicate ACKs that one ACK stood for (Linux: TCPAckCompressed). */
  tcpAcksCompressed = 0;
  /** The receive buffer was over its limit; what was out of order was let go; in-order text was refused (Linux: PruneCalled, OfoPruned, RcvPruned). */
  tcpPruneCalled = 0;
  tcpOfoPruned = 0;
  tcpRcvPruned = 0;
  /** Text for a window that was shut (Linux: TCPZeroWindowDrop). */
  tcpZeroWindowDrops = 0;
  tcpSackBlocksIn = 0;
  tcpDsacksIn = 0;
  tcpDsacksOut = 0;
  tcpChallengeAcks = 0;
  /** Windows reduced because a router marked instead of dropping (ECN). */
  tcpEcnReductions = 0;
  tcpPawsRejected = 0;
  /** Bare ACKs from before RCV.NXT with an old timestamp, not answered (Linux: PAWSOldAck). */
  tcpPawsOldAcks = 0;
  /** Handshakes' ACKs that echo a timestamp no SYN-ACK had (Linux: TSEcrRejected). */
  tcpEchoRejected = 0;
  /** Segments refused because they end, or begin, beyond the window (Linux: BeyondWindow). */
  tcpBeyondWindow = 0;
  tcpListenDrops = 0;
  tcpListenOverflows = 0;
  tcpSynCookiesSent = 0;
  tcpSynCookiesReceived = 0;
  tcpSynCookiesFailed = 0;
  /** Fast Open as client and as server: data in SYNs that was taken, and that was not; SYNs for which a listener had no room. */
  tcpFastOpenActive = 0;
  tcpFastOpenActiveFail = 0;
  tcpFastOpenPassive = 0;
  tcpFastOpenPassiveFail = 0;
  tcpFastOpenOverflows = 0;
  /** SYNs turned away by a full queue of half-open connections, with SYN cookies off. */
  tcpSynQueueFullDrops = 0;
  /** SYNs not answered because of the rate limit. */
  tcpSynRateLimited = 0;
  /** Handshakes ended by the peer before they were complete. */
  tcpEmbryonicResets = 0;
  /** ACKs left aside because a listener waits for data (TCP_DEFER_ACCEPT). */
  tcpDeferAcceptDrops = 0;
  tcpTimeWaits = 0;
  tcpTimeWaitsReused = 0;
  tcpKeepalives = 0;
  tcpZeroWindowProbes = 0;
  /** Path MTU probes sent, arrived, lost. */
  tcpMtuProbes = 0;
  tcpMtuProbesArrived = 0;
  tcpMtuProbesLost = 0;
  /**
   * Pools of the streams (docs/memory.md). Memory: bytes not taken for want of it, connections reset for it. Runs out of order, records of segments sent, cold rows: requests refused, and what was
   * let go for somebody else. Half-open connections, TIME-WAIT: the oldest made room.
   */
  tcpMemoryRefused = 0;
  tcpMemoryEvicted = 0;
  tcpRunsRefused = 0;
  tcpRunsEvicted = 0;
  tcpRecordsRefused = 0;
  /** Ends of records that could not be kept, for want of marks. */
  tcpMarksRefused = 0;
  /** SYNs whose headers were to be kept, and found no room. */
  tcpSavedSynsRefused = 0;
  tcpActiveRefused = 0;
  tcpActiveEvicted = 0;
  tcpConnectionsRefused = 0;
  tcpHalfOpenEvicted = 0;
  tcpTimeWaitsEvicted = 0;
  tcpAbortOnTimeout = 0;
  tcpAbortOnMemory = 0;
  /** Closed with bytes unread; with bytes coming after; with no patience for the peer's FIN. Linux: TCPAbortOnClose, …OnData, …OnLinger. */
  tcpAbortOnClose = 0;
  tcpAbortOnData = 0;
  tcpAbortOnLinger = 0;

  /** Control path. Every named counter as it is now: for printing and for tests. */
  snapshot(): Record<string, number> {
    const values: Record<string, number> = {};
    for (const [name, value] of Object.entries(this)) if (typeof value === 'number') values[name] = value;
    return values;
  }
}
