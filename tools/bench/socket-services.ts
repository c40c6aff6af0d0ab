/** Echo, discard and chargen for Node's sockets, whatever is under them. The same code serves the kernel's and ours. */
import type { Server, ServerOpts, Socket } from 'node:net';
import { CHARGEN_BYTES, Service } from './workload.js';

const chunk = Buffer.alloc(CHARGEN_BYTES, 'millrace');

/** A peer that goes away while we send is what ends the workload, not a fault. */
function quiet(): void {}

function echo(socket: Socket): void {
  socket.on('error', quiet);
  socket.on('data', (data) => {
    socket.write(data);
  });
}

function discard(socket: Socket): void {
  socket.on('error', quiet);
  socket.on('data', quiet);
}

function chargen(socket: Socket): void {
  socket.on('error', quiet);
  const fill = (): void => {
    while (!socket.destroyed && socket.write(chunk));
  };
  socket.on('drain', fill);
  socket.on('end', () => socket.destroy());
  socket.resume();
  fill();
}

/** As `net.createServer`. */
type CreateServer = (options: ServerOpts, serve: (socket: Socket) => void) => Server;

/** Resolves when all three listen. */
export async function serveSockets(createServer: CreateServer, address: string): Promise<void> {
  const listen = (port: Service, serve: (socket: Socket) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const server = createServer({ noDelay: true }, serve);
      server.once('error', reject);
      server.listen(port, address, 1024, resolve);
    });
  await listen(Service.ECHO, echo);
  await listen(Service.DISCARD, discard);
  await listen(Service.CHARGEN, chargen);
}
