import type { Command } from 'commander';
import type { Address } from '../../../stack/base/units.js';
import { Ipv4 } from '../../../stack/wire/ipv4.js';
import { Exit } from '../errors.js';
import { addStackOptions, type RawOptions, stackSettings } from '../options.js';
import { print } from '../output.js';
import { type PingAnswer, Pinger, type PingOptions, type PingSummary } from '../pinger.js';
import { openSession } from '../session.js';
import { Ending } from '../signals.js';
import { formatIpv4, hostAddress, microseconds, wholeNumber } from '../values.js';

interface PingCommandOptions extends RawOptions {
  readonly count?: string;
  readonly interval: string;
  readonly size: string;
  readonly ttl: string;
  readonly timeout: string;
  readonly df?: boolean;
  readonly json?: boolean;
}

/** 65,535 less the IP and ICMP headers. */
const SIZE_MAX = 65_507;
/** A flood is for nobody's neighbour; ping(8) has the same limit for those who are not root. */
const INTERVAL_MIN_US = 2000;
const HOUR_US = 3_600_000_000;

const EXAMPLES = `
Examples:
  sudo millrace ping 10.0.0.1 --host-address 10.0.0.1
  sudo millrace ping 10.0.0.1 --host-address 10.0.0.1 -c 10 -i 200ms -s 8000 --fault loss=10%,delay=20ms
`;

export function addPing(program: Command): void {
  const command = program
    .command('ping')
    .summary('send echo requests from our stack')
    .description('Sends ICMP echo requests from our own stack, and exits with 1 when none was answered.')
    .argument('<address>', 'whom to ask')
    .option('-c, --count <number>', 'requests to send (default: until Ctrl-C)')
    .option('-i, --interval <time>', 'between requests', '1s')
    .option('-s, --size <bytes>', 'payload of a request', '56')
    .option('-t, --ttl <number>', 'time to live', '64')
    .option('-W, --timeout <time>', 'wait for the last answer', '4s')
    .option('--df', 'forbid fragmentation')
    .option('--json', 'a JSON object a line, the summary last');
  addStackOptions(command).addHelpText('after', EXAMPLES);
  command.action(async (target: string, raw: PingCommandOptions) => {
    const options: PingOptions = {
      destination: hostAddress('<address>', target) as Address,
      count: raw.count === undefined ? Infinity : wholeNumber('--count', raw.count, 1, 1_000_000_000),
      intervalUs: microseconds('--interval', raw.interval, INTERVAL_MIN_US, HOUR_US),
      payloadBytes: wholeNumber('--size', raw.size, 0, SIZE_MAX),
      ttl: wholeNumber('--ttl', raw.ttl, 1, 255),
      timeoutUs: microseconds('--timeout', raw.timeout, 1000, HOUR_US),
      dontFragment: raw.df ?? false,
    };
    const settings = stackSettings(raw);
    const ending = new Ending();
    const session = await openSession(settings);
    try {
      const json = raw.json === true;
      if (!json) print(headline(options, session.address, session.device.name));
      const show = (answer: PingAnswer): void => print(json ? JSON.stringify(answer) : answerLine(answer));
      const pinger = new Pinger(session.host, session.device, process.pid, options, show);
      void ending.requested.then(() => pinger.stop());
      session.onFailure(() => pinger.stop());
      const summary = await pinger.run();
      print(
        json ? JSON.stringify({ kind: 'summary', ...summary }) : summaryLines(formatIpv4(options.destination), summary),
      );
      if (summary.received === 0) process.exitCode = Exit.FAILED;
      if (session.failure !== null) throw session.failure;
    } finally {
      await session.close();
      ending.release();
    }
  });
}

function headline(options: PingOptions, from: string, device: string): string {
  const { destination, payloadBytes } = options;
  const total = payloadBytes + 8 + Ipv4.HEADER_BYTES;
  return `PING ${formatIpv4(destination)} from ${from} on ${device}: ${payloadBytes}(${total}) bytes of data.`;
}

export function answerLine(answer: PingAnswer): string {
  if (answer.kind === 'unsent') return `icmp_seq=${answer.seq} not sent: ${answer.reason}`;
  if (answer.kind === 'error') return `From ${answer.source} icmp_seq=${answer.seq}: ${answer.reason}`;
  const notes = `${answer.duplicate ? ' (DUP!)' : ''}${answer.intact ? '' : ' (payload changed on the way)'}`;
  const { bytes, source, seq, ttl, rttUs } = answer;
  return `${bytes + 8} bytes from ${source}: icmp_seq=${seq} ttl=${ttl} time=${milliseconds(rttUs)} ms${notes}`;
}

export function summaryLines(address: string, summary: PingSummary): string {
  const { transmitted, received, duplicates, errors, lossPercent, timeMs, rtt } = summary;
  const counts = [
    `${transmitted} packets transmitted`,
    `${received} received`,
    ...(duplicates > 0 ? [`+${duplicates} duplicates`] : []),
    ...(errors > 0 ? [`+${errors} errors`] : []),
    `${Number(lossPercent.toFixed(1))}% packet loss`,
    `time ${Math.round(timeMs)}ms`,
  ];
  const lines = ['', `--- ${address} ping statistics ---`, counts.join(', ')];
  if (rtt !== undefined) {
    const values = [rtt.minUs, rtt.avgUs, rtt.maxUs, rtt.mdevUs].map((us) => (us / 1000).toFixed(3));
    lines.push(`rtt min/avg/max/mdev = ${values.join('/')} ms`);
  }
  return lines.join('\n');
}

/** Three significant digits, as ping prints them. */
function milliseconds(us: number): string {
  const ms = us / 1000;
  return ms < 10 ? ms.toFixed(3 - Number(ms >= 1)) : ms < 100 ? ms.toFixed(1) : ms.toFixed(0);
}
