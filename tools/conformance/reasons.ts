/**
 * Why scripts of the kernel fail here, by the kernel's version: one short sentence each. A script that fails and is not here is
 * unexplained; one that is here and passes is stale. Both fail the run.
 */
export type Reasons = Readonly<Record<string, string>>;

const MAXFRAGS =
  'Linux ends a segment behind the 17th piece of memory that a program lends it; this stack copies, and has no pieces';
const SEND_BUFFER =
  'Linux counts the memory of packets, and fills one that it has begun beyond the send buffer; here the buffer is a number of bytes';
const PSH_OF_BURST =
  'Linux sends what it retransmits as one large packet with one PSH; here each segment has its own flags';

export const REASONS: Readonly<Record<string, Reasons>> = {
  '6.12': {
    tcp_zerocopy_maxfrags: MAXFRAGS,
  },
  '7.3': {
    tcp_accecn_close_local_close_then_remote_fin:
      'a closed connection acknowledges a FIN with the AccECN counter; Linux answers from TIME-WAIT, with none',
    'tcp_blocking_blocking-write': SEND_BUFFER,
    tcp_close_no_rst: 'a duplicate is reported (D-SACK) with the ACK of its FIN, and late; Linux reports none there',
    'tcp_eor_no-coalesce-retrans':
      'one segment is retransmitted for the ACK behind the first loss; Linux retransmits two',
    'tcp_fastopen_server_client-ack-dropped-then-recovery-ms-timestamps': PSH_OF_BURST,
    'tcp_fastopen_server_icmp-before-accept':
      'an ICMP error about the SYN-ACK of a Fast Open connection is not believed; Linux closes the connection',
    tcp_nagle_sendmsg_msg_more:
      'the time that MSG_MORE holds data back runs on from an earlier write; Linux begins again',
    'tcp_ooo-before-and-after-accept':
      'the receive buffer of a connection nobody has accepted grows; that of Linux does not',
    tcp_ooo_rcv_mss: 'the size of what arrives is estimated without looking at large packets that a device has joined',
    tcp_rcv_big_endseq: 'a segment that ends beyond the window is cut and in part taken; Linux drops it',
    tcp_rcv_neg_window:
      'a segment larger than the window is acknowledged at once, and the RST behind it challenged; Linux waits',
    tcp_rcv_wnd_shrink_allowed:
      'the window that is offered is rounded up to its scale; Linux rounds down when it may shrink',
    tcp_rcv_wnd_shrink_nomem:
      'what is dropped behind a window of zero is not reported as a duplicate (D-SACK) a second time',
    'tcp_rfc5961_rst-syn-recv':
      'in SYN-RECEIVED an ACK is judged before the RST it comes with; Linux judges the RST first',
    'tcp_sack_sack-route-refresh-ip-tos': PSH_OF_BURST,
    tcp_splice_tcp_splice_loop_test: 'the urgent byte is data like any other here; Linux keeps it out of the stream',
    'tcp_tcp_info_tcp-info-sndbuf-limited': SEND_BUFFER,
    tcp_timestamping_tcp_tx_timestamp_bug: SEND_BUFFER,
    tcp_zerocopy_maxfrags: MAXFRAGS,
  },
};
