import type { Command } from 'commander';
import type { Address } from '../../../stack/base/units.js';
import { ChargenService, DiscardService, EchoService } from '../../apps/stream-services.js';
import { UdpEcho } from '../../apps/udp-echo.js';
import { Acceptor, type ServiceHandler } from '../../reactor/acceptor.js';
import { addStackOptions, port, type RawOptions, stackSettings } from '../options.js';
import { colours } from '../output.js';
import { runServer, type Service } from '../server.js';
import { openSession, type Session } from '../session.js';

interface EchoOptions extends RawOptions {
  readonly port: string;
  readonly discard?: string | true;
  readonly chargen?: string | true;
}

/** Their well-known ports: RFC 862, 863, 864. */
const ECHO_PORT = '7';
const DISCARD_PORT = '9';
const CHARGEN_PORT = '19';

const EXAMPLES = `
Examples:
  sudo millrace echo --host-address 10.0.0.1
  # then: nc 10.0.0.2 7, or nc -u 10.0.0.2 7
  sudo millrace echo --host-address 10.0.0.1 --discard --chargen 1900
`;

export function addEcho(program: Command): void {
  const command = program
    .command('echo')
    .summary('send back what comes, over TCP and UDP')
    .description(
      'The echo service (RFC 862) over TCP and UDP; with options discard (RFC 863) and chargen (RFC 864) over TCP, too.',
    )
    .option('--port <number>', 'port of the echo service', ECHO_PORT)
    .option('--discard [port]', `throw away what comes (default port: ${DISCARD_PORT})`)
    .option('--chargen [port]', `send characters without end (default port: ${CHARGEN_PORT})`);
  addStackOptions(command).addHelpText('after', EXAMPLES);
  command.action(async (raw: EchoOptions) => {
    const ports: Ports = {
      echo: port('--port', raw.port),
      discard: optionalPort('--discard', raw.discard, DISCARD_PORT),
      chargen: optionalPort('--chargen', raw.chargen, CHARGEN_PORT),
    };
    const settings = stackSettings(raw);
    await runServer(await openSession(settings), (session) => services(session, ports));
  });
}

interface Ports {
  readonly echo: number;
  readonly discard: number | undefined;
  readonly chargen: number | undefined;
}

function optionalPort(option: string, given: string | true | undefined, standard: string): number | undefined {
  return given === undefined ? undefined : port(option, given === true ? standard : given);
}

function services(session: Session, ports: Ports): Service {
  const { host } = session;
  const { stack, reactor } = host;
  const address = session.settings.address.address as Address;
  const acceptors: Acceptor[] = [];
  let udp: UdpEcho | undefined;
  const accept = (number: number | undefined, service: ServiceHandler): void => {
    if (number !== undefined) acceptors.push(new Acceptor(stack, reactor, { address, port: number }, service));
  };
  const names = [`echo at ${colours.bold(`${session.address}:${ports.echo}`)} over TCP and UDP`];
  if (ports.discard !== undefined) names.push(`discard at ${session.address}:${ports.discard}`);
  if (ports.chargen !== undefined) names.push(`chargen at ${session.address}:${ports.chargen}`);
  return {
    greeting: names.join(', '),
    async start() {
      accept(ports.echo, new EchoService(host));
      accept(ports.discard, new DiscardService(host));
      accept(ports.chargen, new ChargenService(host));
      udp = new UdpEcho(host, address, ports.echo);
      host.wake();
    },
    async stop() {
      for (const acceptor of acceptors) acceptor.close();
      udp?.close();
      // These services have no end of their own: whoever is connected is told by a FIN or RST now.
      for (const id of [...stack.tcp.connections()]) stack.tcp.close(id);
      host.wake();
    },
    cut() {},
  };
}
