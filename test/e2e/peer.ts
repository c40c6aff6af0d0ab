import { once } from 'node:events';
import type net from 'node:net';
import { pipeline } from 'node:stream/promises';
import { Iperf3Server } from '../../src/apps/iperf3-server.js';
import { createPageServer } from '../../src/apps/page-server.js';
import { ChargenService, DiscardService, EchoService } from '../../src/apps/stream-services.js';
import { UdpEcho } from '../../src/apps/udp-echo.js';
import { stackSettings } from '../../src/cli/options.js';
import { openSession, type Session } from '../../src/cli/session.js';
import { Acceptor, type ServiceHandler } from '../../src/reactor/acceptor.js';
import type { Address } from '../../stack/base/units.js';
import { TcpOption } from '../../stack/tcp/socket-options.js';
import { State } from '../../stack/tcp/state.js';
import { verdictName } from '../../stack/wire/verdict-text.js';
import {
  type Call,
  type Calls,
  type Counts,
  type PeerOptions,
  Port,
  type Report,
  type Request,
} from './peer-protocol.js';

/** Millrace on a TAP, with services for the kernel's clients, and told by its parent what else to do. Ends when its parent does. */

function tell(report: Report): void {
  if (process.connected) process.send?.(report);
}

function listen(session: Session, port: Port, options: net.ServerOpts, serve: (socket: net.Socket) => void): void {
  session.net.createServer(options, serve).listen(port, '0.0.0.0');
}

async function startServices(session: Session): Promise<void> {
  const { host } = session;
  const { stack, reactor } = host;
  const accept = (port: Port, service: ServiceHandler): void => {
    new Acceptor(stack, reactor, { port }, service);
  };
  accept(Port.ECHO, new EchoService(host));
  accept(Port.DISCARD, new DiscardService(host));
  accept(Port.CHARGEN, new ChargenService(host));
  new UdpEcho(host, 0 as Address, Port.ECHO);
  new Iperf3Server(host, { port: Port.IPERF3 });
  listen(session, Port.ANSWER_AFTER_END, { allowHalfOpen: true }, (socket) => {
    const parts: Buffer[] = [];
    socket.on('data', (bytes: Buffer) => parts.push(bytes));
    socket.on('end', () => socket.end(Buffer.concat(parts).reverse()));
    socket.on('error', () => {});
  });
  listen(session, Port.ABORT, {}, (socket) => {
    socket.once('data', () => socket.resetAndDestroy());
    socket.on('error', () => {});
  });
  listen(session, Port.WATCHED, {}, (socket) => {
    let code = '';
    socket.on('error', (error: NodeJS.ErrnoException) => {
      code = error.code ?? error.message;
    });
    socket.on('close', () => tell({ event: 'closed', code }));
    socket.pipe(socket);
  });
  const pages = createPageServer();
  session.net.listen(pages, Port.HTTP, '0.0.0.0');
  await once(pages, 'listening');
}

type Handlers = { readonly [C in Call]: (argument: Calls[C]['argument']) => Promise<Calls[C]['result']> };

function handlers(session: Session): Handlers {
  const { stack } = session.host;
  return {
    counts: async () => counts(session),
    connect: async ({ host, port, text, synRetries }) => {
      const socket = session.net.connect(port, host);
      // Node begins in the next tick.
      if (synRetries !== undefined) setImmediate(() => limitSynRetries(session, synRetries));
      let received = '';
      socket.on('data', (bytes) => {
        received += String(bytes);
      });
      socket.end(text);
      const code = await outcome(socket);
      return { code, received };
    },
    addAddress: async ({ address }) => {
      stack.net.addAddress(session.iface.index, stack.net.parseAddress(address), 24);
      session.host.wake();
      return null;
    },
    addDefaultRoute: async ({ gateway }) => {
      stack.net.addRoute({ destination: 0 as Address, prefixLength: 0, gateway: stack.net.parseAddress(gateway) });
      return null;
    },
    relay: async ({ port, host, toPort }) => {
      const server = session.net.createServer({ allowHalfOpen: true }, (near) => {
        const far = session.net.connect({ port: toPort, host, allowHalfOpen: true });
        near.setNoDelay(true);
        far.setNoDelay(true);
        // Each direction ends on its own; an error in one ends both.
        for (const [from, to] of [
          [near, far],
          [far, near],
        ] as const) {
          pipeline(from, to).catch(() => {
            from.destroy();
            to.destroy();
          });
        }
      });
      server.listen(port, '0.0.0.0');
      await once(server, 'listening');
      return null;
    },
    datagram: async ({ host, port, text }) => {
      const socket = session.net.createSocket('udp4');
      // Connected: only then is there somebody to tell of an ICMP error.
      socket.connect(port, host);
      await once(socket, 'connect');
      const answer = once(socket, 'message');
      socket.send(text);
      try {
        const [message] = (await answer) as [Buffer];
        return { code: '', received: message.toString() };
      } catch (error) {
        return { code: codeOf(error), received: '' };
      } finally {
        socket.close();
      }
    },
  };
}

/** Node's sockets have no such option: for whatever is being opened now. */
function limitSynRetries(session: Session, retries: number): void {
  const { tcp } = session.host.stack;
  for (const id of tcp.connections()) {
    if (tcp.state(id) === State.SYN_SENT) tcp.setOption(id, TcpOption.SYN_RETRIES, retries);
  }
}

/** The code of the error a socket ended with; empty when it ended in order. */
async function outcome(socket: net.Socket): Promise<string> {
  let code = '';
  socket.on('error', (error) => {
    code = codeOf(error);
  });
  await new Promise<void>((resolve) => socket.once('close', () => resolve()));
  return code;
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}

function counts(session: Session): Counts {
  const { tcp, net, slab } = session.host.stack;
  const { table, synTable, timeWaits, arena } = tcp.context;
  const verdicts: Record<string, number> = {};
  for (const [verdict, count] of net.stats.verdicts.entries()) if (count > 0) verdicts[verdictName(verdict)] = count;
  return {
    connections: table.count,
    active: table.activeCount,
    halfOpen: synTable.count,
    timeWaits: timeWaits.count,
    chunksUsed: arena.chunksMax - arena.chunksFree,
    slotsUsed: slab.slots - slab.freeCount,
    stats: net.stats.snapshot(),
    verdicts,
  };
}

const { settings } = JSON.parse(process.argv[2] ?? '{}') as PeerOptions;
const session = await openSession(stackSettings(settings));
const handle = handlers(session);
process.on('message', (request: Request) => {
  const handler = handle[request.name] as (argument: unknown) => Promise<unknown>;
  handler(request.argument).then(
    (result) => tell({ id: request.id, result }),
    (error: unknown) => tell({ id: request.id, error: `${codeOf(error)} ${String(error)}` }),
  );
});
process.once('disconnect', () => {
  // What still runs is the tests' own: nobody waits for it.
  for (const id of [...session.host.stack.tcp.connections()]) session.host.stack.tcp.abort(id);
  session.close().finally(() => process.exit());
});
await startServices(session);
tell({ event: 'ready' });
