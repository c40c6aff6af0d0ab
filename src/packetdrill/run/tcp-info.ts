/** One field of Linux's `struct tcp_info`, as long as the kernel that filled it had it. */
interface InfoField {
  readonly name: string;
  readonly at: number;
  readonly bytes: 1 | 2 | 4 | 8;
  /** Of a bit field: its lowest bit and how many. */
  readonly shift: number;
  readonly bits: number;
}

/** In order; a number is the width in bytes, `n:b` a bit field of the byte before the next whole field. */
const LAYOUT = `
  state 1, ca_state 1, retransmits 1, probes 1, backoff 1, options 1, snd_wscale 4b, rcv_wscale 4b,
  delivery_rate_app_limited 1b, fastopen_client_fail 2b, unused 5b,
  rto 4, ato 4, snd_mss 4, rcv_mss 4, unacked 4, sacked 4, lost 4, retrans 4, fackets 4,
  last_data_sent 4, last_ack_sent 4, last_data_recv 4, last_ack_recv 4,
  pmtu 4, rcv_ssthresh 4, rtt 4, rttvar 4, snd_ssthresh 4, snd_cwnd 4, advmss 4, reordering 4,
  rcv_rtt 4, rcv_space 4, total_retrans 4,
  pacing_rate 8, max_pacing_rate 8, bytes_acked 8, bytes_received 8, segs_out 4, segs_in 4,
  notsent_bytes 4, min_rtt 4, data_segs_in 4, data_segs_out 4,
  delivery_rate 8, busy_time 8, rwnd_limited 8, sndbuf_limited 8, delivered 4, delivered_ce 4,
  bytes_sent 8, bytes_retrans 8, dsack_dups 4, reord_seen 4, rcv_ooopack 4, snd_wnd 4, rcv_wnd 4, rehash 4,
  total_rto 2, total_rto_recoveries 2, total_rto_time 4,
  received_ce 4, delivered_e1_bytes 4, delivered_e0_bytes 4, delivered_ce_bytes 4,
  received_e1_bytes 4, received_e0_bytes 4, received_ce_bytes 4, ecn_mode 2b, accecn_opt_seen 2b, accecn_fail_mode 4b`;

const FIELDS: ReadonlyMap<string, InfoField> = new Map(layOut().map((field) => [field.name, field]));

function layOut(): InfoField[] {
  const fields: InfoField[] = [];
  let at = 0;
  let shift = 0;
  for (const entry of LAYOUT.trim().split(/,\s*/)) {
    const [name, width] = entry.split(' ');
    if (width.endsWith('b')) {
      const bits = Number.parseInt(width, 10);
      fields.push({ name: `tcpi_${name}`, at, bytes: 1, shift, bits });
      shift += bits;
      at += shift >> 3;
      shift &= 7;
      continue;
    }
    const bytes = Number(width) as InfoField['bytes'];
    fields.push({ name: `tcpi_${name}`, at, bytes, shift: 0, bits: bytes * 8 });
    at += bytes;
  }
  return fields;
}

/** As much as any kernel gives. */
export const TCP_INFO_BYTES_MAX = 512;

/** Fields of other systems' TCP_INFO, and those that a congestion control reports (TCP_CC_INFO), of which there is nothing here. */
const FOREIGN = new Set(
  `tcpi_snd_bwnd tcpi_snd_nxt tcpi_rcv_nxt tcpi_toe_tid tcpi_snd_rexmitpack tcpi_rcv_ooopack tcpi_snd_zerowin tcpi_rttmin tcpi_rcv_adv
   tcpi_dupacks tcpi_rto_min tcpi_rcv_adv_wnd tcpi_tlp_probe_cnt tcpi_tfo_cookie_req tcpi_tfo_cookie_rcv tcpi_tfo_syn_loss
   tcpi_tfo_syn_data_sent tcpi_tfo_syn_data_acked tcpi_tfo_syn_data_rcv __tcpi_ca_state __tcpi_probes __tcpi_backoff __tcpi_ato
   __tcpi_rcv_mss __tcpi_unacked __tcpi_sacked __tcpi_lost __tcpi_retrans __tcpi_fackets __tcpi_pmtu __tcpi_rcv_ssthresh __tcpi_advmss
   __tcpi_reordering __tcpi_rcv_rtt __tcpi_pad vegas_enabled vegas_rttcnt vegas_rtt vegas_minrtt dctcp_enabled dctcp_ce_state dctcp_alpha
   dctcp_ab_ecn dctcp_ab_tot bbr_bw_lo bbr_bw_hi bbr_min_rtt bbr_pacing_gain bbr_cwnd_gain bbr_bw bbr_mode bbr_phase bbr_version
   bbr_inflight_lo bbr_inflight_hi bbr_extra_acked`.split(/\s+/),
);

export function isForeignInfo(name: string): boolean {
  return FOREIGN.has(name);
}

export function isInfoField(name: string): boolean {
  return FIELDS.has(name);
}

/** The value of `tcpi_…` in what getsockopt(TCP_INFO) gave; undefined when the name is not one, or the value ends before it. */
export function infoField(info: Uint8Array, name: string): number | undefined {
  const field = FIELDS.get(name);
  if (field === undefined || field.at + field.bytes > info.length) return undefined;
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  switch (field.bytes) {
    case 1:
      return (view.getUint8(field.at) >>> field.shift) & ((1 << field.bits) - 1);
    case 2:
      return view.getUint16(field.at, true);
    case 4:
      return view.getUint32(field.at, true);
    case 8:
      return Number(view.getBigUint64(field.at, true));
  }
}
