/** packetdrill's own options, on its command line and in scripts. This file imports nothing: the command line's help needs the names alone. */

/** Those with a value: `--mtu=1500`. */
export const VALUED_OPTIONS: readonly string[] =
  `ip_version bind_port code_command code_format code_sockopt connect_port remote_ip local_ip local_linklocal_ip live_local_ip gateway_ip
   netmask_ip speed mss mtu init_scripts tolerance_usecs tolerance_percent tcp_ts_tick_usecs non_fatal wire_server_ip wire_server_port
   wire_client_dev wire_server_dev udp_encaps so_filename so_flags fm_filename fm_flags ip_id tun_dev`.split(/\s+/);

/** Those that are there or not. */
export const FLAG_OPTIONS: readonly string[] =
  `tcp_ts_ecr_scaled strict_segments wire_client wire_server dry_run is_anyip send_omit_free debug persistent_tun_dev
   log_tcp_info`.split(/\s+/);
