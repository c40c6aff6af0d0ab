import { type Command, Option } from 'commander';
import { FLAG_OPTIONS, VALUED_OPTIONS } from '../../packetdrill/option-names.js';
import type { PacketdrillOptions } from '../packetdrill-run.js';

const EXAMPLES = `
A line for each script, then what was counted. Exit status 0 when none failed, 1 when one did, 2 when none could be run.

packetdrill's own options are taken as well (--tolerance_usecs=10000, --mtu=1400, --local_ip=ADDRESS, --init_scripts=FILES,
--non_fatal=packet,syscall, …) and come before those that a script has; what says how a kernel is reached does nothing here.

Examples:
  millrace packetdrill test/packetdrill
  millrace packetdrill --verbose test/packetdrill/handshake/passive-open.pkt
  millrace packetdrill --as-packetdrill --tolerance_usecs=10000 -D TFO_COOKIE=3021b9d889017eeb scripts
  millrace packetdrill --profile linux-6.12 -D CC=newreno script.pkt
  millrace packetdrill --serve /tmp/stack.sock --set net.ipv4.tcp_timestamps=0
`;

export function addPacketdrill(program: Command): void {
  const command = program
    .command('packetdrill')
    .summary('run packetdrill scripts against our stack')
    .description(
      'Runs packetdrill scripts against a stack of our own, in virtual time: no root, no device, no waiting.',
    )
    .argument('[files...]', 'scripts, or folders of them (*.pkt)')
    .option('--strict', 'a packet that the script does not describe fails it (default)')
    .option('--as-packetdrill', 'ignore packets of other sockets and behind the last of a script, as packetdrill does')
    .option(
      '--profile <name>',
      'whose TCP the stack has: see "millrace profiles"; if not given, what the script claims',
    )
    .option('-v, --verbose', 'print every call and every packet as it happens')
    .option('--json', 'one JSON object instead of lines')
    .option('--folders', 'of what passes only the number, for each folder')
    .option('-D, --define <name=value>', 'a name for scripts to use; may be repeated', collect, [])
    .option('--serve <socket>', 'no scripts: let an unmodified packetdrill judge the stack, through this unix socket')
    .option('--offload', 'with --serve: bursts as one datagram, as Linux hands them to a device that segments')
    .option(
      '--set <name=value>',
      "with --serve: one of Linux's settings, for each script; may be repeated",
      collect,
      [],
    )
    .addHelpText('after', EXAMPLES)
    .action(async (paths: string[], raw: PacketdrillOptions) => {
      // The interpreter is as large as the rest of the program: only who runs scripts waits for it to be loaded.
      const { packetdrill } = await import('../packetdrill-run.js');
      return packetdrill(paths, raw);
    });
  // Theirs have underscores; they are not listed one by one, so that ours can be found.
  for (const name of VALUED_OPTIONS) command.addOption(new Option(`--${name} <value>`).hideHelp());
  for (const name of FLAG_OPTIONS) command.addOption(new Option(`--${name}`).hideHelp());
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
