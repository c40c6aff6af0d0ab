/**
 * UDP twice: a time server on the reactor, with integer handles, and a client in the manner of `node:dgram`. Both are stacks in
 * this process, with a wire between them and real time, so it runs anywhere.
 *
 *     node dist/examples/udp.js
 */
import {
  createWire,
  type Driver,
  Event,
  type EventHandler,
  Host,
  NodeNet,
  SocketKind,
  Stack,
  type UdpId,
} from 'millrace';

const TIME_PORT = 37;

/** RFC 868: seconds since 1900 to whoever sends a datagram. */
class TimeServer implements EventHandler {
  readonly #buffer = new Uint8Array(1500);
  readonly #answer = new DataView(new ArrayBuffer(4));
  readonly #id: UdpId;
  constructor(readonly host: Host) {
    this.#id = host.stack.udp.open({ port: TIME_PORT });
    host.reactor.registerHandler(SocketKind.UDP, this.#id, this, Event.READABLE);
  }
  handleEvent(): void {
    const udp = this.host.stack.udp;
    // -1: none is left. Several datagrams are one event.
    while (udp.receive(this.#id, this.#buffer, 0, this.#buffer.length) >= 0) {
      this.#answer.setUint32(0, Date.now() / 1000 + 2_208_988_800);
      udp.send(this.#id, new Uint8Array(this.#answer.buffer), 0, 4, udp.lastSource, udp.lastPort);
    }
  }
}

function startHost(address: string, device: Driver, seed: number): Host {
  const stack = new Stack({ seed });
  const host = new Host({ stack });
  host.attach(device, { addresses: [{ address: stack.net.parseAddress(address), prefixLength: 24 }] });
  host.start();
  return host;
}

const [near, far] = createWire();
const server = startHost('10.0.0.1', near, 1);
const client = startHost('10.0.0.2', far, 2);
new TimeServer(server);

const socket = new NodeNet(client).createSocket('udp4');
socket.on('message', (message, remote) => {
  const date = new Date((message.readUInt32BE(0) - 2_208_988_800) * 1000);
  console.log(`${remote.size} bytes from ${remote.address}:${remote.port}: ${date.toISOString()}`);
  // Nobody listens on the next port: a connected socket is told by ICMP.
  socket.connect(TIME_PORT + 1, '10.0.0.1', () => socket.send('anybody?'));
});
socket.on('error', (error) => {
  console.log(`then ${error.message}`);
  socket.close();
  client.stop();
  server.stop();
});
socket.send('', TIME_PORT, '10.0.0.1');
