import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { CutShort } from '../../apps/delivery.js';
import { createPageServer } from '../../apps/page-server.js';
import { badValue, CliError } from '../errors.js';
import { addStackOptions, port, type RawOptions, stackSettings } from '../options.js';
import { colours, print } from '../output.js';
import { runServer, type Service } from '../server.js';
import { openSession } from '../session.js';

interface ServeOptions extends RawOptions {
  readonly port: string;
  readonly quiet?: boolean;
}

const EXAMPLES = `
Examples:
  # a TAP device of our own, the kernel at 10.0.0.1, this directory at http://10.0.0.2/
  sudo millrace serve . --host-address 10.0.0.1
  # the same over a bad link, every frame traced
  sudo millrace serve . --host-address 10.0.0.1 --fault loss=1%,delay=20ms --trace serve.pcapng
`;

export function addServe(program: Command): void {
  const command = program
    .command('serve')
    .summary('serve a directory over HTTP')
    .description('Serves a directory (default: a page about this program) over HTTP on our own stack.')
    .argument('[dir]', 'the directory')
    .option('--port <number>', 'TCP port', '80')
    .option('--quiet', 'do not print a line for each request');
  addStackOptions(command).addHelpText('after', EXAMPLES);
  command.action(async (directory: string | undefined, raw: ServeOptions) => {
    const number = port('--port', raw.port);
    const root = directory === undefined ? undefined : directoryOf(directory);
    const settings = stackSettings(raw);
    await runServer(await openSession(settings), (session) => {
      const server = createPageServer({
        ...(root === undefined ? {} : { directory: root }),
        ...(raw.quiet === true
          ? {}
          : {
              onAnswer: (request, status, cut) => {
                const line = `${request.socket.remoteAddress} ${request.method} ${request.url} ${status}`;
                print(cut === undefined ? line : `${line}, ${cutShort(cut)}`);
              },
            }),
      });
      // Node remembers a peer's address once it was asked for, and has none when the socket is closed.
      server.on('connection', (socket) => socket.remoteAddress);
      const service: Service = {
        greeting: `serving ${root ?? 'a page'} at ${colours.bold(`http://${session.address}${number === 80 ? '' : `:${number}`}/`)}`,
        start: () =>
          new Promise((done, failed) => {
            server.once('error', failed);
            session.net.listen(server, number, session.address, () => done());
          }),
        stop: () =>
          new Promise((done) => {
            server.close(() => done());
            server.closeIdleConnections();
          }),
        cut: () => server.closeAllConnections(),
      };
      return service;
    });
  });
}

/** In the log, for who wonders why a download is short. */
export function cutShort({ bytes, of }: CutShort): string {
  if (of === undefined) return 'cut off: the connection ended before the answer began';
  return `cut off: the connection ended after ${bytes} of ${of} bytes`;
}

function directoryOf(text: string): string {
  const path = resolve(text);
  const found = statSync(path, { throwIfNoEntry: false });
  if (found === undefined) throw new CliError('ENOENT', `the directory ${text} does not exist`);
  if (!found.isDirectory()) throw badValue('[dir]', text, 'a directory', 'ENOTDIR');
  return path;
}
