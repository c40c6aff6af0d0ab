import type { OptionName } from './step.js';

type Setting = OptionName & { readonly value: readonly number[] };

/** Options of a connection and the values that are tried: allowed ones and one beyond a bound. */
export const STREAM_OPTIONS: readonly Setting[] = [
  { level: 'SOL_TCP', option: 'TCP_NODELAY', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_NODELAY', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_NODELAY', value: [0] },
  { level: 'SOL_TCP', option: 'TCP_CORK', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_CORK', value: [0] },
  { level: 'SOL_TCP', option: 'TCP_QUICKACK', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_QUICKACK', value: [0] },
  { level: 'SOL_TCP', option: 'TCP_NOTSENT_LOWAT', value: [1000] },
  { level: 'SOL_TCP', option: 'TCP_LINGER2', value: [-1] },
  { level: 'SOL_TCP', option: 'TCP_USER_TIMEOUT', value: [500] },
  { level: 'SOL_TCP', option: 'TCP_KEEPIDLE', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_KEEPIDLE', value: [0] },
  { level: 'SOL_TCP', option: 'TCP_KEEPCNT', value: [128] },
  { level: 'SOL_TCP', option: 'TCP_MAXSEG', value: [500] },
  { level: 'SOL_SOCKET', option: 'SO_KEEPALIVE', value: [1] },
  { level: 'SOL_SOCKET', option: 'SO_OOBINLINE', value: [1] },
  { level: 'SOL_SOCKET', option: 'SO_LINGER', value: [1, 0] },
  { level: 'SOL_SOCKET', option: 'SO_RCVLOWAT', value: [50] },
];

/** Those that are set before the handshake, and count in it. */
export const LISTENER_OPTIONS: readonly Setting[] = [
  { level: 'SOL_TCP', option: 'TCP_MAXSEG', value: [700] },
  { level: 'SOL_TCP', option: 'TCP_WINDOW_CLAMP', value: [10_000] },
  { level: 'SOL_TCP', option: 'TCP_NODELAY', value: [1] },
  { level: 'SOL_TCP', option: 'TCP_DEFER_ACCEPT', value: [1] },
  { level: 'SOL_SOCKET', option: 'SO_RCVBUF', value: [20_000] },
  { level: 'SOL_SOCKET', option: 'SO_RCVBUF', value: [4000] },
  { level: 'SOL_SOCKET', option: 'SO_SNDBUF', value: [20_000] },
  { level: 'SOL_SOCKET', option: 'SO_KEEPALIVE', value: [1] },
  { level: 'SOL_IP', option: 'IP_TTL', value: [10] },
  { level: 'SOL_IP', option: 'IP_TOS', value: [16] },
];
