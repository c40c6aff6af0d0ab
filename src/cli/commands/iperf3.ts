import type { Command } from 'commander';
import type { Address } from '../../../stack/base/units.js';
import { IPERF3_PORT, type Iperf3Report, Iperf3Server } from '../../apps/iperf3-server.js';
import { addStackOptions, port, type RawOptions, stackSettings } from '../options.js';
import { colours, print } from '../output.js';
import { runServer, type Service } from '../server.js';
import { openSession } from '../session.js';

interface Iperf3Options extends RawOptions {
  readonly port: string;
}

const EXAMPLES = `
Examples:
  sudo millrace iperf3 --host-address 10.0.0.1
  # then: iperf3 -c 10.0.0.2, and iperf3 -c 10.0.0.2 --reverse
`;

export function addIperf3(program: Command): void {
  const command = program
    .command('iperf3')
    .summary('measure with iperf3 -c')
    .description(
      'A server for iperf3 over TCP: iperf3 -c, with --reverse, --bidir, --parallel and the rest of its options.',
    )
    .option('--port <number>', 'TCP port', `${IPERF3_PORT}`);
  addStackOptions(command).addHelpText('after', EXAMPLES);
  command.action(async (raw: Iperf3Options) => {
    const number = port('--port', raw.port);
    const settings = stackSettings(raw);
    await runServer(await openSession(settings), (session) => {
      let server: Iperf3Server | undefined;
      const service: Service = {
        greeting: `iperf3 server at ${colours.bold(`${session.address}:${number}`)}: try iperf3 -c ${session.address}${
          number === IPERF3_PORT ? '' : ` -p ${number}`
        }`,
        async start() {
          const address = settings.address.address as Address;
          server = new Iperf3Server(session.host, { address, port: number, onTest: (report) => print(lineOf(report)) });
          session.host.wake();
        },
        async stop() {
          server?.close();
        },
        cut() {},
      };
      return service;
    });
  });
}

/** `10.0.0.1:40312: 10.0 s, 1 stream, received 1.29 GB (1034 Mbit/s)` */
function lineOf(report: Iperf3Report): string {
  const parts = [`${report.seconds.toFixed(1)} s`, `${report.streams} ${report.streams === 1 ? 'stream' : 'streams'}`];
  const amount = (bytes: number): string => {
    const rate = report.seconds > 0 ? (bytes * 8e-6) / report.seconds : 0;
    return `${(bytes / 1e6).toFixed(1)} MB (${rate.toFixed(0)} Mbit/s)`;
  };
  if (report.bytesReceived > 0) parts.push(`received ${amount(report.bytesReceived)}`);
  if (report.bytesSent > 0) parts.push(`sent ${amount(report.bytesSent)}, ${report.retransmits} retransmitted`);
  if (!report.complete) parts.push('not complete');
  return `${report.client}: ${parts.join(', ')}`;
}
