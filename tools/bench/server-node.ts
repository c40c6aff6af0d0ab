/** Echo, discard and chargen on Node's own `net`: the yardstick. `node server-node.js ADDRESS` */
import { createServer, type Server, type Socket } from 'node:net';
import { serveParent } from './server-parent.js';
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

function listen(address: string, port: Service, serve: (socket: Socket) => void): Promise<Server> {
  return new Promise((resolve, reject) => {
    const server = createServer({ noDelay: true }, serve);
    server.once('error', reject);
    server.listen({ host: address, port, backlog: 1024 }, () => resolve(server));
  });
}

const [address = '0.0.0.0'] = process.argv.slice(2);
await listen(address, Service.ECHO, echo);
await listen(address, Service.DISCARD, discard);
await listen(address, Service.CHARGEN, chargen);
serveParent();
