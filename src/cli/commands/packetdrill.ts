import type { Command } from 'commander';
import type { PacketdrillOptions } from '../packetdrill-run.js';

const EXAMPLES = `
A line for each script, then what was counted. Exit status 0 when none failed, 1 when one did, 2 when none could be run.

Examples:
  millrace packetdrill test/packetdrill
  millrace packetdrill --verbose test/packetdrill/handshake/passive-open.pkt
  millrace packetdrill --profile linux-6.12 -D CC=newreno script.pkt
  millrace packetdrill --serve /tmp/stack.sock --set net.ipv4.tcp_timestamps=0
`;

export function addPacketdrill(program: Command): void {
  program
    .command('packetdrill')
    .summary('run packetdrill scripts against our stack')
    .description(
      'Runs packetdrill scripts against a stack of our own, in virtual time: no root, no device, no waiting.',
    )
    .argument('[files...]', 'scripts, or folders of them (*.pkt)')
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
}

function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}
