import { existsSync, readFileSync } from 'node:fs';
import { Settings } from '../../src/posix/sysctl.js';

/** What the namespace sets, so that sequences do not know of each other. */
export const SETTINGS_OF_OURS: ReadonlyMap<string, string> = new Map([
  // Round trips of an earlier connection would be the beginning of a later one to the same address (tcp_metrics.c).
  ['net.ipv4.tcp_no_metrics_save', '1'],
]);

/**
 * Of every socket, whatever the machine's default is. Not the namespace's setting: a namespace may be given only what every user may
 * choose (tcp_set_default_congestion_control).
 */
export const CONGESTION_CONTROL = 'cubic';

/**
 * Of keys each side makes its own, the lists of congestion controls are only read, and the default is chosen for each socket. A send buffer
 * of tcp_wmem grows in the kernel as soon as there is a connection (tcp_sndbuf_expand), while ours begins with as much. The last two have no
 * effect here, and the kernel makes them by how much memory the machine has.
 */
const LEFT_OUT = /_key$|_congestion_control$|tcp_wmem$|tcp_frto$|tcp_max_syn_backlog$/;

/** The settings of this process' namespace, so far as our stack knows them. */
export function readSettings(): [string, string][] {
  return Settings.names().flatMap((name): [string, string][] => {
    const path = `/proc/sys/${name.replaceAll('.', '/')}`;
    return LEFT_OUT.test(name) || !existsSync(path) ? [] : [[name, readFileSync(path, 'utf8').trim()]];
  });
}
