/**
 * Why scripts of the kernel fail here, by the kernel's version: one short sentence each. A script that fails and is not here is
 * unexplained; one that is here and passes is stale. Both fail the run.
 */
export type Reasons = Readonly<Record<string, string>>;

const MAXFRAGS =
  'Linux ends a segment behind the 17th piece of memory that a program lends it; this stack copies, and has no pieces';
const SEND_BUFFER =
  'Linux counts the memory of packets, and fills one that it has begun beyond the send buffer; here the buffer is a number of bytes';

export const REASONS: Readonly<Record<string, Reasons>> = {
  '6.12': {
    tcp_zerocopy_maxfrags: MAXFRAGS,
  },
  '7.3': {
    'tcp_blocking_blocking-write': SEND_BUFFER,
    'tcp_eor_no-coalesce-retrans':
      'the ACK of a retransmission comes after exactly the smallest round trip, which RACK believes; on a kernel it comes some microseconds earlier, and is ignored (RFC 8985 §6.2)',
    tcp_splice_tcp_splice_loop_test: 'the urgent byte is data like any other here; Linux keeps it out of the stream',
    'tcp_tcp_info_tcp-info-sndbuf-limited': SEND_BUFFER,
    tcp_timestamping_tcp_tx_timestamp_bug: SEND_BUFFER,
    tcp_zerocopy_maxfrags: MAXFRAGS,
  },
};
